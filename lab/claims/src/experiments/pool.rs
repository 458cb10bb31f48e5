//! A bounded number of threads, and connections that are kept: what either saves, and its end.

use super::looks::micros;
use super::visitor::{A_WHILE, PATIENCE, Visitor};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::{Series, Target};
use judge::check::server::Server;
use judge::process::observe;
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
            quote: "“连接池”…尽量重用已有的连接",
            says: ["a connection pool reuses connections", ""],
            verdict: Verdict::Right,
        },
    ],
    run: pool,
};

pub(super) const POOL_THREADS: Experiment = Experiment {
    name: "pool_threads",
    does: [
        "which threads serve eight clients, one after the other: a pool's, and one for each",
        "八个客户端先后来访，由哪些线程服务：线程池，和一个客户端一个线程",
    ],
    claims: &[Claim {
        note: "S2",
        quote: "“线程池”旨在减少创建和销毁线程的频率",
        says: ["a thread pool makes and ends threads less often", ""],
        verdict: Verdict::Right,
    }],
    run: pool_threads,
};

const WORKERS: usize = 4;
const CLIENTS: usize = 6;
const VISITS: usize = 8;
/// Exchanges in the comparison of old and new connections.
const EXCHANGES: usize = 200;

fn pool() -> Found {
    let pool = start_pool()?;
    let (at_first, after) = answered(&pool)?;
    let (kept, new) = kept_and_new(&pool)?;
    let more: Vec<_> = after.iter().map(ToString::to_string).collect();
    let (more_en, more_zh) = (more.join(", "), more.join("、"));
    let (kept_time, new_time) = (micros(kept), micros(new));
    Ok(vec![
        Finding::new(
            at_first == WORKERS && after == [1; CLIENTS - WORKERS],
            format!(
                "{CLIENTS} clients, {WORKERS} workers: {at_first} answered; then, as each of \
                 those leaves, so many more: {more_en}"
            ),
            format!(
                "{CLIENTS} 个客户端，{WORKERS} 个工作线程：{at_first} 个得到回复；之后每断开一个，\
                 多几个得到回复：{more_zh}"
            ),
        ),
        Finding::new(
            new > 1.5 * kept,
            format!("a message on a kept connection {kept_time}, on a new one {new_time}"),
            format!("一条消息，沿用连接 {kept_time}，新建连接 {new_time}"),
        ),
    ])
}

fn pool_threads() -> Found {
    let pool = threads_of_visits(&start_pool()?)?;
    let each = threads_of_visits(&Target::program("thread_per_connection")?.start()?)?;
    Ok(vec![Finding::new(
        pool <= WORKERS + 1 && each == VISITS + 1,
        format!(
            "{VISITS} visits, threads seen, the main one included: a pool of {WORKERS}: {pool}, \
             the same all the time; thread_per_connection: {each}, a new one each time"
        ),
        format!(
            "{VISITS} 次来访，见到的线程，连主线程在内：{WORKERS} 个线程的线程池 {pool} 个，始终是\
             这几个；thread_per_connection {each} 个，每次新建一个"
        ),
    )])
}

fn start_pool() -> Result<Server, String> {
    Target::program("thread_pool")?.with("--workers", &WORKERS.to_string()).start()
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
    use crate::experiments::{confirm, confirm_where_seen};

    #[test]
    fn a_pool_has_an_end() {
        confirm(&POOL);
    }

    #[test]
    fn a_pool_makes_no_more_threads() {
        confirm_where_seen(&POOL_THREADS);
    }
}
