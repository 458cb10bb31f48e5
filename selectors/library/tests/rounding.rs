//! A time-out shorter than the system counts in is rounded up. Rounded down it is zero, and a loop
//! spins until it has passed.
#![allow(clippy::missing_const_for_thread_local, reason = "they are const: an older lint errs")]

use fd_selectors::{
    Backend, EVENT_READ, EventMask, PollBackend, Registered, SelectBackend, Selector,
};
use std::cell::Cell;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    static WAITS: Cell<u32> = const { Cell::new(0) };
}

/// A backend that counts its waits.
#[derive(Debug)]
struct Counted<B>(B);

impl<B: Backend> Backend for Counted<B> {
    fn new() -> io::Result<Self> {
        Ok(Self(B::new()?))
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn add(&mut self, fd: BorrowedFd<'_>, events: EventMask) -> io::Result<()> {
        self.0.add(fd, events)
    }

    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        most: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        WAITS.set(WAITS.get() + 1);
        self.0.wait(registered, timeout, most, ready)
    }
}

fn half_a_millisecond_is_waited_for_and_not_spun<B: Backend>() {
    let mut selector = Selector::<_, _, Counted<B>>::new().expect("descriptors are free");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    selector.register(Rc::new(a), EVENT_READ, 1).expect("a socket");
    let timeout = Duration::from_micros(500);
    assert!(selector.select(Some(timeout)).expect("an open descriptor").is_empty());
    assert!(WAITS.get() <= 2, "{} looks in half a millisecond", WAITS.get());
}

#[test]
fn select() {
    half_a_millisecond_is_waited_for_and_not_spun::<SelectBackend>();
}

#[test]
fn poll() {
    half_a_millisecond_is_waited_for_and_not_spun::<PollBackend>();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn epoll() {
    half_a_millisecond_is_waited_for_and_not_spun::<fd_selectors::EpollBackend>();
}
