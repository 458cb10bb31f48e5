//! What is left of a connection when it is closed: TIME_WAIT, CLOSE_WAIT, and what SO_LINGER does
//! to what is still to be sent.

use super::{Claim, Experiment, Verdict};

pub(super) const CLOSING_STATES: Experiment = Experiment {
    name: "closing_states",
    does: [
        "close the client's end first, then the server's; close one and not the other; the state \
         of both ends in the kernel's table",
        "先关客户端，先关服务端，只关一方：看内核的连接表里两端各是什么状态",
    ],
    claims: &[
        Claim::asked(["TIME_WAIT is the server's", "TIME_WAIT 是服务端的"], Verdict::Wrong),
        Claim::asked(
            ["CLOSE_WAIT goes away after a while", "CLOSE_WAIT 过一阵就没了"],
            Verdict::Wrong,
        ),
    ],
    run: linux::closing_states,
};

pub(super) const LINGER: Experiment = Experiment {
    name: "linger",
    does: [
        "close a connection with megabytes still to be sent: without SO_LINGER, with a time, \
         with 0",
        "还有几兆字节没发完就关闭连接：不设 SO_LINGER、时限大于 0、时限为 0",
    ],
    claims: &[
        Claim::asked(
            ["close returns when the peer has it all", "对端收完，close 才返回"],
            Verdict::Wrong,
        ),
        Claim::asked(
            ["close never blocks on a non-blocking socket", "非阻塞套接字上，close 不会阻塞"],
            Verdict::Wrong,
        ),
        Claim::asked(
            ["SO_LINGER with 0 cures TIME_WAIT", "SO_LINGER 时限设为 0 可以解决 TIME_WAIT"],
            Verdict::Incomplete,
        ),
    ],
    run: linux::linger,
};

#[cfg(target_os = "linux")]
mod linux {
    use crate::experiments::looks::micros;
    use crate::experiments::sockets::{PATIENCE, arrival, fill, outcome, pair};
    use crate::experiments::threads::{falls_asleep_in, number};
    use crate::experiments::visitor::millis;
    use crate::measure::tcp_table::{End, Ports};
    use crate::{Finding, Found, Unable};
    use judge::process::soon;
    use nix::sys::socket::setsockopt;
    use socket2::SockRef;
    use std::io::Read;
    use std::net::TcpStream;
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    mod options {
        use nix::{setsockopt_impl, sockopt_impl};
        // For how long the side that has closed waits for the other side's end (tcp(7)).
        sockopt_impl!(FinWait2Seconds, SetOnly, libc::IPPROTO_TCP, libc::TCP_LINGER2, i32);
    }

    pub(super) fn closing_states() -> Found {
        let (client, server) = pair()?;
        let client_first = closed_in_order(Ports::of(&client)?, client, server)?;
        let (client, server) = pair()?;
        let server_first = closed_in_order(Ports::of(&client)?, server, client)?;
        let [of_client, of_server] = [&client_first, &server_first].map(|ends| ends.join(", "));
        Ok(vec![
            Finding::new(
                client_first == ["TIME_WAIT", "–"] && server_first == ["–", "TIME_WAIT"],
                format!(
                    "the client's end, the server's end. The client closes first: {of_client}. The \
                     server closes first: {of_server}. It is at the end that closes first"
                ),
                format!(
                    "客户端一头，服务端一头。客户端先关闭：{of_client}；服务端先关闭：{of_server}。谁先关闭，\
                     就在谁那里"
                ),
            ),
            never_closed()?,
        ])
    }

    /// The states of both ends once both are closed.
    fn closed_in_order(
        ports: Ports,
        first: TcpStream,
        mut second: TcpStream,
    ) -> Result<[&'static str; 2], Unable> {
        drop(first);
        arrival(&second)?;
        if second.read(&mut [0])? != 0 {
            return Err("data that was never sent".to_owned().into());
        }
        drop(second);
        // The last acknowledgement may be on its way.
        states(ports, |states| states.contains(&"TIME_WAIT") && states.contains(&"–"))
    }

    /// The states of both ends, the client's first, when they are as expected or time is up.
    fn states(
        ports: Ports,
        expected: impl Fn(&[&'static str; 2]) -> bool,
    ) -> Result<[&'static str; 2], Unable> {
        let look = || {
            let name = |end: Option<End>| end.map_or("–", |end| end.state);
            ports.ends().map(|ends| ends.map(name))
        };
        soon(PATIENCE, || look().filter(&expected)).or_else(look).ok_or_else(|| {
            Unable::here("the states of connections are not seen here", "在这里看不到连接的状态")
        })
    }

    fn never_closed() -> Result<Finding, Unable> {
        let (client, mut server) = pair()?;
        let ports = Ports::of(&client)?;
        // The kernel's own patience is a minute.
        setsockopt(&client, options::FinWait2Seconds, &1)?;
        drop(client);
        arrival(&server)?;
        let end = outcome(&server.read(&mut [0]));
        let closed = states(ports, |states| states == &["FIN_WAIT2", "CLOSE_WAIT"])?.join(", ");
        let forgotten = states(ports, |states| states == &["–", "CLOSE_WAIT"])?.join(", ");
        drop(server);
        let both = states(ports, |states| states == &["–", "–"])?.join(", ");
        Ok(Finding::new(
            end == "0"
                && closed == "FIN_WAIT2, CLOSE_WAIT"
                && forgotten == "–, CLOSE_WAIT"
                && both == "–, –",
            format!(
                "the client closes, and the server's recv gives {end}, but it does not close: \
                 {closed}. The client's kernel has waited long enough (here a second): \
                 {forgotten}. The server closes: {both}"
            ),
            format!(
                "客户端关闭，服务端 recv 得到 {end}，却不关闭：{closed}。客户端的内核等够了（这里是一秒）：\
                 {forgotten}。服务端关闭：{both}"
            ),
        ))
    }

    pub(super) fn linger() -> Found {
        let plain = closed(None)?;
        let (blocked, blocked_read) = blocked_close()?;
        let limited = closed(Some(LIMIT))?;
        let reset = closed(Some(Duration::ZERO))?;
        let lost = reset.sent - reset.read;
        let ends = reset.ends.join(", ");
        let plain_time = micros(plain.time.as_secs_f64() * 1e6);
        let limited_time = millis(limited.time);
        Ok(vec![
            Finding::new(
                plain.time < LIMIT
                    && plain.left > 0
                    && plain.read == plain.sent
                    && plain.end == "0",
                format!(
                    "{} bytes taken by send, then close: it returned after {plain_time}, with {} \
                     of them still queued. The kernel sends them later: the peer read {}, then {}",
                    plain.sent, plain.left, plain.read, plain.end
                ),
                format!(
                    "send 收下 {} 字节，然后 close：{plain_time} 后返回，还有 {} 字节在排队。内核随后接着发：\
                     对端读到 {} 字节，然后是 {}",
                    plain.sent, plain.left, plain.read, plain.end
                ),
            ),
            Finding::new(
                blocked && blocked_read && limited.time >= LIMIT && limited.read == limited.sent,
                format!(
                    "SO_LINGER with a time: the thread sleeps in close, on a non-blocking socket, \
                     until the peer has read: {}. Limit {LIMIT:?} and a peer that does not read: \
                     it returns after {limited_time}; here, too, the kernel sends the rest later",
                    yes(blocked && blocked_read)[0]
                ),
                format!(
                    "SO_LINGER 时限大于 0：套接字是非阻塞的，线程照样阻塞在 close 上，直到对端读完：{}。时限 \
                     {LIMIT:?}，对端不读：{limited_time} 后返回；剩下的，内核随后照样发出",
                    yes(blocked && blocked_read)[1]
                ),
            ),
            Finding::new(
                reset.time < LIMIT
                    && reset.end == "ECONNRESET"
                    && lost > 0
                    && reset.ends == ["–", "–"],
                format!(
                    "no TIME_WAIT (the ends: {ends}); but the peer gets a reset: of {} bytes it \
                     read {}, then {}. {lost} are lost",
                    reset.sent, reset.read, reset.end
                ),
                format!(
                    "没有 TIME_WAIT（两端：{ends}）；可是对端遭到重置：{} 字节读到 {}，然后是 {}，丢了 \
                     {lost} 字节",
                    reset.sent, reset.read, reset.end
                ),
            ),
        ])
    }

    /// As short as it can be: SO_LINGER counts seconds.
    const LIMIT: Duration = Duration::from_secs(1);

    struct Closed {
        /// What send took, what of it was still queued when close had returned, what the peer then
        /// read, and what ended that.
        sent: u64,
        left: u64,
        read: u64,
        end: String,
        /// How long close took.
        time: Duration,
        /// What is left of both ends, the client's first, once the peer has closed, too.
        ends: [&'static str; 2],
    }

    /// A full send queue, and close. The peer reads when close has returned.
    fn closed(linger: Option<Duration>) -> Result<Closed, Unable> {
        let (mut client, server) = pair()?;
        let ports = Ports::of(&client)?;
        let sent = fill(&server)?;
        SockRef::from(&server).set_linger(linger)?;
        let began = Instant::now();
        drop(server);
        let time = began.elapsed();
        // The FIN counts as one.
        let queued = |end: End| end.unacknowledged.saturating_sub(1);
        let left = ports.ends().and_then(|[_, server]| server).map_or(0, queued);
        let (read, end) = read_to_the_end(&mut client);
        drop(client);
        let gone = |states: &[&'static str; 2]| states.iter().all(|state| *state != "LAST_ACK");
        let ends = states(ports, gone)?;
        Ok(Closed { sent, left, read, end, time, ends })
    }

    fn read_to_the_end(client: &mut TcpStream) -> (u64, String) {
        let (mut read, mut buffer) = (0, vec![0; 65536]);
        loop {
            match client.read(&mut buffer) {
                Ok(count @ 1..) => read += count as u64,
                end => return (read, outcome(&end)),
            }
        }
    }

    /// Whether a close with time to linger sleeps, and returns when the peer has read it all.
    fn blocked_close() -> Result<(bool, bool), Unable> {
        let (mut client, server) = pair()?;
        let sent = fill(&server)?;
        SockRef::from(&server).set_linger(Some(10 * PATIENCE))?;
        let (tell, told) = mpsc::channel();
        let closing = thread::spawn(move || {
            let _ = tell.send(number());
            drop(server);
        });
        let thread = told.recv().map_err(|_| "the closing thread has died".to_owned())?;
        falls_asleep_in(thread, "close")?;
        let blocked = !closing.is_finished();
        let (read, _) = read_to_the_end(&mut client);
        let returned = soon(PATIENCE, || closing.is_finished().then_some(())).is_some();
        Ok((blocked, returned && read == sent))
    }

    fn yes(is_so: bool) -> [&'static str; 2] {
        if is_so { ["yes", "是"] } else { ["no", "否"] }
    }
}

/// Other systems have no such table, and other rules for SO_LINGER.
#[cfg(not(target_os = "linux"))]
mod linux {
    use crate::{Found, Unable};

    pub(super) fn closing_states() -> Found {
        Err(Unable::here("this is seen in Linux's table", "这要从 Linux 的连接表里看"))
    }

    pub(super) fn linger() -> Found {
        Err(Unable::here("these are Linux's rules", "这里说的是 Linux 的规则"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn who_closes_first_waits_and_who_never_closes_keeps_the_connection() {
        crate::experiments::confirm(&CLOSING_STATES);
    }

    #[test]
    fn close_waits_only_when_it_is_told_to_and_zero_loses_data() {
        crate::experiments::confirm(&LINGER);
    }
}
