//! `cargo run -p press`: what holds the two languages of the course together, and both to
//! the code.
//!
//! Each check is a function from the [`Course`] it reads to the [`Problem`]s it sees, so that a
//! test can run it on a damaged copy. With `--bless` what is derived is written anew: the
//! snippets from the sources, the figures from their code, the ledger of pairs from the pages.

mod chapters;
mod commands;
mod comments;
mod figures;
mod images;
mod ledger;
mod links;
mod manifests;
mod map;
mod notes;
mod page;
mod questions;
mod record;
mod snippets;
mod transcripts;
mod typography;

pub use chapters::{Course, headings, pairs, summary, switch_lines};
pub use commands::commands;
pub use comments::comments;
pub use figures::{FiguresArgs, drawings, main as figures};
pub(crate) use figures::{SCALING, bless as draw_figures};
pub use images::images;
pub use judge::reading::root;
pub use ledger::one_sided;
pub use links::links;
pub use map::map;
pub use notes::notes;
pub use questions::questions;
pub use record::{RecordArgs, main as record};
pub use snippets::snippets;
pub use transcripts::{Replay, replay, transcripts};
pub use typography::typography;

use clap::Args;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// What `press` without a command checks, and writes anew.
#[derive(Args)]
pub struct PressArgs {
    /// Write anew what is derived: snippets, figures, the ledger of pairs
    #[arg(long)]
    pub bless: bool,

    /// With --bless: record sections that changed in one language only, too (a typo)
    #[arg(long, requires = "bless")]
    pub one_sided: bool,

    /// Do again what the transcripts show, too, and compare (some seconds; with --bless, write
    /// down what was seen where it differs)
    #[arg(long)]
    pub transcripts: bool,
}

/// Something to put right, where it is, and how.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    path: String,
    line: usize,
    message: String,
}

impl Problem {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// What judges a course: a function of its own for each kind of damage.
pub type Check = fn(&Course) -> Vec<Problem>;

/// All of them.
pub const CHECKS: [Check; 16] = [
    pairs,
    summary,
    switch_lines,
    headings,
    images,
    drawings,
    snippets,
    links,
    one_sided,
    typography,
    commands,
    transcripts,
    map,
    notes,
    comments,
    questions,
];

/// Everything that is wrong with the documents under `root`, in the order of the pages.
///
/// # Errors
///
/// A file that cannot be read.
pub fn check(root: &Path) -> io::Result<Vec<Problem>> {
    let course = Course::read(root)?;
    let mut problems: Vec<_> = CHECKS.iter().flat_map(|check| check(&course)).collect();
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// Writes anew what is derived from the code and the pages. Sections that changed in one language
/// only stay problems, unless `one_sided` says that they need no translation.
///
/// # Errors
///
/// A file that cannot be read or written.
pub fn bless(root: &Path, one_sided: bool) -> io::Result<()> {
    snippets::bless(&Course::read(root)?)?;
    figures::bless(root)?;
    // The ledger last: it records the pages as the steps before have left them.
    ledger::bless(&Course::read(root)?, one_sided)
}

/// Runs the checks on this checkout.
#[must_use]
pub fn main(args: &PressArgs) -> ExitCode {
    match judged(&root(), args) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            list("", &problems);
            ExitCode::FAILURE
        }
        Err(error) => common::outcome(Err(error)),
    }
}

fn judged(root: &Path, args: &PressArgs) -> io::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if args.transcripts {
        let replay = replay(root, args.bless)?;
        list("left out: ", &replay.left_out);
        problems = replay.problems;
    }
    if args.bless {
        bless(root, args.one_sided)?;
    }
    problems.extend(check(root)?);
    Ok(problems)
}

fn list(what: &str, problems: &[Problem]) {
    let mut out = io::stdout().lock();
    for problem in problems {
        // A closed standard output (`| head`) is no reason to panic.
        let _ = writeln!(out, "{what}{problem}");
    }
}

/// The text of `path` under `root`, or an error that names it.
fn read(root: &Path, path: &str) -> io::Result<String> {
    std::fs::read_to_string(root.join(path)).map_err(|error| {
        common::explained(&error, format!("cannot read {path}: {}", common::reason(&error)))
    })
}

/// Writes `path` under `root` if that changes it, and says whether: an untouched file keeps its
/// date.
fn write(root: &Path, path: &str, text: &str) -> io::Result<bool> {
    if std::fs::read_to_string(root.join(path)).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    let written = std::fs::write(root.join(path), text).map_err(|error| {
        common::explained(&error, format!("cannot write {path}: {}", common::reason(&error)))
    });
    written.map(|()| true)
}

/// The names of the files in the folder `path` under `root`, sorted; none if it is not there. Those
/// with a dot in front (`.DS_Store`) are the system's.
fn names(root: &Path, path: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root.join(path)).into_iter().flatten();
    let mut names: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// What a file of the page `path` means by the relative address `dest`: a path from the root, or
/// none if it leads out of the project.
fn resolve(path: &str, dest: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in dest.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
