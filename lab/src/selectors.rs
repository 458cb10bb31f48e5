//! `lab selectors`: what the calls of selector libraries cost, the course's and others.
//!
//! Each library has a process of its own (`peers/src/bin/selector_costs.rs`), with its own idle
//! sockets. They take turns of some milliseconds, so that what else the machine does hits all of
//! them alike.

use crate::bench::peers;
use claims::measure::{Cpus, Series};
use clap::Args;
use comfy_table::Table;
use judge::check::report::complain;
use judge::ended::{Ended, exit};
use judge::language::{Language, said};
use judge::progress::{progress, while_saying};
use judge::table::{figures_from, say, table};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

/// Measure what the calls of the library `selectors` cost, beside polling, mio and Python
///
/// The time of register, modify, unregister, of a wait that finds one of many ready, and of a
/// wake-up, with up to 20,000 sockets registered (as many as the descriptors allow). Takes about 15
/// seconds, after a first build of a minute.
#[derive(Debug, Args)]
pub struct SelectorsArgs {
    /// The most sockets that are registered
    #[arg(long, default_value_t = 20_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    most: u32,

    /// Rounds
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// The language of the report
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

/// The course's; and the system's own calls, through libc and nothing else.
const OURS: &str = "selectors";
const BARE: &str = "epoll";
/// The columns of the table, and what our figures are compared with.
const LIBRARIES: [&str; 5] = [OURS, BARE, "polling", "mio", PYTHON];
const OTHERS: [&str; 3] = [BARE, "polling", "mio"];
const PYTHON: &str = "Python";

/// What a round measures, in this order.
const CALLS: [[&str; 2]; 6] = [
    ["register", "register"],
    ["modify", "modify"],
    ["unregister", "unregister"],
    ["wait, one ready", "等待，一个就绪"],
    ["wake, same thread", "唤醒，同一线程"],
    ["wake, other thread", "唤醒，另一线程"],
];

/// How often each call is made in a round.
const TIMES: u32 = 2000;
/// Descriptors that a process needs for itself.
const SPARE: usize = 60;

/// Runs `lab selectors`.
#[must_use]
pub fn main(args: &SelectorsArgs) -> ExitCode {
    args.lang.speak();
    exit(run(args))
}

fn run(args: &SelectorsArgs) -> Result<usize, Ended> {
    let allowed = judge::check::suite::descriptor_limit().saturating_sub(SPARE);
    let most = allowed.min(args.most as usize);
    let mut sizes: Vec<_> = [1, 100].into_iter().filter(|&size| size < most).collect();
    sizes.push(most);
    let mut libraries = libraries()?;
    let bar = progress(sizes.len() * args.rounds as usize);
    // For each size and library: what each call cost.
    let mut costs = vec![vec![<[Series; CALLS.len()]>::default(); libraries.len()]; sizes.len()];
    for (size, costs) in sizes.iter().zip(&mut costs) {
        bar.set_message(said!("{size} registered", "已注册 {size} 个"));
        for _ in 0..args.rounds {
            for (library, costs) in libraries.iter_mut().zip(&mut *costs) {
                for (cost, series) in library.round(*size, TIMES)?.into_iter().zip(costs) {
                    series.add(cost);
                }
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let names: Vec<_> = libraries.iter().map(|library| library.name).collect();
    let table = in_a_table(&sizes, &names, &costs, args.lang);
    say(&format!("{table}\n{}\n", conditions(args, most)))?;
    Ok(0)
}

/// One library's process. It ends when its standard input does.
struct Library {
    name: &'static str,
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Library {
    fn drop(&mut self) {
        // It may be in the middle of a round that nobody asks for any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// All that this machine can run, started.
fn libraries() -> Result<Vec<Library>, String> {
    let message = said!(
        "building the libraries (a minute the first time)",
        "编译用来对比的库（第一次要一分钟）"
    );
    let program = while_saying(message, || peers::built()?.named("selector_costs"))?;
    let mut libraries = Vec::new();
    for name in LIBRARIES {
        let command: [OsString; 2] = match name {
            PYTHON => match peers::python() {
                Some(python) => [python.into(), peers::script("selector_costs.py").into()],
                None => {
                    complain(&said!(
                        "python3 is not installed: it is left out",
                        "没有安装 python3：略去"
                    ));
                    continue;
                }
            },
            BARE if !cfg!(target_os = "linux") => continue,
            _ => [program.clone().into(), name.into()],
        };
        libraries.push(Library::start(name, &command)?);
    }
    Ok(libraries)
}

impl Library {
    fn start(name: &'static str, [program, argument]: &[OsString; 2]) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|why| in_words(name, &why))?;
        let requests = process.stdin.take().expect("it is a pipe");
        let answers = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let mut library = Self { name, process, requests, answers };
        // When it answers, its second thread is there, too, to be bound to the same CPU.
        library.round(1, 1)?;
        if let (Some(cpus), Ok(pid)) = (Cpus::choose(false), library.process.id().try_into()) {
            cpus.fix(pid);
        }
        Ok(library)
    }

    /// Nanoseconds for each of [`CALLS`].
    fn round(&mut self, others: usize, times: u32) -> Result<Vec<f64>, String> {
        let mut answer = String::new();
        writeln!(self.requests, "{others} {times}")
            .and_then(|()| self.answers.read_line(&mut answer))
            .map_err(|why| in_words(self.name, &why))?;
        let costs: Vec<f64> =
            answer.split(' ').filter_map(|word| word.trim().parse().ok()).collect();
        if costs.len() == CALLS.len() {
            Ok(costs)
        } else {
            let name = self.name;
            Err(said!(
                "{name}: no figures, but {answer:?}",
                "{name}：没有给出数字，而是 {answer:?}"
            ))
        }
    }
}

fn in_words(name: &str, why: &std::io::Error) -> String {
    format!("{name}: {}", common::reason(why))
}

fn in_a_table(
    sizes: &[usize],
    names: &[&str],
    costs: &[Vec<[Series; CALLS.len()]>],
    language: Language,
) -> Table {
    let mut table = table(language.pick([
        ["ns", "others", OURS, BARE, "polling", "mio", PYTHON, "÷ epoll", "÷ polling", "÷ mio"],
        ["ns", "其他", OURS, BARE, "polling", "mio", PYTHON, "÷ epoll", "÷ polling", "÷ mio"],
    ]));
    for (call, words) in CALLS.iter().enumerate() {
        for (size, costs) in sizes.iter().zip(costs) {
            let cost = |library: &str| {
                costs[names.iter().position(|&name| name == library)?][call].median()
            };
            let mut row = vec![language.pick(*words).to_owned(), size.to_string()];
            row.extend(LIBRARIES.map(|name| shown(cost(name), 0)));
            row.extend(OTHERS.map(|name| {
                shown(cost(OURS).zip(cost(name)).map(|(ours, other)| ours / other), 2)
            }));
            table.add_row(row);
        }
    }
    figures_from(&mut table, 1, &[7, 6, 3]);
    table
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

/// What the rows and columns are, and under what conditions that was.
fn conditions(args: &SelectorsArgs, most: usize) -> String {
    let rounds = args.rounds;
    let cpu = match Cpus::choose(false) {
        Some(Cpus { server, .. }) => said!(", all on CPU {server}", "，都在 CPU {server} 上"),
        None => String::new(),
    };
    let mut text = said!(
        "ns: nanoseconds for one call; others: how many other sockets are registered, all idle;\n\
         ÷: selectors, divided by that one. Medians of {rounds} rounds of {TIMES} calls; the\n\
         libraries in turn{cpu}.\n\
         selectors has a table of the sockets and their data, which is included; with the others\n\
         the program keeps one, which is not. epoll: the system calls alone, through libc, which\n\
         polling does without. polling is level-triggered here (in its default mode each event\n\
         also costs a modify), mio is edge-triggered. Python has no waker: a pair of sockets, as\n\
         in asyncio.",
        "ns：每次调用的纳秒数；其他：另外注册了多少个套接字，全都空闲；÷：selectors 除以它。\n\
         {rounds} 轮的中位数，每轮 {TIMES} 次调用；各库轮流{cpu}。\n\
         selectors 自己有一张表，记着套接字和它们的数据，已计入；\
         用别的库时由程序来记，未计入。\n\
         epoll：只有系统调用本身，经由 libc；polling 的系统调用不经 libc。\n\
         polling 在这里是水平触发（它的默认方式下，每个事件还要一次 modify），\
         mio 是边缘触发。\n\
         Python 没有唤醒器：用一对套接字，同 asyncio。"
    );
    if most < args.most as usize {
        text += &said!(
            "\nNo more than {most}: the system allows no more descriptors (ulimit -Hn).",
            "\n最多 {most} 个：描述符只允许这么多（ulimit -Hn）。"
        );
    }
    text
}
