//! A child process and its three pipes at once, as Python's `subprocess.communicate` does it.
//!
//! ```text
//! cargo run -p fd-selectors --example child_pipes              # tee /dev/stderr
//! cargo run -p fd-selectors --example child_pipes -- tr 1 2    # or any other program
//! ```
//!
//! A pipe holds some 64 KiB. With `stdin.write_all(&input)` and then `wait_with_output` this
//! program would hang: the child waits until somebody reads what it prints, and we wait until it
//! reads what we write. `wait_with_output` reads both outputs at once, with poll(2) inside, but
//! it closes the input first.
//!
//! Watch for what is *not* set: O_NONBLOCK. std cannot set it for a pipe (nix's `fcntl` can), and a
//! level-triggered loop can do without. A read from a pipe that is ready returns what is there. A
//! write of at most PIPE_BUF bytes to a pipe that is ready does not wait, as long as nobody else
//! writes to it; a longer one waits until all of it fits. PIPE_BUF is 4096 on Linux and 512 on
//! macOS.
//!
//! `ChildStdin`, `ChildStdout` and `ChildStderr` are three types, and the last two can only be read
//! with `&mut`, while the selector hands out `&`. As a `File` all three are one type, and `&File`
//! can be read and written.
//!
//! Limits: the output ends when the last process that has the pipe ends, and that may be a
//! grandchild. A child that never ends is waited for: if that matters, give `select_ready` a
//! time-out.

use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

/// The least that PIPE_BUF may be (POSIX).
const PIPE_BUF: usize = 512;
/// How much output is collected: a child that prints for ever must not take all memory.
const MOST: usize = 64 << 20;

/// What there is to do with a pipe: the data of its key.
enum Work<'a> {
    Write(&'a [u8]),
    /// Its name, and what was read so far.
    Read(&'static str, Vec<u8>),
}

fn main() -> io::Result<()> {
    let mut words = std::env::args_os().skip(1);
    let mut command = Command::new(words.next().unwrap_or_else(|| "tee".into()));
    command.args(words);
    if std::env::args_os().len() < 2 {
        command.arg("/dev/stderr");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = "Many a line like this one, 1 MiB in all.\n".repeat((1 << 20) / 41);
    let mut child = command.spawn()?;
    let outcome = communicate(&mut child, input.as_bytes());
    if outcome.is_err() {
        // It would not end by itself, perhaps. `wait` is for both: it leaves no zombie.
        child.kill()?;
    }
    let status = child.wait()?;
    // `println!` would panic if nobody read it (`| head -1`).
    let mut out = io::stdout();
    for finished in outcome? {
        let _ = match finished {
            Work::Write(rest) => writeln!(out, "stdin: all but {} bytes", rest.len()),
            Work::Read(name, output) => writeln!(out, "{name}: {} bytes", output.len()),
        };
    }
    let _ = writeln!(out, "{status}");
    Ok(())
}

/// Writes the input and reads both outputs, whichever is possible, until all three have ended.
fn communicate<'a>(child: &mut Child, input: &'a [u8]) -> io::Result<Vec<Work<'a>>> {
    let mut selector = DefaultSelector::new()?;
    let file = |fd: Option<OwnedFd>| File::from(fd.expect("the command asks for pipes"));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    selector.register(file(stdin.map(OwnedFd::from)), EVENT_WRITE, Work::Write(input))?;
    let mut outputs =
        [("stdout", stdout.map(OwnedFd::from)), ("stderr", stderr.map(OwnedFd::from))];
    for (name, pipe) in &mut outputs {
        selector.register(file(pipe.take()), EVENT_READ, Work::Read(name, Vec::new()))?;
    }
    let (mut batch, mut finished, mut chunk) = (Vec::new(), Vec::new(), [0; 65536]);
    while !selector.is_empty() {
        selector.select_ready(None, &mut batch)?;
        for ready in batch.drain(..) {
            let Some((mut pipe, work)) = selector.resolve(&ready) else { continue };
            let ended = match work {
                Work::Write(rest) => match pipe.write(&rest[..rest.len().min(PIPE_BUF)]) {
                    Ok(count) => {
                        *rest = &rest[count..];
                        rest.is_empty()
                    }
                    // The child does not want more, and that is not our failure.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => true,
                    Err(error) => return Err(error),
                },
                Work::Read(name, output) => {
                    let count = pipe.read(&mut chunk)?;
                    output.extend_from_slice(&chunk[..count]);
                    if output.len() > MOST {
                        return Err(io::Error::other(format!("{name}: more than {MOST} bytes")));
                    }
                    count == 0
                }
            };
            if ended {
                // The selector has the only one, so it is closed here. The child that reads its
                // input to the end waits for that.
                finished.push(selector.unregister(&ready.fd)?.data);
            }
        }
    }
    Ok(finished)
}
