//! What every program in this crate must know of select(2) beyond the call itself.

use nix::sys::select::FD_SETSIZE;
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Whether select can watch this descriptor at all: a set has room for the *numbers* 0 to 1023,
/// however few are in it. C writes beyond the set here; nix panics; so it is asked before.
pub fn can_watch(fd: &impl AsFd) -> bool {
    usize::try_from(fd.as_fd().as_raw_fd()).is_ok_and(|number| number < FD_SETSIZE)
}

/// The same of a descriptor that the program cannot do without. Its number is high when whoever
/// started the program left a thousand others open in it.
pub fn must_watch(fd: &impl AsFd) -> io::Result<()> {
    if can_watch(fd) {
        return Ok(());
    }
    let number = fd.as_fd().as_raw_fd();
    Err(io::Error::other(format!(
        "select cannot watch descriptor {number}, only those below {FD_SETSIZE} \
         (close some in the shell or program that starts this one)"
    )))
}

/// A time-out as select takes it: in microseconds, rounded up. Rounded down, the last fraction
/// would become a time-out of zero, and the loop would spin until it has passed.
pub fn timeval(wait: Duration) -> TimeVal {
    // Some systems refuse a time-out of years. To wake once a day for nothing harms nobody.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let micros = wait.min(LONGEST).as_nanos().div_ceil(1000);
    TimeVal::microseconds(micros.try_into().expect("a day is few enough microseconds"))
}
