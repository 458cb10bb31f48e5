//! What comes back in the set that was given to select.

use super::sockets::{arrival, pair, polled, selectable};
use super::{Claim, Experiment, Finding, Found, Verdict};
use nix::poll::PollFlags;
use nix::sys::select::{FdSet, select};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

pub(super) const SELECT_OVERWRITES: Experiment = Experiment {
    name: "select_overwrites",
    does: [
        "ask select about four clients, of which one has sent, then two; then with the set that came back",
        "向 select 询问四个客户端：先有一个发送，再有两个；然后把返回的集合原样再用一次",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "就绪的文件描述符便会被内核修改标志位",
            says: ["the kernel flags those that are ready in the array", ""],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S1",
            quote: "它并不知道是哪个客户端的事件",
            says: ["select does not know whose event it is", ""],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S2",
            quote: "但是我并不知道谁交的",
            says: [
                "(a lamp, thirty students) select knows that somebody is ready, not who",
                "（一盏灯，三十个学生）select 知道有就绪的，不知道是哪一个",
            ],
            verdict: Verdict::Incomplete,
        },
    ],
    run,
};

/// A client and the server's end of its connection; its number is its place, from 1.
type Pair = (TcpStream, TcpStream);

fn run() -> Found {
    let mut pairs = (0..4).map(|_| pair()).collect::<Result<Vec<Pair>, _>>()?;
    pairs.iter().try_for_each(|(_, server)| selectable(server))?;
    send(&mut pairs[2])?;
    let one = ask(&pairs, &[1, 2, 3, 4])?;
    // Client 1 is ready now too, and is no longer in the set that came back.
    send(&mut pairs[0])?;
    let ready = pairs.iter().map(|(_, server)| polled(server, PollFlags::POLLIN, Duration::ZERO));
    let ready = ready.collect::<Result<Vec<_>, _>>()?;
    let ready: Vec<_> = (1..=4).filter(|number| !ready[number - 1].is_empty()).collect();
    let unfilled = ask(&pairs, &one)?;
    let two = ask(&pairs, &[1, 2, 3, 4])?;

    Ok(vec![
        Finding::new(
            one == [3] && unfilled == [3] && ready == [1, 3],
            format!(
                "in: [1, 2, 3, 4], back: {one:?}, the others are cleared; the same set once more, \
                 ready {ready:?}: back {unfilled:?}"
            ),
            format!(
                "给它 [1, 2, 3, 4]，返回 {one:?}，其余的被清掉；同一个集合再用一次，就绪的是 \
                 {ready:?}，返回 {unfilled:?}"
            ),
        ),
        Finding::new(
            one == [3],
            format!("client 3 has sent; the set that came back: {one:?}"),
            format!("客户端 3 发送了；返回的集合：{one:?}"),
        ),
        Finding::new(
            two == [1, 3],
            format!(
                "clients 1 and 3 have sent: one call names both, {two:?}, and nobody is asked (inside it, the kernel has looked at all)"
            ),
            format!(
                "客户端 1 和 3 发送了：一次调用就点出两个，{two:?}，不必再逐个查询（逐个查看的是调用里的内核）"
            ),
        ),
    ])
}

/// The client sends one byte, and it has arrived.
fn send((client, server): &mut Pair) -> io::Result<()> {
    client.write_all(b"!")?;
    arrival(server)
}

/// Puts these clients into a set, and says who is in it after select.
fn ask(pairs: &[Pair], numbers: &[usize]) -> nix::Result<Vec<usize>> {
    let mut set = FdSet::new();
    for number in numbers {
        set.insert(pairs[number - 1].1.as_fd());
    }
    select(None, &mut set, None, None, &mut TimeVal::zero())?;
    Ok((1..=pairs.len()).filter(|number| set.contains(pairs[number - 1].1.as_fd())).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_set_is_good_for_one_call() {
        crate::experiments::confirm(&super::SELECT_OVERWRITES);
    }
}
