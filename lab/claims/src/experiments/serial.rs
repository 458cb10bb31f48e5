//! One client after the other, and a thread for each.

use super::looks::micros;
use super::threads::Count;
use super::visitor::{A_WHILE, PATIENCE, Visitor};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::Target;
use std::time::{Duration, Instant};

pub(super) const SERIAL: Experiment = Experiment {
    name: "serial",
    does: [
        "A is connected and silent, B comes and asks: `blocking`, `thread_per_connection`",
        "A 连着但空闲，B 发来请求：`blocking`、`thread_per_connection`",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "但是也必须等待A处理完事",
            says: ["B can connect, but has to wait until A is done", "（说的是已经连上的 B）"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "线程将无法执行任何运算或响应任何的网络请求",
            says: ["blocked, the thread can do nothing else", "（说的是阻塞中的线程）"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "任何一个连接的阻塞都不会影响其他的连接",
            says: ["with a thread each, no connection affects another", "每个连接有自己的线程"],
            verdict: Verdict::Right,
        },
    ],
    run,
};

fn run() -> Found {
    let one = second_client("blocking")?;
    let each = second_client("thread_per_connection")?;
    let connected = micros(one.connected.as_secs_f64() * 1e6);
    let while_there = |b: &Second| match (b.while_a_was_there, b.after_a_left) {
        (true, _) => ("B was answered at once", "B 立即得到回复"),
        (false, true) => ("B was answered only after A had left", "A 断开后 B 才得到回复"),
        (false, false) => ("B was never answered", "B 始终没有得到回复"),
    };
    let ((one_en, one_zh), (each_en, each_zh)) = (while_there(&one), while_there(&each));
    let waits = !one.while_a_was_there && one.after_a_left;
    let (one_threads, each_threads) = (one.threads, each.threads);
    Ok(vec![
        Finding::new(
            waits && one.connected < PATIENCE / 2,
            format!("`blocking`: B connected in {connected}, A still there; {one_en}"),
            format!("`blocking`：A 还在，B 用 {connected} 就连上了；{one_zh}"),
        ),
        Finding::new(
            waits && one_threads.may_be(1),
            format!("`blocking` (threads: {one_threads}) is in recv for A: {one_en}"),
            format!("`blocking`（线程数 {one_threads}）停在 A 的 recv 里：{one_zh}"),
        ),
        Finding::new(
            each.while_a_was_there && each_threads.may_be(3),
            format!("`thread_per_connection` (threads: {each_threads}): {each_en}, A still there"),
            format!("`thread_per_connection`（线程数 {each_threads}）：A 还在，{each_zh}"),
        ),
    ])
}

/// What B found.
struct Second {
    connected: Duration,
    while_a_was_there: bool,
    after_a_left: bool,
    threads: Count,
}

fn second_client(program: &str) -> Result<Second, Unable> {
    let server = Target::program(program)?.start()?;
    let mut a = Visitor::connect(server.addr)?;
    // An answer: the server has accepted A, and waits for more.
    a.exchange()?;
    let began = Instant::now();
    let mut b = Visitor::connect(server.addr)?;
    let connected = began.elapsed();
    b.ask()?;
    let while_a_was_there = b.answered(if program == "blocking" { A_WHILE } else { PATIENCE })?;
    let threads = Count::of(server.process.pid());
    drop(a);
    let after_a_left = !while_a_was_there && b.answered(PATIENCE)?;
    Ok(Second { connected, while_a_was_there, after_a_left, threads })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm;

    #[test]
    fn one_thread_serves_one_client_at_a_time() {
        confirm(&SERIAL);
    }
}
