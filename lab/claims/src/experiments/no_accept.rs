//! A client that nobody accepts: what the kernel does for it, and who copies what it sent.

use super::sockets::{PATIENCE, client_of, listener};
use super::{Claim, Experiment, Finding, Found, Verdict};
use common::would_block;
use judge::process::soon;
use std::io::{self, Read, Write};

pub(super) const NO_ACCEPT: Experiment = Experiment {
    name: "no_accept",
    does: [
        "while A is served, B connects and sends 1000 bytes; B is accepted later, and read later still",
        "服务 A 的同时，B 连接并发送 1000 字节；过后才 accept B，再过后才接收",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "A的会话完毕才可以进行B的连接",
            says: ["B can connect only when A is done", "A 结束之前 B 连不上"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S0",
            quote: "如果加上setblocking(0) B用户可以连接",
            says: ["it is setblocking(0) that lets B connect", "有了 setblocking(0)，B 才能连接"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S2",
            quote: "比如(accept)将内核空间的数据copy到用户空间",
            says: ["accept copies the data to user space", ""],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S2",
            quote: "作为接受数据端内核空间的数据清除",
            says: ["what is received leaves the kernel", "接收之后，内核里的数据就清除了"],
            verdict: Verdict::Right,
        },
    ],
    run,
};

/// How many bytes B sends.
const BYTES: usize = 1000;

/// What was there for B, in bytes, at each step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Steps {
    /// Taken by the kernel before anybody accepted.
    sent: usize,
    /// Still in the kernel after accept: seen by MSG_PEEK, which copies and leaves it there.
    after_accept: usize,
    received: usize,
    after_recv: usize,
}

fn run() -> Found {
    const ALL: Steps = Steps { sent: BYTES, after_accept: BYTES, received: BYTES, after_recv: 0 };
    let blocking = steps(false)?;
    let nonblocking = steps(true)?;
    let Steps { sent, after_accept, received, after_recv } = blocking;
    Ok(vec![
        Finding::new(
            sent == BYTES,
            format!("while A was served, and before any accept, B connected and sent {sent} bytes"),
            format!("A 还在接受服务，也没有人 accept B，B 就已经连上，还发送了 {sent} 字节"),
        ),
        Finding::new(
            blocking == nonblocking && blocking == ALL,
            format!(
                "with a listener that blocks {sent} bytes, with one that does not {}: the same",
                nonblocking.sent
            ),
            format!(
                "监听套接字阻塞时发送 {sent} 字节，非阻塞时 {} 字节：没有差别",
                nonblocking.sent
            ),
        ),
        Finding::new(
            after_accept == BYTES,
            format!("in the kernel after accept: {after_accept} bytes; recv then took {received}"),
            format!("accept 之后内核里还有 {after_accept} 字节；随后 recv 取走了 {received}"),
        ),
        Finding::new(
            received == BYTES && after_recv == 0,
            format!("in the kernel after recv: {after_recv} bytes"),
            format!("recv 之后内核里还有 {after_recv} 字节"),
        ),
    ])
}

fn steps(nonblocking: bool) -> io::Result<Steps> {
    let listener = listener()?;
    let _a = client_of(&listener)?;
    // A is being served from here to the end.
    let _served = listener.accept()?;
    listener.set_nonblocking(nonblocking)?;
    let mut b = client_of(&listener)?;
    let sent = b.write(&[b'b'; BYTES])?;
    let (mut connection, _) = listener.accept()?;
    connection.set_nonblocking(true)?;
    let mut buffer = [0; 2 * BYTES];
    soon(PATIENCE, || (connection.peek(&mut buffer).ok()? >= BYTES).then_some(()));
    let after_accept = connection.peek(&mut buffer)?;
    let received = connection.read(&mut buffer)?;
    let after_recv = match connection.peek(&mut buffer) {
        Err(error) if would_block(&error) => 0,
        rest => rest?,
    };
    Ok(Steps { sent, after_accept, received, after_recv })
}

#[cfg(test)]
mod tests {
    #[test]
    fn nobody_has_to_accept() {
        crate::experiments::confirm(&super::NO_ACCEPT);
    }
}
