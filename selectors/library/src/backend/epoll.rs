//! epoll(7): the list lives in the kernel, and only those that are ready come back.

use super::{Backend, Registered, millis, with_all};
use crate::{EVENT_READ, EVENT_WRITE, EventMask, Selector, WakeEvent};
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
    /// The descriptor that wakes, which is watched edge-triggered.
    waker: Option<RawFd>,
}

/// Python's `selectors.EpollSelector`: epoll(7), on Linux.
pub type EpollSelector<F, D> = Selector<F, D, EpollBackend>;

// `inline`, because cargo's release profile has no LTO. Each function that returns after a system
// call can cost a few per cent of it: the kernel leaves the CPU no prediction of where to.
impl Backend for EpollBackend {
    fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, batch: Vec::new(), waker: None })
    }

    fn name(&self) -> &'static str {
        "epoll"
    }

    #[inline]
    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        let mut flags = flags(events);
        flags.set(EpollFlags::EPOLLET, self.waker == Some(fd.as_raw_fd()));
        Ok(self.epoll.add(fd, event(fd, flags))?)
    }

    #[inline]
    fn modify(&mut self, fd: BorrowedFd<'_>, _: EventMask, new: EventMask) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut event(fd, flags(new)))?)
    }

    #[inline]
    fn remove(&mut self, fd: BorrowedFd<'_>, _: EventMask) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    #[inline]
    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        most: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        // Without room for a single event it is an error (EINVAL), even with nothing registered.
        let room = registered.count().min(most).max(1);
        if self.batch.len() < room {
            self.batch.resize(room, EpollEvent::empty());
        }
        let count = self.epoll.wait(&mut self.batch[..room], millis(timeout))?;
        ready.extend(self.batch[..count].iter().map(|event| {
            let fd = RawFd::try_from(event.data()).expect("only descriptors were put there");
            (fd, events(event.events()))
        }));
        Ok(())
    }

    /// epoll watches files, not numbers: of one that was closed while a copy of it is open (dup,
    /// fork) it goes on to tell, and there is no number any more by which it could be told to stop.
    fn restart(&mut self, registered: &dyn Registered) -> io::Result<()> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        *self = with_all(Self { epoll, batch: Vec::new(), waker: self.waker }, registered)?;
        Ok(())
    }

    /// Edge-triggered: then nobody has to read what was written. One call less for each wake.
    fn wake_event(&mut self) -> io::Result<WakeEvent> {
        let wake = WakeEvent::edge()?;
        if let Some(fd) = wake.as_descriptor() {
            self.epoll.add(fd, event(fd, EpollFlags::EPOLLIN | EpollFlags::EPOLLET))?;
            self.waker = Some(fd.as_raw_fd());
        }
        Ok(wake)
    }
}

/// The number is token enough: while it is registered, no other file can get it.
fn event(fd: BorrowedFd<'_>, flags: EpollFlags) -> EpollEvent {
    EpollEvent::new(flags, fd.as_raw_fd().try_into().expect("an open descriptor is not negative"))
}

fn flags(events: EventMask) -> EpollFlags {
    let mut flags = EpollFlags::empty();
    flags.set(EpollFlags::EPOLLIN, events.contains(EVENT_READ));
    flags.set(EpollFlags::EPOLLOUT, events.contains(EVENT_WRITE));
    flags
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
