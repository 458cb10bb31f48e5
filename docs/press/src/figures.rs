//! The figures of the course: SVG drawn by code, one for each language from one table of labels.
//!
//! `docs/figures/` holds what is drawn here, so that the pages show it on a Git host as well;
//! `press figures` writes it. Those of what was measured are drawn from committed data.

mod asking;
mod chat_room;
mod coroutine_switch;
mod epoll_lists;
mod labels;
mod poll_list;
mod select_bitmap;
mod select_loop;
mod side_by_side;
mod two_families;
mod two_phases;
mod uring_queues;
mod who_waits;

use super::chapters::Course;
use super::images::FIGURES;
use super::{Problem, names, read, write};
use clap::Args;
use common::reason;
use judge::check::report::complain;
use judge::language::Language;
use judge::reading::root;
use lab::drawing::canvas::Canvas;
use lab::scaling::data::Data;
use lab::timeline::TRACES;
use player::trace::Trace;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Draw the figures of the course, from its code and from what was measured
///
/// Writes every figure under docs/figures/ that is not as drawn now.
#[derive(Debug, Args)]
pub struct FiguresArgs {
    /// Write nothing, and say which figures are not as drawn now (exit status 1 if there are any)
    #[arg(long)]
    check: bool,
}

/// The points of `lab scaling` that the course shows.
pub(crate) const SCALING: &str = "docs/data/scaling.csv";

type Draw = fn(Language) -> Canvas;

/// Every figure by its name; a new one is added here.
const ALL: [(&str, Draw); 11] = [
    ("two-phases", two_phases::draw),
    ("who-waits", who_waits::draw),
    ("asking", asking::draw),
    ("select-loop", select_loop::draw),
    ("select-bitmap", select_bitmap::draw),
    ("poll-list", poll_list::draw),
    ("epoll-lists", epoll_lists::draw),
    ("chat-room", chat_room::draw),
    ("uring-queues", uring_queues::draw),
    ("two-families", two_families::draw),
    ("coroutine-switch", coroutine_switch::draw),
];

/// Path and picture of every figure in both languages; and what cannot be drawn.
fn files(root: &Path) -> (Vec<(String, Canvas)>, Vec<Problem>) {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    let mut both = |name: &str, draw: &dyn Fn(Language) -> Canvas| {
        let path = |language: Language| format!("{FIGURES}/{name}.{}.svg", language.code());
        files.extend(Language::BOTH.map(|language| (path(language), draw(language))));
    };
    ALL.iter().for_each(|(name, draw)| both(name, draw));
    if root.join(SCALING).exists() {
        let text = read(root, SCALING).map_err(|error| reason(&error));
        match text.and_then(|text| Data::parse(&text)) {
            Ok(data) => both("scaling", &|language| lab::scaling::picture::draw(&data, language)),
            Err(why) => problems.push(Problem::new(SCALING, 1, why)),
        }
    }
    let mut traces = Vec::new();
    for name in names(root, TRACES) {
        let path = format!("{TRACES}/{name}");
        match trace(root, &path) {
            Ok(trace) => {
                let name = format!("timeline-{}", trace.program);
                both(&name, &|language| lab::timeline::picture::draw(&trace, language));
                traces.push(trace);
            }
            Err((line, why)) => problems.push(Problem::new(&path, line, why)),
        }
    }
    if let Some(draw) = side_by_side::of(&traces) {
        both("side-by-side", &draw);
    }
    (files, problems)
}

fn trace(root: &Path, path: &str) -> Result<Trace, (usize, String)> {
    let text = read(root, path).map_err(|error| (1, reason(&error)))?;
    let trace = Trace::parse(&text)?;
    let wanted = format!("{TRACES}/{}.trace", trace.program);
    if path == wanted { Ok(trace) } else { Err((1, format!("a trace of this is {wanted}"))) }
}

/// The files in `docs/figures/` are what the code draws, all of it and nothing else, and every
/// label has its room.
#[must_use]
pub fn drawings(course: &Course) -> Vec<Problem> {
    differences(&course.root)
}

fn differences(root: &Path) -> Vec<Problem> {
    let (files, mut problems) = files(root);
    for (path, canvas) in &files {
        let crowded = canvas.crowded().into_iter();
        problems.extend(crowded.map(|message| Problem::new(path, 1, message)));
        match std::fs::read_to_string(root.join(path)) {
            Ok(text) if text == canvas.svg() => {}
            Ok(_) => problems.push(Problem::new(
                path,
                1,
                "not as drawn now: run `cargo run -p press -- figures`",
            )),
            Err(_) => problems.push(Problem::new(
                path,
                1,
                "not there yet: run `cargo run -p press -- figures`",
            )),
        }
    }
    for name in names(root, FIGURES) {
        let path = format!("{FIGURES}/{name}");
        if !files.iter().any(|(drawn, _)| *drawn == path) {
            let message =
                "no code draws this file: remove it, or draw it in docs/press/src/figures.rs";
            problems.push(Problem::new(&path, 1, message));
        }
    }
    problems
}

/// Writes every figure that is not as drawn now: how many there are, and how many were written.
pub(crate) fn bless(root: &Path) -> io::Result<(usize, usize)> {
    let (files, problems) = files(root);
    std::fs::create_dir_all(root.join(FIGURES))?;
    let mut written = 0;
    for (path, canvas) in &files {
        written += usize::from(write(root, path, &canvas.svg())?);
    }
    match problems.first() {
        Some(problem) => Err(io::Error::other(problem.to_string())),
        None => Ok((files.len(), written)),
    }
}

/// Runs `press figures`.
#[must_use]
pub fn main(args: &FiguresArgs) -> ExitCode {
    let root = root();
    // A closed standard output (`| head`) is no reason to panic.
    let mut out = io::stdout().lock();
    if args.check {
        let problems = differences(&root);
        for problem in &problems {
            let _ = writeln!(out, "{problem}");
        }
        let (files, _) = files(&root);
        let _ = writeln!(out, "{} figures, {} to put right", files.len(), problems.len());
        return if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match bless(&root) {
        Ok((drawn, written)) => {
            let _ = writeln!(out, "{drawn} figures, {written} written");
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&reason(&error));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_its_room() {
        let (files, problems) = files(&root());
        assert_eq!(problems, []);
        for (path, canvas) in files {
            let crowded = canvas.crowded();
            assert!(crowded.is_empty(), "{path}: {crowded:#?}");
        }
    }

    #[test]
    fn a_timeline_is_a_function_of_its_trace() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let trace = read(&root(), "docs/traces/select.trace").expect("the course has a trace");
        std::fs::create_dir_all(folder.path().join(TRACES)).expect("its folder");
        let give = |name: &str, text: &str| {
            std::fs::write(folder.path().join(TRACES).join(name), text).expect("a file");
        };
        let found = || -> Vec<String> {
            differences(folder.path()).iter().map(ToString::to_string).collect()
        };
        give("select.trace", &trace);
        assert!(
            found().iter().any(|problem| problem.contains("timeline-select.zh.svg:1: not there"))
        );
        let (count, written) = bless(folder.path()).expect("it can be drawn");
        assert_eq!((found(), count), (Vec::new(), written));

        give("select.trace", &trace.replace("\"hello\"", "\"howdy\""));
        assert_eq!(found().len(), 2, "it is drawn in both languages: {:#?}", found());
        assert_eq!(bless(folder.path()).expect("it can be drawn"), (count, 2));

        give("select.trace", &trace.replace("A        close", "A        leave"));
        let problem = &found()[0];
        assert!(problem.starts_with("docs/traces/select.trace:"), "{problem}");
        assert!(problem.contains("not a line of a trace"), "{problem}");
        give("select.trace", &trace);
        give("poll.trace", &trace);
        let wanted = "docs/traces/poll.trace:1: a trace of this is docs/traces/select.trace";
        assert_eq!(found()[0], wanted);
    }
}
