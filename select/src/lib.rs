//! What every program in this package must know of select(2) beyond the call itself.

use common::{Connection, preview};
use log::info;
use nix::sys::select::{FD_SETSIZE, FdSet};
use nix::sys::socket::{MsgFlags, recv};
use nix::sys::time::{TimeVal, TimeValLike};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

/// Whether select can watch this descriptor at all: a set has room for the *numbers* 0 to 1023,
/// however few are in it. C writes beyond the set here and nix panics, so ask before. Says so when
/// it cannot.
#[must_use]
pub fn can_watch(client: &Connection) -> bool {
    let (fd, peer) = (client.as_fd().as_raw_fd(), client.peer());
    let fits = fits(fd);
    if !fits {
        info!("turning away {peer}: select cannot watch descriptor {fd} (FD_SETSIZE)");
    }
    fits
}

fn fits(fd: RawFd) -> bool {
    usize::try_from(fd).is_ok_and(|number| number < FD_SETSIZE)
}

/// The same of a descriptor that the program cannot do without. Its number is high if the program
/// was started with a thousand others open.
///
/// # Errors
///
/// One sentence that says what to do.
pub fn must_watch(fd: &impl AsFd) -> io::Result<()> {
    let number = fd.as_fd().as_raw_fd();
    if fits(number) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "select cannot watch descriptor {number}, only those below {FD_SETSIZE} \
         (close some in the shell or program that starts this one)"
    )))
}

/// A time-out as select takes it: in microseconds, rounded up. Rounded down, the last fraction
/// would become a time-out of zero, and the loop would spin until it has passed.
#[must_use]
pub fn timeval(wait: Duration) -> TimeVal {
    // Some systems refuse a time-out of years. One needless wake-up a day is harmless.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let micros = wait.min(LONGEST).as_nanos().div_ceil(1000);
    TimeVal::microseconds(micros.try_into().expect("a day is few enough microseconds"))
}

/// Whether to ask for TCP's urgent byte, which is what the third set reports of a socket. Linux
/// stops reporting it once it was taken. The BSDs go on until more data is received: a loop that
/// asks would spin there until then, so there the third set stays empty.
pub const ASK_FOR_URGENT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// An urgent byte stands outside the stream: it is taken, so that select stops reporting it, and it
/// has no answer. The notes close the client here.
pub fn take_urgent_byte(client: &Connection) {
    let (mut byte, peer) = ([0], client.peer());
    match recv(client.as_fd().as_raw_fd(), &mut byte, MsgFlags::MSG_OOB) {
        Ok(_) => info!("handling exceptional condition for {peer}: urgent byte {}", preview(&byte)),
        Err(error) => info!("no urgent byte from {peer} after all: {}", error.desc()),
    }
}

/// The descriptor numbers in a set, as the narration shows them: `[3, 5]`.
pub struct List<'a>(pub &'a FdSet<'a>);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.fds(None).map(|fd| fd.as_raw_fd())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_round_up_and_have_an_end() {
        let micros = |wait| timeval(wait).num_microseconds();
        assert_eq!(micros(Duration::ZERO), 0);
        assert_eq!(micros(Duration::from_nanos(1)), 1);
        assert_eq!(micros(Duration::from_nanos(1_000_001)), 1001);
        assert_eq!(micros(Duration::MAX), 24 * 60 * 60 * 1_000_000);
    }
}
