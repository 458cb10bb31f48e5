//! Event ports, as port_associate(3C) and port_get(3C) tell.

use super::{flags, poll};
use crate::backend::eventport::Event;
use crate::backend::millis;
use libc::{POLLERR, POLLHUP, POLLNVAL, c_int, c_short, pollfd};
use nix::errno::Errno;
use nix::poll::PollTimeout;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// PORT_SOURCE_FD, which is no constant here.
const SOURCE: u16 = 4;

#[derive(Debug, Default)]
pub(in crate::backend) struct Port {
    /// Until an event of theirs is fetched.
    associated: BTreeMap<RawFd, Event>,
    /// Those that have come.
    queue: VecDeque<Event>,
    /// What the next association fails with. Whether the one of before is still there then, the
    /// manual does not say: it is not.
    pub refuses: Cell<Option<Errno>>,
    /// What the next fetch fails with although something was fetched.
    pub fails: Cell<Option<Errno>>,
}

impl Port {
    pub fn new() -> io::Result<Self> {
        Ok(Self::default())
    }

    pub fn associate(&mut self, fd: RawFd, events: c_int, user: usize) -> nix::Result<()> {
        if let Some(errno) = self.refuses.take() {
            let _ = self.dissociate(fd);
            return Err(errno);
        }
        let object = fd as usize;
        self.queue.retain(|event| event.object != object);
        self.associated.insert(fd, Event { events, source: SOURCE, pad: 0, object, user });
        self.arrive(fd, flags(fd, events as c_short));
        Ok(())
    }

    pub fn dissociate(&mut self, fd: RawFd) -> nix::Result<()> {
        self.queue.retain(|event| event.object != fd as usize);
        self.associated.remove(&fd).map(drop).ok_or(Errno::ENOENT)
    }

    pub fn getn(
        &mut self,
        events: &mut [Event],
        timeout: Option<Duration>,
    ) -> (nix::Result<()>, usize) {
        let idle = |fd| self.queue.iter().all(|event| event.object != fd as usize);
        let idle = self.associated.iter().filter(|&(&fd, _)| idle(fd));
        let mut entries: Vec<_> = idle
            .map(|(&fd, event)| pollfd { fd, events: event.events as c_short, revents: 0 })
            .collect();
        let timeout = if self.queue.is_empty() { millis(timeout) } else { PollTimeout::ZERO };
        if let Err(errno) = poll(&mut entries, timeout) {
            return (Err(errno), 0);
        }
        for entry in entries {
            if entry.revents & POLLNVAL != 0 {
                // Its association ended when it was closed.
                self.associated.remove(&entry.fd);
            } else {
                self.arrive(entry.fd, entry.revents);
            }
        }
        let count = self.queue.len().min(events.len());
        for (place, event) in events.iter_mut().zip(self.queue.drain(..count)) {
            *place = event;
            self.associated.remove(&(event.object as RawFd));
        }
        match count {
            0 => (Err(Errno::ETIME), 0),
            _ => (self.fails.take().map_or(Ok(()), Err), count),
        }
    }

    /// An association tells of one event, whatever comes after it.
    fn arrive(&mut self, fd: RawFd, flags: c_short) {
        let event = self.associated[&fd];
        if flags != 0 {
            let events =
                event.events & c_int::from(flags) | c_int::from(flags & (POLLERR | POLLHUP));
            self.queue.push_back(Event { events, ..event });
        }
    }
}
