//! A thread for each client against one thread for all: for one client, and for hundreds.

use super::looks::micros;
use super::threads;
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::{Cpus, Load, Series, Target, crowd, load};
use judge::check::server::Server;
use judge::check::suite::descriptor_limit;
use judge::process::observe;
use std::thread;
use std::time::Duration;

pub(super) const FEW_AND_MANY: Experiment = Experiment {
    name: "few_and_many",
    does: [
        "a thread each, or one for all: CPU a message, memory a client, with one client and 300",
        "一个客户端一个线程，或者共用一个：每条消息的 CPU、每个客户端的内存；客户端 1 个和 300 个",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "select/epoll的web server不一定比使用multi-threading",
            says: [
                "with few connections select and epoll are not always faster than threads",
                "（连接数不是很高时）",
            ],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "而是在于能处理更多的连接",
            says: [
                "the advantage of select and epoll: more connections",
                "（说的是 select/epoll 的优势）",
            ],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S3",
            quote: "线程的切换和线程池的大小问题就明显起来了",
            says: [
                "with very many connections the switching of threads is noticed",
                "（连接数很大时）",
            ],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "占用资源少,不消耗太多 CPU",
            says: [
                "select on one thread: few resources, not much CPU",
                "（说的是单线程的 select）",
            ],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "则无论多线程还是多进程都会严重占据系统资源",
            says: [
                "for hundreds or thousands, threads and processes take up the system's resources",
                "（要应付成百上千路连接时）",
            ],
            verdict: Verdict::Outdated,
        },
    ],
    run,
};

const MANY: usize = 300;
/// Processes are dear.
const PROCESSES: usize = 50;
const ROUNDS: usize = 3;

/// A program, and what was seen of it.
struct Measured {
    server: Server,
    /// Resident memory for each of many silent clients, in KiB, and how many threads they take.
    memory: f64,
    threads: usize,
    one: Figures,
    many: Figures,
}

/// Rounds under one load.
#[derive(Default)]
struct Figures {
    /// For one message: microseconds of CPU, and how often a thread went to sleep.
    cpu: Series,
    sleeps: Series,
}

/// In a thread of its own, for it is bound to a CPU.
fn run() -> Found {
    if descriptor_limit() < MANY + 100 {
        return Err(Unable::here(
            format!("fewer than {} descriptors are allowed here", MANY + 100),
            format!("这里允许的描述符不到 {} 个", MANY + 100),
        ));
    }
    thread::spawn(measured).join().unwrap_or_else(|_| Err("the measurement died".to_owned().into()))
}

fn measured() -> Found {
    let mut threads = silent("thread_per_connection", MANY)?;
    let mut epoll = silent("epoll_direct", MANY)?;
    let mut select = silent("select", MANY)?;
    let processes = silent("process_per_connection", PROCESSES)?.memory;
    // In turn, so that all of them have the same machine.
    for _ in 0..ROUNDS {
        for measured in [&mut threads, &mut epoll, &mut select] {
            under_load(&measured.server, 1, &mut measured.one)?;
        }
        for measured in [&mut threads, &mut epoll] {
            under_load(&measured.server, MANY, &mut measured.many)?;
        }
    }
    let [one_thread, one_epoll, one_select] =
        [&threads, &epoll, &select].map(|measured| measured.one.cpu());
    let [many_threads, many_epoll] = [&threads, &epoll].map(|measured| measured.many.cpu());
    let [switches, epoll_switches] = [&threads, &epoll].map(|measured| measured.many.sleeps());
    let (thread_count, epoll_count) = (threads.threads, epoll.threads);
    let (thread_kib, epoll_kib, select_kib) = (threads.memory, epoll.memory, select.memory);
    let thousand = thread_kib * 1000.0 / 1024.0;
    let [thread_time, epoll_time, select_time] = [one_thread, one_epoll, one_select].map(micros);
    let [many_thread_time, many_epoll_time] = [many_threads, many_epoll].map(micros);
    Ok(vec![
        Finding::new(
            // One of them that is no faster is enough.
            one_epoll.max(one_select) > 0.9 * one_thread,
            format!(
                "one client, CPU a message: a thread each {thread_time}, epoll_direct \
                 {epoll_time}, select {select_time}"
            ),
            format!(
                "一个客户端，每条消息用 CPU：一个客户端一个线程 {thread_time}，epoll_direct \
                 {epoll_time}，select {select_time}"
            ),
        ),
        Finding::new(
            thread_count > MANY && epoll_count == 1 && thread_kib > 4.0 * epoll_kib,
            format!(
                "{MANY} silent clients: {thread_count} threads, {thread_kib:.1} KiB for each \
                 client; epoll_direct {epoll_count} thread, {epoll_kib:.1} KiB"
            ),
            format!(
                "{MANY} 个空闲连接：{thread_count} 个线程，每个客户端 {thread_kib:.1} KiB；\
                 epoll_direct {epoll_count} 个线程，{epoll_kib:.1} KiB"
            ),
        ),
        Finding::new(
            switches > 2.0 * epoll_switches,
            format!(
                "{MANY} busy clients, a thread each: {switches:.2} switches a message, CPU \
                 {many_thread_time}; epoll_direct: {epoll_switches:.2}, {many_epoll_time} (all on \
                 one CPU)"
            ),
            format!(
                "{MANY} 个忙碌的客户端，一个客户端一个线程：每条消息切换 {switches:.2} 次，CPU \
                 {many_thread_time}；epoll_direct：{epoll_switches:.2} 次，{many_epoll_time}（都在一个 \
                 CPU 上）"
            ),
        ),
        Finding::new(
            select.threads == 1 && select_kib < 4.0 && one_select < 3.0 * one_thread,
            format!(
                "select: {} thread, {select_kib:.1} KiB for each of {MANY} clients, \
                 {select_time} of CPU a message with one client",
                select.threads
            ),
            format!(
                "select：{} 个线程，{MANY} 个客户端每个 {select_kib:.1} KiB；只有一个客户端时，\
                 每条消息用 CPU {select_time}",
                select.threads
            ),
        ),
        Finding::new(
            thread_kib < 64.0 && processes > thread_kib,
            format!(
                "1000 threads, reckoned from {MANY}: {thousand:.0} MiB ({thread_kib:.1} KiB each), \
                 kernel stacks and page tables not counted; a process: {processes:.0} KiB"
            ),
            format!(
                "由 {MANY} 个推算，1000 个线程 {thousand:.0} MiB（每个 {thread_kib:.1} KiB），内核栈和\
                 页表未计；一个进程 {processes:.0} KiB"
            ),
        ),
    ])
}

/// Starts a program, and looks at it with clients that have had one answer and are silent.
fn silent(program: &str, clients: usize) -> Result<Measured, Unable> {
    let server = Target::program(program)?.start()?;
    let pid = server.process.pid();
    // All on one CPU. A message that wakes another one costs whoever sends it many times as much,
    // and whether it does is otherwise the scheduler's mood.
    if let Some(cpus) = Cpus::choose(true) {
        cpus.fix(pid);
    }
    let memory = || observe::memory_share(pid).ok_or_else(not_seen);
    // The first client makes the program touch what all of them need.
    drop(crowd(server.addr, 1)?);
    let before = memory()?;
    let sitting = crowd(server.addr, clients)?;
    let grown = memory()?.saturating_sub(before) as f64 / 1024.0;
    let threads = observe::tasks(pid).len();
    let memory = grown / sitting.len() as f64;
    let (one, many) = (Figures::default(), Figures::default());
    Ok(Measured { server, memory, threads, one, many })
}

/// One round: what a message cost the server.
fn under_load(server: &Server, clients: usize, figures: &mut Figures) -> Result<(), Unable> {
    let pid = server.process.pid();
    let mut seen = Vec::new();
    let plan = Load { clients, size: 64, pipeline: 1, time: Duration::from_millis(200) };
    let answers = load(server.addr, plan, || seen.push((observe::cpu_clock(pid), sleeps(pid))))?;
    let [(Some(cpu_before), sleeps_before), (Some(cpu_after), sleeps_after)] = seen[..] else {
        return Err(not_seen());
    };
    let messages = answers.messages.max(1) as f64;
    let cpu = cpu_after.saturating_sub(cpu_before);
    figures.cpu.add(cpu.as_secs_f64() * 1e6 / messages);
    figures.sleeps.add(sleeps_after.saturating_sub(sleeps_before) as f64 / messages);
    Ok(())
}

impl Figures {
    fn cpu(&self) -> f64 {
        self.cpu.median().expect("there were rounds")
    }

    fn sleeps(&self) -> f64 {
        self.sleeps.median().expect("there were rounds")
    }
}

/// How often the threads that live have gone to sleep so far.
fn sleeps(pid: i32) -> u64 {
    observe::tasks(pid).into_iter().filter_map(|thread| threads::sleeps(pid, thread)).sum()
}

fn not_seen() -> Unable {
    Unable::here(
        "what a process uses is not seen on this system",
        "这个系统看不到进程用了多少 CPU 和内存",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm_where_seen;

    #[test]
    fn threads_are_as_good_for_one_and_dearer_for_hundreds() {
        confirm_where_seen(&FEW_AND_MANY);
    }
}
