//! What a server prints: read while it starts, for the address, and kept to quote from afterwards.
//! Of what it prints without end no more is kept than a few lines.

use super::ready_line::{Announced, announced};
use crate::language::Words;
use crate::process::{Process, soon};
use common::interrupted;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many of its last lines are kept.
const KEPT_LINES: usize = 20;
/// How much of a line is kept, and how much is quoted.
const LINE: usize = 4096;
const QUOTED: usize = 100;
/// After this time without output, a line that has no end has one, and nothing better will follow
/// what it announced.
const STILL: Duration = Duration::from_millis(200);
/// What has been announced is not waited with for longer, whatever else is printed.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// Its last lines.
type Last = Arc<Mutex<VecDeque<String>>>;

/// Cuts what comes into lines.
#[derive(Default)]
struct Cutter {
    /// The line that has no end yet.
    line: Vec<u8>,
}

impl Cutter {
    fn add(&mut self, bytes: &[u8], mut whole: impl FnMut(&str)) {
        let is_end = |&byte: &u8| byte == b'\n' || byte == b'\r';
        for piece in bytes.split_inclusive(is_end) {
            let ends = piece.last().is_some_and(is_end);
            let text = &piece[..piece.len() - usize::from(ends)];
            let room = LINE - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                whole(&self.begun());
                self.line.clear();
            }
        }
    }

    fn begun(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }
}

fn keep(line: &str, last: &Last) {
    let line = line.trim();
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if line.is_empty() {
        return;
    }
    if last.len() == KEPT_LINES {
        last.pop_front();
    }
    last.push_back(line.to_owned());
}

/// One of the two outputs.
struct Pipe<P> {
    /// `None` when it has ended.
    open: Option<P>,
    cutter: Cutter,
    announced: Vec<Announced>,
    last: Last,
}

impl<P: Read + AsFd> Pipe<P> {
    fn new(open: Option<P>) -> Self {
        Self { open, cutter: Cutter::default(), announced: Vec::new(), last: Last::default() }
    }

    /// What is in the pipe now, and no waiting for more. Whether there was any.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let mut any = false;
        // No more than a pipe holds at a time, or `yes` would keep us here.
        for _ in 0..16 {
            let Some(open) = &mut self.open else { break };
            let mut ready = [PollFd::new(open.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut ready, PollTimeout::ZERO), Ok(1)) {
                break;
            }
            let Ok(count @ 1..) = open.read(&mut buffer) else {
                self.open = None;
                break;
            };
            any = true;
            self.cutter.add(&buffer[..count], |line| {
                keep(line, &self.last);
                // One that announces without end announces nothing new.
                if self.announced.len() < KEPT_LINES {
                    self.announced.extend(announced(line));
                }
            });
        }
        any
    }

    /// What it has printed last, whether that line has ended or not.
    fn last_line(&self) -> Option<String> {
        let begun = self.cutter.begun();
        if !begun.trim().is_empty() {
            return Some(begun.trim().to_owned());
        }
        self.last.lock().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }

    /// Reads on for as long as it is open. A pipe that nobody empties fills, and its writer waits.
    fn drain(mut self) -> Option<JoinHandle<()>>
    where
        P: Send + 'static,
    {
        let mut open = self.open.take()?;
        Some(thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match open.read(&mut buffer) {
                    Ok(count @ 1..) => {
                        self.cutter.add(&buffer[..count], |line| keep(line, &self.last));
                    }
                    Err(error) if interrupted(&error) => {}
                    Ok(0) | Err(_) => break,
                }
            }
            keep(&self.cutter.begun(), &self.last);
        }))
    }
}

/// Both outputs of a server that starts.
pub(super) struct Output {
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
    /// Since when nothing more has come.
    since: Instant,
    /// Since when something is announced.
    announced: Option<Instant>,
}

impl Output {
    pub(super) fn of(process: &mut Process) -> Self {
        Self {
            stdout: Pipe::new(process.child.stdout.take()),
            stderr: Pipe::new(process.child.stderr.take()),
            since: Instant::now(),
            announced: None,
        }
    }

    pub(super) fn read(&mut self) {
        let (said, complained) = (self.stdout.read(), self.stderr.read());
        if said || complained {
            self.since = Instant::now();
        }
    }

    /// What it has announced, the one to judge first. A line of its own is taken at once; for one
    /// with words in front, which may be about something else (`metrics listening on …`), it has a
    /// moment to print a better one.
    pub(super) fn announced(&mut self) -> Option<Vec<Announced>> {
        let whole = self.stdout.announced.iter().chain(&self.stderr.announced);
        let mut all: Vec<Announced> = whole.cloned().collect();
        let still = self.since.elapsed() >= STILL;
        if still {
            all.extend(announced(&self.stdout.cutter.begun()));
            all.extend(announced(&self.stderr.cutter.begun()));
        }
        if all.is_empty() {
            return None;
        }
        let long_enough = self.announced.get_or_insert_with(Instant::now).elapsed() >= LONG_ENOUGH;
        let alone = all.iter().position(|one| one.alone);
        if alone.is_none() && !still && !long_enough {
            return None;
        }
        all[..=alone.unwrap_or(0)].rotate_right(1);
        Some(all)
    }

    /// The last thing that it said about itself.
    pub(super) fn last_words(&self) -> Option<String> {
        let begun = self.stderr.cutter.begun();
        if !begun.trim().is_empty() {
            return Some(quote(begun.trim()));
        }
        let mut lines = self.stderr.last.lock().unwrap_or_else(PoisonError::into_inner);
        let words = last_words(lines.make_contiguous()).map(quote);
        words.or_else(|| self.stdout.last_line().map(|line| quote(&line)))
    }

    /// What it printed instead of the line that was waited for, and what may hold that back.
    pub(super) fn instead(&self) -> Words {
        let last = self.stderr.last_line().or_else(|| self.stdout.last_line());
        let mut words = match last.map(|line| quote(&line)) {
            Some(line) => {
                Words::new(format!("its last line: {line}"), format!("它最后一行输出是：{line}"))
            }
            None => Words::new("it printed nothing", "它什么也没有输出"),
        };
        if self.stdout.last_line().is_none() {
            words.en += "; output to a pipe is held back until it is flushed (Python: \
                         print(…, flush=True) or python3 -u; C: fflush(stdout))";
            words.zh += "；写入管道的输出会先留在缓冲区里，刷新之后才写出\
                         （Python：print(…, flush=True) 或 python3 -u；C：fflush(stdout)）";
        }
        words
    }

    /// Reads on in threads; unless the point is that nobody reads.
    pub(super) fn drain(self, unread: bool) -> Narration {
        let last = Arc::clone(&self.stderr.last);
        if unread {
            return Narration { last, reader: None };
        }
        // It ends with the pipe.
        drop(self.stdout.drain());
        Narration { last, reader: self.stderr.drain() }
    }
}

/// What a server says on its standard error.
pub(super) struct Narration {
    last: Last,
    /// Ends with the pipe. `None`: nobody reads.
    reader: Option<JoinHandle<()>>,
}

impl Narration {
    /// Its last words, of a server that has ended. What it said last may take a moment to arrive,
    /// and a process of its own that lives on may keep the pipe open.
    pub(super) fn last_words(&self, patience: Duration) -> Option<String> {
        if let Some(reader) = &self.reader {
            soon(patience, || reader.is_finished().then_some(()));
        }
        let mut lines = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last_words(lines.make_contiguous()).map(quote)
    }
}

/// The last line but what Rust says last, how a panic could say more.
fn last_words(lines: &[String]) -> Option<&str> {
    lines.iter().rev().map(String::as_str).find(|line| !line.starts_with("note: "))
}

/// A line to be quoted in a report: of bounded length, and without what moves a terminal's cursor.
fn quote(line: &str) -> String {
    let line = console::strip_ansi_codes(line);
    let mut chars = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    let quoted: String = chars.by_ref().take(QUOTED).collect();
    if chars.next().is_some() { format!("{quoted}…") } else { quoted }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_last_lines_are_kept_and_of_each_its_beginning() {
        let (last, mut cutter) = (Last::default(), Cutter::default());
        for number in 0..30 {
            let line = format!("line {number}{}\n\n", "y".repeat(3 * LINE));
            line.as_bytes().chunks(1000).for_each(|piece| {
                cutter.add(piece, |line| keep(line, &last));
            });
        }
        let lines = last.lock().expect("no thread died");
        assert!(lines.back().is_some_and(|line| line.starts_with("line 29")));
        assert_eq!(lines.len(), KEPT_LINES);
        assert!(lines.iter().all(|line| line.len() == LINE));
    }

    #[test]
    fn a_quotation_is_short_and_moves_no_cursor() {
        assert_eq!(quote("\x1b[31mred\x1b[0m\x07"), "red ");
        assert_eq!(quote(&"é".repeat(5000)).chars().count(), QUOTED + 1);
    }
}
