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
//! Limits: what clients have sent and we have not yet received is not answered. "Sent" means that
//! the kernel has it: a client that talks on while it reads late may lose, at the deadline, what is
//! still in the kernel's buffer. And who sends two signals is taken at their word, though timeout(1)
//! only means to be sure: `--foreground` makes it send one.

#[path = "../entries.rs"]
mod entries;
#[path = "../self_pipe.rs"]
mod self_pipe;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, explained, preview, reason, would_block};
use entries::{Shown, emptied, refused, reported, timeout};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use self_pipe::Signals;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a client that has been told may be silent: its end of input is a round trip away.
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

/// The loop of `poll`, and one question more.
fn serve(args: &Args) -> io::Result<ExitCode> {
    // Before clients are told to come: they may bring the first signal with them.
    let signals = Signals::new().map_err(|error| {
        explained(&error, format!("cannot watch for signals: {}", reason(&error)))
    })?;
    let listener = common::listen(&args.server)?;
    listener.set_nonblocking(true)?;
    listener.announce()?;
    let mut server = Server {
        signals,
        listener: Some(listener),
        clients: Vec::new(),
        reply: args.reply,
        buffer: args.server.buffer(),
    };

    let mut turn = Turn::default();
    loop {
        server.wait(&mut turn, None)?;
        if turn.signal && server.signals.take() {
            return server.leave(&mut turn, Duration::from_secs(args.deadline.into()));
        }
        if turn.new_client {
            server.accept();
        }
        for &(client, flags) in &turn.clients {
            server.handle(client, flags);
        }
        server.close_finished();
    }
}

struct Server {
    signals: Signals,
    /// None: we are leaving. A client with an empty queue has then been told so.
    listener: Option<Listener>,
    /// In the order in which they connected.
    clients: Vec<Client>,
    reply: Reply,
    buffer: Vec<u8>,
}

struct Client {
    connection: Connection,
    /// When it was told that there is no more, or was last heard after that.
    told: Option<Instant>,
}

/// What is filled anew by each wait. Only the memory is kept.
#[derive(Default)]
struct Turn {
    /// The entry of the signals, that of the listener while there is one, those of the clients.
    list: Vec<PollFd<'static>>,
    signal: bool,
    new_client: bool,
    /// Positions in `Server::clients`, good until somebody is closed at the end of the turn.
    clients: Vec<(usize, PollFlags)>,
}

impl Server {
    /// What happens from the first signal on. Returns the program's exit status.
    fn leave(&mut self, turn: &mut Turn, limit: Duration) -> io::Result<ExitCode> {
        let (name, clients, bytes) = (self.signals.name(), self.clients.len(), self.unsent());
        info!("{name}: no new clients; still here: {clients}, bytes to send: {bytes}");
        // Closed: who connects now is refused, and who waits in the accept queue is reset.
        self.listener = None;
        for client in 0..clients {
            if !self.clients[client].connection.wants_write() {
                self.end_sending(client);
            }
        }

        let deadline = Instant::now() + limit;
        loop {
            self.close_silent();
            self.close_finished();
            if self.clients.is_empty() {
                info!("everybody has left");
                return Ok(ExitCode::SUCCESS);
            }
            let now = Instant::now();
            if now >= deadline {
                self.cut_off("time is up");
                return Ok(ExitCode::SUCCESS);
            }
            let silences = self.clients.iter().filter_map(|client| Some(client.told? + LINGER));
            let until = silences.fold(deadline, Instant::min);
            self.wait(turn, Some(until.saturating_duration_since(now)))?;
            if turn.signal && self.signals.take() {
                self.cut_off(self.signals.name());
                return Ok(ExitCode::from(128 + self.signals.number()));
            }
            for &(client, flags) in &turn.clients {
                self.handle(client, flags);
            }
        }
    }

    /// Gives up those that have been told, stay, and say nothing.
    fn close_silent(&mut self) {
        for Client { connection, told } in &mut self.clients {
            if told.is_some_and(|told| told.elapsed() >= LINGER) {
                info!("{} stays, and is silent", connection.peer());
                connection.abandon();
                *told = None;
            }
        }
    }

    /// Tells a client that there is no more. To close instead could take its last answers from it: a
    /// close with input unread sends a reset, and our kernel throws away what it still had to send.
    /// (On Linux the client can still read what had arrived before; other systems may drop that, too.)
    fn end_sending(&mut self, client: usize) {
        let Client { connection, told } = &mut self.clients[client];
        *told = Some(Instant::now());
        info!("nothing more for {}: waiting for its end of input", connection.peer());
        if let Err(error) = connection.shut_down_sending() {
            self.lose(client, &error);
        }
    }

    /// Says who is still there. Their sockets are closed when the program ends.
    fn cut_off(&self, why: &str) {
        for Client { connection, .. } in &self.clients {
            let unsent = connection.queue().len();
            info!("cutting off {}: {unsent} bytes unsent", connection.peer());
        }
        info!("{why}: clients cut off: {}, bytes unsent: {}", self.clients.len(), self.unsent());
    }

    /// How many bytes are queued, for all clients together.
    fn unsent(&self) -> usize {
        self.clients.iter().map(|client| client.connection.queue().len()).sum()
    }

    /// What to watch a client for, see `poll`. Once we are leaving, its input matters only when it
    /// has everything, and then only the end of it.
    fn events_of(&self, client: &Connection) -> PollFlags {
        let receiving = self.listener.is_some() || !client.wants_write();
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, client.wants_read() && receiving);
        events.set(PollFlags::POLLOUT, client.wants_write());
        events
    }

    /// Says what to watch, sleeps until some of it is ready or `limit` has passed, and notes what
    /// is.
    fn wait(&self, turn: &mut Turn, limit: Option<Duration>) -> io::Result<()> {
        let mut list = emptied(std::mem::take(&mut turn.list));
        list.push(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN));
        if let Some(listener) = &self.listener {
            let accepting = listener.wants_read();
            let events = if accepting { PollFlags::POLLIN } else { PollFlags::empty() };
            list.push(PollFd::new(listener.as_fd(), events));
        }
        let others = list.len();
        let connections = self.clients.iter().map(|client| &client.connection);
        list.extend(connections.map(|one| PollFd::new(one.as_fd(), self.events_of(one))));
        info!("waiting for the next event: {}", Shown(&list, PollFd::events));

        let pause = self.listener.as_ref().and_then(Listener::timeout);
        let limit = limit.into_iter().chain(pause).min();
        match poll(&mut list, limit.map_or(PollTimeout::NONE, timeout)) {
            // EINTR is what a signal gives first: its handler ran. Its byte ends the next call.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(refused(errno, list.len())),
        }
        info!("ready: {}", Shown(&list, reported));

        turn.signal = !reported(&list[0]).is_empty();
        turn.new_client = list[1..others].iter().any(|entry| !reported(entry).is_empty());
        turn.clients.clear();
        let found = list[others..].iter().map(reported).enumerate();
        turn.clients.extend(found.filter(|(_, flags)| !flags.is_empty()));
        turn.list = emptied(list);
        Ok(())
    }

    fn accept(&mut self) {
        let Some(listener) = &mut self.listener else { return };
        match listener.accept() {
            Ok(Some(connection)) => {
                let (fd, peer) = (connection.as_fd().as_raw_fd(), connection.peer());
                if let Err(error) = connection.set_nonblocking(true) {
                    info!("turning away {peer}: {}", reason(&error));
                } else {
                    info!("new connection from {peer}, descriptor {fd}");
                    self.clients.push(Client { connection, told: None });
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    fn handle(&mut self, client: usize, flags: PollFlags) {
        let broken = PollFlags::POLLHUP | PollFlags::POLLERR;
        let asked = |server: &Self, flag| {
            server.events_of(&server.clients[client].connection).contains(flag)
        };
        if flags.intersects(PollFlags::POLLIN | broken) && asked(self, PollFlags::POLLIN) {
            self.receive(client);
        }
        if flags.intersects(PollFlags::POLLOUT | broken) && asked(self, PollFlags::POLLOUT) {
            self.send(client);
        }
    }

    fn receive(&mut self, client: usize) {
        let Client { connection, told } = &mut self.clients[client];
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) if self.listener.is_none() => {
                info!("too late: {count} bytes from {peer}");
                *told = Some(Instant::now());
            }
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                self.reply.answer(data, connection.queue_mut());
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    fn send(&mut self, client: usize) {
        let connection = &mut self.clients[client].connection;
        let peer = connection.peer();
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        match connection.send() {
            Ok(_) if connection.queue().is_empty() => {
                info!("output queue for {peer} is empty");
                if self.listener.is_none() && !connection.input_ended() {
                    self.end_sending(client);
                }
            }
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    fn lose(&mut self, client: usize, error: &io::Error) {
        let connection = &mut self.clients[client].connection;
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    fn close_finished(&mut self) {
        let before = self.clients.len();
        self.clients.retain(|Client { connection, .. }| {
            if connection.is_finished() {
                info!("closing {}", connection.peer());
            }
            !connection.is_finished()
        });
        if let Some(listener) = self.listener.as_ref().filter(|_| self.clients.len() < before) {
            listener.resume();
        }
    }
}
