//! Where backends differ: how many descriptors, which kinds, what a change costs.
#![allow(clippy::missing_const_for_thread_local, reason = "they are const: an older lint errs")]
#![cfg(not(target_os = "solaris"))]

use fd_selectors::{
    Backend, EVENT_READ, EVENT_WRITE, EventMask, PollBackend, Registered, SelectBackend,
    SelectSelector, Selector,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
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
    let mut selector = Selector::<Rc<UnixStream>, (), B>::new().expect("descriptors are free");
    for socket in sockets() {
        selector
            .register(Rc::new(socket), EVENT_READ | EVENT_WRITE, ())
            .expect("no number is too high");
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
    two_thousand::<fd_selectors::EpollBackend>();
}

#[test]
fn select_refuses_a_high_number_in_words() {
    let mut selector =
        SelectSelector::<UnixStream, ()>::new().expect("nothing is asked of the system");
    let sockets = sockets();
    let high = sockets.into_iter().find(|socket| socket.as_raw_fd() >= 1100);
    let high = high.expect("2000 sockets have higher numbers");
    let number = high.as_raw_fd();
    let error = selector.register(high, EVENT_READ, ()).expect_err("a set has 1024 bits");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains(&number.to_string()), "{error}");
    assert!(selector.get_map().is_empty());
    let mut batch = Vec::new();
    selector.select_ready(AT_ONCE, &mut batch).expect("nothing is registered");
    assert!(batch.is_empty());
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
        let mut selector = Selector::<Rc<File>, (), B>::new().expect("descriptors are free");
        selector.register(Rc::new(this_file()), EVENT_READ, ()).expect("any descriptor will do");
        let batch = selector.select(AT_ONCE).expect("open descriptors");
        batch.into_iter().map(|(_, events)| events).collect()
    }
    assert_eq!(ready::<SelectBackend>(), [EVENT_READ]);
    assert_eq!(ready::<PollBackend>(), [EVENT_READ]);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn epoll_refuses_a_regular_file_and_keeps_no_key() {
    let mut selector = fd_selectors::EpollSelector::new().expect("descriptors are free");
    let refused = selector.register(this_file(), EVENT_READ, ());
    assert_eq!(refused.expect_err("EPERM").kind(), ErrorKind::PermissionDenied);
    assert!(selector.get_map().is_empty());
}

/// epoll's own descriptor is readable when one of those it watches is ready, so a selector can be
/// registered with another.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_selector_can_watch_a_selector() {
    use fd_selectors::{EpollSelector, PollSelector};
    use std::io::Write;
    let (a, mut b) = UnixStream::pair().expect("descriptors are free");
    let mut inner = EpollSelector::new().expect("descriptors are free");
    inner.register(a, EVENT_READ, ()).expect("a socket");
    let mut outer = PollSelector::new().expect("nothing is asked of the system");
    outer.register(Rc::new(inner), EVENT_READ, ()).expect("a descriptor like others");
    assert!(outer.select(AT_ONCE).expect("open descriptors").is_empty());
    b.write_all(b"x").expect("connected");
    assert_eq!(outer.select(AT_ONCE).expect("open descriptors").len(), 1);
}

thread_local! {
    static CHANGES: Cell<u32> = const { Cell::new(0) };
    static BROKEN: Cell<bool> = const { Cell::new(false) };
    static RESTARTS: Cell<u32> = const { Cell::new(0) };
    static REPORTED: RefCell<Vec<RawFd>> = const { RefCell::new(Vec::new()) };
}

/// A backend that waits for nothing, counts what it is told, and fails when it is to.
#[derive(Debug)]
struct Fake;

impl Backend for Fake {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    fn name(&self) -> &'static str {
        "fake"
    }

    fn restart(&mut self, registered: &dyn Registered) -> io::Result<()> {
        RESTARTS.set(RESTARTS.get() + 1);
        registered.for_each(&mut |_, _| CHANGES.set(CHANGES.get() + 1));
        if BROKEN.get() { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
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

    fn wait(
        &mut self,
        _: &dyn Registered,
        _: Option<Duration>,
        _: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        ready.extend(
            REPORTED.with_borrow(|fds| fds.iter().map(|&fd| (fd, EVENT_READ)).collect::<Vec<_>>()),
        );
        Ok(())
    }
}

#[test]
fn a_change_of_data_alone_costs_no_system_call() {
    let mut selector = Selector::<_, _, Fake>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    let fd = selector.register(a, EVENT_READ, 1).expect("a socket").fd;
    CHANGES.set(0);
    selector.modify(&fd, EVENT_READ, 2).expect("it is registered");
    assert_eq!(CHANGES.get(), 0);
    selector.modify(&fd, EVENT_WRITE, 3).expect("it is registered");
    assert_eq!(CHANGES.get(), 1);
}

/// The descriptor may have been closed behind the selector's back (EBADF, ENOENT). The key is out
/// in any case, so there is nothing that the caller could do about it. As in Python.
#[test]
fn unregister_ignores_what_the_system_says() {
    let mut selector = Selector::<_, _, Fake>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    let fd = selector.register(a, EVENT_READ, 1).expect("a socket").fd;
    selector.unregister(&fd).expect("it was registered");
    assert!(selector.get_map().is_empty());
}

/// A backend that reports what nobody registered is told to start anew.
#[test]
fn an_unknown_descriptor_is_not_reported_for_ever() {
    let mut selector = Selector::<_, _, Fake>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    selector.register(Rc::new(a), EVENT_READ, 1).expect("a socket");
    CHANGES.set(0);
    RESTARTS.set(0);
    REPORTED.set(vec![999]);
    assert!(selector.select(AT_ONCE).expect("it is a fake").is_empty());
    assert_eq!((RESTARTS.get(), CHANGES.get()), (1, 1), "one restart, told of one descriptor");
}

/// What is ready is handed out before anybody is told that the selector could not start anew.
#[test]
fn an_error_does_not_hide_who_is_ready() {
    let mut selector = Selector::<_, _, Fake>::new().expect("it is a fake");
    let (a, b) = UnixStream::pair().expect("descriptors are free");
    let fd = selector.register(a, EVENT_READ, 1).expect("a socket").fd;
    BROKEN.set(true);
    REPORTED.set(vec![999, fd]);
    let mut batch = Vec::new();
    selector.select_ready(AT_ONCE, &mut batch).expect("one is ready");
    assert_eq!(batch.len(), 1);
    REPORTED.set(vec![999]);
    let refused = selector.select_ready(AT_ONCE, &mut batch);
    assert_eq!(refused.expect_err("it is broken").kind(), ErrorKind::OutOfMemory);
    drop(b);
}

/// Python unregisters what it could not modify; whoever catches the exception has lost the client.
#[test]
fn a_change_that_fails_changes_nothing() {
    let mut selector = Selector::<_, _, Fake>::new().expect("it is a fake");
    let (a, _b) = UnixStream::pair().expect("descriptors are free");
    let fd = selector.register(a, EVENT_READ, 1).expect("a socket").fd;
    BROKEN.set(true);
    let refused = selector.modify(&fd, EVENT_WRITE, 2);
    assert_eq!(refused.expect_err("it is broken").kind(), ErrorKind::OutOfMemory);
    let kept = selector.get_key(&fd).expect("it is still registered");
    assert_eq!((kept.events, kept.data), (EVENT_READ, 1));
}
