//! A peer that is no longer there, and one whose program stands still: what finds out, and when.

use super::{Claim, Experiment, Verdict};

pub(super) const VANISHED: Experiment = Experiment {
    name: "vanished",
    does: [
        "stop a server (SIGSTOP); let peers vanish without FIN or RST (a filter on their sockets \
         drops whatever comes); watch who finds out",
        "暂停一个服务端（SIGSTOP）；让几个对端没有 FIN、没有 RST 就消失（在它们的套接字上加过滤器，收到什么丢什么）；\
         看谁能发现",
    ],
    claims: &[
        Claim::asked(
            ["keep-alive finds a peer whose program hangs", "对端程序卡死，保活能发现"],
            Verdict::Wrong,
        ),
        Claim::asked(
            ["TCP notices by itself that the peer has vanished", "对端消失，TCP 自己会发现"],
            Verdict::Incomplete,
        ),
        Claim::asked(
            ["keep-alive finds a peer that has vanished", "对端消失，保活能发现"],
            Verdict::Incomplete,
        ),
        Claim::asked(
            [
                "TCP_USER_TIMEOUT limits how long what was sent may stay unacknowledged",
                "TCP_USER_TIMEOUT 限制已发数据多久可以得不到确认",
            ],
            Verdict::Right,
        ),
    ],
    run: linux::run,
};

#[cfg(target_os = "linux")]
mod linux {
    use crate::experiments::sockets::{outcome, pair, running};
    use crate::experiments::visitor::seconds;
    use crate::{Finding, Found, Unable};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::socket::getsockopt;
    use socket2::{SockFilter, SockRef, TcpKeepalive};
    use std::io::{self, Read, Write};
    use std::net::TcpStream;
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant};

    mod options {
        use nix::{getsockopt_impl, sockopt_impl};
        // What the kernel knows of a connection (tcp(7)).
        sockopt_impl!(TcpInfo, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info);
    }

    /// As short as they can be: these two count seconds.
    const IDLE: Duration = Duration::from_secs(1);
    const INTERVAL: Duration = Duration::from_secs(1);
    const COUNT: u32 = 2;
    /// When a peer that answers no question is given up.
    const GIVEN_UP: Duration = Duration::from_secs(3);
    const USER_TIMEOUT: Duration = Duration::from_secs(2);
    /// All connections at once, so this is how long it all takes.
    const WATCHED: Duration = Duration::from_secs(6);
    /// The kernel's clock has ticks.
    const A_TICK: Duration = Duration::from_millis(50);

    /// One connection of ours, and what became of it.
    struct Watched {
        ours: TcpStream,
        /// The other end must stay open: a close would send FIN.
        _theirs: Option<TcpStream>,
        ended: Option<(Duration, String)>,
    }

    impl Watched {
        fn new(ours: TcpStream, theirs: Option<TcpStream>) -> io::Result<Self> {
            ours.set_nonblocking(true)?;
            Ok(Self { ours, _theirs: theirs, ended: None })
        }

        /// Found dead no earlier than this, and with the error that says so.
        fn timed_out_after(&self, least: Duration) -> bool {
            let late =
                |(when, how): &(Duration, String)| *when + A_TICK >= least && how == "ETIMEDOUT";
            self.ended.as_ref().is_some_and(late)
        }

        fn told(&self) -> [String; 2] {
            match &self.ended {
                Some((when, how)) => {
                    let when = seconds(*when);
                    [format!("{how} after {when}"), format!("{when} 后 {how}")]
                }
                None => {
                    let watched = WATCHED.as_secs();
                    [format!("nothing in {watched} s"), format!("{watched} 秒内毫无动静")]
                }
            }
        }

        fn info(&self) -> Result<libc::tcp_info, Unable> {
            Ok(getsockopt(&self.ours, options::TcpInfo)?)
        }
    }

    fn keep_alive(socket: &TcpStream) -> io::Result<()> {
        let times = TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL).with_retries(COUNT);
        SockRef::from(socket).set_tcp_keepalive(&times)
    }

    /// A connection whose other end hears nothing from now on, and so says nothing: for us it is
    /// as if its machine had no power.
    fn vanished() -> Result<Watched, Unable> {
        /// The program of such a filter: keep 0 bytes of each packet.
        const RETURN: u16 = 0x06;
        let (ours, theirs) = pair()?;
        let filter = [SockFilter::new(RETURN, 0, 0, 0)];
        SockRef::from(&theirs).attach_filter(&filter).map_err(|error| {
            let why = common::reason(&error);
            Unable::here(
                format!("a socket takes no filter here: {why}"),
                format!("这里的套接字不能加过滤器：{why}"),
            )
        })?;
        Ok(Watched::new(ours, Some(theirs))?)
    }

    pub(super) fn run() -> Found {
        let mut server = running("poll", None)?;
        let stopped = Watched::new(judge::dial::connect(server.addr)?, None)?;
        keep_alive(&stopped.ours)?;

        let idle = vanished()?;
        let mut unacknowledged = vanished()?;
        let asked = vanished()?;
        keep_alive(&asked.ours)?;
        let mut asked_and_sent = vanished()?;
        keep_alive(&asked_and_sent.ours)?;
        let mut limited = vanished()?;
        SockRef::from(&limited.ours).set_tcp_user_timeout(Some(USER_TIMEOUT))?;

        server.process.stop()?;
        let since = Instant::now();
        for sender in [&mut unacknowledged, &mut asked_and_sent, &mut limited] {
            sender.ours.write_all(b"?")?;
        }
        let mut all = [stopped, idle, unacknowledged, asked, asked_and_sent, limited];
        watch(&mut all, since)?;
        let acknowledged = Duration::from_millis(all[0].info()?.tcpi_last_ack_recv.into());
        let answered = acknowledged < since.elapsed();
        let repeated = all[2].info()?.tcpi_retransmits;
        server.process.go_on();

        let [stopped, idle, unacknowledged, asked, asked_and_sent, limited] = &all;
        let ago = seconds(acknowledged);
        let [of_idle, of_unacknowledged, of_asked, of_both, of_limited] =
            [idle, unacknowledged, asked, asked_and_sent, limited].map(Watched::told);
        let settings = format!("{} s + {COUNT} × {} s", IDLE.as_secs(), INTERVAL.as_secs());
        let limit = format!("{} s", USER_TIMEOUT.as_secs());
        Ok(vec![
            Finding::new(
                stopped.ended.is_none() && answered,
                format!(
                    "a server stopped by SIGSTOP: {}. Its kernel answers the questions, the last \
                     one {ago} ago",
                    stopped.told()[0]
                ),
                format!(
                    "服务端被 SIGSTOP 暂停：{}。询问由它的内核回应，最后一次在 {ago} 前",
                    stopped.told()[1]
                ),
            ),
            Finding::new(
                idle.ended.is_none() && unacknowledged.ended.is_none() && repeated > 0,
                format!(
                    "idle: {}. One byte sent: {}, but it was sent again {repeated} times. (tcp(7): \
                     TCP gives up after some 15 minutes, tcp_retries2)",
                    of_idle[0], of_unacknowledged[0]
                ),
                format!(
                    "空闲：{}。发过一个字节：{}，不过重传了 {repeated} 次（tcp(7)：TCP 大约 15 分钟后放弃，\
                     tcp_retries2）",
                    of_idle[1], of_unacknowledged[1]
                ),
            ),
            Finding::new(
                asked.timed_out_after(GIVEN_UP) && asked_and_sent.ended.is_none(),
                format!(
                    "keep-alive {settings}. Idle: {}. One byte sent and not acknowledged: {}; \
                     keep-alive asks nothing then",
                    of_asked[0], of_both[0]
                ),
                format!(
                    "保活 {settings}。空闲：{}。发过一个字节、没得到确认：{}，这时保活不再询问",
                    of_asked[1], of_both[1]
                ),
            ),
            Finding::new(
                limited.timed_out_after(USER_TIMEOUT),
                format!("TCP_USER_TIMEOUT {limit}, one byte sent: {}", of_limited[0]),
                format!("TCP_USER_TIMEOUT {limit}，发过一个字节：{}", of_limited[1]),
            ),
        ])
    }

    /// Waits for the end of each, and notes when it came. Some have none.
    fn watch(all: &mut [Watched], since: Instant) -> Result<(), Unable> {
        while since.elapsed() < WATCHED {
            let left = WATCHED.saturating_sub(since.elapsed());
            let (mut list, mut waiting) = (Vec::new(), Vec::new());
            for (n, watched) in all.iter().enumerate().filter(|(_, one)| one.ended.is_none()) {
                list.push(PollFd::new(watched.ours.as_fd(), PollFlags::POLLIN));
                waiting.push(n);
            }
            poll(&mut list, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX))?;
            let ready = |entry: &PollFd| entry.any().unwrap_or(true);
            let ready: Vec<_> =
                list.iter().zip(waiting).filter(|(entry, _)| ready(entry)).collect();
            let ready: Vec<_> = ready.into_iter().map(|(_, n)| n).collect();
            for n in ready {
                let end = outcome(&all[n].ours.read(&mut [0]));
                all[n].ended = Some((since.elapsed(), end));
            }
        }
        Ok(())
    }
}

/// The filter, and what the kernel tells of a connection, are Linux's.
#[cfg(not(target_os = "linux"))]
mod linux {
    use crate::{Found, Unable};

    pub(super) fn run() -> Found {
        Err(Unable::here(
            "only on Linux can a peer be made to vanish in this way",
            "只有在 Linux 上才能这样让对端消失",
        ))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_stopped_peer_is_there_and_a_vanished_one_is_found_by_who_asks() {
        crate::experiments::confirm_where_seen(&super::VANISHED);
    }
}
