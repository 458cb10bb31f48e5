//! Asking again and again, and sleeping until somebody has something to say.

use super::threads::{Account, account, number, state};
use super::visitor::millis;
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::{Target, crowd};
use judge::check::server::Server;
use nix::sys::select::{FdSet, select};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const BUSY_ASKING: Experiment = Experiment {
    name: "busy_asking",
    does: [
        "nothing happens: who asks all the time, and who sleeps",
        "什么也没有发生：哪个在不停地轮询，哪个在睡眠",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "大大的占用了cpu",
            says: ["non-blocking: it uses much CPU", "（说的是非阻塞 I/O）"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S3",
            quote: "会不断询问占用Cpu太多的资源和时间",
            says: [
                "a select that does not wait keeps asking and uses much CPU",
                "（说的是不等待的 select）",
            ],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S0",
            quote: "将进入阻塞状态",
            says: ["with nothing ready select blocks", "没有就绪的，select 就阻塞"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S0",
            quote: "不停的遍历默认1024文件描述符",
            says: ["select loops over 1024 descriptors all the time", "（说的是 select）"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S2",
            quote: "那么整个进程会被block",
            says: ["select blocks the whole process", "调用了 select 之后"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S2",
            quote: "当进程进入阻塞状态,是不占用CPU资源的",
            says: ["blocked, a process uses no CPU", ""],
            verdict: Verdict::Right,
        },
    ],
    run,
};

const WINDOW: Duration = Duration::from_millis(500);
/// Less than this, in percent of a CPU, is rest.
const REST: f64 = 10.0;

fn run() -> Found {
    let (asking, asked_cpu) = idle_server("nonblocking")?;
    drop(asking);
    let (sleeping, slept_cpu) = idle_server("select")?;
    let Some(calls) = sleeping.asleep(WINDOW) else {
        return Err(not_seen());
    };
    drop(sleeping);
    let asked = asks()?;
    let waited = waits()?;
    let [asked_busy, waited_busy] = [asked.busy, waited.busy];
    let slept_in = calls.join(", ");
    Ok(vec![
        Finding::new(
            asked_cpu > 50.0 && slept_cpu < REST,
            format!(
                "3 idle clients: nonblocking uses {asked_cpu:.0} % of a CPU, select {slept_cpu:.0} %"
            ),
            format!(
                "3 个空闲客户端：nonblocking 占一个 CPU 的 {asked_cpu:.0}%，select 占 {slept_cpu:.0}%"
            ),
        ),
        Finding::new(
            asked.calls > 1000 && asked_busy > 50.0 && waited_busy < REST,
            format!(
                "time-out 0: {} calls in {}, {asked_busy:.0} % of a CPU; no time-out: 1 call, \
                 {waited_busy:.1} %",
                asked.calls,
                millis(asked.time)
            ),
            format!(
                "超时时间为 0：{} 内调用 {} 次，占 CPU {asked_busy:.0}%；不设超时：调用 1 次，占 \
                 {waited_busy:.1}%",
                millis(asked.time),
                asked.calls
            ),
        ),
        Finding::new(
            calls.iter().all(|call| call == "select" || call == "pselect6"),
            format!("the program select, idle, sleeps in the system call {slept_in}"),
            format!("空闲的 select 程序阻塞在系统调用 {slept_in} 上"),
        ),
        Finding::new(
            waited.sleeps <= 3 && waited_busy < REST,
            format!(
                "no loop: one call of {}, times asleep: {}, CPU used: {}",
                millis(waited.time),
                waited.sleeps,
                millis(waited.cpu)
            ),
            format!(
                "没有不停遍历：一次调用 {}，睡了 {} 次，用掉 CPU {}",
                millis(waited.time),
                waited.sleeps,
                millis(waited.cpu)
            ),
        ),
        Finding::new(
            waited.state == 'S' && waited.counted > 0,
            format!(
                "the thread in select sleeps ({}); another thread of the process runs on, and counted to \
                 {} meanwhile",
                waited.state, waited.counted
            ),
            format!(
                "阻塞在 select 上的线程在睡眠（{}）；同一进程的另一个线程照常运行，这期间数到了 {}",
                waited.state, waited.counted
            ),
        ),
        Finding::new(
            waited.cpu < waited.time / 10,
            format!("blocked for {}: {} of CPU", millis(waited.time), millis(waited.cpu)),
            format!("阻塞了 {}：用掉 CPU {}", millis(waited.time), millis(waited.cpu)),
        ),
    ])
}

/// The server with three clients that say nothing, and what it uses then, in percent of a CPU.
fn idle_server(program: &str) -> Result<(Server, f64), Unable> {
    let server = Target::program(program)?.start()?;
    let _clients = crowd(server.addr, 3)?;
    let busy = server.busy(WINDOW).map_err(|_| not_seen())?;
    Ok((server, busy))
}

fn not_seen() -> Unable {
    Unable::here("what a process uses is not seen on this system", "这个系统看不到进程用了多少 CPU")
}

struct Asked {
    calls: u64,
    time: Duration,
    busy: f64,
}

/// A select with a time-out of zero, again and again; there is nothing to report.
fn asks() -> Result<Asked, Unable> {
    let (socket, _peer) = UnixStream::pair()?;
    let (began, before) = (Instant::now(), account()?);
    let mut calls = 0;
    while began.elapsed() < WINDOW {
        let mut set = FdSet::new();
        set.insert(socket.as_fd());
        select(None, &mut set, None, None, &mut TimeVal::zero())?;
        calls += 1;
    }
    let time = began.elapsed();
    Ok(Asked { calls, time, busy: account()?.since(before).busy(time) })
}

struct Waited {
    time: Duration,
    cpu: Duration,
    busy: f64,
    sleeps: u64,
    /// What its thread was doing, and how far another one counted.
    state: char,
    counted: u64,
}

/// One select without a time-out, in a thread of its own, until something comes at last.
fn waits() -> Result<Waited, Unable> {
    let (socket, mut peer) = UnixStream::pair()?;
    let (tell, told) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let mut set = FdSet::new();
        set.insert(socket.as_fd());
        // Nobody listens any more when the other side failed: it says why.
        let _ = tell.send(number());
        let (began, before) = (Instant::now(), account()?);
        select(None, &mut set, None, None, None)?;
        Ok::<(Duration, Account), Unable>((began.elapsed(), account()?.since(before)))
    });
    let thread = told.recv().map_err(|_| "the thread died".to_owned())?;
    let until = Instant::now() + WINDOW;
    let mut counted = 0_u64;
    while Instant::now() < until {
        counted += 1;
    }
    let state = state(thread);
    peer.write_all(b"!")?;
    let waited = waiter.join().map_err(|_| "the thread died".to_owned())?;
    let (time, spent) = waited?;
    let busy = spent.busy(time);
    Ok(Waited { time, cpu: spent.cpu, busy, sleeps: spent.sleeps, state: state?, counted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm_where_seen;

    #[test]
    fn who_asks_uses_a_cpu_and_who_sleeps_none() {
        confirm_where_seen(&BUSY_ASKING);
    }
}
