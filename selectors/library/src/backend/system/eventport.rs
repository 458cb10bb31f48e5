//! Event ports. nix has no such calls, so this needs `unsafe`.
#![allow(unsafe_code)]

use super::timespec;
use crate::backend::eventport::Event;
use libc::{PORT_SOURCE_FD, c_int, c_uint, port_event};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

const _: () = assert!(size_of::<Event>() == size_of::<port_event>());

#[derive(Debug)]
pub(in crate::backend) struct Port(OwnedFd);

impl Port {
    pub fn new() -> io::Result<Self> {
        // SAFETY: it takes nothing. What it returns is a new descriptor, so nobody else owns it.
        let port = unsafe { OwnedFd::from_raw_fd(Errno::result(libc::port_create())?) };
        // A program that is started with exec must not inherit it.
        fcntl(&port, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        Ok(Self(port))
    }

    /// Associates a descriptor for one event. If it is associated, `events` and `user` replace
    /// those of before, and an event that has not been fetched is dropped.
    pub fn associate(&mut self, fd: RawFd, events: c_int, user: usize) -> nix::Result<()> {
        let user = ptr::without_provenance_mut(user);
        // SAFETY: with this source the object is a descriptor's number, which the system checks.
        // Nobody looks where `user` points to: it comes back with the event.
        let result = unsafe {
            libc::port_associate(self.0.as_raw_fd(), PORT_SOURCE_FD, object(fd), events, user)
        };
        Errno::result(result).map(drop)
    }

    pub fn dissociate(&mut self, fd: RawFd) -> nix::Result<()> {
        // SAFETY: as in `associate`.
        let result =
            unsafe { libc::port_dissociate(self.0.as_raw_fd(), PORT_SOURCE_FD, object(fd)) };
        Errno::result(result).map(drop)
    }

    /// Waits for one event, and fetches as many as there are and `events` has room for. How many
    /// that was is told beside the result: when the time is over (ETIME), some may have come yet.
    pub fn getn(
        &mut self,
        events: &mut [Event],
        timeout: Option<Duration>,
    ) -> (nix::Result<()>, usize) {
        let mut timeout = timeout.map(timespec);
        let mut count = 1;
        // Some versions leave the count as it was when the time is over. Then this stays, too.
        events[0].source = 0;
        // SAFETY: `events` has room for its length in events (the fields are those of port_event),
        // and all that is pointed to lives until the end of the call.
        let result = unsafe {
            libc::port_getn(
                self.0.as_raw_fd(),
                events.as_mut_ptr().cast(),
                events.len() as c_uint,
                &mut count,
                timeout.as_mut().map_or(ptr::null_mut(), ptr::from_mut),
            )
        };
        let result = Errno::result(result).map(drop);
        // After any other error the count means nothing.
        let fetched = matches!(result, Ok(()) | Err(Errno::ETIME)) && events[0].source != 0;
        (result, if fetched { count as usize } else { 0 })
    }
}

fn object(fd: RawFd) -> libc::uintptr_t {
    fd.try_into().expect("an open descriptor is not negative")
}
