//! What Linux tells about threads, those of this process above all.

use super::Unable;
use super::sockets::PATIENCE;
use judge::process::{observe, soon};
use std::fs;
use std::time::Duration;

/// What a thread has used, and how often it went to sleep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub cpu: Duration,
    /// Able to run, and none of the CPUs free.
    pub in_line: Duration,
    /// Voluntary context switches: it gave the CPU away, to wait.
    pub sleeps: u64,
}

impl Account {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            in_line: self.in_line.saturating_sub(before.in_line),
            sleeps: self.sleeps.saturating_sub(before.sleeps),
        }
    }

    /// The part of one CPU that it used, or would have, in percent.
    pub(super) fn busy(self, time: Duration) -> f64 {
        let used = 100.0 * self.cpu.as_secs_f64() / time.as_secs_f64();
        let wanted = used + 100.0 * self.in_line.as_secs_f64() / time.as_secs_f64();
        // One that sleeps stands in line for a moment each time it is woken: that is no work.
        if wanted > 50.0 { wanted.min(100.0) } else { used }
    }
}

/// Of the thread that calls this.
#[cfg(target_os = "linux")]
pub(super) fn account() -> Result<Account, Unable> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::time::{ClockId, clock_gettime};
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let cpu = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    // Time on a CPU, time in line, in nanoseconds. Some kernels do not count the latter.
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let in_line = stat.split_whitespace().nth(1).and_then(|time| time.parse().ok()).unwrap_or(0);
    Ok(Account {
        cpu: cpu.into(),
        in_line: Duration::from_nanos(in_line),
        sleeps: u64::try_from(usage.voluntary_context_switches()).unwrap_or(0),
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn account() -> Result<Account, Unable> {
    Err(not_seen())
}

/// The number of the thread that calls this, and how it looks from outside: see [`state`].
#[cfg(target_os = "linux")]
pub(super) fn number() -> i32 {
    nix::unistd::gettid().as_raw()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn number() -> i32 {
    -1
}

/// What a thread of this process is doing: `R` running or in line, `S` asleep.
pub(super) fn state(thread: i32) -> Result<char, Unable> {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
    let state = stat.ok().filter(|_| cfg!(target_os = "linux")).and_then(|stat| letter(&stat));
    state.ok_or_else(not_seen)
}

/// Waits until a thread of this process sleeps in a system call of this name: `epoll` for each of
/// epoll's waits.
pub(super) fn falls_asleep_in(thread: i32, call: &str) -> Result<(), Unable> {
    let process = i32::try_from(std::process::id()).expect("the system's numbers are signed");
    // Of a thread that has ended nothing is seen either.
    observe::system_call(process, number()).ok_or_else(not_seen)?;
    let asleep =
        soon(PATIENCE, || observe::system_call(process, thread)?.starts_with(call).then_some(()));
    asleep.ok_or_else(|| format!("it does not sleep in {call}").into())
}

/// How often a thread of a process has gone to sleep so far: its voluntary context switches.
pub(super) fn sleeps(process: i32, thread: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/task/{thread}/status")).ok()?;
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    count.trim().parse().ok()
}

/// The third field. The second is a name in parentheses that may itself contain some.
fn letter(stat: &str) -> Option<char> {
    stat[stat.rfind(')')? + 1..].trim_start().chars().next()
}

/// How many threads a process has; none where it is not seen.
#[derive(Clone, Copy)]
pub(super) struct Count(Option<usize>);

impl Count {
    pub(super) fn of(process: i32) -> Self {
        Self(Some(observe::tasks(process).len()).filter(|&count| count > 0))
    }

    /// As many, or not seen: then other things have to say it all.
    pub(super) fn may_be(self, count: usize) -> bool {
        self.0.is_none_or(|seen| seen == count)
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(count) => write!(f, "{count}"),
            None => f.write_str("–"),
        }
    }
}

fn not_seen() -> Unable {
    Unable::here("what a thread does is not seen on this system", "这个系统看不到线程在做什么")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_sleep_is_one_switch_and_no_cpu() {
        let Ok(before) = account() else { panic!("Linux tells") };
        thread::sleep(Duration::from_millis(50));
        let Ok(after) = account() else { panic!("Linux tells") };
        let spent = after.since(before);
        assert!(spent.sleeps >= 1 && spent.cpu < Duration::from_millis(25), "{spent:?}");
        assert!(spent.busy(Duration::from_millis(50)) < 50.0);
    }

    #[test]
    fn the_state_is_behind_the_name() {
        assert_eq!(letter("77 (a (R) b) S 1 77"), Some('S'));
        assert!(matches!(state(number()), Ok('R')), "who looks is running");
    }
}
