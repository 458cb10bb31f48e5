//! Exercise to chapter 3: finish a server that never waits, but asks.
//!
//! The loop is there. It makes the mistakes of the notes' program, so it serves one client for as
//! long as nobody else comes. The steps in its functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise nonblocking  # judges this file, and says what is next
//! cargo run --example exercise_nonblocking  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `nonblocking/src/main.rs`, which counts its questions, too.

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason};
use log::info;
use std::io;
use std::process::ExitCode;

/// The exercise to chapter 3: a server that asks every socket, always
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

/// A loop without a wait.
fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server {
        listener: common::listen(&args.server)?,
        clients: Vec::new(),
        reply: args.reply,
        buffer: args.server.buffer(),
    };
    server.listener.set_nonblocking(true)?;
    server.listener.announce()?;
    loop {
        server.accept();
        for client in 0..server.clients.len() {
            server.receive(client);
            server.send(client);
        }
        server.close_finished();
    }
}

struct Server {
    listener: Listener,
    clients: Vec<Connection>,
    reply: Reply,
    buffer: Vec<u8>,
}

impl Server {
    /// Asks whether somebody new is there.
    ///
    /// Step 1. No call may sleep, or everybody waits with it. Trap: the listener is non-blocking,
    /// and on Linux the sockets that it accepts are not.
    fn accept(&mut self) {
        // Accepting is paused while the process is out of descriptors.
        if !self.listener.wants_read() {
            return;
        }
        match self.listener.accept() {
            Ok(Some(connection)) => {
                info!("new connection from {}", connection.peer());
                self.clients.push(connection);
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// Asks whether this client has sent something.
    ///
    /// Step 4. Not every error is one: "nothing yet" (`common::would_block`) is the usual answer. Any
    /// other ends this connection (`abandon`), and this one only. Trap: whoever sends and leaves its
    /// answers unread makes the queue grow for ever, unless it is not asked meanwhile (`wants_read`).
    fn receive(&mut self, client: usize) {
        let connection = &mut self.clients[client];
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            Ok(count) => {
                info!("received {} from {peer}", preview(&self.buffer[..count]));
                self.reply.answer(&self.buffer[..count], connection.queue_mut());
            }
            Err(error) => info!("nothing from {peer}: {}", reason(&error)),
        }
    }

    /// Offers what is queued for this client.
    ///
    /// Step 3. What the kernel has no room for stays queued, and is offered again in the next turn.
    /// Trap: "no room" comes as an error, and this function gives up whoever reads slowly.
    fn send(&mut self, client: usize) {
        let connection = &mut self.clients[client];
        let peer = connection.peer();
        if !connection.wants_write() {
            return;
        }
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        if let Err(error) = connection.send() {
            info!("lost {peer}: {}", reason(&error));
            connection.abandon();
        }
    }

    /// Step 2. Whoever is finished (`is_finished`) is closed: dropped. Then accepting may go on, if
    /// it was paused (`resume`). Trap: not earlier in the turn, for positions would move.
    fn close_finished(&mut self) {}
}
