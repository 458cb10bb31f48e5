//! The experiments, a file for those that belong together, and what several of them share:
//! sockets, epoll, threads, clients that come and go.

mod address_space;
mod backlog;
mod busy_asking;
mod caller_sleeps;
mod closing;
mod completion;
mod copy_phase;
mod edges;
mod endings;
mod epoll_calls;
mod epoll_corners;
mod few_and_many;
mod herd;
mod idle_cost;
mod inherit;
mod leaving;
mod limits;
mod looks;
mod loops_cores;
mod no_accept;
#[cfg(target_os = "linux")]
mod one_epoll;
mod order;
#[cfg(target_os = "linux")]
mod own_port;
mod pause;
mod pool;
mod promises;
mod readable;
mod reset_loses;
mod select_overwrites;
mod sendfile;
mod serial;
mod sigpipe;
mod slow_handler;
pub(crate) mod sockets;
mod third_set;
mod threads;
mod timeouts;
mod triggers;
mod two_pipes;
mod two_waits;
mod unacknowledged;
mod vanished;
mod visitor;
mod watch;
mod woken;

use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
#[cfg(test)]
use judge::language::Words;

/// All of them, in the order of the list.
pub(super) const EXPERIMENTS: &[&Experiment] = &[
    &backlog::BACKLOG,
    &backlog::BACKLOG_BURST,
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
    &promises::WRITABLE_BUT_BLOCKS,
    &promises::READY_BUT_NO_DATA,
    &promises::REGULAR_FILES,
    &endings::ENDINGS,
    &reset_loses::RESET_LOSES,
    &closing::CLOSING_STATES,
    &closing::LINGER,
    &sigpipe::SIGPIPE,
    &vanished::VANISHED,
    &timeouts::TIMEOUTS,
    &triggers::LEVEL_AND_EDGE,
    &edges::EDGES,
    &triggers::EDGE_CALLS,
    &epoll_calls::EPOLL_MMAP,
    &epoll_calls::INTEREST_CHANGES,
    &epoll_calls::WHERE_IT_BLOCKS,
    &epoll_corners::EPOLL_CORNERS,
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
    &sendfile::SENDFILE,
    &caller_sleeps::CALLER_SLEEPS,
    &two_waits::TWO_WAITS,
    &two_pipes::TWO_PIPES,
    &two_pipes::PIDFD,
    &slow_handler::SLOW_HANDLER,
    &idle_cost::IDLE_COST,
    &idle_cost::COPYING_OR_ASKING,
    &few_and_many::FEW_AND_MANY,
    &herd::HERD,
    &loops_cores::LOOPS_CORES,
];

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
    judge::check::suite::descriptor_limit();
    let findings = match (experiment.run)() {
        Ok(findings) => findings,
        Err(Unable::Here(why)) => return Some(why),
        Err(Unable::Failed(why)) => panic!("{}: {why}", experiment.name),
    };
    assert_eq!(findings.len(), experiment.claims.len(), "{}", experiment.name);
    for (claim, finding) in experiment.claims.iter().zip(findings) {
        assert!(finding.agrees, "{}: {}", claim.says[0], finding.seen.en);
    }
    None
}
