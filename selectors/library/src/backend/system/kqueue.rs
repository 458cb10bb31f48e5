//! kevent.

use super::timespec;
use crate::backend::filters::{Change, Fired};
use crate::{EVENT_READ, EVENT_WRITE, EventMask};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue as Queue};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug)]
pub(in crate::backend) struct Kqueue {
    /// Shared with the wakers.
    queue: Arc<Queue>,
    /// Never locked, only owned: a `KEvent` has a pointer in it, which would keep a selector from
    /// being shared between threads, on these systems only.
    batch: Mutex<Vec<KEvent>>,
}

impl Kqueue {
    pub fn new() -> io::Result<Self> {
        let queue = Arc::new(Queue::new()?);
        // A program that is started with exec must not inherit it. (A fork copies no kqueue.)
        fcntl(&*queue, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        Ok(Self { queue, batch: Mutex::default() })
    }

    /// One call for one filter: in a list of changes, those before the one that fails would stay.
    pub fn change(
        &mut self,
        fd: BorrowedFd<'_>,
        event: EventMask,
        change: Change,
    ) -> nix::Result<()> {
        let filter = match event {
            EVENT_WRITE => EventFilter::EVFILT_WRITE,
            _ => EventFilter::EVFILT_READ,
        };
        let how = match change {
            Change::Add => EvFlags::EV_ADD,
            Change::Delete => EvFlags::EV_DELETE,
        };
        let ident = fd.as_raw_fd().try_into().expect("an open descriptor is not negative");
        let change = KEvent::new(ident, filter, how, FilterFlag::empty(), 0, 0);
        self.queue.kevent(&[change], &mut [], None).map(drop)
    }

    /// Waits for filters that fire: `room` at most, and at least one.
    pub fn wait(
        &mut self,
        room: usize,
        timeout: Option<Duration>,
    ) -> nix::Result<impl Iterator<Item = Fired> + use<'_>> {
        let Self { queue, batch } = self;
        let batch = batch.get_mut().unwrap_or_else(PoisonError::into_inner);
        if batch.len() < room {
            let empty = KEvent::new(
                0,
                EventFilter::EVFILT_READ,
                EvFlags::empty(),
                FilterFlag::empty(),
                0,
                0,
            );
            batch.resize(room, empty);
        }
        let count = queue.kevent(&[], &mut batch[..room], timeout.map(timespec))?;
        Ok(batch[..count].iter().map(|event| {
            let fd = || RawFd::try_from(event.ident()).expect("only descriptors were put there");
            match event.filter() {
                Ok(EventFilter::EVFILT_WRITE) => Fired::Descriptor(fd(), EVENT_WRITE),
                Ok(EventFilter::EVFILT_READ) => Fired::Descriptor(fd(), EVENT_READ),
                _ => Fired::User,
            }
        }))
    }

    /// Adds a user event, and returns what sets it off. It is cleared as it is reported.
    #[cfg(not(any(target_os = "netbsd", target_os = "openbsd")))]
    pub fn user_event(
        &mut self,
    ) -> io::Result<impl Fn() + Send + Sync + UnwindSafe + RefUnwindSafe + use<>> {
        user_event(&self.queue, EvFlags::EV_ADD | EvFlags::EV_CLEAR, FilterFlag::empty())?;
        let queue = Arc::clone(&self.queue);
        // It fails only for a kqueue without that event.
        Ok(move || {
            let _ = user_event(&queue, EvFlags::empty(), FilterFlag::NOTE_TRIGGER);
        })
    }
}

#[cfg(not(any(target_os = "netbsd", target_os = "openbsd")))]
fn user_event(queue: &Queue, how: EvFlags, what: FilterFlag) -> nix::Result<()> {
    let change = KEvent::new(0, EventFilter::EVFILT_USER, how, what, 0, 0);
    queue.kevent(&[change], &mut [], None).map(drop)
}

impl AsFd for Kqueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}
