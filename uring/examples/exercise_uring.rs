//! Exercise to chapter 8: finish a server on io_uring(7).
//!
//! The turn is there, and so is what needs unsafe code. Clients are accepted; what the kernel has
//! received for us is forgotten. The steps in the functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise uring  # judges your copy, and says what is next
//! cargo run --example exercise_uring  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `uring/src/main.rs`; it also has the kernel send at once (`Ring::send`), and so
//! needs half as many completions. Linux only; elsewhere the program says so.

use common::{Connection, Listener, Reply, ServerArgs, preview};
use log::info;
use slab::Slab;
use std::io;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::process::ExitCode;
use uring::{Completion, Operation, Ring};

fn main() -> ExitCode {
    common::run("The exercise to chapter 8: an echo server on io_uring(7)", Reply::Echo, serve)
}

/// Hand over what is wanted, sleep until something is done, see what it was.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let (ring, listener) = (Ring::new(args.chunk as usize)?, common::listen(args)?);
    let clients = Slab::new();
    // Never dropped: the kernel may still be sending what is lent to it.
    let mut server = ManuallyDrop::new(Server { ring, listener, accepting: false, clients, reply });
    server.listener.announce()?;

    let mut batch = Vec::new();
    loop {
        if !std::mem::replace(&mut server.accepting, true) {
            let Server { ring, listener, .. } = &mut *server;
            ring.accept(listener);
        }
        info!("waiting for completions");
        server.ring.enter(&mut batch)?;
        for completion in batch.drain(..) {
            match completion.operation {
                Operation::Accept => server.accepted(completion),
                Operation::Receive => server.received(completion),
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
    fn accepted(&mut self, completion: Completion) {
        self.accepting = completion.more();
        let socket = completion.accepted().map(TcpStream::from);
        if let Some(connection) = self.listener.admitted(socket) {
            let client = Client { connection, receiving: false, lent: Vec::new() };
            let client = self.clients.insert(client);
            self.go_on(client);
        }
    }

    /// The kernel has received: the bytes are in one of our buffers, which then goes back.
    ///
    /// Step 1. Answer them into the queue (`reply`). With no bytes it is the end of input
    /// (`end_input`); an error ends this connection (`lose`). Trap: two errors are none. ECANCELED
    /// is what you asked for, and after ENOBUFS, too few buffers for a moment, you ask again.
    fn received(&mut self, completion: Completion) {
        let client = completion.client;
        let Client { connection, receiving, .. } = &mut self.clients[client];
        *receiving = completion.more();
        let data = self.ring.received(&completion);
        let (reply, peer) = (self.reply, connection.peer());
        info!("completed: received {} from {peer}; {reply:?} is due", preview(data));
        self.ring.put_back(completion);
        self.go_on(client);
    }

    /// Asks the kernel for what is next for this client.
    ///
    /// Step 2. A client that is finished (`is_finished`, and nothing lent) is closed: removed from
    /// `clients`. Trap: while anything is under way for it, its place must not become another's.
    /// Cancel, and wait for the last completion; what is lent to a client that was lost has to come
    /// back, too.
    ///
    /// Step 3. Receive only while input is wanted (`wants_read`). A request that is under way goes
    /// on by itself: have it cancelled for a client that leaves its answers unread. Trap: after the
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
        // SAFETY: only `sent` touches it, at the completion; and a client that is dropped before
        // leaves it behind.
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

/// A client that is closed too early leaks its memory: the kernel may still read it.
impl Drop for Client {
    fn drop(&mut self) {
        std::mem::forget(std::mem::take(&mut self.lent));
    }
}
