//! A server to measure, in any language.

use judge::built::built_to_measure;
use judge::check::client::Answer;
use judge::check::programs::{self, Program};
use judge::check::server::{Server, Start};
use judge::check::subject::Subject;
use std::ffi::OsString;

/// How one server is started, again for each round.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the tables call it.
    pub name: String,
    /// What is started.
    pub subject: Subject,
}

impl Target {
    /// A program of the course: an optimised build, that answers what it gets.
    pub fn program(name: &str) -> Result<Self, String> {
        let row = programs::named(name).into_iter().next();
        Self::row(row.ok_or_else(|| format!("no program '{name}' in the course"))?)
    }

    /// One way of running a program of the course.
    pub fn row(row: &Program) -> Result<Self, String> {
        let binary = built_to_measure(row.package, row.binary)?;
        Ok(Self { name: row.name.to_owned(), subject: row.subject(&binary) })
    }

    /// Any other echo server, that prints `listening on HOST:PORT`.
    pub fn command(name: &str, command: Vec<OsString>) -> Self {
        let subject = Subject::of_command(command, None, Answer::Echo);
        Self { name: name.to_owned(), subject }
    }

    /// The same with this value for one of its options.
    pub fn with(mut self, option: &str, value: &str) -> Self {
        let command = &mut self.subject.command;
        match command.iter().position(|word| word == option) {
            Some(at) if at + 1 < command.len() => command[at + 1] = value.into(),
            _ => command.extend([option, value].map(OsString::from)),
        }
        self
    }

    /// Starts it, quiet, and waits until it listens. It is killed when the server is dropped.
    pub fn start(&self) -> Result<Server, String> {
        Server::start(&self.subject, Start::default()).map_err(String::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_given_once() {
        let command = ["server", "--pause", "20"].map(OsString::from).to_vec();
        let target = Target::command("server", command).with("--pause", "7").with("--delay", "0");
        assert_eq!(target.subject.command, ["server", "--pause", "7", "--delay", "0"]);
    }
}
