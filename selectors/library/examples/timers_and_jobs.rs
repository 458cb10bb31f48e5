//! A loop with timers, and with threads for what would block it.
//!
//! ```text
//! cargo run -p fd-selectors --example timers_and_jobs
//! (echo 900; echo 100; sleep 1; echo 9000) | cargo run -p fd-selectors --example timers_and_jobs
//! ```
//!
//! Type a number and press Enter: that is a job of so many milliseconds. A thread sleeps for that
//! long, in place of a call that blocks (a name is looked up, a file is read). The loop prints the
//! results, gives a job up after two seconds, counts the jobs once a second, and reads the next
//! number meanwhile. At the end of its input (Ctrl-D) it waits for the last job.
//!
//! Watch for what ends a wait:
//!
//! - input. It is read without std's buffer, for `select` does not know what is in there;
//! - a timer. They are in a heap, and the time until the first is due is the time-out;
//! - a result. First into the channel, then `wake`. Many wakes may be one: empty the channel.
//!
//! Limits: nothing ends a thread from outside. A job that was given up goes on, and counts until it
//! is done. With eight under way the input is not read, so the program that writes it has to wait.
//! epoll refuses a file on disk (`PermissionDenied`): use `cat FILE |`, not `< FILE`.

use fd_selectors::{DefaultSelector, EVENT_READ, Waker};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);
const THREADS: usize = 4;
const MOST_JOBS: usize = 8;
const LONGEST_LINE: usize = 100;

/// As `println!`, which would panic once nobody reads (`| head -1`).
macro_rules! say {
    ($($what:tt)*) => { drop(writeln!(io::stdout(), $($what)*)) };
}

struct Jobs {
    /// To the threads: the number of a job, and how long it takes.
    sender: mpsc::Sender<(u64, Duration)>,
    started: u64,
    /// By its number, whether a job is still waited for.
    under_way: BTreeMap<u64, bool>,
    /// Until when each job is waited for. `None` is the tick.
    timers: BinaryHeap<Reverse<(Instant, Option<u64>)>>,
}

fn main() -> io::Result<()> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut selector = DefaultSelector::new()?;
    let (sender, results) = start_threads(&selector.waker()?);
    let timers = BinaryHeap::from([Reverse((Instant::now() + SECOND, None))]);
    let mut jobs = Jobs { sender, started: 0, under_way: BTreeMap::new(), timers };
    let (mut received, mut ended) = (Vec::new(), false);
    loop {
        while jobs.under_way.len() < MOST_JOBS {
            let Some(line) = take_line(&mut received, ended) else { break };
            jobs.start(line.trim());
        }
        if ended && received.is_empty() && !jobs.under_way.values().any(|&waited_for| waited_for) {
            return Ok(());
        }
        // An empty mask is refused: what is not wanted is not registered. The end of input is not
        // wanted either. It stays readable, so each wait would end at once.
        let wanted = !ended && jobs.under_way.len() < MOST_JOBS;
        match (wanted, selector.get_map().contains(&input)) {
            (true, false) => selector.register(&input, EVENT_READ, ()).map(drop)?,
            (false, true) => selector.unregister(&input).map(drop)?,
            _ => {}
        }
        let first = jobs.timers.peek().map(|Reverse((when, _))| *when);
        let timeout = first.map(|when| when.saturating_duration_since(Instant::now()));
        for (mut key, _) in selector.select(timeout)? {
            let mut chunk = [0; 1024];
            let count = key.fileobj.read(&mut chunk)?;
            ended = count == 0;
            received.extend_from_slice(&chunk[..count]);
        }
        for number in results.try_iter() {
            let in_time = jobs.under_way.remove(&number) == Some(true);
            say!("job {number}: done{}", if in_time { "" } else { ", too late" });
        }
        jobs.fire_timers();
    }
}

impl Jobs {
    fn start(&mut self, line: &str) {
        let Ok(millis) = line.parse() else { return say!("not a number: {line:?}") };
        self.started += 1;
        self.under_way.insert(self.started, true);
        self.timers.push(Reverse((Instant::now() + PATIENCE, Some(self.started))));
        let job = (self.started, Duration::from_millis(millis));
        self.sender.send(job).expect("the threads wait for jobs until we end");
    }

    fn fire_timers(&mut self) {
        while self.timers.peek().is_some_and(|Reverse((when, _))| *when <= Instant::now()) {
            match self.timers.pop() {
                // From when it was due. From now, it would be a little later each time.
                Some(Reverse((when, None))) => {
                    say!("{} under way", self.under_way.len());
                    self.timers.push(Reverse((when + SECOND, None)));
                }
                // The timer of a job that is done is left in the heap, and finds nothing to do.
                Some(Reverse((_, Some(number)))) => {
                    let Some(waited_for) = self.under_way.get_mut(&number) else { continue };
                    *waited_for = false;
                    say!("job {number}: given up");
                }
                None => return,
            }
        }
    }
}

/// Threads that take jobs from one channel, and put the numbers of those done into the other.
fn start_threads(waker: &Waker) -> (mpsc::Sender<(u64, Duration)>, mpsc::Receiver<u64>) {
    let ((jobs, receiver), (sender, results)) = (mpsc::channel(), mpsc::channel());
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..THREADS {
        let (receiver, sender, waker) = (receiver.clone(), sender.clone(), waker.clone());
        // One of them waits with the lock, the others for it. It is free during a job.
        let next = move || receiver.lock().expect("nobody panics with the lock").recv().ok();
        thread::spawn(move || {
            while let Some((number, duration)) = next() {
                thread::sleep(duration);
                let _ = sender.send(number);
                waker.wake();
            }
        });
    }
    (jobs, results)
}

/// One line of what was received, or the rest where the end is near or far too far.
fn take_line(received: &mut Vec<u8>, ended: bool) -> Option<String> {
    let newline = received.iter().position(|&byte| byte == b'\n');
    let rest = !received.is_empty() && (ended || received.len() > LONGEST_LINE);
    let end = newline.map(|newline| newline + 1).or(rest.then_some(received.len()))?;
    let line: Vec<_> = received.drain(..end).collect();
    Some(String::from_utf8_lossy(&line).into_owned())
}
