//! /dev/poll (poll(4D)): the list lives in a device; entries are written to it, and an ioctl waits.
//!
//! nix has no such call, so this is the one file of the library with `unsafe` in it.
#![allow(unsafe_code)]

use super::{Backend, Registered, millis};
use crate::{EVENT_READ, EVENT_WRITE, EventMask, Selector};
use libc::{POLLIN, POLLOUT, c_int, c_short, nfds_t, pollfd};
use nix::errno::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// `sys/devpoll.h`, which the libc crate does not have.
const DP_POLL: c_int = (0xD0 << 8) | 1;
/// `sys/poll.h`: takes the descriptor out of the list.
const POLLREMOVE: c_short = 0x0800;

/// What the ioctl takes. The last field is for another command; it is not read here.
#[repr(C)]
struct DvPoll {
    fds: *mut pollfd,
    count: nfds_t,
    timeout: c_int,
    signals: *mut libc::sigset_t,
}

/// /dev/poll.
#[derive(Debug)]
pub struct DevpollBackend {
    device: File,
    /// As many as are registered, so that one wait can bring them all.
    batch: Vec<Entry>,
}

/// A pollfd that can be printed.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Entry(pollfd);

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {:#x})", self.0.fd, self.0.revents)
    }
}

impl DevpollBackend {
    fn tell<const N: usize>(&mut self, changes: [pollfd; N]) -> io::Result<()> {
        // SAFETY: a pollfd is an int and two shorts, eight bytes without a gap between them, and
        // the array lives until the end of the call.
        let bytes = unsafe {
            std::slice::from_raw_parts(changes.as_ptr().cast::<u8>(), size_of_val(&changes))
        };
        self.device.write_all(bytes)
    }
}

/// Python's `selectors.DevpollSelector`: /dev/poll, on illumos and Solaris.
pub type DevpollSelector<F, D> = Selector<F, D, DevpollBackend>;

impl Backend for DevpollBackend {
    fn new() -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/poll")?;
        Ok(Self { device, batch: Vec::new() })
    }

    fn name(&self) -> &'static str {
        "devpoll"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        self.tell([entry(fd, flags(events))])
    }

    /// Flags that are written are added to those that are there, so the entry is removed before.
    fn modify(&mut self, fd: BorrowedFd<'_>, _: EventMask, new: EventMask) -> io::Result<()> {
        self.tell([entry(fd, POLLREMOVE), entry(fd, flags(new))])
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, _: EventMask) -> io::Result<()> {
        self.tell([entry(fd, POLLREMOVE)])
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
        let mut what = DvPoll {
            fds: self.batch.as_mut_ptr().cast(),
            count: room as nfds_t,
            timeout: i32::from(millis(timeout)),
            signals: std::ptr::null_mut(),
        };
        // SAFETY: `batch` has room for `count` entries (`Entry` is a pollfd, transparently), and
        // both it and `what` live until the end of the call.
        let count = unsafe { libc::ioctl(self.device.as_raw_fd(), DP_POLL as _, &mut what) };
        let count = usize::try_from(Errno::result(count)?).expect("a count is not negative");
        ready.extend(self.batch[..count].iter().map(|Entry(entry)| {
            // Python's rule, as for poll: a hang-up or an error is both.
            let mut events = EventMask::empty();
            events.set(EVENT_READ, entry.revents & !POLLOUT != 0);
            events.set(EVENT_WRITE, entry.revents & !POLLIN != 0);
            (entry.fd, events)
        }));
        Ok(())
    }

    /// What was closed without being taken out is reported as an error (POLLNVAL), for ever.
    fn restart(&mut self, registered: &dyn Registered) -> io::Result<()> {
        *self = Self::new()?;
        let mut result = Ok(());
        registered.for_each(&mut |fd, events| {
            if result.is_ok() {
                result = self.add(fd, events);
            }
        });
        result
    }
}

fn entry(fd: BorrowedFd<'_>, events: c_short) -> pollfd {
    pollfd { fd: fd.as_raw_fd(), events, revents: 0 }
}

fn flags(events: EventMask) -> c_short {
    let read = if events.contains(EVENT_READ) { POLLIN } else { 0 };
    let write = if events.contains(EVENT_WRITE) { POLLOUT } else { 0 };
    read | write
}
