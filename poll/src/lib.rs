//! What the programs of this package must know of poll(2) beyond the call itself: its time-out,
//! what it refuses, and how the narration shows its list.

mod self_pipe;

pub use self_pipe::Signals;

use common::explained;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// What poll reported for this entry; empty when it is not ready.
#[must_use]
pub fn reported(entry: &PollFd) -> PollFlags {
    // Unknown bits are treated as all flags: recv and send will tell what there is. To ignore them
    // would be a busy loop, because poll reports them again.
    entry.revents().unwrap_or(PollFlags::all())
}

/// A time-out as poll takes it: in milliseconds, rounded up. Rounded down, as `try_from(Duration)`
/// does, the last fraction would become a time-out of zero, and the loop would spin until it has
/// passed. The longest is 24 days; one needless wake-up after that is harmless.
#[must_use]
pub fn timeout(wait: Duration) -> PollTimeout {
    PollTimeout::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
}

/// Why poll refused a list of so many entries.
#[must_use]
pub fn refused(errno: Errno, count: usize) -> io::Error {
    let error = errno.into();
    let advice = match errno {
        Errno::EINVAL => " (was ulimit -n lowered below that? raise it)",
        _ => "",
    };
    explained(&error, format!("cannot poll {count} descriptors: {}{advice}", errno.desc()))
}

/// Entries as the notes print them, descriptor and flags: `[(3, POLLIN), (5, POLLIN|POLLHUP)]`.
/// The flags are those asked for ([`PollFd::events`]) or those that came ([`reported`]).
pub struct Shown<'a>(pub &'a [PollFd<'a>], pub fn(&PollFd<'a>) -> PollFlags);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(list, flags) = self;
        let with_flags = list.iter().filter(|&entry| !flags(entry).is_empty()).map(|entry| {
            let names: Vec<_> = flags(entry).iter_names().map(|(name, _)| name).collect();
            (entry.as_fd().as_raw_fd(), names.join("|"))
        });
        f.write_str("[")?;
        for (n, (fd, names)) in with_flags.enumerate() {
            write!(f, "{}({fd}, {names})", if n > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn timeouts_round_up_and_never_fail() {
        let millis = |wait| timeout(wait).as_millis();
        assert_eq!(millis(Duration::ZERO), Some(0));
        assert_eq!(millis(Duration::from_nanos(1)), Some(1));
        assert_eq!(millis(Duration::from_micros(1001)), Some(2));
        assert_eq!(millis(Duration::MAX), Some(i32::MAX.unsigned_abs()));
    }

    #[test]
    fn flags_have_their_names() {
        let (a, b) = UnixStream::pair().expect("descriptors are free");
        let (a_fd, b_fd) = (a.as_raw_fd(), b.as_raw_fd());
        let both = PollFlags::POLLIN | PollFlags::POLLOUT;
        // As the entry of a client that is watched for nothing.
        let nothing = PollFlags::empty();
        let list = [(&a, both), (&b, nothing), (&b, PollFlags::POLLIN)];
        let list = list.map(|(socket, events)| PollFd::new(socket.as_fd(), events));
        let shown = Shown(&list, PollFd::events).to_string();
        assert_eq!(shown, format!("[({a_fd}, POLLIN|POLLOUT), ({b_fd}, POLLIN)]"));
        assert_eq!(Shown(&list, reported).to_string(), "[]");
    }
}
