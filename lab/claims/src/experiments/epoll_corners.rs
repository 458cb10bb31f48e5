//! epoll's corners: fewer entries than are ready, the same descriptor twice, an epoll in an epoll,
//! a list with nothing in it, and the send after a short one.

use super::sockets::polled;
use super::threads::{falls_asleep_in, number};
use super::watch::{Event, LONG, PATIENCE, Trigger, Watch, arrived, connection};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use common::would_block;
use judge::process::soon;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const EPOLL_CORNERS: Experiment = Experiment {
    name: "epoll_corners",
    does: [
        "five are ready and one is asked for; the same socket twice; an epoll in an epoll; nothing \
         in the list; a send after a short one",
        "五个就绪，每次只取一个；同一个套接字加两次；epoll 里放 epoll；列表为空；只发出一部分之后再发",
    ],
    claims: &[
        Claim::asked(
            [
                "maxevents is smaller than the number that are ready: those behind starve",
                "maxevents 比就绪的少，排在后面的会饿死",
            ],
            Verdict::Wrong,
        ),
        Claim::asked(
            [
                "can one descriptor be added to an epoll twice?",
                "同一个描述符能加进一个 epoll 两次吗？",
            ],
            Verdict::Question,
        ),
        Claim::asked(
            ["can an epoll watch an epoll?", "epoll 能监视另一个 epoll 吗？"],
            Verdict::Question,
        ),
        Claim::asked(
            ["epoll_wait on an empty list returns at once", "列表为空，epoll_wait 立即返回"],
            Verdict::Wrong,
        ),
        Claim::asked(
            [
                "after a short send the next one gives EAGAIN",
                "只发出一部分之后，再 send 一定是 EAGAIN",
            ],
            Verdict::Incomplete,
        ),
    ],
    run,
};

fn run() -> Found {
    Ok(vec![turns()?, twice()?, nested()?, empty_list()?, after_a_short_send()?])
}

const FIVE: usize = 5;

/// Five are ready, and none is read: one entry a call, two rounds long.
fn turns() -> Result<Finding, Unable> {
    let watch = Watch::new()?;
    let mut connections = Vec::new();
    for data in 1..=FIVE as u64 {
        let (mut client, server) = connection(None)?;
        watch.add(&server, Event::Readable, Trigger::Level, data)?;
        client.write_all(b"x")?;
        arrived(&server, 1)?;
        connections.push((client, server));
    }
    let (mut by_epoll, mut by_poll, mut ready) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 * FIVE {
        let mut one = [0];
        watch.wait_into(&mut one, LONG)?;
        by_epoll.push(one[0]);
        let sockets = connections.iter().map(|(_, server)| server.as_fd());
        let mut entries: Vec<_> = sockets.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        ready.push(poll(&mut entries, PollTimeout::ZERO)?);
        let first = entries.iter().position(|entry| entry.any() == Some(true));
        by_poll.push(first.map_or(0, |first| first as u64 + 1));
    }
    let (epoll, poll) = (words(&by_epoll), words(&by_poll));
    let in_turn = (1..=FIVE as u64).cycle().take(2 * FIVE);
    let all = ready.iter().all(|&count| count == FIVE as i32);
    Ok(Finding::new(
        by_epoll.iter().copied().eq(in_turn) && by_poll == [1; 2 * FIVE] && all,
        format!(
            "{FIVE} ready, none of them read, maxevents 1: epoll reports {epoll}, in turn. poll has \
             no maxevents and reports all {FIVE}, always in your order: the first is {poll}, and who \
             serves only the first starves the others"
        ),
        format!(
            "{FIVE} 个就绪，都不读，maxevents 为 1：epoll 依次报告 {epoll}，轮流来。poll 没有 \
             maxevents，每次 {FIVE} 个都报告，总按你给的次序：第一个是 {poll}，只处理第一个，其余的就饿死"
        ),
    ))
}

fn words(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn twice() -> Result<Finding, Unable> {
    let watch = Watch::new()?;
    let (mut client, server) = connection(None)?;
    watch.add(&server, Event::Readable, Trigger::Level, 1)?;
    let again = name(watch.add(&server, Event::Readable, Trigger::Level, 2));
    let copy = server.try_clone()?;
    let dup = name(watch.add(&copy, Event::Readable, Trigger::Level, 2));
    client.write_all(b"x")?;
    let both = reported(&watch, 2)?;
    // Without EPOLL_CTL_DEL; the copy keeps the open file alive, and with it both registrations.
    drop(server);
    let closed = reported(&watch, 2)?;
    drop(copy);
    let gone = watch.told(1)?;
    Ok(Finding::new(
        again == "EEXIST" && dup == "ok" && both == 2 && closed == 2 && gone == 0,
        format!(
            "the same number again: {again}; its dup, another number: {dup}. One byte then makes \
             {both} events. The first number closed, without DEL: still {closed}; its dup closed, \
             too: {gone}"
        ),
        format!(
            "同一个编号再加一次：{again}；dup 出来的另一个编号：{dup}。来一个字节，就有 {both} 个事件。\
             不 DEL 就关闭第一个编号：仍有 {closed} 个；dup 的也关掉：{gone} 个"
        ),
    ))
}

/// How many are reported at once, once there are `wanted`.
fn reported(watch: &Watch, wanted: usize) -> nix::Result<usize> {
    let look = || watch.wait_into(&mut [0; 8], 0);
    let found = soon(PATIENCE, || match look() {
        Ok(count) if count < wanted => None,
        found => Some(found),
    });
    found.unwrap_or_else(look)
}

fn name(result: nix::Result<()>) -> String {
    result.map_or_else(|errno: Errno| format!("{errno:?}"), |()| "ok".to_owned())
}

fn nested() -> Result<Finding, Unable> {
    let (inner, outer) = (Watch::new()?, Watch::new()?);
    let (mut client, mut server) = connection(None)?;
    inner.add(&server, Event::Readable, Trigger::Level, 1)?;
    let taken = name(outer.add(&inner, Event::Readable, Trigger::Level, 2));
    let idle = outer.told(1)?;
    client.write_all(b"x")?;
    let mut data = [0];
    let woken = outer.wait_into(&mut data, LONG)?;
    let by_poll = polled(&inner, PollFlags::POLLIN, PATIENCE)? == PollFlags::POLLIN;
    server.read_exact(&mut [0])?;
    let read = outer.told(1)?;
    let itself = name(inner.add(&inner, Event::Readable, Trigger::Level, 3));
    let in_a_loop = name(inner.add(&outer, Event::Readable, Trigger::Level, 3));
    let works = taken == "ok" && (idle, woken, data, read) == (0, 1, [2], 0) && by_poll;
    Ok(Finding::new(
        works && itself == "EINVAL" && in_a_loop == "ELOOP",
        format!(
            "an epoll in another: {taken}. It is readable while it has something to report: idle \
             {idle} events, a byte for a socket of the inner one {woken}, the byte read {read}; poll \
             sees it, too. In itself: {itself}; each in the other: {in_a_loop}"
        ),
        format!(
            "加进另一个 epoll：{taken}。里面的有事件可报告时就可读：空闲 {idle} 个事件；里面的套接字来了一个\
             字节，{woken} 个；读走之后 {read} 个；poll 也看得到。加进自己：{itself}；互相加：{in_a_loop}"
        ),
    ))
}

fn empty_list() -> Result<Finding, Unable> {
    const TIME_OUT: u16 = 50;
    let watch = Watch::new()?;
    let began = Instant::now();
    let told = watch.wait_into(&mut [0; 8], TIME_OUT)?;
    let waited = began.elapsed();
    let (mut client, server) = connection(None)?;
    client.write_all(b"x")?;
    arrived(&server, 1)?;
    let added = thread::scope(|scope| -> Result<usize, Unable> {
        let (tell, number_of) = mpsc::channel();
        let watch = &watch;
        let waiter = scope.spawn(move || {
            let _ = tell.send(number());
            watch.wait_into(&mut [0; 8], LONG)
        });
        let thread = number_of.recv().map_err(|_| "the waiting thread has died".to_owned())?;
        falls_asleep_in(thread, "epoll")?;
        watch.add(&server, Event::Readable, Trigger::Level, 1)?;
        Ok(waiter.join().map_err(|_| "the waiting thread has died".to_owned())??)
    })?;
    let millis = waited.as_millis();
    Ok(Finding::new(
        told == 0 && waited >= Duration::from_millis(TIME_OUT.into()) && added == 1,
        format!(
            "a time-out of {TIME_OUT} ms: {told} events after {millis} ms. With a long one the \
             thread sleeps in epoll_wait, until another thread adds a socket that is ready: {added} \
             event"
        ),
        format!(
            "超时 {TIME_OUT} 毫秒：{millis} 毫秒后返回 {told} 个事件。超时很长时，线程阻塞在 epoll_wait \
             上，直到另一个线程加入一个就绪的套接字：{added} 个事件"
        ),
    ))
}

fn after_a_short_send() -> Result<Finding, Unable> {
    const TIMES: usize = 100;
    let (mut again, mut taken) = (0, 0);
    for _ in 0..TIMES {
        let (mut client, _server) = connection(None)?;
        short_send(&mut client)?;
        match client.write(b"x") {
            Ok(_) => taken += 1,
            Err(error) if would_block(&error) => again += 1,
            Err(error) => return Err(error.into()),
        }
    }
    let (mut client, server) = connection(None)?;
    let sent = short_send(&mut client)?;
    let read = io::copy(&mut (&server).take(sent as u64), &mut io::sink())?;
    let room = !polled(&client, PollFlags::POLLOUT, PATIENCE)?.is_empty();
    let after_reading = client.write(b"x").is_ok();
    Ok(Finding::new(
        // How often depends on what else the machine does: an acknowledgement may come between.
        again > 0 && room && after_reading && read == sent as u64,
        format!(
            "a short send, and a byte more at once: EAGAIN {again} of {TIMES} times, taken {taken} (an \
             acknowledgement in between makes room). Once the peer has read, the next send takes the \
             byte"
        ),
        format!(
            "只发出一部分，立即再发一个字节：{TIMES} 次里 EAGAIN {again} 次，收下 {taken} 次（两次之间来了确认，\
             就有空间）。对端读走以后，下一次 send 就收下了"
        ),
    ))
}

/// One send of more than any buffer has room for: how many bytes were taken.
fn short_send(client: &mut TcpStream) -> Result<usize, Unable> {
    client.set_nonblocking(true)?;
    let much = vec![0; 256 << 20];
    match client.write(&much)? {
        count if count < much.len() => Ok(count),
        count => Err(format!("one send took all of {count} bytes").into()),
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    #[test]
    fn the_corners_are_as_the_course_says() {
        crate::experiments::confirm(&super::EPOLL_CORNERS);
    }
}
