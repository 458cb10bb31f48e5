//! The report: a line as soon as there is something to say.
//!
//! Whoever reads it may stop reading (`lab check select | head -3`). `println!` would panic then;
//! here the error is handed up, and the work ends.

use super::subject::Status;
use crate::language::{Language, said};
use crate::table::{columns, say};
use crate::wrap::wrap;
use indicatif::ProgressBar;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A check that takes longer than this is worth a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

const STATUSES: [Status; 4] = [Status::Ok, Status::Short, Status::Except, Status::Unseen];

pub struct Report {
    terminal: bool,
    colour: bool,
    counts: [usize; 4],
    /// Something was printed already.
    begun: bool,
}

impl Report {
    pub fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        // https://no-color.org: set, and not to the empty string.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { terminal, colour: terminal && wanted, counts: [0; 4], begun: false }
    }

    /// Whether what is said may be coloured.
    pub fn has_colour(&self) -> bool {
        self.colour
    }

    pub fn listed(&mut self, name: &str, teaches: &str) -> io::Result<()> {
        say(&format!("{name:18}  {teaches}\n"))
    }

    pub fn heading(&mut self, heading: &str) -> io::Result<()> {
        let gap = if self.begun { "\n" } else { "" };
        self.begun = true;
        say(&format!("{gap}{heading}\n"))
    }

    pub fn line(&mut self, status: Status, check: &str, text: &str) -> io::Result<()> {
        self.counts[status as usize] += 1;
        let line =
            if self.terminal { hanging(status, check, text) } else { plain(status, check, text) };
        if !self.colour {
            return say(&format!("{line}\n"));
        }
        let code = match status {
            Status::Ok => 32,
            Status::Short => 31,
            Status::Except => 33,
            Status::Unseen => 36,
        };
        let (word, rest) = line.split_at(status.word().len());
        say(&format!("\x1b[{code}m{word}\x1b[0m{rest}\n"))
    }

    /// Under a line that falls short: where the course explains it.
    pub fn advise(&mut self, section: Option<String>) -> io::Result<()> {
        let Some(section) = section else { return Ok(()) };
        say(&said!("        read {section}\n", "        请读 {section}\n"))
    }

    /// The last line. How many fell short.
    pub fn tally(&self, servers: usize) -> io::Result<usize> {
        let count = |status: Status| format!("{} {}", self.counts[status as usize], status.word());
        let counts: Vec<_> = STATUSES
            .into_iter()
            .filter(|&status| self.counts[status as usize] > 0 || status == Status::Short)
            .map(count)
            .collect();
        let checks: usize = self.counts.iter().sum();
        say(&match Language::spoken() {
            Language::English => {
                let (servers, checks) = (counted(servers, "server"), counted(checks, "check"));
                format!("{servers}, {checks}: {}\n", counts.join(", "))
            }
            Language::Chinese => {
                format!("{servers} 个服务端，{checks} 项检查：{}\n", counts.join("，"))
            }
        })?;
        Ok(self.counts[Status::Short as usize])
    }

    /// Runs a check; at a terminal, one that takes its time shows that it is at work.
    pub fn while_waiting<T>(&self, name: &str, check: impl FnOnce() -> T) -> T {
        if !self.terminal {
            return check();
        }
        thread::scope(|scope| {
            let (done, is_done) = channel::<()>();
            let name = name.to_owned();
            scope.spawn(move || {
                let began = Instant::now();
                let mut pause = SIGN_OF_LIFE;
                while is_done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    pause = Duration::from_secs(1);
                    let _ = say(&format!("\r        {name} … {} s", began.elapsed().as_secs()));
                }
                if pause != SIGN_OF_LIFE {
                    let _ = say("\r\x1b[K");
                }
            });
            let result = check();
            drop(done);
            result
        })
    }
}

/// At a terminal, says what takes so long: cargo builds, or waits for another cargo.
pub fn while_building<T>(language: Language, what: &str, build: impl FnOnce() -> T) -> T {
    let message = match language {
        Language::English => format!("building {what} (a minute the first time)"),
        Language::Chinese => format!("编译 {what}（第一次要一分钟）"),
    };
    while_saying(message, build)
}

/// At a terminal, shows that something is under way. What that prints itself gets in its way.
pub fn while_saying<T>(message: String, work: impl FnOnce() -> T) -> T {
    let bar = ProgressBar::new_spinner();
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(200));
    let result = work();
    bar.finish_and_clear();
    result
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The same at a terminal, as wide as that is: what does not fit goes on below, behind the name.
fn hanging(status: Status, check: &str, text: &str) -> String {
    const BEFORE: usize = 28;
    let lines = wrap(text, columns().saturating_sub(BEFORE + 1).max(24));
    plain(status, check, &lines.join(&format!("\n{:BEFORE$}", "")))
}

/// A line of the report without colour.
pub fn plain(status: Status, check: &str, text: &str) -> String {
    format!("{:6}  {check:18}  {text}", status.word())
}

/// One line on standard error that says why there is no report.
pub fn complain(why: &str) {
    let _ = writeln!(io::stderr(), "lab: {why}");
}

/// What a report could not be written to. Whoever reads it may leave (`| head`): nobody is there to
/// tell, and not all was seen. Anything else, a full disk, is told.
pub fn unread(error: &io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        complain(&format!("cannot write: {}", common::reason(error)));
    }
}
