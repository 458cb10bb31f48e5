//! Linux's table of TCP connections (proc_net_tcp, in the kernel's documentation): what ss(8)
//! shows, too.

use std::fs;
use std::net::TcpStream;

/// One end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct End {
    /// Its name, as netstat(8) has it.
    pub state: &'static str,
    /// Bytes sent and not acknowledged.
    pub unacknowledged: u64,
    /// Bytes received and not read.
    pub unread: u64,
}

/// The ports of a connection, which outlive its sockets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub client: u16,
    pub server: u16,
}

impl Ports {
    pub(super) fn of(client: &TcpStream) -> std::io::Result<Self> {
        Ok(Self { client: client.local_addr()?.port(), server: client.peer_addr()?.port() })
    }

    /// Both ends, the client's first; none of one that the kernel has forgotten. `None`: there is
    /// no such table here.
    pub(super) fn ends(self) -> Option<[Option<End>; 2]> {
        // Elsewhere it is another table, or none.
        let table = cfg!(target_os = "linux").then(|| fs::read_to_string("/proc/net/tcp"))?.ok()?;
        let Self { client, server } = self;
        Some([end(&table, client, server), end(&table, server, client)])
    }
}

/// The states, by number.
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

/// All numbers are hexadecimal.
fn end(table: &str, local: u16, remote: u16) -> Option<End> {
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let port =
            |field: usize| u16::from_str_radix(fields.get(field)?.rsplit(':').next()?, 16).ok();
        if port(1)? != local || port(2)? != remote {
            return None;
        }
        let number = usize::from_str_radix(fields.get(3)?, 16).ok()?;
        let state = STATES.get(number.checked_sub(1)?)?;
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
        let end = |local, remote| end(table, local, remote);
        let server = End { state: "CLOSE_WAIT", unacknowledged: 0, unread: 1000 };
        let client = End { state: "FIN_WAIT2", unacknowledged: 10, unread: 0 };
        assert_eq!(end(8001, 50_000), Some(server));
        assert_eq!(end(50_000, 8001), Some(client));
        assert_eq!(end(50_001, 8001), None);
    }
}
