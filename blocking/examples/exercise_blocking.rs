//! Exercise to chapter 2: finish the conversation of a server that blocks.
//!
//! The loop is there, and sleeps in accept. `converse` answers one message and hangs up; the steps
//! in it are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise blocking  # judges this file, and says what is next
//! cargo run --example exercise_blocking  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `blocking/src/conversation.rs`.

use clap::Parser;
use common::{Connection, Reply, ServerArgs, preview, reason};
use log::info;
use std::io;
use std::process::ExitCode;
use std::thread;

/// The exercise to chapter 2: a blocking server, one client at a time
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
                let peer = client.peer();
                info!("new connection from {peer}");
                if let Err(error) = converse(&mut client, args.reply, &mut buffer) {
                    info!("lost {peer}: {}", reason(&error));
                }
                info!("closing {peer}");
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

/// Talks with this client until it has no more to say; the caller closes the connection then. An
/// error returned here ends this conversation and no other.
///
/// Step 1. A client says more than one thing, and what is longer than the buffer comes in pieces:
/// receive and answer again, for as long as something comes. Trap: the end of input is no error.
/// It is a recv that brings nothing, with success, at once, however often one asks.
///
/// Step 2. The answer waits in the client's queue, and one send may take only the front of it (when
/// a signal comes, for one). Trap: what is left there is not sent by anybody, and the next answer
/// comes behind it. (No check sees this: on loopback a send that may sleep takes all.)
fn converse(client: &mut Connection, reply: Reply, buffer: &mut [u8]) -> io::Result<()> {
    let peer = client.peer();
    info!("waiting in recv for {peer}");
    let count = client.recv(buffer)?;
    info!("received {} from {peer}", preview(&buffer[..count]));
    reply.answer(&buffer[..count], client.queue_mut());
    info!("sending {} to {peer}", preview(client.queue().waiting()));
    client.send()?;
    Ok(())
}
