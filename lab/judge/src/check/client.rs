//! Clients that check every byte: any number of them, driven by one poll(2).
//!
//! Each writes and reads at once. One that wrote 8 MiB before reading a byte would judge the
//! kernel's buffers, not the server: with a bounded server both sides would wait for ever.

use super::meanwhile::Meanwhile;
use super::subject::Fault;
use super::text::{PERIOD, Text};
use crate::dial::dial;
use crate::language::said;
use common::{interrupted, reason, would_block};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What the server is expected to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Answer {
    /// the same bytes
    Echo,
    /// ASCII letters in upper case, every other byte as it came
    Upper,
    /// the same messages: four bytes of length in front, the highest first
    Frames,
    /// the same messages: a newline behind
    Lines,
}

/// How long no byte at all may move before an answer counts as missing. Generous: the machine may
/// have better things to do, and a check that holds never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// After this long without a byte, what the server does is looked at.
const SILENCE: Duration = Duration::from_secs(1);

/// What may be under way unanswered, unless a check wants it otherwise.
const WINDOW: u64 = 256 << 10;

/// One client.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    /// The server's process, to see what it does when no answer comes.
    pub server: Option<i32>,
    text: &'static Text,
    /// Where in the text it began: no two clients send the same.
    start: u64,
    /// How many bytes it is to send, has sent, and has had answered.
    goal: u64,
    sent: u64,
    answered: u64,
    /// How many may be unanswered at a time.
    pub window: u64,
    /// A client that sleeps does not read.
    pub asleep: bool,
    /// Shut down the sending side once everything is sent.
    fin: bool,
    /// It is shut down.
    shut: bool,
    /// How the connection ended, if it has.
    ending: Option<String>,
}

/// The ending that a client wishes for: end of input after the last answer.
pub fn closed() -> String {
    said!("closed by the server", "被服务端关闭")
}

/// `1 byte`, `2 bytes`.
pub fn bytes(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    said!("{count} byte{plural}", "{count} 字节")
}

/// A connection that cannot be made is the server's shortfall, unless it is the laboratory that
/// lacks what a connection takes.
fn cannot_connect(error: &io::Error) -> Fault {
    let why = reason(error);
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ENFILE) => Fault::Unseen(said!(
            "lab itself has no descriptor left for one more client: {why} (raise ulimit -Hn)",
            "lab 自己的描述符已用完，无法再建立连接：{why}（请提高 ulimit -Hn）"
        )),
        Some(Errno::ENOBUFS | Errno::ENOMEM | Errno::EADDRNOTAVAIL) => Fault::Unseen(said!(
            "lab itself has no room for one more client: {why}",
            "lab 自己无法再建立连接：{why}"
        )),
        _ => Fault::Short(said!("cannot connect: {why}", "无法连接：{why}")),
    }
}

impl Client {
    /// Connects with `patience`, and expects `answer` to what it sends.
    ///
    /// # Errors
    ///
    /// Short: the server did not accept. Unseen: this process has no room for one more client.
    pub fn connect_within(
        addr: SocketAddr,
        answer: Answer,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let words = |error| cannot_connect(&error);
        let socket = dial(addr, patience).map_err(words)?;
        socket.set_nodelay(true).map_err(words)?;
        socket.set_nonblocking(true).map_err(words)?;
        let port = socket.local_addr().map_err(words)?.port();
        let text = Text::of(answer);
        Ok(Self {
            socket,
            server: None,
            text,
            start: text.whole_from((u64::from(port) * 7919 % PERIOD as u64) as usize) as u64,
            goal: 0,
            sent: 0,
            answered: 0,
            window: WINDOW,
            asleep: false,
            fin: false,
            shut: false,
            ending: None,
        })
    }

    /// For what only one check does: options, resets, urgent data.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Bytes, so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that came back, each compared with what was to come.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// All that it was asked to send has come back.
    pub fn is_answered(&self) -> bool {
        self.answered == self.goal
    }

    /// The server closed or reset the connection.
    pub fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    /// Asks for `count` more bytes; [`drive`] moves them. Where the server answers messages, for as
    /// many more as the last message needs to be whole.
    pub fn ask(&mut self, count: u64) {
        self.goal += count;
        let ended = self.text.whole_from(self.position(self.goal));
        self.goal += (ended - self.position(self.goal)) as u64;
    }

    /// Sends `count` more bytes and waits until all is answered: the time it took.
    pub fn exchange(&mut self, count: u64) -> Result<Duration, Fault> {
        let began = Instant::now();
        self.ask(count);
        drive(std::slice::from_mut(self), Self::is_answered)?;
        Ok(began.elapsed())
    }

    /// Sends `count` more bytes without reading; what the system does not take stays unsent.
    pub fn push(&mut self, count: u64) -> Result<(), Fault> {
        self.ask(count);
        self.write()?;
        Ok(())
    }

    /// From now on the sending side is shut down once all is sent.
    pub fn then_shut_down(&mut self) {
        self.fin = true;
    }

    /// Everything sent, everything answered, and then the end of the server's answers.
    pub fn finish(&mut self) -> Result<(), Fault> {
        drive(std::slice::from_mut(self), Self::has_ended)?;
        match &self.ending {
            Some(ending) if *ending == closed() && self.is_answered() => Ok(()),
            Some(ending) => Err(self.progress(ending)),
            None => Err(self.progress(&said!("still open", "连接仍未关闭"))),
        }
    }

    /// Ends the connection with RST instead of FIN: SO_LINGER with no time (socket(7)).
    pub fn reset(self) {
        // If it could not be set the connection ends with FIN: a milder test, not a wrong one.
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    /// Sends what may be sent. Whether anything moved.
    fn write(&mut self) -> Result<bool, Fault> {
        let before = self.sent;
        while self.may_send() > 0 && self.ending.is_none() {
            let from = self.position(self.sent);
            let count = self.may_send().min((PERIOD - from) as u64) as usize;
            match (&self.socket).write(&self.text.asked[from..from + count]) {
                Ok(count) => self.sent += count as u64,
                Err(error) if would_block(&error) => break,
                Err(error) if interrupted(&error) => {}
                Err(error) => self.ending = Some(reason(&error)),
            }
        }
        if self.fin && self.sent == self.goal && self.ending.is_none() {
            self.fin = false;
            self.shut = true;
            let shut = self.socket.shutdown(Shutdown::Write);
            self.ending = shut.err().map(|error| reason(&error));
        }
        Ok(self.sent > before)
    }

    /// One read, compared with what should come. Whether anything moved.
    fn read(&mut self, buffer: &mut [u8]) -> Result<bool, Fault> {
        let count = match (&self.socket).read(buffer) {
            Ok(0) => {
                self.ending = Some(closed());
                return Ok(true);
            }
            Ok(count) => count,
            Err(error) if would_block(&error) || interrupted(&error) => return Ok(false),
            Err(error) => {
                self.ending = Some(reason(&error));
                return Ok(true);
            }
        };
        if self.answered + count as u64 > self.sent {
            return Err(self.progress(&said!("more came back than was sent", "收到的比发送的多")));
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let from = self.position(self.answered);
            let (piece, more) = rest.split_at(rest.len().min(PERIOD - from));
            let expected = &self.text.answers[from..from + piece.len()];
            if let Some(at) = (0..piece.len()).find(|&at| piece[at] != expected[at]) {
                let number = self.answered + at as u64 + 1;
                return Err(Fault::Short(said!(
                    "byte {number} came back as {:#04x}, expected {:#04x}",
                    "第 {number} 个字节返回的是 {:#04x}，应为 {:#04x}",
                    piece[at],
                    expected[at]
                )));
            }
            self.answered += piece.len() as u64;
            rest = more;
        }
        Ok(true)
    }

    fn may_send(&self) -> u64 {
        let allowed = self.answered.saturating_add(self.window).min(self.goal);
        allowed.saturating_sub(self.sent)
    }

    fn position(&self, offset: u64) -> usize {
        ((self.start + offset) % PERIOD as u64) as usize
    }

    fn progress(&self, what: &str) -> Fault {
        // One that is to send without end has no goal to tell.
        let all = if self.goal < u64::MAX / 2 { self.goal } else { self.sent };
        let (answered, goal) = (self.answered, bytes(all));
        Fault::Short(said!(
            "{what} after {answered} of {goal} were answered",
            "{what}（共 {goal}，已返回 {answered} 字节）"
        ))
    }

    /// What is missing, and what the server does instead.
    fn silent(&self, others: usize, meanwhile: Option<&Meanwhile>) -> Fault {
        let seconds = PATIENCE.as_secs();
        let also = match others {
            0 => String::new(),
            _ => said!(" ({others} more wait)", "（另有 {others} 个客户端在等待）"),
        };
        let silent = self.progress(&said!("nothing for {seconds} s", "{seconds} 秒内没有动静"));
        let ended = self.shut && self.is_answered();
        let meanwhile = meanwhile.map_or(String::new(), |meanwhile| meanwhile.words(ended));
        Fault::Short(format!("{silent}{also}{meanwhile}"))
    }
}

/// Moves bytes until every client is `done`.
///
/// # Errors
///
/// A wrong byte, a connection that ended before its client was done, or nothing for [`PATIENCE`].
pub fn drive(clients: &mut [Client], done: impl Fn(&Client) -> bool) -> Result<(), Fault> {
    let mut buffer = vec![0; 64 << 10];
    let mut moved_at = Instant::now();
    let mut meanwhile = None;
    loop {
        let mut busy: Vec<&mut Client> =
            clients.iter_mut().filter(|client| !done(client)).collect();
        if busy.is_empty() {
            return Ok(());
        }
        if let Some((client, ending)) = busy.iter().find_map(|c| Some((c, c.ending.as_ref()?))) {
            return Err(client.progress(ending));
        }
        let mut ready: Vec<PollFd> = busy.iter().map(|client| interest(client)).collect();
        // A short time-out: `done` may depend on more than the sockets.
        let count = poll(&mut ready, PollTimeout::from(20_u8));
        let events: Vec<PollFlags> =
            ready.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty())).collect();
        if count.unwrap_or(0) > 0 {
            for (client, events) in busy.iter_mut().zip(events) {
                if !events.is_empty() && client.turn(&mut buffer)? {
                    moved_at = Instant::now();
                    meanwhile = None;
                }
            }
        }
        if meanwhile.is_none() && moved_at.elapsed() > SILENCE {
            meanwhile = busy[0].server.map(Meanwhile::begin);
        }
        // A clock that no byte has moved for long enough, whoever is to blame.
        if moved_at.elapsed() > PATIENCE {
            return Err(busy[0].silent(busy.len() - 1, meanwhile.as_ref()));
        }
    }
}

fn interest(client: &Client) -> PollFd<'_> {
    let mut events = PollFlags::empty();
    events.set(PollFlags::POLLIN, !client.asleep);
    events.set(PollFlags::POLLOUT, client.may_send() > 0 || client.fin);
    PollFd::new(client.socket.as_fd(), events)
}

impl Client {
    fn turn(&mut self, buffer: &mut [u8]) -> Result<bool, Fault> {
        let wrote = self.write()?;
        let read = !self.asleep && self.read(buffer)?;
        Ok(wrote || read)
    }

    /// One turn of a client that may have nothing to do: waits a moment for room to send.
    pub fn offer(&mut self) -> Result<bool, Fault> {
        let _ = poll(&mut [interest(self)], PollTimeout::from(20_u8));
        let moved = self.write()?;
        match &self.ending {
            Some(ending) => Err(self.progress(ending)),
            None => Ok(moved),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A client, and a server of one connection that does as told.
    fn served(answer: Answer, server: fn(TcpStream)) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let addr = listener.local_addr().expect("bound");
        let client = Client::connect_within(addr, answer, PATIENCE).expect("loopback");
        thread::spawn(move || server(listener.accept().expect("somebody connected").0));
        client
    }

    fn echo_with(mut socket: TcpStream, change: impl Fn(&mut [u8])) {
        let mut buffer = [0; 1000];
        while let Ok(count @ 1..) = socket.read(&mut buffer) {
            change(&mut buffer[..count]);
            if socket.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    }

    #[test]
    fn an_exact_echo_holds_and_its_end_is_seen() {
        let mut client = served(Answer::Echo, |socket| echo_with(socket, |_| {}));
        client.exchange(1 << 20).expect("an exact echo");
        client.ask(3000);
        client.then_shut_down();
        client.finish().expect("everything, then the end");
    }

    #[test]
    fn upper_case_is_ascii_only() {
        let mut client = served(Answer::Upper, |socket| {
            echo_with(socket, <[u8]>::make_ascii_uppercase);
        });
        client.exchange(PERIOD as u64 + 1).expect("every byte value was in it");
    }

    #[test]
    fn one_wrong_byte_is_found() {
        let mut client = served(Answer::Echo, |socket| echo_with(socket, |bytes| bytes[0] ^= 1));
        let error = client.exchange(10).expect_err("the first byte is wrong").to_string();
        assert!(error.starts_with("byte 1 came back as 0x"), "{error}");
    }

    #[test]
    fn bytes_nobody_asked_for_are_found() {
        let mut client = served(Answer::Echo, |mut socket| {
            socket.write_all(b"welcome").expect("a client");
            echo_with(socket, |_| {});
        });
        let error = client.exchange(1).expect_err("a greeting is not an echo").to_string();
        assert!(error.starts_with("more came back than was sent"), "{error}");
    }

    #[test]
    fn an_early_close_is_found() {
        let mut client = served(Answer::Echo, |mut socket| {
            socket.read_exact(&mut [0; 100]).expect("a client");
        });
        client.ask(100);
        client.then_shut_down();
        let error = client.finish().expect_err("nothing was answered").to_string();
        assert_eq!(error, "closed by the server after 0 of 100 bytes were answered");
    }
    #[test]
    fn a_flood_tells_what_was_sent_not_what_it_would_have_sent() {
        let mut client = served(Answer::Echo, |mut socket| {
            socket.read_exact(&mut [0; 100]).expect("a client");
        });
        client.ask(u64::MAX / 2);
        let error = client.finish().expect_err("nothing was answered").to_string();
        assert!(!error.contains(&(u64::MAX / 2).to_string()), "{error}");
    }
}
