//! kqueue, as kqueue(2) tells.

use super::{flags, poll};
use crate::backend::filters::{Change, Fired};
use crate::backend::millis;
use crate::{EVENT_WRITE, EventMask};
use libc::{POLLERR, POLLIN, POLLNVAL, POLLOUT, c_short, pollfd};
use nix::errno::Errno;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

#[derive(Debug)]
pub(in crate::backend) struct Kqueue {
    /// Which filters there are. One that is reported goes to the end: the manual does not
    /// say so, but the systems do it.
    filters: VecDeque<(RawFd, EventMask)>,
    /// EVFILT_USER with EV_CLEAR: readable from when it is set off until it is reported.
    user: Option<UnixStream>,
}

impl Kqueue {
    pub fn new() -> io::Result<Self> {
        Ok(Self { filters: VecDeque::new(), user: None })
    }

    pub fn change(
        &mut self,
        fd: BorrowedFd<'_>,
        event: EventMask,
        change: Change,
    ) -> nix::Result<()> {
        let fd = fd.as_raw_fd();
        let place = self.filters.iter().position(|&filter| filter == (fd, event));
        match (change, place) {
            // Old versions of macOS: a pipe without a reader.
            (Change::Add, _) if event == EVENT_WRITE && flags(fd, POLLOUT) & POLLERR != 0 => {
                return Err(Errno::EPIPE);
            }
            // It is changed, not doubled.
            (Change::Add, Some(_)) => {}
            (Change::Add, None) => self.filters.push_back((fd, event)),
            (Change::Delete, Some(place)) => drop(self.filters.remove(place)),
            (Change::Delete, None) => return Err(Errno::ENOENT),
        }
        Ok(())
    }

    pub fn wait(
        &mut self,
        room: usize,
        timeout: Option<Duration>,
    ) -> nix::Result<impl Iterator<Item = Fired> + use<>> {
        let filters = self.filters.iter().map(|&(fd, event)| (fd, asked(event)));
        let user = self.user.iter().map(|user| (user.as_raw_fd(), POLLIN));
        let entries = user.chain(filters).map(|(fd, events)| pollfd { fd, events, revents: 0 });
        let mut entries: Vec<_> = entries.collect();
        poll(&mut entries, millis(timeout))?;
        // A descriptor that was closed has no filters any more.
        entries.retain(|entry| entry.revents & POLLNVAL == 0);
        let mut fired = Vec::new();
        for pollfd { fd, events, revents } in entries {
            let filter = (fd, if events == POLLOUT { EVENT_WRITE } else { EventMask::EVENT_READ });
            if revents != 0 && fired.len() < room {
                if let Some(user) = self.user.as_mut().filter(|user| user.as_raw_fd() == fd) {
                    while let Ok(1..) = user.read(&mut [0; 64]) {}
                    fired.push(Fired::User);
                } else {
                    self.filters.retain(|&other| other != filter);
                    self.filters.push_back(filter);
                    fired.push(Fired::Descriptor(filter.0, filter.1));
                }
            }
        }
        Ok(fired.into_iter())
    }

    pub fn user_event(
        &mut self,
    ) -> io::Result<impl Fn() + Send + Sync + UnwindSafe + RefUnwindSafe + use<>> {
        let (reader, writer) = UnixStream::pair()?;
        for end in [&reader, &writer] {
            end.set_nonblocking(true)?;
        }
        self.user = Some(reader);
        // Full: it is set off already. Closed: so is the kqueue.
        Ok(move || drop((&writer).write(&[0])))
    }
}

fn asked(event: EventMask) -> c_short {
    if event == EVENT_WRITE { POLLOUT } else { POLLIN }
}
