//! S2's second question: how does a client leave without disturbing the server and the others?

use super::sockets::{PATIENCE, arrival, here, outcome, pair, reset, running};
use super::{Claim, Experiment, Finding, Found, Verdict};
use judge::check::client::Client;
use judge::check::server::Server;
use judge::process::soon;
use std::io::Read;

pub(super) const LEAVING: Experiment = Experiment {
    name: "leaving",
    does: [
        "one of three clients leaves, in three ways; what recv says, and whether the others are served",
        "三个客户端中的一个以三种方式断开：recv 返回什么，其他客户端是否照常",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "就会发生ConnectionResetError",
            says: ["a client that leaves raises ConnectionResetError", "客户端断开时"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S3",
            quote: "如果接收失败说明客户端断开了连接",
            says: ["a receive that fails: the client has left", ""],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S2",
            quote: "不影响server端和其它客户端正常交流",
            says: [
                "how can a client leave without disturbing the others? Expect the end of input; let \
                 an error end only its own connection",
                "办法：把输入结束当作正常情况；出错时只结束那一个连接",
            ],
            verdict: Verdict::Question,
        },
    ],
    run,
};

/// A way to leave.
struct Way {
    name: &'static str,
    zh: &'static str,
    leave: fn(&mut Server, Client) -> Result<(), String>,
}

const WAYS: [Way; 3] = [
    Way { name: "closing", zh: "关闭", leave: closing },
    Way { name: "a reset", zh: "重置", leave: resetting },
    Way { name: "1025 bytes and closing", zh: "发送 1025 字节后关闭", leave: unanswered },
];

fn closing(_: &mut Server, client: Client) -> Result<(), String> {
    drop(client);
    Ok(())
}

fn resetting(_: &mut Server, client: Client) -> Result<(), String> {
    client.reset();
    Ok(())
}

/// One recv takes 1024 bytes. Their answer meets a closed socket, which answers with a reset; the
/// send of the last byte is the one that fails.
fn unanswered(server: &mut Server, mut client: Client) -> Result<(), String> {
    server.process.stop()?;
    client.push(1025)?;
    drop(client);
    server.process.go_on();
    Ok(())
}

fn run() -> Found {
    let (client, mut closed) = pair()?;
    drop(client);
    let (client, mut broken) = pair()?;
    reset(client)?;
    arrival(&closed)?;
    arrival(&broken)?;
    let of_closed = closed.read(&mut [0; 10]);
    let of_broken = broken.read(&mut [0; 10]);
    let succeeds = matches!(of_closed, Ok(0)) && of_broken.is_err();
    let (of_closed, of_broken) = (outcome(&of_closed), outcome(&of_broken));

    let programs = ["select", "poll", "epoll"].into_iter().filter(|name| here(name));
    let programs: Vec<_> = programs.collect();
    let mut disturbed = Vec::new();
    for program in &programs {
        for Way { name, leave, .. } in &WAYS {
            let mut server = running(program, None)?;
            if let Err(why) = others_are_served(&mut server, *leave) {
                disturbed.push(format!("{program}, {name}: {why}"));
            }
        }
    }
    let runs = programs.len() * WAYS.len();
    let fine = runs - disturbed.len();
    let why = disturbed.iter().flat_map(|why| ["; ", why.as_str()]).collect::<String>();
    let [programs, programs_zh] = [", ", "、"].map(|comma| programs.join(comma));
    Ok(vec![
        Finding::new(
            succeeds,
            format!("closed: recv gave {of_closed}, no error; reset: {of_broken}"),
            format!("关闭：recv 得到 {of_closed}，没有出错；重置：{of_broken}"),
        ),
        Finding::new(
            succeeds,
            format!("it left by closing, and recv succeeded with {of_closed} bytes"),
            format!("它关闭了连接，recv 却是成功的，{of_closed} 字节"),
        ),
        Finding::new(
            fine == runs,
            format!(
                "{programs}; client 1 left by {}: in {fine} of {runs} cases 2 and 3 were answered, \
                 4 was accepted, and the descriptor was given back{why}",
                WAYS.map(|way| way.name).join(", ")
            ),
            format!(
                "{programs_zh}；客户端 1 分别以{}断开：{runs} 种情形里 {fine} 种正常（2、3 得到回复，新来\
                 的 4 连得上，描述符已收回）{why}",
                WAYS.map(|way| way.zh).join("、")
            ),
        ),
    ])
}

/// Client 1 of three leaves: the others are answered, a fourth comes, and nothing is left of 1.
fn others_are_served(
    server: &mut Server,
    leave: fn(&mut Server, Client) -> Result<(), String>,
) -> Result<(), String> {
    let mut clients = server.clients(3)?;
    for client in &mut clients {
        client.exchange(1)?;
    }
    let three = server.descriptors().ok();
    leave(server, clients.remove(0))?;
    for client in &mut clients {
        client.exchange(100).map_err(|why| format!("one who stayed: {why}"))?;
    }
    if let Some(three) = three {
        let two = || (server.descriptors().ok()? < three).then_some(());
        soon(PATIENCE, two).ok_or("its descriptor is not closed")?;
    }
    server.client()?.exchange(100).map_err(|why| format!("one who came: {why}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn nobody_is_disturbed() {
        crate::experiments::confirm(&super::LEAVING);
    }
}
