//! Exercise to chapter 8: finish a server on io_uring(7).
//!
//! The turn is there, and so is what needs unsafe code. Clients are accepted; what the kernel has
//! received for us is forgotten. The steps in the functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise uring  # judges this file, and says what is next
//! cargo run --example exercise_uring  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `uring/src/main.rs`; it also has the kernel send at once (`Ring::send`), and so
//! needs half as many completions. Linux only; elsewhere the program says so.

#[cfg(target_os = "linux")]
#[path = "../src/buffers.rs"]
mod buffers;
#[path = "../src/refusal.rs"]
mod refusal;
#[allow(dead_code, reason = "some of it is yours to use")]
#[cfg_attr(target_os = "linux", path = "../src/ring.rs")]
#[cfg_attr(not(target_os = "linux"), path = "../src/elsewhere.rs")]
mod ring;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason};
use log::info;
use ring::{Completion, Operation, Ring};
use slab::Slab;
use std::io;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::process::ExitCode;

/// The exercise to chapter 8: an echo server on io_uring(7)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// Hand over what is wanted, sleep until something is done, see what it was.
fn serve(args: &Args) -> io::Result<()> {
    // Never dropped: the kernel may still be sending what is lent to it.
    let mut server = ManuallyDrop::new(Server {
        ring: Ring::new(args.server.chunk as usize)?,
        listener: common::listen(&args.server)?,
        accepting: false,
        clients: Slab::new(),
        reply: args.reply,
    });
    server.listener.announce()?;
    let mut batch = Vec::new();
    loop {
        server.accept();
        info!("waiting for completions");
        let timeout = server.listener.timeout();
        server.ring.enter(timeout, &mut batch)?;
        for completion in batch.drain(..) {
            match completion.operation {
                Operation::Accept => server.accepted(completion),
                Operation::Receive => server.received(&completion),
                Operation::Lend => server.sent(&completion),
                // What was cancelled has a last completion of its own.
                Operation::Send | Operation::Cancel => {}
            }
        }
    }
}

struct Server {
    /// First, so that it is closed first.
    ring: Ring,
    listener: Listener,
    /// The request to accept is under way.
    accepting: bool,
    /// A client's place is the number that comes back with its completions.
    clients: Slab<Client>,
    reply: Reply,
}

struct Client {
    connection: Connection,
    /// The request to receive is under way.
    receiving: bool,
    /// What the kernel is sending. While there is anything in it, it is the kernel's.
    lent: Vec<u8>,
}

impl Server {
    fn accept(&mut self) {
        if !self.accepting && self.listener.wants_read() {
            self.ring.accept(&self.listener);
            self.accepting = true;
        }
    }

    fn accepted(&mut self, completion: Completion) {
        self.accepting = completion.more();
        let socket = match completion.accepted() {
            Ok(descriptor) => TcpStream::from(descriptor),
            Err(error) => {
                info!("no new clients for now: {}", reason(&error));
                return self.listener.pause();
            }
        };
        match socket.peer_addr().and_then(|peer| Connection::new(socket, peer)) {
            Ok(connection) => {
                info!("completed: new connection from {}", connection.peer());
                let client = Client { connection, receiving: false, lent: Vec::new() };
                let client = self.clients.insert(client);
                self.go_on(client);
            }
            Err(error) => info!("gone before it was accepted: {}", reason(&error)),
        }
    }

    /// The kernel has received: the bytes are in one of our buffers, which then goes back.
    ///
    /// Step 1. Answer them into the queue (`reply`). With no bytes it is the end of input
    /// (`end_input`); an error ends this connection (`abandon`). Trap: two errors are none. ECANCELED
    /// is what you asked for, and after ENOBUFS, too few buffers for a moment, one asks again.
    fn received(&mut self, completion: &Completion) {
        let Client { connection, receiving, .. } = &mut self.clients[completion.client];
        *receiving = completion.more();
        let data = self.ring.received(completion).unwrap_or_default();
        let (reply, peer) = (self.reply, connection.peer());
        info!("completed: received {} from {peer}; {reply:?} is due", preview(data));
        self.ring.put_back(completion);
        self.go_on(completion.client);
    }

    /// Asks the kernel for what is next for this client.
    ///
    /// Step 2. Whoever is finished (`is_finished`, and nothing lent) is closed: removed from
    /// `clients`. Then accepting may go on, if it was paused (`resume`). Trap: while anything is under
    /// way for it, its place must not become another's. Cancel, and wait for the last completion;
    /// what is lent to a client that was lost has to come back, too.
    ///
    /// Step 3. Receive only while we want to read (`wants_read`). A request that is under way goes on
    /// by itself: from a client that leaves its answers unread, have it cancelled. Trap: after the
    /// end of input each request to receive is completed at once.
    fn go_on(&mut self, client: usize) {
        self.send(client);
        let Client { connection, receiving, .. } = &mut self.clients[client];
        if !*receiving {
            self.ring.receive(client, connection);
            *receiving = true;
        }
    }

    /// Lends what is queued to the kernel, to be sent whenever there is room.
    #[expect(unsafe_code, reason = "what the kernel sends it reads from our memory")]
    fn send(&mut self, client: usize) {
        let Client { connection, lent, .. } = &mut self.clients[client];
        // Never two at a time: they would be sent in any order.
        if connection.queue().is_empty() || !lent.is_empty() {
            return;
        }
        info!("sending {} to {}", preview(connection.queue().waiting()), connection.peer());
        lent.extend_from_slice(connection.queue().waiting());
        connection.queue_mut().advance(lent.len());
        // SAFETY: `sent` empties it, at the completion; nobody else touches it; and a client that is
        // dropped before leaves it behind.
        unsafe { self.ring.lend(client, connection, lent) };
    }

    /// What was lent is ours again.
    fn sent(&mut self, completion: &Completion) {
        let Client { connection, lent, .. } = &mut self.clients[completion.client];
        let all = std::mem::take(lent).len();
        match completion.result() {
            Ok(count) if count == all => info!("completed: sent {all} to {}", connection.peer()),
            Ok(_) | Err(_) => connection.abandon(),
        }
        self.go_on(completion.client);
    }
}

/// A client that is closed too early costs memory, and not somebody else's.
impl Drop for Client {
    fn drop(&mut self) {
        std::mem::forget(std::mem::take(&mut self.lent));
    }
}
