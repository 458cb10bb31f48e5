//! Asking only now and then: what the clients pay for it.

use super::visitor::{Visitor, millis};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::Target;
use judge::check::server::Server;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const PAUSE: Experiment = Experiment {
    name: "pause",
    does: [
        "visit a server that looks for clients every 150 ms",
        "访问一个每 150 毫秒才看一眼有没有客户端的服务端",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "任务完成的响应延迟增大了",
            says: ["polling now and then: the latency grows", "每过一段时间才去轮询一次"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "这会导致整体数据吞吐量的降低",
            says: ["and the throughput falls", ""],
            verdict: Verdict::Right,
        },
    ],
    run,
};

const PAUSE_TIME: Duration = Duration::from_millis(150);
const VISITS: u32 = 9;
const IN_A_ROW: u32 = 6;
const A_MOMENT: Duration = Duration::from_millis(20);

fn run() -> Found {
    let pause = PAUSE_TIME.as_millis().to_string();
    let pausing = Target::program("nonblocking_accept")?.with("--pause", &pause).start()?;
    let waits = scattered(&pausing, visit)?;
    let row = in_a_row(&pausing, visit)?;
    drop(pausing);
    let woken = Target::program("select")?.start()?;
    let woken_waits = scattered(&woken, exchange)?;
    let woken_row = in_a_row(&woken, exchange)?;

    let [least, mean, most] = spread(&waits);
    let [_, woken_mean, woken_most] = spread(&woken_waits);
    let times = [least, mean, most].map(millis).join(" / ");
    let woken_times = [woken_mean, woken_most].map(millis).join(" / ");
    let a_second = f64::from(IN_A_ROW) / row.as_secs_f64();
    let woken_a_second = f64::from(IN_A_ROW) / woken_row.as_secs_f64();
    let moment = A_MOMENT.as_millis();
    Ok(vec![
        Finding::new(
            mean > PAUSE_TIME / 4 && most > PAUSE_TIME / 2 && mean > 2 * woken_mean,
            format!(
                "a pause of {pause} ms: served after {times} (least / mean / most of {VISITS}); \
                 select, which is woken: {woken_times} (mean / most)"
            ),
            format!(
                "停顿 {pause} ms：{VISITS} 次访问，等待最短 / 平均 / 最长为 {times}；\
                 由内核唤醒的 select：平均 / 最长为 {woken_times}"
            ),
        ),
        Finding::new(
            2.0 * a_second < woken_a_second,
            format!(
                "one visit after the other, {moment} ms between: {a_second:.0} a second; select \
                 {woken_a_second:.0}"
            ),
            format!(
                "一次接一次地访问，间隔 {moment} ms：每秒 {a_second:.0} 次；select 每秒 {woken_a_second:.0} 次"
            ),
        ),
    ])
}

type Visit = fn(SocketAddr) -> Result<(), String>;

/// From connecting to being closed: this server prints what it gets, and answers nothing.
fn visit(addr: SocketAddr) -> Result<(), String> {
    let words = |error| common::reason(&error);
    let mut visitor = Visitor::connect(addr).map_err(words)?;
    visitor.ask().map_err(words)?;
    visitor.closed()
}

/// From connecting to the answer.
fn exchange(addr: SocketAddr) -> Result<(), String> {
    let mut visitor = Visitor::connect(addr).map_err(|error| common::reason(&error))?;
    visitor.exchange().map(drop)
}

/// How long visits take that begin at all points of the pause.
fn scattered(server: &Server, visit: Visit) -> Result<Vec<Duration>, Unable> {
    let mut waits = Vec::new();
    for number in 0..VISITS {
        // Steps of the golden ratio spread evenly, however many there are.
        let part = (f64::from(number) * 0.618).fract();
        thread::sleep(PAUSE_TIME.mul_f64(part));
        let began = Instant::now();
        visit(server.addr)?;
        waits.push(began.elapsed());
    }
    Ok(waits)
}

/// How long a few visits take, one after the other. Between two is a moment in which the server
/// surely looks in vain: who comes sooner may still meet it at the look before.
fn in_a_row(server: &Server, visit: Visit) -> Result<Duration, Unable> {
    let began = Instant::now();
    for _ in 0..IN_A_ROW {
        visit(server.addr)?;
        thread::sleep(A_MOMENT);
    }
    Ok(began.elapsed())
}

/// Least, mean, most.
fn spread(waits: &[Duration]) -> [Duration; 3] {
    let least = waits.iter().min().copied().unwrap_or_default();
    let most = waits.iter().max().copied().unwrap_or_default();
    [least, waits.iter().sum::<Duration>() / VISITS, most]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm;

    #[test]
    fn who_looks_now_and_then_serves_late() {
        confirm(&PAUSE);
    }
}
