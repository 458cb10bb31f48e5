//! `epoll(7)`, edge-triggered: the kernel tells once, when something has happened, and not again.
//!
//! The server of note S1. Each client is registered once, for everything, and that is the last
//! that epoll hears of it. In return the program must remember what it was told: a client with
//! data left unread is not reported again until more happens, which may be never. So every call is
//! repeated until there is nothing left for it; and because a client that never stops sending would
//! then never be left, each gets a budget, and those that still had something are kept in a list of
//! our own.
//!
//! ```text
//! cargo run --bin epoll_edge -- --chunk 10      # S1 receives 10 bytes at a time
//! cargo run -p client
//! cargo run --bin epoll_edge -- --level-and-edge
//! ```
//!
//! Watch a line of 25 letters being received in three pieces after a single event. The second
//! command is S1's 100k: sent, half of them read, and what level and edge report next.
//!
//! What S1's program lacks, and a client can tell: it loops for ever when data and the end of input
//! come together, it dies when a client does not read, and whoever sends all the time has it alone.
//!
//! Limits: as `epoll`. For one message and one answer it saves nothing over `epoll_direct`, which
//! is simpler; it saves waits where much data comes behind one event.

#[path = "../level_and_edge.rs"]
mod level_and_edge;
#[path = "../system.rs"]
mod system;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use nix::errno::Errno;
use slotmap::{DefaultKey, Key, SlotMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::process::ExitCode;
use std::time::Duration;
use system::{Batch, Epoll, EpollEvent, EpollFlags, key, token};

/// An echo server on epoll(7), edge-triggered: told once, so drain to EAGAIN (note S1)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,

    /// Serve nobody: show what level and edge report after 100000 bytes of which 50000 are read
    #[arg(long)]
    level_and_edge: bool,
}

/// How many events one wait brings at most. The others come with the next.
const BATCH: usize = 256;

/// How often accept, and recv for one client, may be called before the others have their turn.
const BUDGET: usize = 64;

/// Registered once, for both directions and whatever may stand in the input besides bytes. There is
/// no interest to switch: an edge that nobody needs costs nothing, since it is not repeated.
const EDGES: EpollFlags = EpollFlags::EPOLLIN
    .union(EpollFlags::EPOLLOUT)
    .union(EpollFlags::EPOLLRDHUP)
    .union(EpollFlags::EPOLLPRI)
    .union(EpollFlags::EPOLLET);

/// What makes recv worth trying, and send. A hang-up and an error are news for both.
const READABLE: EpollFlags =
    EpollFlags::EPOLLIN.union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);
const WRITABLE: EpollFlags =
    EpollFlags::EPOLLOUT.union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);

/// There is more to learn than the bytes of one recv: the end of input stands behind them (RDHUP),
/// an error does, or an urgent byte stands among them, and recv stops in front of that.
const MORE_BEHIND: EpollFlags = EpollFlags::EPOLLRDHUP
    .union(EpollFlags::EPOLLPRI)
    .union(EpollFlags::EPOLLHUP)
    .union(EpollFlags::EPOLLERR);

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(if args.level_and_edge { level_and_edge::show() } else { serve(&args) })
}

/// Notes what the edges say, and then works on those that are ready, known from now or from before.
fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server::new(args)?;
    server.listener.announce()?;
    let mut batch = vec![EpollEvent::empty(); BATCH];
    let mut turn = Vec::new();
    loop {
        server.wait(&mut batch)?;
        server.accept();
        // Whoever is still ready afterwards is put into the list again, behind the others.
        std::mem::swap(&mut turn, &mut server.still_ready);
        for client in turn.drain(..) {
            server.handle(client);
        }
    }
}

struct Server {
    listener: Listener,
    /// The listener reported a client, and accept has not yet said that there is none.
    may_accept: bool,
    epoll: Epoll,
    clients: SlotMap<DefaultKey, Client>,
    /// Those with something left to do, each once. For them no edge will come, and no wait may be
    /// long while there are any.
    still_ready: Vec<DefaultKey>,
    reply: Reply,
    /// What one recv fills. One for all clients: what it holds is queued before the next recv.
    buffer: Vec<u8>,
}

struct Client {
    connection: Connection,
    /// An edge said so, and no recv has said EAGAIN since. Told once, so it is ours to remember.
    readable: bool,
    /// The same for send.
    writable: bool,
    /// Only EAGAIN will do as the sign that all is read.
    more_behind: bool,
    /// In `still_ready`.
    listed: bool,
}

impl Client {
    /// It wants what it may do now.
    fn has_work(&self) -> bool {
        self.readable && self.connection.wants_read()
            || self.writable && self.connection.wants_write()
    }
}

impl Server {
    fn new(args: &Args) -> io::Result<Self> {
        let listener = common::listen(&args.server)?;
        // Draining ends with EAGAIN, and only a non-blocking socket ever says that.
        listener.set_nonblocking(true)?;
        let epoll = system::create()?;
        epoll.add(&listener, EpollEvent::new(EDGES, token(DefaultKey::null())))?;
        Ok(Self {
            listener,
            may_accept: false,
            epoll,
            clients: SlotMap::new(),
            still_ready: Vec::new(),
            reply: args.reply,
            buffer: args.server.buffer(),
        })
    }

    /// Sleeps until there is news, unless there is work left over, and notes the news.
    fn wait(&mut self, batch: &mut [EpollEvent]) -> io::Result<()> {
        let work_left =
            !self.still_ready.is_empty() || self.may_accept && self.listener.wants_read();
        info!("waiting for the next event{}", if work_left { ", work is left over" } else { "" });
        let wait = if work_left { Some(Duration::ZERO) } else { self.listener.timeout() };
        let count = match self.epoll.wait(batch, system::timeout(wait)) {
            Ok(count) => count,
            // A signal came first (EINTR); even SIGSTOP and SIGCONT, without any handler.
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        info!("ready: {}", Batch(&batch[..count], |client| self.number(client)));
        for event in &batch[..count] {
            self.note(key(event), event.events());
        }
        Ok(())
    }

    /// Keeps what an edge said: it is said once.
    fn note(&mut self, client: DefaultKey, flags: EpollFlags) {
        if client.is_null() {
            self.may_accept = true;
        } else if let Some(known) = self.clients.get_mut(client) {
            known.readable |= flags.intersects(READABLE);
            known.writable |= flags.intersects(WRITABLE);
            known.more_behind |= flags.intersects(MORE_BEHIND);
            self.list(client);
        }
    }

    /// Puts a client that has work into the list, once.
    fn list(&mut self, client: DefaultKey) {
        let known = &mut self.clients[client];
        if known.has_work() && !known.listed {
            known.listed = true;
            self.still_ready.push(client);
        }
    }

    /// One edge may stand for several clients. While accepting is paused for want of descriptors
    /// the edge stays noted; S1's program would not look again before yet another client comes.
    fn accept(&mut self) {
        let mut budget = BUDGET;
        while self.may_accept && self.listener.wants_read() && budget > 0 {
            budget -= 1;
            match self.listener.accept() {
                Ok(Some(connection)) => {
                    let (fd, peer) = (connection.as_fd().as_raw_fd(), connection.peer());
                    match self.add(connection) {
                        Ok(()) => info!("new connection from {peer}, descriptor {fd}"),
                        Err(error) => info!("turning away {peer}: {}", reason(&error)),
                    }
                }
                Ok(None) => self.may_accept = false,
                Err(error) => info!("no new clients for now: {}", reason(&error)),
            }
        }
    }

    /// The only time that the kernel is told about this client. What is ready already is reported
    /// by the next wait: adding counts as an edge.
    fn add(&mut self, connection: Connection) -> io::Result<()> {
        connection.set_nonblocking(true)?;
        let client = Client {
            connection,
            readable: false,
            writable: false,
            more_behind: false,
            listed: false,
        };
        let client = self.clients.insert(client);
        let event = EpollEvent::new(EDGES, token(client));
        let added = self.epoll.add(&self.clients[client].connection, event);
        if added.is_err() {
            self.clients.remove(client);
        }
        Ok(added?)
    }

    /// A client's turn: as much as its budget allows.
    fn handle(&mut self, client: DefaultKey) {
        let Some(known) = self.clients.get_mut(client) else { return };
        known.listed = false;
        self.receive(client);
        self.send(client);
        if self.clients[client].connection.is_finished() {
            self.close(client);
        } else {
            self.list(client);
        }
    }

    /// recv until nothing is left. EAGAIN says so. A recv that brought less than it could says so
    /// too, and saves the call (epoll(7), the last of its questions), but not if the kernel told us
    /// that there is more than bytes: the end of input that came with the data makes no second edge,
    /// and a server that stops before it keeps the connection for ever.
    fn receive(&mut self, client: DefaultKey) {
        let Client { connection, readable, more_behind, .. } = &mut self.clients[client];
        let peer = connection.peer();
        let mut budget = BUDGET;
        while *readable && connection.wants_read() && budget > 0 {
            budget -= 1;
            match connection.recv(&mut self.buffer) {
                // The end stays the end. S1's program asks on here, and is told so for ever.
                Ok(0) => info!("no more data from {peer}"),
                Ok(count) => {
                    let data = &self.buffer[..count];
                    info!("received {} from {peer}", preview(data));
                    self.reply.answer(data, connection.queue_mut());
                    *readable = *more_behind || count == self.buffer.len();
                }
                Err(error) if would_block(&error) => (*readable, *more_behind) = (false, false),
                Err(error) => return self.lose(client, &error),
            }
        }
    }

    /// send until the queue is empty, or EAGAIN: then the next edge is the room that comes.
    fn send(&mut self, client: DefaultKey) {
        let Client { connection, writable, .. } = &mut self.clients[client];
        let peer = connection.peer();
        while *writable && connection.wants_write() {
            info!("sending {} to {peer}", preview(connection.queue().waiting()));
            match connection.send() {
                Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
                Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
                Err(error) if would_block(&error) => *writable = false,
                Err(error) => return self.lose(client, &error),
            }
        }
    }

    /// An error ends this connection and no other. Its address was kept from accept: a socket that
    /// was reset no longer knows it.
    fn lose(&mut self, client: DefaultKey, error: &io::Error) {
        let connection = &mut self.clients[client].connection;
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    /// Dropping the connection closes its descriptor, and the kernel stops watching.
    fn close(&mut self, client: DefaultKey) {
        if let Some(Client { connection, .. }) = self.clients.remove(client) {
            info!("closing {}", connection.peer());
            self.listener.resume();
        }
    }

    /// A descriptor for the narration: the listener's, or a client's while that is there.
    fn number(&self, client: DefaultKey) -> Option<RawFd> {
        if client.is_null() {
            return Some(self.listener.as_fd().as_raw_fd());
        }
        Some(self.clients.get(client)?.connection.as_fd().as_raw_fd())
    }
}
