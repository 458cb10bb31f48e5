//! The figures as a table, or as CSV.

use super::BenchArgs;
use super::measured::Measured;
use claims::measure::{Cpus, Series};
use judge::check::client::bytes;
use judge::language::{Language, said};
use judge::table::{figures_from, say, table};
use std::io;

/// What stands where nothing could be measured.
const UNSEEN: &str = "–";

pub(super) fn print(measured: &[Measured], args: &BenchArgs) -> io::Result<()> {
    if args.csv { say(&csv(measured)) } else { say(&in_a_table(measured, args)) }
}

fn in_a_table(measured: &[Measured], args: &BenchArgs) -> String {
    let mut table = table(args.lang.pick([
        [
            "server",
            "CPU µs",
            "least–most",
            "ratio",
            "messages/s",
            "p50 µs",
            "p99 µs",
            "idle KiB",
            "calls",
        ],
        [
            "服务端",
            "CPU µs",
            "最小–最大",
            "倍数",
            "消息/秒",
            "p50 µs",
            "p99 µs",
            "空闲 KiB",
            "调用",
        ],
    ]));
    for one in measured {
        let figure = |series: &Series, digits| shown(series.median(), digits);
        let spread = one.cpu.spread();
        table.add_row([
            one.target.name.clone(),
            figure(&one.cpu, 2),
            spread.map_or(UNSEEN.into(), |(least, most)| format!("{least:.2}–{most:.2}")),
            ratio(one, measured).map_or(UNSEEN.into(), |ratio| format!("{ratio:.2}×")),
            figure(&one.rate, 0),
            figure(&one.p50, 0),
            figure(&one.p99, 0),
            shown(one.idle_memory.map(|bytes| bytes / 1024.0), 2),
            shown(one.calls, 2),
        ]);
    }
    figures_from(&mut table, 1, &[7, 8, 6, 2]);
    format!("{table}\n{}\n", conditions(measured, args))
}

/// What the columns are, under what conditions that was, and what else the machine did.
fn conditions(measured: &[Measured], args: &BenchArgs) -> String {
    let BenchArgs { clients, rounds, idle, .. } = args;
    let (seconds, size) = (args.seconds.as_secs_f64(), bytes(args.size.into()));
    let cpus = match Cpus::choose(args.one_cpu) {
        Some(Cpus { server, clients }) if server != clients => said!(
            "servers on CPU {server}, clients on CPU {clients}",
            "服务端在 CPU {server} 上，客户端在 CPU {clients} 上"
        ),
        Some(Cpus { server, .. }) => {
            said!("servers and clients on CPU {server}", "服务端和客户端都在 CPU {server} 上")
        }
        None => said!("on any CPU", "不绑定 CPU"),
    };
    let idle = match idle {
        0 => String::new(),
        _ => said!(" and {idle} idle", "，另有 {idle} 个空闲连接"),
    };
    let under_way = match args.pipeline {
        1 => String::new(),
        count => said!(", {count} of each under way", "，各有 {count} 条同时在途"),
    };
    let chunk =
        args.chunk.map_or(String::new(), |chunk| said!(", --chunk {chunk}", "，--chunk {chunk}"));
    let plural = |count: u32| if count == 1 { "" } else { "s" };
    let mut text = match args.lang {
        Language::English => format!(
            "CPU µs: of the server, for each message; calls: its system calls for a message\n\
             of one client alone; idle KiB: its memory for each idle client.\n\
             {clients} talking client{}{idle}, {size}{under_way}{chunk}; medians of {rounds} round{} of {seconds} s, \
             servers in\nturn; {cpus}.",
            plural(*clients),
            plural(*rounds)
        ),
        Language::Chinese => format!(
            "CPU µs：服务端处理每条消息的 CPU 时间；调用：只有一个客户端时每条消息的系统调用数；\n\
             空闲 KiB：每个空闲连接占用的服务端内存。\n\
             {clients} 个客户端在收发{idle}，每条消息 {size}{under_way}{chunk}；\
             {rounds} 轮的中位数，每轮 {seconds} 秒，\n\
             各服务端轮流；{cpus}。"
        ),
    };
    let others = measured.iter().filter_map(|one| one.others.median()).fold(0.0, f64::max);
    if others > 0.2 {
        text += &said!(
            "\nOther programs used up to {others:.1} CPUs meanwhile: trust no small difference.",
            "\n其间别的程序最多占用 {others:.1} 个 CPU：小的差别不可信。"
        );
    }
    text
}

/// CPU time in proportion to the first server's.
fn ratio(one: &Measured, all: &[Measured]) -> Option<f64> {
    Some(one.cpu.median()? / all.first()?.cpu.median()?)
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or(UNSEEN.to_owned(), |value| format!("{value:.digits$}"))
}

fn csv(measured: &[Measured]) -> String {
    let series = ["cpu_us_per_message", "messages_per_s", "p50_us", "p99_us"];
    let mut text = String::from("server");
    for name in series {
        text += &format!(",{name},{name}_least,{name}_most");
    }
    text += ",cpu_ratio,idle_bytes,calls_per_message\n";
    for one in measured {
        // A name is a command line, and may contain anything.
        text += &format!("\"{}\"", one.target.name.replace('"', "\"\""));
        for series in [&one.cpu, &one.rate, &one.p50, &one.p99] {
            let (least, most) = series.spread().unzip();
            for value in [series.median(), least, most] {
                text += &format!(",{}", value.map_or(String::new(), |value| format!("{value:.3}")));
            }
        }
        for value in [ratio(one, measured), one.idle_memory, one.calls] {
            text += &format!(",{}", value.map_or(String::new(), |value| format!("{value:.3}")));
        }
        text.push('\n');
    }
    text
}
