//! Where backends differ: how many descriptors, which kinds, what a change costs.
#![allow(clippy::missing_const_for_thread_local, reason = "they are const: an older lint errs")]
#![cfg(not(target_os = "solaris"))]

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use selectors::{
    Backend, EVENT_READ, EVENT_WRITE, EventMask, PollBackend, SelectBackend, SelectSelector,
    Selector,
};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

/// More descriptors than a set of select(2) has bits.
fn many_descriptors_allowed() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a known resource");
    let wanted = 4096.max(soft).min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).expect("within the hard limit");
    assert!(wanted >= 4096, "these tests need 4096 descriptors (ulimit -Hn says {hard})");
}

/// 2000 sockets, connected in pairs.
fn sockets() -> Vec<UnixStream> {
    many_descriptors_allowed();
    let pairs = (0..1000).map(|_| UnixStream::pair().expect("descriptors are free"));
    pairs.flat_map(|(a, b)| [a, b]).collect()
}

fn two_thousand<B: Backend>() {
    let mut selector = Selector::<B, UnixStream, ()>::new().expect("descriptors are free");
    for socket in sockets() {
        selector.register(socket, EVENT_READ | EVENT_WRITE, ()).expect("no number is too high");
    }
    let batch = selector.select(AT_ONCE).expect("open descriptors");
    assert_eq!(batch.len(), 2000);
    assert!(batch.iter().all(|&(_, events)| events == EVENT_WRITE));
}

#[test]
fn poll_takes_two_thousand_and_reports_them_all() {
    two_thousand::<PollBackend>();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn epoll_takes_two_thousand_and_reports_them_all() {
    two_thousand::<selectors::EpollBackend>();
}

#[test]
fn select_refuses_a_high_number_in_words() {
    let mut selector = SelectSelector::new().expect("nothing is asked of the system");
    let sockets = sockets();
    let high = sockets.into_iter().find(|socket| socket.as_raw_fd() >= 1100);
    let high = high.expect("2000 sockets have higher numbers");
    let number = high.as_raw_fd();
    let error = selector.register(high, EVENT_READ, ()).expect_err("a set has 1024 bits");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains(&number.to_string()), "{error}");
    assert!(selector.get_map().is_empty());
    assert!(selector.select(AT_ONCE).expect("nothing is registered").is_empty());
}

fn this_file() -> File {
    File::open(file!().rsplit_once("tests/").map_or("Cargo.toml", |_| "Cargo.toml"))
        .expect("tests run in the folder of their package")
}

/// A file on disk has no moment of becoming ready: its data is there, or comes in uninterruptible
/// sleep. select and poll call that ready, always; epoll says that it makes no sense.
#[test]
fn select_and_poll_call_a_regular_file_ready() {
    fn ready<B: Backend>() -> Vec<EventMask> {
        let mut selector = Selector::<B, File, ()>::new().expect("descriptors are free");
        selector.register(this_file(), EVENT_READ, ()).expect("any descriptor will do");
        let batch = selector.select(AT_ONCE).expect("open descriptors");
        batch.into_iter().map(|(_, events)| events).collect()
    }
    assert_eq!(ready::<SelectBackend>(), [EVENT_READ]);
    assert_eq!(ready::<PollBackend>(), [EVENT_READ]);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn epoll_refuses_a_regular_file_and_keeps_no_key() {
    let mut selector = selectors::EpollSelector::new().expect("descriptors are free");
    let refused = selector.register(this_file(), EVENT_READ, ());
    assert_eq!(refused.expect_err("EPERM").kind(), ErrorKind::PermissionDenied);
    assert!(selector.get_map().is_empty());
}

/// epoll's own descriptor is readable when one of those it watches is ready, so a selector can be
/// registered with another.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_selector_can_watch_a_selector() {
    use selectors::{EpollSelector, PollSelector};
    use std::io::Write;
    let (a, mut b) = UnixStream::pair().expect("descriptors are free");
    let mut inner = EpollSelector::new().expect("descriptors are free");
    inner.register(a, EVENT_READ, ()).expect("a socket");
    let mut outer = PollSelector::new().expect("nothing is asked of the system");
    outer.register(inner, EVENT_READ, ()).expect("a descriptor like others");
    assert!(outer.select(AT_ONCE).expect("open descriptors").is_empty());
    b.write_all(b"x").expect("connected");
    assert_eq!(outer.select(AT_ONCE).expect("open descriptors").len(), 1);
}

thread_local! {
    static CHANGES: Cell<u32> = const { Cell::new(0) };
    static BROKEN: Cell<bool> = const { Cell::new(false) };
    static MADE: Cell<u32> = const { Cell::new(0) };
    static REPORTED: Cell<Option<RawFd>> = const { Cell::new(None) };
}

/// A backend that waits for nothing, counts what it is told, and fails when it is to.
struct Fake;

impl Backend for Fake {
    const NAME: &'static str = "fake";

    fn new() -> io::Result<Self> {
        MADE.set(MADE.get() + 1);
        Ok(Self)
    }

    fn add(&mut self, _: BorrowedFd<'_>, _: EventMask) -> io::Result<()> {
        CHANGES.set(CHANGES.get() + 1);
        Ok(())
    }

    fn remove(&mut self, _: BorrowedFd<'_>, _: EventMask) -> io::Result<()> {
        Err(ErrorKind::NotFound.into())
    }

    fn modify(&mut self, _: BorrowedFd<'_>, _: EventMask, _: EventMask) -> io::Result<()> {
        CHANGES.set(CHANGES.get() + 1);
        if BROKEN.get() { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    fn wait<'fd>(
        &mut self,
        _: impl ExactSizeIterator<Item = (BorrowedFd<'fd>, EventMask)> + Clone,
        _: Option<Duration>,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        ready.extend(REPORTED.get().map(|fd| (fd, EVENT_READ)));
        Ok(())
    }
}

#[test]
fn a_change_of_data_alone_costs_no_system_call() {
    let mut selector = Selector::<Fake, _, _>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    let key = selector.register(a, EVENT_READ, 1).expect("a socket");
    CHANGES.set(0);
    selector.modify(&key.fileobj, EVENT_READ, 2).expect("it is registered");
    assert_eq!(CHANGES.get(), 0);
    selector.modify(&key.fileobj, EVENT_WRITE, 3).expect("it is registered");
    assert_eq!(CHANGES.get(), 1);
}

/// The descriptor may have been closed behind the selector's back (EBADF, ENOENT). The key is out
/// in any case, so there is nothing that the caller could do about it. As in Python.
#[test]
fn unregister_ignores_what_the_system_says() {
    let mut selector = Selector::<Fake, _, _>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    let key = selector.register(a, EVENT_READ, 1).expect("a socket");
    selector.unregister(&key.fileobj).expect("it was registered");
    assert!(selector.get_map().is_empty());
}

/// What the kernel would report that has no key would be reported again and again.
#[test]
fn a_clone_of_the_data_that_panics_registers_nothing() {
    struct Data;
    impl Clone for Data {
        fn clone(&self) -> Self {
            panic!("on purpose")
        }
    }
    let mut selector = Selector::<Fake, UnixStream, Data>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    CHANGES.set(0);
    let register = || drop(selector.register(a, EVENT_READ, Data));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(register));
    assert!(caught.is_err());
    assert_eq!(CHANGES.get(), 0, "the backend was not told");
}

/// A backend that reports what nobody registered is replaced by one that knows only what is.
#[test]
fn an_unknown_descriptor_is_not_reported_for_ever() {
    let mut selector = Selector::<Fake, _, _>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    selector.register(a, EVENT_READ, 1).expect("a socket");
    CHANGES.set(0);
    MADE.set(0);
    REPORTED.set(Some(999));
    assert!(selector.select(AT_ONCE).expect("it is a fake").is_empty());
    assert_eq!((MADE.get(), CHANGES.get()), (1, 1), "one new backend, told of one descriptor");
}

/// Python unregisters what it could not modify; whoever catches the exception has lost the client.
#[test]
fn a_change_that_fails_changes_nothing() {
    let mut selector = Selector::<Fake, _, _>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    let key = selector.register(a, EVENT_READ, 1).expect("a socket");
    BROKEN.set(true);
    let refused = selector.modify(&key.fileobj, EVENT_WRITE, 2);
    assert_eq!(refused.expect_err("it is broken").kind(), ErrorKind::OutOfMemory);
    let kept = selector.get_key(&key.fileobj).expect("it is still registered");
    assert_eq!((kept.events, kept.data), (EVENT_READ, 1));
}
