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
//! come together, it dies when a client does not read, and a client that never stops sending keeps
//! all others out.
//!
//! Limits: as `epoll`. For one message and one answer it saves nothing over `epoll_direct`, which
//! is simpler; it saves waits where much data comes behind one event.

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, would_block};
use epoll::{Batch, Epoll, EpollEvent, EpollFlags, key, token};
use log::info;
use nix::errno::Errno;
use slotmap::{DefaultKey, Key, SlotMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::process::ExitCode;
use std::time::Duration;

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

/// A hang-up or an error: always reported, and only recv or send can tell what it is.
const BROKEN: EpollFlags = EpollFlags::EPOLLHUP.union(EpollFlags::EPOLLERR);

/// There is more to learn than the bytes of one recv: the end of input stands behind them (RDHUP),
/// an error does, or an urgent byte stands among them, and recv stops in front of that.
const MORE_BEHIND: EpollFlags = BROKEN.union(EpollFlags::EPOLLRDHUP).union(EpollFlags::EPOLLPRI);

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(if args.level_and_edge { epoll::show_level_and_edge() } else { serve(&args) })
}

/// Notes what the edges say, and then works on those that are ready, known from now or from before.
fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server::new(args)?;
    server.listener.announce()?;
    let mut batch = vec![EpollEvent::empty(); BATCH];
    let mut turn = Vec::new();
    loop {
        server.wait(&mut batch)?;
        // A client that is still ready afterwards is put into the list again, behind the others.
        std::mem::swap(&mut turn, &mut server.still_ready);
        for client in turn.drain(..) {
            server.handle(client);
        }
        // Last, so that the descriptors just closed are free again.
        server.accept();
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
        let epoll = epoll::create()?;
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
        let work_left = self.may_accept || !self.still_ready.is_empty();
        info!("waiting for the next event{}", if work_left { ", work is left over" } else { "" });
        let wait = work_left.then_some(Duration::ZERO);
        let count = match self.epoll.wait(batch, epoll::timeout(wait)) {
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
            known.readable |= flags.intersects(EpollFlags::EPOLLIN | BROKEN);
            known.writable |= flags.intersects(EpollFlags::EPOLLOUT | BROKEN);
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

    /// One edge may stand for several clients, so accept until there is none: S1's program accepts
    /// one, and the others wait until yet another comes.
    fn accept(&mut self) {
        let mut budget = BUDGET;
        while self.may_accept && budget > 0 {
            budget -= 1;
            match self.listener.accept() {
                Ok(connection) => self.add(connection),
                Err(error) if would_block(&error) => self.may_accept = false,
                Err(error) => return self.listener.failed(&error),
            }
        }
    }

    /// The only time that the kernel is told about this client. What is ready already is reported
    /// by the next wait: adding counts as an edge.
    fn add(&mut self, connection: Connection) {
        let (readable, writable, more_behind, listed) = (false, false, false, false);
        let client = Client { connection, readable, writable, more_behind, listed };
        let client = self.clients.insert(client);
        let connection = &mut self.clients[client].connection;
        if let Err(error) = self.epoll.add(&*connection, EpollEvent::new(EDGES, token(client))) {
            connection.lose(&error.into());
            self.close_if_finished(client);
        }
    }

    /// A client's turn: as much as its budget allows.
    fn handle(&mut self, client: DefaultKey) {
        let Some(known) = self.clients.get_mut(client) else { return };
        known.listed = false;
        self.receive(client);
        self.send(client);
        self.list(client);
        self.close_if_finished(client);
    }

    /// recv until nothing is left. EAGAIN says so. A recv that brought less than it could says so
    /// too, and saves the call (epoll(7), the last of its questions), but not if the kernel told us
    /// that there is more than bytes: the end of input that came with the data makes no second
    /// edge, and a server that stops before it keeps the connection for ever.
    fn receive(&mut self, client: DefaultKey) {
        let Client { connection, readable, more_behind, .. } = &mut self.clients[client];
        let mut budget = BUDGET;
        while *readable && connection.wants_read() && budget > 0 {
            budget -= 1;
            match connection.receive(&mut self.buffer, self.reply) {
                Some(count) => *readable = *more_behind || count == self.buffer.len(),
                None => (*readable, *more_behind) = (false, false),
            }
        }
    }

    /// One send of all that is queued. If the kernel takes less than all, there is no room any more
    /// (epoll(7)), and the next edge is the room that comes.
    fn send(&mut self, client: DefaultKey) {
        let Client { connection, writable, .. } = &mut self.clients[client];
        if *writable {
            connection.send_queued();
            *writable = !connection.wants_write();
        }
    }

    /// Dropping the connection closes its descriptor, and the kernel stops watching.
    fn close_if_finished(&mut self, client: DefaultKey) {
        if !self.clients[client].connection.is_open() {
            self.clients.remove(client);
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
