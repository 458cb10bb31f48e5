//! Several loops, each on a thread of its own: `epoll(7)` on more than one core.
//!
//! One loop uses one core. A second loop in a second thread uses a second core. Each client stays
//! with one loop, so no lock is needed. What has to be decided is how a new client comes to a
//! loop, and there are four ways. The fifth breaks the rule: all threads wait for one epoll.
//!
//! ```text
//! cargo run --bin loops                        # --how handed: one thread accepts, and hands over
//! cargo run --bin loops -- --how shared        # every loop watches the same listener
//! cargo run --bin loops -- --how exclusive     # the same, and the kernel wakes only one or few
//! cargo run --bin loops -- --how own           # a listener for each loop, on the same port
//! cargo run --bin loops -- --how oneshot       # one epoll for all threads
//! cargo run -p client                          # in another terminal, or in several
//! ```
//!
//! Watch which loop gets which client: each line of narration begins with its thread's name. With
//! `shared` a client wakes every loop that sleeps. You seldom see that here: epoll_wait looks again
//! before it returns, finds the client gone, and sleeps. `lab claims herd` counts the wake-ups.
//!
//! Limits: Linux only. A client never moves to another loop, so one loop can be busy while the
//! others sleep. With `own`, a second server of the same user can have the same port by mistake,
//! and then each gets some of the clients.

mod oneshot;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, explained, reason};
use epoll::{Batch, Epoll, EpollEvent, EpollFlags, EventFd, Flags, key, token};
use log::info;
use nix::errno::Errno;
use slotmap::{DefaultKey, Key, SlotMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// An echo server on epoll(7) with several loops, each on a thread of its own
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,

    /// How a new client comes to a loop
    #[arg(long, value_enum, default_value_t = How::Handed)]
    how: How,

    /// How many loops: 1 to 256. More than the machine has cores gain nothing
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    loops: u16,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum How {
    /// one more thread accepts, and hands each client to the next loop in turn
    Handed,
    /// every loop watches the same listener: a new client wakes all that sleep
    Shared,
    /// the same with EPOLLEXCLUSIVE: it wakes one or few
    Exclusive,
    /// every loop has a listener of its own on the same port: SO_REUSEPORT
    Own,
    /// one epoll for all threads, and EPOLLONESHOT: a client has one thread at a time
    Oneshot,
}

/// How many events one wait brings at most. The other ready clients come with the next wait, before
/// those of this batch come again.
const BATCH: usize = 256;

/// A hang-up or an error: always reported, and only recv or send can tell what it is.
const BROKEN: EpollFlags = EpollFlags::EPOLLHUP.union(EpollFlags::EPOLLERR);

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// Starts the threads, and waits. None of them ever ends, unless the system refuses what it needs.
fn serve(args: &Args) -> io::Result<()> {
    let listener = match args.how {
        How::Own => Listener::bind_sharing_port(&args.server.addr, args.server.backlog)?,
        _ => common::listen(&args.server)?,
    };
    // All of it is made before a thread starts: what the system refuses is then said at once.
    let threads = match args.how {
        How::Handed => handed(&listener, args)?,
        How::Shared => with_a_listener_each(&listener, EpollFlags::EPOLLIN, args)?,
        How::Exclusive => {
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
            with_a_listener_each(&listener, interest, args)?
        }
        How::Own => with_a_port_in_common(&listener, args)?,
        How::Oneshot => oneshot::threads(&listener, args)?,
    };
    listener.announce()?;
    // The threads have descriptors of their own for it. This one is not used any more.
    drop(listener);

    let (ended, first) = mpsc::channel();
    for (name, run) in threads {
        let ended = ended.clone();
        let spawned = thread::Builder::new().name(name).spawn(move || {
            // It fails only when the program is ending already.
            let _ = ended.send(run());
        });
        spawned.map_err(|error| {
            let advice = "raise ulimit -u, or try fewer --loops";
            explained(&error, format!("cannot start a thread: {} ({advice})", reason(&error)))
        })?;
    }
    first.recv().expect("this function has a sender itself")
}

/// What a thread is called in the narration, and what it does.
type Thread = (String, Box<dyn FnOnce() -> io::Result<()> + Send>);

fn a_loop(number: u16, mut of: Loop) -> Thread {
    (format!("loop {number}"), Box::new(move || of.run()))
}

/// One thread accepts and hands over: the main Reactor, and its sub Reactors.
fn handed(listener: &Listener, args: &Args) -> io::Result<Vec<Thread>> {
    let (mut threads, mut mailboxes) = (Vec::new(), Vec::new());
    for number in 1..=args.loops {
        let (sender, clients) = mpsc::channel();
        let woken = Arc::new(epoll::event_fd()?);
        mailboxes.push(Mailbox { sender, wake: Arc::clone(&woken) });
        let door = Door::Mailbox { clients, woken };
        threads.push(a_loop(number, Loop::new(door, EpollFlags::EPOLLIN, args)?));
    }
    // This thread waits for nothing but new clients, so it may sleep in accept.
    let listener = listener.share()?;
    threads
        .push(("accepting".into(), Box::new(move || accept_and_hand_over(&listener, &mailboxes))));
    Ok(threads)
}

/// Every loop watches the same listening socket, through a descriptor of its own.
fn with_a_listener_each(
    listener: &Listener,
    interest: EpollFlags,
    args: &Args,
) -> io::Result<Vec<Thread>> {
    // Several loops are told of one client, and for all but one accept has nothing.
    listener.set_nonblocking(true)?;
    let thread = |number| {
        let door = Door::Listener(listener.share()?);
        Ok(a_loop(number, Loop::new(door, interest, args)?))
    };
    (1..=args.loops).map(thread).collect()
}

/// Every loop has a listening socket of its own, with an accept queue of its own. The kernel
/// chooses one for each client, by a hash of both addresses and ports.
fn with_a_port_in_common(first: &Listener, args: &Args) -> io::Result<Vec<Thread>> {
    // `--addr` may have said port 0: the others need the one that it became.
    let addr = first.local_addr()?.to_string();
    let mut listeners = vec![first.share()?];
    for _ in 1..args.loops {
        listeners.push(Listener::bind_sharing_port(&addr, args.server.backlog)?);
    }
    let thread = |(number, listener): (u16, Listener)| {
        listener.set_nonblocking(true)?;
        let door = Door::Listener(listener);
        Ok(a_loop(number, Loop::new(door, EpollFlags::EPOLLIN, args)?))
    };
    (1..).zip(listeners).map(thread).collect()
}

/// Where the accepting thread leaves a client for one loop.
struct Mailbox {
    sender: Sender<Connection>,
    /// The loop sleeps in epoll_wait, and a channel cannot be watched. This can.
    wake: Arc<EventFd>,
}

fn accept_and_hand_over(listener: &Listener, mailboxes: &[Mailbox]) -> io::Result<()> {
    let mut next_in_turn = (0..mailboxes.len()).cycle();
    loop {
        let Some(connection) = listener.admit() else { continue };
        let n = next_in_turn.next().expect("there is at least one loop");
        info!("handing {} to loop {}", connection.peer(), n + 1);
        let Mailbox { sender, wake } = &mailboxes[n];
        if sender.send(connection).is_err() {
            return Err(io::Error::other("a loop has ended"));
        }
        // First the client, then the wake-up: the other way round the loop could look too early,
        // and sleep. eventfd(2) adds 1 to a counter, so that several at once are one wake-up.
        wake.write(1)?;
    }
}

/// How clients come to a loop.
enum Door {
    /// The loop accepts them.
    Listener(Listener),
    /// Another thread accepts them, and wakes the loop.
    Mailbox { clients: Receiver<Connection>, woken: Arc<EventFd> },
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Listener(listener) => listener.as_fd(),
            Self::Mailbox { woken, .. } => woken.as_fd(),
        }
    }
}

/// One loop with its own epoll and its own clients: as `epoll_direct`, except for the door, through
/// which new clients come.
struct Loop {
    door: Door,
    epoll: Epoll,
    clients: SlotMap<DefaultKey, Client>,
    /// What one recv fills, for all clients of this loop.
    buffer: Vec<u8>,
    reply: Reply,
}

struct Client {
    connection: Connection,
    /// What the kernel was last told to watch it for: each change is a system call.
    interest: EpollFlags,
}

impl Loop {
    fn new(door: Door, interest: EpollFlags, args: &Args) -> io::Result<Self> {
        let epoll = epoll::create()?;
        epoll.add(&door, EpollEvent::new(interest, token(DefaultKey::null())))?;
        let (clients, buffer) = (SlotMap::new(), args.server.buffer());
        Ok(Self { door, epoll, clients, buffer, reply: args.reply })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut batch = vec![EpollEvent::empty(); BATCH];
        loop {
            let mut new_client = false;
            for event in self.wait(&mut batch)? {
                match key(event) {
                    client if client.is_null() => new_client = true,
                    client => self.handle(client, event.events()),
                }
            }
            // Last, so that the descriptors just closed are free again.
            if new_client {
                self.welcome();
            }
        }
    }

    fn wait<'b>(&self, batch: &'b mut [EpollEvent]) -> io::Result<&'b [EpollEvent]> {
        info!("waiting for the next event");
        let count = match self.epoll.wait(batch, epoll::timeout(None)) {
            Ok(count) => count,
            // A signal came first; even SIGSTOP and SIGCONT, without any handler.
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        info!("ready: {}", Batch(&batch[..count], |client| self.number(client)));
        Ok(&batch[..count])
    }

    /// The door is ready: a client at the listener, or clients in the mailbox.
    fn welcome(&mut self) {
        match &self.door {
            Door::Listener(listener) => match listener.accept() {
                Ok(connection) => self.add(connection),
                Err(error) if common::would_block(&error) => {
                    info!("woken for nothing: another loop has this client");
                }
                Err(error) => listener.failed(&error),
            },
            Door::Mailbox { clients, woken } => {
                // Sets the counter back to zero, or epoll would report it again. Only then are the
                // clients taken, all of them, for one wake-up may stand for several. The other way
                // round, a client that comes in between would lose its wake-up.
                let _ = woken.read();
                for connection in clients.try_iter().collect::<Vec<_>>() {
                    // The accepting thread may sleep in accept, so its connections block, too. This
                    // thread may sleep in epoll_wait only.
                    match connection.set_nonblocking(true) {
                        Ok(()) => self.add(connection),
                        Err(error) => info!("lost {}: {}", connection.peer(), reason(&error)),
                    }
                }
            }
        }
    }

    /// From here on this loop's epoll watches the client, and no other thread knows of it.
    fn add(&mut self, connection: Connection) {
        let interest = EpollFlags::EPOLLIN;
        let client = self.clients.insert(Client { connection, interest });
        let connection = &mut self.clients[client].connection;
        if let Err(error) = self.epoll.add(&*connection, EpollEvent::new(interest, token(client))) {
            connection.lose(&error.into());
            self.close_if_finished(client);
        }
    }

    fn handle(&mut self, client: DefaultKey, flags: EpollFlags) {
        // It may have been closed since the kernel wrote the batch.
        let Some(Client { connection, .. }) = self.clients.get_mut(client) else { return };
        let try_at_once = !connection.wants_write();
        if flags.intersects(EpollFlags::EPOLLIN | BROKEN) && connection.wants_read() {
            connection.receive(&mut self.buffer, self.reply);
        }
        if flags.intersects(EpollFlags::EPOLLOUT | BROKEN) || try_at_once {
            connection.send_queued();
        }
        self.watch(client);
        self.close_if_finished(client);
    }

    /// Tells the kernel what to watch this client for, if that has changed.
    fn watch(&mut self, client: DefaultKey) {
        let Client { connection, interest } = &mut self.clients[client];
        let wanted = events_of(connection);
        if wanted != *interest && !connection.is_finished() {
            let fd = connection.as_fd().as_raw_fd();
            info!("descriptor {fd}: EPOLL_CTL_MOD to {}", Flags(wanted));
            match self.epoll.modify(&*connection, &mut EpollEvent::new(wanted, token(client))) {
                Ok(()) => *interest = wanted,
                Err(error) => connection.lose(&error.into()),
            }
        }
    }

    fn close_if_finished(&mut self, client: DefaultKey) {
        if !self.clients[client].connection.is_open() {
            self.clients.remove(client);
        }
    }

    /// A descriptor for the narration: the door's, or a client's while that is there.
    fn number(&self, client: DefaultKey) -> Option<RawFd> {
        if client.is_null() {
            return Some(self.door.as_fd().as_raw_fd());
        }
        Some(self.clients.get(client)?.connection.as_fd().as_raw_fd())
    }
}

/// What to watch a client for. One that wants neither is finished.
fn events_of(connection: &Connection) -> EpollFlags {
    let mut wanted = EpollFlags::empty();
    wanted.set(EpollFlags::EPOLLIN, connection.wants_read());
    wanted.set(EpollFlags::EPOLLOUT, connection.wants_write());
    wanted
}
