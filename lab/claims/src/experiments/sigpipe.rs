//! What becomes of a server that is not Rust's when it sends to a client that has gone: SIGPIPE at
//! its default, ignored, and not raised at all.

use super::sockets::{PATIENCE, arrival, pair, polled};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use judge::process::soon;
use nix::poll::PollFlags;
use nix::sys::signal::Signal;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

pub(super) const SIGPIPE: Experiment = Experiment {
    name: "sigpipe",
    does: [
        "a server that is a shell script, its standard output the connection, writes to a client \
         that has gone; and the calls that raise the signal, or do not",
        "服务端是一个 shell 脚本，标准输出就是连接，往已经断开的客户端写；再看哪种调用会引发信号",
    ],
    claims: &[
        Claim::asked(
            ["a client that goes cannot end the server", "客户端断开，影响不到服务端进程"],
            Verdict::Wrong,
        ),
        Claim::asked(
            [
                "how does a server get EPIPE in place of the signal?",
                "怎样让服务端得到 EPIPE，而不是信号？",
            ],
            Verdict::Question,
        ),
    ],
    run,
};

/// What a shell says when its echo fails.
const FAILED: i32 = 7;

fn run() -> Found {
    // The same script, but for its first words. Rust's Command gives a child SIGPIPE at its
    // default, whatever its own process does with it.
    let answers = format!("echo answer || exit {FAILED}");
    let left_alone = ended(&answers)?;
    let ignored = ended(&format!("trap '' PIPE; {answers}"))?;
    let killed = left_alone.signal() == Some(Signal::SIGPIPE as i32);
    let [way, way_zh] = words(left_alone);
    let [other, other_zh] = words(ignored);
    let calls = calls::raised()?;
    Ok(vec![
        Finding::new(
            killed,
            format!(
                "its echo to a client that had reset the connection: {way}, before it could look at \
                 what echo returned"
            ),
            format!("客户端已重置连接，脚本再 echo：{way_zh}，来不及看 echo 返回什么"),
        ),
        Finding::new(
            ignored.code() == Some(FAILED) && calls.as_ref().is_none_or(|calls| calls.agrees),
            format!(
                "ignored (trap '' PIPE): echo fails, the script goes on: {other}{}",
                calls.as_ref().map_or(String::new(), |calls| calls.seen.en.clone())
            ),
            format!(
                "忽略它（trap '' PIPE）：echo 失败，脚本继续运行：{other_zh}{}",
                calls.as_ref().map_or(String::new(), |calls| calls.seen.zh.clone())
            ),
        ),
    ])
}

/// The server's end of a connection that its client has reset: it closed, and what came afterwards
/// found nobody.
fn gone() -> Result<TcpStream, Unable> {
    let (client, mut server) = pair()?;
    drop(client);
    arrival(&server)?;
    server.write_all(b"too late")?;
    let reset = polled(&server, PollFlags::empty(), PATIENCE)?;
    if !reset.contains(PollFlags::POLLHUP) {
        return Err("no reset comes from a closed socket".to_owned().into());
    }
    Ok(server)
}

/// How a shell script ends whose standard output is such a connection.
fn ended(script: &str) -> Result<ExitStatus, Unable> {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(OwnedFd::from(gone()?))
        .stderr(Stdio::null())
        .spawn()?;
    let ended = soon(PATIENCE, || shell.try_wait().transpose());
    if ended.is_none() {
        shell.kill()?;
        shell.wait()?;
    }
    Ok(ended.ok_or_else(|| "the script does not end".to_owned())??)
}

fn words(status: ExitStatus) -> [String; 2] {
    let signal = status.signal().and_then(|number| Signal::try_from(number).ok());
    match (signal, status.code()) {
        (Some(signal), _) => [format!("killed by {signal}"), format!("被 {signal} 终止")],
        (_, Some(code)) => [format!("exit status {code}"), format!("退出码 {code}")],
        _ => ["ended".to_owned(), "结束".to_owned()],
    }
}

/// This process ignores SIGPIPE, as every Rust program does. A signal that a thread blocks is kept
/// for it all the same, on Linux, and can be taken like anything that comes: so it is seen.
#[cfg(target_os = "linux")]
mod calls {
    use super::*;
    use nix::errno::Errno;
    use nix::sys::signal::SigSet;
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    use nix::sys::socket::{MsgFlags, send};
    use std::os::fd::AsRawFd;

    pub(super) fn raised() -> Result<Option<Finding>, Unable> {
        // A thread of its own has a mask of its own.
        let thread = std::thread::spawn(|| -> Result<_, Unable> {
            let mut sigpipe = SigSet::empty();
            sigpipe.add(Signal::SIGPIPE);
            sigpipe.thread_block()?;
            let signals = SignalFd::with_flags(&sigpipe, SfdFlags::SFD_NONBLOCK)?;
            let socket = gone()?;
            let written = nix::unistd::write(&socket, b"x").err();
            let by_write = signals.read_signal()?.is_some();
            let sent = send(socket.as_raw_fd(), b"x", MsgFlags::MSG_NOSIGNAL).err();
            let by_send = signals.read_signal()?.is_some();
            Ok((written, by_write, sent, by_send))
        });
        let seen = thread.join().map_err(|_| "the sending thread has died".to_owned())?;
        let (written, by_write, sent, by_send) = seen?;
        let agrees =
            written == Some(Errno::EPIPE) && by_write && sent == Some(Errno::EPIPE) && !by_send;
        let name = |errno: Option<Errno>| errno.map_or("ok".to_owned(), |e| format!("{e:?}"));
        let (written, sent) = (name(written), name(sent));
        let words = |raised| {
            if raised {
                ["and the signal", "并引发信号"]
            } else {
                ["and no signal", "没有信号"]
            }
        };
        let [by_write, by_send] = [by_write, by_send].map(words);
        Ok(Some(Finding::new(
            agrees,
            format!(
                ". By call: write gives {written} {}; send with MSG_NOSIGNAL, as Rust's TcpStream \
                 does, {sent} {}",
                by_write[0], by_send[0]
            ),
            format!(
                "。按调用看：write 得到 {written}，{}；带 MSG_NOSIGNAL 的 send（Rust 的 TcpStream 用的就是\
                 它）得到 {sent}，{}",
                by_write[1], by_send[1]
            ),
        )))
    }
}

/// Elsewhere a signal that is ignored is gone, blocked or not.
#[cfg(not(target_os = "linux"))]
mod calls {
    use super::{Finding, Unable};

    pub(super) fn raised() -> Result<Option<Finding>, Unable> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sigpipe_ends_a_server_that_leaves_it_alone() {
        crate::experiments::confirm(&super::SIGPIPE);
    }
}
