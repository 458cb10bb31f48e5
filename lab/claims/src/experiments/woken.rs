//! How a process in select learns that data has come: it is woken, and no signal is sent.

use super::sockets::{PATIENCE, running};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use judge::process::soon;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(super) const WOKEN_NOT_SIGNALLED: Experiment = Experiment {
    name: "woken_not_signalled",
    does: [
        "twenty messages for a server asleep in select; then the signal that says that data has come",
        "服务端阻塞在 select 上，给它二十条消息；然后给它那个表示数据已到的信号",
    ],
    claims: &[Claim {
        note: "S2",
        quote: "就会发送信号给用户进程数据已到",
        says: [
            "(select) the kernel sends the process a signal that data has come",
            "（select）内核发信号通知数据已到",
        ],
        verdict: Verdict::Wrong,
    }],
    run,
};

fn run() -> Found {
    const MESSAGES: usize = 20;
    // Elsewhere SIGIO is ignored unless somebody asks for it, so it would not be noticed.
    if !cfg!(target_os = "linux") {
        return Err(Unable::here(
            "which signals come is not seen on this system",
            "在这个系统上看不到来了哪些信号",
        ));
    }
    let mut server = running("select", None)?;
    let mut client = server.client()?;
    client.exchange(1)?;
    let mut asleep = 0;
    for _ in 0..MESSAGES {
        let in_select = || {
            let calls = server.asleep(PATIENCE)?;
            Some(calls == ["select"] || calls == ["pselect6"])
        };
        let seen = in_select().ok_or_else(|| {
            Unable::here(
                "the system call that a process sleeps in is not seen here",
                "在这里看不到进程阻塞在哪个系统调用上",
            )
        })?;
        let found = seen || soon(PATIENCE, || in_select()?.then_some(())).is_some();
        asleep += usize::from(found);
        client.exchange(1)?;
    }
    let alive = server.process.ended().is_none();
    // The control: the server does not catch SIGIO, and whom it finds so it ends (signal(7)).
    kill(Pid::from_raw(server.process.pid()), Signal::SIGIO)?;
    let how = soon(PATIENCE, || server.process.ended()).unwrap_or_else(|| "alive".to_owned());
    let killed = how == "killed by SIGIO";
    let how_zh = if killed { "它就被终止了" } else { &how };
    Ok(vec![Finding::new(
        asleep == MESSAGES && alive && killed,
        format!(
            "asleep in select before {asleep} of {MESSAGES} messages, and all were answered; then \
             one SIGIO, sent from here: {how}. None can have come before"
        ),
        format!(
            "{MESSAGES} 条消息全部得到回复，其中 {asleep} 条到来之前它阻塞在 select 上；再从这里发一个 \
             SIGIO：{how_zh}。可见先前从没来过这个信号"
        ),
    )])
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_signal_would_have_been_noticed() {
        crate::experiments::confirm(&super::WOKEN_NOT_SIGNALLED);
    }
}
