//! Callbacks on a selector: what is registered carries what to call when it is ready.
//!
//! The server of note S2, section 7, and of S4's last example, on the library of this crate. The
//! loop knows nothing of clients any more: it asks the selector who is ready, and calls the
//! function that stands in the key's data.
//!
//! ```text
//! cargo run -p selectors                       # in one terminal
//! cargo run -p client                          # in another, or in several
//! cargo run -p selectors -- --backend poll     # the same on poll(2)
//! ```
//!
//! Watch the callback change. A client is registered with `read`, and the answer is sent at once.
//! Only when the kernel does not take all of it, `write` is registered instead: the key's data says
//! what a client is waiting for, and no flag has to be looked at.
//!
//! The notes' programs send and hope. On Linux S2's connection is blocking, so a client that does
//! not read stops everybody; where it is not, and in S4, the exception ends the client or the
//! server.
//!
//! Limits: while `write` is registered the client is not read from: its queue holds the answer to
//! one recv at most. With `--backend select` descriptors end at 1023.

mod backends;

use backends::Choice;
use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, reason};
use log::info;
use rustc_hash::FxHashMap;
use selectors::{AnySelector, Backend, EVENT_READ, EVENT_WRITE, SelectorKey};
use std::io;
use std::os::fd::{AsFd, RawFd};
use std::process::ExitCode;
use std::rc::Rc;

/// A server of callbacks on Python's selectors, with any backend (notes S2, S4)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::UpperSb)]
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
    selector.register(object, EVENT_READ, Callback(Server::accept))?;
    listener.announce()?;
    info!("the backend is {}", selector.backend().name());

    let (clients, buffer) = (FxHashMap::default(), args.server.buffer());
    let (new_client, reply) = (false, args.reply);
    let mut server = Server { selector, listener, new_client, clients, buffer, reply };
    let mut batch = Vec::new();
    loop {
        info!("waiting for the next event");
        server.selector.select_into(None, &mut batch)?;
        for (key, _) in batch.drain(..) {
            let Callback(callback) = key.data;
            callback(&mut server, &key);
            // It may be the last that holds a connection, which is closed then.
            drop(key);
        }
        // Last, so that the descriptors just closed are free again.
        if std::mem::take(&mut server.new_client) {
            server.admit();
        }
    }
}

/// What to call when something is ready: the data of a key. `accept`, `read` or `write`.
#[derive(Clone, Copy)]
struct Callback(fn(&mut Server, &Key));

/// Listener and clients are of different types; what they have in common is a descriptor.
type Key = SelectorKey<Rc<dyn AsFd>, Callback>;

struct Server {
    selector: AnySelector<Rc<dyn AsFd>, Callback>,
    listener: Rc<Listener>,
    /// The listener was ready in this turn.
    new_client: bool,
    /// What the selector does not know of a client. By descriptor, and that is safe here: while it
    /// is registered, no other client can get its number.
    clients: FxHashMap<RawFd, Connection>,
    /// What one recv fills, for all clients: its contents are sent or queued before the next recv.
    buffer: Vec<u8>,
    reply: Reply,
}

impl Server {
    /// A client waits to be accepted, at the end of the turn.
    fn accept(&mut self, _: &Key) {
        self.new_client = true;
    }

    /// One new client. If more are waiting, the listener is ready again.
    fn admit(&mut self) {
        let Some(mut connection) = self.listener.admit() else { return };
        let socket: Rc<dyn AsFd> = Rc::new(connection.share());
        match self.selector.register(socket, EVENT_READ, Callback(Self::read)) {
            Ok(key) => drop(self.clients.insert(key.fd, connection)),
            Err(error) => connection.lose(&error),
        }
    }

    /// One recv, and the answer to it at once.
    fn read(&mut self, key: &Key) {
        // It may have been closed by another callback of this batch.
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        connection.receive_and_send(&mut self.buffer, self.reply);
        self.wait_for_next(key);
    }

    /// There is room again.
    fn write(&mut self, key: &Key) {
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        connection.send_queued();
        self.wait_for_next(key);
    }

    /// Registers what is next after a send: `read` when all is sent, or else `write`.
    fn wait_for_next(&mut self, key: &Key) {
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        let (events, callback): (_, fn(&mut Self, &Key)) = match connection.wants_write() {
            true => (EVENT_WRITE, Self::write),
            false => (EVENT_READ, Self::read),
        };
        // In most cases it is what it was.
        if events != key.events && !connection.is_finished() {
            info!("descriptor {}: modify to {events}", key.fd);
            if let Err(error) = self.selector.modify(key, events, Callback(callback)) {
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
