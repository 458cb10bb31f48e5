//! Clients that keep a server waiting, and are closed for it.

use crate::check::client::{Client, drive};
use crate::check::server::with_server;
use crate::check::subject::{Fault, Seen, Subject, short};
use crate::language::said;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

/// The limit that is judged. The other two are far away meanwhile.
const LIMIT: Duration = Duration::from_millis(LIMIT_MS);
const LIMIT_MS: u64 = 500;
/// A close before the limit is wrong; one so much later, too. A machine may have better things to
/// do for a moment.
const LATE: Duration = Duration::from_millis(1500);

/// The same server with one short limit.
fn with_limit(subject: &Subject, option: &str) -> Subject {
    let mut subject = subject.clone();
    subject.command.extend([option.into(), LIMIT.as_secs_f64().to_string().into()]);
    subject
}

/// Waits until the server has closed all of these, whose time began at `since`: how late the last
/// one was.
fn closed_in_time(clients: &mut [Client], since: Instant) -> Result<Duration, Fault> {
    /// They may have been accepted, and their clock started, a moment before `since`.
    const EARLY: Duration = Duration::from_millis(50);
    let due = since + LIMIT;
    let too_early = |fault: Fault| fault.after(said!("too early", "太早"));
    drive(clients, |_| Instant::now() > due - EARLY).map_err(too_early)?;
    drive(clients, |client| client.has_ended() || Instant::now() > due + LATE)?;
    let late = due.elapsed();
    let left = clients.iter().filter(|client| !client.has_ended()).count();
    if left > 0 {
        let (left, all) = (left.to_string(), clients.len());
        let millis = (LIMIT + LATE).as_millis();
        return short(said!(
            "{left} of {all} are still open after {millis} ms; the limit is {LIMIT_MS} ms",
            "{millis} 毫秒后，{all} 个中还有 {left} 个没有断开；时限是 {LIMIT_MS} 毫秒"
        ));
    }
    Ok(late)
}

fn in_time(what: &str, late: Duration) -> String {
    let millis = late.as_millis();
    said!(
        "{what}: closed after {LIMIT_MS} ms, the last one {millis} ms later",
        "{what}：{LIMIT_MS} 毫秒后断开，最后一个晚了 {millis} 毫秒"
    )
}

pub(super) fn silent(subject: &Subject) -> Seen {
    const SILENT: usize = 20;
    with_server(&with_limit(subject, "--idle"), |server| {
        let mut talker = server.client()?;
        let mut silent = server.clients(SILENT)?;
        let since = Instant::now();
        let mut talk = || {
            let talked = talker.exchange(10);
            talked.map_err(|fault| fault.after(said!("one that talks", "一直在发的客户端")))
        };
        for _ in 0..4 {
            talk()?;
            thread::sleep(LIMIT / 5);
        }
        let late = closed_in_time(&mut silent, since)?;
        talk()?;
        let what = said!("{SILENT} silent clients", "{SILENT} 个不发数据的客户端");
        Ok(in_time(&what, late))
    })
}

pub(super) fn slow_message(subject: &Subject) -> Seen {
    with_server(&with_limit(subject, "--message"), |server| {
        // Whole messages, all the time, longer than the limit.
        let mut talker = server.client()?;
        let until = Instant::now() + LIMIT * 3 / 2;
        while Instant::now() < until {
            let talked = talker.exchange(10);
            talked.map_err(|fault| fault.after(said!("whole messages", "完整的消息")))?;
            thread::sleep(LIMIT / 10);
        }
        let client = server.client()?;
        let since = Instant::now();
        let mut bytes = 0;
        // No newline among them. A send fails once the server has closed.
        while since.elapsed() < LIMIT + LATE && client.socket().write_all(b"x").is_ok() {
            bytes += 1;
            thread::sleep(LIMIT / 20);
        }
        let millis = since.elapsed().as_millis();
        if since.elapsed() >= LIMIT + LATE {
            return short(said!(
                "{bytes} bytes of a message in {millis} ms, and it is still open; the limit is \
                 {LIMIT_MS} ms",
                "{millis} 毫秒里发了一条消息的 {bytes} 个字节，仍未断开；时限是 {LIMIT_MS} 毫秒"
            ));
        }
        if since.elapsed() < LIMIT {
            return short(said!("closed after {millis} ms already", "才 {millis} 毫秒就断开了"));
        }
        Ok(said!(
            "a byte every {} ms: closed after {millis} ms, {bytes} bytes",
            "每 {} 毫秒一个字节：{millis} 毫秒、{bytes} 个字节之后断开",
            LIMIT_MS / 20
        ))
    })
}

pub(super) fn unread_answers(subject: &Subject) -> Seen {
    const MUCH: u64 = 64 << 20;
    with_server(&with_limit(subject, "--unread"), |server| {
        // One that reads, but slowly: a part of its answers well within each limit.
        let mut slow = server.client()?;
        slow.window = u64::MAX;
        slow.push(MUCH)?;
        for _ in 0..8 {
            let more = (slow.answered() + (1 << 20)).min(slow.sent());
            drive(std::slice::from_mut(&mut slow), |client| client.answered() >= more)
                .map_err(|fault| fault.after(said!("one that reads slowly", "读得慢的客户端")))?;
            thread::sleep(LIMIT / 5);
        }
        let mut sleeper = server.client()?;
        sleeper.asleep = true;
        sleeper.window = u64::MAX;
        sleeper.ask(MUCH);
        // Until nothing is taken any more: from there on its clock runs.
        let mut since = Instant::now();
        while since.elapsed() < LIMIT / 5 {
            if sleeper.offer()? {
                since = Instant::now();
            }
        }
        // That it is closed, it learns from sending.
        while since.elapsed() < LIMIT + LATE {
            if sleeper.offer().is_err() {
                let late = since.elapsed().saturating_sub(LIMIT);
                return Ok(in_time(&said!("one that never reads", "从不读取的客户端"), late));
            }
        }
        short(said!(
            "still open after {} ms; the limit is {LIMIT_MS} ms",
            "{} 毫秒之后仍未断开；时限是 {LIMIT_MS} 毫秒",
            (LIMIT + LATE).as_millis()
        ))
    })
}
