//! kqueue(2): a filter for each direction lives in the kernel, and only those that fired come back.

#[cfg(target_os = "linux")]
use super::double::Kqueue;
use super::filters::{Filters, Fired};
#[cfg(not(target_os = "linux"))]
use super::system::Kqueue;
use super::{Backend, Registered};
use crate::{EVENT_READ, EventMask, Selector, WakeEvent};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// kqueue(2), level-triggered.
///
/// A regular file is readable until its end and not at it, where select and poll go on calling it
/// ready.
#[derive(Debug)]
pub struct KqueueBackend {
    kqueue: Kqueue,
    filters: Filters,
    /// Where in `ready` a descriptor is already, by the other of its two filters.
    places: HashMap<RawFd, usize>,
}

/// Python's `selectors.KqueueSelector`: kqueue(2), on macOS and the BSDs.
pub type KqueueSelector<F, D> = Selector<F, D, KqueueBackend>;

impl Backend for KqueueBackend {
    fn new() -> io::Result<Self> {
        let (filters, places) = (Filters::default(), HashMap::new());
        Ok(Self { kqueue: Kqueue::new()?, filters, places })
    }

    fn name(&self) -> &'static str {
        "kqueue"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        let Self { kqueue, filters, .. } = self;
        let kernel = &mut |event, change| kqueue.change(fd, event, change);
        Ok(filters.add(fd.as_raw_fd(), events, kernel)?)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, old: EventMask, new: EventMask) -> io::Result<()> {
        let Self { kqueue, filters, .. } = self;
        let kernel = &mut |event, change| kqueue.change(fd, event, change);
        Ok(filters.modify(fd.as_raw_fd(), old, new, kernel)?)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        let Self { kqueue, filters, .. } = self;
        let kernel = &mut |event, change| kqueue.change(fd, event, change);
        Ok(filters.delete(fd.as_raw_fd(), events, kernel)?)
    }

    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        most: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        let Self { kqueue, filters, places } = self;
        // Two for each descriptor: one wait can bring them all.
        let all = 2 * registered.count();
        let (room, timeout) = if filters.hung_up().next().is_none() {
            // Not more than `most`: one that the selector would leave out has had its turn in the
            // kernel's queue.
            (all.min(most), timeout)
        } else {
            // There is more than the kernel has, so whose turn it is the selector has to say.
            (all, Some(Duration::ZERO))
        };
        let told = kqueue.wait(room.max(1), timeout)?.map(|fired| match fired {
            Fired::Descriptor(fd, event) => (fd, event),
            Fired::User => (WakeEvent::NUMBER, EVENT_READ),
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

    /// A user event: no descriptor is needed.
    #[cfg(not(any(target_os = "netbsd", target_os = "openbsd")))]
    fn wake_event(&mut self) -> io::Result<WakeEvent> {
        Ok(WakeEvent::other(self.kqueue.user_event()?))
    }
}

#[cfg(not(target_os = "linux"))]
impl std::os::fd::AsFd for KqueueBackend {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kqueue.as_fd()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::EVENT_WRITE;
    use std::num::NonZeroUsize;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    type Numbers = KqueueSelector<OwnedFd, usize>;

    /// As `ready`, for what is ready without a wait.
    fn next(selector: &mut Numbers) -> Vec<(usize, EventMask)> {
        let before = Instant::now();
        let batch = ready(selector, Some(Duration::from_secs(20)));
        assert!(before.elapsed() < Duration::from_secs(10), "it waited");
        batch
    }

    fn ready(selector: &mut Numbers, timeout: Option<Duration>) -> Vec<(usize, EventMask)> {
        let mut batch = Vec::new();
        selector.select_ready(timeout, &mut batch).expect("open descriptors");
        let mut number = |key: &_| *selector.resolve(key).expect("it is registered").1;
        batch.iter().map(|key| (number(key), key.events)).collect()
    }

    /// A pipe's end that sends, without the other one.
    fn broken_pipe() -> OwnedFd {
        nix::unistd::pipe().expect("descriptors are free").1
    }

    /// Old versions of macOS refuse the filter (EPIPE).
    #[test]
    fn a_pipe_without_a_reader_is_writable_until_it_is_taken_out() {
        let mut selector = Numbers::new().expect("it is a double");
        let fd = selector.register(broken_pipe(), EVENT_WRITE, 1).expect("it is no error").fd;
        for _ in 0..2 {
            assert_eq!(next(&mut selector), [(1, EVENT_WRITE)]);
        }
        selector.unregister(&fd).expect("it is registered");
        assert_eq!(ready(&mut selector, Some(Duration::ZERO)), []);
    }

    /// Of two pipes and four sockets, all ready. What a pipe without a reader is ready for, the
    /// kernel does not tell.
    #[test]
    fn a_bound_lets_all_have_their_turn() {
        for (most, pipes, events) in [
            (1, 0, EVENT_WRITE),
            (1, 0, EVENT_READ | EVENT_WRITE),
            (3, 0, EVENT_READ | EVENT_WRITE),
            (1, 2, EVENT_WRITE),
            (3, 2, EVENT_READ | EVENT_WRITE),
        ] {
            let mut selector = Numbers::new().expect("it is a double");
            selector.set_batch_limit(NonZeroUsize::new(most).expect("one or more"));
            for number in 0..pipes {
                selector.register(broken_pipe(), EVENT_WRITE, number).expect("a pipe");
            }
            for number in pipes..pipes + 4 {
                let (a, _) = UnixStream::pair().expect("descriptors are free");
                selector.register(a.into(), events, number).expect("a socket");
            }
            let mut times = vec![0; pipes + 4];
            for _ in 0..24 {
                let batch = next(&mut selector);
                assert!(batch.len() <= most, "{batch:?}");
                batch.iter().for_each(|&(number, _)| times[number] += 1);
            }
            assert!(times.iter().all(|&times| times >= 4), "{most} for {events}: {times:?}");
        }
    }
}
