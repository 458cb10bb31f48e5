//! `lab claims`: what the notes say, and what people say and ask, measured here and now.
//!
//! Each experiment does honest work on real sockets and reports what it saw, claim by claim. The
//! verdicts are the course's, printed in its chapters; a measurement that contradicts one is a
//! fault of the course, and ends with exit status 1.
//!
//! [`measure`] is what they measure with: load, idle clients, strace, and figures with their
//! spread.

mod experiments;
pub mod measure;
mod report;

use clap::Args;
use judge::language::{Language, Words};
use std::process::ExitCode;

/// Measure what is claimed, on this machine
///
/// Without a name: the list of the experiments. Each line of a report has a claim of the notes, or
/// what people often say or ask; the course's verdict on it; and what was measured. Exit status 1
/// when a measurement contradicts a verdict.
#[derive(Debug, Args)]
pub struct ClaimsArgs {
    /// Experiments, by name
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// All of them (about a minute, after a first build of some minutes)
    #[arg(long, conflicts_with = "names")]
    all: bool,

    /// The language of the report
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

/// What the course says of a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Right,
    Incomplete,
    Outdated,
    Wrong,
    /// It says nothing: it asks, and the course answers.
    Question,
}

/// A sentence of the notes, or what people often say or ask.
pub(crate) struct Claim {
    /// Which of the notes, `S0` to `S4`, or [`ASKED`].
    pub note: &'static str,
    /// The note's own words; empty where people ask, each in words of their own.
    pub quote: &'static str,
    /// What it says, in a few words of each language; empty where the quotation says it all.
    pub says: [&'static str; 2],
    pub verdict: Verdict,
}

/// It stands in none of the notes: the question pages, `docs/en/q-…`, have it.
pub(crate) const ASKED: &str = "asked";

impl Claim {
    /// What people often say or ask.
    pub(crate) const fn asked(says: [&'static str; 2], verdict: Verdict) -> Self {
        Self { note: ASKED, quote: "", says, verdict }
    }
}

/// What was measured for one claim.
pub(crate) struct Finding {
    pub seen: Words,
    /// It is as the course's verdict says.
    pub agrees: bool,
}

impl Finding {
    pub(crate) fn new(agrees: bool, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { seen: Words::new(en, zh), agrees }
    }
}

/// Why an experiment has nothing to say.
pub(crate) enum Unable {
    /// This system, or this user, does not let us see: no fault of anybody's.
    Here(Words),
    /// It went wrong.
    Failed(String),
}

impl Unable {
    pub(crate) fn here(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self::Here(Words::new(en, zh))
    }
}

impl From<String> for Unable {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<std::io::Error> for Unable {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(common::reason(&error))
    }
}

impl From<nix::errno::Errno> for Unable {
    fn from(errno: nix::errno::Errno) -> Self {
        std::io::Error::from(errno).into()
    }
}

/// One finding for each claim, in their order.
pub(crate) type Found = Result<Vec<Finding>, Unable>;

/// One experiment, and the claims that it judges.
pub(crate) struct Experiment {
    pub name: &'static str,
    /// What it does, in a few words of each language.
    pub does: [&'static str; 2],
    pub claims: &'static [Claim],
    pub run: fn() -> Found,
}

/// Runs `lab claims`.
#[must_use]
pub fn main(args: &ClaimsArgs) -> ExitCode {
    args.lang.speak();
    judge::check::suite::descriptor_limit();
    report::main(args)
}
