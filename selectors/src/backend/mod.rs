//! The five ways of waiting, behind one trait.

mod poll;
mod select;

pub use poll::{PollBackend, PollSelector};
pub use select::{SelectBackend, SelectSelector};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use epoll::{EpollBackend, EpollBackend as DefaultBackend, EpollSelector};

#[cfg(any(
    test,
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
mod filters;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
mod kqueue;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub use kqueue::{KqueueBackend, KqueueBackend as DefaultBackend, KqueueSelector};

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
mod devpoll;
#[cfg(any(target_os = "illumos", target_os = "solaris"))]
pub use devpoll::{DevpollBackend, DevpollBackend as DefaultBackend, DevpollSelector};

use crate::EventMask;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

/// A way of waiting for many descriptors: what [`Selector`](crate::Selector) is built on.
///
/// `add`, `modify` and `remove` do nothing unless a backend says otherwise, and for select and poll
/// that is right: they hand the whole list over at every wait. epoll, kqueue and /dev/poll keep the
/// list in the kernel; for them a change is a system call, and a wait needs no list. Here stands
/// the difference between the two families, in full.
pub trait Backend: Sized {
    /// Its name, as in `--backend`.
    const NAME: &'static str;

    /// A backend that waits for nothing yet.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    fn new() -> io::Result<Self>;

    /// `fd` is to be waited for. It was not before.
    ///
    /// # Errors
    ///
    /// What the system refuses; then nothing has changed.
    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        let _ = (fd, events);
        Ok(())
    }

    /// `fd` is to be waited for in another way than before.
    ///
    /// # Errors
    ///
    /// What the system refuses; then nothing has changed.
    fn modify(&mut self, fd: BorrowedFd<'_>, old: EventMask, new: EventMask) -> io::Result<()> {
        let _ = (fd, old, new);
        Ok(())
    }

    /// `fd` is not to be waited for any more.
    ///
    /// # Errors
    ///
    /// What the system refuses. The selector ignores it: its key is gone already.
    fn remove(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        let _ = (fd, events);
        Ok(())
    }

    /// Waits, once, until something is ready or the time is over, and adds what is to `ready`,
    /// each descriptor once. A hang-up or an error is ready for everything, as far as the system
    /// tells (select does not tell all).
    ///
    /// `registered` is what was added, as it is now, in the order in which it was added.
    ///
    /// # Errors
    ///
    /// `Interrupted` when a signal came first. Others as the system says.
    fn wait<'fd>(
        &mut self,
        registered: impl ExactSizeIterator<Item = (BorrowedFd<'fd>, EventMask)> + Clone,
        timeout: Option<Duration>,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()>;
}

/// A time-out as poll and epoll take it: in milliseconds, rounded up. Rounded down, the last
/// fraction would become a time-out of zero, and a loop would spin until it has passed.
fn millis(timeout: Option<Duration>) -> nix::poll::PollTimeout {
    use nix::poll::PollTimeout;
    timeout.map_or(PollTimeout::NONE, |timeout| {
        let millis = timeout.as_nanos().div_ceil(1_000_000);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    })
}
