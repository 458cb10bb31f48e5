//! `lab exercise`: servers to be finished by whoever learns, and the contract as their judge.
//!
//! Each I/O model has a skeleton, `PACKAGE/examples/exercise_NAME.rs`, that compiles, serves a
//! little and falls short. The learner works on a copy, `PACKAGE/examples/my_NAME.rs`. It is judged
//! exactly as the course's own program is, which is the solution; and each shortfall names the
//! section of the course that helps.

mod course;
mod steps;

use clap::builder::PossibleValuesParser;
use common::reason;
use console::{Alignment, pad_str};
use course::{EXERCISES, Exercise};
use judge::built::{built, built_example};
use judge::check::report::Report;
use judge::check::server::{Server, Start};
use judge::check::subject::{Gives, Status, Subject};
use judge::check::suite;
use judge::check::{ask, names};
use judge::ended::{Ended, exit};
use judge::language::{Language, said};
use judge::progress::{while_building, while_saying};
use judge::reading::root;
use judge::table::{columns, say};
use judge::wrap::hang;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Judges an exercise of the course: a server that you finish
///
/// Without a name: the list of the exercises. With one: you get a copy of its skeleton, in a file
/// that git ignores, and that copy is built and judged as `lab check` judges the course's own
/// program, up to the first check that falls short. Under that stands what to read. Exit status 1
/// as long as anything falls short.
///
///   lab exercise select               up to the first shortfall
///   lab exercise select --all         all checks, some of them slow while much is missing
///   lab exercise select --only echo
///   lab exercise select --hint        its steps, and the trap of each
///   lab exercise select --solution    the course's own program, judged in the same way
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ExerciseArgs {
    /// An exercise, such as select
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Go on after the first check that falls short
    #[arg(long, requires = "name")]
    all: bool,

    /// Print the steps of the exercise, and judge nothing
    #[arg(long, requires = "name", conflicts_with_all = ["all", "only", "solution", "skeleton"])]
    hint: bool,

    /// This check only (see `lab check --list`); may be given several times
    #[arg(long, value_name = "CHECK", hide_possible_values = true, requires = "name",
          value_parser = PossibleValuesParser::new(names()))]
    only: Vec<String>,

    /// Judge the course's own program instead
    #[arg(long, requires = "name")]
    solution: bool,

    /// Judge the skeleton, unfinished as it comes, instead of your copy
    #[arg(long, requires = "name", conflicts_with = "solution")]
    skeleton: bool,

    /// The language of the list, and of what helps
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

/// Runs `lab exercise`.
#[must_use]
pub fn main(args: &ExerciseArgs) -> ExitCode {
    args.lang.speak();
    suite::descriptor_limit();
    exit(match &args.name {
        None => list(args).map(|()| 0).map_err(Ended::from),
        Some(name) if args.hint => named(name).and_then(|exercise| hint(exercise, args)),
        Some(name) => named(name).and_then(|exercise| judged(exercise, args)),
    })
}

fn named(name: &str) -> Result<&'static Exercise, Ended> {
    EXERCISES.iter().find(|exercise| exercise.name == name).ok_or_else(|| {
        let known: Vec<_> = EXERCISES.iter().map(|exercise| exercise.name).collect();
        Ended::Usage(format!("no exercise '{name}': there are {}", known.join(", ")))
    })
}

fn list(args: &ExerciseArgs) -> io::Result<()> {
    let wide = |text: &str, columns| pad_str(text, columns, Alignment::Left, None).into_owned();
    EXERCISES.iter().try_for_each(|exercise| {
        let number = exercise.chapter.split('-').next().unwrap_or_default();
        let number = number.trim_start_matches('0');
        let chapter = match args.lang {
            Language::English => format!("chapter {number}"),
            Language::Chinese => format!("第 {number} 章"),
        };
        let (name, file) = (exercise.name, exercise.skeleton_file());
        let (name, chapter, file) = (wide(name, 13), wide(&chapter, 12), wide(&file, 48));
        say(&format!("{name}{chapter}{file}{}\n", args.lang.pick(exercise.task)))
    })
}

/// The steps, as wide as the terminal.
fn hint(exercise: &Exercise, args: &ExerciseArgs) -> Result<usize, Ended> {
    let file = exercise.skeleton_file();
    let skeleton = fs::read_to_string(root().join(&file))
        .map_err(|error| format!("{file}: {}", reason(&error)))?;
    for step in steps::hints(exercise, &skeleton, args.lang) {
        say(&format!("{}\n", hang(&step, columns().min(100)).join("\n")))?;
    }
    Ok(0)
}

/// Builds what is to be judged. Before the first time, that is a copy of the skeleton.
fn build(exercise: &Exercise, args: &ExerciseArgs) -> Result<PathBuf, Ended> {
    let row = exercise.row();
    if args.solution {
        return Ok(while_building(row.binary, || built(row.package, row.binary))?);
    }
    if !args.skeleton && steps::begin(exercise, &root(), args.lang)? {
        let (from, to) = (exercise.skeleton_file(), exercise.own_file());
        say(&said!(
            "{to} is your copy of {from}: finish it\n",
            "{to} 是 {from} 的副本，由你来写完\n"
        ))?;
    }
    let example = if args.skeleton { exercise.skeleton() } else { exercise.own() };
    let (binary, told) = while_building(&example, || built_example(&example))?;
    // Warnings. Who closed standard error does not want them.
    let _ = io::stderr().write_all(told.as_bytes());
    Ok(binary)
}

/// How many checks fall short.
fn judged(exercise: &Exercise, args: &ExerciseArgs) -> Result<usize, Ended> {
    let subject = exercise.row().subject(&build(exercise, args)?);
    // One that does not run at all is one line, not one for each check.
    Server::try_start(&subject, Start::default()).map(drop)?;
    let mut report = Report::new();
    report.heading(&subject.heading())?;
    let judged = Judged { exercise, args, report };
    Ok(judged.go_through(subject)?)
}

/// What a server gives that falls short of this check. To wait for answers that it has none of, or
/// for a second client that it does not see, takes ten seconds each time, and shows nothing new.
const GATES: [(&str, Gives); 2] =
    [("echo", Gives::Connections), ("interleaved", Gives::AnswersOne)];

/// An exercise that is being judged.
struct Judged<'a> {
    exercise: &'a Exercise,
    args: &'a ExerciseArgs,
    report: Report,
}

impl Judged<'_> {
    fn go_through(mut self, mut subject: Subject) -> io::Result<usize> {
        let (mut held, mut short) = (0, Vec::new());
        let (mut later, mut gate) = (Vec::new(), "");
        let chosen =
            |name: &str| self.args.only.is_empty() || self.args.only.iter().any(|o| o == name);
        let declared = subject.clone();
        for check in declared.checks().filter(|check| chosen(check.name)) {
            // What the model cannot hold by nature is not the learner's affair.
            let by_nature = match declared.exception(check.name) {
                Some(why) => Some(why.to_owned()),
                None => (declared.gives < check.needs).then(|| ask(&declared, check).1),
            };
            if let Some(why) = by_nature {
                self.report.line(Status::Except, check.name, &why)?;
                continue;
            }
            if subject.gives < check.needs {
                later.push(check.name);
                continue;
            }
            let (status, text) = while_saying(check.name.into(), || ask(&subject, check));
            self.report.line(status, check.name, &text)?;
            match status {
                Status::Ok => held += 1,
                Status::Short => {
                    self.help(check.name)?;
                    short.push(check.name);
                    if let Some((_, gives)) = GATES.iter().find(|(gate, _)| *gate == check.name) {
                        subject.gives = *gives;
                        gate = check.name;
                    }
                    if !self.args.all && self.args.only.is_empty() {
                        break;
                    }
                }
                Status::Except | Status::Unseen => {}
            }
        }
        if !later.is_empty() {
            let later = later.join(" ");
            say(&match self.args.lang {
                Language::English => format!("        not asked before {gate} holds: {later}\n"),
                Language::Chinese => format!("        {gate} 合格之后才检查：{later}\n"),
            })?;
        }
        self.sum_up(held, &short, held + short.len() + later.len())?;
        Ok(short.len())
    }

    /// What to read, under the line of a check that falls short.
    fn help(&mut self, check: &str) -> io::Result<()> {
        let section = self.exercise.help(check, self.args.lang);
        self.report.advise(section)
    }

    fn sum_up(&self, held: usize, short: &[&str], asked: usize) -> io::Result<()> {
        let Self { exercise, args, .. } = self;
        let solution = exercise.solution;
        let file = if args.skeleton { exercise.skeleton_file() } else { exercise.own_file() };
        let Some(next) = short.first() else {
            return say(&match (args.lang, args.solution) {
                (Language::English, false) => {
                    format!("{held} of {asked} hold: all. Compare it with {solution}\n")
                }
                (Language::English, true) => {
                    format!("{held} of {asked} hold: all. It is {solution}\n")
                }
                (Language::Chinese, false) => {
                    format!("{asked} 项全部合格。对照一下 {solution}\n")
                }
                (Language::Chinese, true) => format!("{asked} 项全部合格，这就是 {solution}\n"),
            });
        };
        if args.all || !args.only.is_empty() {
            say(&match args.lang {
                Language::English => format!("{held} of {asked} hold\n"),
                Language::Chinese => format!("{asked} 项中有 {held} 项合格\n"),
            })?;
        }
        let file = if args.solution { solution } else { &file };
        say(&match args.lang {
            Language::English => format!("next: {next}, in {file}\n"),
            Language::Chinese => format!("下一步：{next}，文件是 {file}\n"),
        })
    }
}
