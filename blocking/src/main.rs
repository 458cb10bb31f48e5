//! One thread, one client at a time: a blocking call waits for one thing, and is deaf to all else.
//!
//! The server of note S2, section 2, and the shortest of the course. While it sleeps in recv for
//! one client, it does not accept the next.
//!
//! ```text
//! cargo run -p blocking          # in one terminal
//! cargo run -p client            # in another; then the same in a third
//! ```
//!
//! Watch the second client. It connects at once, because the kernel completes connections by
//! itself, and its message is taken; the answer comes when the first client has left.
//!
//! Limits: one client at a time is an exception to the contract that every server of the course
//! keeps, and the lesson. Two faults of the notes' program are mended. A client that leaves in good
//! order is no exception but an empty recv; the program answers it with an empty send, for ever, on
//! a whole CPU, and nobody else is accepted again. And its `except Exception` takes any mistake of
//! its own for a client that left; here an error is one of recv or send, and is told.

mod conversation;

use clap::Parser;
use common::{Reply, ServerArgs, reason};
use conversation::converse;
use log::info;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::thread;

/// A blocking server: one client at a time (note S2)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Upper)]
    reply: Reply,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// Waits for a client, then for that client, then for the next.
fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    let mut buffer = args.server.buffer();
    listener.announce()?;
    loop {
        info!("waiting in accept");
        match listener.accept() {
            Ok(Some(mut client)) => {
                let (fd, peer) = (client.as_fd().as_raw_fd(), client.peer());
                info!(
                    "new connection from {peer}, descriptor {fd}: \
                     whoever connects now waits until {peer} leaves"
                );
                converse(&mut client, args.reply, &mut buffer);
            }
            // A blocking accept does not come back without a client.
            Ok(None) => {}
            Err(error) => {
                info!("no new clients for now: {}", reason(&error));
                thread::sleep(listener.timeout().unwrap_or_default());
            }
        }
    }
}
