//! Synchronous calls: who delivers the result is one question, whether the caller sleeps another.

use super::threads::{number, state};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use judge::process::soon;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

pub(super) const CALLER_SLEEPS: Experiment = Experiment {
    name: "caller_sleeps",
    does: [
        "three synchronous calls, and what their callers do meanwhile: R works, S sleeps",
        "三种同步调用，看调用者在做什么：R 在运行，S 在睡眠",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "该调用会一直等待…但并未阻塞住",
            says: [
                "apply waits for the result of its task, but is not blocked",
                "（说的是 apply）",
            ],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S2",
            quote: "一直等到函数(任务)完成,而进程继续处于激活状态",
            says: ["synchronous: the process waits, and stays active", "（说的是同步）"],
            verdict: Verdict::Wrong,
        },
    ],
    run,
};

/// How often the threads are looked at.
const LOOKS: usize = 20;

/// Threads tell their numbers through this.
type Tell = Sender<i32>;

fn run() -> Found {
    let done = AtomicBool::new(false);
    let finish = || done.store(true, Ordering::Relaxed);

    // The caller hands the work to another thread and waits for its result, as apply does.
    let hands_over = |tell: &Tell| {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let _ = tell.send(number());
                compute(&done)
            });
            worker.join().map(drop).map_err(|_| "the worker died".to_owned())
        })
    };
    let handed_over = states(2, hands_over, finish)?;
    done.store(false, Ordering::Relaxed);

    let computed = states(
        1,
        |_: &Tell| {
            compute(&done);
            Ok(())
        },
        finish,
    )?;

    let (mut socket, mut peer) = UnixStream::pair()?;
    let receives = |_: &Tell| socket.read_exact(&mut [0]).map_err(|error| error.to_string());
    let received = states(1, receives, move || {
        // It is connected, and one byte fits.
        let _ = peer.write_all(b"!");
    })?;

    let [caller, worker, computing, receiving] =
        [&handed_over[0], &handed_over[1], &computed[0], &received[0]].map(|states| usual(states));
    Ok(vec![
        Finding::new(
            (caller, worker) == ('S', 'R'),
            format!(
                "the caller, waiting for its worker: {caller}; the worker, computing: {worker}"
            ),
            format!("调用者在等工作线程：{caller}；工作线程在计算：{worker}"),
        ),
        Finding::new(
            (caller, computing, receiving) == ('S', 'R', 'S'),
            format!(
                "three synchronous callers: one waits for a worker: {caller}; one computes itself: \
                 {computing}; one is in recv: {receiving}"
            ),
            format!(
                "三个同步调用者：等别的线程算的 {caller}，自己算的 {computing}，在 recv 里的 \
                 {receiving}"
            ),
        ),
    ])
}

/// Work, until somebody says that it is enough.
fn compute(done: &AtomicBool) -> u64 {
    let mut sum = 0_u64;
    while !done.load(Ordering::Relaxed) {
        sum = std::hint::black_box(sum.wrapping_add(1));
    }
    sum
}

/// What a thread that makes this call does meanwhile, a letter for each look; and the same of
/// threads that it starts, in the order in which they tell their numbers. `end` ends the call.
fn states(
    threads: usize,
    call: impl FnOnce(&Tell) -> Result<(), String> + Send,
    end: impl FnOnce(),
) -> Result<Vec<String>, Unable> {
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let caller = scope.spawn(move || {
            let _ = tell.send(number());
            call(&tell)
        });
        // A thread that died tells nothing: then the channel is closed, and there are fewer.
        let numbers: Vec<i32> = told.iter().take(threads).collect();
        // On its way into the call it is awake.
        soon(Duration::from_millis(200), || {
            matches!(state(*numbers.first()?), Ok('S')).then_some(())
        });
        let looked = look(&numbers);
        end();
        caller.join().map_err(|_| "the caller died".to_owned())??;
        looked
    })
}

fn look(numbers: &[i32]) -> Result<Vec<String>, Unable> {
    let mut seen = vec![String::new(); numbers.len()];
    for _ in 0..LOOKS {
        thread::sleep(Duration::from_millis(5));
        for (states, &number) in seen.iter_mut().zip(numbers) {
            states.push(state(number)?);
        }
    }
    Ok(seen)
}

/// The state at nearly all looks, `?` if there is none: a few may have caught the thread at a page
/// fault or a switch.
fn usual(states: &str) -> char {
    let seen = |state: char| states.chars().filter(|&seen| seen == state).count();
    let often = |state: &char| seen(*state) * 10 >= LOOKS * 8;
    ['S', 'R'].into_iter().find(often).unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm_where_seen;

    #[test]
    fn a_synchronous_caller_may_sleep_or_work() {
        confirm_where_seen(&CALLER_SLEEPS);
    }

    #[test]
    fn a_few_other_states_do_not_count_and_many_do() {
        assert_eq!(usual("SSSSSSSSRSSSSSSSSSSS"), 'S');
        assert_eq!(usual("SRSRSRSRSRSRSRSRSRSR"), '?');
    }
}
