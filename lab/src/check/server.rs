//! A server under judgement: started, found, asked, observed.

use super::client::{Answer, Client, PATIENCE};
use super::subject::{Fault, Gives, Seen, Subject, is_lost, short, unseen};
use crate::process::observe;
use crate::process::{Process, soon, typed};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a server may take to listen: a virtual machine or an interpreter has to start first.
const START: Duration = Duration::from_secs(20);
/// How long a port may still belong to a server just killed, and a start be tried again.
pub(crate) const RESTART: Duration = Duration::from_secs(5);
/// How long a server that has let go of its clients may take to be gone, and what it said last to
/// arrive. Generous: only one that goes on without them is waited for in vain.
const PASSING: Duration = Duration::from_secs(2);
/// What narration is kept, to quote from when the server dies.
const KEPT_LINES: usize = 20;

/// How a server is started where the usual way is not what a check needs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Start {
    /// The port to listen at again.
    pub port: Option<u16>,
    /// With its narration.
    pub narrating: bool,
    /// Nobody reads its output any more once it listens: `server | head -1`.
    pub unread: bool,
    /// The most descriptors that it may have.
    pub files: Option<u32>,
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    pub process: Process,
    pub addr: SocketAddr,
    answer: Answer,
    gives: Gives,
    narration: Narration,
}

/// What it says on its standard error.
struct Narration {
    lines: Lines,
    /// Ends with the pipe. `None`: nobody reads.
    reader: Option<JoinHandle<()>>,
}

/// The last lines.
type Lines = Arc<Mutex<VecDeque<String>>>;

/// Starts the server as usual, lets `judge` look at it, and then asks whether it still serves:
/// whatever a check does to a server, others are served after it.
pub(crate) fn with_server(subject: &Subject, judge: impl FnOnce(&mut Server) -> Seen) -> Seen {
    with_server_started(subject, Start::default(), judge)
}

/// The same, started in another way.
pub(crate) fn with_server_started(
    subject: &Subject,
    start: Start,
    judge: impl FnOnce(&mut Server) -> Seen,
) -> Seen {
    let mut server = Server::start(subject, start)?;
    let seen = judge(&mut server).and_then(|seen| match server.serves() {
        Ok(()) => Ok(seen),
        Err(why) => short(format!("{seen}; but a client that came after: {why}")),
    });
    match seen {
        Err(Fault::Short(why)) => match server.epitaph(is_lost(&why)) {
            Some(how) => short(format!("{why}; the server has ended: {how}")),
            None => short(why),
        },
        seen => seen,
    }
}

impl Server {
    /// Starts it and waits until it listens. A port that is still taken, by a server just killed,
    /// is tried again for a few seconds.
    pub(crate) fn start(subject: &Subject, start: Start) -> Result<Self, Fault> {
        let deadline = Instant::now() + RESTART;
        loop {
            match Self::try_start(subject, start) {
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
                result => return result.map_err(Fault::Short),
            }
        }
    }

    /// The same, once.
    pub(crate) fn try_start(subject: &Subject, start: Start) -> Result<Self, String> {
        let expected = match &subject.addr {
            Some(addr) => Some(reachable(addr).ok_or(format!("unknown host in {addr}"))?),
            None => None,
        };
        if let Some(addr) = expected {
            // Otherwise we would judge whoever that is.
            if TcpStream::connect_timeout(&addr, PATIENCE).is_ok() {
                return Err(format!("another server listens on {addr} already"));
            }
        }
        let command = subject.command(start.narrating, start.port);
        let mut process = Process::start(&command, start.files)?;
        let mut output = Output::of(&mut process);
        let found = soon(START, || {
            output.read();
            let listening = match expected {
                Some(addr) => TcpStream::connect_timeout(&addr, PATIENCE).is_ok().then_some(addr),
                None => output.listening(),
            };
            let ended = || process.ended().map(|how| Err(format!("ended at once: {how}")));
            listening.map(Ok).or_else(ended)
        });
        let silent = || match expected {
            Some(addr) => format!("nobody accepts on {addr}"),
            None => "it printed no line `listening on HOST:PORT`".to_owned(),
        };
        let found = found.unwrap_or_else(|| Err(format!("{} for {START:?}", silent())));
        match found {
            Err(why) => {
                output.read();
                let said = output.last_words().map_or(String::new(), |line| format!(": {line}"));
                Err(format!("{} does not start: {why}{said}", typed(&command)))
            }
            Ok(addr) => Ok(Self {
                process,
                addr,
                answer: subject.answer,
                gives: subject.gives,
                narration: output.drain(start.unread),
            }),
        }
    }

    /// A new client.
    pub(crate) fn client(&self) -> Result<Client, String> {
        Client::connect(self.addr, self.answer)
    }

    /// A new client that gives up sooner.
    pub(crate) fn client_within(&self, patience: Duration) -> Result<Client, String> {
        Client::connect_within(self.addr, self.answer, patience)
    }

    /// Many of them, connected.
    pub(crate) fn clients(&self, count: usize) -> Result<Vec<Client>, String> {
        (0..count).map(|_| self.client()).collect()
    }

    /// A client that comes now is served, as far as the program serves anybody by itself.
    pub(crate) fn serves(&mut self) -> Result<(), String> {
        match self.gives {
            Gives::Nothing if self.process.ended().is_some() => return Err("found nobody".into()),
            Gives::Nothing => {}
            Gives::Connections => drop(self.client()?),
            Gives::AnswersOne | Gives::Answers => drop(self.client()?.exchange(100)?),
        }
        Ok(())
    }

    /// How it ended and its last words, if it has ended. A client that was `lost` may know of the
    /// end long before it can be waited for.
    fn epitaph(&mut self, lost: bool) -> Option<String> {
        const MOMENT: Duration = Duration::from_millis(50);
        let refused = || {
            let new = TcpStream::connect_timeout(&self.addr, MOMENT);
            new.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        };
        let patience = if lost || refused() { PASSING } else { MOMENT };
        let how = soon(patience, || self.process.ended())?;
        // Some line is not the last. A process of its own that lives on may keep the pipe open.
        if let Some(reader) = &self.narration.reader {
            soon(PASSING, || reader.is_finished().then_some(()));
        }
        let mut lines = self.narration.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match last_words(lines.make_contiguous()) {
            Some(words) => format!("{how}, its last words: {words}"),
            None => how,
        })
    }

    /// Which part of one CPU it used while we looked on, in percent; where it would have used most
    /// of one, had it got it, that.
    pub(crate) fn busy(&self, window: Duration) -> Result<f64, Fault> {
        let pid = self.process.pid();
        let began = Instant::now();
        let before = (observe::cpu_time(pid), observe::cpu_wait(pid));
        thread::sleep(window);
        let after = (observe::cpu_time(pid), observe::cpu_wait(pid));
        let percent = |before: Option<Duration>, after: Option<Duration>| {
            let spent = after?.saturating_sub(before?).as_secs_f64();
            Some(100.0 * spent / began.elapsed().as_secs_f64())
        };
        let Some(used) = percent(before.0, after.0) else {
            return unseen("its CPU time is not seen here");
        };
        // On a machine that others keep busy, a loop that never sleeps is mostly in line for a CPU;
        // a server that does sleep stands there for a moment each time it is woken.
        let wanted = used + percent(before.1, after.1).unwrap_or(0.0);
        Ok(if wanted > 50.0 { wanted } else { used })
    }

    /// It comes to rest: less than `limit` percent of a CPU over `window`. What it still has to do
    /// may take it a moment, on a crowded machine before it even comes to it; a busy loop never
    /// comes to rest.
    pub(crate) fn rests(&self, limit: f64, window: Duration) -> Seen {
        let deadline = Instant::now() + RESTART;
        let mut busy = self.busy(window)?;
        while busy >= limit && Instant::now() < deadline {
            busy = self.busy(window)?;
        }
        let seen = format!("{busy:.0} % of a CPU over {} ms", window.as_millis());
        if busy < limit { Ok(seen) } else { short(seen) }
    }

    /// The system call that each of its threads sleeps in, once all of them sleep; whatever they do
    /// at the end of `patience` otherwise. `None`: it is not seen here.
    pub(crate) fn asleep(&self, patience: Duration) -> Option<Vec<String>> {
        let mut last = None;
        soon(patience, || {
            last = observe::system_calls(self.process.pid());
            last.as_ref()?.iter().all(|call| call != "running").then_some(())
        });
        last
    }

    pub(crate) fn memory(&self) -> Result<u64, Fault> {
        observe::memory(self.process.pid())
            .map_or_else(|| unseen("its memory is not seen here"), Ok)
    }

    pub(crate) fn descriptors(&self) -> Result<u64, Fault> {
        observe::descriptors(self.process.pid())
            .map_or_else(|| unseen("its descriptors are not seen here"), Ok)
    }
}

/// The last line but what Rust says last, how a panic could say more.
fn last_words(lines: &[String]) -> Option<&str> {
    lines.iter().rev().map(String::as_str).find(|line| !line.starts_with("note: "))
}

/// Both outputs of a server that starts: read without waiting, until it listens.
struct Output {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    said: String,
    complained: String,
}

impl Output {
    fn of(process: &mut Process) -> Self {
        Self {
            stdout: process.child.stdout.take(),
            stderr: process.child.stderr.take(),
            said: String::new(),
            complained: String::new(),
        }
    }

    fn read(&mut self) {
        take_available(&mut self.stdout, &mut self.said);
        take_available(&mut self.stderr, &mut self.complained);
    }

    fn listening(&self) -> Option<SocketAddr> {
        listening_on(&self.said).or_else(|| listening_on(&self.complained))
    }

    fn last_words(&self) -> Option<String> {
        let said = self.complained.lines().filter(|line| !line.trim().is_empty());
        last_words(&said.map(str::to_owned).collect::<Vec<_>>()).map(str::to_owned)
    }

    /// The pipes must be emptied, or a narrating server fills them and waits for us for ever;
    /// unless the point is that nobody reads.
    fn drain(self, unread: bool) -> Narration {
        let lines = Lines::default();
        if unread {
            return Narration { lines, reader: None };
        }
        let kept = Arc::clone(&lines);
        if let Some(mut stdout) = self.stdout {
            thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        }
        // One that dies at once may have said all before it was found.
        let first = Cursor::new(self.complained.into_bytes());
        let reader = if let Some(stderr) = self.stderr {
            let all = first.chain(BufReader::new(stderr));
            Some(thread::spawn(move || keep_last_lines(all, &kept)))
        } else {
            keep_last_lines(first, &kept);
            None
        };
        Narration { lines, reader }
    }
}

fn keep_last_lines(mut stderr: impl BufRead, kept: &Lines) {
    let mut line = Vec::new();
    while matches!(stderr.read_until(b'\n', &mut line), Ok(1..)) {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        line.clear();
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        if !text.is_empty() {
            kept.push_back(text);
        }
    }
}

/// What is in the pipe now, and no waiting for more.
fn take_available(pipe: &mut Option<impl Read + AsFd>, text: &mut String) {
    let mut buffer = [0; 4096];
    while let Some(open) = pipe {
        let mut ready = [PollFd::new(open.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut ready, PollTimeout::ZERO), Ok(1)) {
            return;
        }
        match open.read(&mut buffer) {
            Ok(count @ 1..) => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            _ => *pipe = None,
        }
    }
}

/// The address in a whole line that says `listening on HOST:PORT`, whatever else it says.
fn listening_on(text: &str) -> Option<SocketAddr> {
    let (_, rest) = text.split_once("listening on ")?;
    let (line, _) = rest.split_once('\n')?;
    reachable(line.split_whitespace().next()?)
}

/// Where to connect for a server that listens on `addr`: every address (0.0.0.0) is also ours.
fn reachable(addr: &str) -> Option<SocketAddr> {
    let mut addr = addr.to_socket_addrs().ok()?.next()?;
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_a_whole_line() {
        let found = |text| listening_on(text).map(|addr| addr.to_string());
        assert_eq!(found("listening on 127.0.0.1:8001\n").as_deref(), Some("127.0.0.1:8001"));
        let log = "INFO started\nINFO listening on 0.0.0.0:9 (pid 7)\n";
        assert_eq!(found(log).as_deref(), Some("127.0.0.1:9"));
        assert_eq!(found("listening on [::]:80\n").as_deref(), Some("[::1]:80"));
        assert_eq!(found("listening on 127.0.0.1:80"), None, "8001 may be on its way");
        assert_eq!(found("listening on a port\n"), None);
    }

    #[test]
    fn the_last_words_of_a_panic_are_not_the_note_behind_it() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let panic = "received b'x'\nthread 'main' (7) panicked at main.rs:9:5:\nindex out of bounds\n\
                     note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
        assert_eq!(last_words(&lines(panic)), Some("index out of bounds"));
        let other = "Traceback (most recent call last):\nOSError: [Errno 98]";
        assert_eq!(last_words(&lines(other)), Some("OSError: [Errno 98]"));
        assert_eq!(last_words(&[]), None);
    }

    #[test]
    fn the_last_lines_are_kept() {
        let lines = Lines::default();
        let text: String = (0..30).map(|number| format!("line {number}\n\n")).collect();
        keep_last_lines(text.as_bytes(), &lines);
        let lines = lines.lock().expect("no thread died");
        assert_eq!(lines.back().map(String::as_str), Some("line 29"));
        assert!(lines.len() <= KEPT_LINES);
    }
}
