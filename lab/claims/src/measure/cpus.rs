//! Which CPU runs whom: the server one of its own, the clients another.
//!
//! Left to itself the scheduler moves both about, and a round in which they share a CPU differs
//! from one in which they do not. Where the system has no such call, nothing is fixed.

use judge::process::observe;
#[cfg(target_os = "linux")]
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The CPUs that a measurement uses.
#[derive(Clone, Copy, Debug)]
pub struct Cpus {
    /// The server's.
    pub server: usize,
    /// The one that the load runs on.
    pub clients: usize,
}

impl Cpus {
    /// The first and the last of the CPUs that this process may use, or the same for both.
    pub fn choose(one: bool) -> Option<Self> {
        let allowed = allowed()?;
        let (server, last) = (*allowed.first()?, *allowed.last()?);
        Some(Self { server, clients: if one { server } else { last } })
    }

    /// The clients are the thread that calls this.
    pub fn fix(self, server: i32) {
        fix(0, self.clients);
        for process in observe::family(server) {
            for thread in observe::tasks(process) {
                fix(thread, self.server);
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn allowed() -> Option<Vec<usize>> {
    // Once: after the first measurement this thread is bound to one CPU itself.
    static ALLOWED: std::sync::OnceLock<Option<Vec<usize>>> = std::sync::OnceLock::new();
    let look = || {
        let set = sched_getaffinity(Pid::from_raw(0)).ok()?;
        Some((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
    };
    ALLOWED.get_or_init(look).clone()
}

#[cfg(target_os = "linux")]
fn fix(thread: i32, cpu: usize) {
    let mut set = CpuSet::new();
    if set.set(cpu).is_ok() {
        // A container may forbid it; the figures then only spread more.
        let _ = sched_setaffinity(Pid::from_raw(thread), &set);
    }
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Option<Vec<usize>> {
    None
}

#[cfg(not(target_os = "linux"))]
fn fix(_thread: i32, _cpu: usize) {}
