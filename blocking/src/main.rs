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
//! itself, and the kernel takes its message, too. The answer comes when the first client has left.
//!
//! Limits: one client at a time. That is the lesson, and an exception to the contract that the
//! servers of the course keep. Two faults of the notes' program are mended. When a client closes
//! its connection, recv raises no exception but returns nothing. The notes' program does not look
//! for that: it sends nothing and receives again, a busy loop, and accepts no other client. And its
//! `except Exception` takes any mistake in the program for a client that has left. Here only an
//! error of recv or send ends a conversation, and the narration says which.

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
            // Closes the connection.
            drop(client);
        }
    }
}
