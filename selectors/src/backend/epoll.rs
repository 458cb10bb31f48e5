//! epoll(7): the list lives in the kernel, and only those that are ready come back.

use super::{Backend, millis};
use crate::{EVENT_READ, EVENT_WRITE, EventMask, Selector};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// epoll(7), level-triggered.
#[derive(Debug)]
pub struct EpollBackend {
    epoll: Epoll,
    /// As many as are registered, so that one wait can bring them all.
    batch: Vec<EpollEvent>,
}

/// Python's `selectors.EpollSelector`: epoll(7), on Linux.
pub type EpollSelector<F, D> = Selector<EpollBackend, F, D>;

impl Backend for EpollBackend {
    const NAME: &'static str = "epoll";

    fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, batch: Vec::new() })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        Ok(self.epoll.add(fd, event(fd, events))?)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, _: EventMask, new: EventMask) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut event(fd, new))?)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, _: EventMask) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    fn wait<'fd>(
        &mut self,
        registered: impl ExactSizeIterator<Item = (BorrowedFd<'fd>, EventMask)> + Clone,
        timeout: Option<Duration>,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        // Without room for a single event it is an error (EINVAL), even with nothing registered.
        let room = registered.len().max(1);
        if self.batch.len() < room {
            self.batch.resize(room, EpollEvent::empty());
        }
        let count = self.epoll.wait(&mut self.batch, millis(timeout))?;
        ready.extend(self.batch[..count].iter().map(|event| {
            let fd = RawFd::try_from(event.data()).expect("only descriptors were put there");
            (fd, events(event.events()))
        }));
        Ok(())
    }
}

/// The number is token enough: while it is registered, no other file can get it.
fn event(fd: BorrowedFd<'_>, events: EventMask) -> EpollEvent {
    let mut flags = EpollFlags::empty();
    flags.set(EpollFlags::EPOLLIN, events.contains(EVENT_READ));
    flags.set(EpollFlags::EPOLLOUT, events.contains(EVENT_WRITE));
    EpollEvent::new(flags, fd.as_raw_fd().try_into().expect("an open descriptor is not negative"))
}

/// Python's rule, as for poll: a hang-up or an error is a reason to read and a reason to write.
fn events(flags: EpollFlags) -> EventMask {
    let mut events = EventMask::empty();
    events.set(EVENT_READ, !(flags - EpollFlags::EPOLLOUT).is_empty());
    events.set(EVENT_WRITE, !(flags - EpollFlags::EPOLLIN).is_empty());
    events
}

impl AsFd for EpollBackend {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}
