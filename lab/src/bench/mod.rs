//! `lab bench`: servers side by side, in one run.
//!
//! What a message costs on a machine today is not what it cost yesterday, or costs beside a
//! compiler. So no figure stands alone: all servers take turns, round by round, each started anew,
//! and what counts are the ratios of medians.

mod measured;
pub(crate) mod peers;
mod report;

use claims::measure::strace::Strace;
use claims::measure::{Cpus, Load, Target};
use clap::Args;
use judge::check::programs;
use judge::check::report::complain;
use judge::check::subject::Gives;
use judge::ended::{Ended, exit};
use judge::language::{Language, said};
use judge::progress::progress;
use measured::{Measured, Setup};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Compare servers: CPU time, throughput, latency, memory and system calls of a message
///
/// Each server has a CPU of its own, and the clients have another, where the system and the machine
/// allow it. A client sends a message, waits for its answer, and sends the next at once. Ratios are
/// of CPU time, to the first server of the table.
///
///   lab bench                             the course's models
///   lab bench epoll_direct poll           two of its programs
///   lab bench epoll --vs 'python3 server.py'
///   lab bench epoll_direct uring --clients 4 --pipeline 64 --size 16384 --chunk 65536 --one-cpu
///                                         large messages, in streams
///   lab bench --peers                     beside mio, tokio, polling, and the notes' Python
///
/// COMMAND is run by the shell; it is an echo server, and prints `listening on HOST:PORT`.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct BenchArgs {
    /// Programs of the course; the first is what the others are compared with
    #[arg(value_name = "PROGRAM")]
    programs: Vec<String>,

    /// Another server; may be given several times
    #[arg(long, value_name = "COMMAND")]
    vs: Vec<String>,

    /// Also small servers on mio, tokio and polling, built first, and the notes' in Python
    #[arg(long)]
    peers: bool,

    /// Clients that talk all the time
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,

    /// Clients that are connected beside them and silent
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    idle: u32,

    /// Bytes of a message
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    size: u32,

    /// Messages that each client has under way: with more than one it sends a stream, and waits for
    /// no answer
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pipeline: u32,

    /// What one recv of the course's programs may take (otherwise 1024, as in the notes)
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    chunk: Option<u32>,

    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// How long each server is loaded in a round
    #[arg(long, default_value = "1", value_parser = seconds)]
    seconds: Duration,

    /// Server and clients on one CPU: no cross-CPU wake-ups, so figures repeat better; throughput
    /// and latency then contain the clients' own work
    #[arg(long)]
    one_cpu: bool,

    /// The figures as CSV
    #[arg(long)]
    csv: bool,

    /// The language of the report
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

/// What is compared when nothing is named: each model once, the fewest system calls first.
const MODELS: [&str; 10] = [
    "epoll_direct",
    "epoll",
    "epoll_edge",
    "poll",
    "select",
    "selectors",
    "coroutines",
    "uring",
    "thread_per_connection",
    "nonblocking",
];

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.05..=600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("0.05 to 600".to_owned())
    }
}

/// Runs `lab bench`.
#[must_use]
pub fn main(args: &BenchArgs) -> ExitCode {
    args.lang.speak();
    exit(targets(args).and_then(|targets| {
        report::print(&measure(&targets, args)?, args)?;
        Ok(0)
    }))
}

/// Everything that is to be measured, built.
fn targets(args: &BenchArgs) -> Result<Vec<Target>, Ended> {
    let limit = judge::check::suite::descriptor_limit();
    let wanted = args.clients as usize + args.idle as usize;
    if wanted.max(measured::MANY) + 100 > limit {
        let needed = wanted.max(measured::MANY) + 100;
        let why = said!(
            "{wanted} clients: the system allows {limit} descriptors, and {needed} are needed \
             (ulimit -Hn)",
            "{wanted} 个客户端：系统只允许 {limit} 个描述符，需要 {needed} 个（ulimit -Hn）"
        );
        return Err(Ended::Failed(why));
    }
    let mut rows = Vec::new();
    let nothing_named = args.programs.is_empty() && args.vs.is_empty();
    let models = MODELS.iter().filter(|_| nothing_named);
    for row in models.map(|name| programs::answering(name)) {
        rows.extend(row.map_err(Ended::Usage).ok().filter(|row| row.here));
    }
    for name in &args.programs {
        let row = programs::answering(name).map_err(Ended::Usage)?;
        if row.gives == Gives::AnswersOne && wanted > 1 {
            let why = said!(
                "{} serves one client at a time: try --clients 1",
                "{} 一次只服务一个客户端：请用 --clients 1",
                row.name
            );
            return Err(Ended::Usage(why));
        }
        rows.push(row);
    }
    let bar = progress(1);
    let mut targets = Vec::new();
    for row in rows {
        bar.set_message(said!(
            "building {} (a few minutes the first time)",
            "编译 {}（第一次要几分钟）",
            row.binary
        ));
        let target = Target::row(row)?;
        targets.push(match args.chunk {
            Some(chunk) => target.with("--chunk", &chunk.to_string()),
            None => target,
        });
    }
    targets.extend(args.vs.iter().map(|command| named_after(command)));
    if args.peers {
        bar.set_message(said!(
            "building the peers (a few minutes the first time)",
            "编译用来对比的服务端（第一次要几分钟）"
        ));
        targets.extend(peers::all()?);
    }
    bar.finish_and_clear();
    Ok(targets)
}

/// Somebody's server: called as its command is, for there may be several of one program.
fn named_after(command: &str) -> Target {
    const LONGEST: usize = 30;
    let mut name = command.trim().to_owned();
    if let Some((cut, _)) = name.char_indices().nth(LONGEST) {
        name.truncate(cut);
        name.push('…');
    }
    let words = ["/bin/sh", "-c", &format!("exec {command}")];
    Target::command(&name, words.map(Into::into).to_vec())
}

fn measure(targets: &[Target], args: &BenchArgs) -> Result<Vec<Measured>, String> {
    let setup = Setup {
        load: Load {
            clients: args.clients as usize,
            size: args.size as usize,
            pipeline: args.pipeline as usize,
            time: args.seconds,
        },
        idle: args.idle as usize,
        cpus: Cpus::choose(args.one_cpu),
    };
    let mut measured: Vec<_> = targets.iter().map(|target| Measured::new(target.clone())).collect();
    let bar = progress(measured.len() * (args.rounds as usize + 1));
    let strace = Strace::find().map_err(|why| {
        let why = why.of(args.lang);
        complain(&said!("no calls counted: {why}", "无法统计系统调用：{why}"));
    });
    let strace = strace.ok();
    for one in &mut measured {
        let name = &one.target.name;
        bar.set_message(said!("{name}: memory, system calls", "{name}：内存、系统调用"));
        one.once(&setup, strace.as_ref())?;
        bar.inc(1);
    }
    let rounds = args.rounds as usize * measured.len();
    let began = Instant::now();
    for round in 0..args.rounds as usize {
        for (index, one) in (0..).zip(&mut measured) {
            let done = round * targets.len() + index;
            let left = left(rounds, done, began.elapsed(), args.seconds).as_secs();
            let name = &one.target.name;
            bar.set_message(said!("{name}, about {left} s left", "{name}，还要约 {left} 秒"));
            one.round(&setup)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(measured)
}

/// How long the rounds that are left will take: as long as each of those `done` took, and no less
/// than the time under load. What came before the rounds is quick, and says nothing about them.
fn left(rounds: usize, done: usize, spent: Duration, loaded: Duration) -> Duration {
    let each = if done == 0 { loaded } else { loaded.max(spent.div_f64(done as f64)) };
    each.mul_f64((rounds - done) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_rounds_left() {
        let seconds = Duration::from_secs;
        assert_eq!(left(40, 0, seconds(0), seconds(1)), seconds(40), "before the first");
        assert_eq!(left(40, 10, seconds(20), seconds(1)), seconds(60), "a start takes time, too");
        assert_eq!(left(40, 40, seconds(80), seconds(1)), seconds(0));
    }
}
