//! What goes on running when the program that was started has ended: a server that puts itself into
//! the background, or a helper that its server left behind.
//!
//! Linux gives a process whose parent has ended to the nearest ancestor that asks for such orphans
//! (PR_SET_CHILD_SUBREAPER, prctl(2)). That is this process, so nothing escapes by forking twice.
//! Each orphan must then be told apart from our other children, for only one may wait for a
//! process: it is in the process group of the program that was started, or has that program's mark
//! in its environment, or, its environment being overwritten (some servers write a title there), is
//! in a session other than ours, which no child is that we started.
//!
//! Elsewhere only the process group is known.

use super::observe;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// The variable of the environment that holds the mark.
pub(super) const MARK: &str = "LAB_SUBJECT";

/// A process that is left over.
#[derive(Debug)]
pub struct Stray {
    /// Its process number.
    pub pid: i32,
    name: String,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.pid)
    }
}

/// What the marks of all programs begin with that this process starts.
pub(super) fn our_mark() -> &'static str {
    static OURS: OnceLock<String> = OnceLock::new();
    OURS.get_or_init(|| {
        // Its number may have been another's before.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        format!("{}-{}-", std::process::id(), now.as_nanos())
    })
}

/// A mark for one more program. From now on orphans become our children.
pub(super) fn new_mark() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    #[cfg(target_os = "linux")]
    {
        static ADOPTS: std::sync::Once = std::sync::Once::new();
        // Where it is refused, a stray is the first process's child, and is not seen.
        ADOPTS.call_once(|| {
            let _ = nix::sys::prctl::set_child_subreaper(true);
        });
    }
    format!("{}{}", our_mark(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The strays of the program that was started as `leader`, with this mark. Those that have ended
/// meanwhile are waited for.
pub(super) fn of(leader: i32, mark: &str) -> Vec<Stray> {
    let us = nix::unistd::getpid().as_raw();
    let Some(here) = observe::place(us) else { return Vec::new() };
    let mut strays = Vec::new();
    for pid in observe::children(us) {
        let Some(place) = observe::place(pid).filter(|_| pid != leader) else { continue };
        let its_own = || match observe::environment(pid, MARK) {
            Some(its_mark) => its_mark == mark,
            None => place.session != here.session,
        };
        if place.group != leader && !its_own() {
            continue;
        }
        if place.ended {
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        } else {
            strays.push(Stray { pid, name: place.name });
        }
    }
    strays
}
