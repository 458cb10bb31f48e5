//! How a server ends: SIGINT (Ctrl-C) and SIGTERM arrive as one more descriptor in the poll.
//!
//! The notes' servers are a `while True` that Ctrl-C breaks off wherever it is, and what was queued
//! is lost. This one is `poll` with an end. At the first signal it
//!
//! 1. stops accepting: the port refuses new clients at once;
//! 2. stops receiving, and sends what is queued;
//! 3. tells each client when there is no more (`shutdown`), and reads on, for nothing, until that
//!    client ends its input too; then it closes.
//!
//! When everybody is gone it leaves, with status 0. It leaves with status 0 after `--deadline`
//! seconds too, and says what was cut off; a client that has been told, and of which nothing is
//! heard for a second, is closed. At a second signal it leaves at once, with status 128 and the
//! signal's number, as a shell reports a program that a signal has killed: 130 SIGINT, 143 SIGTERM.
//!
//! ```text
//! cargo run --bin signals
//! cargo run -p client            # then Ctrl-C the server
//! ```
//!
//! Watch for the entry of the signals, the first in the list; and in step 3 for `POLLIN|POLLHUP`,
//! when a client leaves after we have told it: both directions are ended, which is what POLLHUP
//! means.
//!
//! Limits: what clients have sent and the server has not yet received is not answered. "Sent" means
//! that the kernel has it: a client that reads late may lose, at the deadline, what is still in the
//! kernel's buffer. And timeout(1) sends two signals, though it means one: `--foreground` makes it
//! send one.

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, explained, reason, would_block};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use poll::{Shown, Signals, refused, reported, timeout};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a client may be silent once it was told that there is no more: its end of input is a
/// round trip away.
const LINGER: Duration = Duration::from_secs(1);

/// An echo server on poll(2) that ends in order: at SIGINT or SIGTERM it sends what is queued and
/// leaves with status 0; at a second signal at once, with status 130 or 143
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,

    /// How long leaving may take: 0 to 86400
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(0..=86_400))]
    deadline: u32,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    serve(&args).unwrap_or_else(|error| common::outcome(Err(error)))
}

/// The loop of `poll`, with one descriptor more.
fn serve(args: &Args) -> io::Result<ExitCode> {
    // Before clients are told to come: they may bring the first signal with them.
    let mut signals = Signals::new().map_err(|error| {
        explained(
            &error,
            format!("cannot watch for signals: {} (raise ulimit -n?)", reason(&error)),
        )
    })?;
    let listener = common::listen(&args.server)?;
    // No call in the loop may wait except poll: the others would wait with it.
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let mut clients: Vec<Connection> = Vec::new();
    let mut buffer = args.server.buffer();
    loop {
        let watched = clients.iter().map(|client| (client.as_fd(), events_of(client)));
        let ready = wait(&signals, Some(&listener), watched, None)?;
        if ready.signal && signals.take() {
            // Closes the port: a new client is refused, and one still waiting to be accepted is
            // reset.
            drop(listener);
            return leave(signals, clients, Duration::from_secs(args.deadline.into()));
        }
        for &(n, flags) in &ready.clients {
            handle(&mut clients[n], flags, &mut buffer, args.reply);
        }
        // Only now, when no position is used any more.
        clients.retain(Connection::is_open);
        if ready.new_client {
            clients.extend(listener.admit());
        }
    }
}

/// What poll reported. A client is its position in the list.
struct Ready {
    signal: bool,
    new_client: bool,
    clients: Vec<(usize, PollFlags)>,
}

/// Says what to watch, sleeps until some of it is ready or `limit` has passed, and finds out what
/// is. The signals have the first entry, the listener the second, as long as there is one.
fn wait<'a>(
    signals: &'a Signals,
    listener: Option<&'a Listener>,
    clients: impl Iterator<Item = (BorrowedFd<'a>, PollFlags)>,
    limit: Option<Duration>,
) -> io::Result<Ready> {
    let ours = [Some(signals.as_fd()), listener.map(AsFd::as_fd)];
    let ours = ours.into_iter().flatten().map(|fd| (fd, PollFlags::POLLIN));
    let mut list: Vec<_> = ours.chain(clients).map(|(fd, what)| PollFd::new(fd, what)).collect();
    info!("waiting for the next event: {}", Shown(&list, PollFd::events));

    match poll(&mut list, limit.map_or(PollTimeout::NONE, timeout)) {
        // EINTR is what a signal gives first: its handler ran. Its byte ends the next call.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(refused(errno, list.len())),
    }
    info!("ready: {}", Shown(&list, reported));

    let mut flags = list.iter().map(reported);
    let signal = flags.next().is_some_and(|flags| !flags.is_empty());
    let new_client = listener.and_then(|_| flags.next()).is_some_and(|flags| !flags.is_empty());
    let clients = flags.enumerate().filter(|(_, flags)| !flags.is_empty()).collect();
    Ok(Ready { signal, new_client, clients })
}

/// A hang-up or an error: always reported, and only recv or send can tell what it is.
const BROKEN: PollFlags = PollFlags::POLLHUP.union(PollFlags::POLLERR);

/// What a client's flags mean, as in `poll`.
fn handle(client: &mut Connection, flags: PollFlags, buffer: &mut [u8], reply: Reply) {
    if flags.intersects(PollFlags::POLLIN | BROKEN) && client.wants_read() {
        client.receive(buffer, reply);
    }
    if flags.intersects(PollFlags::POLLOUT | BROKEN) {
        client.send_queued();
    }
}

/// What to watch a client for, as in `poll`.
fn events_of(client: &Connection) -> PollFlags {
    let mut events = PollFlags::empty();
    events.set(PollFlags::POLLIN, client.wants_read());
    events.set(PollFlags::POLLOUT, client.wants_write());
    events
}

/// A client after the first signal.
struct Leaving {
    connection: Connection,
    /// When it was told that there is no more, or last sent something after that.
    told: Option<Instant>,
}

/// From the first signal on. Returns the program's exit status.
fn leave(mut signals: Signals, clients: Vec<Connection>, limit: Duration) -> io::Result<ExitCode> {
    let mut clients: Vec<Leaving> =
        clients.into_iter().map(|connection| Leaving { connection, told: None }).collect();
    let (name, count, bytes) = (signals.name(), clients.len(), unsent(&clients));
    info!("{name}: no new clients; still here: {count}, bytes to send: {bytes}");

    let deadline = Instant::now() + limit;
    loop {
        clients.iter_mut().for_each(Leaving::tell_or_give_up);
        clients.retain(|client| client.connection.is_open());
        if clients.is_empty() {
            info!("everybody has left");
            return Ok(ExitCode::SUCCESS);
        }
        let now = Instant::now();
        if now >= deadline {
            cut_off(&clients, "time is up");
            return Ok(ExitCode::SUCCESS);
        }
        let silences = clients.iter().filter_map(|client| Some(client.told? + LINGER));
        let until = silences.fold(deadline, Instant::min);
        let watched = clients.iter().map(|client| (client.connection.as_fd(), client.events()));
        let ready = wait(&signals, None, watched, Some(until.saturating_duration_since(now)))?;
        if ready.signal && signals.take() {
            cut_off(&clients, signals.name());
            return Ok(ExitCode::from(128 + signals.number()));
        }
        for &(n, flags) in &ready.clients {
            clients[n].handle(flags);
        }
    }
}

impl Leaving {
    /// Once everything is sent, says so to the client: its recv then returns 0. To close instead
    /// could lose the last answers: a close with unread input sends a reset, and our kernel throws
    /// away what it still had to send. A client that was told and stays silent is given up.
    fn tell_or_give_up(&mut self) {
        let Self { connection, told } = self;
        match told {
            None if !connection.wants_write() && !connection.is_finished() => {
                info!("nothing more for {}: waiting for its end of input", connection.peer());
                *told = Some(Instant::now());
                if let Err(error) = connection.shut_down_sending() {
                    connection.lose(&error);
                }
            }
            Some(when) if when.elapsed() >= LINGER && !connection.is_finished() => {
                info!("{} stays, and is silent", connection.peer());
                connection.abandon();
            }
            _ => {}
        }
    }

    /// First its answers, then the end of its input; nothing else is received any more.
    fn events(&self) -> PollFlags {
        if self.told.is_some() { PollFlags::POLLIN } else { PollFlags::POLLOUT }
    }

    fn handle(&mut self, flags: PollFlags) {
        let Self { connection, told } = self;
        let (mut buffer, peer) = ([0; 1024], connection.peer());
        let Some(told) = told else { return connection.send_queued() };
        if flags.intersects(PollFlags::POLLIN | BROKEN) {
            match connection.recv(&mut buffer) {
                Ok(0) => info!("no more data from {peer}"),
                Ok(count) => {
                    info!("too late: {count} bytes from {peer}");
                    *told = Instant::now();
                }
                Err(error) if would_block(&error) => {}
                Err(error) => connection.lose(&error),
            }
        }
    }
}

/// Says which clients are still there. Their sockets are closed when the program ends.
fn cut_off(clients: &[Leaving], why: &str) {
    for Leaving { connection, .. } in clients {
        let unsent = connection.queue().len();
        info!("cutting off {}: {unsent} bytes unsent", connection.peer());
    }
    info!("{why}: clients cut off: {}, bytes unsent: {}", clients.len(), unsent(clients));
}

/// How many bytes are queued, for all clients together.
fn unsent(clients: &[Leaving]) -> usize {
    clients.iter().map(|client| client.connection.queue().len()).sum()
}
