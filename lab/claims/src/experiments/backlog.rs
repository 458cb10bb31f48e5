//! How many clients the kernel keeps for a server that accepts nobody.

use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
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

pub(super) const BACKLOG_BURST: Experiment = Experiment {
    name: "backlog_burst",
    does: [
        "forty clients connect at the same time, over a slow line, to a server that accepts nobody",
        "线路很慢，四十个客户端同时连接一个从不 accept 的服务端",
    ],
    claims: &[Claim {
        note: "S0",
        quote: "A连接后还可以在连接4个人…一共5个人可以排队",
        says: [
            "listen(5): five may queue. How many believe that they are connected?",
            "listen(5)：五个人排队。以为自己连上了的有几个？",
        ],
        verdict: Verdict::Wrong,
    }],
    run: burst,
};

/// Only the thread gets a network of its own, and the network ends with the thread.
fn burst() -> Found {
    let thread = std::thread::spawn(slow_line::burst);
    thread.join().map_err(|_| Unable::Failed("its thread has died".to_owned()))?
}

#[cfg(target_os = "linux")]
mod slow_line {
    use super::*;
    use crate::experiments::sockets::PATIENCE;
    use judge::process::soon;
    use nix::sched::{CloneFlags, unshare};
    use std::net::TcpListener;
    use std::process::Command;

    const CLIENTS: usize = 40;

    pub(super) fn burst() -> Found {
        own_network()?;
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        listener.listen(5)?;
        let listener = TcpListener::from(listener);
        let addr = listener.local_addr()?;
        let clients = (0..CLIENTS).map(|_| begun(&addr.into()));
        let clients = clients.collect::<io::Result<Vec<_>>>()?;
        let mut connected = 0;
        let all = soon(PATIENCE, || match clients.iter().map(is_connected).sum() {
            Ok(count) if count < CLIENTS => {
                connected = count;
                None
            }
            found => Some(found),
        });
        let connected = all.unwrap_or(Ok(connected))?;
        let mut known = 0;
        // The last step of the last handshake may still be on its way.
        let enough = soon(PATIENCE, || {
            known = known_to_server(addr.port()).ok()?;
            (known >= 6).then_some(())
        });
        Ok(vec![Finding::new(
            connected == CLIENTS && enough.is_some() && known == 6,
            format!(
                "{CLIENTS} began at the same time: connect() succeeded for {connected} of them; the \
                 server's kernel has {known} connections for accept"
            ),
            format!(
                "{CLIENTS} 个同时开始连接：connect() 成功的有 {connected} 个，而服务端内核里等着 accept \
                 的连接只有 {known} 个"
            ),
        )])
    }

    /// On loopback each handshake is over before the next begins. Behind a line that takes half a
    /// millisecond for each packet, all the SYNs have been answered before the first handshake
    /// ends: until then the accept queue is empty, and nobody is refused.
    fn own_network() -> Result<(), Unable> {
        const WHY: [&str; 2] = [
            "needs a network of its own: run it as root",
            "需要独立的网络命名空间：请以 root 运行",
        ];
        unshare(CloneFlags::CLONE_NEWNET).map_err(|_| Unable::here(WHY[0], WHY[1]))?;
        command(&["ip", "link", "set", "lo", "up"])?;
        let line = "tc qdisc add dev lo root tbf rate 1mbit burst 100 limit 100000";
        command(&line.split(' ').collect::<Vec<_>>())
    }

    fn command(words: &[&str]) -> Result<(), Unable> {
        let run = Command::new(words[0]).args(&words[1..]).output();
        let why = match run {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().replace('\n', ", "),
            Err(error) => common::reason(&error),
        };
        let command = words.join(" ");
        Err(Unable::here(
            format!("cannot make a slow line here: `{command}`: {why}"),
            format!("这里没法模拟慢的线路：`{command}`：{why}"),
        ))
    }

    fn begun(addr: &SockAddr) -> io::Result<Socket> {
        let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        client.set_nonblocking(true)?;
        match client.connect(addr) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => Ok(client),
        }
    }

    /// 1 or 0, to be added up. An error in place of a connection is one of the experiment.
    fn is_connected(client: &Socket) -> io::Result<usize> {
        let mut ready = [PollFd::new(client.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut ready, PollTimeout::ZERO)? == 0 {
            return Ok(0);
        }
        client.take_error()?.map_or(Ok(1), Err)
    }

    /// How many established connections this thread's network has with a server on `port`.
    fn known_to_server(port: u16) -> io::Result<usize> {
        let table = std::fs::read_to_string("/proc/thread-self/net/tcp")?;
        Ok(established(&table, port))
    }

    /// The second column is the local address, in hexadecimal, the fourth the state: 01 is
    /// ESTABLISHED (proc(5)).
    fn established(table: &str, port: u16) -> usize {
        let port = format!(":{port:04X}");
        let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let of_server = |columns: &Vec<&str>| {
            columns.len() > 3 && columns[1].ends_with(&port) && columns[3] == "01"
        };
        columns.filter(of_server).count()
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn only_the_servers_own_established_connections_count() {
            let table = "  sl  local_address rem_address   st tx_queue\n\
                 0: 0100007F:1F41 00000000:0000 0A 0\n\
                 1: 0100007F:1F41 0100007F:C350 01 0\n\
                 2: 0100007F:C350 0100007F:1F41 01 0\n\
                 3: 0100007F:1F41 0100007F:C351 03 0\n";
            assert_eq!(super::established(table, 0x1F41), 1);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod slow_line {
    use super::*;

    pub(super) fn burst() -> Found {
        Err(Unable::here("needs Linux's network namespaces", "需要 Linux 的网络命名空间"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_believe_that_they_are_connected() {
        crate::experiments::confirm_where_seen(&BACKLOG_BURST);
    }
}
