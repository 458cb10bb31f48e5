//! A backend that is chosen when the program runs.

use super::{Backend, DefaultBackend, PollBackend, Registered, SelectBackend};
use crate::{EventMask, Selector, WakeEvent};
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::str::FromStr;
use std::time::Duration;

/// Any backend. A selector on it is of the same type whatever it waits with: [`AnySelector`].
pub type AnyBackend = Box<dyn Backend + Send + Sync>;

/// A selector whose backend is chosen when the program runs: see [`Mechanism::selector`].
pub type AnySelector<F, D> = Selector<F, D, AnyBackend>;

/// What a selector can wait with, by name. Some systems have only some of them.
///
/// ```
/// use fd_selectors::{AnySelector, Backend, EVENT_READ, Mechanism};
/// use std::os::unix::net::UnixStream;
///
/// let mechanism: Mechanism = "poll".parse()?;
/// let mut selector: AnySelector<UnixStream, &str> = mechanism.selector()?;
/// let (a, _b) = UnixStream::pair()?;
/// selector.register(a, EVENT_READ, "a")?;
/// assert_eq!(selector.backend().name(), "poll");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// select(2): everywhere, for descriptors below 1024.
    Select,
    /// poll(2): everywhere.
    Poll,
    /// epoll(7): Linux.
    Epoll,
    /// kqueue(2): macOS and the BSDs.
    Kqueue,
    /// Event ports (port_create(3C)): illumos and Solaris.
    EventPort,
    /// /dev/poll (poll(4D)): illumos and Solaris.
    Devpoll,
}

impl Mechanism {
    /// All of them, also those that this system lacks.
    pub const ALL: &'static [Self] =
        &[Self::Select, Self::Poll, Self::Epoll, Self::Kqueue, Self::EventPort, Self::Devpoll];

    /// Its name, in lower case: what [`FromStr`] takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Poll => "poll",
            Self::Epoll => "epoll",
            Self::Kqueue => "kqueue",
            Self::EventPort => "eventport",
            Self::Devpoll => "devpoll",
        }
    }

    /// A backend that waits with it.
    ///
    /// # Errors
    ///
    /// `Unsupported`: this system has none. Others as the system says, when no descriptor is free.
    pub fn backend(self) -> io::Result<AnyBackend> {
        match self {
            Self::Select => boxed::<SelectBackend>(),
            Self::Poll => boxed::<PollBackend>(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll => boxed::<super::EpollBackend>(),
            #[cfg(any(
                target_vendor = "apple",
                target_os = "freebsd",
                target_os = "dragonfly",
                target_os = "netbsd",
                target_os = "openbsd"
            ))]
            Self::Kqueue => boxed::<super::KqueueBackend>(),
            #[cfg(any(target_os = "illumos", target_os = "solaris"))]
            Self::EventPort => boxed::<super::EventPortBackend>(),
            #[cfg(any(target_os = "illumos", target_os = "solaris"))]
            Self::Devpoll => boxed::<super::DevpollBackend>(),
            missing => {
                let why = format!("this system has no {missing}");
                Err(io::Error::new(io::ErrorKind::Unsupported, why))
            }
        }
    }

    /// A selector that waits with it, with nothing registered.
    ///
    /// # Errors
    ///
    /// As [`backend`](Self::backend).
    pub fn selector<F, D>(self) -> io::Result<AnySelector<F, D>> {
        self.backend().map(Selector::with_backend)
    }
}

fn boxed<B: Backend + Send + Sync + 'static>() -> io::Result<AnyBackend> {
    Ok(Box::new(B::new()?))
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mechanism {
    type Err = io::Error;

    /// # Errors
    ///
    /// `InvalidInput`: it is none of the six names.
    fn from_str(name: &str) -> io::Result<Self> {
        Self::ALL.iter().copied().find(|mechanism| mechanism.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|mechanism| mechanism.name()).collect();
            let names = names.join(", ");
            let why = format!("{name:?} is no mechanism; there are {names}");
            io::Error::new(io::ErrorKind::InvalidInput, why)
        })
    }
}

/// [`new`](Backend::new) is the best that the system has.
impl Backend for AnyBackend {
    fn new() -> io::Result<Self> {
        boxed::<DefaultBackend>()
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        (**self).add(fd, events)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, old: EventMask, new: EventMask) -> io::Result<()> {
        (**self).modify(fd, old, new)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        (**self).remove(fd, events)
    }

    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        most: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        (**self).wait(registered, timeout, most, ready)
    }

    fn restart(&mut self, registered: &dyn Registered) -> io::Result<()> {
        (**self).restart(registered)
    }

    fn wake_event(&mut self) -> io::Result<WakeEvent> {
        (**self).wake_event()
    }
}
