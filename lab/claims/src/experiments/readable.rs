//! What makes a socket readable.

use super::sockets::{arrival, client_of, listener, pair, reset, selected};
use super::{Claim, Experiment, Finding, Found, Verdict};
use std::io::{self, Read, Write};
use std::net::Shutdown;

pub(super) const READABLE: Experiment = Experiment {
    name: "readable",
    does: [
        "what makes a socket readable, and what a client that sends no more can still receive",
        "什么使套接字可读；不再发送的客户端还收不收",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "只要有链接对象过来那么这里就开始执行",
            says: ["readable: somebody has connected", "可读，就是有人连接"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S4",
            quote: "没有可用数据的套接字说明客户端关闭了",
            says: ["readable, and no data: the client has closed", "可读而没有数据：客户端关闭了"],
            verdict: Verdict::Incomplete,
        },
    ],
    run,
};

fn run() -> Found {
    Ok(vec![readable()?, half_closed()?])
}

fn readable() -> Result<Finding, super::Unable> {
    let listener = listener()?;
    let quiet = selected(&listener)?.readable;
    let _newcomer = client_of(&listener)?;
    arrival(&listener)?;
    let (mut talker, data) = pair()?;
    talker.write_all(b"!")?;
    let (leaver, end) = pair()?;
    leaver.shutdown(Shutdown::Write)?;
    let (gone, error) = pair()?;
    reset(gone)?;
    let mut readable = vec![selected(&listener)?.readable];
    for socket in [&data, &end, &error] {
        arrival(socket)?;
        readable.push(selected(socket)?.readable);
    }
    let count = readable.iter().filter(|&&readable| readable).count();
    Ok(Finding::new(
        !quiet && count == 4,
        format!("readable: {count} of 4 (a new client, data, the end of input, a reset)"),
        format!("四种情形（新客户端、数据、输入结束、重置）中，可读的有 {count} 种"),
    ))
}

fn half_closed() -> io::Result<Finding> {
    let (mut client, mut server) = pair()?;
    client.shutdown(Shutdown::Write)?;
    arrival(&server)?;
    let received = server.read(&mut [0; 10])?;
    server.write_all(b"reply")?;
    let mut reply = [0; 5];
    client.read_exact(&mut reply)?;
    Ok(Finding::new(
        received == 0 && &reply == b"reply",
        format!(
            "the client has ended its sending only: recv gave {received}; then 5 bytes were sent, and it received them"
        ),
        format!("客户端只结束了发送，recv：{received}；随后发给它 5 字节，它收到了"),
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn readable_is_more_than_data() {
        crate::experiments::confirm(&super::READABLE);
    }
}
