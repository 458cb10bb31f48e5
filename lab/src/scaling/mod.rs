//! `lab scaling`: what clients cost that say nothing.
//!
//! One client talks; the others are connected and silent, more of them at each point. A model that
//! hands its whole list over at each wait pays for every one of them with every message.

mod data;
mod line;

use crate::check::programs::{self, Program};
use crate::check::report::complain;
use crate::measure::{Cpus, Load, Target, crowd, load};
use crate::process::observe;
use crate::table::{figures_from, say, table};
use clap::Args;
use data::{Data, Row};
use indicatif::{ProgressBar, ProgressStyle};
use line::Line;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measure what silent connections cost: CPU time of a message against their number
///
/// One client talks, on the server's own CPU; up to 20,000 others are connected and silent (as many
/// as the descriptors allow). Prints a straight line fitted to the points of each server: what a
/// message costs, and what each silent connection adds to it. Takes about three minutes.
///
/// Writes the points to scaling.csv, for any program that draws; `lab figures` draws the course's.
#[derive(Debug, Args)]
pub struct ScalingArgs {
    /// Programs of the course, instead of one for each model
    #[arg(value_name = "PROGRAM")]
    programs: Vec<String>,

    /// The most silent connections
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    most: u32,

    /// Rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Where to write the points
    #[arg(long, short, value_name = "FILE", default_value = "scaling.csv")]
    output: PathBuf,
}

/// Each model that can hold as many; a thread each ends at some 16,000 (vm.max_map_count).
const MODELS: [&str; 6] = ["select", "poll", "nonblocking", "epoll", "selectors", "uring"];

/// How long each point is measured.
const TIME: Duration = Duration::from_millis(300);
/// Descriptors that server and laboratory need for themselves.
const SPARE: usize = 60;
/// What is below the limit of a server that has one: select's 1024 descriptors, a pool's workers.
const SHORT_OF_1024: usize = 1000;

/// A server, and how far it goes.
struct Measured {
    target: Target,
    most: usize,
    /// Why not to the end.
    limit: Option<String>,
    /// It gave up in a round: the next would be no better.
    ended: bool,
}

/// Why there is nothing to show.
enum Ended {
    Usage(String),
    Failed(String),
}

/// Runs `lab scaling`.
#[must_use]
pub fn main(args: &ScalingArgs) -> ExitCode {
    let done = servers(args).and_then(|mut servers| {
        // Before the minutes of measuring, not after them.
        let file = std::fs::File::create(&args.output);
        let file = file.map_err(|error| Ended::Failed(cannot_write(args, &error)))?;
        let data = measure(&mut servers, args).map_err(Ended::Failed)?;
        let written = data.write(file);
        written.map_err(|error| Ended::Failed(cannot_write(args, &error)))?;
        Ok(report(&data, &servers, args).is_ok())
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Ended::Usage(why)) => {
            complain(&why);
            ExitCode::from(2)
        }
        Err(Ended::Failed(why)) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn cannot_write(args: &ScalingArgs, error: &std::io::Error) -> String {
    format!("cannot write {}: {}", args.output.display(), common::reason(error))
}

/// What is to be measured, built, and how far each goes.
fn servers(args: &ScalingArgs) -> Result<Vec<Measured>, Ended> {
    let names: Vec<&str> = if args.programs.is_empty() {
        MODELS.to_vec()
    } else {
        args.programs.iter().map(String::as_str).collect()
    };
    let most = crate::check::suite::descriptor_limit().saturating_sub(SPARE);
    let most = most.min(args.most as usize);
    let mut servers = Vec::new();
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    for name in names {
        let row = programs::answering(name).map_err(Ended::Usage)?;
        if !row.here {
            continue;
        }
        bar.set_message(format!("building {} (a few minutes the first time)", row.binary));
        servers.push(Measured::new(row, most).map_err(Ended::Failed)?);
    }
    bar.finish_and_clear();
    Ok(servers)
}

impl Measured {
    fn new(row: &Program, most: usize) -> Result<Self, String> {
        let target = Target::row(row)?;
        let limit = target.subject.exception("many_clients").map(str::to_owned);
        let most = if limit.is_some() { most.min(SHORT_OF_1024) } else { most };
        Ok(Self { target, most, limit, ended: false })
    }

    /// How many are silent at each point.
    fn points(&self) -> Vec<usize> {
        const STEPS: [usize; 9] = [0, 100, 300, 1000, 2000, 5000, 10_000, 15_000, 20_000];
        let mut points: Vec<_> = STEPS.into_iter().filter(|&point| point < self.most).collect();
        points.push(self.most);
        points
    }

    /// One round: a fresh server, and ever more clients.
    fn round(&self, data: &mut Data, at: &dyn Fn(usize)) -> Result<(), String> {
        let server = self.target.start()?;
        let pid = server.process.pid();
        if let Some(cpus) = Cpus::choose(true) {
            cpus.fix(pid);
        }
        let mut silent = Vec::new();
        for point in self.points() {
            at(point);
            silent.append(&mut crowd(server.addr, point - silent.len())?);
            let mut clock = Vec::new();
            let one = Load { clients: 1, size: 64, time: TIME };
            let mark = || clock.push(observe::cpu_clock(pid));
            let answers = load(server.addr, one, mark)?;
            let spent = match &clock[..] {
                [Some(before), Some(after)] => after.saturating_sub(*before),
                _ => return Err("this system does not tell the CPU time of a process".to_owned()),
            };
            if answers.messages == 0 {
                return Err(format!("no answer in {} ms", TIME.as_millis()));
            }
            let cpu = spent.as_secs_f64() * 1e6 / answers.messages as f64;
            data.add(&self.target.name, point, cpu);
        }
        Ok(())
    }
}

fn measure(servers: &mut [Measured], args: &ScalingArgs) -> Result<Data, String> {
    let points: usize = servers.iter().map(|server| server.points().len()).sum();
    let bar = ProgressBar::new((points * args.rounds as usize) as u64);
    let style = ProgressStyle::with_template("{wide_bar} {msg} {pos}/{len}, {eta} left");
    bar.set_style(style.expect("a template"));
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut data = Data::default();
    for _ in 0..args.rounds {
        for server in servers.iter_mut().filter(|server| !server.ended) {
            let at = |point| {
                bar.set_message(format!("{}, {point} silent", server.target.name));
                bar.inc(1);
            };
            if let Err(why) = server.round(&mut data, &at) {
                // What it did until then is measured; the others have their turn.
                let last = data.of(&server.target.name).last().ok_or_else(|| why.clone())?;
                (server.most, server.limit, server.ended) = (last.silent, Some(why), true);
            }
        }
    }
    bar.finish_and_clear();
    Ok(data)
}

fn report(data: &Data, servers: &[Measured], args: &ScalingArgs) -> std::io::Result<()> {
    let mut table = table([
        "server",
        "µs alone",
        "silent",
        "µs beside them",
        "ratio",
        "fitted: µs",
        "+ ns for each",
        "R²",
    ]);
    for server in servers {
        let rows: Vec<&Row> = data.of(&server.target.name).collect();
        let (Some(alone), Some(crowded)) = (rows.first(), rows.last()) else { continue };
        let points = rows.iter().map(|row| (row.silent as f64, row.median)).collect::<Vec<_>>();
        let fit = Line::through(&points);
        table.add_row([
            server.target.name.clone(),
            format!("{:.1}", alone.median),
            crowded.silent.to_string(),
            format!("{:.1}", crowded.median),
            format!("{:.2}×", crowded.median / alone.median),
            format!("{:.1}", fit.start),
            format!("{:.2}", fit.slope * 1000.0),
            format!("{:.3}", fit.r_squared),
        ]);
    }
    figures_from(&mut table, 1);
    say(&format!("CPU time of a message, one client talking, others silent\n{table}\n"))?;
    for server in servers {
        if let Some(limit) = &server.limit {
            say(&format!("{}: to {} only: {limit}\n", server.target.name, server.most))?;
        } else if server.most < args.most as usize {
            say(&format!(
                "{}: to {} only: the system allows no more descriptors (ulimit -Hn)\n",
                server.target.name, server.most
            ))?;
        }
    }
    say(&format!("points written to {}\n", args.output.display()))
}
