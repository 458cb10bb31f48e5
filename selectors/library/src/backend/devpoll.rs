//! /dev/poll (poll(4D)): the list lives in a device; entries are written to it, and an ioctl waits.

#[cfg(target_os = "linux")]
use super::double::Device;
#[cfg(not(target_os = "linux"))]
use super::system::Device;
use super::{Backend, Registered, millis, with_all};
use crate::{EVENT_READ, EVENT_WRITE, EventMask, Selector};
use libc::{POLLIN, POLLOUT, c_short, pollfd};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// `sys/poll.h`: takes the descriptor out of the list.
pub(super) const POLLREMOVE: c_short = 0x0800;

/// /dev/poll.
#[derive(Debug)]
pub struct DevpollBackend {
    device: Device,
    /// As many as are registered, so that one wait can bring them all.
    batch: Vec<Entry>,
}

/// A pollfd that can be printed.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Entry(pub pollfd);

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {:#x})", self.0.fd, self.0.revents)
    }
}

/// Python's `selectors.DevpollSelector`: /dev/poll, on illumos and Solaris.
pub type DevpollSelector<F, D> = Selector<F, D, DevpollBackend>;

impl Backend for DevpollBackend {
    fn new() -> io::Result<Self> {
        Ok(Self { device: Device::open()?, batch: Vec::new() })
    }

    fn name(&self) -> &'static str {
        "devpoll"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        self.device.write(&[entry(fd, flags(events))])
    }

    /// Flags that are written are added to those that are there, so the entry is removed before.
    fn modify(&mut self, fd: BorrowedFd<'_>, _: EventMask, new: EventMask) -> io::Result<()> {
        self.device.write(&[entry(fd, POLLREMOVE), entry(fd, flags(new))])
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, _: EventMask) -> io::Result<()> {
        self.device.write(&[entry(fd, POLLREMOVE)])
    }

    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        most: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        let room = registered.count().min(most).max(1);
        if self.batch.len() < room {
            self.batch.resize(room, Entry(pollfd { fd: -1, events: 0, revents: 0 }));
        }
        let count = self.device.poll(&mut self.batch[..room], millis(timeout))?;
        ready.extend(self.batch[..count].iter().map(|Entry(it)| (it.fd, events(it.revents))));
        Ok(())
    }

    /// What was closed without being taken out is reported as an error (POLLNVAL), for ever.
    fn restart(&mut self, registered: &dyn Registered) -> io::Result<()> {
        *self = with_all(Self::new()?, registered)?;
        Ok(())
    }
}

fn entry(fd: BorrowedFd<'_>, events: c_short) -> Entry {
    Entry(pollfd { fd: fd.as_raw_fd(), events, revents: 0 })
}

pub(super) fn flags(events: EventMask) -> c_short {
    let read = if events.contains(EVENT_READ) { POLLIN } else { 0 };
    let write = if events.contains(EVENT_WRITE) { POLLOUT } else { 0 };
    read | write
}

/// Python's rule, as for poll: a hang-up or an error is both. So is an event without a flag: a port
/// takes those away that nobody asked for. Ignored, it would come again at once.
pub(super) fn events(flags: c_short) -> EventMask {
    let mut events = EventMask::empty();
    events.set(EVENT_READ, flags != POLLOUT);
    events.set(EVENT_WRITE, flags != POLLIN);
    events
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::backend::double::{Registrations, ready};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_is_neither_data_nor_room_is_both() {
        let both = EVENT_READ | EVENT_WRITE;
        assert_eq!((events(POLLIN), events(POLLOUT)), (EVENT_READ, EVENT_WRITE));
        for flags in [POLLIN | POLLOUT, libc::POLLHUP, POLLOUT | libc::POLLERR, 0] {
            assert_eq!(events(flags), both, "{flags:#x}");
        }
    }

    /// If it only added the new ones, the old would end each wait at once, for nothing.
    #[test]
    fn a_change_replaces_what_was() {
        let (a, _b) = UnixStream::pair().expect("descriptors are free");
        let mut backend = DevpollBackend::new().expect("it is a double");
        backend.add(a.as_fd(), EVENT_WRITE).expect("a socket");
        backend.modify(a.as_fd(), EVENT_WRITE, EVENT_READ).expect("it was added");
        assert_eq!(ready(&mut backend, 10).expect("an open descriptor"), []);
    }

    /// It cannot be taken out any more: its number may be another's by now.
    #[test]
    fn one_that_was_closed_behind_the_selector_is_reported_until_a_restart() {
        // A number that no other test can open meanwhile.
        let closed = pollfd { fd: 1_000_000, events: POLLIN, revents: 0 };
        let mut backend = DevpollBackend::new().expect("it is a double");
        backend.device.write(&[Entry(closed)]).expect("it is a double");
        for _ in 0..2 {
            let reported = ready(&mut backend, 10).expect("it is no error of the call");
            assert_eq!(reported, [(closed.fd, EVENT_READ | EVENT_WRITE)]);
        }
        backend.restart(&Registrations(0)).expect("it is a double");
        assert_eq!(ready(&mut backend, 10).expect("nothing is left"), []);
    }
}
