//! An example that runs, in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a busy machine may take for what is done at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where cargo has put an example: beside the folder of the tests. `cargo test` builds both,
/// `cargo test --test examples` does not.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("it runs");
    let deps = test.parent().expect("target/debug/deps");
    let example = deps.with_file_name("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs"));
    let changed = |path: &Path| path.metadata().and_then(|found| found.modified());
    let of_source = changed(&source).expect("it is in the package");
    let is_new = changed(&example).is_ok_and(|of_example| of_example >= of_source);
    assert!(is_new, "{name} is not built, or older than its source: cargo build --examples");
    example
}

/// An example that runs, with the lines that it prints.
pub struct Running {
    pub child: Child,
    pub lines: mpsc::Receiver<String>,
}

impl Running {
    pub fn start(name: &str, args: &[&str]) -> Self {
        let mut command = Command::new(built(name));
        command.args(args);
        Self::spawn(command)
    }

    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it is built");
        let output = BufReader::new(child.stdout.take().expect("asked for"));
        let (sender, lines) = mpsc::channel();
        // The thread ends with the output, or when nobody waits for lines any more.
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The next line that starts like this. Others before it are passed over.
    pub fn line(&self, start: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|why| panic!("no line {start:?}: {why}"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    pub fn client(&self, addr: &str) -> TcpStream {
        let client = TcpStream::connect(addr).expect("it listens");
        client.set_read_timeout(Some(PATIENCE)).expect("not zero");
        client.set_write_timeout(Some(PATIENCE)).expect("not zero");
        client
    }

    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("asked for")
    }

    /// How it ended. Nothing but its end is waited for, and only by asking again.
    pub fn status(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().expect("ours") {
                Some(status) => return status,
                None => assert!(Instant::now() < deadline, "it does not end"),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How it ended, and what else it has printed.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        let lines = std::iter::from_fn(|| {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => Some(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => None,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        });
        let lines = lines.collect();
        (self.status(), lines)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts an example, reads the first line that it prints, and closes the pipe.
pub fn head_1(name: &str, args: &[&str], input: &[u8]) -> (Running, String) {
    let mut command = Command::new(built(name));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it is built");
    let mut output = BufReader::new(child.stdout.take().expect("asked for"));
    child.stdin.as_ref().expect("asked for").write_all(input).expect("a pipe has room");
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        output.read_line(&mut line).expect("it prints text");
        drop(output);
        sender.send(line)
    });
    let running = Running { child, lines };
    let line = running.lines.recv_timeout(PATIENCE).expect("it prints a line");
    (running, line)
}
