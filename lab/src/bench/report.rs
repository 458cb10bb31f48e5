//! The figures as a table, or as CSV.

use super::BenchArgs;
use super::measured::Measured;
use crate::measure::{Cpus, Series};
use crate::table::{figures_from, say, table};
use std::io;

/// What stands where nothing could be measured.
const UNSEEN: &str = "–";

pub(super) fn print(measured: &[Measured], args: &BenchArgs) -> io::Result<()> {
    if args.csv { say(&csv(measured)) } else { say(&in_a_table(measured, args)) }
}

fn in_a_table(measured: &[Measured], args: &BenchArgs) -> String {
    let mut table = table([
        "server",
        "CPU µs",
        "least–most",
        "ratio",
        "messages/s",
        "p50 µs",
        "p99 µs",
        "idle KiB",
        "calls",
    ]);
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
    let idle = if args.idle > 0 { format!(" and {} idle", args.idle) } else { String::new() };
    let cpus = match Cpus::choose(args.one_cpu) {
        Some(cpus) if cpus.server != cpus.clients => {
            format!("servers on CPU {}, clients on CPU {}", cpus.server, cpus.clients)
        }
        Some(cpus) => format!("servers and clients on CPU {}", cpus.server),
        None => "on any CPU".to_owned(),
    };
    let rounds =
        if args.rounds == 1 { "1 round".into() } else { format!("{} rounds", args.rounds) };
    let mut text = format!(
        "CPU µs: of the server, for each message; calls: its system calls for a message of one \
         client alone;\nidle KiB: its memory for each silent client.\n{} talking {}{idle}, {} bytes; medians of {rounds} of {} s, servers in turn; {cpus}.",
        args.clients,
        if args.clients == 1 { "client" } else { "clients" },
        args.size,
        args.seconds.as_secs_f64(),
    );
    let others = measured.iter().filter_map(|one| one.others.median()).fold(0.0, f64::max);
    if others > 0.2 {
        text += &format!(
            "\nOther programs used up to {others:.1} CPUs meanwhile: trust no small difference."
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
