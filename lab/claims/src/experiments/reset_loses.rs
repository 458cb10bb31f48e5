//! What a reset loses: not what has been received, but what the closing side still had to send.

use super::{Claim, Experiment, Verdict};
use linux::run;

pub(super) const RESET_LOSES: Experiment = Experiment {
    name: "reset_loses",
    does: [
        "close a connection with input unread, after sending little, and after sending much",
        "还有数据没读就关闭连接：发得少时，发得多时，各丢什么",
    ],
    claims: &[Claim {
        note: "S1",
        quote: "通过 while 循环确保将 buf 中的数据全部发送出去",
        says: [
            "the loop has sent everything: so it arrives?",
            "循环发完了全部数据：那么一定能送到？",
        ],
        verdict: Verdict::Wrong,
    }],
    run,
};

#[cfg(target_os = "linux")]
mod linux {
    use crate::experiments::sockets::{arrival, fill, outcome, pair};
    use crate::{Finding, Found, Unable};
    use std::io::{Read, Write};
    use std::net::TcpStream;

    pub(super) fn run() -> Found {
        let (little_sent, little, after_little) =
            closed_with_input_unread(|mut server| Ok(server.write(b"reply")? as u64))?;
        let (much_sent, much, after_much) = closed_with_input_unread(fill)?;
        let reset = after_little == "ECONNRESET" && after_much == "ECONNRESET";
        let lost = much_sent - much;
        Ok(vec![Finding::new(
            reset && little_sent == little && much > 0 && lost > 0,
            format!(
                "{little_sent} bytes sent and arrived, then the reset: the client still reads \
                 {little}, then {after_little}. {much_sent} bytes taken by send: it reads {much}, then \
                 {after_much}; the {lost} in the closing side's send queue are lost"
            ),
            format!(
                "发出 {little_sent} 字节，到达之后才重置：客户端照样读到 {little} 字节，然后是 \
                 {after_little}。send 收下 {much_sent} 字节：读到 {much} 字节，然后是 {after_much}；还在\
                 关闭一方发送队列里的 {lost} 字节丢了"
            ),
        )])
    }

    /// How many bytes the server's sends took, how many its client read after the reset, and what
    /// ended that.
    fn closed_with_input_unread(
        send: impl FnOnce(&TcpStream) -> std::io::Result<u64>,
    ) -> Result<(u64, u64, String), Unable> {
        let (mut client, server) = pair()?;
        client.write_all(b"never read")?;
        arrival(&server)?;
        let sent = send(&server)?;
        arrival(&client)?;
        drop(server);
        let (mut read, mut buffer) = (0, vec![0; 65536]);
        loop {
            match client.read(&mut buffer) {
                Ok(count @ 1..) => read += count as u64,
                end => return Ok((sent, read, outcome(&end))),
            }
        }
    }
}

/// Other systems may drop what was received as well.
#[cfg(not(target_os = "linux"))]
mod linux {
    use crate::{Found, Unable};

    pub(super) fn run() -> Found {
        Err(Unable::here("this is what Linux does", "这里说的是 Linux 的做法"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_reset_loses_what_is_unsent_and_not_what_is_unread() {
        crate::experiments::confirm(&super::RESET_LOSES);
    }
}
