//! The queue server on a selector: receive, queue, wait for room, send.
//!
//! The server of note S4 whose data are queues. S4 registers every client for both events, always,
//! and a socket nearly always has room: `select` returns at once, for ever, and burns a core. It
//! means to switch back to reading after a send, but what it modifies is `sock`, the listener; the
//! client stays as it was. Here the switch is made, and on the client.
//!
//! ```text
//! cargo run --bin selectors_queue
//! cargo run --bin client_parts                 # S4's own client
//! cargo run --bin selectors_queue -- --backend select
//! ```
//!
//! Watch `EVENT_READ|EVENT_WRITE` come and go: it is there while something is queued. And compare
//! with `selectors`, which sends at once and waits for room only if there was none: on epoll each
//! switch is a system call, and a message costs two.
//!
//! Limits: with `--backend select` descriptors end at 1023.

#[path = "../backends.rs"]
mod backends;

use backends::Choice;
use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, reason};
use log::info;
use rustc_hash::FxHashMap;
use selectors::{AnySelector, Backend, EVENT_READ, EVENT_WRITE, EventMask, SelectorKey};
use std::io;
use std::os::fd::{AsFd, RawFd};
use std::process::ExitCode;
use std::rc::Rc;

/// A server with a queue for each client on Python's selectors, with any backend (note S4)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Received)]
    reply: Reply,

    /// What to wait with
    #[arg(long, value_enum, default_value_t = Choice::Default)]
    backend: Choice,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
fn serve(args: &Args) -> io::Result<()> {
    let listener = Rc::new(common::listen(&args.server)?);
    // No call in the loop may wait except select: the others would wait with it.
    listener.set_nonblocking(true)?;
    let mut selector = backends::selector(args.backend)?;
    let object: Rc<dyn AsFd> = Rc::clone(&listener) as _;
    selector.register(object, EVENT_READ, Source::Listener)?;
    listener.announce()?;
    info!("the backend is {}", selector.backend().name());

    let (clients, buffer) = (FxHashMap::default(), args.server.buffer());
    let mut server = Server { selector, listener, clients, buffer, reply: args.reply };
    let mut batch = Vec::new();
    loop {
        info!("waiting for the next event");
        server.selector.select_into(None, &mut batch)?;
        let mut new_client = false;
        for (key, mask) in batch.drain(..) {
            match key.data {
                Source::Listener => new_client = true,
                Source::Client => server.handle(&key, mask),
            }
        }
        // Last, so that the descriptors just closed are free again.
        if new_client {
            server.accept();
        }
    }
}

/// The data of a key: whose it is. S4 compares `key.fileobj` with the listener.
#[derive(Clone, Copy)]
enum Source {
    Listener,
    Client,
}

/// Listener and clients are of different types; what they have in common is a descriptor.
type Key = SelectorKey<Rc<dyn AsFd>, Source>;

struct Server {
    selector: AnySelector<Rc<dyn AsFd>, Source>,
    listener: Rc<Listener>,
    /// What the selector does not know of a client. By descriptor, and that is safe here: while it
    /// is registered, no other client can get its number.
    clients: FxHashMap<RawFd, Connection>,
    /// What one recv fills, for all clients: its contents are queued before the next recv.
    buffer: Vec<u8>,
    reply: Reply,
}

impl Server {
    /// One new client. If more are waiting, the listener is ready again.
    fn accept(&mut self) {
        let Some(mut connection) = self.listener.admit() else { return };
        let socket: Rc<dyn AsFd> = Rc::new(connection.share());
        match self.selector.register(socket, EVENT_READ, Source::Client) {
            Ok(key) => drop(self.clients.insert(key.fd, connection)),
            Err(error) => connection.lose(&error),
        }
    }

    /// What one event says of one client. Receiving comes first: what was sent before a hang-up is
    /// still there to be read.
    fn handle(&mut self, key: &Key, mask: EventMask) {
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        if mask.contains(EVENT_READ) {
            connection.receive(&mut self.buffer, self.reply);
        }
        if mask.contains(EVENT_WRITE) {
            connection.send_queued();
        }
        self.watch(key);
    }

    /// Registers the client for what it wants now: to write only while something is queued.
    fn watch(&mut self, key: &Key) {
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        let mut wanted = EventMask::empty();
        wanted.set(EVENT_READ, connection.wants_read());
        wanted.set(EVENT_WRITE, connection.wants_write());
        if wanted != key.events && !connection.is_finished() {
            info!("descriptor {}: modify to {wanted}", key.fd);
            if let Err(error) = self.selector.modify(key, wanted, key.data) {
                connection.lose(&error);
            }
        }
        if !connection.is_open() {
            self.close(key);
        }
    }

    /// Gives back both shares of the socket. The key in hand has a third one, and the descriptor is
    /// closed with that.
    fn close(&mut self, key: &Key) {
        self.clients.remove(&key.fd);
        if let Err(error) = self.selector.unregister(key) {
            info!("descriptor {}: {}", key.fd, reason(&error));
        }
    }
}
