//! What a row of [`programs`](super::programs) says, and what is judged by it.

use super::client::Answer;
use super::subject::{Gives, Order, Registers, Subject};
use super::suite::Check;
use crate::language::Language;
use std::ffi::OsString;
use std::path::Path;

/// One way of running one binary.
pub struct Program {
    /// What this way is called, in reports and as a module of tests.
    pub name: &'static str,
    /// The package that builds it.
    pub package: &'static str,
    /// The program: `cargo run --bin BINARY`.
    pub binary: &'static str,
    /// Beside `--addr` and `--quiet`. All are judged as echo servers.
    pub(super) args: &'static [&'static str],
    /// What comes back: the bytes, or the messages.
    pub(super) answer: Answer,
    /// What it answers.
    pub gives: Gives,
    pub(super) asleep_in: &'static [&'static str],
    pub(super) order: Order,
    pub(super) registers: Registers,
    pub(super) hands_on: bool,
    pub(super) own_checks: &'static [Check],
    /// Checks that it cannot hold by nature, and why: in English and in Chinese.
    pub(super) exceptions: &'static [(&'static str, [&'static str; 2])],
    /// This system has what the model needs. Elsewhere the program says so when it is run.
    pub here: bool,
}

impl Program {
    /// What is judged, when the program stands at `binary`.
    pub fn subject(&self, binary: &Path) -> Subject {
        let mut command = vec![OsString::from(binary)];
        // First, for its port is the one that a second copy is given.
        command.extend(["--addr", "127.0.0.1:0"].map(OsString::from));
        command.extend(self.args.iter().map(OsString::from));
        let said = |(check, why): &(&str, [&str; 2])| {
            ((*check).to_owned(), Language::spoken().pick(*why).to_owned())
        };
        Subject {
            name: Some(self.name),
            command,
            quiet: Some("--quiet"),
            addr: None,
            answer: self.answer,
            gives: self.gives,
            ours: true,
            asleep_in: self.asleep_in,
            order: self.order,
            registers: self.registers,
            hands_on: self.hands_on,
            own_checks: self.own_checks,
            exceptions: self.exceptions.iter().map(said).collect(),
        }
    }
}
