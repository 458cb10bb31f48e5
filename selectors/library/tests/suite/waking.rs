//! What ends a wait besides an object that is ready: a wake from another thread, and a signal if
//! that is wanted. A bound for the batch. And what asks for no clone.

use fd_selectors::{
    AnySelector, Backend, DefaultSelector, EVENT_READ, EVENT_WRITE, EventMask, Ready, Selector,
    Waker,
};
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const AT_ONCE: Option<Duration> = Some(Duration::ZERO);
/// None of these tests waits that long, unless a wake was lost.
const LONG: Option<Duration> = Some(Duration::from_secs(20));

for_each_backend! {
    a_wake_ends_a_wait
    a_wake_before_the_wait_ends_it
    any_number_of_wakes_end_one_wait
    a_wake_does_not_hide_who_is_ready
    no_wake_is_lost_under_load
    a_wake_after_the_selectors_end_does_nothing
    a_waker_is_no_key
    a_selector_can_be_sent_to_another_thread
    a_signal_ends_the_wait_if_that_is_wanted
    a_bounded_batch_gives_all_their_turn
    those_who_come_do_not_keep_those_who_stay_waiting
    what_cannot_be_cloned_can_be_registered
    one_that_was_unregistered_is_not_resolved
    events_change_and_the_data_stays
    a_number_finds_a_key
}

/// A selector that owns its sockets: they are not `Clone`, nor need they be.
type Owner<B> = Selector<UnixStream, usize, B>;

fn selector<B: Backend>() -> Owner<B> {
    Selector::new().expect("descriptors are free")
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("descriptors are free")
}

/// The numbers that are ready, and what for.
fn ready<B: Backend>(
    selector: &mut Owner<B>,
    timeout: Option<Duration>,
) -> Vec<(usize, EventMask)> {
    let mut batch = Vec::new();
    selector.select_ready(timeout, &mut batch).expect("open descriptors");
    let number =
        |ready: Ready| (*selector.resolve(&ready).expect("it was just there").1, ready.events);
    batch.into_iter().map(number).collect()
}

fn a_wake_ends_a_wait<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    selector.register(a, EVENT_READ, 1).expect("a socket");
    let waker = selector.waker().expect("descriptors are free");
    let before = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| waker.wake());
        assert_eq!(ready(&mut selector, LONG), []);
    });
    assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    let before = Instant::now();
    assert_eq!(ready(&mut selector, Some(Duration::from_millis(50))), []);
    assert!(before.elapsed() >= Duration::from_millis(50), "one wake ends one wait");
}

fn a_wake_before_the_wait_ends_it<B: Backend>() {
    let mut selector = selector::<B>();
    let waker = selector.waker().expect("descriptors are free");
    for _ in 0..3 {
        waker.wake();
        let before = Instant::now();
        assert_eq!(ready(&mut selector, LONG), []);
        assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    }
}

/// However often, and whichever clone.
fn any_number_of_wakes_end_one_wait<B: Backend>() {
    let mut selector = selector::<B>();
    let wakers: Vec<Waker> =
        (0..10).map(|_| selector.waker().expect("all are the same one")).collect();
    for waker in wakers.iter().cycle().take(100_000) {
        waker.wake();
    }
    assert_eq!(ready(&mut selector, LONG), []);
    let before = Instant::now();
    assert_eq!(ready(&mut selector, Some(Duration::from_millis(50))), []);
    assert!(before.elapsed() >= Duration::from_millis(50), "no wake is left");
}

fn a_wake_does_not_hide_who_is_ready<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    selector.register(a, EVENT_WRITE, 1).expect("a socket");
    let waker = selector.waker().expect("descriptors are free");
    waker.wake();
    assert_eq!(ready(&mut selector, LONG), [(1, EVENT_WRITE)]);
}

/// Two threads count up, and wake after each number. The loop sleeps while the counter has not
/// reached the end. If the last wake came between its look at the counter and its sleep, and were
/// lost, it would sleep for ever.
fn no_wake_is_lost_under_load<B: Backend>() {
    const EACH: u64 = 20_000;
    let mut selector = selector::<B>();
    let waker = selector.waker().expect("descriptors are free");
    let counter = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    counter.fetch_add(1, Ordering::Relaxed);
                    waker.wake();
                }
            });
        }
        while counter.load(Ordering::Relaxed) < 2 * EACH {
            let before = Instant::now();
            assert_eq!(ready(&mut selector, LONG), []);
            assert!(before.elapsed() < Duration::from_secs(10), "a wake was lost");
        }
    });
}

fn a_wake_after_the_selectors_end_does_nothing<B: Backend>() {
    let mut selector = selector::<B>();
    let waker = selector.waker().expect("descriptors are free");
    drop(selector);
    waker.wake();
    waker.clone().wake();
}

fn a_waker_is_no_key<B: Backend>() {
    let mut selector = selector::<B>();
    let _waker = selector.waker().expect("descriptors are free");
    assert!(selector.is_empty() && selector.get_map().is_empty());
    assert_eq!(selector.iter().count(), 0);
    let (a, _b) = pair();
    selector.register(a, EVENT_READ, 1).expect("a socket");
    let numbers: Vec<_> = (&selector).into_iter().map(|key| key.data).collect();
    assert_eq!((selector.len(), numbers), (1, vec![1]));
}

/// Sockets and numbers are `Send`, so the selector is. And what any system's selector is, each has
/// to be: code that shares one between threads must not build on Linux only.
fn a_selector_can_be_sent_to_another_thread<B: Backend>() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    fn shared<T: Send + Sync>(_: &T) {}
    fn used_where_panics_are_caught<T: UnwindSafe + RefUnwindSafe>(_: &T) {}
    shared(&AnySelector::<UnixStream, usize>::new().expect("free descriptors"));
    shared(&DefaultSelector::<UnixStream, usize>::new().expect("free descriptors"));
    let mut selector = sent(Selector::<Arc<UnixStream>, usize>::new().expect("free descriptors"));
    let waker = selector.waker().expect("descriptors are free");
    shared(&waker);
    used_where_panics_are_caught(&waker);
    let (a, _b) = pair();
    selector.register(Arc::new(a), EVENT_WRITE, 1).expect("a socket");
    let there = thread::spawn(move || selector.select(AT_ONCE).expect("an open descriptor").len());
    assert_eq!(there.join().expect("it does not panic"), 1);
    drop(self::selector::<B>());
}

fn a_signal_ends_the_wait_if_that_is_wanted<B: Backend>() {
    // It has to have a handler, or it would end the program.
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR2, Arc::clone(&flag))
        .expect("a signal with a handler");
    let mut selector = selector::<B>();
    selector.set_interruptible(true);
    let waiter = pthread_self();
    thread::scope(|scope| {
        let over = Arc::new(AtomicBool::new(false));
        let enough = Arc::clone(&over);
        scope.spawn(move || {
            while !enough.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
                pthread_kill(waiter, Signal::SIGUSR2).expect("the thread waits for this one");
            }
        });
        let result = selector.select_ready(LONG, &mut Vec::new());
        over.store(true, Ordering::Relaxed);
        assert_eq!(result.expect_err("a signal came").kind(), ErrorKind::Interrupted);
    });
    assert!(flag.load(Ordering::Relaxed));
}

/// All ten are always ready, and each time three are reported.
fn a_bounded_batch_gives_all_their_turn<B: Backend>() {
    let mut selector = selector::<B>();
    selector.set_batch_limit(NonZeroUsize::new(3).expect("three"));
    let others: Vec<_> = (0..10)
        .map(|number| {
            let (a, b) = pair();
            selector.register(a, EVENT_WRITE, number).expect("a socket");
            b
        })
        .collect();
    let mut times = [0; 10];
    for _ in 0..10 {
        let batch = ready(&mut selector, AT_ONCE);
        assert_eq!(batch.len(), 3, "{batch:?}");
        for (number, _) in batch {
            times[number] += 1;
        }
    }
    assert_eq!(times, [3; 10], "30 reports for ten");
    drop(others);
}

/// One that stays, always ready, and one that is replaced as soon as it was handled. Who comes is
/// not to be before who is there.
fn those_who_come_do_not_keep_those_who_stay_waiting<B: Backend>() {
    let mut selector = selector::<B>();
    selector.set_batch_limit(NonZeroUsize::MIN);
    let mut others = Vec::new();
    let mut come = |selector: &mut Owner<B>, number| {
        let (a, b) = pair();
        selector.register(a, EVENT_WRITE, number).expect("a socket");
        others.push(b);
    };
    come(&mut selector, 0);
    come(&mut selector, 1);
    let (mut stayed, mut batch) = (0, Vec::new());
    for number in 2..102 {
        selector.select_ready(AT_ONCE, &mut batch).expect("open descriptors");
        let ready = batch.pop().expect("both are ready");
        if *selector.resolve(&ready).expect("it is registered").1 == 0 {
            stayed += 1;
        } else {
            selector.unregister(&ready.fd).expect("it is registered");
            come(&mut selector, number);
        }
    }
    assert!((40..=60).contains(&stayed), "{stayed} turns of 100 for one of two");
}

/// A function that changes what it has is neither `Clone` nor is its socket.
fn what_cannot_be_cloned_can_be_registered<B: Backend>() {
    type Handler = Box<dyn FnMut(&UnixStream)>;
    let mut selector = Selector::<UnixStream, Handler, B>::new().expect("descriptors are free");
    let (a, mut b) = pair();
    let (sender, sums) = std::sync::mpsc::channel();
    let mut sum = 0;
    let handler = move |mut socket: &UnixStream| {
        sum += socket.read(&mut [0; 10]).expect("it is ready");
        sender.send(sum).expect("the test listens");
    };
    selector.register(a, EVENT_READ, Box::new(handler)).expect("a socket");
    let mut batch = Vec::new();
    for text in ["one", "three"] {
        b.write_all(text.as_bytes()).expect("connected");
        selector.select_ready(LONG, &mut batch).expect("open descriptors");
        for ready in batch.drain(..) {
            let (socket, handle) = selector.resolve(&ready).expect("nobody took it out");
            handle(socket);
        }
    }
    assert_eq!(sums.try_iter().collect::<Vec<_>>(), [3, 8]);
}

/// The handler of the first closes the second, and a newcomer gets its number. What is in the batch
/// for the second must not reach the newcomer.
fn one_that_was_unregistered_is_not_resolved<B: Backend>() {
    let mut selector = selector::<B>();
    let ((a, _a), (b, _b)) = (pair(), pair());
    selector.register(a, EVENT_WRITE, 1).expect("a socket");
    selector.register(b, EVENT_WRITE, 2).expect("a socket");
    let mut batch = Vec::new();
    selector.select_ready(AT_ONCE, &mut batch).expect("open descriptors");
    let second = batch.pop().expect("both are ready");
    let (socket, _) = selector.resolve(&second).expect("it is registered");
    let number = socket.as_raw_fd();
    drop(selector.unregister(&second.fd).expect("it is registered"));
    assert!(selector.resolve(&second).is_none());
    // The lowest number that is free is given out first, unless another test takes it.
    let newcomers: Vec<_> = (0..20).map(|_| pair()).collect();
    for (a, _b) in newcomers {
        selector.register(a, EVENT_WRITE, 3).expect("a socket");
    }
    if selector.get_key(&number).is_ok() {
        assert!(selector.resolve(&second).is_none(), "the newcomer has the number, not the event");
    }
    assert!(batch.iter().all(|first| selector.resolve(first).is_some()));
}

fn events_change_and_the_data_stays<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, _b) = pair();
    let fd = selector.register(a, EVENT_READ, 1).expect("a socket").fd;
    assert_eq!(ready(&mut selector, AT_ONCE), []);
    let key = selector.modify_events(&fd, EVENT_READ | EVENT_WRITE).expect("it is registered");
    assert_eq!((key.events, key.data), (EVENT_READ | EVENT_WRITE, 1));
    *selector.data_mut(&fd).expect("it is registered") += 1;
    assert_eq!(ready(&mut selector, AT_ONCE), [(2, EVENT_WRITE)]);
    let unknown = selector.modify_events(&-1, EVENT_READ);
    assert_eq!(unknown.expect_err("no descriptor").kind(), ErrorKind::NotFound);
    assert_eq!(selector.data_mut(&12345).expect_err("nobody's").kind(), ErrorKind::NotFound);
}

fn a_number_finds_a_key<B: Backend>() {
    let mut selector = selector::<B>();
    let (a, b) = pair();
    let fd = selector.register(a, EVENT_READ, 1).expect("a socket").fd;
    assert_eq!(selector.get_key(&fd).expect("it is registered").data, 1);
    assert!(selector.get_map().contains(&fd) && !selector.get_map().contains(&b));
    let key = selector.unregister(&fd).expect("it is registered");
    assert_eq!((key.fd, key.as_raw_fd(), key.fileobj.as_raw_fd()), (fd, fd, fd));
    assert_eq!(selector.get_key(&fd).expect_err("it is out").kind(), ErrorKind::NotFound);
    assert_eq!(selector.get_key(&-1).expect_err("no descriptor").kind(), ErrorKind::NotFound);
    assert_eq!(selector.get_key(&i32::MAX).expect_err("none").kind(), ErrorKind::NotFound);
}
