//! What a time-out is counted in, and what happens to a connection that says nothing meanwhile.

use super::watch::{PATIENCE, connection};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::select::{FdSet, select};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

pub(super) const TIMEOUTS: Experiment = Experiment {
    name: "timeouts",
    does: [
        "let poll and select wait for a client that says nothing, and then talk to it",
        "让 poll 和 select 等一个空闲的客户端，超时后再与它收发",
    ],
    claims: &[
        Claim {
            note: "S4",
            quote: "TIMEOUT = 500 # 超时时间0.5秒",
            says: ["poll: 500 is half a second", ""],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S3",
            quote: "当前连接要是超过这个时间的话,就会kill",
            says: ["the time-out kills the connection", "超时会断开当前连接"],
            verdict: Verdict::Wrong,
        },
    ],
    run,
};

const MILLIS: u16 = 500;

fn run() -> Found {
    let (mut client, mut server) = connection(None)?;
    let began = Instant::now();
    let mut entries = [PollFd::new(server.as_fd(), PollFlags::POLLIN)];
    let by_poll = poll(&mut entries, PollTimeout::from(MILLIS))?;
    let poll_took = began.elapsed();
    let began = Instant::now();
    let by_select = select_readable(&server, MILLIS)?;
    let select_took = began.elapsed();
    let talks = ["question", "answer"];
    let alive = say(&mut client, &mut server, talks[0]) && say(&mut server, &mut client, talks[1]);
    // Were it microseconds or seconds, it would be a thousand times less or more.
    let half = Duration::from_millis(MILLIS.into());
    let half_a_second = by_poll == 0 && poll_took >= half && poll_took < half + PATIENCE;
    Ok(vec![
        Finding::new(
            half_a_second,
            format!("poll told to wait {MILLIS}: {by_poll} ready after {} ms", millis(poll_took)),
            format!("让 poll 等 {MILLIS}：{} 毫秒后返回 {by_poll}", millis(poll_took)),
        ),
        Finding::new(
            !by_select && alive,
            format!(
                "select returned with nothing ready after {} ms; question and answer over the \
                 same connection then: {}",
                millis(select_took),
                if alive { "both came" } else { "lost" }
            ),
            format!(
                "select 等了 {} 毫秒，没有就绪的；之后同一连接上的一问一答：{}",
                millis(select_took),
                if alive { "都收到了" } else { "没收到" }
            ),
        ),
    ])
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}

fn say(from: &mut TcpStream, to: &mut TcpStream, words: &str) -> bool {
    let mut heard = vec![0; words.len()];
    from.write_all(words.as_bytes()).is_ok()
        && to.read_exact(&mut heard).is_ok()
        && heard == words.as_bytes()
}

/// One select with a time-out, of one socket that is to be read.
pub(super) fn select_readable(socket: &TcpStream, millis: u16) -> Result<bool, Unable> {
    // Beyond, nix's set panics, and C's writes where it should not.
    if socket.as_raw_fd() >= nix::sys::select::FD_SETSIZE as i32 {
        return Err("too many descriptors are open here for select".to_owned().into());
    }
    let mut readable = FdSet::new();
    readable.insert(socket.as_fd());
    let mut time = TimeVal::milliseconds(millis.into());
    Ok(select(None, &mut readable, None, None, &mut time)? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_timeout_and_nothing_else() {
        crate::experiments::confirm(&TIMEOUTS);
    }
}
