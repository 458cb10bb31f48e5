//! A small executor: tasks that stop at each wait, and one selector that knows when they may go on.
//!
//! S2 opens with a question: how does a coroutine switch by itself when it would block? In three
//! steps, and this file is all of them:
//!
//! 1. `.await` asks a future for its result (`poll`). One that would block leaves a [`Waker`] where
//!    the event will be found, and says `Pending`. Every caller up to the executor returns at that:
//!    the task has stopped in the middle of a function, and its variables live on in the future.
//! 2. When no task can go on, the executor waits in the selector, for all of them at once.
//! 3. An event wakes its task: the waker puts the task's key into the ready queue, the executor
//!    asks the future again, and that goes on where it stopped.
//!
//! A task can also be woken from another thread, by a worker that has finished its part. Then the
//! executor may be asleep in the selector, and the selector's own waker ends that.
//!
//! Limits: tasks run in one thread. A sleep that is dropped before its time leaves its timer, which
//! then wakes its task needlessly. Tasks hold the executor and it holds them, so one that is never
//! run is never freed.

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;

use log::info;
use selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE, EventMask, SelectorKey};
use slotmap::{DefaultKey, SlotMap};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Runs tasks, one at a time, each as far as it gets.
pub struct Executor {
    selector: RefCell<DefaultSelector<Rc<dyn AsFd>, Rc<Waiting>>>,
    tasks: RefCell<SlotMap<DefaultKey, Task>>,
    /// Those that may go on, in the order in which they were woken. Shared with their wakers.
    ready: Arc<ReadyQueue>,
    /// Those that go on in this turn. What is woken meanwhile waits for the next: a task that wakes
    /// itself would keep the others from ever being woken.
    turn: RefCell<VecDeque<DefaultKey>>,
    /// Who sleeps until when. The number tells two of the same moment apart.
    timers: RefCell<BTreeMap<(Instant, u64), Waker>>,
    timers_made: Cell<u64>,
}

/// What a task is to the executor: something to ask again and again, until it is done.
type BoxedFuture = Pin<Box<dyn Future<Output = ()>>>;

/// What the selector reports.
type Event = (SelectorKey<Rc<dyn AsFd>, Rc<Waiting>>, EventMask);

/// A future that is asked from the outside, and what wakes it.
struct Task {
    /// `None` while it is being asked: it may spawn others meanwhile, and the table must be free.
    future: Option<BoxedFuture>,
    /// Made once: a task waits thousands of times.
    waker: Waker,
    /// What the waker points to.
    woken: Arc<TaskWaker>,
}

/// Who waits for a descriptor: the data of its key.
struct Waiting {
    reader: Cell<Waiter>,
    writer: Cell<Waiter>,
    /// What it is registered for. More than somebody waits for, at times: a client that is asked
    /// for its next message a moment later need not be taken out meanwhile.
    events: Cell<EventMask>,
}

/// Who waits for one of the two events.
#[derive(Default)]
enum Waiter {
    #[default]
    Nobody,
    Task(Waker),
    /// Its task was woken and has not run yet. The place stays taken until then.
    Told,
}

/// The only thing that wakers touch. They may be in other threads; hence the lock.
struct ReadyQueue {
    state: Mutex<ReadyState>,
    /// Ends the executor's wait in the selector.
    selector: selectors::Waker,
}

#[derive(Default)]
struct ReadyState {
    tasks: VecDeque<DefaultKey>,
    /// The executor has found the queue empty, and waits or is about to. Under the same lock, so
    /// that a wake in between is not lost. Most wakes come from the executor's own thread while it
    /// is awake, and cost no system call.
    asleep: bool,
}

impl ReadyQueue {
    fn lock(&self) -> MutexGuard<'_, ReadyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is nothing to do. From then on a wake has to end the wait in the selector.
    fn fall_asleep(&self) -> bool {
        let mut state = self.lock();
        state.asleep = state.tasks.is_empty();
        state.asleep
    }

    fn push(&self, task: DefaultKey) {
        let asleep = {
            let mut state = self.lock();
            state.tasks.push_back(task);
            std::mem::take(&mut state.asleep)
        };
        if asleep {
            self.selector.wake();
        }
    }
}

struct TaskWaker {
    task: DefaultKey,
    ready: Arc<ReadyQueue>,
    /// In the queue. However often a task is woken, it stands there once.
    queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.ready.push(self.task);
        }
    }
}

impl Executor {
    /// An executor without tasks.
    pub fn new() -> io::Result<Rc<Self>> {
        let mut selector = DefaultSelector::new()?;
        let ready = ReadyQueue { state: Mutex::default(), selector: selector.waker()? };
        Ok(Rc::new(Self {
            selector: RefCell::new(selector),
            tasks: RefCell::default(),
            ready: Arc::new(ready),
            turn: RefCell::default(),
            timers: RefCell::default(),
            timers_made: Cell::new(0),
        }))
    }

    /// Adds a task. It first runs when it is its turn.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let future: BoxedFuture = Box::pin(future);
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.insert_with_key(|task| {
            let (ready, queued) = (Arc::clone(&self.ready), AtomicBool::new(false));
            let woken = Arc::new(TaskWaker { task, ready, queued });
            Task { future: Some(future), waker: Arc::clone(&woken).into(), woken }
        });
        tasks[task].waker.wake_by_ref();
    }

    /// Runs until every task has ended. If one panics, so does this; it can be called again, and
    /// the others go on.
    ///
    /// # Errors
    ///
    /// What the selector's wait refuses. The tasks are dropped then.
    pub fn run(&self) -> io::Result<()> {
        let result = self.run_tasks();
        // None is left but after an error. Dropped where the table is free: a task's end uses it.
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
        result
    }

    fn run_tasks(&self) -> io::Result<()> {
        let mut batch = Vec::new();
        while !self.tasks.borrow().is_empty() {
            std::mem::swap(&mut self.ready.lock().tasks, &mut self.turn.borrow_mut());
            while let Some(task) = self.next_of_turn() {
                self.go_on(task);
            }
            if !self.tasks.borrow().is_empty() {
                self.wait(&mut batch)?;
            }
        }
        Ok(())
    }

    /// A function of its own, so that the turn is free while the task runs.
    fn next_of_turn(&self) -> Option<DefaultKey> {
        self.turn.borrow_mut().pop_front()
    }

    /// Lets a task run to its next wait, or to its end.
    fn go_on(&self, task: DefaultKey) {
        // Gone already.
        let Some((mut future, waker)) = self.take(task) else { return };
        // A task that panics is out of the table as well, or `run` would wait for its end.
        let ended = Ended { executor: self, task };
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            std::mem::forget(ended);
            if let Some(task) = self.tasks.borrow_mut().get_mut(task) {
                task.future = Some(future);
            }
        }
    }

    fn take(&self, task: DefaultKey) -> Option<(BoxedFuture, Waker)> {
        let mut tasks = self.tasks.borrow_mut();
        let Task { future, waker, woken } = tasks.get_mut(task)?;
        // From here on it may be woken again: also while it runs. A swap, not a store: what another
        // thread did before a wake that found it queued is seen by the task, which runs now.
        woken.queued.swap(false, Ordering::AcqRel);
        Some((future.take()?, waker.clone()))
    }

    /// Sleeps until a task can go on, and wakes it. It only looks, without sleeping, if one can
    /// already.
    fn wait(&self, batch: &mut Vec<Event>) -> io::Result<()> {
        // The selector's time-out is what a timer is made of.
        let first = self.timers.borrow().keys().next().map(|&(when, _)| when);
        let mut timeout = first.map(|when| when.saturating_duration_since(Instant::now()));
        if self.ready.fall_asleep() {
            info!("nobody can go on: waiting for the next event");
        } else {
            timeout = Some(Duration::ZERO);
        }
        self.selector.borrow_mut().select_into(timeout, batch)?;
        self.ready.lock().asleep = false;
        for (key, events) in batch.drain(..) {
            let mut unheard = EventMask::empty();
            for (event, waiter) in [(EVENT_READ, &key.data.reader), (EVENT_WRITE, &key.data.writer)]
            {
                if events.contains(event) {
                    match waiter.replace(Waiter::Told) {
                        Waiter::Task(waker) => waker.wake(),
                        other => {
                            waiter.set(other);
                            unheard |= event;
                        }
                    }
                }
            }
            // Level-triggered: what nobody waits for would be reported for ever.
            if !unheard.is_empty() {
                info!("nobody waits for {unheard} of descriptor {}: taken out", key.fd);
                self.register(&key.fileobj, &key.data, key.events - unheard)?;
            }
        }
        self.wake_sleepers();
        Ok(())
    }

    fn wake_sleepers(&self) {
        if self.timers.borrow().is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some(waker) = self.next_due(now) {
            waker.wake();
        }
    }

    /// A function of its own, so that the timers are free while a waker runs: it is anybody's code.
    fn next_due(&self, now: Instant) -> Option<Waker> {
        let mut timers = self.timers.borrow_mut();
        let first = timers.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// Has `socket` registered for `events`, which may be nothing.
    fn register(
        &self,
        socket: &Rc<dyn AsFd>,
        waiting: &Rc<Waiting>,
        events: EventMask,
    ) -> io::Result<()> {
        let before = waiting.events.get();
        let mut selector = self.selector.borrow_mut();
        if before == events {
            return Ok(());
        } else if before.is_empty() {
            selector.register(Rc::clone(socket), events, Rc::clone(waiting))?;
        } else if events.is_empty() {
            selector.unregister(&socket.as_fd())?;
        } else {
            selector.modify_events(&socket.as_fd(), events)?;
        }
        waiting.events.set(events);
        Ok(())
    }

    /// Stops this task, and no other, for some time. A time beyond all clocks is for ever.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + use<'_> {
        let number = self.timers_made.replace(self.timers_made.get() + 1);
        let until = Instant::now().checked_add(time);
        poll_fn(move |context| {
            let Some(until) = until else { return Poll::Pending };
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            // Cloned before the timers are borrowed, and the old one is dropped after: a waker is
            // anybody's code.
            let waker = context.waker().clone();
            let before = self.timers.borrow_mut().insert((until, number), waker);
            drop(before);
            Poll::Pending
        })
    }
}

/// Takes a task out of the table when it goes out of scope.
struct Ended<'a> {
    executor: &'a Executor,
    task: DefaultKey,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        // The waker, which may be the last, is dropped when the table is free again.
        let task = self.executor.tasks.borrow_mut().remove(self.task);
        drop(task);
    }
}

/// A socket that a task can wait for. One task at a time for each of the two events.
pub struct Readiness {
    executor: Rc<Executor>,
    socket: Rc<dyn AsFd>,
    waiting: Rc<Waiting>,
}

impl Readiness {
    /// Of this socket, which must not block. Nothing is registered before somebody waits.
    pub fn new(executor: &Rc<Executor>, socket: Rc<dyn AsFd>) -> Self {
        let waiting = Waiting {
            reader: Cell::default(),
            writer: Cell::default(),
            events: Cell::new(EventMask::empty()),
        };
        Self { executor: Rc::clone(executor), socket, waiting: Rc::new(waiting) }
    }

    /// Stops this task until there is something to receive, or to accept.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> + use<'_> {
        self.wait_for(EVENT_READ, &self.waiting.reader)
    }

    /// Stops this task until there is room to send.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> + use<'_> {
        self.wait_for(EVENT_WRITE, &self.waiting.writer)
    }

    /// Where a coroutine switches. The first time it is asked this future leaves its waker and says
    /// `Pending`. It is asked again when the executor has put `Told` there, and is done.
    async fn wait_for(&self, event: EventMask, waiter: &Cell<Waiter>) -> io::Result<()> {
        let other = waiter.take();
        if !matches!(other, Waiter::Nobody) {
            waiter.set(other);
            let why = format!("another task waits for {event} of this socket already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        // A wait that is dropped before its event leaves no waker behind.
        let _place = Place(waiter);
        let events = self.waiting.events.get() | event;
        self.executor.register(&self.socket, &self.waiting, events)?;
        poll_fn(|context| match waiter.take() {
            Waiter::Told => Poll::Ready(Ok(())),
            Waiter::Nobody | Waiter::Task(_) => {
                waiter.set(Waiter::Task(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

/// The place of a task that waits: free again when it goes out of scope.
struct Place<'a>(&'a Cell<Waiter>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.take();
    }
}

/// What a task held is closed with it; the selector's share has to go, too.
impl Drop for Readiness {
    fn drop(&mut self) {
        // It fails only for what is not registered.
        let _ = self.executor.register(&self.socket, &self.waiting, EventMask::empty());
    }
}
