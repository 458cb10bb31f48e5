//! What Linux knows of a TCP connection over loopback, also when its sockets are closed: the state
//! and the queues of both ends, which ss(8) shows, too.
//!
//! The kernel is asked for one end at a time (sock_diag(7)). Where it cannot answer that, its whole
//! table is read, /proc/net/tcp: with ten thousand other connections that takes long.

use std::fs;
use std::net::TcpStream;

/// One end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// Its name, as netstat(8) has it.
    pub state: &'static str,
    /// Bytes sent and not acknowledged.
    pub unacknowledged: u64,
    /// Bytes received and not read.
    pub unread: u64,
}

/// The ports of a connection, which outlive its sockets.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    client: u16,
    server: u16,
    /// It answers for one end.
    asked: bool,
}

impl Ports {
    /// Of a connection that is open.
    pub fn of(client: &TcpStream) -> std::io::Result<Self> {
        let (client, server) = (client.local_addr()?.port(), client.peer_addr()?.port());
        let asked = matches!(diag::end(client, server), Some(Some(_)));
        Ok(Self { client, server, asked })
    }

    /// Both ends, the client's first; none of one that the kernel has forgotten. `None`: that is
    /// not seen here.
    pub fn ends(self) -> Option<[Option<End>; 2]> {
        let Self { client, server, asked } = self;
        if asked {
            return Some([diag::end(client, server)?, diag::end(server, client)?]);
        }
        // Elsewhere it is another table, or none.
        let table = cfg!(target_os = "linux").then(|| fs::read_to_string("/proc/net/tcp"))?.ok()?;
        Some([line(&table, client, server), line(&table, server, client)])
    }
}

/// How many connections wait to be accepted at this port, as far as the system tells. A listener
/// has nobody at the other end, and counts connections where others count bytes.
#[must_use]
pub fn accept_queue(port: u16) -> Option<u64> {
    let listener = diag::end(port, 0).unwrap_or_else(|| {
        let table = cfg!(target_os = "linux").then(|| fs::read_to_string("/proc/net/tcp"))?;
        line(&table.ok()?, port, 0)
    });
    listener.filter(|end| end.state == "LISTEN").map(|end| end.unread)
}

/// The states, by number.
fn state(number: usize) -> Option<&'static str> {
    const STATES: [&str; 11] = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
    ];
    STATES.get(number.checked_sub(1)?).copied()
}

#[cfg(target_os = "linux")]
mod diag {
    use super::{End, state};
    use socket2::{Domain, Protocol, Socket, Type};
    use std::io::Read;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    /// The kernel answers at once, or not at all.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// Of both the question and the answer.
    const BY_FAMILY: u16 = 20;
    const ERROR: u16 = 2;
    const HEADER: usize = 16;

    /// `None`: the kernel does not answer. `Some(None)`: it knows no such end.
    pub(super) fn end(local: u16, remote: u16) -> Option<Option<End>> {
        let (domain, protocol) = (Domain::from(libc::AF_NETLINK), libc::NETLINK_SOCK_DIAG);
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(protocol))).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        socket.send(&question(local, remote)).ok()?;
        let mut buffer = [0; 1024];
        let count = (&socket).read(&mut buffer).ok()?;
        answer(&buffer[..count], local, remote)
    }

    /// A nlmsghdr, and an inet_diag_req_v2: both in the machine's byte order, but for ports and
    /// addresses.
    fn question(local: u16, remote: u16) -> Vec<u8> {
        const REQUEST: u16 = 1;
        let mut id = [local.to_be_bytes(), remote.to_be_bytes()].concat();
        for _ in ["its own address", "its peer's"] {
            id.extend(Ipv4Addr::LOCALHOST.octets());
            id.extend([0; 12]);
        }
        id.extend([0; 4]);
        // The cookie that stands for any socket.
        id.extend([0xff; 8]);
        let protocol = libc::IPPROTO_TCP as u8;
        let every_state = u32::MAX.to_ne_bytes();
        let body = [&[libc::AF_INET as u8, protocol, 0, 0], &every_state[..], &id].concat();
        let length = (HEADER + body.len()) as u32;
        let kind = [BY_FAMILY.to_ne_bytes(), REQUEST.to_ne_bytes()].concat();
        [&length.to_ne_bytes()[..], &kind, &[0; 8], &body].concat()
    }

    /// A nlmsghdr, and an inet_diag_msg or an errno.
    fn answer(bytes: &[u8], local: u16, remote: u16) -> Option<Option<End>> {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let body = bytes.get(HEADER..)?;
        if kind == ERROR {
            return (word(HEADER)? as i32 == -libc::ENOENT).then_some(None);
        }
        let ports = [local.to_be_bytes(), remote.to_be_bytes()].concat();
        if kind != BY_FAMILY || body.get(4..8)? != ports {
            return (kind == BY_FAMILY).then_some(None);
        }
        Some(Some(End {
            state: state(usize::from(body[1]))?,
            unread: word(HEADER + 56)?.into(),
            unacknowledged: word(HEADER + 60)?.into(),
        }))
    }
}

#[cfg(not(target_os = "linux"))]
mod diag {
    pub(super) fn end(_: u16, _: u16) -> Option<Option<super::End>> {
        None
    }
}

/// All numbers are hexadecimal.
fn line(table: &str, local: u16, remote: u16) -> Option<End> {
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let port =
            |field: usize| u16::from_str_radix(fields.get(field)?.rsplit(':').next()?, 16).ok();
        if port(1)? != local || port(2)? != remote {
            return None;
        }
        let state = state(usize::from_str_radix(fields.get(3)?, 16).ok()?)?;
        let (send, receive) = fields.get(4)?.split_once(':')?;
        let bytes = |field: &str| u64::from_str_radix(field, 16).ok();
        Some(End { state, unacknowledged: bytes(send)?, unread: bytes(receive)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_that_of_the_right_end() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt
   0: 0100007F:1F41 00000000:0000 0A 00000000:00000007 00:00000000 00000000  0 0 1
   1: 0100007F:1F41 0100007F:C350 08 00000000:000003E8 00:00000000 00000000  0 0 2
   2: 0100007F:C350 0100007F:1F41 05 0000000A:00000000 00:00000000 00000000  0 0 3\n";
        let end = |local, remote| line(table, local, remote);
        let server = End { state: "CLOSE_WAIT", unacknowledged: 0, unread: 1000 };
        let client = End { state: "FIN_WAIT2", unacknowledged: 10, unread: 0 };
        assert_eq!(end(8001, 50_000), Some(server));
        assert_eq!(end(50_000, 8001), Some(client));
        assert_eq!(end(50_001, 8001), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_waits_to_be_accepted_is_counted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let addr = listener.local_addr().expect("bound");
        let counts = |wanted| (accept_queue(addr.port()) == Some(wanted)).then_some(());
        assert_eq!(counts(0), Some(()));
        let _first = TcpStream::connect(addr).expect("it listens");
        let _second = TcpStream::connect(addr).expect("it listens");
        assert_eq!(judge::process::soon(std::time::Duration::from_secs(5), || counts(2)), Some(()));
        drop(listener.accept());
        assert_eq!(counts(1), Some(()));
        drop(listener);
        assert_eq!(accept_queue(addr.port()), None);
    }

    /// What the kernel answers and what its table says agree, also on what is not there.
    #[cfg(target_os = "linux")]
    #[test]
    fn both_ways_agree() {
        use crate::experiments::sockets::{arrival, pair, reset};
        use judge::process::soon;
        use std::io::Write;
        use std::time::Duration;
        const PATIENCE: Duration = Duration::from_secs(5);
        let (mut client, server) = pair().expect("loopback");
        client.write_all(b"12345").expect("connected");
        arrival(&server).expect("it arrives");
        let ports = Ports::of(&client).expect("connected");
        if !ports.asked {
            println!("not tried: the kernel does not answer for one end");
        }
        let table = Ports { asked: false, ..ports };
        let open = |end: Option<End>| end.map(|end| (end.state, end.unread));
        let expected = [Some(("ESTABLISHED", 0)), Some(("ESTABLISHED", 5))];
        assert_eq!(ports.ends().map(|ends| ends.map(open)), Some(expected));
        // Its acknowledgement may still be on its way.
        let agree = || (ports.ends() == table.ends()).then_some(());
        assert_eq!(soon(PATIENCE, agree), Some(()));
        reset(client).expect("open");
        let gone = |ports: Ports| (ports.ends() == Some([None; 2])).then_some(());
        assert_eq!(soon(PATIENCE, || gone(ports).and_then(|()| gone(table))), Some(()));
    }
}
