//! What every backend does, whatever the system calls it. The yardstick is what CPython's
//! `test_selectors.py` asks of Python's own.

use fd_selectors::{Backend, EVENT_READ, EVENT_WRITE, EventMask, Selector};
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

// A new test is added to this list.
for_each_backend! {
    a_key_says_what_was_registered
    an_empty_or_unknown_mask_is_refused
    nothing_is_registered_twice
    unregistering_ends_the_waiting
    what_is_not_registered_cannot_be_taken_out_or_changed_or_found
    modify_changes_what_is_waited_for
    modify_changes_the_data
    the_map_shows_what_is_registered_in_order
    only_the_side_with_something_to_read_is_readable
    both_events_come_in_one_answer
    an_event_nobody_asked_for_does_not_come
    level_triggered_what_is_not_handled_comes_again
    only_the_right_reader_wakes
    those_that_are_ready_together_come_together
    the_end_of_input_is_readable
    a_hang_up_that_comes_alone_is_readable
    nothing_registered_and_no_time_is_no_error
    a_timeout_is_never_cut_short
    nothing_registered_still_waits
    a_signal_does_not_shorten_the_wait
    what_is_registered_stays_open
    unregistering_drops_the_last_owner
    dropping_the_selector_closes_what_it_owned
    a_handler_may_unregister_another_of_its_batch
    objects_of_different_types
}

/// A selector of sockets with numbers for data.
type Numbers<B> = Selector<Rc<UnixStream>, usize, B>;

fn selector<B: Backend>() -> Numbers<B> {
    Selector::new().expect("descriptors are free")
}

/// Two connected sockets, the first to be registered.
fn pair() -> (Rc<UnixStream>, UnixStream) {
    let (a, b) = UnixStream::pair().expect("descriptors are free");
    a.set_nonblocking(true).expect("an open socket");
    (Rc::new(a), b)
}

/// What is ready now: the data and the events of each key.
fn ready<B: Backend>(selector: &mut Numbers<B>) -> Vec<(usize, EventMask)> {
    let batch = selector.select(AT_ONCE).expect("open descriptors");
    batch.into_iter().map(|(key, events)| (key.data, events)).collect()
}

fn kind<T>(result: io::Result<T>) -> ErrorKind {
    result.err().expect("it is refused").kind()
}

fn a_key_says_what_was_registered<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    let fd = a.as_raw_fd();
    let key = selector.register(a, EVENT_READ, 42).expect("a socket").clone();
    assert_eq!((key.fd, key.events, key.data), (fd, EVENT_READ, 42));
    assert_eq!(key.fileobj.as_raw_fd(), fd);
    let found = selector.get_key(&key.fileobj).expect("it is registered");
    assert_eq!((found.fd, found.events, found.data), (fd, EVENT_READ, 42));
}

fn an_empty_or_unknown_mask_is_refused<B: Backend>() {
    let mut selector = selector::<B>();
    for mask in [EventMask::empty(), EventMask::from_bits_retain(4), EventMask::from_bits_retain(7)]
    {
        let (a, _b) = pair();
        assert_eq!(kind(selector.register(a, mask, 0)), ErrorKind::InvalidInput);
    }
    assert!(selector.get_map().is_empty());
    let (a, _b) = pair();
    let key = selector.register(a, EVENT_READ, 0).expect("a socket").clone();
    let modified = selector.modify(&key.fileobj, EventMask::empty(), 1);
    assert_eq!(kind(modified), ErrorKind::InvalidInput);
    assert_eq!(selector.get_key(&key.fileobj).expect("it is registered").data, 0);
}

fn nothing_is_registered_twice<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    let key = selector.register(a, EVENT_READ, 1).expect("a socket").clone();
    let again = selector.register(key.fileobj, EVENT_WRITE, 2);
    assert_eq!(kind(again), ErrorKind::AlreadyExists);
    assert_eq!(ready(&mut selector), [], "the first registration stands: nothing to read");
}

fn unregistering_ends_the_waiting<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    let key = selector.register(a, EVENT_WRITE, 1).expect("a socket").clone();
    assert_eq!(ready(&mut selector), [(1, EVENT_WRITE)]);
    let gone = selector.unregister(&key.fileobj).expect("it is registered");
    assert_eq!((gone.fd, gone.data), (key.fd, 1));
    // At once: a wait in between would find what was left behind, and take it out.
    let again = selector.register(gone.fileobj, EVENT_WRITE, 2).expect("it can come back").clone();
    assert_eq!(ready(&mut selector), [(2, EVENT_WRITE)]);
    selector.unregister(&again.fileobj).expect("it is registered");
    assert_eq!(ready(&mut selector), []);
}

fn what_is_not_registered_cannot_be_taken_out_or_changed_or_found<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, b) = pair();
    assert_eq!(kind(selector.unregister(&a)), ErrorKind::NotFound);
    assert_eq!(kind(selector.modify(&a, EVENT_READ, 0)), ErrorKind::NotFound);
    assert_eq!(kind(selector.get_key(&a)), ErrorKind::NotFound);
    let key = selector.register(a, EVENT_READ, 0).expect("a socket").clone();
    assert_eq!(kind(selector.get_key(&b)), ErrorKind::NotFound);
    selector.unregister(&key.fileobj).expect("it is registered");
    let second_time = selector.unregister(&key.fileobj);
    assert_eq!(kind(second_time), ErrorKind::NotFound);
}

fn modify_changes_what_is_waited_for<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, mut b) = pair();
    b.write_all(b"x").expect("connected");
    let key = selector.register(a, EVENT_READ, 1).expect("a socket").clone();
    for events in [EVENT_WRITE, EVENT_READ | EVENT_WRITE, EVENT_READ, EVENT_WRITE] {
        let key = selector.modify(&key.fileobj, events, 1).expect("it is registered");
        assert_eq!(key.events, events);
        assert_eq!(ready(&mut selector), [(1, events)]);
    }
}

fn modify_changes_the_data<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    let key = selector.register(a, EVENT_WRITE, 1).expect("a socket").clone();
    let changed = selector.modify(&key.fileobj, EVENT_WRITE, 2).expect("it is registered");
    assert_eq!((changed.data, changed.events), (2, EVENT_WRITE));
    assert_eq!(ready(&mut selector), [(2, EVENT_WRITE)]);
}

fn the_map_shows_what_is_registered_in_order<B: Backend>() {
    let mut selector = selector::<B>();
    assert!(selector.get_map().is_empty());
    let (a, b) = pair();
    let (c, outsider) = pair();
    let a = Rc::clone(&selector.register(a, EVENT_READ, 1).expect("a socket").fileobj);
    selector.register(Rc::new(b), EVENT_READ, 2).expect("a socket");
    selector.register(c, EVENT_READ, 3).expect("a socket");
    let map = selector.get_map();
    assert_eq!((map.len(), map.iter().len()), (3, 3));
    assert_eq!(map.iter().map(|key| key.data).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(map.contains(&a) && !map.contains(&outsider));
    assert_eq!(map.get(&a).map(|key| key.data), Some(1));
    selector.unregister(&a).expect("it is registered");
    assert_eq!(selector.get_map().iter().map(|key| key.data).collect::<Vec<_>>(), [2, 3]);
}

fn only_the_side_with_something_to_read_is_readable<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, mut b) = pair();
    b.write_all(b"x").expect("connected");
    selector.register(a, EVENT_READ, 1).expect("a socket");
    selector.register(Rc::new(b), EVENT_READ, 2).expect("a socket");
    assert_eq!(ready(&mut selector), [(1, EVENT_READ)]);
}

fn both_events_come_in_one_answer<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, mut b) = pair();
    b.write_all(b"x").expect("connected");
    selector.register(a, EVENT_READ | EVENT_WRITE, 1).expect("a socket");
    assert_eq!(ready(&mut selector), [(1, EVENT_READ | EVENT_WRITE)]);
}

/// Even a hang-up, which the system reports whether or not it was asked for, comes as what was.
fn an_event_nobody_asked_for_does_not_come<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, b) = pair();
    let (c, d) = pair();
    drop((b, d));
    selector.register(a, EVENT_READ, 1).expect("a socket");
    selector.register(c, EVENT_WRITE, 2).expect("a socket");
    let mut ready = ready(&mut selector);
    ready.sort_by_key(|&(number, _)| number);
    assert_eq!(ready, [(1, EVENT_READ), (2, EVENT_WRITE)]);
}

fn level_triggered_what_is_not_handled_comes_again<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, mut b) = pair();
    b.write_all(b"xy").expect("connected");
    let key = selector.register(a, EVENT_READ, 1).expect("a socket").clone();
    assert_eq!(ready(&mut selector), [(1, EVENT_READ)]);
    (&*key.fileobj).read_exact(&mut [0]).expect("two bytes are there");
    assert_eq!(ready(&mut selector), [(1, EVENT_READ)], "one byte is left");
    (&*key.fileobj).read_exact(&mut [0]).expect("one byte is left");
    assert_eq!(ready(&mut selector), []);
}

fn only_the_right_reader_wakes<B: Backend>() {
    const PAIRS: usize = 12;
    let mut selector = selector::<B>();
    let mut writers = Vec::new();
    for number in 0..PAIRS {
        let (reader, writer) = pair();
        selector.register(reader, EVENT_READ, number).expect("a socket");
        writers.push(writer);
    }
    // Each once, in an order that has nothing to do with that of registration.
    for number in (0..PAIRS).map(|turn| turn * 7 % PAIRS) {
        writers[number].write_all(b"x").expect("connected");
        let batch = selector.select(Some(Duration::from_secs(10))).expect("open descriptors");
        let [(key, EVENT_READ)] = &batch[..] else { panic!("one reader, but: {batch:?}") };
        assert_eq!(key.data, number);
        (&*key.fileobj).read_exact(&mut [0]).expect("one byte is there");
    }
}

/// However many: one answer has them all.
fn those_that_are_ready_together_come_together<B: Backend>() {
    let mut selector = selector::<B>();
    let mut others = Vec::new();
    for number in 0..300 {
        let (a, b) = pair();
        selector.register(a, EVENT_WRITE, number).expect("a socket");
        others.push(b);
    }
    let mut numbers: Vec<_> = ready(&mut selector).into_iter().map(|(number, _)| number).collect();
    if matches!(B::new().expect("descriptors are free").name(), "select" | "poll") {
        assert!(numbers.is_sorted(), "in the order of registration: {numbers:?}");
    }
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..300), "{numbers:?}");
}

fn the_end_of_input_is_readable<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, b) = pair();
    let key = selector.register(a, EVENT_READ, 1).expect("a socket").clone();
    drop(b);
    assert_eq!(ready(&mut selector), [(1, EVENT_READ)]);
    assert_eq!((&*key.fileobj).read(&mut [0]).expect("the end is no error"), 0);
    assert_eq!(ready(&mut selector), [(1, EVENT_READ)], "the end stays the end");
}

/// A socket's hang-up comes with the end of input. A pipe's has no other flag beside it on Linux,
/// and a backend that looks for "data" would wait for ever.
fn a_hang_up_that_comes_alone_is_readable<B: Backend>() {
    let mut selector = Selector::<Rc<OwnedFd>, (), B>::new().expect("descriptors are free");
    let (reader, writer) = nix::unistd::pipe().expect("descriptors are free");
    selector.register(Rc::new(reader), EVENT_READ, ()).expect("a pipe");
    assert!(selector.select(AT_ONCE).expect("open descriptors").is_empty());
    drop(writer);
    let batch = selector.select(AT_ONCE).expect("open descriptors");
    assert_eq!(batch.iter().map(|&(_, events)| events).collect::<Vec<_>>(), [EVENT_READ]);
}

fn nothing_registered_and_no_time_is_no_error<B: Backend>() {
    assert_eq!(ready(&mut selector::<B>()), []);
}

fn a_timeout_is_never_cut_short<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    selector.register(a, EVENT_READ, 1).expect("a socket");
    let before = Instant::now();
    assert!(selector.select(AT_ONCE).expect("an open descriptor").is_empty());
    assert!(before.elapsed() < Duration::from_millis(500), "zero looks once");
    for micros in [1, 999, 1001, 250_000] {
        let timeout = Duration::from_micros(micros);
        let before = Instant::now();
        assert!(selector.select(Some(timeout)).expect("an open descriptor").is_empty());
        assert!(before.elapsed() >= timeout, "{micros} µs: {:?}", before.elapsed());
        assert!(before.elapsed() < timeout + Duration::from_secs(2), "{:?}", before.elapsed());
    }
}

fn nothing_registered_still_waits<B: Backend>() {
    let timeout = Duration::from_millis(200);
    let before = Instant::now();
    assert!(selector::<B>().select(Some(timeout)).expect("nothing is wrong").is_empty());
    assert!(before.elapsed() >= timeout, "{:?}", before.elapsed());
}

fn a_signal_does_not_shorten_the_wait<B: Backend>() {
    // It has to have a handler, or it would end the program.
    let flag = Arc::new(AtomicBool::new(false));
    let handler = signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&flag));
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    selector.register(a, EVENT_READ, 1).expect("a socket");
    let timeout = Duration::from_millis(300);
    let waiter = pthread_self();
    let (batch, took) = std::thread::scope(|scope| {
        let over = Arc::new(AtomicBool::new(false));
        let enough = Arc::clone(&over);
        scope.spawn(move || {
            while !enough.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
                pthread_kill(waiter, Signal::SIGUSR1).expect("the thread waits for this one");
            }
        });
        let before = Instant::now();
        let batch = selector.select(Some(timeout));
        let took = before.elapsed();
        over.store(true, Ordering::Relaxed);
        (batch, took)
    });
    assert!(batch.expect("a signal is no error").is_empty());
    assert!(took >= timeout, "only {took:?}");
    assert!(flag.load(Ordering::Relaxed), "this test needs a signal to come");
    signal_hook::low_level::unregister(handler.expect("SIGUSR1 is free"));
}

/// In Python a registered socket can be closed, and the next one may get its number and its
/// events. Here the selector has a share of it.
fn what_is_registered_stays_open<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, mut b) = pair();
    let fd = a.as_raw_fd();
    selector.register(a, EVENT_READ, 1).expect("a socket");
    let (next, _other) = pair();
    assert_ne!(next.as_raw_fd(), fd, "the number is not free");
    b.write_all(b"x").expect("nobody has closed it");
    assert_eq!(ready(&mut selector), [(1, EVENT_READ)]);
}

fn unregistering_drops_the_last_owner<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, mut b) = pair();
    let fileobj = Rc::clone(&selector.register(a, EVENT_READ, 1).expect("a socket").fileobj);
    drop(selector.unregister(&fileobj).expect("it is registered"));
    b.set_nonblocking(true).expect("an open socket");
    assert_eq!(kind(b.read(&mut [0])), ErrorKind::WouldBlock, "we have a share yet");
    drop(fileobj);
    assert_eq!(b.read(&mut [0]).expect("the end is no error"), 0);
}

fn dropping_the_selector_closes_what_it_owned<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, mut b) = pair();
    selector.register(a, EVENT_READ, 1).expect("a socket");
    selector.close();
    assert_eq!(b.read(&mut [0]).expect("the end is no error"), 0);
}

/// The classic mistake is a batch of numbers: the handler of the first closes the second, and the
/// number of the second is somebody else's when its turn comes.
fn a_handler_may_unregister_another_of_its_batch<B: Backend>() {
    let mut selector = selector::<B>();
    let ((a, _a), (b, _b)) = (pair(), pair());
    selector.register(a, EVENT_WRITE, 1).expect("a socket");
    selector.register(b, EVENT_WRITE, 2).expect("a socket");
    let batch = selector.select(AT_ONCE).expect("open descriptors");
    let [(_, _), (second, _)] = &batch[..] else { panic!("both are ready, but: {batch:?}") };
    drop(selector.unregister(&second.fileobj).expect("it is registered"));
    let (newcomer, _other) = pair();
    assert_ne!(newcomer.as_raw_fd(), second.fd, "the batch has a share: the number is not free");
    assert!(!selector.get_map().contains(&second.fileobj), "and a handler can see that it is out");
    (&*second.fileobj).write_all(b"x").expect("still open");
}

fn objects_of_different_types<B: Backend>() {
    let mut selector = Selector::<Rc<dyn AsFd>, &str, B>::new().expect("descriptors are free");
    let (a, _b) = pair();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let addr = listener.local_addr().expect("bound");
    selector.register(a, EVENT_READ, "socket").expect("a socket");
    selector.register(Rc::new(listener), EVENT_READ, "listener").expect("one too");
    let _client = std::net::TcpStream::connect(addr).expect("it listens");
    let batch = selector.select(Some(Duration::from_secs(10))).expect("open descriptors");
    assert_eq!(batch.iter().map(|(key, _)| key.data).collect::<Vec<_>>(), ["listener"]);
}
