//! Exercise to chapter 3: finish a server that never waits, but asks.
//!
//! The loop is there. It makes the mistakes of the notes' program, so it serves one client as
//! long as no other comes. The steps in its functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise nonblocking  # judges your copy, and says what is next
//! cargo run --example exercise_nonblocking  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `nonblocking/src/main.rs`, which counts its questions, too.

use common::{Connection, Reply, ServerArgs, preview, reason};
use log::info;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(
        "The exercise to chapter 3: a server that asks every socket, always",
        Reply::Upper,
        serve,
    )
}

/// A loop without a wait.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let mut clients: Vec<Connection> = Vec::new();
    let mut buffer = args.buffer();
    loop {
        for client in &mut clients {
            receive(client, &mut buffer, reply);
            send(client);
        }
        // Step 2. Keep the clients that are not finished (`is_finished`). Dropping a client closes
        // its connection.

        if let Some(client) = listener.admit() {
            // Step 1. No call may wait, or every client waits with it. Trap: to make the listener
            // non-blocking is not enough. On Linux the sockets that it accepts block, and the notes
            // leave them so. `admit` would not; this line makes them like those of the notes.
            client.set_nonblocking(false)?;
            clients.push(client);
        }
    }
}

/// Asks whether this client has sent something.
///
/// Step 4. "Nothing yet" (`common::would_block`) is the usual answer and no error. Any other error
/// ends this connection (`lose`), and this one only. Trap: a client that sends and leaves its
/// answers unread makes the queue grow without end, unless it is not asked meanwhile
/// (`wants_read`).
fn receive(client: &mut Connection, buffer: &mut [u8], reply: Reply) {
    let peer = client.peer();
    match client.recv(buffer) {
        Ok(count) => {
            info!("received {} from {peer}", preview(&buffer[..count]));
            reply.answer(&buffer[..count], client.queue_mut());
        }
        Err(error) => info!("nothing from {peer}: {}", reason(&error)),
    }
}

/// Offers what is queued for this client, if anything is.
///
/// Step 3. What the kernel has no room for stays queued, and is offered again in the next turn.
/// Trap: "no room" comes as an error, and this function gives up a client that reads slowly.
fn send(client: &mut Connection) {
    if !client.wants_write() {
        return;
    }
    info!("sending {} to {}", preview(client.queue().waiting()), client.peer());
    if let Err(error) = client.send() {
        client.lose(&error);
    }
}
