//! S2's first question: five clients send in the order 5, 4, 3, 2, 1. In which order are they
//! answered?

use super::sockets::{here, running};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::check::suite::answered_at_once;

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
    does: ["the same five clients, served with epoll", "同样的五个客户端，服务端用 epoll"],
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
                "（灯上有名字）epoll 会说是谁",
            ],
            verdict: Verdict::Right,
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
            format!("按 {sent} 发送，回答 {select}：如果是队列，先后就不会变"),
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
            format!("sent {sent} at once, answered {in_turn}: a list, in the order of arrival"),
            format!("按 {sent} 发送，一起到，回答 {in_turn}：是一张表，按到达的先后"),
        ),
        Finding::new(
            agrees,
            format!(
                "five names, in the order in which the buttons were pressed: {in_turn}; with another \
                 order of connecting: {mixed}"
            ),
            format!("五个名字，按按钮的先后：{in_turn}；换一种连接的顺序：{mixed}"),
        ),
    ])
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
            "五个都得到了回答；先后在这里看不到",
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
        crate::claims::experiments::confirm(&ORDER);
    }

    #[test]
    fn a_ready_list_answers_in_the_order_of_arrival() {
        crate::claims::experiments::confirm(&READY_LIST);
    }
}
