//! Every byte is answered once, in order, exactly; and the end of input is not the end.

use super::stamps;
use crate::check::client::{self, Client, drive};
use crate::check::server::{Server, with_server};
use crate::check::subject::{Fault, Order, Seen, Subject, short, unseen};
use crate::language::said;
use std::time::{Duration, Instant};

pub(super) fn echo(subject: &Subject) -> Seen {
    // On both sides of the buffer sizes that servers like.
    const SIZES: [u64; 11] =
        [1, 2, 1023, 1024, 1025, 4096, 65_535, 65_536, 65_537, 1 << 20, 8 << 20];
    with_server(subject, |server| {
        let began = Instant::now();
        for size in SIZES {
            let exchanged = server.client()?.exchange(size);
            exchanged.map_err(|fault| fault.after(client::bytes(size)))?;
        }
        Ok(said!(
            "{} sizes from 1 byte to 8 MiB, each came back exactly ({} ms)",
            "从 1 字节到 8 MiB 共 {} 种大小，都原样返回（{} 毫秒）",
            SIZES.len(),
            began.elapsed().as_millis()
        ))
    })
}

pub(super) fn byte_by_byte(subject: &Subject) -> Seen {
    with_server(subject, |server| {
        let mut client = server.client()?;
        for number in 1..=200 {
            let alone = |fault: Fault| {
                fault.after(said!("byte {number} alone", "单独发送第 {number} 个字节"))
            };
            client.exchange(1).map_err(alone)?;
        }
        Ok(said!(
            "200 bytes sent one by one, each answered before the next was sent",
            "200 个字节逐个发送，每个都先返回，才发下一个"
        ))
    })
}

pub(super) fn no_delay(subject: &Subject) -> Seen {
    /// Without TCP_NODELAY the second send of an answer waits for the acknowledgement of the
    /// first, and the client's system delays that by about 40 ms.
    const DELAYED: Duration = Duration::from_millis(20);
    const EXCHANGES: usize = 25;
    with_server(subject, |server| {
        let mut client = server.client()?;
        let mut best = Duration::MAX;
        // A busy machine may spoil a series; Nagle's algorithm spoils every one.
        for _ in 0..3 {
            let series = (0..EXCHANGES).map(|_| client.exchange(16 << 10));
            let mut series = series.collect::<Result<Vec<_>, _>>()?;
            series.sort_unstable();
            best = best.min(series[EXCHANGES / 2]);
            if best < DELAYED {
                break;
            }
        }
        let best = 1000.0 * best.as_secs_f64();
        let seen = said!(
            "{EXCHANGES} times 16 KiB there and back: median {best:.1} ms",
            "16 KiB 往返 {EXCHANGES} 次：中位数 {best:.1} 毫秒"
        );
        if best < 1000.0 * DELAYED.as_secs_f64() { Ok(seen) } else { short(seen) }
    })
}

pub(super) fn interleaved(subject: &Subject) -> Seen {
    const CLIENTS: usize = 200;
    const ROUNDS: usize = 5;
    let seen = with_server(subject, |server| {
        let mut clients = server.clients(CLIENTS)?;
        let mut bytes = 0;
        for round in 0..ROUNDS {
            for (number, client) in clients.iter_mut().enumerate() {
                let size = 1 + (number * 37 + round * 911) as u64 % 3000;
                client.ask(size);
                bytes += size;
            }
            let answered = drive(&mut clients, Client::is_answered);
            let number = round + 1;
            answered.map_err(|fault| {
                fault.after(said!("round {number} of {ROUNDS}", "第 {number} 轮（共 {ROUNDS} 轮）"))
            })?;
        }
        Ok(said!(
            "{CLIENTS} clients at once, {ROUNDS} rounds, {bytes} bytes, each got its own",
            "{CLIENTS} 个客户端同时收发，{ROUNDS} 轮，共 {bytes} 字节，每个收到的都是自己的数据"
        ))
    })?;
    all_at_once(subject).map_err(|fault| fault.after(&seen))?;
    Ok(seen)
}

/// Everything is there together when the server looks: new clients, and a message of each.
fn all_at_once(subject: &Subject) -> Seen {
    const KNOWN: usize = 60;
    // Even the shortest accept queue, listen(1), has room for two.
    const NEW: usize = 2;
    // The larger the chunk, the fewer are the buffers of a server whose clients share them.
    let subject = subject.with_chunk("1048576");
    with_server(&subject, |server| {
        let mut clients = server.clients(KNOWN)?;
        for client in &mut clients {
            client.exchange(1)?;
        }
        server.process.stop()?;
        clients.extend(server.clients(NEW)?);
        for client in &mut clients {
            client.push(100)?;
        }
        server.process.go_on();
        let answered = drive(&mut clients, Client::is_answered);
        let all = said!(
            "{KNOWN} clients that sent, and {NEW} that came, while it was held",
            "暂停期间有 {KNOWN} 个客户端发送、{NEW} 个客户端到来"
        );
        answered.map_err(|fault| fault.after(&all))?;
        Ok(all)
    })
}

pub(super) fn half_close(subject: &Subject) -> Seen {
    // Whether the end comes while something is queued is a race with the server, which a client on
    // a busy machine may lose now and then.
    const TIMES: usize = 10;
    with_server(subject, |server| {
        for size in [3000, 1 << 20].repeat(TIMES) {
            let mut client = server.client()?;
            // The end of input arrives while much is still to be answered.
            client.window = u64::MAX;
            client.ask(size);
            client.then_shut_down();
            client.finish().map_err(|fault| {
                fault
                    .after(said!("{size} bytes and the end of input", "发送 {size} 字节并结束输入"))
            })?;
        }
        Ok(said!(
            "{TIMES} times 3000 bytes and 1 MiB, each followed by the end of input: \
             all answered, then closed",
            "3000 字节和 1 MiB 各 {TIMES} 次，发完即结束输入：全部返回，然后关闭连接"
        ))
    })
}

pub(super) fn data_with_fin(subject: &Subject) -> Seen {
    // A proxy that hands on no end may have handed on the answers before it saw the end: a race,
    // as in half_close.
    const TIMES: usize = 5;
    with_server(subject, |server| {
        for _ in 0..TIMES {
            let mut known = server.client()?;
            known.exchange(1)?;
            server.process.stop()?;
            let mut unknown = server.client()?;
            for client in [&mut known, &mut unknown] {
                client.then_shut_down();
                client.push(3000)?;
            }
            server.process.go_on();
            known.finish().map_err(|fault| {
                fault.after(said!(
                    "3000 bytes together with the end of input",
                    "3000 字节与输入的结束一起到达"
                ))
            })?;
            unknown.finish().map_err(|fault| {
                fault.after(said!(
                    "the same before it was accepted",
                    "同样的情形，到达时连接尚未被 accept"
                ))
            })?;
        }
        Ok(said!(
            "{TIMES} times 3000 bytes together with the end of input, before and after the accept: \
             all answered, then closed",
            "3000 字节与输入的结束一起到达，accept 之前、之后各 {TIMES} 次：全部返回，然后关闭连接"
        ))
    })
}

pub(super) fn in_order(subject: &Subject) -> Seen {
    // A message that takes several recv would be answered after those of others.
    with_server(&subject.with_chunk("65536"), |server| {
        let Some(order) = answered_at_once(server, [1, 2, 3, 4, 5])? else {
            return unseen(said!(
                "all five were answered; in which order is not seen here",
                "五个客户端都得到回复；这里看不到先后"
            ));
        };
        let words = order.map(|number| number.to_string()).join(" ");
        let expected = match subject.order {
            Order::Connected => "1 2 3 4 5",
            Order::Arrived => "5 4 3 2 1",
            Order::Unsaid => words.as_str(),
        };
        match expected == words {
            false => short(said!(
                "sent as 5 4 3 2 1, answered as {words}, expected {expected}",
                "发送次序 5 4 3 2 1，回复次序 {words}，应为 {expected}"
            )),
            true => Ok(said!(
                "five clients sent as 5 4 3 2 1, all there at once: answered as {words}",
                "五个客户端按 5 4 3 2 1 发送，数据同时就绪：回复次序 {words}"
            )),
        }
    })
}

/// The clients 1 to 5 connect in the order given. While the server is held they send, 5 first and
/// 1 last. Their numbers, in the order in which they are answered; `None` where that is not seen.
pub fn answered_at_once(
    server: &mut Server,
    connecting: [usize; 5],
) -> Result<Option<[usize; 5]>, Fault> {
    let mut clients = server.clients(connecting.len())?;
    for client in &mut clients {
        client.exchange(1)?;
    }
    let stamped = stamps::switch_on(&mut clients)?;
    // The last client to be answered may still be on the kernel's list of those that were ready,
    // until the server waits again, and would keep its place there.
    server.asleep(Duration::from_millis(500));
    server.process.stop()?;
    for number in (1..=5).rev() {
        let sender = connecting.iter().zip(&mut clients).find(|(client, _)| **client == number);
        sender.ok_or("the clients are not 1 to 5".to_owned())?.1.push(1)?;
    }
    server.process.go_on();
    let times: Option<Vec<_>> =
        clients.iter().map(|client| stamps::arrival(client).filter(|_| stamped)).collect();
    drive(&mut clients, Client::is_answered)?;
    Ok(times.map(|times| {
        let mut order = [0, 1, 2, 3, 4];
        order.sort_by_key(|&index| times[index]);
        order.map(|index| connecting[index])
    }))
}
