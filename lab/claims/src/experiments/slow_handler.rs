//! A handler that takes its time, in the loop and beside it.

use super::threads::Count;
use super::visitor::{Visitor, seconds};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::Target;
use judge::check::server::Server;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const SLOW_HANDLER: Experiment = Experiment {
    name: "slow_handler",
    does: [
        "three clients at once ask a server that takes 0.3 s for an answer",
        "三个客户端同时请求一个要 0.3 秒才回复的服务端",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "一旦事件响应的执行体庞大,则对整个模型是灾难性的",
            says: ["a large handler is a disaster for the whole model", ""],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S0",
            quote: "一个串行的方法怎么可能实现并行的效果",
            says: ["how can a serial method have the effect of a parallel one?", ""],
            verdict: Verdict::Incomplete,
        },
    ],
    run,
};

const DELAY: Duration = Duration::from_millis(300);

fn run() -> Found {
    let (in_the_loop, _) = answers("slow_reply_sleep")?;
    let (by_deadline, threads) = answers("slow_reply_timer")?;
    let listed = |with| [in_the_loop, by_deadline].map(|times| times.map(seconds).join(with));
    let ([sleep, timer], [sleep_zh, timer_zh]) = (listed(", "), listed("、"));
    // Sleeping never takes less than was asked for, so these two do not depend on the machine.
    let one_by_one = in_the_loop[1] >= 2 * DELAY && in_the_loop[2] >= 3 * DELAY;
    let together = by_deadline[2] < 2 * DELAY;
    Ok(vec![
        Finding::new(
            one_by_one && together,
            format!("the loop sleeps: answered after {sleep}; it waits for a deadline: {timer}"),
            format!("在循环里睡眠：{sleep_zh} 后得到回复；改为等截止时间：{timer_zh}"),
        ),
        Finding::new(
            together && threads.may_be(1),
            format!(
                "concurrent, not parallel: 3 × {} of waiting in {} (threads: {threads}); whatever \
                 keeps a thread busy is done one by one",
                seconds(DELAY),
                seconds(by_deadline[2])
            ),
            format!(
                "是并发，不是并行：线程数 {threads}，用 {} 完成了 3 × {} 的等待；真正占着线程的事，\
                 只能一件一件来",
                seconds(by_deadline[2]),
                seconds(DELAY)
            ),
        ),
    ])
}

/// When three clients that ask together are answered, and how many threads the server has.
fn answers(program: &str) -> Result<([Duration; 3], Count), Unable> {
    let delay = DELAY.as_secs_f64().to_string();
    let server = Target::program(program)?.with("--delay", &delay).start()?;
    let mut times = ask_together(&server)?;
    times.sort_unstable();
    let threads = Count::of(server.process.pid());
    Ok((times, threads))
}

fn ask_together(server: &Server) -> Result<[Duration; 3], String> {
    let connect = || Visitor::connect(server.addr).map_err(|error| common::reason(&error));
    let mut visitors = [connect()?, connect()?, connect()?];
    // One beginning for all: a client that asked a moment later had to wait a moment less.
    let began = Instant::now();
    let times = thread::scope(|scope| {
        let asking = visitors
            .each_mut()
            .map(|visitor| scope.spawn(move || visitor.exchange().map(|_| began.elapsed())));
        asking.map(|asking| asking.join().unwrap_or_else(|_| Err("the client died".to_owned())))
    });
    let [first, second, third] = times;
    Ok([first?, second?, third?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm;

    #[test]
    fn a_handler_that_sleeps_is_everybodys() {
        confirm(&SLOW_HANDLER);
    }
}
