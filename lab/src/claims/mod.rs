//! `lab claims`: what the notes say, measured here and now.
//!
//! Each experiment does honest work on real sockets and reports what it saw, claim by claim. The
//! verdicts are the course's, printed in its chapters; a measurement that contradicts one is a
//! fault of the course, and ends with exit status 1.

mod address_space;
mod backlog;
mod busy_asking;
mod caller_sleeps;
mod completion;
mod copy_phase;
mod endings;
mod epoll_calls;
mod few_and_many;
mod idle_cost;
mod inherit;
mod leaving;
mod limits;
mod looks;
mod no_accept;
mod order;
mod pause;
mod pool;
mod promises;
mod readable;
mod report;
mod select_overwrites;
mod serial;
mod slow_handler;
mod sockets;
mod third_set;
mod threads;
mod timeouts;
mod triggers;
mod two_waits;
mod unacknowledged;
mod visitor;
mod watch;
mod woken;

use crate::language::{Language, Words};
use clap::Args;
use std::process::ExitCode;

/// Measure what the notes claim, on this machine
///
/// Without a name: the list of the experiments. Each line of a report has a claim of the notes,
/// the course's verdict on it, and what was measured. Exit status 1 when a measurement contradicts
/// a verdict.
#[derive(Debug, Args)]
pub struct ClaimsArgs {
    /// Experiments, by name
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// All of them (about two minutes)
    #[arg(long, conflicts_with = "names")]
    all: bool,

    /// The language of the report
    #[arg(long, value_enum, default_value = "en")]
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

/// A sentence of the notes.
pub(crate) struct Claim {
    /// Which of them, `S0` to `S4`, and its own words.
    pub note: &'static str,
    pub quote: &'static str,
    /// What it says, in a few words of each language; empty where the quotation says it all.
    pub says: [&'static str; 2],
    pub verdict: Verdict,
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

/// All of them, in the order of the list.
const EXPERIMENTS: &[&Experiment] = &[
    &backlog::BACKLOG,
    &no_accept::NO_ACCEPT,
    &unacknowledged::UNACKNOWLEDGED,
    &inherit::INHERIT,
    &select_overwrites::SELECT_OVERWRITES,
    &limits::FD_SETSIZE,
    &limits::DESCRIPTOR_LIMIT,
    &limits::EPOLL_LIMITS,
    &third_set::THIRD_SET,
    &readable::READABLE,
    &promises::WRITABLE,
    &promises::WRITABLE_AGAIN,
    &promises::READY_BUT_NO_DATA,
    &promises::REGULAR_FILES,
    &endings::ENDINGS,
    &timeouts::TIMEOUTS,
    &triggers::LEVEL_AND_EDGE,
    &triggers::EDGE_CALLS,
    &epoll_calls::EPOLL_MMAP,
    &epoll_calls::INTEREST_CHANGES,
    &epoll_calls::WHERE_IT_BLOCKS,
    &completion::COMPLETION,
    &address_space::ADDRESS_SPACE,
    &woken::WOKEN_NOT_SIGNALLED,
    &order::ORDER,
    &order::READY_LIST,
    &leaving::LEAVING,
    &serial::SERIAL,
    &pool::POOL,
    &pool::POOL_THREADS,
    &busy_asking::BUSY_ASKING,
    &pause::PAUSE,
    &copy_phase::COPY_PHASE,
    &caller_sleeps::CALLER_SLEEPS,
    &two_waits::TWO_WAITS,
    &slow_handler::SLOW_HANDLER,
    &idle_cost::IDLE_COST,
    &idle_cost::COPYING_OR_ASKING,
    &few_and_many::FEW_AND_MANY,
];

/// Runs `lab claims`.
#[must_use]
pub fn main(args: &ClaimsArgs) -> ExitCode {
    crate::check::suite::descriptor_limit();
    report::main(args)
}

/// For the experiments' own tests: what they find is what the course says, and they can see here.
#[cfg(test)]
fn confirm(experiment: &Experiment) {
    if let Some(why) = judge(experiment) {
        panic!("{}: not seen here: {}", experiment.name, why.en);
    }
}

/// The same of one that takes what not every machine has: strace, io_uring, thousands of
/// descriptors.
#[cfg(test)]
fn confirm_where_seen(experiment: &Experiment) {
    if let Some(why) = judge(experiment) {
        println!("{}: not tried: {}", experiment.name, why.en);
    }
}

/// Why it could not see, if it could not.
#[cfg(test)]
fn judge(experiment: &Experiment) -> Option<Words> {
    use std::sync::{Mutex, PoisonError};
    // One at a time: one experiment's thousand descriptors would leave another, in the same
    // process, none that select can watch.
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    crate::check::suite::descriptor_limit();
    let findings = match (experiment.run)() {
        Ok(findings) => findings,
        Err(Unable::Here(why)) => return Some(why),
        Err(Unable::Failed(why)) => panic!("{}: {why}", experiment.name),
    };
    assert_eq!(findings.len(), experiment.claims.len(), "{}", experiment.name);
    for (claim, finding) in experiment.claims.iter().zip(findings) {
        assert!(finding.agrees, "{}: {}", claim.quote, finding.seen.en);
    }
    None
}
