//! One thread, many clients, and nobody sleeps: every socket is asked, again and again.
//!
//! The server of note S2, section 3. Listener and connections are non-blocking: where a call would
//! have to wait it returns at once and says so (EAGAIN). So one thread can look after everybody:
//! accept, then recv and send for each client in turn, and from the beginning again. What is
//! missing is somebody who says when it is worth asking.
//!
//! ```text
//! cargo run -p nonblocking       # in one terminal
//! cargo run -p client            # in another, or in several
//! ```
//!
//! Watch `top`: one CPU is busy from the first moment, before anybody has connected. And watch what
//! is said when a client leaves: `asked 1234567 times, 1234564 in vain`. Only calls that had a
//! result are narrated. The others are counted, for there are hundreds of thousands each second.
//!
//! Limits: it never sleeps, so it costs a whole CPU whatever there is to do, which is the lesson,
//! and the one point of the course's contract that it cannot keep. With many clients a turn takes
//! long, and each message waits for its turn. `select` asks the same questions, but inside the
//! kernel, which knows when to stop asking.

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;

/// A server that never waits: it asks every socket, always (note S2)
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

/// A loop without a wait: nothing in it sleeps, so nobody in it keeps the others waiting.
fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server {
        listener: common::listen(&args.server)?,
        accepts_in_vain: 0,
        clients: Vec::new(),
        reply: args.reply,
        buffer: args.server.buffer(),
    };
    server.listener.set_nonblocking(true)?;
    server.listener.announce()?;
    loop {
        server.accept();
        // One recv and one send for each client and turn, however much it sends: a client that
        // was asked until it has no more would keep the others waiting for as long as it likes.
        for client in 0..server.clients.len() {
            server.receive(client);
            server.send(client);
        }
        server.close_finished();
    }
}

struct Server {
    listener: Listener,
    /// How many times accept found nobody, since it last found somebody.
    accepts_in_vain: u64,
    clients: Vec<Client>,
    reply: Reply,
    /// What one recv fills. One for all clients: what it holds is queued before the next recv.
    buffer: Vec<u8>,
}

struct Client {
    connection: Connection,
    /// How many times recv and send were called for this client, and how many of those times
    /// there was nothing to receive or no room to send.
    asked: u64,
    in_vain: u64,
    /// The last send was in vain. It is made again in each turn, but not narrated again.
    no_room: bool,
}

impl Server {
    /// Asks whether somebody new is there. Nearly always nobody is.
    fn accept(&mut self) {
        // Accepting is paused while the process is out of descriptors.
        if !self.listener.wants_read() {
            return;
        }
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let (fd, peer) = (connection.as_fd().as_raw_fd(), connection.peer());
                let vain = std::mem::take(&mut self.accepts_in_vain);
                // On Linux an accepted socket starts out blocking, whatever its listener is. The
                // notes leave it so, and their server sleeps in recv for its first silent client.
                if let Err(error) = connection.set_nonblocking(true) {
                    info!("turning away {peer}: {}", reason(&error));
                    return;
                }
                info!("new connection from {peer}, descriptor {fd} (accept in vain: {vain})");
                self.clients.push(Client { connection, asked: 0, in_vain: 0, no_room: false });
            }
            Ok(None) => self.accepts_in_vain += 1,
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// Asks whether this client has sent something.
    fn receive(&mut self, client: usize) {
        let Client { connection, asked, in_vain, .. } = &mut self.clients[client];
        // Not after the end of its input: recv would say so again in each turn, with success.
        if !connection.wants_read() {
            return;
        }
        let peer = connection.peer();
        *asked += 1;
        match connection.recv(&mut self.buffer) {
            // A client that leaves is no error, but 0 bytes received. The notes wait for an error
            // here, keep the client, and ask it for ever.
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                self.reply.answer(data, connection.queue_mut());
            }
            // Not an error but the answer: "nothing yet". The same call asks again, next turn.
            Err(error) if would_block(&error) => *in_vain += 1,
            Err(error) => self.lose(client, &error),
        }
    }

    /// Offers what is queued for this client, if anything is. What the kernel does not take stays
    /// in the queue and is offered again. The notes ask recv and send under one `except`, and what
    /// was received but could not be sent is lost.
    fn send(&mut self, client: usize) {
        let Client { connection, asked, in_vain, no_room } = &mut self.clients[client];
        if !connection.wants_write() {
            return;
        }
        let peer = connection.peer();
        let first = !std::mem::take(no_room);
        if first {
            info!("sending {} to {peer}", preview(connection.queue().waiting()));
        }
        *asked += 1;
        match connection.send() {
            Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {
                if first {
                    info!("no room for {peer}: {} bytes left", connection.queue().len());
                }
                *in_vain += 1;
                *no_room = true;
            }
            Err(error) => self.lose(client, &error),
        }
    }

    /// An error ends this connection and no other.
    fn lose(&mut self, client: usize, error: &io::Error) {
        let connection = &mut self.clients[client].connection;
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    /// After everybody was asked, so that a position in `clients` means the same client throughout
    /// a turn.
    fn close_finished(&mut self) {
        let before = self.clients.len();
        self.clients.retain(|Client { connection, asked, in_vain, .. }| {
            if connection.is_finished() {
                info!("closing {}: asked {asked} times, {in_vain} in vain", connection.peer());
            }
            !connection.is_finished()
        });
        if self.clients.len() < before {
            self.listener.resume();
        }
    }
}
