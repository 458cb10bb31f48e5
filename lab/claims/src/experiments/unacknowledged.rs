//! How long the sender's kernel keeps what was sent.

use super::sockets::{PATIENCE, fill, pair};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::tcp_table::Ports;
use common::would_block;
use judge::process::soon;
use std::io::{self, Read, Write};
use std::net::TcpStream;

pub(super) const UNACKNOWLEDGED: Experiment = Experiment {
    name: "unacknowledged",
    does: [
        "send to a program that does not read, and look into both ends' buffers",
        "向一个不接收的程序发送，再查看两端的缓冲区",
    ],
    claims: &[Claim {
        note: "S2",
        quote: "需要收到应答后才会清除",
        says: [
            "the sender keeps it until it is acknowledged (by the peer's kernel, not its program)",
            "发送端收到应答才清除（应答的是对端的内核，不是对端的程序）",
        ],
        verdict: Verdict::Right,
    }],
    run,
};

/// Bytes sent and not acknowledged at one end, received and not read at the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Buffers {
    unacknowledged: u64,
    unread: u64,
}

fn run() -> Found {
    let (mut client, server) = pair()?;
    let not_seen = || {
        Unable::here(
            "what the socket buffers hold is not seen here",
            "在这里看不到套接字缓冲区里有多少",
        )
    };
    client.write_all(&[0; 1000])?;
    buffers(&client).ok_or_else(not_seen)?;
    // An acknowledgement may be late by some 40 ms (tcp(7), TCP_QUICKACK).
    let rest = |done: fn(Buffers) -> bool| {
        soon(PATIENCE, || buffers(&client).filter(|&buffers| done(buffers)))
            .or_else(|| buffers(&client))
            .ok_or_else(not_seen)
    };
    let unread = rest(|buffers| buffers.unacknowledged == 0)?;

    client.set_nonblocking(true)?;
    let written = 1000 + fill(&client)?;
    let full = rest(|buffers| buffers.unacknowledged > 0)?;
    let read = empty(&server, written)?;
    let read_all = rest(|buffers| buffers.unacknowledged == 0)?;

    let agrees = unread == Buffers { unacknowledged: 0, unread: 1000 }
        && full.unacknowledged > 0
        && read == written
        && read_all == Buffers { unacknowledged: 0, unread: 0 };
    let (kept, there) = (full.unacknowledged, full.unread);
    Ok(vec![Finding::new(
        agrees,
        format!(
            "1000 bytes, none read by the program: {} kept, {} with the peer's kernel; {written}, \
             until nobody took more: {kept} kept (there is no room to send them to), {there} there; \
             all read: {} kept",
            unread.unacknowledged, unread.unread, read_all.unacknowledged
        ),
        format!(
            "发 1000 字节，对端程序一个也没读：发送端留着 {}，对端内核里有 {}；一直发到发不进去为止，共 \
             {written}：留着 {kept}（对端已没有空间），对端 {there}；对端全部读完：留着 {}",
            unread.unacknowledged, unread.unread, read_all.unacknowledged
        ),
    )])
}

/// Reads until `count` bytes were read, or no more come.
fn empty(mut server: &TcpStream, count: u64) -> io::Result<u64> {
    let mut data = vec![0; 64 << 10];
    let mut read = 0;
    server.set_nonblocking(false)?;
    server.set_read_timeout(Some(PATIENCE))?;
    while read < count {
        match server.read(&mut data) {
            Ok(0) => break,
            Ok(count) => read += count as u64,
            Err(error) if would_block(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// `None`: not seen here.
fn buffers(client: &TcpStream) -> Option<Buffers> {
    let [client, server] = Ports::of(client).ok()?.ends()?;
    Some(Buffers { unacknowledged: client?.unacknowledged, unread: server?.unread })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peers_kernel_acknowledges() {
        crate::experiments::confirm(&super::UNACKNOWLEDGED);
    }
}
