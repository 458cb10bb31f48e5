//! What makes a socket readable, and what takes its being writable away.

use super::sockets::{arrival, client_of, fill, listener, pair, polled, reset, selected};
use super::{Claim, Experiment, Finding, Found, Verdict};
use nix::poll::PollFlags;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

pub(super) const READINESS: Experiment = Experiment {
    name: "readiness",
    does: [
        "what makes a socket readable; what a client still takes that sends no more; when a socket is writable",
        "什么使套接字可读；不再发送的客户端还收不收；套接字何时可写",
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
        Claim {
            note: "S4",
            quote: "因为它已经恢复不可写状态了",
            says: [
                "when all is sent, the socket has become unwritable again",
                "发完之后，套接字又变得不可写了",
            ],
            verdict: Verdict::Wrong,
        },
    ],
    run,
};

fn run() -> Found {
    Ok(vec![readable()?, half_closed()?, writable()?])
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
        format!("recv: {received}, then 5 bytes were sent, and the client received them"),
        format!("recv：{received}；随后发给它 5 字节，客户端收到了"),
    ))
}

fn writable() -> io::Result<Finding> {
    let (mut client, mut server) = pair()?;
    let writable = |socket: &TcpStream| {
        polled(socket, PollFlags::POLLOUT, Duration::ZERO).map(|flags| !flags.is_empty())
    };
    let idle = writable(&server)?;
    server.write_all(b"reply")?;
    client.read_exact(&mut [0; 5])?;
    let sent = writable(&server)?;
    fill(&server)?;
    let full = writable(&server)?;
    let word =
        |writable: bool| if writable { ["writable", "可写"] } else { ["not", "不可写"] };
    let [idle_words, sent_words, full_words] = [idle, sent, full].map(word);
    let say = |of: usize, states: [&str; 3], colon: &str, comma: &str| {
        let words = [idle_words[of], sent_words[of], full_words[of]];
        let each = states.iter().zip(words).map(|(state, word)| format!("{state}{colon}{word}"));
        each.collect::<Vec<_>>().join(comma)
    };
    Ok(Finding::new(
        idle && sent && !full,
        say(0, ["nothing to send", "all is sent", "the peer reads nothing"], ": ", "; "),
        say(1, ["没有要发的", "发完之后", "对端一直不读"], "：", "；"),
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn readable_is_more_than_data_and_writable_is_nearly_always() {
        crate::claims::confirm(&super::READINESS);
    }
}
