//! `lab tour`: a server and its clients in one terminal, line beside line, as it happens.
//!
//! The notes walk through their servers in words: what is in which list when a client comes, sends,
//! leaves. Here the walk is a live run, and the words stand between the lines that they are about.

mod says;
mod screen;
mod script;
mod stage;
mod step;

use clap::Args;
use judge::built::built;
use judge::check::programs::{self, PROGRAMS, Program};
use judge::check::subject::Gives;
use judge::ended::{Ended, exit};
use judge::language::Language;
use judge::table::say;
use screen::Screen;
use script::Script;
use stage::Stage;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;
use step::Pace;

/// A server and its clients in one terminal, their lines side by side in the order they happened
///
/// The server is started here, with its narration; the clients connect, send, receive and leave.
/// They go on only when the server has said what belongs to the step, so the order is the same in
/// every run. The numbers are milliseconds since the start.
///
/// Between the lines stands what to look for: with select the five steps of a turn, with epoll and
/// epoll_edge what is reported and when. Other programs have two clients.
///
/// With --step a run is recorded first (this needs strace, on Linux), and each key shows one step
/// of it: what was called or done, what that means, where in its code the server is, and what there
/// is now: what the clients wait for, what the kernel holds in its queues and buffers, and what the
/// server knows. A row that this step has changed is marked with `*`. Before some of the steps you
/// are asked what will happen. Into a pipe it prints all the steps.
///
/// Without a name: the list of what can be toured.
#[derive(Debug, Args)]
pub struct TourArgs {
    /// A program of the course that answers, such as select
    #[arg(value_name = "PROGRAM")]
    name: Option<String>,

    /// Seconds to wait before each step [default: 2 at a terminal, otherwise 0]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pause: Option<Duration>,

    /// Record a run and go through it step by step, with the code and what the kernel holds:
    /// Space, Enter or → next, ← or b back, g first, G last, q leave
    #[arg(long, requires = "name", conflicts_with = "pause")]
    step: bool,

    /// The same by itself, so many steps a second; with --step it stops at the questions and at the
    /// end
    #[arg(long, value_name = "STEPS", value_parser = every, requires = "name")]
    #[arg(conflicts_with = "pause")]
    speed: Option<Duration>,

    /// The language of the steps and of the clients; the server narrates in its own
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=60.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected 0 to 60 seconds".into())
}

/// How long each step is seen.
fn every(text: &str) -> Result<Duration, String> {
    let speed = text.parse().ok().filter(|speed| (0.1..=20.0).contains(speed));
    speed
        .map(|speed: f64| Duration::from_secs_f64(1.0 / speed))
        .ok_or_else(|| "expected 0.1 to 20 steps a second".into())
}

/// Runs `lab tour`.
#[must_use]
pub fn main(args: &TourArgs) -> ExitCode {
    args.lang.speak();
    let done = match &args.name {
        None => list(args.lang).map_err(Ended::from),
        Some(name) => named(name).map_err(Ended::Usage).and_then(|row| tour(row, args)),
    };
    exit(done.map(|()| 0))
}

/// Those that answer by themselves. The others have nothing to tell two clients.
fn toured() -> impl Iterator<Item = &'static Program> {
    PROGRAMS.iter().filter(|row| row.gives >= Gives::AnswersOne)
}

fn named(name: &str) -> Result<&'static Program, String> {
    let rows = programs::named(name);
    if let Some(row) = rows.iter().find(|row| row.gives >= Gives::AnswersOne) {
        return Ok(row);
    }
    let why = if rows.is_empty() { "is no server of the course" } else { "does not answer alone" };
    let names: Vec<_> = toured().map(|row| row.name).collect();
    Err(format!("'{name}' {why}; these can be toured: {}", names.join(", ")))
}

fn list(language: Language) -> io::Result<()> {
    toured().filter(|row| row.here).try_for_each(|row| {
        let line = format!("{:22}  {}\n", row.name, Script::of(row).about(language));
        say(&line)
    })
}

fn tour(row: &'static Program, args: &TourArgs) -> Result<(), Ended> {
    if args.step || args.speed.is_some() {
        return step::tour(row, &Pace { step: args.step, every: args.speed }, args.lang);
    }
    let subject = row.subject(&built(row.package, row.binary)?);
    let default = if io::stdout().is_terminal() { 2 } else { 0 };
    let pause = args.pause.unwrap_or(Duration::from_secs(default));
    let screen = Screen::new();
    let mut stage = Stage::set(row, &subject, screen, pause, args.lang)?;
    Script::of(row).play(&mut stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_can_be_toured_and_nobody_else() {
        assert_eq!(named("select").map(|row| row.name), Ok("select"));
        assert_eq!(named("slow_reply").map(|row| row.binary), Ok("slow_reply"));
        for (name, why) in [("chat_room", "does not answer"), ("nobody", "no server")] {
            let Err(line) = named(name) else { panic!("{name} can be toured") };
            assert!(line.contains(why) && line.contains("epoll_edge"), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn pauses_are_seconds_and_not_for_ever() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["-1", "61", "NaN", "inf", "soon", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
