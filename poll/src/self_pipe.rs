//! SIGINT and SIGTERM as a descriptor: the self-pipe.
//!
//! A signal handler interrupts the program anywhere, even in the middle of an allocation, so it may
//! do next to nothing (signal-safety(7)): no formatting, no locks, no `Vec`. This one notes the
//! signal's number and sends one byte to the program itself; the rest happens in the loop.
//!
//! A flag alone, tested before each poll, would not do: a signal that comes between the test and
//! the call wakes nobody. A byte stays until it is read.
//!
//! Linux has a descriptor made for this, signalfd(2), and the BSDs and macOS have `EVFILT_SIGNAL`
//! in their kqueue. A pair of connected sockets (or a pipe, hence the name) works on all of them.

use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_usize;
use signal_hook::low_level::{pipe, signal_name};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Readable when one of the two signals has come.
#[derive(Debug)]
pub struct Signals {
    woken: UnixStream,
    /// Which one came last.
    number: Arc<AtomicUsize>,
}

impl Signals {
    /// From here on the two signals end nothing by themselves.
    ///
    /// # Errors
    ///
    /// When the system has no descriptors left, or does not let the program handle these signals.
    pub fn new() -> io::Result<Self> {
        let (woken, wake) = UnixStream::pair()?;
        // A loop must never sleep but in poll. The handler's end needs no such care: signal-hook
        // sends with MSG_DONTWAIT, and where the pair is full one byte more is not needed.
        woken.set_nonblocking(true)?;
        let number = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in the order in which they are registered, and the number must be there
            // before the byte that announces it.
            let value = usize::try_from(signal).expect("signals have positive numbers");
            register_usize(signal, Arc::clone(&number), value)?;
            pipe::register(signal, wake.try_clone()?)?;
        }
        // Which signals are blocked is inherited, and who started us may have blocked these.
        SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]).thread_unblock()?;
        Ok(Self { woken, number })
    }

    /// Takes the bytes, or poll would report them again. Whether there were any: several at once
    /// count as one signal. (The kernel itself may make one of those that come together.)
    pub fn take(&mut self) -> bool {
        matches!(self.woken.read(&mut [0; 64]), Ok(count) if count > 0)
    }

    /// The number of the one that came last.
    ///
    /// # Panics
    ///
    /// Never: SIGINT and SIGTERM have small numbers.
    #[must_use]
    pub fn number(&self) -> u8 {
        u8::try_from(self.number.load(Ordering::Relaxed)).expect("signals have small numbers")
    }

    /// The name of the one that came last.
    #[must_use]
    pub fn name(&self) -> &'static str {
        signal_name(self.number().into()).unwrap_or("a signal")
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}
