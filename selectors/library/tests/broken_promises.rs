//! What a program can do to a selector without `unsafe`: close a descriptor by its number, or
//! register an object that is another descriptor later. It loses what it has broken, and no more.
#![cfg(any(target_os = "linux", target_os = "android"))]

use fd_selectors::{EVENT_READ, EVENT_WRITE, SelectSelector};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

/// What one of these tests closes, the other must not open.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// epoll goes on to tell of a file of which a copy is open, and the selector starts anew. Another
/// one that was closed behind its back does not keep the rest out.
#[test]
fn starting_anew_loses_nobody() {
    let _alone = alone();
    let pair = || UnixStream::pair().expect("descriptors are free");
    let ((a, mut a_peer), (b, _b), (c, mut c_peer)) = (pair(), pair(), pair());
    let mut selector = fd_selectors::EpollSelector::new().expect("descriptors are free");
    let copy = a.try_clone().expect("descriptors are free");
    for (socket, name) in [(a, "a"), (b, "b"), (c, "c")] {
        // Leaked, so that nobody closes it a second time.
        let socket: &UnixStream = Box::leak(Box::new(socket));
        selector.register(socket, EVENT_READ, name).expect("a socket");
    }
    let numbers: Vec<_> = selector.iter().map(|key| key.fd).collect();
    for closed in &numbers[..2] {
        nix::unistd::close(*closed).expect("it is open");
    }
    selector.unregister(&numbers[0]).expect("it is registered");
    for peer in [&mut a_peer, &mut c_peer] {
        peer.write_all(b"x").expect("connected");
    }
    let mut batch = Vec::new();
    for _ in 0..3 {
        selector.select_ready(AT_ONCE, &mut batch).expect("what was closed is passed over");
        let names: Vec<_> = batch
            .iter()
            .map(|ready| *selector.resolve(ready).expect("it is registered").1)
            .collect();
        assert_eq!(names, ["c"]);
    }
    let ready = batch.first().expect("c is ready");
    let (&c, _) = selector.resolve(ready).expect("it is registered");
    let mut c: &UnixStream = c;
    c.read_exact(&mut [0]).expect("its peer has written");
    selector.select_ready(AT_ONCE, &mut batch).expect("also when nobody is ready");
    assert!(batch.is_empty());
    drop(copy);
    nix::unistd::close(numbers[2]).expect("it is open");
}

/// An object that is not the same descriptor any more breaks what `Selector` asks of it. Then it is
/// not watched; but nothing spins, and select(2) is not given a number beyond its set.
#[test]
fn an_object_that_changes_its_descriptor_is_not_watched() {
    let _alone = alone();
    struct Changing([OwnedFd; 2], Cell<usize>);
    impl AsFd for Changing {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0[self.1.get()].as_fd()
        }
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a known resource");
    setrlimit(Resource::RLIMIT_NOFILE, 4096.max(soft).min(hard), hard).expect("within the limit");
    let (low, _peer) = UnixStream::pair().expect("descriptors are free");
    let high = copy_from(&low, 2000);
    let object = Changing([low.into(), high], Cell::new(0));
    let mut selector = SelectSelector::new().expect("nothing is asked of the system");
    selector.register(&object, EVENT_WRITE, ()).expect("the first has a low number");
    assert_eq!(selector.select(AT_ONCE).expect("open descriptors").len(), 1);
    object.1.set(1);
    assert!(selector.select(AT_ONCE).expect("open descriptors").is_empty());
}

/// A copy with a number that is not lower.
fn copy_from(socket: &UnixStream, lowest: RawFd) -> OwnedFd {
    let (mut copies, mut copy) = (Vec::new(), OwnedFd::from(socket.try_clone().expect("free")));
    while copy.as_raw_fd() < lowest {
        copies.push(copy);
        copy = OwnedFd::from(socket.try_clone().expect("descriptors are free"));
    }
    copy
}
