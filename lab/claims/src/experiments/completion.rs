//! Completion: who moves the bytes, and how one learns of it.

use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::Target;
use crate::measure::strace::{Strace, Trace};
use judge::check::server::{Server, Start};

pub(super) const COMPLETION: Experiment = Experiment {
    name: "completion",
    does: [
        "write down the calls of `uring` with strace, while it answers 100 messages",
        "用 strace 记下程序 `uring` 回复 100 条消息时的系统调用",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "异步I/O的实现会负责把数据从内核拷贝到用户空间",
            says: ["asynchronous I/O does the copy", ""],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "kernel会给用户进程发送一个signal",
            says: ["the kernel sends a signal", "内核发一个信号"],
            verdict: Verdict::Incomplete,
        },
    ],
    run,
};

const MESSAGES: usize = 100;
/// The calls that bring bytes to a program.
const RECEIVING: &[&str] =
    &["recvfrom", "recvmsg", "recvmmsg", "recv", "read", "readv", "preadv", "preadv2"];
const RING: &str = "io_uring_enter";

fn run() -> Found {
    let strace = Strace::find().map_err(Unable::Here)?;
    let uring = Target::program("uring")?;
    // Containers often forbid io_uring, and old kernels have too little of it: it says so.
    if let Err(why) = Server::try_start(&uring.subject, Start::default()) {
        let zh = format!("程序 `uring` 启动不了：{why}");
        return Err(Unable::here(why, zh));
    }
    let mut calls = RECEIVING.to_vec();
    calls.push(RING);
    let traced = strace.start(&uring, &calls)?;
    let mut client = traced.server.client()?;
    for _ in 0..MESSAGES {
        client.exchange(10)?;
    }
    let trace = serving(traced.finish()?);
    let (received, rings) = (trace.count(RECEIVING), trace.count(&[RING]));
    let signals = trace.signals.len();
    Ok(vec![
        Finding::new(
            received == 0 && rings > 0,
            format!(
                "{MESSAGES} messages received and answered with {received} calls of recv or read; \
                 {rings} of io_uring_enter, which names no buffer"
            ),
            format!(
                "收到并回复 {MESSAGES} 条消息，recv 和 read 共 {received} 次；io_uring_enter {rings} \
                 次，它的参数里没有缓冲区"
            ),
        ),
        Finding::new(
            signals == 0 && rings > 0,
            format!(
                "{MESSAGES} reads completed, {signals} signals: the completions are in a queue, \
                 and {RING} waits for them"
            ),
            format!("完成了 {MESSAGES} 次读取，信号 {signals} 个：完成项在队列里，用 {RING} 等待"),
        ),
    ])
}

/// What it did from its first look at the ring on: a program's start is full of reads, of the
/// libraries.
fn serving(mut trace: Trace) -> Trace {
    let first = trace.calls.iter().position(|call| call.name == RING);
    trace.calls.drain(..first.unwrap_or(trace.calls.len()));
    trace
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::strace::Call;

    #[test]
    fn uring_receives_without_a_call_that_receives() {
        crate::experiments::confirm_where_seen(&COMPLETION);
    }

    #[test]
    fn reads_before_it_serves_do_not_count() {
        let call = |name: &str| Call::sample(name, "");
        let calls = vec![call("read"), call(RING), call("recvfrom")];
        let trace = serving(Trace { calls, ..Trace::default() });
        assert_eq!((trace.count(RECEIVING), trace.count(&[RING])), (1, 1));
    }
}
