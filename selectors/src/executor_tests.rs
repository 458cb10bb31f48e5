//! The executor by itself: tasks that wait for time and for each other.

use super::*;
use std::io::Write;
use std::os::unix::net::UnixStream;

/// What the tasks did, in order.
type Log = Rc<RefCell<Vec<&'static str>>>;

#[test]
fn sleepers_wake_in_the_order_of_their_time() {
    let executor = Executor::new().expect("descriptors are free");
    let log = Log::default();
    let before = Instant::now();
    for (name, millis) in [("third", 60), ("first", 20), ("second", 40)] {
        let (executor, log) = (Rc::clone(&executor), Rc::clone(&log));
        let spawner = Rc::clone(&executor);
        spawner.spawn(async move {
            executor.sleep(Duration::from_millis(millis)).await;
            log.borrow_mut().push(name);
        });
    }
    executor.run().expect("open descriptors");
    assert_eq!(*log.borrow(), ["first", "second", "third"]);
    assert!(before.elapsed() >= Duration::from_millis(60), "all have slept");
}

#[test]
fn a_task_may_spawn_tasks_and_run_ends_with_the_last() {
    let executor = Executor::new().expect("descriptors are free");
    let log = Log::default();
    let (inner, inner_log) = (Rc::clone(&executor), Rc::clone(&log));
    executor.spawn(async move {
        let log = Rc::clone(&inner_log);
        inner.spawn(async move { log.borrow_mut().push("child") });
        inner_log.borrow_mut().push("parent");
    });
    executor.run().expect("open descriptors");
    assert_eq!(*log.borrow(), ["parent", "child"]);
}

/// What nobody waits for any more is not registered: a byte that nobody reads would be reported
/// for ever, and the sleeper's time would be spent in a busy loop.
#[test]
fn what_nobody_waits_for_is_taken_out() {
    let executor = Executor::new().expect("descriptors are free");
    let (a, mut b) = UnixStream::pair().expect("descriptors are free");
    let inner = Rc::clone(&executor);
    executor.spawn(async move {
        let ready = Readiness::new(&inner, Rc::new(a));
        b.write_all(b"x").expect("connected");
        ready.readable().await.expect("a socket");
        assert_eq!(ready.waiting.events.get(), EVENT_READ, "kept, for the next time");
        inner.sleep(Duration::from_millis(30)).await;
        assert!(ready.waiting.events.get().is_empty(), "reported once more, to nobody");
        ready.readable().await.expect("and back again");
    });
    executor.run().expect("open descriptors");
    let left = executor.selector.borrow().get_map().len();
    assert_eq!(left, 0, "what the task held went with it");
}

/// A task that was woken by one event and waits for another one goes on when that one comes, and
/// not before.
#[test]
fn waking_for_nothing_does_no_harm() {
    let executor = Executor::new().expect("descriptors are free");
    let (a, mut b) = UnixStream::pair().expect("descriptors are free");
    let log = Log::default();
    let (inner, inner_log) = (Rc::clone(&executor), Rc::clone(&log));
    executor.spawn(async move {
        let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        waker.wake_by_ref();
        waker.wake();
        let ready = Readiness::new(&inner, Rc::new(a));
        ready.readable().await.expect("a socket");
        inner_log.borrow_mut().push("readable");
    });
    let (inner, inner_log) = (Rc::clone(&executor), Rc::clone(&log));
    executor.spawn(async move {
        inner.sleep(Duration::from_millis(20)).await;
        inner_log.borrow_mut().push("writing");
        b.write_all(b"x").expect("connected");
    });
    executor.run().expect("open descriptors");
    assert_eq!(*log.borrow(), ["writing", "readable"]);
}

/// One that is always ready takes turns with the others.
#[test]
fn a_task_that_wakes_itself_keeps_nobody_asleep() {
    let executor = Executor::new().expect("descriptors are free");
    let over = Rc::new(Cell::new(false));
    let (inner, set) = (Rc::clone(&executor), Rc::clone(&over));
    executor.spawn(async move {
        inner.sleep(Duration::from_millis(10)).await;
        set.set(true);
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    executor.spawn(poll_fn(move |context| {
        assert!(Instant::now() < deadline, "the sleeper was never woken");
        context.waker().wake_by_ref();
        if over.get() { Poll::Ready(()) } else { Poll::Pending }
    }));
    executor.run().expect("open descriptors");
}
