//! kqueue(2): a filter for each direction lives in the kernel, and only those that fired come back.

use super::filters::{Change, Filters};
use super::{Backend, Registered};
use crate::{EVENT_READ, EVENT_WRITE, EventMask, Selector, WakeEvent};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};
use nix::sys::time::{TimeSpec, TimeValLike};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// kqueue(2), level-triggered.
///
/// A regular file is readable until its end and not at it, where select and poll go on calling it
/// ready.
#[derive(Debug)]
pub struct KqueueBackend {
    /// Shared with the wakers.
    kqueue: Arc<Kqueue>,
    filters: Filters,
    /// Two for each descriptor that is registered, so that one wait can bring them all.
    batch: Vec<KEvent>,
    /// Where in `ready` a descriptor is already, by the other of its two filters.
    places: HashMap<RawFd, usize>,
}

/// Python's `selectors.KqueueSelector`: kqueue(2), on macOS and the BSDs.
pub type KqueueSelector<F, D> = Selector<F, D, KqueueBackend>;

impl Backend for KqueueBackend {
    fn new() -> io::Result<Self> {
        let kqueue = Arc::new(Kqueue::new()?);
        // A program that is started with exec must not inherit it. (A fork copies no kqueue.)
        fcntl(&*kqueue, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        let (batch, places) = (Vec::new(), HashMap::new());
        Ok(Self { kqueue, filters: Filters::default(), batch, places })
    }

    fn name(&self) -> &'static str {
        "kqueue"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        let Self { kqueue, filters, .. } = self;
        Ok(filters.add(fd.as_raw_fd(), events, &mut kernel(kqueue, fd))?)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, old: EventMask, new: EventMask) -> io::Result<()> {
        let Self { kqueue, filters, .. } = self;
        Ok(filters.modify(fd.as_raw_fd(), old, new, &mut kernel(kqueue, fd))?)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        let Self { kqueue, filters, .. } = self;
        Ok(filters.delete(fd.as_raw_fd(), events, &mut kernel(kqueue, fd))?)
    }

    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        most: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        let room = (2 * registered.count().min(most)).max(1);
        if self.batch.len() < room {
            let empty = KEvent::new(
                0,
                EventFilter::EVFILT_READ,
                EvFlags::empty(),
                FilterFlag::empty(),
                0,
                0,
            );
            self.batch.resize(room, empty);
        }
        let Self { kqueue, filters, batch, places } = self;
        let mut timeout = timeout.map(timespec);
        if filters.hung_up().next().is_some() {
            timeout = Some(timespec(Duration::ZERO));
        }
        let count = kqueue.kevent(&[], &mut batch[..room], timeout)?;
        let told = batch[..count].iter().map(|event| {
            let fd = RawFd::try_from(event.ident()).expect("only descriptors were put there");
            match event.filter() {
                Ok(EventFilter::EVFILT_WRITE) => (fd, EVENT_WRITE),
                Ok(EventFilter::EVFILT_READ) => (fd, EVENT_READ),
                // What wakes: its number is nobody's descriptor.
                _ => (WakeEvent::NUMBER, EVENT_READ),
            }
        });
        places.clear();
        for (fd, events) in told.chain(filters.hung_up()) {
            match places.entry(fd) {
                Entry::Occupied(place) => ready[*place.get()].1 |= events,
                Entry::Vacant(place) => {
                    place.insert(ready.len());
                    ready.push((fd, events));
                }
            }
        }
        Ok(())
    }

    /// A user event: no descriptor is needed. It is cleared as it is reported.
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly"))]
    fn wake_event(&mut self) -> io::Result<WakeEvent> {
        user_event(&self.kqueue, EvFlags::EV_ADD | EvFlags::EV_CLEAR, FilterFlag::empty())?;
        Ok(WakeEvent::user(Arc::clone(&self.kqueue)))
    }
}

/// Sets off the event of [`KqueueBackend::wake_event`]. It fails only for a kqueue without one.
#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly"))]
pub(crate) fn trigger_user_event(kqueue: &Kqueue) {
    let _ = user_event(kqueue, EvFlags::empty(), FilterFlag::NOTE_TRIGGER);
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly"))]
fn user_event(kqueue: &Kqueue, how: EvFlags, what: FilterFlag) -> nix::Result<()> {
    let change = KEvent::new(0, EventFilter::EVFILT_USER, how, what, 0, 0);
    kqueue.kevent(&[change], &mut [], None).map(drop)
}

/// One call for one filter: in a list of changes, those before the one that fails would stay.
fn kernel<'a>(
    kqueue: &'a Kqueue,
    fd: BorrowedFd<'a>,
) -> impl FnMut(EventMask, Change) -> nix::Result<()> + use<'a> {
    move |event, change| {
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
        kqueue.kevent(&[change], &mut [], None).map(drop)
    }
}

/// kqueue counts in nanoseconds: nothing to round. Some systems refuse a time-out of years; the
/// selector waits again when there is time left.
fn timespec(wait: Duration) -> libc::timespec {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let nanos = wait.min(LONGEST).as_nanos();
    *TimeSpec::nanoseconds(nanos.try_into().expect("a day is few enough nanoseconds")).as_ref()
}

impl AsFd for KqueueBackend {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kqueue.as_fd()
    }
}
