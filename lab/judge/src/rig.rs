//! A program set up for a test: started on a free port, its lines readable as they come.
//!
//! [`check`](crate::check) judges what any server does; a `Rig` is for the tests that a program has
//! of its own, which follow what it says.

use crate::dial;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
#[cfg(target_os = "linux")]
use std::net::UdpSocket;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

pub use crate::dial::PATIENCE;

/// A running program. It is killed when the rig is dropped.
#[derive(Debug)]
pub struct Rig {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Receiver<String>,
    narration: Receiver<String>,
    /// Every line of narration that a wait has passed, to tell when the awaited one does not come.
    heard: Vec<String>,
    addr: SocketAddr,
}

impl Rig {
    /// Starts a server on a free port of 127.0.0.1 and waits until it listens.
    ///
    /// # Panics
    ///
    /// If it does not start: a test can only fail then.
    #[must_use]
    pub fn start(program: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["--addr", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let out = lines(child.stdout.take().expect("it is piped"));
        let narration = lines(child.stderr.take().expect("it is piped"));
        let stdin = child.stdin.take();
        let addr = ([127, 0, 0, 1], 0).into();
        let mut rig = Self { child, stdin, out, narration, heard: Vec::new(), addr };
        let line = rig.line();
        let addr = line.strip_prefix("listening on ").and_then(|addr| addr.parse().ok());
        rig.addr = addr.unwrap_or_else(|| panic!("not an address to listen on: {line}"));
        rig
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A client. What it waits for comes within [`PATIENCE`] or is an error.
    ///
    /// # Panics
    ///
    /// If nobody accepts.
    #[must_use]
    pub fn client(&self) -> TcpStream {
        connect(self.addr)
    }

    /// The next line of standard output.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub fn line(&mut self) -> String {
        self.out.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            self.heard.extend(self.narration.try_iter());
            panic!("no line on standard output ({error}); narration: {:#?}", self.heard)
        })
    }

    /// Waits for a line of narration that contains `words`, and returns it.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub fn hear(&mut self, words: &str) -> String {
        self.hear_all(words).pop().expect("the line waited for is the last")
    }

    /// The same, with the lines that came before it and that no wait has passed yet.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub fn hear_all(&mut self, words: &str) -> Vec<String> {
        let first = self.heard.len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.narration.recv_timeout(left) {
                Ok(line) => {
                    let found = line.contains(words);
                    self.heard.push(line);
                    if found {
                        return self.heard[first..].to_vec();
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("'{words}' was never said, but: {:#?}", self.heard)
                }
            }
        }
    }

    /// Types a line on its standard input.
    ///
    /// # Panics
    ///
    /// If standard input was closed, by [`hang_up`](Self::hang_up) or by the program's end.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is still open");
        writeln!(stdin, "{line}").expect("the program is running");
    }

    /// Ends its standard input.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Sends the program a signal.
    ///
    /// # Panics
    ///
    /// If the program was waited for already, by [`exit_status`](Self::exit_status).
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the program is there");
    }

    /// Waits until the program has ended. `None`: a signal ended it.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn exit_status(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code();
            }
            if Instant::now() >= deadline {
                self.heard.extend(self.narration.try_iter());
                panic!("it does not end; narration: {:#?}", self.heard);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Holds the program (SIGSTOP) while `prepare` runs, so that everything that happens meanwhile
    /// is there at once when the program looks again.
    ///
    /// # Panics
    ///
    /// If the program has ended.
    pub fn while_held<T>(&mut self, prepare: impl FnOnce() -> T) -> T {
        let pid = self.pid();
        kill(pid, Signal::SIGSTOP).expect("the program is running");
        // It stands still only when the system says so; until then it may still look.
        let status = waitpid(pid, Some(WaitPidFlag::WUNTRACED));
        assert!(matches!(status, Ok(WaitStatus::Stopped(..))), "not stopped: {status:?}");
        let result = prepare();
        delivered();
        kill(pid, Signal::SIGCONT).expect("the program is there");
        result
    }

    /// The number of its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process().try_into().expect("process numbers are signed"))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until what was sent over loopback so far has arrived. On a busy machine the kernel may
/// deliver a packet after the call that sent it, from a queue that each CPU has. A packet of our
/// own goes through each of these queues, and comes after all that was in it.
#[cfg(target_os = "linux")]
fn delivered() {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    socket.connect(socket.local_addr().expect("it is bound")).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let this_thread = Pid::from_raw(0);
    let before = sched_getaffinity(this_thread).expect("the thread is there");
    for cpu in (0..CpuSet::count()).filter(|&cpu| before.is_set(cpu).unwrap_or(false)) {
        let mut one = CpuSet::new();
        one.set(cpu).expect("a CPU of the set");
        sched_setaffinity(this_thread, &one).expect("it is allowed");
        socket.send(&[0]).expect("loopback");
        socket.recv(&mut [0]).expect("what was sent");
    }
    sched_setaffinity(this_thread, &before).expect("as before");
}

#[cfg(not(target_os = "linux"))]
fn delivered() {}

/// A client of `addr`, with deadlines.
///
/// # Panics
///
/// If nobody accepts.
#[must_use]
pub fn connect(addr: SocketAddr) -> TcpStream {
    dial::connect(addr).expect("the server accepts")
}

/// Reads exactly `count` bytes, as text.
///
/// # Panics
///
/// If they do not come.
pub fn read_text(client: &mut TcpStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).expect("an answer");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A thread that reads lines for as long as there are any. Without it, a program that nobody reads
/// would stop when the pipe is full.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
