//! One thread, one client at a time: a blocking call waits for one thing and for nothing else.
//!
//! The server of note S2, section 2, and the shortest of the course. While it waits in recv for one
//! client, it does not accept the next.
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

use blocking::converse;
use common::{Reply, ServerArgs};
use log::info;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    common::run("A blocking server: one client at a time", Reply::Upper, serve)
}

/// Waits for a client, then for that client, then for the next.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    listener.announce()?;

    let mut buffer = args.buffer();
    loop {
        info!("waiting in accept");
        if let Some(mut client) = listener.admit() {
            info!("whoever connects now waits until {} leaves", client.peer());
            converse(&mut client, reply, &mut buffer);
        }
    }
}
