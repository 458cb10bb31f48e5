//! Ending a wait from another thread.

use std::fmt;
use std::io;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends a [`select`](crate::Selector::select) from any thread: the one under way, or else the next.
/// From [`Selector::waker`](crate::Selector::waker).
///
/// What was written to memory before the wake is seen by the thread whose `select` it ends. Several
/// wakes before `select` returns count as one. So after each `select`, empty the queue that it was
/// woken for; don't take only one element.
///
/// ```
/// use fd_selectors::DefaultSelector;
/// use std::os::unix::net::UnixStream;
/// use std::sync::{Arc, mpsc};
///
/// let mut selector = DefaultSelector::<Arc<UnixStream>, ()>::new()?;
/// let waker = selector.waker()?;
/// let (sender, jobs) = mpsc::channel();
/// let worker = std::thread::spawn(move || {
///     sender.send("done")?; // First what is to be seen,
///     waker.wake(); //         then the wake.
///     Ok::<(), mpsc::SendError<&str>>(())
/// });
/// let mut results = Vec::new();
/// while results.is_empty() {
///     selector.select(None)?;
///     results.extend(jobs.try_iter());
/// }
/// assert_eq!(results, ["done"]);
/// # worker.join().expect("it does not panic").expect("the receiver is there");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

struct Shared {
    /// A wake that no `select` has seen yet. While there is one, another has nothing to do.
    pending: AtomicBool,
    event: WakeEvent,
}

impl Waker {
    pub(crate) fn new(event: WakeEvent) -> Self {
        Self(Arc::new(Shared { pending: AtomicBool::new(false), event }))
    }

    /// Ends the `select` that waits, or the next one. It does not block, cannot fail, and costs one
    /// system call, or none if a wake is under way.
    #[inline]
    pub fn wake(&self) {
        // A swap here and in `take`, not a load or a store: also a thread that finds the flag set
        // must have its earlier writes seen by the thread that clears it.
        if !self.0.pending.swap(true, Ordering::AcqRel) {
            self.0.event.signal();
        }
    }

    /// A wake was reported: is it new? The event is cleared before the flag. The other way round a
    /// wake in between would set the flag, and its event would be cleared: all later ones would
    /// find the flag set, and none would end a wait.
    #[inline]
    pub(crate) fn take(&self) -> bool {
        self.0.event.clear();
        self.0.pending.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn event(&self) -> &WakeEvent {
        &self.0.event
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").field("pending", &self.0.pending).finish_non_exhaustive()
    }
}

/// What a backend tells a wake by. See [`Backend::wake_event`](crate::Backend::wake_event).
#[derive(Debug)]
pub struct WakeEvent(How);

#[derive(Debug)]
enum How {
    /// A descriptor that becomes readable.
    Descriptor {
        /// To be read empty, or it stays readable. With an edge-triggered one that is no harm, and
        /// saves a system call for each wake.
        clear: bool,
        descriptor: WakeDescriptor,
    },
    /// Something else, which this sets off.
    Other(Other),
}

struct Other(Box<dyn Fn() + Send + Sync + UnwindSafe + RefUnwindSafe>);

impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Other").finish_non_exhaustive()
    }
}

impl WakeEvent {
    /// A descriptor that becomes readable, to be watched like any other.
    ///
    /// # Errors
    ///
    /// No descriptor is free (EMFILE, ENFILE).
    pub fn descriptor() -> io::Result<Self> {
        Ok(Self(How::Descriptor { clear: true, descriptor: WakeDescriptor::new()? }))
    }

    /// As [`descriptor`](Self::descriptor), to be watched edge-triggered.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn edge() -> io::Result<Self> {
        Ok(Self(How::Descriptor { clear: false, descriptor: WakeDescriptor::new()? }))
    }

    /// What needs no descriptor, and is cleared as it is reported. `signal` sets it off.
    #[allow(dead_code, reason = "only kqueue has such an event")]
    pub(crate) fn other(
        signal: impl Fn() + Send + Sync + UnwindSafe + RefUnwindSafe + 'static,
    ) -> Self {
        Self(How::Other(Other(Box::new(signal))))
    }

    /// What is to be watched for reading, if it is a descriptor.
    #[must_use]
    pub fn as_descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            How::Descriptor { descriptor, .. } => Some(descriptor.as_fd()),
            How::Other(_) => None,
        }
    }

    /// The number by which a backend reports it: that of the descriptor, or [`Self::NUMBER`].
    pub(crate) fn number(&self) -> RawFd {
        self.as_descriptor().map_or(Self::NUMBER, |fd| fd.as_raw_fd())
    }

    /// No descriptor's number.
    pub(crate) const NUMBER: RawFd = -1;

    #[inline]
    fn signal(&self) {
        match &self.0 {
            How::Descriptor { descriptor, .. } => descriptor.signal(),
            How::Other(Other(signal)) => signal(),
        }
    }

    fn clear(&self) {
        match &self.0 {
            How::Descriptor { clear, descriptor } if *clear => descriptor.clear(),
            _ => {}
        }
    }
}

/// On Linux an eventfd, which is a counter.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
struct WakeDescriptor(nix::sys::eventfd::EventFd);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl WakeDescriptor {
    fn new() -> io::Result<Self> {
        use nix::sys::eventfd::{EfdFlags, EventFd};
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(EventFd::from_flags(flags)?))
    }

    /// It fails only where the counter is full, and then it is readable already.
    #[inline]
    fn signal(&self) {
        let _ = self.0.write(1);
    }

    fn clear(&self) {
        let _ = self.0.read();
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Elsewhere a pipe with a byte in it. Both ends are here, so that a wake after the selector's end
/// finds a reader: without one it would be SIGPIPE.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
struct WakeDescriptor {
    reader: OwnedFd,
    writer: OwnedFd,
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl WakeDescriptor {
    fn new() -> io::Result<Self> {
        use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
        let (reader, writer) = nix::unistd::pipe()?;
        for end in [&reader, &writer] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(Self { reader, writer })
    }

    /// It fails only where the pipe is full, and then it is readable already; or for a signal. That
    /// wake would be lost, and all later ones with it: they would find it pending.
    fn signal(&self) {
        while let Err(nix::errno::Errno::EINTR) = nix::unistd::write(&self.writer, &[0]) {}
    }

    fn clear(&self) {
        while let Ok(1..) = nix::unistd::read(&self.reader, &mut [0; 64]) {}
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a wake costs: a system call for the first, none for those that come before it is seen.
    #[test]
    fn wakes_that_nobody_has_seen_yet_are_one() {
        let waker = Waker::new(WakeEvent::descriptor().expect("descriptors are free"));
        for _ in 0..2 {
            for _ in 0..10 {
                waker.wake();
            }
            let fd = waker.event().as_descriptor().expect("it is one");
            let mut told = [0; 64];
            let count = nix::unistd::read(fd, &mut told).expect("it is readable");
            // An eventfd's counter has eight bytes; in a pipe each wake is one.
            let wakes = match told.first_chunk() {
                Some(&counter) if count == 8 => u64::from_ne_bytes(counter),
                _ => u64::try_from(count).expect("not negative"),
            };
            assert_eq!(wakes, 1);
            assert!(waker.take() && !waker.take());
        }
    }
}
