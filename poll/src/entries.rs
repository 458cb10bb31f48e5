//! The list that poll(2) takes: its memory, its time-out, and how the narration shows it.

use common::explained;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// The memory of `list` for another one.
///
/// A [`PollFd`] borrows its descriptor: what is in a list cannot be closed. So the list itself
/// cannot be kept from turn to turn, where clients come and go. Its memory can. No entry is left to
/// be converted, and `collect` then works in the place where it stands. The standard library does
/// not promise that; a test below looks.
pub fn emptied<'a>(mut list: Vec<PollFd<'_>>) -> Vec<PollFd<'a>> {
    list.clear();
    list.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

/// What poll reported for this entry; empty when it is not ready.
pub fn reported(entry: &PollFd) -> PollFlags {
    // A bit without a name is some other system's news. To treat it as every flag is safe: recv and
    // send have the last word. To treat it as none would be a busy loop, for poll repeats it.
    entry.revents().unwrap_or(PollFlags::all())
}

/// A time-out as poll takes it: in milliseconds, rounded up. Rounded down, as `try_from(Duration)`
/// does, the last fraction would become a time-out of zero, and the loop would spin until it has
/// passed. The longest is 24 days; to wake after that for nothing harms nobody.
pub fn timeout(wait: Duration) -> PollTimeout {
    PollTimeout::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
}

/// Why poll refused a list of so many entries.
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
    fn the_memory_of_the_list_is_kept() {
        let (a, b) = UnixStream::pair().expect("descriptors are free");
        let mut list: Vec<_> =
            (0..1000).map(|_| PollFd::new(a.as_fd(), PollFlags::POLLIN)).collect();
        let (memory, room) = (list.as_ptr().cast::<()>(), list.capacity());
        for _ in 0..3 {
            list = emptied(list);
            assert!(list.is_empty());
            list.push(PollFd::new(b.as_fd(), PollFlags::POLLOUT));
            assert_eq!((list.as_ptr().cast(), list.capacity()), (memory, room));
        }
    }

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
        // As an entry of the listener's is while accepting is paused.
        let nothing = PollFlags::empty();
        let list = [(&a, both), (&b, nothing), (&b, PollFlags::POLLIN)];
        let list = list.map(|(socket, events)| PollFd::new(socket.as_fd(), events));
        let shown = Shown(&list, PollFd::events).to_string();
        assert_eq!(shown, format!("[({a_fd}, POLLIN|POLLOUT), ({b_fd}, POLLIN)]"));
        assert_eq!(Shown(&list, reported).to_string(), "[]");
    }
}
