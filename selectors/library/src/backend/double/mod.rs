//! Doubles of kqueue, /dev/poll and event ports, so that their backends can be tested on Linux.
//!
//! They answer what the manuals say, and no more: that tests pass on them proves something about
//! our code, and nothing about the systems. Whether a descriptor is ready, poll(2) tells them.

mod devpoll;
mod eventport;
mod kqueue;
mod suite;

pub(super) use devpoll::Device;
pub(super) use eventport::Port;
pub(super) use kqueue::Kqueue;

use super::{Backend, Registered};
use crate::EventMask;
use libc::{c_short, pollfd};
use nix::errno::Errno;
use nix::poll::PollTimeout;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

/// poll(2), asked by number: a descriptor that was closed behind the selector is POLLNVAL. How many
/// are ready.
#[allow(unsafe_code)]
fn poll(entries: &mut [pollfd], timeout: PollTimeout) -> nix::Result<usize> {
    let count = entries.len() as libc::nfds_t;
    // SAFETY: `entries` are as many as is said, and live until the end of the call.
    let ready = unsafe { libc::poll(entries.as_mut_ptr(), count, timeout.into()) };
    Ok(usize::try_from(Errno::result(ready)?).expect("a count is not negative"))
}

/// The flags of one descriptor, now.
fn flags(fd: RawFd, events: c_short) -> c_short {
    let mut entry = [pollfd { fd, events, revents: 0 }];
    poll(&mut entry, PollTimeout::ZERO).expect("there is memory for one entry");
    entry[0].revents
}

/// A number of registered descriptors, for a backend that needs nothing else of them.
#[derive(Debug)]
pub(super) struct Registrations(pub usize);

impl Registered for Registrations {
    fn count(&self) -> usize {
        self.0
    }

    fn for_each<'a>(&'a self, _: &mut dyn FnMut(BorrowedFd<'a>, EventMask)) {}
}

/// What one wait of a backend reports at once.
pub(super) fn ready(
    backend: &mut impl Backend,
    most: usize,
) -> io::Result<Vec<(RawFd, EventMask)>> {
    let mut ready = Vec::new();
    backend.wait(&Registrations(10), Some(Duration::ZERO), most, &mut ready)?;
    ready.sort_unstable_by_key(|&(fd, _)| fd);
    Ok(ready)
}
