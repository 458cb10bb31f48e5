//! The two phases of a read: what the thread does while it waits, and while it copies.

use super::looks::{cost, micros};
use super::threads::{Account, account, number, state};
use super::visitor::millis;
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use judge::process::soon;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Socket, Type};
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const COPY_PHASE: Experiment = Experiment {
    name: "copy_phase",
    does: [
        "recv with nothing there, and with megabytes there: who sleeps, who works",
        "recv 时什么也没有、已有几兆字节：哪个在睡眠，哪个在运行",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "copy data 这个阶段还是要阻塞的",
            says: ["non-blocking I/O: the copy still blocks", "（说的是非阻塞 I/O）"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S2",
            quote: "在IO执行的两个阶段…都被block了",
            says: ["blocking I/O is blocked in both phases", "（说的是阻塞 I/O）"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "而是立刻返回一个error",
            says: ["non-blocking, no data: an error, at once", "（没有数据时）"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "则当前线程就会被挂起,直到有数据为止",
            says: ["blocking, no data: suspended until there is some", "（没有数据时）"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S2",
            quote: "进程的阻塞是进程自身的一种主动行为",
            says: ["to block is the process's own doing", ""],
            verdict: Verdict::Right,
        },
    ],
    run,
};

/// How much is asked to be there before the large recv; the system gives what it allows.
const WANTED: usize = 4 << 20;
const WAIT: Duration = Duration::from_millis(300);

fn run() -> Found {
    let copy = copies()?;
    let (nothing, errno) = asks_in_vain()?;
    let waited = waits(End::Data)?;
    let ended = waits(End::EndOfInput)?;
    let (time, wait_time) = (copy.time.as_secs_f64() * 1e6, millis(waited.time));
    let (copy_time, vain_time) = (micros(time), micros(nothing));
    let (kib, copy_sleeps) = (copy.bytes >> 10, copy.spent.sleeps);
    let (wait_cpu, sleeps) = (millis(waited.spent.cpu), waited.spent.sleeps);
    let asleep = waited.state == 'S' && sleeps >= 1 && waited.spent.cpu < waited.time / 10;
    Ok(vec![
        Finding::new(
            time > 4.0 * nothing && copy_sleeps == 0,
            format!(
                "{kib} KiB that were there, not blocking: the call takes {copy_time}, and the \
                 thread works all the time: times asleep: {copy_sleeps}"
            ),
            format!(
                "数据已有 {kib} KiB，非阻塞：调用用了 {copy_time}，线程一直在干活，睡了 \
                 {copy_sleeps} 次"
            ),
        ),
        Finding::new(
            asleep && time > 4.0 * nothing,
            format!(
                "the call returns from neither before it is over: waiting {wait_time}, asleep; \
                 copying {kib} KiB {copy_time}, awake"
            ),
            format!(
                "两个阶段不结束，调用都不返回：等待 {wait_time}，睡着；拷贝 {kib} KiB \
                 {copy_time}，醒着"
            ),
        ),
        Finding::new(
            errno == Errno::EAGAIN && nothing < 1000.0,
            format!("{errno:?} after {vain_time}"),
            format!("{vain_time} 后返回 {errno:?}"),
        ),
        Finding::new(
            asleep && waited.bytes > 0 && ended.bytes == 0 && ended.state == 'S',
            format!(
                "asleep ({}) until a byte came; and another until the end of input, without any \
                 data: recv returned {}",
                waited.state, ended.bytes
            ),
            format!(
                "睡着（{}），直到来了一个字节；另一个等来的是输入结束，没有数据：recv 返回 {}",
                waited.state, ended.bytes
            ),
        ),
        Finding::new(
            asleep,
            format!("a wait of {wait_time}: voluntary switches: {sleeps}, CPU used: {wait_cpu}"),
            format!("等待 {wait_time}：主动切换 {sleeps} 次，用掉 CPU {wait_cpu}"),
        ),
    ])
}

/// Two ends of a TCP connection, with room for much in between.
fn connection() -> io::Result<(Socket, Socket)> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    // Before listen, for the window that TCP offers later depends on it (tcp(7)). A system may
    // allow less, or refuse and keep its own size: then less is copied.
    let _ = listener.set_recv_buffer_size(WANTED);
    listener.listen(1)?;
    let sender = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let _ = sender.set_send_buffer_size(WANTED);
    sender.connect(&listener.local_addr()?)?;
    // Leaving resets: nothing stays behind in TIME_WAIT.
    sender.set_linger(Some(Duration::ZERO))?;
    Ok((sender, listener.accept()?.0))
}

struct Copied {
    bytes: usize,
    time: Duration,
    spent: Account,
}

/// One recv of all that the kernel holds: the calmest of three, for the machine may have us wait
/// for other reasons.
fn copies() -> Result<Copied, Unable> {
    let rounds: Vec<Copied> = (0..3).map(|_| copy_once()).collect::<Result<_, _>>()?;
    let calmest = rounds.into_iter().min_by_key(|copied| (copied.spent.sleeps, copied.time));
    Ok(calmest.expect("there were three"))
}

fn copy_once() -> Result<Copied, Unable> {
    let (sender, receiver) = connection()?;
    sender.set_nonblocking(true)?;
    let piece = vec![b'x'; 64 << 10];
    let mut sent = 0;
    // What the receiver's kernel has no room for waits on the sender's side.
    while sent < 2 * WANTED {
        match sender.send(&piece) {
            Ok(count) => sent += count,
            Err(error) if common::would_block(&error) => break,
            Err(error) => return Err(error.into()),
        }
    }
    receiver.set_nonblocking(true)?;
    // Written once, so that no page of it has to be found during the copy.
    let mut buffer = vec![1; 2 * WANTED];
    let (began, before) = (Instant::now(), account()?);
    let bytes = recv(receiver.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    let (time, after) = (began.elapsed(), account()?);
    Ok(Copied { bytes, time, spent: after.since(before) })
}

/// A non-blocking recv with nothing to receive: microseconds, and what it says.
fn asks_in_vain() -> Result<(f64, Errno), Unable> {
    let (_sender, receiver) = connection()?;
    receiver.set_nonblocking(true)?;
    let mut buffer = [0; 64];
    let mut said = Errno::UnknownErrno;
    let time = cost(|| match recv(receiver.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
        Err(errno) => {
            said = errno;
            Ok(())
        }
        Ok(_) => Err(Errno::UnknownErrno),
    })?;
    Ok((time, said))
}

/// What ends a wait.
#[derive(Clone, Copy)]
enum End {
    Data,
    EndOfInput,
}

struct Waited {
    bytes: usize,
    time: Duration,
    spent: Account,
    /// What the thread was doing meanwhile.
    state: char,
}

/// A blocking recv with nothing to receive, in a thread of its own.
fn waits(end: End) -> Result<Waited, Unable> {
    let (sender, receiver) = connection()?;
    let (tell, told) = mpsc::channel();
    let waiter = thread::spawn(move || {
        // Nobody listens any more when the other side failed: it says why.
        let _ = tell.send(number());
        let mut buffer = [MaybeUninit::uninit(); 64];
        let (began, before) = (Instant::now(), account()?);
        let bytes = receiver.recv(&mut buffer)?;
        Ok::<_, Unable>((bytes, began.elapsed(), account()?.since(before)))
    });
    let thread = told.recv().map_err(|_| "the thread died".to_owned())?;
    let began = Instant::now();
    soon(Duration::from_secs(5), || matches!(state(thread), Ok('S') | Err(_)).then_some(()));
    thread::sleep(WAIT.saturating_sub(began.elapsed()));
    let state = state(thread);
    match end {
        End::Data => sender.send(b"!").map(drop)?,
        End::EndOfInput => sender.shutdown(Shutdown::Write)?,
    }
    let waited = waiter.join().map_err(|_| "the thread died".to_owned())?;
    let (bytes, time, spent) = waited?;
    Ok(Waited { bytes, time, spent, state: state? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm_where_seen;

    #[test]
    fn a_thread_sleeps_while_it_waits_and_works_while_it_copies() {
        confirm_where_seen(&COPY_PHASE);
    }
}
