//! The system calls of kqueue, /dev/poll and event ports. On Linux, in the tests, a `double` stands
//! for them.

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
mod devpoll;
#[cfg(any(target_os = "illumos", target_os = "solaris"))]
mod eventport;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
mod kqueue;

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
pub(super) use devpoll::Device;
#[cfg(any(target_os = "illumos", target_os = "solaris"))]
pub(super) use eventport::Port;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub(super) use kqueue::Kqueue;

use nix::sys::time::{TimeSpec, TimeValLike};
use std::time::Duration;

/// A time-out as kevent and port_getn take it: in nanoseconds, so there is nothing to round. Some
/// systems refuse one of years; the selector waits again when there is time left.
fn timespec(wait: Duration) -> libc::timespec {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let nanos = wait.min(LONGEST).as_nanos();
    *TimeSpec::nanoseconds(nanos.try_into().expect("a day is few enough nanoseconds")).as_ref()
}
