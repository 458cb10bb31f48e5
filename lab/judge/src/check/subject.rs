//! What is judged, and how a judgement is put into words.

use super::client::{Answer, closed};
use super::suite::{CHECKS, Check};
use crate::language::said;
use crate::process::typed;
use common::reason;
use nix::errno::Errno;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::path::Path;

/// What a server does by itself, and so which checks can be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gives {
    /// It listens, and accepts nobody.
    Nothing,
    /// It accepts, and sends no answer by itself.
    Connections,
    /// It answers one client after the other.
    AnswersOne,
    /// It answers.
    Answers,
}

/// In which order several clients that were ready together are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they connected: the model scans a list.
    Connected,
    /// The kernel keeps a list of those that became ready. Those that arrive while the server
    /// sleeps come in the order of arrival. No other order is promised; but nobody is left out.
    Arrived,
    /// Not promised.
    Unsaid,
}

/// How to see that it registers a client with epoll: which call is to be refused.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// What has it use one thread for that.
    pub with: &'static [&'static str],
    /// The number of the call, in that thread.
    pub call: u8,
}

impl Registers {
    /// The first call registers the listener, the second one the first client.
    pub const LISTENER_FIRST: Self = Self { with: &[], call: 2 };
}

/// A server to judge.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What the course calls it.
    pub name: Option<&'static str>,
    /// How it is started, narrating.
    pub command: Vec<OsString>,
    /// What to add where narration is not the point.
    pub quiet: Option<&'static str>,
    /// Where it will listen; when `None`, its `listening on` line says so.
    pub addr: Option<String>,
    /// What comes back for what is sent.
    pub answer: Answer,
    /// What it does by itself.
    pub gives: Gives,
    /// A program of the course: it has the course's command line and exit statuses.
    pub ours: bool,
    /// The system calls that its first thread may sleep in; empty: any.
    pub asleep_in: &'static [&'static str],
    /// In which order it answers clients that are ready together.
    pub order: Order,
    /// Which of its calls registers a client.
    pub registers: Registers,
    /// It hands on to another server. One is started first, and its address takes the place of the
    /// one behind `--to`.
    pub hands_on: bool,
    /// What is asked of no other program.
    pub own_checks: &'static [Check],
    /// The checks that it cannot hold, by nature, and why.
    pub exceptions: Vec<(String, String)>,
}

/// What a check saw, in plain words with figures; or why it does not count as held.
pub type Seen = Result<String, Fault>;

/// Why a check does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server fell short.
    Short(String),
    /// This system, or this command, does not let us see; or the laboratory itself lacks what it
    /// takes.
    Unseen(String),
}

impl Fault {
    /// The same with words in front, about what went before.
    pub fn after(self, words: impl Display) -> Self {
        match self {
            Self::Short(why) => Self::Short(said!("{words}: {why}", "{words}：{why}")),
            Self::Unseen(why) => Self::Unseen(said!("{words}: {why}", "{words}：{why}")),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(why) | Self::Unseen(why) => f.write_str(why),
        }
    }
}

/// For those who have no verdict to give.
impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Short(why) | Fault::Unseen(why) => why,
        }
    }
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Short(why)
    }
}

/// A check that fell short in these words.
pub fn short<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Short(why.into()))
}

/// A check that could not be seen, for this reason.
pub fn unseen<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unseen(why.into()))
}

/// Whether these words of a client say that the server let go of it.
pub fn is_lost(why: &str) -> bool {
    let errors = [Errno::ECONNRESET, Errno::EPIPE];
    why.contains(&closed()) || errors.iter().any(|&errno| why.contains(&reason(&errno.into())))
}

/// The word at the start of a line of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    Ok,
    /// It does not hold.
    Short,
    /// It does not hold, and the program says why.
    Except,
    /// It could not be seen here, or was not asked.
    Unseen,
}

impl Status {
    /// As it stands in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Short => "short",
            Self::Except => "except",
            Self::Unseen => "unseen",
        }
    }
}

/// Weighs what was seen against what was declared. An exception is a statement about the server,
/// and is judged like any other: one that no longer holds is taken back, or it would hide the next
/// fault.
pub fn weigh(seen: Seen, exception: Option<&str>) -> (Status, String) {
    match (seen, exception) {
        (Ok(text), None) => (Status::Ok, text),
        (Err(Fault::Short(text)), None) => (Status::Short, text),
        (Err(Fault::Short(text)), Some(why)) => {
            (Status::Except, said!("{why} (seen: {text})", "{why}（实际：{text}）"))
        }
        (Ok(text), Some(_)) => {
            let words = said!(
                "declared as an exception, but holds: remove the declaration (seen: {text})",
                "声明为例外，却是合格的：应删去这条声明（实际：{text}）"
            );
            (Status::Short, words)
        }
        (Err(Fault::Unseen(text)), _) => (Status::Unseen, text),
    }
}

impl Subject {
    /// A server that is not the course's, of which nothing is known but this.
    pub fn of_command(command: Vec<OsString>, addr: Option<String>, answer: Answer) -> Self {
        Self {
            name: None,
            command,
            quiet: None,
            addr,
            answer,
            gives: Gives::Answers,
            ours: false,
            asleep_in: &[],
            order: Order::Unsaid,
            registers: Registers::LISTENER_FIRST,
            hands_on: false,
            own_checks: &[],
            exceptions: Vec::new(),
        }
    }

    /// What is asked of it, in the order of the report.
    pub fn checks(&self) -> impl Iterator<Item = &'static Check> + use<> {
        CHECKS.iter().chain(self.own_checks)
    }

    /// What it is, and how it is started.
    pub fn heading(&self) -> String {
        let Some(name) = self.name else {
            return typed(&self.command);
        };
        // Where a program of the course was built says nothing about it.
        let mut command = self.command.clone();
        if let Some(file) = Path::new(&self.command[0]).file_name() {
            command[0] = file.to_owned();
        }
        format!("{name}: {}", typed(&command))
    }

    /// Why it cannot hold this check, if it says so.
    pub fn exception(&self, check: &str) -> Option<&str> {
        let declared = self.exceptions.iter().find(|(name, _)| name == check)?;
        Some(&declared.1)
    }

    /// The same with so many bytes for one recv, where it can be told and has not been.
    pub fn with_chunk(&self, bytes: &str) -> Self {
        let mut subject = self.clone();
        if subject.ours && !subject.command.iter().any(|word| word == "--chunk") {
            subject.command.extend(["--chunk", bytes].map(OsString::from));
        }
        subject
    }

    /// The command, to listen at `port` if that is given and the command can be told.
    pub fn command(&self, narrating: bool, port: Option<u16>) -> Vec<OsString> {
        let mut command = self.command.clone();
        if let Some(port) = port {
            give_port(&mut command, port);
        }
        if !narrating {
            command.extend(self.quiet.map(OsString::from));
        }
        command
    }
}

/// Puts a port in the place of the first free one (`HOST:0`) of a command line.
fn give_port(command: &mut [OsString], port: u16) -> bool {
    for word in command.iter_mut().skip(1) {
        if let Some(host) = word.to_str().and_then(|word| word.strip_suffix(":0")) {
            *word = format!("{host}:{port}").into();
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_judged_too() {
        let held = || Ok("all is well".to_owned());
        let fell = || short("0 of 9");
        assert_eq!(weigh(held(), None), (Status::Ok, "all is well".into()));
        assert_eq!(weigh(fell(), None), (Status::Short, "0 of 9".into()));
        let excepted = weigh(fell(), Some("by nature"));
        assert_eq!(excepted, (Status::Except, "by nature (seen: 0 of 9)".into()));
        let (status, text) = weigh(held(), Some("by nature"));
        assert_eq!(status, Status::Short);
        assert!(text.contains("remove the declaration"), "{text}");
    }

    #[test]
    fn what_was_not_seen_is_neither_held_nor_short() {
        for exception in [None, Some("by nature")] {
            assert_eq!(weigh(unseen("no /proc"), exception), (Status::Unseen, "no /proc".into()));
        }
    }

    #[test]
    fn the_first_free_port_of_a_command_is_the_servers() {
        let words = ["server", "--addr=127.0.0.1:0", "--daytime", "127.0.0.1:0"];
        let mut command = words.map(OsString::from);
        assert!(give_port(&mut command, 8001));
        assert_eq!(command[1], "--addr=127.0.0.1:8001");
        assert_eq!(command[3], "127.0.0.1:0");
        assert!(!give_port(&mut ["server:0".into(), "8001".into()], 1));
    }
}
