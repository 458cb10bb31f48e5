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
//! Watch the callback change. A client is registered with `read`, and the answer is sent at once. Only
//! when the kernel does not take all of it, `write` is registered instead: the key's data says what a
//! client is waiting for, and no flag has to be looked at.
//!
//! The notes' programs send and hope. On Linux S2's connection is blocking, so a client that does
//! not read stops everybody; where it is not, and in S4, the exception ends the client or the
//! server.
//!
//! Limits: while `write` is registered the client is not read from: its queue holds the answer to
//! one recv at most. With `--backend select` descriptors end at 1023.

mod backends;

use backends::{Choice, Serve};
use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use rustc_hash::FxHashMap;
use selectors::{Backend, EVENT_READ, EVENT_WRITE, Selector, SelectorKey};
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, RawFd};
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
    common::outcome(backends::serve(args.backend, &args))
}

impl Serve for Args {
    fn serve<B: Backend>(&self) -> io::Result<()> {
        let mut server = Server::<B> {
            selector: Selector::new()?,
            listener: Rc::new(common::listen(&self.server)?),
            accepting: false,
            clients: FxHashMap::default(),
            reply: self.reply,
            buffer: self.server.buffer(),
        };
        // No call in the loop may wait except select: the others would wait with it.
        server.listener.set_nonblocking(true)?;
        server.watch_listener()?;
        server.listener.announce()?;
        info!("the backend is {}", B::NAME);

        let mut batch = Vec::new();
        loop {
            server.watch_listener()?;
            info!("waiting for the next event");
            // No time-out, unless accepting is paused for want of descriptors.
            server.selector.select_into(server.listener.timeout(), &mut batch)?;
            for (key, _) in &batch {
                let Callback(callback) = key.data;
                callback(&mut server, key);
            }
        }
    }
}

/// What to call when something is ready: the data of a key. `accept`, `read` or `write`.
struct Callback<B: Backend>(fn(&mut Server<B>, &Key<B>));

/// Listener and clients are of different types; what they have in common is a descriptor.
type Key<B> = SelectorKey<dyn AsFd, Callback<B>>;

// A derive would ask the backend to be copied, too.
impl<B: Backend> Clone for Callback<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Callback<B> {}

struct Server<B: Backend> {
    selector: Selector<B, dyn AsFd, Callback<B>>,
    listener: Rc<Listener>,
    /// The listener is registered.
    accepting: bool,
    /// What the selector does not know of a client. By descriptor, and that is safe here: while it
    /// is registered, its number is nobody else's.
    clients: FxHashMap<RawFd, Connection<Rc<TcpStream>>>,
    reply: Reply,
    /// What one recv fills. One for all clients: what it holds is queued before the next recv.
    buffer: Vec<u8>,
}

impl<B: Backend> Server<B> {
    /// While there is no descriptor for a new client the listener would be ready at every turn.
    fn watch_listener(&mut self) -> io::Result<()> {
        let wanted = self.listener.wants_read();
        if wanted && !self.accepting {
            let listener: Rc<dyn AsFd> = Rc::clone(&self.listener) as _;
            self.selector.register(listener, EVENT_READ, Callback(Self::accept))?;
        } else if self.accepting && !wanted {
            self.selector.unregister(&self.listener)?;
        }
        self.accepting = wanted;
        Ok(())
    }

    /// One new client. If more are waiting, the listener is ready again.
    fn accept(&mut self, _: &Key<B>) {
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let (fd, peer) = (connection.as_fd().as_raw_fd(), connection.peer());
                match self.register(connection.share()) {
                    Ok(()) => info!("new connection from {peer}, descriptor {fd}"),
                    Err(error) => info!("turning away {peer}: {}", reason(&error)),
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    fn register(&mut self, connection: Connection<Rc<TcpStream>>) -> io::Result<()> {
        connection.set_nonblocking(true)?;
        let socket: Rc<dyn AsFd> = Rc::clone(connection.socket()) as _;
        let key = self.selector.register(socket, EVENT_READ, Callback(Self::read))?;
        self.clients.insert(key.fd, connection);
        Ok(())
    }

    /// One recv, and the answer to it at once.
    fn read(&mut self, key: &Key<B>) {
        // Closed by another callback of this batch.
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            Ok(0) => {
                info!("no more data from {peer}");
                self.close(key);
            }
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                self.reply.answer(data, connection.queue_mut());
                let sent = send(connection);
                self.wait_for_next(key, sent);
            }
            // Readiness is a hint: recv has the last word.
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(key, &error),
        }
    }

    /// There is room again.
    fn write(&mut self, key: &Key<B>) {
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        let sent = send(connection);
        self.wait_for_next(key, sent);
    }

    /// Registers what is next after a send: `read` when all is sent, or else `write`.
    fn wait_for_next(&mut self, key: &Key<B>, sent: io::Result<Sent>) {
        let (events, callback): (_, fn(&mut Self, &Key<B>)) = match sent {
            Ok(Sent::All) => (EVENT_READ, Self::read),
            Ok(Sent::Part) => (EVENT_WRITE, Self::write),
            Err(error) => return self.lose(key, &error),
        };
        // In most cases it is what it was.
        if events != key.events {
            info!("descriptor {}: modify to {events}", key.fd);
            if let Err(error) = self.selector.modify(&key.fileobj, events, Callback(callback)) {
                self.lose(key, &error);
            }
        }
    }

    /// An error ends this connection and no other. Its address was kept from accept: a socket that
    /// was reset no longer knows it.
    fn lose(&mut self, key: &Key<B>, error: &io::Error) {
        if let Some(connection) = self.clients.get(&key.fd) {
            info!("lost {}: {}", connection.peer(), reason(error));
        }
        self.close(key);
    }

    /// Gives back both shares of the socket; the batch has a third one, and with that the
    /// descriptor is closed.
    fn close(&mut self, key: &Key<B>) {
        if let Some(connection) = self.clients.remove(&key.fd) {
            info!("closing {}", connection.peer());
        }
        if let Err(error) = self.selector.unregister(&key.fileobj) {
            info!("descriptor {}: {}", key.fd, reason(&error));
        }
        self.listener.resume();
    }
}

/// Whether a client's queue is empty after a send.
enum Sent {
    All,
    Part,
}

/// One send of what is queued.
fn send(connection: &mut Connection<Rc<TcpStream>>) -> io::Result<Sent> {
    let peer = connection.peer();
    info!("sending {} to {peer}", preview(connection.queue().waiting()));
    match connection.send() {
        Ok(_) if connection.queue().is_empty() => {
            info!("output queue for {peer} is empty");
            return Ok(Sent::All);
        }
        Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
        Err(error) if would_block(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(Sent::Part)
}
