//! Clients that keep us waiting: each has a deadline, and the nearest one is poll's time-out.
//!
//! A client that says nothing keeps its descriptor, and so does one that sends a byte now and then
//! or never reads its answers. This server closes them. It needs no timer and no thread for that:
//! poll sleeps no longer than until the nearest deadline. Messages are lines, as in `frames`.
//!
//! ```text
//! cargo run --bin deadlines -- --idle 5 --message 3 --unread 3
//! cargo run -p client -- --framing lines      # say nothing for 5 seconds
//! ```
//!
//! Watch `at most … ms` in the narration: how long poll may sleep. It is the time that is left
//! until the nearest deadline of all clients, however many there are.
//!
//! Limits: a client that reads only some bytes of its answers now and then is closed as if it read
//! none, because the kernels make room known in larger pieces. A peer that has vanished is closed
//! as any other silent one. poll counts milliseconds, and a time-out is rounded up: a deadline is
//! met up to a millisecond late, and later if the loop is busy.

use clap::Parser;
use common::{Connection, Framing, Inbox, Listener, Reply, ServerArgs, preview, would_block};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use poll::{Shown, refused, reported, timeout};
use socket2::SockRef;
use std::collections::BTreeSet;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// An echo server on poll(2) that closes clients which keep it waiting. A message is a line
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

/// The loop of `poll`, and after what is ready, the deadlines.
fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    // No call in the loop may wait except poll: the others would wait with it.
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let mut server = Server { clients: Vec::new(), clients_so_far: 0, deadlines: BTreeSet::new() };
    let mut buffer = args.server.buffer();
    loop {
        let ready = wait(&listener, &server.clients, server.time_left())?;
        // Once for each turn: all that is ready now became ready before now.
        let now = Instant::now();
        for &(n, flags) in &ready.clients {
            server.clients[n].handle(flags, now, &mut buffer, args.reply);
            server.watch_the_clock(n, &args.limits);
        }
        // After what is ready: a message that has come is not late, even if we are.
        server.close_who_is_late(now, &args.limits);
        server.remove_closed();
        if ready.new_client {
            server.welcome(listener.admit(), now, &args.limits);
        }
    }
}

struct Server {
    /// In the order in which they connected, so in the order of their numbers.
    clients: Vec<Client>,
    /// Each client gets a number that no other had. Its position changes when others leave.
    clients_so_far: u64,
    /// When to look at which client: one entry for each, the nearest first. A heap would find the
    /// nearest as fast, but to take an entry out of its middle it would have to know its place.
    deadlines: BTreeSet<(Instant, u64)>,
}

struct Client {
    number: u64,
    connection: Connection,
    /// The beginning of a message whose end has not come.
    inbox: Inbox,
    /// When its last message was whole, or when it connected.
    heard: Instant,
    /// When the first byte came of the message that is not yet whole.
    begun: Instant,
    /// When the kernel last took a byte of its answers, or the first was queued.
    taken: Instant,
    /// Its entry in `deadlines`. Not later than its deadline; often earlier.
    noted: Instant,
    /// Its last recv filled the buffer: the rest of its message may be behind it.
    more_behind: bool,
}

/// What poll reported. A client is its position in the list.
struct Ready {
    new_client: bool,
    clients: Vec<(usize, PollFlags)>,
}

/// Says what to watch, sleeps until some of it is ready or a deadline is there, and finds out what
/// is ready.
fn wait(listener: &Listener, clients: &[Client], time_left: Option<Duration>) -> io::Result<Ready> {
    let mut list = vec![PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    list.extend(
        clients.iter().map(|client| PollFd::new(client.connection.as_fd(), client.events())),
    );
    let shown = Shown(&list, PollFd::events);
    match time_left {
        Some(left) => info!("waiting for the next event: {shown}, at most {} ms", left.as_millis()),
        None => info!("waiting for the next event: {shown}"),
    }

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

impl Server {
    /// How long nothing is due. Without clients there is no deadline, and poll may sleep for ever.
    fn time_left(&self) -> Option<Duration> {
        let (nearest, _) = self.deadlines.first()?;
        Some(nearest.saturating_duration_since(Instant::now()))
    }

    /// Moves a client's entry if its deadline has come nearer. If the deadline has moved away, as
    /// it does with every message, the entry stays: it is looked at when it is due. So a client
    /// that is never late costs a look now and then, and nothing for each message.
    fn watch_the_clock(&mut self, n: usize, limits: &Limits) {
        let client = &mut self.clients[n];
        let (deadline, _) = client.deadline(limits);
        if deadline < client.noted {
            self.deadlines.remove(&(client.noted, client.number));
            self.deadlines.insert((deadline, client.number));
            client.noted = deadline;
        }
    }

    /// Looks at each client whose entry is due. Most of them have done something since the entry
    /// was made, and get a new one.
    fn close_who_is_late(&mut self, now: Instant, limits: &Limits) {
        while let Some(&(due, number)) = self.deadlines.first().filter(|(due, _)| *due <= now) {
            self.deadlines.remove(&(due, number));
            let n = self.clients.binary_search_by_key(&number, |client| client.number);
            let client = &mut self.clients[n.expect("it has an entry as long as it is here")];
            let (mut deadline, late) = client.deadline(limits);
            if mem::take(&mut client.more_behind) {
                // One recv each turn. What is behind it may have come in time: wait for the next.
                deadline = deadline.max(now + Duration::from_nanos(1));
            }
            client.noted = deadline;
            if deadline <= now {
                client.give_up(late);
            } else {
                self.deadlines.insert((deadline, number));
            }
        }
    }

    /// Only when no position is used any more.
    fn remove_closed(&mut self) {
        self.clients.retain(|client| {
            let open = client.connection.is_open();
            if !open {
                self.deadlines.remove(&(client.noted, client.number));
            }
            open
        });
    }

    fn welcome(&mut self, connection: Option<Connection>, now: Instant, limits: &Limits) {
        let Some(connection) = connection else { return };
        self.clients_so_far += 1;
        let (number, inbox) = (self.clients_so_far, Inbox::new(Framing::Lines, LONGEST));
        let (heard, begun, taken, noted) = (now, now, now, now + limits.idle);
        self.deadlines.insert((noted, number));
        let more_behind = false;
        let client = Client { number, connection, inbox, heard, begun, taken, noted, more_behind };
        self.clients.push(client);
    }
}

/// What a client has been too slow with.
#[derive(Clone, Copy)]
enum Late {
    Idle,
    Message,
    Unread,
}

impl Client {
    /// When it will be late, and with what. There is one clock at a time. While it leaves answers
    /// unread we may have stopped reading, so the rest of its message cannot come.
    fn deadline(&self, limits: &Limits) -> (Instant, Late) {
        if self.connection.wants_write() {
            (self.taken + limits.unread, Late::Unread)
        } else if !self.inbox.unfinished().is_empty() {
            (self.begun + limits.message, Late::Message)
        } else {
            (self.heard.max(self.taken) + limits.idle, Late::Idle)
        }
    }

    fn give_up(&mut self, late: Late) {
        let peer = self.connection.peer();
        match late {
            Late::Idle => info!("{peer} says nothing"),
            Late::Message => info!("{peer} takes too long over a message"),
            Late::Unread => {
                info!("{peer} does not read its answers");
                // After a close our kernel would go on offering what it has not sent, for minutes.
                // A reset drops it. If this cannot be set, the close is only slower.
                let _ = SockRef::from(&self.connection).set_linger(Some(Duration::ZERO));
            }
        }
        self.connection.abandon();
    }

    /// What to watch it for, as in `poll`.
    fn events(&self) -> PollFlags {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, self.connection.wants_read());
        events.set(PollFlags::POLLOUT, self.connection.wants_write());
        events
    }

    /// What its flags mean, as in `poll`.
    fn handle(&mut self, flags: PollFlags, now: Instant, buffer: &mut [u8], reply: Reply) {
        let broken = PollFlags::POLLHUP | PollFlags::POLLERR;
        if flags.intersects(PollFlags::POLLIN | broken) && self.connection.wants_read() {
            self.receive(now, buffer, reply);
        }
        if flags.intersects(PollFlags::POLLOUT | broken) {
            let before = self.connection.queue().len();
            self.connection.send_queued();
            if self.connection.queue().len() < before {
                self.taken = now;
            }
        }
    }

    /// One recv, and the answers to the lines that are whole now.
    fn receive(&mut self, now: Instant, buffer: &mut [u8], reply: Reply) {
        let peer = self.connection.peer();
        match self.connection.recv(buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                info!("received {} from {peer}", preview(&buffer[..count]));
                self.more_behind = count == buffer.len();
                self.answer(&buffer[..count], now, reply);
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.connection.lose(&error),
        }
    }

    fn answer(&mut self, received: &[u8], now: Instant, reply: Reply) {
        // A byte of a message that had begun before moves nothing: otherwise a byte every ten
        // seconds would be enough to stay.
        if self.inbox.unfinished().is_empty() {
            self.begun = now;
        }
        let nothing_unread = !self.connection.wants_write();
        self.inbox.push(received);
        loop {
            match self.inbox.next_message() {
                Ok(Some(line)) => {
                    // What follows it is another message.
                    (self.heard, self.begun) = (now, now);
                    self.connection.queue_mut().push_with(|bytes| {
                        Framing::Lines.append(bytes, |bytes| reply.append(line, bytes));
                    });
                }
                Ok(None) => break,
                Err(too_long) => {
                    info!("refusing {}: {too_long}", self.connection.peer());
                    self.connection.end_input();
                    break;
                }
            }
        }
        if nothing_unread && self.connection.wants_write() {
            self.taken = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    /// A reader that takes some of its answers at a time is slow, and not late.
    #[test]
    fn a_part_of_the_answers_taken_starts_the_clock_again() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let _reader =
            TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (socket, peer) = listener.accept().expect("a client");
        let connection = Connection::new(socket, peer).expect("it is there");
        connection.set_nonblocking(true).expect("an open socket");
        let (before, inbox) = (Instant::now(), Inbox::new(Framing::Lines, LONGEST));
        let mut client = Client {
            number: 1,
            connection,
            inbox,
            heard: before,
            begun: before,
            taken: before,
            noted: before,
            more_behind: false,
        };
        // More than the kernel takes: this reader reads nothing at all.
        client.connection.queue_mut().push(&vec![b'x'; 64 << 20]);
        let now = before + Duration::from_secs(1);
        client.handle(PollFlags::POLLOUT, now, &mut [0; 16], Reply::Echo);
        assert!(client.connection.wants_write() && client.taken == now);
        // Now it takes nothing.
        client.handle(PollFlags::POLLOUT, now + Duration::from_secs(1), &mut [0; 16], Reply::Echo);
        assert_eq!(client.taken, now);
    }
}
