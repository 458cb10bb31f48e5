//! What the tests of the clients share: small servers in threads, and programs that must end.
//!
//! Everything waits for an event, and for [`PATIENCE`] at most.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a test waits for what must happen. Far more than it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A server that does `serve` with each client, in a thread of its own: its address.
pub fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (serve, client) = (serve.clone(), client.expect("somebody connected"));
            // A server that waits for a client that does nothing must not keep the test waiting.
            client.set_read_timeout(Some(PATIENCE)).expect("not zero");
            std::thread::spawn(move || serve(client));
        }
    });
    address
}

/// A server of one client, which may use what only one can have (a channel's receiver).
pub fn server_once(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        let (client, _) = listener.accept().expect("somebody connected");
        client.set_read_timeout(Some(PATIENCE)).expect("not zero");
        serve(client);
    });
    address
}

/// Sends every byte back, and closes after the client's end of input.
pub fn echo(mut client: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
}

/// Closes with RST instead of FIN: what is left of the connection when a server crashes with
/// something unread, or its machine is restarted.
pub fn reset(client: TcpStream) {
    let client = socket2::Socket::from(client);
    client.set_linger(Some(Duration::ZERO)).expect("an open socket");
}

/// An address that refuses: bound, so that nobody else gets it, but not listening. It does so as
/// long as the socket lives.
pub fn refusing() -> (socket2::Socket, String) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).expect("loopback");
    let address = socket.local_addr().expect("bound");
    let address = address.as_socket().expect("an IPv4 address").to_string();
    (socket, address)
}

/// An address that does not answer: a listener whose accept queue is full, and the client that
/// takes its one place. Linux drops the SYN of any other, again and again.
#[cfg(target_os = "linux")]
pub fn silent() -> (TcpListener, TcpStream, String) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    socket2::SockRef::from(&listener).listen(0).expect("a smaller backlog");
    let address = listener.local_addr().expect("bound");
    let client = TcpStream::connect(address).expect("there is one place");
    let mut queue = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(PATIENCE).expect("not that long");
    assert_eq!(poll(&mut queue, timeout), Ok(1), "the client is in the queue");
    (listener, client, address.to_string())
}

/// A program that was started with pipes for its standard input, output and error.
pub struct Program {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    out: Receiver<Vec<u8>>,
    err: Receiver<Vec<u8>>,
    /// What came on standard output so far.
    pub seen: Vec<u8>,
    /// What came on standard error so far, where a test has waited for some of it.
    heard: Vec<u8>,
}

/// How a program ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

pub fn start(program: &str, args: &[&str]) -> Program {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped());
    start_command(command)
}

/// For a test that chooses standard input or output itself.
pub fn start_command(mut command: Command) -> Program {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    Program {
        stdin: child.stdin.take(),
        out: pieces(child.stdout.take().expect("piped")),
        err: pieces(child.stderr.take().expect("piped")),
        seen: Vec::new(),
        heard: Vec::new(),
        child,
    }
}

/// Runs the program with `input` on its standard input, to its end.
pub fn run(program: &str, args: &[&str], input: &[u8]) -> Ended {
    let mut program = start(program, args);
    program.type_in(input);
    program.end_of_input();
    program.finish()
}

impl Program {
    pub fn type_in(&mut self, input: &[u8]) {
        let stdin = self.stdin.as_mut().expect("not ended");
        // A program that has ended reads no more; how it ended is what the test looks at.
        let _ = stdin.write_all(input);
    }

    pub fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// Waits until `expected` is the whole of standard output so far.
    pub fn expect_output(&mut self, expected: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        while self.seen.len() < expected.len() {
            let wait = deadline.saturating_duration_since(Instant::now());
            let piece = self.out.recv_timeout(wait);
            let seen = String::from_utf8_lossy(&self.seen);
            let piece = piece.unwrap_or_else(|error| panic!("{error} after {seen:?}"));
            self.seen.extend(piece);
        }
        assert_eq!(String::from_utf8_lossy(&self.seen), String::from_utf8_lossy(expected));
    }

    /// Waits until standard error has all of `words`.
    pub fn hear(&mut self, words: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let heard = String::from_utf8_lossy(&self.heard);
            if words.iter().all(|words| heard.contains(words)) {
                return;
            }
            let piece = self.err.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let piece = piece.unwrap_or_else(|error| panic!("{error} after {heard}"));
            self.heard.extend(piece);
        }
    }

    /// Waits for the end of the program, and kills it when it does not come.
    pub fn finish(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let mut stdout = std::mem::take(&mut self.seen);
        let mut stderr = std::mem::take(&mut self.heard);
        for (pipe, text) in [(&self.out, &mut stdout), (&self.err, &mut stderr)] {
            loop {
                match pipe.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                    Ok(piece) => text.extend(piece),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => panic!(
                        "still running after {PATIENCE:?}: {:?}",
                        String::from_utf8_lossy(text)
                    ),
                }
            }
        }
        Ended {
            status: self.child.wait().expect("a child of ours"),
            stdout,
            stderr: String::from_utf8(stderr).expect("messages are text"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe in a thread, because a pipe cannot be read with a deadline.
fn pieces(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self { status, stdout, stderr } = self;
        let start = String::from_utf8_lossy(&stdout[..stdout.len().min(1000)]);
        write!(f, "{status}\nstandard output: {start:?}\nstandard error: {stderr:?}")
    }
}

impl Ended {
    /// The program ended well and had nothing to complain about.
    pub fn ok(&self) -> &[u8] {
        assert_eq!((self.status.code(), self.stderr.as_str()), (Some(0), ""), "{self}");
        &self.stdout
    }

    /// The program ended with `status` and one line on standard error that holds `words`.
    pub fn says(&self, status: i32, words: &str) {
        assert_eq!(self.status.code(), Some(status), "{self}");
        assert_eq!(self.stderr.matches('\n').count(), 1, "{self}");
        assert!(self.stderr.contains(words), "{self}");
    }
}

/// `program | head -1`: its reader leaves after the first line, and it neither complains nor
/// panics.
pub fn head(program: &str, address: &str) {
    let mut child = Command::new(program)
        .args(["--addr", address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut line = BufReader::new(child.stdout.take().expect("piped"));
    line.read_line(&mut String::new()).expect("a first line");
    drop(line);
    let err = pieces(child.stderr.take().expect("piped"));
    let program = Program {
        stdin: child.stdin.take(),
        // Nothing more comes on standard output: its reader has left.
        out: channel().1,
        err,
        seen: Vec::new(),
        heard: Vec::new(),
        child,
    };
    program.finish().ok();
}

/// Every way of getting the command line wrong, for a program that only knows `--addr`.
pub fn check_bad_command_lines(program: &str) {
    for (args, words) in [
        (&["--addr"][..], "a value is required"),
        (&["--addr", "8001"], "expected HOST:PORT"),
        (&["--addr", ":8001"], "the host is missing"),
        (&["--addr", "::1:8001"], "in brackets"),
        (&["--addr", "127.0.0.1:http"], "'http' is not a port"),
        (&["--addr", "127.0.0.1:65536"], "'65536' is not a port"),
        (&["--adr", "127.0.0.1:1"], "a similar argument exists: '--addr'"),
        (&["127.0.0.1:8001"], "unexpected argument '127.0.0.1:8001'"),
    ] {
        run(program, args, b"").says(2, words);
    }
}
