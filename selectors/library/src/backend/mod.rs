//! The ways of waiting, behind one trait.

mod choice;
mod poll;
mod select;

pub use choice::{AnyBackend, AnySelector, Mechanism};
pub use poll::{PollBackend, PollSelector};
pub use select::{SelectBackend, SelectSelector};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use epoll::{EpollBackend, EpollBackend as DefaultBackend, EpollSelector};

#[cfg(any(
    all(test, target_os = "linux"),
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
mod filters;
#[cfg(any(
    all(test, target_os = "linux"),
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
pub use kqueue::KqueueBackend as DefaultBackend;
#[cfg(any(
    all(test, target_os = "linux"),
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub use kqueue::{KqueueBackend, KqueueSelector};

#[cfg(any(all(test, target_os = "linux"), target_os = "illumos", target_os = "solaris"))]
mod devpoll;
#[cfg(any(all(test, target_os = "linux"), target_os = "illumos", target_os = "solaris"))]
mod eventport;
#[cfg(any(all(test, target_os = "linux"), target_os = "illumos", target_os = "solaris"))]
pub use devpoll::{DevpollBackend, DevpollSelector};
#[cfg(any(target_os = "illumos", target_os = "solaris"))]
pub use eventport::EventPortBackend as DefaultBackend;
#[cfg(any(all(test, target_os = "linux"), target_os = "illumos", target_os = "solaris"))]
pub use eventport::{EventPortBackend, EventPortSelector};

#[cfg(all(test, target_os = "linux"))]
mod double;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "illumos",
    target_os = "solaris"
))]
mod system;

use crate::{EVENT_READ, EventMask, WakeEvent};
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

/// A way of waiting for many descriptors: what [`Selector`](crate::Selector) is built on.
///
/// `add`, `modify` and `remove` do nothing unless a backend says otherwise, and for select and poll
/// that is right: they hand the whole list over at every wait. epoll, kqueue, event ports and
/// /dev/poll keep the list in the kernel; for them a change is a system call, and a wait needs no
/// list. Here stands the difference between the two families, in full.
///
/// One of your own can stand in front of another, for example to count its waits:
///
/// ```
/// use fd_selectors::{Backend, DefaultBackend, EventMask, Registered, Selector};
/// use std::io;
/// use std::os::fd::{BorrowedFd, RawFd};
/// use std::time::Duration;
///
/// #[derive(Debug)]
/// struct Counting<B> {
///     backend: B,
///     waits: u64,
/// }
///
/// impl<B: Backend> Backend for Counting<B> {
///     fn new() -> io::Result<Self> {
///         Ok(Self { backend: B::new()?, waits: 0 })
///     }
///
///     fn name(&self) -> &'static str {
///         self.backend.name()
///     }
///
///     fn wait(
///         &mut self,
///         registered: &dyn Registered,
///         timeout: Option<Duration>,
///         most: usize,
///         ready: &mut Vec<(RawFd, EventMask)>,
///     ) -> io::Result<()> {
///         self.waits += 1;
///         self.backend.wait(registered, timeout, most, ready)
///     }
///     // And add, modify, remove, restart and wake_event: each handed on.
/// }
///
/// let mut selector = Selector::<std::net::TcpStream, (), Counting<DefaultBackend>>::new()?;
/// selector.select_ready(Some(Duration::ZERO), &mut Vec::new())?;
/// assert_eq!(selector.backend().waits, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Backend: fmt::Debug {
    /// A backend that waits for nothing yet.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    fn new() -> io::Result<Self>
    where
        Self: Sized;

    /// Its name: `epoll`.
    fn name(&self) -> &'static str;

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
    /// `registered` is what was added, as it is now, in the order in which it was added. Of more
    /// than `most` that are ready, the backend may leave the rest to the next wait; it has to see
    /// to it that all get their turn, unless it reports in the order of registration.
    ///
    /// # Errors
    ///
    /// `Interrupted` when a signal came first. Others as the system says.
    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        most: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()>;

    /// Something was reported that is not registered, and would be for ever: forget everything, and
    /// watch what is `registered` only. A backend that can't report such a thing has nothing to do.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    fn restart(&mut self, registered: &dyn Registered) -> io::Result<()> {
        let _ = registered;
        Ok(())
    }

    /// What another thread can end a wait by. Asked for once, at most. From then on it is one of
    /// those that are watched, and if it is a descriptor, one of the `registered`.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    fn wake_event(&mut self) -> io::Result<WakeEvent> {
        let event = WakeEvent::descriptor()?;
        if let Some(fd) = event.as_descriptor() {
            self.add(fd, EVENT_READ)?;
        }
        Ok(event)
    }
}

/// What a [`Backend`] has to wait for, in the order of registration.
pub trait Registered {
    /// How many.
    fn count(&self) -> usize;

    /// Calls `visit` for each.
    fn for_each<'a>(&'a self, visit: &mut dyn FnMut(BorrowedFd<'a>, EventMask));
}

/// For [`Backend::restart`]: this new backend with what is registered. The old one stays in use if
/// one of them is refused.
#[allow(dead_code, reason = "select, poll and kqueue report what is registered only")]
fn with_all<B: Backend>(mut backend: B, registered: &dyn Registered) -> io::Result<B> {
    let mut result = Ok(());
    registered.for_each(&mut |fd, events| match backend.add(fd, events) {
        // Closed behind the selector's back: there is nothing to watch.
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
        Err(error) if result.is_ok() => result = Err(error),
        _ => {}
    });
    result.map(|()| backend)
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
