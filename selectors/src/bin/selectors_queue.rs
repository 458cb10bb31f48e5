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
//! Watch `EVENT_READ|EVENT_WRITE` come and go: it is there while something is queued. And compare with
//! `selectors`, which sends at once and waits for room only if there was none: on epoll each switch
//! is a system call, and a message costs two.
//!
//! Limits: with `--backend select` descriptors end at 1023.

#[path = "../backends.rs"]
mod backends;

use backends::{Choice, Serve};
use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use rustc_hash::FxHashMap;
use selectors::{Backend, EVENT_READ, EVENT_WRITE, EventMask, Selector, SelectorKey};
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, RawFd};
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
            for (key, mask) in &batch {
                match key.data {
                    Source::Listener => server.accept(),
                    Source::Client => server.handle(key, *mask),
                }
            }
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
type Key = SelectorKey<dyn AsFd, Source>;

struct Server<B: Backend> {
    selector: Selector<B, dyn AsFd, Source>,
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
            self.selector.register(listener, EVENT_READ, Source::Listener)?;
        } else if self.accepting && !wanted {
            self.selector.unregister(&self.listener)?;
        }
        self.accepting = wanted;
        Ok(())
    }

    /// One new client. If more are waiting, the listener is ready again.
    fn accept(&mut self) {
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
        let key = self.selector.register(socket, EVENT_READ, Source::Client)?;
        self.clients.insert(key.fd, connection);
        Ok(())
    }

    /// What one event says of one client.
    fn handle(&mut self, key: &Key, mask: EventMask) {
        if mask.contains(EVENT_READ) {
            self.receive(key);
        }
        if mask.contains(EVENT_WRITE) {
            self.send(key);
        }
        self.watch(key);
    }

    /// One recv: what it brought is answered into the queue, and sending waits for its own event.
    fn receive(&mut self, key: &Key) {
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            // The client sends no more, but it may still read: what is queued goes out first.
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                self.reply.answer(data, connection.queue_mut());
            }
            // Readiness is a hint: recv has the last word.
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(key, &error),
        }
    }

    /// One send of what is queued. What the kernel does not take stays queued.
    fn send(&mut self, key: &Key) {
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        let peer = connection.peer();
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        match connection.send() {
            Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(key, &error),
        }
    }

    /// Registers the client for what we want of it now: to write only while something is queued.
    fn watch(&mut self, key: &Key) {
        let Some(connection) = self.clients.get(&key.fd) else { return };
        if connection.is_finished() {
            return self.close(key);
        }
        let mut events = EventMask::empty();
        events.set(EVENT_READ, connection.wants_read());
        events.set(EVENT_WRITE, connection.wants_write());
        if events != key.events {
            info!("descriptor {}: modify to {events}", key.fd);
            if let Err(error) = self.selector.modify(&key.fileobj, events, key.data) {
                self.lose(key, &error);
            }
        }
    }

    /// An error ends this connection and no other. Its address was kept from accept: a socket that
    /// was reset no longer knows it.
    fn lose(&mut self, key: &Key, error: &io::Error) {
        if let Some(connection) = self.clients.get(&key.fd) {
            info!("lost {}: {}", connection.peer(), reason(error));
        }
        self.close(key);
    }

    /// Gives back both shares of the socket; the batch has a third one, and with that the
    /// descriptor is closed.
    fn close(&mut self, key: &Key) {
        if let Some(connection) = self.clients.remove(&key.fd) {
            info!("closing {}", connection.peer());
        }
        if let Err(error) = self.selector.unregister(&key.fileobj) {
            info!("descriptor {}: {}", key.fd, reason(&error));
        }
        self.listener.resume();
    }
}
