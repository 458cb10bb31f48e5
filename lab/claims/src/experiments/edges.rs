//! What makes an edge: a wake-up for something that was asked for. Not every arrival is one.

use super::{Claim, Experiment, Verdict};
use linux::run;

pub(super) const EDGES: Experiment = Experiment {
    name: "edges",
    does: [
        "edge-triggered: several arrivals, room and no arrival, an arrival below the low-water mark",
        "边缘触发：几次到达；只腾出空间，没有到达；到达了，却没到低水位",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "它只说一遍…将不会再次告知",
            says: ["edge: each arrival is told once?", "边缘触发：每次到达都报告一遍？"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S1",
            quote: "它监听的是变化",
            says: ["edge: what is reported is the change?", "边缘触发：报告的是变化？"],
            verdict: Verdict::Incomplete,
        },
    ],
    run,
};

#[cfg(target_os = "linux")]
mod linux {
    use crate::experiments::sockets::{fill, flags, pair, polled};
    use crate::experiments::watch::{SILENCE, arrived};
    use crate::{Finding, Found, Unable};
    use nix::errno::Errno;
    use nix::poll::PollFlags;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    use nix::sys::socket::setsockopt;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    mod options {
        use nix::{setsockopt_impl, sockopt_impl};
        sockopt_impl!(LowWater, SetOnly, libc::SOL_SOCKET, libc::SO_RCVLOWAT, i32);
    }

    const ARRIVALS: usize = 5;

    pub(super) fn run() -> Found {
        let (mut client, server) = pair()?;
        let watch = Edge::of(&server, EpollFlags::EPOLLIN)?;
        for count in 1..=ARRIVALS {
            client.write_all(b"x")?;
            arrived(&server, count)?;
        }
        let merged = watch.reports()?;

        let (mut client, server) = pair()?;
        setsockopt(&server, options::LowWater, &(ARRIVALS as i32))?;
        let watch = Edge::of(&server, EpollFlags::EPOLLIN)?;
        for count in 1..ARRIVALS {
            client.write_all(b"x")?;
            arrived(&server, count)?;
        }
        let below = watch.reports()?;
        client.write_all(b"x")?;
        let reached = watch.reports()?;

        let (unread, room) = room_made()?;
        Ok(vec![
            Finding::new(
                merged == ["IN"] && below.is_empty() && reached == ["IN"],
                format!(
                    "{ARRIVALS} arrivals between two waits: {} event. SO_RCVLOWAT = {ARRIVALS}: {} \
                     arrivals of a byte: {} events; one more: {}",
                    merged.len(),
                    ARRIVALS - 1,
                    below.len(),
                    reached.len()
                ),
                format!(
                    "两次等待之间到达 {ARRIVALS} 次：{} 个事件。SO_RCVLOWAT = {ARRIVALS}：到达 {} 次，每次\
                     一个字节：{} 个事件；再来一次：{} 个",
                    merged.len(),
                    ARRIVALS - 1,
                    below.len(),
                    reached.len()
                ),
            ),
            Finding::new(
                room == ["IN|OUT"] && unread == 3,
                format!(
                    "the peer reads, and nothing arrives: one event, {}. OUT woke us; IN is in it for \
                     {unread} old bytes that are still unread",
                    room.join(", ")
                ),
                format!(
                    "对端读走数据，什么也没有到达：一个事件，{}。唤醒的是 OUT；带上 IN，是因为还有 {unread} \
                     个旧字节没读",
                    room.join("，")
                ),
            ),
        ])
    }

    /// Old bytes unread, no room, both told already; then the peer makes room. How many bytes are
    /// unread, and what is reported.
    fn room_made() -> Result<(usize, Vec<String>), Unable> {
        let (mut client, server) = pair()?;
        client.write_all(b"old")?;
        arrived(&server, 3)?;
        let watch = Edge::of(&server, EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT)?;
        fill(&server)?;
        watch.reports()?;
        let mut buffer = vec![0; 65536];
        while polled(&server, PollFlags::POLLOUT, Duration::ZERO)?.is_empty() {
            if client.read(&mut buffer)? == 0 {
                return Err("a connection that nobody closed has ended".to_owned().into());
            }
        }
        let reports = watch.reports()?;
        Ok((server.peek(&mut buffer)?, reports))
    }

    struct Edge(Epoll);

    impl Edge {
        fn of(socket: &TcpStream, events: EpollFlags) -> nix::Result<Self> {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            epoll.add(socket, EpollEvent::new(events | EpollFlags::EPOLLET, 0))?;
            Ok(Self(epoll))
        }

        /// The flags of each event, until there is silence.
        fn reports(&self) -> nix::Result<Vec<String>> {
            let mut reports = Vec::new();
            let mut events = [EpollEvent::empty()];
            loop {
                match self.0.wait(&mut events, SILENCE) {
                    Ok(0) => return Ok(reports),
                    Ok(_) => {
                        let names = events[0].events();
                        reports.push(flags(names.iter_names().map(|(name, _)| name)));
                    }
                    Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use crate::{Found, Unable};

    pub(super) fn run() -> Found {
        Err(Unable::here("this system has no epoll", "这个系统没有 epoll"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn an_edge_is_a_wake_up_and_not_an_arrival() {
        crate::experiments::confirm(&super::EDGES);
    }
}
