//! The executor by itself: tasks that wait for time and for each other.
#![allow(clippy::missing_const_for_thread_local, reason = "they are const: an older lint errs")]

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

/// A task that is woken a thousand times before its turn has one turn.
#[test]
fn many_wakes_are_one_turn() {
    let executor = Executor::new().expect("descriptors are free");
    let turns = Rc::new(Cell::new(0));
    let counted = Rc::clone(&turns);
    executor.spawn(poll_fn(move |context| {
        counted.set(counted.get() + 1);
        if counted.get() == 1 {
            (0..1000).for_each(|_| context.waker().wake_by_ref());
            return Poll::Pending;
        }
        Poll::Ready(())
    }));
    executor.run().expect("open descriptors");
    assert_eq!(turns.get(), 2);
}

/// The caller may catch a task's panic. The others are still there, and `run` has an end.
#[test]
fn after_a_panic_the_others_go_on() {
    let executor = Executor::new().expect("descriptors are free");
    let log = Log::default();
    let (inner, inner_log) = (Rc::clone(&executor), Rc::clone(&log));
    executor.spawn(async move {
        inner.sleep(Duration::from_millis(5)).await;
        inner_log.borrow_mut().push("the other");
    });
    executor.spawn(async { panic!("on purpose") });
    let run = || executor.run();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    assert!(caught.is_err(), "the panic comes out of run");
    executor.run().expect("open descriptors");
    assert_eq!(*log.borrow(), ["the other"]);
}

#[test]
fn a_sleep_without_end_is_no_panic() {
    let executor = Executor::new().expect("descriptors are free");
    let inner = Rc::clone(&executor);
    executor.spawn(async move {
        let mut sleep = std::pin::pin!(inner.sleep(Duration::MAX));
        poll_fn(|context| {
            assert!(sleep.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    });
    executor.run().expect("open descriptors");
}

/// A waker is anybody's code. This one sets a timer of its own.
#[test]
fn a_waker_may_sleep() {
    thread_local! {
        static EXECUTOR: RefCell<Option<Rc<Executor>>> = const { RefCell::new(None) };
    }
    struct Sleeper;
    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            let executor = EXECUTOR.with_borrow(Clone::clone).expect("it is set");
            let mut sleep = std::pin::pin!(executor.sleep(Duration::from_millis(1)));
            let waker = Waker::noop();
            assert!(sleep.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
    }
    let executor = Executor::new().expect("descriptors are free");
    EXECUTOR.set(Some(Rc::clone(&executor)));
    let inner = Rc::clone(&executor);
    executor.spawn(async move {
        let waker = Waker::from(Arc::new(Sleeper));
        let mut short = std::pin::pin!(inner.sleep(Duration::from_millis(1)));
        assert!(short.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        inner.sleep(Duration::from_millis(10)).await;
    });
    executor.run().expect("open descriptors");
}

/// The first of two tasks that wait for the same event would never be woken: the second is told.
#[test]
fn two_tasks_cannot_wait_for_one_event() {
    let executor = Executor::new().expect("descriptors are free");
    let (a, mut b) = UnixStream::pair().expect("descriptors are free");
    let ready = Rc::new(Readiness::new(&executor, Rc::new(a)));
    let log = Log::default();
    for _ in 0..2 {
        let (ready, log) = (Rc::clone(&ready), Rc::clone(&log));
        executor.spawn(async move {
            let woken = ready.readable().await;
            log.borrow_mut().push(if woken.is_ok() { "woken" } else { "refused" });
        });
    }
    let inner = Rc::clone(&executor);
    executor.spawn(async move {
        inner.sleep(Duration::from_millis(5)).await;
        b.write_all(b"x").expect("connected");
    });
    executor.run().expect("open descriptors");
    assert_eq!(*log.borrow(), ["refused", "woken"]);
}

/// A wait that was given up leaves the place to the next task.
#[test]
fn a_wait_that_is_dropped_leaves_nothing() {
    let executor = Executor::new().expect("descriptors are free");
    let (a, mut b) = UnixStream::pair().expect("descriptors are free");
    let ready = Rc::new(Readiness::new(&executor, Rc::new(a)));
    let first = Rc::clone(&ready);
    executor.spawn(async move {
        let mut wait = Box::pin(first.readable());
        poll_fn(|context| {
            assert!(wait.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    });
    executor.spawn(async move {
        b.write_all(b"x").expect("connected");
        ready.readable().await.expect("the place is free");
    });
    executor.run().expect("open descriptors");
}

/// Between an event and the turn of the task that it woke, another task may want to wait, too. If
/// it took the place, one of the two would never be woken.
#[test]
fn a_place_is_taken_until_the_task_that_was_woken_has_run() {
    let executor = Executor::new().expect("a selector");
    let (receiver, mut sender) = UnixStream::pair().expect("a pair");
    let ready = Rc::new(Readiness::new(&executor, Rc::new(receiver)));
    let log = Log::default();
    // Ahead in the queue at every turn, because it wakes itself. The byte is sent in its second
    // turn, so in its third the first waiter has been woken and has not run.
    let (late, told) = (Rc::clone(&ready), Rc::clone(&log));
    let mut turns = 0;
    executor.spawn(async move {
        poll_fn(|context| {
            turns += 1;
            if turns == 2 {
                sender.write_all(b"x").expect("there is room");
            }
            if turns == 3 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let refused = late.readable().await.is_err();
        told.borrow_mut().push(if refused { "late: refused" } else { "late: woken" });
    });
    let (first, told) = (ready, Rc::clone(&log));
    executor.spawn(async move {
        first.readable().await.expect("the place was free");
        told.borrow_mut().push("first: woken");
    });
    // A task that hangs makes this one the last to end.
    let (timer, told) = (Rc::clone(&executor), Rc::clone(&log));
    executor.spawn(async move {
        timer.sleep(Duration::from_secs(2)).await;
        assert_eq!(told.borrow()[..], ["late: refused", "first: woken"]);
    });
    executor.run().expect("nothing is refused");
}

/// A worker in another thread wakes a task of an executor that sleeps in its selector, again and
/// again. A wake that came between "nobody can go on" and the wait must end it, too.
#[test]
fn a_wake_from_another_thread_ends_the_wait() {
    const ROUNDS: u32 = 2000;
    let executor = Executor::new().expect("descriptors are free");
    let (jobs, worker_jobs) = std::sync::mpsc::channel::<(Arc<AtomicBool>, Waker)>();
    let worker = std::thread::spawn(move || {
        for (done, waker) in worker_jobs {
            done.store(true, Ordering::Release);
            waker.wake();
        }
    });
    let inner = Rc::clone(&executor);
    executor.spawn(async move {
        let mut limit = std::pin::pin!(inner.sleep(Duration::from_secs(20)));
        for _ in 0..ROUNDS {
            let (done, mut sent) = (Arc::new(AtomicBool::new(false)), false);
            poll_fn(|context| {
                if !std::mem::replace(&mut sent, true) {
                    let job = (Arc::clone(&done), context.waker().clone());
                    jobs.send(job).expect("the worker is there");
                }
                if done.load(Ordering::Acquire) {
                    return Poll::Ready(());
                }
                limit.as_mut().poll(context).map(|()| panic!("a wake was lost"))
            })
            .await;
        }
    });
    executor.run().expect("open descriptors");
    worker.join().expect("it does not panic");
}
