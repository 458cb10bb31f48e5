//! kqueue(2): a filter for each direction lives in the kernel, and only those that fired come back.

use super::Backend;
use crate::{EVENT_READ, EVENT_WRITE, EventMask, Selector};
use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};
use nix::sys::time::{TimeSpec, TimeValLike};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// kqueue(2), level-triggered.
#[derive(Debug)]
pub struct KqueueBackend {
    kqueue: Kqueue,
    /// Two for each descriptor that is registered, so that one wait can bring them all.
    batch: Vec<KEvent>,
    /// Where in `ready` a descriptor is already, by the other of its two filters.
    places: HashMap<RawFd, usize>,
}

impl KqueueBackend {
    /// Adds or deletes the filters of `events`, one call each: of a list of changes, those before
    /// the failing one would stay.
    fn change(&self, fd: BorrowedFd<'_>, events: EventMask, how: EvFlags) -> io::Result<()> {
        for (event, filter) in
            [(EVENT_READ, EventFilter::EVFILT_READ), (EVENT_WRITE, EventFilter::EVFILT_WRITE)]
        {
            if events.contains(event) {
                self.kqueue.kevent(&[kevent(fd, filter, how)], &mut [], None)?;
            }
        }
        Ok(())
    }
}

/// Python's `selectors.KqueueSelector`: kqueue(2), on macOS and the BSDs.
pub type KqueueSelector<F, D> = Selector<KqueueBackend, F, D>;

impl Backend for KqueueBackend {
    const NAME: &'static str = "kqueue";

    fn new() -> io::Result<Self> {
        Ok(Self { kqueue: Kqueue::new()?, batch: Vec::new(), places: HashMap::new() })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        self.change(fd, events, EvFlags::EV_ADD).inspect_err(|_| {
            // The first filter may be there already. If not, there is nothing to delete.
            let _ = self.change(fd, EVENT_READ, EvFlags::EV_DELETE);
        })
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, old: EventMask, new: EventMask) -> io::Result<()> {
        // What is new first: it may fail, and then nothing has changed.
        self.change(fd, new - old, EvFlags::EV_ADD)?;
        self.change(fd, old - new, EvFlags::EV_DELETE)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        self.change(fd, events, EvFlags::EV_DELETE)
    }

    fn wait<'fd>(
        &mut self,
        registered: impl ExactSizeIterator<Item = (BorrowedFd<'fd>, EventMask)> + Clone,
        timeout: Option<Duration>,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        let room = (2 * registered.len()).max(1);
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
        let timeout = timeout.map(timespec);
        let count = self.kqueue.kevent(&[], &mut self.batch, timeout)?;
        self.places.clear();
        for event in &self.batch[..count] {
            let fd = RawFd::try_from(event.ident()).expect("only descriptors were put there");
            let events = match event.filter() {
                Ok(EventFilter::EVFILT_WRITE) => EVENT_WRITE,
                _ => EVENT_READ,
            };
            match self.places.entry(fd) {
                Entry::Occupied(place) => ready[*place.get()].1 |= events,
                Entry::Vacant(place) => {
                    place.insert(ready.len());
                    ready.push((fd, events));
                }
            }
        }
        Ok(())
    }
}

fn kevent(fd: BorrowedFd<'_>, filter: EventFilter, how: EvFlags) -> KEvent {
    let ident = fd.as_raw_fd().try_into().expect("an open descriptor is not negative");
    KEvent::new(ident, filter, how, FilterFlag::empty(), 0, 0)
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
