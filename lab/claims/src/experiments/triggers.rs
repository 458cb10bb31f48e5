//! Level and edge: when epoll tells, how often, and what it saves.

use super::watch::{Event, LONG, PATIENCE, SILENCE, Trigger, Watch, arrived, connection};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use common::would_block;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;

pub(super) const LEVEL_AND_EDGE: Experiment = Experiment {
    name: "level_and_edge",
    does: [
        "100000 bytes arrive, 50000 are read: what epoll tells of the rest",
        "到达 100000 字节，读走 50000：剩下的 epoll 怎样报告",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "epoll可以同时支持水平触发和边缘触发",
            says: ["both triggers", "两种触发方式都支持"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S0",
            quote: "它只说一遍…将不会再次告知",
            says: ["edge: it says it only once", "边缘触发只说一遍"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S0",
            quote: "那么下次调用select()和poll()的时候将再次报告",
            says: ["select and poll report again: level", "select 和 poll 会再次报告：水平触发"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S1",
            quote: "只要存在没有被读取的数据存在就一定会使epoll触发",
            says: ["level: told as long as data is unread", "水平触发：还有数据没读就报告"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S1",
            quote: "它监听的是变化",
            says: ["edge: told of changes", "边缘触发：报告变化"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S1",
            quote: "水平触发一定会继续通知,而边缘触发就不会",
            says: [
                "50k of 100k read: level keeps telling, edge does not",
                "（100k 只读了 50k 时）",
            ],
            verdict: Verdict::Right,
        },
    ],
    run: level_and_edge,
};

const SENT: usize = 100_000;
const READ: usize = 50_000;
const WAITS: usize = 3;
const BYTES: usize = 10;

fn level_and_edge() -> Found {
    let (mut client, mut server) = connection(Some(2 * SENT))?;
    let (level, edge) = (Watch::new()?, Watch::new()?);
    level.add(&server, Event::Readable, Trigger::Level, 0)?;
    edge.add(&server, Event::Readable, Trigger::Edge, 0)?;

    client.write_all(&[b'x'; SENT])?;
    arrived(&server, SENT)?;
    let first = edge.until_silence()?;
    server.read_exact(&mut [0; READ])?;
    let (by_level, by_edge) = (level.told(WAITS)?, edge.told(WAITS)?);
    let (by_poll, by_select) = (told_by_poll(&server)?, told_by_select(&server)?);

    client.write_all(b"x")?;
    let one_more = edge.tells(LONG)?;
    edge.modify(&server, Event::Readable, Trigger::Edge)?;
    let set_anew = edge.tells(LONG)?;
    let mut one_by_one = 0;
    for _ in 0..BYTES {
        client.write_all(b"x")?;
        one_by_one += usize::from(edge.tells(LONG)?);
    }
    for _ in 0..BYTES {
        client.write_all(b"x")?;
    }
    let rest = SENT - READ + 1 + 2 * BYTES;
    arrived(&server, rest)?;
    let together = edge.until_silence()?;
    server.read_exact(&mut vec![0; rest])?;
    let all_read = level.told(WAITS)?;

    let (room_level, room_edge) = (Watch::new()?, Watch::new()?);
    room_level.add(&server, Event::Writable, Trigger::Level, 0)?;
    room_edge.add(&server, Event::Writable, Trigger::Edge, 0)?;
    let (room_level, room_edge) = (room_level.told(WAITS)?, room_edge.told(WAITS)?);

    let left = SENT - READ;
    Ok(vec![
        Finding::new(
            by_level == WAITS && first >= 1 && by_edge == 0,
            format!(
                "the same socket, {left} bytes unread, {WAITS} waits: told {by_level} times under \
                 level, {by_edge} under edge"
            ),
            format!(
                "同一个套接字，{left} 字节未读，等待 {WAITS} 次：水平触发报告 {by_level} 次，边缘触发 \
                 {by_edge} 次"
            ),
        ),
        Finding::new(
            by_edge == 0 && one_more && set_anew && one_by_one == BYTES && together == 1,
            format!(
                "silent while {left} bytes are unread. Told again after one more byte: {}; after a \
                 MOD with the same mask: {}. {BYTES} bytes, a wait after each: {one_by_one} events; \
                 {BYTES} bytes, and then the waits: {together}",
                yes(one_more)[0],
                yes(set_anew)[0]
            ),
            format!(
                "{left} 字节未读，不再出声。再来一个字节，又报告：{}；用同样的掩码 MOD，又报告：{}。\
                 {BYTES} 个字节，每个之后等一次：{one_by_one} 个事件；{BYTES} 个都到了再等：{together} 个",
                yes(one_more)[1],
                yes(set_anew)[1]
            ),
        ),
        Finding::new(
            by_poll == WAITS && by_select == WAITS,
            format!("{left} bytes unread, {WAITS} calls each: select {by_select}, poll {by_poll}"),
            format!(
                "{left} 字节未读，各调用 {WAITS} 次：select 报告 {by_select} 次，poll {by_poll} 次"
            ),
        ),
        Finding::new(
            by_level == WAITS && all_read == 0 && room_level == WAITS,
            format!(
                "told in {by_level} of {WAITS} waits with data unread, in {all_read} with all of \
                 it read; for writing, in {room_level} while there is room"
            ),
            format!(
                "等待 {WAITS} 次：有数据未读时报告 {by_level} 次，读完后 {all_read} 次；对写来说，\
                 有空间时报告 {room_level} 次"
            ),
        ),
        Finding::new(
            by_edge == 0 && one_more && room_edge == 1,
            format!(
                "reading {READ} bytes changes the buffer, too: {by_edge} events, for nothing that \
                 was asked for has come. Room to write all the time: told in {room_edge} of \
                 {WAITS} waits"
            ),
            format!(
                "读走 {READ} 字节也是缓冲区的变化：{by_edge} 个事件，要等的并没有来。一直有空间可写：\
                 等待 {WAITS} 次，报告 {room_edge} 次"
            ),
        ),
        Finding::new(
            by_level == WAITS && by_edge == 0,
            format!("level: told in {by_level} of {WAITS} waits; edge: in {by_edge}"),
            format!("等待 {WAITS} 次：水平触发报告 {by_level} 次，边缘触发 {by_edge} 次"),
        ),
    ])
}

fn yes(is_so: bool) -> [&'static str; 2] {
    if is_so { ["yes", "是"] } else { ["no", "否"] }
}

fn told_by_poll(socket: &TcpStream) -> nix::Result<usize> {
    let mut told = 0;
    for _ in 0..WAITS {
        let mut entries = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        told += usize::from(poll(&mut entries, PollTimeout::from(SILENCE))? == 1);
    }
    Ok(told)
}

fn told_by_select(socket: &TcpStream) -> Result<usize, Unable> {
    let mut told = 0;
    for _ in 0..WAITS {
        told += usize::from(super::timeouts::select_readable(socket, SILENCE)?);
    }
    Ok(told)
}

pub(super) const EDGE_CALLS: Experiment = Experiment {
    name: "edge_calls",
    does: [
        "count the calls for a million bytes, and for 1000 messages, under level and edge",
        "数一数收一百万字节、收 1000 条消息，两种触发方式各要多少次调用",
    ],
    claims: &[Claim {
        note: "S0",
        quote: "理论上边缘触发的性能要更高一些",
        says: ["edge is faster in theory", ""],
        verdict: Verdict::Incomplete,
    }],
    run: edge_calls,
};

/// What it takes to receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Calls {
    waits: usize,
    recvs: usize,
}

fn edge_calls() -> Found {
    let mass = [Trigger::Level, Trigger::Edge].map(|trigger| receive(trigger, 10, SENT));
    let messages = [Trigger::Level, Trigger::Edge].map(|trigger| receive(trigger, 1000, 10));
    let ([level, edge], [level_each, edge_each]) = (all(mass)?, all(messages)?);
    let words = |calls: Calls| format!("{} + {}", calls.waits, calls.recvs);
    Ok(vec![Finding::new(
        edge.waits * 10 <= level.waits
            && edge_each.waits >= level_each.waits
            && edge_each.recvs >= level_each.recvs,
        format!(
            "epoll_wait + recv of 1024 bytes: for a million bytes {} under level, {} under edge; \
             for 1000 messages {} and {} (the recvs more are those that bring EAGAIN)",
            words(level),
            words(edge),
            words(level_each),
            words(edge_each)
        ),
        format!(
            "epoll_wait + recv（每次 1024 字节）：一百万字节，水平触发 {}，边缘触发 {}；1000 条消息，\
             {} 和 {}（多出的 recv 是为了等到 EAGAIN）",
            words(level),
            words(edge),
            words(level_each),
            words(edge_each)
        ),
    )])
}

fn all(calls: [Result<Calls, Unable>; 2]) -> Result<[Calls; 2], Unable> {
    let [first, second] = calls;
    Ok([first?, second?])
}

/// Receives `portions` of so many bytes, each of which is there before it is waited for: nobody's
/// speed decides how many waits there are. Under level one recv for each wait, as level allows;
/// under edge until there is no more, as edge demands.
fn receive(trigger: Trigger, portions: usize, bytes: usize) -> Result<Calls, Unable> {
    let (mut client, mut server) = connection(Some(2 * SENT))?;
    server.set_nonblocking(true)?;
    let watch = Watch::new()?;
    watch.add(&server, Event::Readable, trigger, 0)?;
    let portion = vec![b'x'; bytes];
    let mut buffer = [0; 1024];
    let mut calls = Calls { waits: 0, recvs: 0 };
    for _ in 0..portions {
        client.write_all(&portion)?;
        arrived(&server, bytes)?;
        let mut left = bytes;
        while left > 0 {
            if !watch.tells(LONG)? {
                return Err(format!("{left} bytes, and no event for {PATIENCE:?}").into());
            }
            calls.waits += 1;
            loop {
                calls.recvs += 1;
                match server.read(&mut buffer) {
                    Ok(count @ 1..) => left -= count,
                    Ok(_) => {
                        return Err("a connection that nobody closed has ended".to_owned().into());
                    }
                    Err(error) if would_block(&error) => break,
                    Err(error) => return Err(error.into()),
                }
                if matches!(trigger, Trigger::Level) {
                    break;
                }
            }
        }
    }
    Ok(calls)
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn level_repeats_and_edge_does_not() {
        crate::experiments::confirm(&LEVEL_AND_EDGE);
    }

    #[test]
    fn edge_saves_waits_only_where_much_comes_at_once() {
        crate::experiments::confirm(&EDGE_CALLS);
    }

    #[test]
    fn level_waits_for_each_recv_and_edge_drains() {
        let counted = |trigger| receive(trigger, 2, 3000).ok();
        assert_eq!(counted(Trigger::Level), Some(Calls { waits: 6, recvs: 6 }));
        assert_eq!(counted(Trigger::Edge), Some(Calls { waits: 2, recvs: 8 }));
    }
}
