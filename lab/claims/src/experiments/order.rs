//! S2's first question: five clients send in the order 5, 4, 3, 2, 1. In which order are they
//! answered?

use super::sockets::{here, running};
use super::threads::{number, state};
use super::watch::{Event, LONG, PATIENCE, Trigger, Watch, arrived, connection};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use judge::check::suite::answered_at_once;
use judge::process::soon;
use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;

pub(super) const ORDER: Experiment = Experiment {
    name: "order",
    does: [
        "five clients send in the order 5 4 3 2 1, one by one, and while the server is held",
        "五个客户端按 5 4 3 2 1 的顺序发送：一个一个地来，以及在服务端暂停时一起到",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "server端是按什么顺序回消息的呢",
            says: [
                "in which order does the server answer? Asked one by one: as they send; all at \
                 once: select and poll as they connected",
                "一个一个地来，按发送的顺序；一起到，select 和 poll 按连接的顺序",
            ],
            verdict: Verdict::Question,
        },
        Claim {
            note: "S1",
            quote: "监听一个可读队列和一个可写队列",
            says: ["select watches a queue of the readable", "select 监听的是队列"],
            verdict: Verdict::Wrong,
        },
    ],
    run: scanned,
};

pub(super) const READY_LIST: Experiment = Experiment {
    name: "ready_list",
    does: [
        "the same five clients, served with epoll; and who is reported first, busy or asleep",
        "同样的五个客户端，服务端用 epoll；再看服务端忙碌或睡眠时，谁先被报告",
    ],
    claims: &[
        Claim {
            note: "S4",
            quote: "加入一个就绪表中",
            says: ["a callback puts the ready into a list", "就绪的由回调加入就绪表"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "上面还会显示要交卷学生的名字",
            says: [
                "(the lamp shows the names) epoll says who is ready",
                "（灯上有名字）epoll 会报告是哪一个",
            ],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "server端是按什么顺序回消息的呢",
            says: [
                "in which order, with epoll? None is promised: those that become ready while the \
                 server is asleep come in the order of arrival; one that was just served may come \
                 before those that arrived earlier",
                "用 epoll 是什么顺序？没有保证：服务端睡眠时就绪的，按到达的先后；刚服务过的那一个，\
                 可能排到先到的前面",
            ],
            verdict: Verdict::Question,
        },
    ],
    run: listed,
};

/// The numbers of five clients, in some order.
type Five = [usize; 5];

const IN_TURN: Five = [1, 2, 3, 4, 5];
const MIXED: Five = [3, 1, 5, 2, 4];
const SENT: Five = [5, 4, 3, 2, 1];

fn scanned() -> Found {
    let programs = ["select", "poll"];
    let mut seen = Vec::new();
    for program in programs {
        one_by_one(program)?;
        seen.push((program, at_once(program, IN_TURN)?, at_once(program, MIXED)?));
    }
    let agrees = seen.iter().all(|(_, in_turn, mixed)| (*in_turn, *mixed) == (IN_TURN, MIXED));
    let rows = |comma: &str| {
        let row = |(program, in_turn, mixed): &(&str, Five, Five)| {
            format!("{program} {}{comma}{}", words(in_turn), words(mixed))
        };
        seen.iter().map(row).collect::<Vec<_>>()
    };
    let select = words(&seen[0].1);
    let sent = words(&SENT);
    Ok(vec![
        Finding::new(
            agrees,
            format!(
                "one by one {sent}; at once, connected as 1 2 3 4 5, then as 3 1 5 2 4: {}",
                rows(" and ").join("; ")
            ),
            format!(
                "一个一个地来：{sent}；一起到，分别按 1 2 3 4 5 和 3 1 5 2 4 连接：{}",
                rows("，").join("；")
            ),
        ),
        Finding::new(
            seen[0].1 == IN_TURN,
            format!("sent {sent}, answered {select}: a queue would have kept the order"),
            format!("按 {sent} 发送，回复 {select}：如果是队列，先后就不会变"),
        ),
    ])
}

fn listed() -> Found {
    if !here("epoll") {
        return Err(Unable::here("this system has no epoll", "这个系统没有 epoll"));
    }
    let (in_turn, mixed) = (at_once("epoll", IN_TURN)?, at_once("epoll", MIXED)?);
    let agrees = in_turn == SENT && mixed == SENT;
    let (in_turn, mixed) = (words(&in_turn), words(&mixed));
    let sent = words(&SENT);
    Ok(vec![
        Finding::new(
            agrees,
            format!(
                "the server asleep in epoll_wait; sent {sent} at once, answered {in_turn}: a list, \
                 to which each was added as it came"
            ),
            format!(
                "服务端阻塞在 epoll_wait 上；按 {sent} 发送，一起到，回复 {in_turn}：是一个列表，先到的先进"
            ),
        ),
        Finding::new(
            agrees,
            format!(
                "five names, in the order in which the buttons were pressed: {in_turn}; with another \
                 order of connecting: {mixed}"
            ),
            format!("五个名字，按按钮的先后：{in_turn}；换一种连接的顺序：{mixed}"),
        ),
        first_reported()?,
    ])
}

/// epoll by itself, in the four cases.
fn first_reported() -> Result<Finding, Unable> {
    let busy = [Trigger::Level, Trigger::Edge].map(|trigger| reported(trigger, false));
    let asleep = [Trigger::Level, Trigger::Edge].map(|trigger| reported(trigger, true));
    let ([level, edge], [level_asleep, edge_asleep]) = (busy, asleep);
    let [level, edge] = [level?, edge?];
    let [level_asleep, edge_asleep] = [level_asleep?, edge_asleep?];
    let as_sent = |order: &String| order == "B C A";
    Ok(Finding::new(
        level == "A B C" && [&edge, &level_asleep, &edge_asleep].into_iter().all(as_sent),
        format!(
            "A is served; then B, C and A send, in this order. While the server is busy with A: \
             level reports {level}, edge {edge}. While it is asleep in epoll_wait: level \
             {level_asleep}, edge {edge_asleep}"
        ),
        format!(
            "服务了 A，随后依次发来的是 B、C、A。服务端还在忙 A 的事：水平触发报告 {level}，边缘触发 \
             {edge}；服务端阻塞在 epoll_wait 上：水平触发 {level_asleep}，边缘触发 {edge_asleep}"
        ),
    ))
}

/// In which order epoll reports B, C and A, which send in this order when A has just been served.
fn reported(trigger: Trigger, asleep: bool) -> Result<String, Unable> {
    let watch = Watch::new()?;
    let mut connections = Vec::new();
    for data in 0..3 {
        let (client, server) = connection(None)?;
        watch.add(&server, Event::Readable, trigger, data)?;
        connections.push((client, server));
    }
    let (client, server) = &mut connections[0];
    client.write_all(b"x")?;
    watch.tells(LONG)?;
    server.read_exact(&mut [0])?;
    let mut all_send = || -> Result<(), Unable> {
        for index in [1, 2, 0] {
            let (client, server) = &mut connections[index];
            client.write_all(b"x")?;
            arrived(server, 1)?;
        }
        Ok(())
    };
    if !asleep {
        all_send()?;
        return names(&watch);
    }
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let watch = &watch;
        let waiter = scope.spawn(move || {
            let _ = tell.send(number());
            names(watch)
        });
        let thread = told.recv().map_err(|_| "the waiting thread has died".to_owned())?;
        let at_rest = soon(PATIENCE, || match state(thread) {
            Ok(state) => (state == 'S').then_some(Ok(())),
            Err(why) => Some(Err(why)),
        });
        at_rest.ok_or_else(|| "epoll_wait does not sleep".to_owned())??;
        all_send()?;
        waiter.join().map_err(|_| "the waiting thread has died".to_owned())?
    })
}

/// The three in the order in which they are first reported. They are not read: what was reported
/// may be reported again.
fn names(watch: &Watch) -> Result<String, Unable> {
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let mut told = [0; 3];
        let count = watch.wait_into(&mut told, LONG)?;
        if count == 0 {
            return Err(format!("only {seen:?} of three are reported").into());
        }
        for &data in &told[..count] {
            let name = ["A", "B", "C"][data as usize];
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
    }
    Ok(seen.join(" "))
}

/// Each client is answered before the next one sends: nobody can be answered in another order.
fn one_by_one(program: &str) -> Result<(), Unable> {
    let server = running(program, None)?;
    let mut clients = server.clients(IN_TURN.len())?;
    for number in SENT {
        clients[number - 1].exchange(1)?;
    }
    Ok(())
}

fn at_once(program: &str, connecting: Five) -> Result<Five, Unable> {
    let mut server = running(program, None)?;
    answered_at_once(&mut server, connecting)?.ok_or_else(|| {
        Unable::here(
            "all five were answered; in which order is not seen here",
            "五个都得到了回复；先后在这里看不到",
        )
    })
}

fn words(order: &Five) -> String {
    order.map(|number| number.to_string()).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_answers_in_the_order_of_connecting() {
        crate::experiments::confirm(&ORDER);
    }

    #[test]
    fn a_ready_list_keeps_the_order_of_arrival_only_for_a_server_asleep() {
        crate::experiments::confirm(&READY_LIST);
    }
}
