//! Two facts about select(2) that every program in this crate meets.

use nix::sys::select::FD_SETSIZE;
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Whether select can watch this descriptor at all: a set has room for the *numbers* 0 to 1023,
/// however few are in it. C writes beyond the set here; nix panics; so it is asked before.
pub fn can_watch(fd: &impl AsFd) -> bool {
    usize::try_from(fd.as_fd().as_raw_fd()).is_ok_and(|number| number < FD_SETSIZE)
}

/// A time-out as select takes it: in microseconds, rounded up. Rounded down, the last fraction
/// would become a time-out of zero, and the loop would spin until it has passed.
pub fn timeval(wait: Duration) -> TimeVal {
    // Longer than 292 000 years is as good as for ever.
    TimeVal::microseconds(wait.as_nanos().div_ceil(1000).try_into().unwrap_or(i64::MAX))
}
