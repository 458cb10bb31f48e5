//! Event ports (port_create(3C)): a descriptor is associated with a port, and the port has a queue
//! of events.
//!
//! The association ends when its event is fetched. So the next wait begins with associating again
//! what the last one fetched, and what was not handled meanwhile has its event at once: seen from
//! outside, this is as level-triggered as the other backends.

use super::devpoll::{events, flags};
#[cfg(target_os = "linux")]
use super::double::Port;
#[cfg(not(target_os = "linux"))]
use super::system::Port;
use super::{Backend, Registered, with_all};
use crate::{EventMask, Selector};
use libc::{c_int, c_short, c_ushort};
use nix::errno::Errno;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// Event ports, level-triggered.
///
/// An event that waits in its port tells what was the case when it came. If somebody else has read
/// the data meanwhile, the descriptor is reported all the same: let it be non-blocking.
#[derive(Debug)]
pub struct EventPortBackend {
    port: Port,
    /// As many as are registered, so that one wait can fetch them all.
    batch: Vec<Event>,
    /// Those to associate again, in the order of their events: so they take turns in the queue.
    again: Vec<RawFd>,
    /// What those of them are registered for that have no association yet.
    ended: HashMap<RawFd, EventMask>,
}

/// Event ports, on illumos and Solaris. Python has no such class.
pub type EventPortSelector<F, D> = Selector<F, D, EventPortBackend>;

/// port_event_t, with a number for what the system calls a pointer of the user's.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Event {
    pub events: c_int,
    pub source: c_ushort,
    pub pad: c_ushort,
    /// The descriptor.
    pub object: usize,
    /// What it is registered for.
    pub user: usize,
}

impl EventPortBackend {
    fn associate(&mut self, fd: RawFd, events: EventMask) -> nix::Result<()> {
        self.port.associate(fd, flags(events).into(), events.bits().into())
    }

    fn associate_again(&mut self) -> nix::Result<()> {
        for &fd in &self.again {
            let Some(&events) = self.ended.get(&fd) else { continue };
            match self.port.associate(fd, flags(events).into(), events.bits().into()) {
                // It was closed behind the selector. The port forgets those, so do we.
                Ok(()) | Err(Errno::EBADFD) => {}
                // All are associated again the next time: those that are already don't mind.
                Err(error) => return Err(error),
            }
        }
        self.again.clear();
        self.ended.clear();
        Ok(())
    }
}

impl Backend for EventPortBackend {
    fn new() -> io::Result<Self> {
        let (batch, again, ended) = (Vec::new(), Vec::new(), HashMap::new());
        Ok(Self { port: Port::new()?, batch, again, ended })
    }

    fn name(&self) -> &'static str {
        "eventport"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        Ok(self.associate(fd.as_raw_fd(), events)?)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, old: EventMask, new: EventMask) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        if let Err(error) = self.associate(fd, new) {
            // The manual does not say whether the old association is still there.
            self.again.push(fd);
            self.ended.insert(fd, old);
            return Err(error.into());
        }
        self.ended.remove(&fd);
        Ok(())
    }

    /// Without an association there is still something to be freed in the port (and ENOENT).
    fn remove(&mut self, fd: BorrowedFd<'_>, _: EventMask) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        self.ended.remove(&fd);
        match self.port.dissociate(fd) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        most: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        self.associate_again()?;
        let room = registered.count().min(most).max(1);
        if self.batch.len() < room {
            self.batch.resize(room, Event::default());
        }
        let (result, count) = self.port.getn(&mut self.batch[..room], timeout);
        for event in &self.batch[..count] {
            let fd = RawFd::try_from(event.object).expect("only descriptors were put there");
            self.again.push(fd);
            self.ended.insert(fd, EventMask::from_bits_truncate(event.user as u8));
            ready.push((fd, events(event.events as c_short)));
        }
        match result {
            // What was fetched would not come again, whatever else there is to say.
            _ if count > 0 => Ok(()),
            Err(Errno::ETIME) => Ok(()),
            result => Ok(result?),
        }
    }

    /// In a child after fork(2) the port is still the parent's: what the child takes out stays in.
    fn restart(&mut self, registered: &dyn Registered) -> io::Result<()> {
        *self = with_all(Self::new()?, registered)?;
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::backend::double::ready;
    use crate::{EVENT_READ, EVENT_WRITE};
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    /// A socket with something to read, and the other end.
    fn readable() -> (UnixStream, UnixStream) {
        let (a, mut b) = UnixStream::pair().expect("descriptors are free");
        b.write_all(b"x").expect("connected");
        (a, b)
    }

    fn backend(sockets: &[&UnixStream]) -> EventPortBackend {
        let mut backend = EventPortBackend::new().expect("it is a double");
        for socket in sockets {
            backend.add(socket.as_fd(), EVENT_READ).expect("a socket");
        }
        backend
    }

    /// As `ready` reports it.
    fn all(sockets: [&UnixStream; 2], events: EventMask) -> [(RawFd, EventMask); 2] {
        let mut all = sockets.map(|socket| (socket.as_raw_fd(), events));
        all.sort_unstable_by_key(|&(fd, _)| fd);
        all
    }

    /// The time is over, or a signal comes, as something arrives.
    #[test]
    fn what_was_fetched_is_reported_whatever_the_call_says() {
        let (a, _b) = readable();
        for errno in [Errno::ETIME, Errno::EINTR] {
            let mut backend = backend(&[&a]);
            backend.port.fails.set(Some(errno));
            let reported = ready(&mut backend, 10).expect("not what matters");
            assert_eq!(reported, [(a.as_raw_fd(), EVENT_READ)], "{errno}");
        }
    }

    #[test]
    fn one_that_was_closed_behind_the_selector_does_not_stop_the_others() {
        let ((a, _a), (b, _b)) = (readable(), readable());
        let mut backend = backend(&[&a, &b]);
        assert_eq!(ready(&mut backend, 10).expect("open descriptors"), all([&a, &b], EVENT_READ));
        // To close one here would give its number to another test.
        backend.port.refuses.set(Some(Errno::EBADFD));
        assert_eq!(ready(&mut backend, 10).expect("one is closed, and that is all").len(), 1);
        assert_eq!(ready(&mut backend, 10).expect("it is forgotten").len(), 1);
    }

    #[test]
    fn an_association_that_fails_is_made_the_next_time() {
        let ((a, _a), (b, _b)) = (readable(), readable());
        let mut backend = backend(&[&a, &b]);
        assert_eq!(ready(&mut backend, 10).expect("open descriptors").len(), 2);
        backend.port.refuses.set(Some(Errno::ENOMEM));
        let error = ready(&mut backend, 10).expect_err("there is no memory");
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        let reported = ready(&mut backend, 10).expect("there is again");
        assert_eq!(reported, all([&a, &b], EVENT_READ));
    }

    #[test]
    fn a_modify_that_fails_leaves_what_was() {
        let (a, _b) = readable();
        let mut backend = backend(&[&a]);
        backend.port.refuses.set(Some(Errno::ENOMEM));
        let refused = backend.modify(a.as_fd(), EVENT_READ, EVENT_WRITE);
        assert_eq!(refused.expect_err("no memory").kind(), io::ErrorKind::OutOfMemory);
        let reported = ready(&mut backend, 10).expect("an open descriptor");
        assert_eq!(reported, [(a.as_raw_fd(), EVENT_READ)]);
    }

    /// The event of the one was fetched, that of the other waits in the port.
    #[test]
    fn what_was_taken_out_is_not_reported() {
        let ((a, _a), (b, _b)) = (readable(), readable());
        let mut backend = backend(&[&a, &b]);
        assert_eq!(ready(&mut backend, 1).expect("open descriptors").len(), 1);
        for socket in [&a, &b] {
            backend.remove(socket.as_fd(), EVENT_READ).expect("it was added");
        }
        assert_eq!(ready(&mut backend, 10).expect("nothing is wrong"), []);
    }

    /// As above, with a change instead.
    #[test]
    fn what_was_changed_is_reported_for_what_it_is_for_now() {
        let ((a, _a), (b, _b)) = (readable(), readable());
        let mut backend = backend(&[&a, &b]);
        assert_eq!(ready(&mut backend, 1).expect("open descriptors").len(), 1);
        for socket in [&a, &b] {
            backend.modify(socket.as_fd(), EVENT_READ, EVENT_WRITE).expect("it was added");
        }
        let reported = ready(&mut backend, 10).expect("open descriptors");
        assert_eq!(reported, all([&a, &b], EVENT_WRITE));
    }
}
