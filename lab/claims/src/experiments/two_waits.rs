//! A client with two sockets: each waited for in its turn, or both at once.

use super::visitor::seconds;
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const TWO_WAITS: Experiment = Experiment {
    name: "two_waits",
    does: [
        "two sockets that answer after 0.4 s and 0.3 s: in turn, with poll, with two threads",
        "两个套接字，一个 0.4 秒后回复，一个 0.3 秒：依次等，用 poll 等，用两个线程等",
    ],
    claims: &[Claim {
        note: "S4",
        quote: "当客户处理多个描述符时…必须使用I/O复用",
        says: ["a client with several descriptors must use multiplexing", ""],
        verdict: Verdict::Incomplete,
    }],
    run,
};

const SLOW: Duration = Duration::from_millis(400);
const LESS_SLOW: Duration = Duration::from_millis(300);

fn run() -> Found {
    let mut sockets = [answers_after(SLOW)?, answers_after(LESS_SLOW)?];
    let in_turn = timed(|| sockets.iter_mut().try_for_each(ask_and_wait))?;
    let with_poll = timed(|| ask_and_poll(&mut sockets))?;
    let with_threads = timed(|| ask_in_threads(&mut sockets))?;
    // A sleep never takes less than its time, so the sum is certain; what takes the time of the
    // slower one is late by what the machine has else to do.
    let sum = SLOW + LESS_SLOW;
    let at_once = |time: Duration| time >= SLOW && time < sum;
    let [turn, poll, threads] = [in_turn, with_poll, with_threads].map(seconds);
    Ok(vec![Finding::new(
        in_turn >= sum && at_once(with_poll) && at_once(with_threads),
        format!("in turn: {turn}; poll: {poll}; two threads, no multiplexing: {threads}"),
        format!("依次等：{turn}；poll：{poll}；两个线程，不用多路复用：{threads}"),
    )])
}

fn timed(ask: impl FnOnce() -> io::Result<()>) -> Result<Duration, Unable> {
    let began = Instant::now();
    ask()?;
    Ok(began.elapsed())
}

/// A socket at whose other end each byte is answered after `delay`. The thread there ends when the
/// socket is closed.
fn answers_after(delay: Duration) -> io::Result<UnixStream> {
    let (socket, mut peer) = UnixStream::pair()?;
    thread::spawn(move || {
        while peer.read_exact(&mut [0]).is_ok() {
            thread::sleep(delay);
            if peer.write_all(b"!").is_err() {
                return;
            }
        }
    });
    Ok(socket)
}

fn ask_and_wait(socket: &mut UnixStream) -> io::Result<()> {
    socket.write_all(b"?")?;
    socket.read_exact(&mut [0])
}

fn ask_and_poll(sockets: &mut [UnixStream]) -> io::Result<()> {
    for socket in &mut *sockets {
        socket.write_all(b"?")?;
    }
    let mut waiting: Vec<&UnixStream> = sockets.iter().collect();
    while !waiting.is_empty() {
        let mut entries: Vec<_> =
            waiting.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut entries, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready: Vec<bool> = entries.iter().map(|entry| entry.any() == Some(true)).collect();
        let mut answers = ready.into_iter();
        let mut received = Ok(());
        waiting.retain(|socket| {
            let ready = answers.next().unwrap_or(false);
            let mut socket: &UnixStream = socket;
            if ready && received.is_ok() {
                received = socket.read_exact(&mut [0]);
            }
            !ready
        });
        received?;
    }
    Ok(())
}

fn ask_in_threads(sockets: &mut [UnixStream]) -> io::Result<()> {
    thread::scope(|scope| {
        let asking: Vec<_> =
            sockets.iter_mut().map(|socket| scope.spawn(|| ask_and_wait(socket))).collect();
        asking.into_iter().try_for_each(|asking| {
            asking.join().unwrap_or_else(|_| Err(io::Error::other("it died")))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm;

    #[test]
    fn two_threads_wait_for_two_sockets_as_well_as_poll() {
        confirm(&TWO_WAITS);
    }
}
