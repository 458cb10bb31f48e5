//! io_uring with one request at a time: submit it, sleep until it is complete.
//!
//! A buffer goes in by value and comes back with the completion. Meanwhile it is the kernel's, and
//! the compiler makes sure that the caller, which gave it away, cannot touch it.
#![allow(unsafe_code)]

use crate::refusal::refused;
use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};
use libc::{FIONREAD, MSG_NOSIGNAL, SOCK_CLOEXEC};
use log::info;
use nix::sys::resource::{UsageWho, getrusage};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// A ring with one request at a time.
pub struct Once {
    ring: IoUring,
    /// How often this program has slept in io_uring_enter.
    pub sleeps: i64,
}

impl Once {
    /// # Errors
    ///
    /// One sentence that says what to do where io_uring is missing or forbidden.
    pub fn new() -> io::Result<Self> {
        let mut ring = IoUring::new(1).map_err(|error| refused(&error))?;
        // Some systems have the queues and refuse the call that uses them. Better to know it now.
        // SAFETY: no memory of ours is in it.
        unsafe { ring.submission().push(&opcode::Nop::new().build()) }.expect("it is empty");
        ring.submit_and_wait(1).map_err(|error| refused(&error))?;
        ring.completion().next();
        Ok(Self { ring, sleeps: 0 })
    }

    /// Submits an accept, and sleeps until a client is there.
    ///
    /// # Errors
    ///
    /// As accept(2).
    pub fn accept(&mut self, listener: &impl AsFd) -> io::Result<OwnedFd> {
        let listener = Fd(listener.as_fd().as_raw_fd());
        let entry = opcode::Accept::new(listener, std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: no memory of ours is in it.
        let fd = unsafe { self.complete("accept", &entry.flags(SOCK_CLOEXEC).build()) }?;
        // SAFETY: the kernel has just opened it for us, and nobody else has its number.
        Ok(unsafe { OwnedFd::from_raw_fd(fd.try_into().expect("descriptors are small")) })
    }

    /// Submits a receive into `buffer`, and sleeps until the bytes are in it.
    ///
    /// # Errors
    ///
    /// As recv(2).
    pub fn receive(
        &mut self,
        socket: &impl AsFd,
        mut buffer: Vec<u8>,
    ) -> io::Result<(usize, Vec<u8>)> {
        let length = buffer.len().try_into().expect("--chunk is at most a mebibyte");
        let fd = Fd(socket.as_fd().as_raw_fd());
        let entry = opcode::Recv::new(fd, buffer.as_mut_ptr(), length).build();
        // SAFETY: we hold the buffer until the completion has come; `complete` does not return
        // before.
        let count = unsafe { self.complete("receive", &entry) }?;
        Ok((count, buffer))
    }

    /// Submits a send, and sleeps until the kernel has taken the bytes, or a part of them.
    ///
    /// # Errors
    ///
    /// As send(2).
    pub fn send(&mut self, socket: &impl AsFd, bytes: Vec<u8>) -> io::Result<(usize, Vec<u8>)> {
        let length = bytes.len().try_into().expect("an answer is short");
        let fd = Fd(socket.as_fd().as_raw_fd());
        let entry = opcode::Send::new(fd, bytes.as_ptr(), length).flags(MSG_NOSIGNAL).build();
        // SAFETY: as for `receive`.
        let count = unsafe { self.complete("send", &entry) }?;
        Ok((count, bytes))
    }

    /// One entry into the submission queue, one out of the completion queue.
    ///
    /// # Safety
    ///
    /// What the entry points to stays where it is until this returns.
    unsafe fn complete(&mut self, what: &str, entry: &squeue::Entry) -> io::Result<usize> {
        // SAFETY: as we were promised.
        unsafe { self.ring.submission().push(entry) }.expect("there is never more than one");
        info!("submitted: {what}");
        let before = switches();
        let completion = loop {
            // A signal (EINTR) changes nothing: the request is still under way. Anything else would
            // be our own mistake, and the request may be under way as well: we must not leave.
            let entered = self.ring.submit_and_wait(1);
            if let Some(completion) = self.ring.completion().next() {
                break completion;
            }
            match entered {
                Err(error) if !common::interrupted(&error) => {
                    info!("io_uring_enter: {error}");
                    std::process::abort();
                }
                _ => {}
            }
        };
        let slept = switches() - before;
        self.sleeps += slept;
        let result = completion.result();
        info!("completed: {what} = {result}, sleeps in io_uring_enter: {slept}");
        usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
    }
}

/// How often this process has gone to sleep so far: its voluntary context switches (getrusage(2)).
fn switches() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.voluntary_context_switches())
}

/// How many bytes are still in the kernel, not yet copied to any program (tcp(7), SIOCINQ).
#[must_use]
pub fn left_in_the_kernel(socket: &impl AsFd) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int, which lives until the end of the call.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), FIONREAD, &mut count) };
    if result == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}
