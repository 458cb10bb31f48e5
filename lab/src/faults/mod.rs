//! `lab faults`: known mistakes, made on purpose, and caught.
//!
//! Each is a small change to a program of the course that gives it a mistake of the notes'
//! programs, or of many a tutorial. The program is copied, changed, built and judged by the same
//! checks as `lab check`; then the course's own program is, which is the cure. So this is also the
//! trial of the judge: every check of the suite is seen to fall short of something.

mod copy;
mod known;
mod report;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args};
use copy::Copied;
use judge::built::built;
use judge::check::programs::{self, Program};
use judge::check::subject::{Status, Subject};
use judge::check::suite::{CHECKS, Check};
use judge::check::{ask, suite};
use judge::ended::{Ended, exit};
use judge::language::Language;
use judge::progress::{while_building, while_saying};
use known::Mistake;
use report::Report;
use std::io;
use std::process::ExitCode;

/// Make a known mistake in a copy of a program, and see which check finds it
///
/// Without a name: the list of the mistakes. Each is one small change to a copy of a program of the
/// course, in the target folder; nothing of yours is touched. The change is shown, the copy is
/// built and judged, and then the course's program is, by the same checks. Exit status 1 when a
/// mistake goes unnoticed, or when the course's program falls short itself.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("mistakes").args(["names", "all"]))]
pub struct FaultsArgs {
    /// Mistakes, by name
    #[arg(value_name = "NAME", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(names()))]
    names: Vec<String>,

    /// All of them (some minutes)
    #[arg(long)]
    all: bool,

    /// Ask all the checks, not only those that are known to find it
    #[arg(long, requires = "mistakes")]
    every_check: bool,

    /// The language of the report
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

/// What became of one mistake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// Found by all the checks that are to find it, and the course's program holds them.
    Caught,
    /// A check that is to find it did not.
    Unnoticed,
    /// The course's program falls short itself.
    NotCured,
    /// This system does not let us see, or lacks the model.
    LeftOut,
}

/// The names of the mistakes, in the order of the chapter.
fn names() -> Vec<&'static str> {
    known::all().map(|mistake| mistake.name).collect()
}

/// Runs `lab faults`.
#[must_use]
pub fn main(args: &FaultsArgs) -> ExitCode {
    args.lang.speak();
    suite::descriptor_limit();
    let chosen: Vec<_> = if args.all {
        known::all().collect()
    } else {
        let named = |name| known::all().filter(move |mistake| mistake.name == name);
        args.names.iter().flat_map(named).collect()
    };
    let mut report = Report::new(args.lang);
    exit(if chosen.is_empty() {
        report.list().map(|()| 0).map_err(Ended::from)
    } else {
        make(&chosen, args, &mut report)
    })
}

/// How many mistakes were not caught, or not cured.
fn make(
    chosen: &[&'static Mistake],
    args: &FaultsArgs,
    report: &mut Report,
) -> Result<usize, Ended> {
    let mut outcomes = Vec::new();
    for mistake in chosen {
        let outcome = make_one(mistake, args, report)?;
        report.outcome(mistake, outcome)?;
        outcomes.push(outcome);
    }
    report.tally(&outcomes)?;
    let held = |outcome: &&Outcome| matches!(outcome, Outcome::Caught | Outcome::LeftOut);
    Ok(outcomes.len() - outcomes.iter().filter(held).count())
}

fn make_one(mistake: &Mistake, args: &FaultsArgs, report: &mut Report) -> Result<Outcome, Ended> {
    let row = mistake.row();
    // From here to the end of the judgement the copy is ours alone.
    let copied = report.while_queueing(Copied::lock)?;
    let change = copied.change(mistake)?;
    report.mistake(mistake, &change)?;
    if !row.here {
        return Ok(Outcome::LeftOut);
    }
    let built_copy = while_building(row.binary, || copied.build(row));
    let changed = row.subject(&built_copy?);
    let checks: Vec<_> = CHECKS
        .iter()
        .filter(|check| args.every_check || mistake.checks.contains(&check.name))
        .collect();
    report.changed(row)?;
    let found = judge(&changed, &checks, report)?;
    drop(copied);
    let original = while_building(row.binary, || built(row.package, row.binary));
    let original = row.subject(&original?);
    report.original(row)?;
    let held = judge(&original, &checks, report)?;
    Ok(outcome(mistake, &found, &held))
}

/// What each check says of a program, told as it is known.
fn judge(
    subject: &Subject,
    checks: &[&'static Check],
    report: &mut Report,
) -> io::Result<Vec<(&'static str, Status)>> {
    let mut statuses = Vec::new();
    for check in checks {
        let (status, text) = while_saying(check.name.into(), || ask(subject, check));
        report.line(status, check.name, &text)?;
        statuses.push((check.name, status));
    }
    Ok(statuses)
}

/// What was seen with the mistake, and without it.
fn outcome(mistake: &Mistake, found: &[(&str, Status)], held: &[(&str, Status)]) -> Outcome {
    let expected = |(check, _): &&(&str, Status)| mistake.checks.contains(check);
    let found: Vec<_> = found.iter().filter(expected).map(|&(_, status)| status).collect();
    if found.iter().any(|status| matches!(status, Status::Ok | Status::Except)) {
        return Outcome::Unnoticed;
    }
    if held.iter().any(|&(_, status)| status == Status::Short) {
        return Outcome::NotCured;
    }
    // What one check cannot see here, another may have seen.
    if found.contains(&Status::Short) { Outcome::Caught } else { Outcome::LeftOut }
}

impl Mistake {
    /// The program in which it is made.
    fn row(&self) -> &'static Program {
        let row = programs::PROGRAMS.iter().find(|row| row.name == self.program);
        row.expect("a test sees to it that every mistake names a program")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::reading::root;
    use std::collections::HashSet;
    use std::fs;

    #[test]
    fn every_mistake_is_one_change_to_a_program_as_it_is_now() {
        let mut names = HashSet::new();
        for mistake in known::all() {
            let name = mistake.name;
            assert!(names.insert(name), "{name} twice");
            let row = mistake.row();
            let text = fs::read_to_string(root().join(mistake.file));
            let text = text.unwrap_or_else(|_| panic!("{name}: no file {}", mistake.file));
            assert_eq!(text.matches(mistake.before).count(), 1, "{name}: {}", mistake.file);
            assert!(mistake.before != mistake.after, "{name}");
            let folder = mistake.file.split('/').next().expect("a path has a first part");
            assert!(folder == row.package || folder == "common", "{name}: {}", mistake.file);
        }
    }

    #[test]
    fn every_mistake_is_explained_in_both_languages() {
        for kind in known::KINDS {
            for (language, section) in Language::BOTH.into_iter().zip(kind.section) {
                let path = root().join("docs").join(language.code()).join(kind.page);
                let chapter = fs::read_to_string(path).expect("the chapter");
                let heading = format!("## {section}");
                assert!(chapter.lines().any(|line| line == heading), "no heading {heading}");
                for mistake in kind.mistakes {
                    assert!(chapter.contains(&format!("`{}`", mistake.name)), "{}", mistake.name);
                }
            }
        }
        for mistake in known::all() {
            assert!(mistake.wrong.iter().all(|words| !words.is_empty()), "{}", mistake.name);
        }
    }

    /// A check that a program excuses itself from, or that is not asked of it, finds nothing.
    #[test]
    fn every_mistake_is_to_be_found_by_checks_that_are_asked() {
        for mistake in known::all() {
            let subject = mistake.row().subject("".as_ref());
            assert!(!mistake.checks.is_empty(), "{}", mistake.name);
            for name in mistake.checks {
                let check = CHECKS.iter().find(|check| check.name == *name);
                let check = check.unwrap_or_else(|| panic!("{}: no check {name}", mistake.name));
                assert!(check.needs <= subject.gives, "{}: {name}", mistake.name);
                assert_eq!(subject.exception(name), None, "{}: {name}", mistake.name);
            }
        }
    }

    /// A check that never falls short is no check.
    #[test]
    fn every_check_finds_a_mistake() {
        let finds = |check: &str| known::all().any(|mistake| mistake.checks.contains(&check));
        let idle: Vec<_> =
            CHECKS.iter().map(|check| check.name).filter(|check| !finds(check)).collect();
        assert_eq!(idle, [""; 0], "no known mistake makes these fall short");
    }

    #[test]
    fn a_mistake_is_caught_when_each_of_its_checks_falls_short_and_the_cure_holds() {
        let mistake = known::all().find(|mistake| mistake.checks.len() == 2).expect("there is one");
        let [one, two] = [mistake.checks[0], mistake.checks[1]];
        let seen = |first, second| [(one, first), (two, second)];
        let held = seen(Status::Ok, Status::Ok);
        let short = seen(Status::Short, Status::Short);
        assert_eq!(outcome(mistake, &short, &held), Outcome::Caught);
        assert_eq!(outcome(mistake, &short, &short), Outcome::NotCured);
        assert_eq!(outcome(mistake, &held, &held), Outcome::Unnoticed);
        assert_eq!(outcome(mistake, &seen(Status::Short, Status::Ok), &held), Outcome::Unnoticed);
        let half = seen(Status::Short, Status::Unseen);
        assert_eq!(outcome(mistake, &half, &held), Outcome::Caught);
        let unseen = seen(Status::Unseen, Status::Unseen);
        assert_eq!(outcome(mistake, &unseen, &held), Outcome::LeftOut);
    }
}
