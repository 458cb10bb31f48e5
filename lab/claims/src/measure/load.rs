//! The load: clients that each send a message, wait for its answer, and send the next at once; or
//! streams, of clients that have several messages under way.
//!
//! A closed loop of this kind never asks for more than the server gives, so the figures say how
//! much it can do, and the latency is that of a server with this many clients and no queue of its
//! own making. All clients are one thread on mio, so that the load costs little beside the server.

use common::{interrupted, reason, would_block};
use judge::dial::{self, PATIENCE};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Caches, buffers and the CPU's own clock are warm after this.
const WARM_UP: Duration = Duration::from_millis(200);
/// How many clients connect before the first of them is answered: less than any usual backlog.
const ARRIVING: usize = 100;

/// How the server is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Clients that talk all the time; at least one.
    pub clients: usize,
    /// Bytes in a message; at least one.
    pub size: usize,
    /// Messages that each client has under way; at least one.
    pub pipeline: usize,
    /// How long they talk.
    pub time: Duration,
}

/// What the clients saw.
#[derive(Clone, Debug)]
pub struct Answers {
    /// How many were answered.
    pub messages: u64,
    /// From the first message to the last answer.
    pub time: Duration,
    /// Of each message from its sending to the last byte of its answer, in nanoseconds, sorted.
    waits: Vec<u32>,
}

impl Answers {
    /// Messages answered in a second.
    pub fn per_second(&self) -> f64 {
        self.messages as f64 / self.time.as_secs_f64()
    }

    /// The time within which this part of the messages (0.5, 0.99) was answered.
    pub fn latency(&self, part: f64) -> Duration {
        let last = self.waits.len().saturating_sub(1);
        let at = (self.waits.len() as f64 * part) as usize;
        let wait = self.waits.get(at.min(last)).copied().unwrap_or(0);
        Duration::from_nanos(wait.into())
    }
}

/// A message of so many bytes that every server of the course answers as it is: those that answer
/// bytes, those that expect a length in front, and those that expect a newline behind.
fn message(size: usize) -> Vec<u8> {
    let mut message = vec![b'a'; size];
    if let Some((header, rest)) = message.split_first_chunk_mut::<4>() {
        *header = u32::try_from(rest.len()).unwrap_or(u32::MAX).to_be_bytes();
    }
    if let Some(last) = message.last_mut() {
        *last = b'\n';
    }
    message
}

/// One client of the load.
struct Talker {
    socket: TcpStream,
    /// Bytes of its messages not yet sent, and of their answers not yet here.
    unsent: usize,
    missing: usize,
    /// When each message that is under way was sent, the oldest first.
    under_way: VecDeque<Instant>,
}

/// What a client sends, again and again.
struct Stream {
    /// As many messages as one send may take.
    bytes: Vec<u8>,
    /// Bytes of one of them.
    size: usize,
}

impl Stream {
    fn of(load: Load) -> Self {
        const ONE_SEND: usize = 64 << 10;
        let together = load.pipeline.min(ONE_SEND.div_ceil(load.size));
        Self { bytes: message(load.size).repeat(together), size: load.size }
    }

    /// What comes next, when so many bytes of whole messages are left to be sent.
    fn next(&self, unsent: usize) -> &[u8] {
        let from = (self.size - unsent % self.size) % self.size;
        &self.bytes[from..self.bytes.len().min(from + unsent)]
    }
}

/// Loads the server at `addr`. `mark` is called when the counting begins and when it ends: whoever
/// looks at the server's CPU time looks then.
///
/// # Errors
///
/// In words, when the server refuses, closes, or does not answer.
pub fn load(addr: SocketAddr, load: Load, mut mark: impl FnMut()) -> Result<Answers, String> {
    let words = |error| format!("the load: {}", reason(&error));
    let stream = Stream::of(load);
    let mut buffer = vec![0; 64 << 10];
    let mut poll = Poll::new().map_err(words)?;
    let mut events = Events::with_capacity(256);
    let mut talkers = Vec::with_capacity(load.clients);
    for client in crowd(addr, load.clients)? {
        client.set_nonblocking(true).map_err(words)?;
        let mut socket = TcpStream::from_std(client);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut socket, Token(talkers.len()), interest).map_err(words)?;
        talkers.push(Talker { socket, unsent: 0, missing: 0, under_way: VecDeque::new() });
    }
    for talker in &mut talkers {
        talker.ask(&stream, load.pipeline)?;
    }

    let mut waits = Vec::new();
    let mut began = None;
    let mut heard = Instant::now();
    let warm = heard + WARM_UP;
    loop {
        poll.poll(&mut events, Some(PATIENCE)).or_else(ignore_interruption).map_err(words)?;
        let now = Instant::now();
        if events.is_empty() && now - heard >= PATIENCE {
            return Err(lost(&ErrorKind::WouldBlock.into()));
        }
        if began.is_none() && now >= warm {
            waits.clear();
            mark();
            began = Some(Instant::now());
        }
        if let Some(began) = began.filter(|&began| now >= began + load.time) {
            mark();
            waits.sort_unstable();
            let (messages, time) = (waits.len() as u64, began.elapsed());
            return Ok(Answers { messages, time, waits });
        }
        for event in &events {
            let talker = &mut talkers[event.token().0];
            if talker.unsent > 0 {
                talker.send(&stream)?;
            }
            let answers = talker.hear(&mut buffer, load.size)?;
            if answers > 0 {
                heard = Instant::now();
                for sent_at in talker.under_way.drain(..answers) {
                    let wait = (heard - sent_at).as_nanos();
                    waits.push(u32::try_from(wait).unwrap_or(u32::MAX));
                }
                talker.ask(&stream, answers)?;
            }
        }
    }
}

impl Talker {
    fn ask(&mut self, stream: &Stream, messages: usize) -> Result<(), String> {
        self.unsent += messages * stream.size;
        self.missing += messages * stream.size;
        self.under_way.extend(std::iter::repeat_n(Instant::now(), messages));
        self.send(stream)
    }

    /// Sends what the kernel takes; the rest at the next event.
    fn send(&mut self, stream: &Stream) -> Result<(), String> {
        while self.unsent > 0 {
            match self.socket.write(stream.next(self.unsent)) {
                Ok(count) => self.unsent -= count,
                Err(error) if would_block(&error) => break,
                Err(error) if interrupted(&error) => {}
                Err(error) => return Err(lost(&error)),
            }
        }
        Ok(())
    }

    /// Receives what is there. How many more answers are complete now.
    fn hear(&mut self, buffer: &mut [u8], size: usize) -> Result<usize, String> {
        while self.missing > 0 {
            match self.socket.read(buffer) {
                Ok(0) => return Err(lost(&ErrorKind::UnexpectedEof.into())),
                Ok(count) if count > self.missing => {
                    return Err(format!("{} bytes more than were sent", count - self.missing));
                }
                Ok(count) => {
                    self.missing -= count;
                    // Less than there was room for: nothing is left, and what comes is a new event.
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if would_block(&error) => break,
                Err(error) if interrupted(&error) => {}
                Err(error) => return Err(lost(&error)),
            }
        }
        Ok(self.under_way.len() - self.missing.div_ceil(size))
    }
}

fn ignore_interruption(error: std::io::Error) -> std::io::Result<()> {
    if interrupted(&error) { Ok(()) } else { Err(error) }
}

/// Clients that are connected, have had one message answered, so that the server has certainly
/// accepted them, and are silent from then on.
///
/// # Errors
///
/// In words, when the server refuses one, turns it away or does not answer it.
pub fn crowd(addr: SocketAddr, count: usize) -> Result<Vec<std::net::TcpStream>, String> {
    crowd_watched(addr, count, |_| {})
}

/// The same; `arrived` is told how many there are by now.
pub fn crowd_watched(
    addr: SocketAddr,
    count: usize,
    mut arrived: impl FnMut(usize),
) -> Result<Vec<std::net::TcpStream>, String> {
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let first = clients.len();
        for _ in 0..ARRIVING.min(count - first) {
            clients.push(connect(addr)?);
        }
        for client in &mut clients[first..] {
            let sent = client.write_all(&message(5));
            sent.map_err(|error| lost(&error))?;
        }
        for client in &mut clients[first..] {
            let heard = client.read_exact(&mut [0; 5]);
            heard.map_err(|error| lost(&error))?;
        }
        arrived(clients.len());
    }
    Ok(clients)
}

/// One client that sends so many messages, each when the one before was answered.
///
/// # Errors
///
/// In words, when the server refuses it or does not answer.
pub fn exchange(addr: SocketAddr, size: usize, messages: usize) -> Result<(), String> {
    let mut client = connect(addr)?;
    let mut bytes = message(size);
    for _ in 0..messages {
        let exchanged = client.write_all(&bytes).and_then(|()| client.read_exact(&mut bytes));
        exchanged.map_err(|error| lost(&error))?;
    }
    Ok(())
}

/// Why a client has no answer. A read or write that is out of time says that it would block.
fn lost(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "the server closed a connection".to_owned(),
        ErrorKind::WouldBlock => format!("no answer for {} s", PATIENCE.as_secs()),
        _ => format!("a connection was lost: {}", reason(error)),
    }
}

fn connect(addr: SocketAddr) -> Result<std::net::TcpStream, String> {
    let connected =
        dial::connect(addr).and_then(|client| dial::reset_on_close(&client).map(|()| client));
    connected.map_err(|error| format!("cannot connect to {addr}: {}", reason(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// An echo server of a few lines, that answers `clients` clients with what `answer` makes of
    /// each piece.
    fn server(clients: usize, answer: fn(&[u8]) -> Vec<u8>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let addr = listener.local_addr().expect("a bound socket");
        thread::spawn(move || {
            for client in listener.incoming().take(clients) {
                let mut client = client.expect("a client");
                thread::spawn(move || {
                    let mut buffer = vec![0; 4096];
                    while let Ok(count @ 1..) = client.read(&mut buffer) {
                        if client.write_all(&answer(&buffer[..count])).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        addr
    }

    #[test]
    fn a_message_is_one_in_both_framings() {
        use common::{Framing, Inbox};
        for size in [5, 64, 1024] {
            let message = message(size);
            for (framing, told) in [(Framing::Length, 4), (Framing::Lines, 1)] {
                let mut inbox = Inbox::new(framing, size);
                inbox.push(&message);
                let found = inbox.next_message().expect("within the limit").map(<[u8]>::len);
                assert_eq!((found, inbox.unfinished().len()), (Some(size - told), 0));
            }
        }
    }

    #[test]
    fn every_answer_is_counted_and_timed() {
        let mut marks = 0;
        // More than a socket buffer holds: sent and received in parts. And streams.
        for (size, pipeline) in [(1, 1), (3 << 20, 1), (1000, 7), (100_000, 64)] {
            let addr = server(3, <[u8]>::to_vec);
            let plan = Load { clients: 3, size, pipeline, time: Duration::from_millis(600) };
            let answers = load(addr, plan, || marks += 1).expect("it answers");
            assert!(answers.messages as usize == answers.waits.len() && answers.messages > 0);
            assert!(answers.latency(0.5) <= answers.latency(0.99));
            assert!(answers.latency(0.0) > Duration::ZERO);
            // All waits together are as long as the messages under way times the time (Little's
            // law), but for what was under way at the beginning and at the end.
            let waited: f64 = answers.waits.iter().map(|&wait| f64::from(wait) / 1e9).sum();
            let under_way = waited / answers.time.as_secs_f64() / (3 * pipeline) as f64;
            assert!((0.5..1.5).contains(&under_way), "{under_way} of {pipeline} of {size}");
        }
        assert_eq!(marks, 8, "one at each beginning, one at each end");
    }

    /// A client sends whole messages, one behind the other, wherever a send ends.
    #[test]
    fn a_stream_goes_on_where_the_last_send_ended() {
        for (size, pipeline) in [(5, 1), (5, 3), (1000, 64), (100_000, 2)] {
            let stream = Stream::of(Load { clients: 1, size, pipeline, time: Duration::ZERO });
            let mut unsent = size * pipeline;
            let mut sent = Vec::new();
            while unsent > 0 {
                let taken = stream.next(unsent);
                let taken = &taken[..taken.len().min(7777)];
                sent.extend_from_slice(taken);
                unsent -= taken.len();
            }
            assert!(sent == message(size).repeat(pipeline), "{pipeline} of {size}");
        }
    }

    #[test]
    fn a_server_that_answers_too_much_is_not_measured() {
        let addr = server(1, |bytes| [bytes, b"!"].concat());
        let plan = Load { clients: 1, size: 64, pipeline: 1, time: Duration::from_millis(100) };
        let why = load(addr, plan, || {}).expect_err("an answer too long");
        assert!(why.contains("more than were sent"), "{why}");
    }

    #[test]
    fn a_server_that_closes_is_not_measured() {
        let addr = server(0, <[u8]>::to_vec);
        let plan = Load { clients: 1, size: 64, pipeline: 1, time: Duration::from_millis(100) };
        load(addr, plan, || {}).expect_err("nobody answers");
    }
}
