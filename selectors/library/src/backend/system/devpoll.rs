//! /dev/poll. nix has no such call, so this needs `unsafe`.
#![allow(unsafe_code)]

use crate::backend::devpoll::Entry;
use libc::{c_int, nfds_t, pollfd};
use nix::errno::Errno;
use nix::poll::PollTimeout;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;

/// `sys/devpoll.h`, which the libc crate does not have.
const DP_POLL: c_int = (0xD0 << 8) | 1;

/// What the ioctl takes. The last field is for another command; it is not read here.
#[repr(C)]
struct DvPoll {
    fds: *mut pollfd,
    count: nfds_t,
    timeout: c_int,
    signals: *mut libc::sigset_t,
}

#[derive(Debug)]
pub(in crate::backend) struct Device(File);

impl Device {
    pub fn open() -> io::Result<Self> {
        Ok(Self(OpenOptions::new().read(true).write(true).open("/dev/poll")?))
    }

    pub fn write(&mut self, changes: &[Entry]) -> io::Result<()> {
        // SAFETY: an entry is a pollfd, transparently, which is an int and two shorts: eight bytes
        // without a gap between them. The slice lives until the end of the call.
        let bytes = unsafe {
            std::slice::from_raw_parts(changes.as_ptr().cast::<u8>(), size_of_val(changes))
        };
        self.0.write_all(bytes)
    }

    /// Waits for entries that are ready. How many there are now in `batch`.
    pub fn poll(&mut self, batch: &mut [Entry], timeout: PollTimeout) -> nix::Result<usize> {
        let mut what = DvPoll {
            fds: batch.as_mut_ptr().cast(),
            count: batch.len() as nfds_t,
            timeout: timeout.into(),
            signals: std::ptr::null_mut(),
        };
        // SAFETY: `batch` has room for `count` entries (an entry is a pollfd, transparently), and
        // both it and `what` live until the end of the call.
        let count = unsafe { libc::ioctl(self.0.as_raw_fd(), DP_POLL as _, &mut what) };
        Ok(usize::try_from(Errno::result(count)?).expect("a count is not negative"))
    }
}
