//! A bounded number of threads, and connections that are kept: what either saves, and its end.

use super::looks::micros;
use super::visitor::{A_WHILE, PATIENCE, Visitor};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::check::server::Server;
use crate::measure::{Series, Target};
use crate::process::observe;
use std::collections::BTreeSet;
use std::time::Instant;

pub(super) const POOL: Experiment = Experiment {
    name: "pool",
    does: [
        "six clients at a pool of four threads; visits, with a new connection and without",
        "六个客户端面对四个线程的线程池；访问时新建连接，或者沿用旧连接",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "所谓“池”始终有其上限",
            says: ["a pool always has a limit", ""],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "“线程池”旨在减少创建和销毁线程的频率",
            says: ["a thread pool makes and ends threads less often", ""],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "“连接池”…尽量重用已有的连接",
            says: ["a connection pool reuses connections", ""],
            verdict: Verdict::Right,
        },
    ],
    run,
};

const WORKERS: usize = 4;
const CLIENTS: usize = 6;
const VISITS: usize = 8;
/// Exchanges in the comparison of old and new connections.
const EXCHANGES: usize = 200;

fn run() -> Found {
    let pool = Target::program("thread_pool")?.with("--workers", &WORKERS.to_string()).start()?;
    let (at_first, after) = answered(&pool)?;
    let pool_threads = threads_of_visits(&pool)?;
    let (kept, new) = kept_and_new(&pool)?;
    drop(pool);
    let each = Target::program("thread_per_connection")?.start()?;
    let each_threads = threads_of_visits(&each)?;
    let ratio = new / kept;
    let (kept_time, new_time) = (micros(kept), micros(new));
    let waiting = CLIENTS - WORKERS;
    Ok(vec![
        Finding::new(
            at_first == WORKERS && after == [1; CLIENTS - WORKERS],
            format!(
                "{CLIENTS} clients, {WORKERS} workers: {at_first} answered; then one more each \
                 time one leaves: {after:?}"
            ),
            format!(
                "{CLIENTS} 个客户端，{WORKERS} 个工作线程：{at_first} 个得到回答，{waiting} \
                 个在等；之后每走一个，又回答 {after:?} 个"
            ),
        ),
        Finding::new(
            pool_threads <= WORKERS + 1 && each_threads == VISITS + 1,
            format!(
                "threads seen in {VISITS} visits, the main one included: the pool {pool_threads}, \
                 always the same; thread_per_connection {each_threads}, a new one each time"
            ),
            format!(
                "{VISITS} 次来访，连主线程在内：线程池一共只见到 {pool_threads} 个线程；\
                 thread_per_connection 每次新建一个，见到 {each_threads} 个"
            ),
        ),
        Finding::new(
            ratio > 1.5,
            format!("a message on a kept connection {kept_time}, on a new one {new_time}"),
            format!("一条消息，沿用连接 {kept_time}，新建连接 {new_time}"),
        ),
    ])
}

/// How many of more clients than there are workers are answered, and how many more each time that
/// one of those leaves.
fn answered(pool: &Server) -> Result<(usize, Vec<usize>), Unable> {
    let mut visitors = Vec::new();
    for _ in 0..CLIENTS {
        let mut visitor = Visitor::connect(pool.addr)?;
        visitor.ask()?;
        visitors.push(visitor);
    }
    // The pool takes them as they came.
    let mut served = visitors;
    let mut waiting = served.split_off(WORKERS);
    let mut at_first = 0;
    for visitor in &mut served {
        at_first += usize::from(visitor.answered(PATIENCE)?);
    }
    for visitor in &mut waiting {
        at_first += usize::from(visitor.answered(A_WHILE)?);
    }
    let mut after = Vec::new();
    for _ in 0..waiting.len() {
        served.pop();
        let mut first = waiting.remove(0);
        let mut count = usize::from(first.answered(PATIENCE)?);
        for visitor in &mut waiting {
            count += usize::from(visitor.answered(A_WHILE)?);
        }
        after.push(count);
        served.insert(0, first);
    }
    Ok((at_first, after))
}

/// How many different threads the server had while clients came and left, one after the other.
fn threads_of_visits(server: &Server) -> Result<usize, Unable> {
    let mut seen = BTreeSet::new();
    for _ in 0..VISITS {
        let mut visitor = Visitor::connect(server.addr)?;
        visitor.exchange()?;
        seen.extend(observe::tasks(server.process.pid()));
    }
    if seen.is_empty() {
        return Err(Unable::here("its threads are not seen here", "这里看不到它的线程"));
    }
    Ok(seen.len())
}

/// Microseconds for one message: on a connection that is kept, and with a new one each time, in
/// turn, so that both have the same machine.
fn kept_and_new(server: &Server) -> Result<(f64, f64), Unable> {
    let mut visitor = Visitor::connect(server.addr)?;
    let (mut kept, mut new) = (Series::default(), Series::default());
    for _ in 0..EXCHANGES {
        kept.add(visitor.exchange()?.as_secs_f64() * 1e6);
        let began = Instant::now();
        Visitor::connect(server.addr)?.exchange()?;
        new.add(began.elapsed().as_secs_f64() * 1e6);
    }
    let median = |series: Series| series.median().expect("there were exchanges");
    Ok((median(kept), median(new)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::trial::confirms;

    #[test]
    fn a_pool_has_an_end_and_makes_no_more_threads() {
        confirms(&POOL);
    }
}
