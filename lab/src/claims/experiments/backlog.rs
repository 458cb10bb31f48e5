//! How many clients the kernel keeps for a server that accepts nobody.

use super::{Claim, Experiment, Finding, Found, Verdict};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;

pub(super) const BACKLOG: Experiment = Experiment {
    name: "backlog",
    does: [
        "connect to a server that accepts nobody, until the kernel takes no more",
        "连接一个从不 accept 的服务端，直到内核不再接收",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "当A连接的时候B是无法进行\"连接\"的",
            says: ["B cannot connect while A is served", "服务 A 时 B 无法连接"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S0",
            quote: "A连接后还可以在连接4个人…一共5个人可以排队",
            says: ["listen(5): one is served and four wait", "listen(5)：一个在服务，四个在排队"],
            verdict: Verdict::Wrong,
        },
    ],
    run,
};

fn run() -> Found {
    let mut waiting = Vec::new();
    for backlog in [0, 1, 5, 10] {
        waiting.push((backlog, connected_to(backlog)?));
    }
    let list = |colon: &str, comma: &str| {
        let each =
            waiting.iter().map(|(backlog, count)| format!("listen({backlog}){colon}{count}"));
        each.collect::<Vec<_>>().join(comma)
    };
    let five = waiting[2].1;
    // Linux keeps one more than it was told; others keep the number, or half as many again.
    let kept = if cfg!(target_os = "linux") { five == 6 } else { five >= 5 };
    Ok(vec![
        Finding::new(
            five >= 2,
            format!("{five} clients connected to listen(5) while nobody accepted any"),
            format!("没有人 accept，listen(5) 也连上了 {five} 个客户端"),
        ),
        Finding::new(
            kept,
            format!("waiting, none accepted: {}", list(": ", ", ")),
            format!("一个都没有 accept，在等的有：{}", list("：", "，")),
        ),
    ])
}

/// How many connections are complete while nobody accepts.
fn connected_to(backlog: i32) -> io::Result<usize> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    listener.listen(backlog)?;
    let addr = listener.local_addr()?;
    let mut clients = Vec::new();
    // On loopback a handshake is complete before connect returns, or it waits for the next SYN.
    while clients.len() < 64 {
        let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if !connects(&client, &addr)? {
            break;
        }
        clients.push(client);
    }
    Ok(clients.len())
}

/// Whether the handshake is finished at once. One that the kernel drops is tried again by the
/// client's side after a second, which is not waited for.
fn connects(client: &Socket, addr: &SockAddr) -> io::Result<bool> {
    const SOON: u16 = 200;
    client.set_nonblocking(true)?;
    match client.connect(addr) {
        Ok(()) => return Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    let mut ready = [PollFd::new(client.as_fd(), PollFlags::POLLOUT)];
    Ok(poll(&mut ready, PollTimeout::from(SOON))? == 1)
}
