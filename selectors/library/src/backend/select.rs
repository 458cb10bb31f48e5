//! select(2): three sets of bits, handed over and overwritten at every call.

use super::{Backend, Registered};
use crate::{EVENT_READ, EVENT_WRITE, EventMask, Selector};
use nix::sys::select::{FD_SETSIZE, FdSet, select};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// select(2). It knows the descriptors 0 to 1023 and no others.
#[derive(Debug)]
pub struct SelectBackend;

/// Python's `selectors.SelectSelector`: select(2), everywhere, for descriptors below 1024.
pub type SelectSelector<F, D> = Selector<F, D, SelectBackend>;

impl Backend for SelectBackend {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    fn name(&self) -> &'static str {
        "select"
    }

    /// Nothing to be told, but one thing to be refused: a number for which a set has no bit. C
    /// writes beyond the set here, and nix panics.
    fn add(&mut self, fd: BorrowedFd<'_>, _: EventMask) -> io::Result<()> {
        let number = fd.as_raw_fd();
        if usize::try_from(number).is_ok_and(|number| number < FD_SETSIZE) {
            return Ok(());
        }
        let why = format!("select cannot watch descriptor {number}, only those below {FD_SETSIZE}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, why))
    }

    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        _: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        let (mut readable, mut writable) = (FdSet::new(), FdSet::new());
        let mut highest = -1;
        registered.for_each(&mut |fd, events| {
            if events.contains(EVENT_READ) {
                readable.insert(fd);
            }
            if events.contains(EVENT_WRITE) {
                writable.insert(fd);
            }
            highest = highest.max(fd.as_raw_fd());
        });
        let mut timeout = timeout.map(timeval);
        select(highest + 1, &mut readable, &mut writable, None, timeout.as_mut())?;
        // Asked in the order of registration; the sets have only that of the numbers.
        registered.for_each(&mut |fd, _| {
            let mut events = EventMask::empty();
            events.set(EVENT_READ, readable.contains(fd));
            events.set(EVENT_WRITE, writable.contains(fd));
            if !events.is_empty() {
                ready.push((fd.as_raw_fd(), events));
            }
        });
        Ok(())
    }
}

/// In microseconds, rounded up. Some systems refuse a time-out of years; the selector waits again
/// when there is time left.
fn timeval(wait: Duration) -> TimeVal {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let micros = wait.min(LONGEST).as_nanos().div_ceil(1000);
    TimeVal::microseconds(micros.try_into().expect("a day is few enough microseconds"))
}
