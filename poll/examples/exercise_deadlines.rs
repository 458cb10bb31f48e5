//! Exercise to chapter 17: a server that closes clients which keep it waiting.
//!
//! It answers lines as `frames` does. But it has no deadlines yet: poll sleeps until something
//! comes, and a client that says nothing keeps its descriptor. The steps below are yours. After
//! each:
//!
//! ```text
//! cargo run -p lab -- exercise deadlines  # judges your copy, and says what is next
//! cargo run --example exercise_deadlines  # runs it, for `cargo run -p client -- --framing lines`
//! ```
//!
//! One solution is `poll/src/bin/deadlines.rs`.

use clap::Parser;
use common::{Connection, Framing, Inbox, Listener, Reply, ServerArgs, preview, would_block};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use poll::{Shown, refused, reported, timeout};
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The exercise to chapter 17: an echo server on poll(2) that closes clients which keep it waiting
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer to each line
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,

    #[command(flatten)]
    limits: Limits,
}

#[derive(clap::Args)]
struct Limits {
    /// How long a client may say nothing
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = common::seconds)]
    idle: Duration,

    /// How long one message may take, from its first byte to its newline
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = common::seconds)]
    message: Duration,

    /// How long a client may take no byte of its answers
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = common::seconds)]
    unread: Duration,
}

/// The longest line, in bytes.
const LONGEST: usize = 64 * 1024;

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    listener.set_nonblocking(true)?;
    listener.announce()?;
    let Limits { idle, message, unread } = args.limits;
    info!("idle at most {idle:?}, a message {message:?}, answers unread {unread:?}");

    let mut clients: Vec<Client> = Vec::new();
    let mut buffer = args.server.buffer();
    loop {
        let ready = wait(&listener, &clients, time_left(&clients, &args.limits))?;
        let now = Instant::now();
        for &(n, flags) in &ready.clients {
            clients[n].handle(flags, now, &mut buffer, args.reply);
        }
        // Step 2. Give up each client whose deadline has passed (`Connection::abandon`). Trap: do
        // it here, behind what is ready and not before it. A message that has come is not late,
        // even if we are.

        clients.retain(|client| client.connection.is_open());
        if ready.new_client {
            clients.extend(listener.admit().map(Client::new));
        }
    }
}

/// Step 1. How long poll may sleep: until the nearest deadline of all clients, and as long as it
/// likes without clients. Trap: a deadline may have passed while other clients were served. Then
/// poll must not sleep at all, and the time that is left is zero, not less than zero.
fn time_left(clients: &[Client], limits: &Limits) -> Option<Duration> {
    for client in clients {
        let left = client.deadline(limits).saturating_duration_since(Instant::now());
        info!("{} is late in {left:?}", client.connection.peer());
    }
    None
}

struct Client {
    connection: Connection,
    /// The beginning of a message whose end has not come.
    inbox: Inbox,
    /// When something last came from it, or when it connected.
    heard: Instant,
}

/// What poll reported. A client is its position in the list.
struct Ready {
    new_client: bool,
    clients: Vec<(usize, PollFlags)>,
}

/// Says what to watch, sleeps until some of it is ready or the time is over, and finds out what is
/// ready.
fn wait(listener: &Listener, clients: &[Client], time_left: Option<Duration>) -> io::Result<Ready> {
    let mut list = vec![PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    list.extend(
        clients.iter().map(|client| PollFd::new(client.connection.as_fd(), client.events())),
    );
    info!("waiting for the next event: {}", Shown(&list, PollFd::events));

    match poll(&mut list, time_left.map_or(PollTimeout::NONE, timeout)) {
        // 0 is the time-out. EINTR: a signal came first; the next call waits for what is left.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(refused(errno, list.len())),
    }
    info!("ready: {}", Shown(&list, reported));

    let mut flags = list.iter().map(reported);
    let new_client = flags.next().is_some_and(|listener| !listener.is_empty());
    Ok(Ready { new_client, clients: flags.enumerate().filter(|(_, f)| !f.is_empty()).collect() })
}

impl Client {
    fn new(connection: Connection) -> Self {
        let inbox = Inbox::new(Framing::Lines, LONGEST);
        Self { connection, inbox, heard: Instant::now() }
    }

    /// Step 3. A message may take `limits.message`, from its first byte to its newline. Note when
    /// it began. Trap: further bytes of the same message must not move that, otherwise one byte now
    /// and then is enough to stay. What follows a newline is another message.
    ///
    /// Step 4. While answers are queued, it may take none of them for `limits.unread`. Trap: what
    /// it takes is progress, and one that reads slowly is kept. No other clock runs meanwhile: we
    /// may have stopped receiving from it, so the rest of its message cannot come.
    fn deadline(&self, limits: &Limits) -> Instant {
        self.heard + limits.idle
    }

    fn events(&self) -> PollFlags {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, self.connection.wants_read());
        events.set(PollFlags::POLLOUT, self.connection.wants_write());
        events
    }

    fn handle(&mut self, flags: PollFlags, now: Instant, buffer: &mut [u8], reply: Reply) {
        let broken = PollFlags::POLLHUP | PollFlags::POLLERR;
        if flags.intersects(PollFlags::POLLIN | broken) && self.connection.wants_read() {
            self.receive(now, buffer, reply);
        }
        if flags.intersects(PollFlags::POLLOUT | broken) {
            self.connection.send_queued();
        }
    }

    /// One recv, and the answers to the lines that are whole now.
    fn receive(&mut self, now: Instant, buffer: &mut [u8], reply: Reply) {
        let peer = self.connection.peer();
        match self.connection.recv(buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                info!("received {} from {peer}", preview(&buffer[..count]));
                self.answer(&buffer[..count], now, reply);
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.connection.lose(&error),
        }
    }

    fn answer(&mut self, received: &[u8], now: Instant, reply: Reply) {
        self.heard = now;
        self.inbox.push(received);
        loop {
            match self.inbox.next_message() {
                Ok(Some(line)) => self.connection.queue_mut().push_with(|bytes| {
                    Framing::Lines.append(bytes, |bytes| reply.append(line, bytes));
                }),
                Ok(None) => return,
                Err(too_long) => {
                    info!("refusing {}: {too_long}", self.connection.peer());
                    return self.connection.end_input();
                }
            }
        }
    }
}
