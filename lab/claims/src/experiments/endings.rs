//! What select, poll and epoll report of a connection, at each step towards its end.

use super::{Claim, Experiment, Verdict};
use linux::run;

pub(super) const ENDINGS: Experiment = Experiment {
    name: "endings",
    does: [
        "what select, poll and epoll report: idle, data, FIN, both directions ended, RST; also when asked for nothing, and of a socket that no client has ended",
        "空闲、有数据、FIN、两个方向都结束、RST：select、poll、epoll 各报告什么，什么都不问时又报告什么；客户端没有结束的套接字又怎样",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "客户端挂了或者客户端关闭了",
            says: ["POLLHUP: the client has gone, or has closed", "POLLHUP 的含义"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S4",
            quote: "POLLHUP | 挂起",
            says: [
                "the table of flags: IN, PRI, OUT, ERR, HUP, NVAL",
                "标志表：IN、PRI、OUT、ERR、HUP、NVAL",
            ],
            verdict: Verdict::Incomplete,
        },
    ],
    run,
};

#[cfg(target_os = "linux")]
mod linux {
    use crate::experiments::sockets::{arrival, flags, pair, polled, reset, selected};
    use crate::{Finding, Found, Unable};
    use nix::poll::PollFlags;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
    use socket2::{Domain, Socket, Type};
    use std::io::{self, Write};
    use std::net::{Shutdown, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    pub(super) fn run() -> Found {
        let connections = connections()?;
        let looks: Vec<_> = connections
            .iter()
            .map(|(_, server)| Look::at(server))
            .collect::<Result<_, Unable>>()?;
        let row = |of: fn(&Look) -> &str| looks.iter().map(of).collect::<Vec<_>>();
        let (select, poll, epoll) = (row(|l| &l.select), row(|l| &l.poll), row(|l| &l.epoll));
        let (poll_nothing, epoll_nothing) = (row(|l| &l.poll_nothing), row(|l| &l.epoll_nothing));
        // Asked for all there is to read; poll has RDHUP too, nix's names do not.
        let hup = poll == ["–", "IN", "IN", "IN|HUP", "IN|ERR|HUP"]
            && epoll == ["–", "IN", "IN|RDHUP", "IN|HUP|RDHUP", "IN|ERR|HUP|RDHUP"];
        let alike = select[2] == select[3] && select[3] == select[4];
        let unasked =
            poll_nothing == ["–", "–", "–", "HUP", "ERR|HUP"] && epoll_nothing == poll_nothing;
        let (ours, never) = without_a_client_leaving()?;
        let no_client = ours == "IN|OUT|HUP|RDHUP" && never == ["HUP", "OUT|HUP"];
        Ok(vec![
            Finding::new(
                hup && alike && no_client,
                format!(
                    "poll tells FIN as {}, both directions ended as {}, RST as {}; select tells \
                     all three as {}. HUP without any client's doing: after shutdown(SHUT_RDWR) of \
                     our own {ours}; of a socket that was never connected {}, asked for IN only",
                    poll[2], poll[3], poll[4], select[2], never[0]
                ),
                format!(
                    "poll 把 FIN 报告为 {}，两个方向都结束为 {}，RST 为 {}；select 把这三种都报告为 {}。\
                     与客户端无关的 HUP：自己调用 shutdown(SHUT_RDWR) 之后是 {ours}；从未连接的套接字，\
                     只问 IN，是 {}",
                    poll[2], poll[3], poll[4], select[2], never[0]
                ),
            ),
            Finding::new(
                unasked && hup,
                format!(
                    "asked for nothing, poll and epoll still tell both directions ended as {}, RST \
                     as {}; asked for RDHUP, epoll tells FIN as {}",
                    poll_nothing[3], poll_nothing[4], epoll[2]
                ),
                format!(
                    "什么都不问，poll 和 epoll 也把两个方向都结束报告为 {}，RST 为 {}；问了 RDHUP，epoll \
                     把 FIN 报告为 {}",
                    poll_nothing[3], poll_nothing[4], epoll[2]
                ),
            ),
        ])
    }

    /// A connection in each state: the client's end, if it is still there, and the server's.
    fn connections() -> io::Result<[(Option<TcpStream>, TcpStream); 5]> {
        let idle = pair()?;
        let mut data = pair()?;
        data.0.write_all(b"!")?;
        let fin = pair()?;
        fin.0.shutdown(Shutdown::Write)?;
        let both = pair()?;
        both.0.shutdown(Shutdown::Write)?;
        let (client, broken) = pair()?;
        reset(client)?;
        for server in [&data.1, &fin.1, &both.1, &broken] {
            arrival(server)?;
        }
        both.1.shutdown(Shutdown::Write)?;
        let open = |(client, server)| (Some(client), server);
        Ok([open(idle), open(data), open(fin), open(both), (None, broken)])
    }

    /// What epoll reports when we ended both directions ourselves, asked for everything; and of a
    /// socket that was never connected, asked for IN only, and for OUT as well.
    fn without_a_client_leaving() -> Result<(String, [String; 2]), Unable> {
        let (_client, ours) = pair()?;
        ours.shutdown(Shutdown::Both)?;
        let never = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let (read, write) = (EpollFlags::EPOLLIN, EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT);
        let all = write | EpollFlags::EPOLLRDHUP;
        Ok((of_epoll(&ours, all)?, [of_epoll(&never, read)?, of_epoll(&never, write)?]))
    }

    /// What each call reports of one connection.
    struct Look {
        select: String,
        poll: String,
        poll_nothing: String,
        epoll: String,
        epoll_nothing: String,
    }

    impl Look {
        fn at(socket: &TcpStream) -> Result<Self, Unable> {
            let read = EpollFlags::EPOLLIN | EpollFlags::EPOLLPRI | EpollFlags::EPOLLRDHUP;
            Ok(Self {
                select: selected(socket)?.to_string(),
                poll: of_poll(socket, PollFlags::POLLIN | PollFlags::POLLPRI)?,
                poll_nothing: of_poll(socket, PollFlags::empty())?,
                epoll: of_epoll(socket, read)?,
                epoll_nothing: of_epoll(socket, EpollFlags::empty())?,
            })
        }
    }

    fn of_poll(socket: &TcpStream, asked: PollFlags) -> io::Result<String> {
        let reported = polled(socket, asked, Duration::ZERO)?;
        Ok(flags(reported.iter_names().map(|(name, _)| name)))
    }

    fn of_epoll(socket: &impl AsFd, asked: EpollFlags) -> nix::Result<String> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(socket, EpollEvent::new(asked, 0))?;
        let mut events = [EpollEvent::empty()];
        let reported = match epoll.wait(&mut events, EpollTimeout::ZERO)? {
            0 => EpollFlags::empty(),
            _ => events[0].events(),
        };
        Ok(flags(reported.iter_names().map(|(name, _)| name)))
    }
}

/// BSD says POLLHUP for a FIN, with POLLIN; and nobody else has RDHUP.
#[cfg(not(target_os = "linux"))]
mod linux {
    use crate::{Found, Unable};

    pub(super) fn run() -> Found {
        Err(Unable::here("these flags are Linux's", "这里说的是 Linux 的标志"))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn hup_is_not_a_client_that_closes() {
        crate::experiments::confirm(&super::ENDINGS);
    }
}
