//! What select's third set, and poll's POLLPRI, are about.

use super::sockets::{arrival, flags, outcome, pair, polled, reset, selected};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use nix::poll::PollFlags;
use socket2::SockRef;
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

pub(super) const THIRD_SET: Experiment = Experiment {
    name: "third_set",
    does: [
        "send an urgent byte, end the sending, break the connection off; ask select and poll each time",
        "发一个紧急字节、结束发送、重置连接，每次都问 select 和 poll",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "error 错误信息",
            says: ["select's third list is for errors", "select 的第三个列表是错误信息"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S0",
            quote: "如果不是新的连接这里传递过来的一定是数据",
            says: [
                "POLLIN or POLLPRI: if it is no new connection it must be data",
                "有 POLLIN 或 POLLPRI 时，不是新连接就一定是数据",
            ],
            verdict: Verdict::Wrong,
        },
    ],
    run,
};

fn run() -> Found {
    let (client, urgent) = pair()?;
    SockRef::from(&client).send_out_of_band(b"!")?;
    let (other, ended) = pair()?;
    other.shutdown(Shutdown::Write)?;
    let (gone, broken) = pair()?;
    reset(gone)?;
    for socket in [&urgent, &ended, &broken] {
        arrival(socket)?;
    }

    let (byte, error) = (selected(&urgent)?, selected(&broken)?);
    let third = byte.exceptional && !byte.readable && !error.exceptional && error.readable;

    let cases = [
        (looked(&urgent)?, ["an urgent byte", "紧急字节"]),
        (looked(&ended)?, ["the end of input", "输入结束"]),
        (looked(&broken)?, ["a reset", "重置"]),
    ];
    let no_data = cases.iter().all(|(look, _)| !look.data);
    let list = |language: usize, [colon, comma, semicolon]: [&str; 3]| {
        let case = |(look, name): &(Look, [&str; 2])| {
            format!("{}{colon}{}{comma}recv{colon}{}", name[language], look.flags, look.recv)
        };
        cases.iter().map(case).collect::<Vec<_>>().join(semicolon)
    };
    Ok(vec![
        Finding::new(
            third,
            format!("an urgent byte: {byte}; a reset: {error}: an error is not in the third set"),
            format!("紧急字节：{byte}；重置：{error}：错误不进第三个集合"),
        ),
        Finding::new(no_data, list(0, [": ", ", ", "; "]), list(1, ["：", "，", "；"])),
    ])
}

/// What poll says with the notes' flags, and what recv says then.
struct Look {
    flags: String,
    recv: String,
    data: bool,
}

fn looked(mut socket: &TcpStream) -> Result<Look, Unable> {
    let asked = PollFlags::POLLIN | PollFlags::POLLPRI;
    let reported = polled(socket, asked, Duration::ZERO)?;
    let recv = socket.read(&mut [0; 10]);
    Ok(Look {
        flags: flags(reported.iter_names().map(|(name, _)| name)),
        data: matches!(recv, Ok(1..)),
        recv: outcome(&recv),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_error_is_no_exceptional_condition() {
        crate::experiments::confirm(&super::THIRD_SET);
    }
}
