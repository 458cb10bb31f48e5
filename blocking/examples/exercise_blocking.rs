//! Exercise to chapter 2: finish the conversation of a server that blocks.
//!
//! The loop is there, and waits in accept. `converse` answers one message and hangs up. The steps
//! in it are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise blocking  # judges your copy, and says what is next
//! cargo run --example exercise_blocking  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `blocking/src/lib.rs`.

use common::{Connection, Reply, ServerArgs, preview};
use log::info;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let about = "The exercise to chapter 2: a blocking server, one client at a time";
    common::run(about, Reply::Upper, serve)
}

/// Waits for a client, then for that client, then for the next.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    listener.announce()?;

    let mut buffer = args.buffer();
    loop {
        info!("waiting in accept");
        if let Some(mut client) = listener.admit() {
            if let Err(error) = converse(&mut client, reply, &mut buffer) {
                client.lose(&error);
            }
            info!("closing {}", client.peer());
        }
    }
}

/// Talks with this client until it has sent everything; the caller closes the connection then. An
/// error returned here ends this conversation and no other.
///
/// Step 1. A client sends more than one message, and a message longer than the buffer comes in
/// pieces: receive and answer again, as long as something comes. Trap: the end of input is no
/// error. It is a recv that brings nothing, successfully and at once, however often you ask.
///
/// Step 2. The answer waits in the client's queue, and one send may take only the front of it (for
/// example if a signal comes). Trap: the rest stays in the queue, and the next answer comes behind
/// it. (No check sees this: on loopback a send that may wait takes everything.)
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
