//! `lab scaling`: what clients cost that say nothing.
//!
//! One client talks; the others are connected and silent, more of them at each point. A model that
//! hands its whole list over at each wait pays for every one of them with every message.

pub mod data;
mod line;
pub mod picture;

use claims::measure::{Cpus, Load, Target, crowd, load};
use clap::Args;
use comfy_table::ColumnConstraint;
use common::reason;
use data::{Data, Row};
use judge::check::programs::{self, Program};
use judge::check::server::Server;
use judge::check::subject::Gives;
use judge::ended::{Ended, exit};
use judge::language::Language;
use judge::process::observe;
use judge::progress::progress;
use judge::table::{figures_from, say, table};
use line::Line;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Measure what silent connections cost: CPU time of a message against their number
///
/// One client talks, on the server's own CPU; up to 20,000 others are connected and silent (as many
/// as the descriptors allow). Prints what each silent connection adds to a message, by a straight
/// line fitted to the points of each server. Takes about two minutes.
///
/// Writes the points to scaling.csv, and scaling.LANG.svg, which is drawn from them.
#[derive(Debug, Args)]
pub struct ScalingArgs {
    /// Programs of the course, instead of one for each model
    #[arg(value_name = "PROGRAM")]
    programs: Vec<String>,

    /// The most silent connections
    #[arg(long, default_value_t = MOST, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    most: u32,

    /// How often each point is measured
    #[arg(long, default_value_t = TIMES, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,

    /// The folder to write to
    #[arg(short, long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,

    /// The language of the report and of the picture
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

/// What the chapters show: the most silent connections, and how often each point is measured.
const MOST: u32 = 20_000;
const TIMES: u32 = 3;

/// What waits for many at once. `nonblocking`, which asks them all, is like poll, and takes twice
/// as long; a thread for each ends at some 16,000 where vm.max_map_count is 65530.
const MODELS: [&str; 4] = ["select", "poll", "epoll", "uring"];

/// The points, as a file.
const POINTS: &str = "scaling.csv";

/// How long each point is measured each time.
const TIME: Duration = Duration::from_millis(300);
/// Descriptors that server and laboratory need for themselves.
const SPARE: usize = 60;
/// Up to here what a connection adds is looked at by itself: so many still fit into a CPU's cache.
const FEW: usize = 2000;
/// What is below the limit of a server that has one: select's 1024 descriptors, a pool's workers.
const SHORT_OF_1024: usize = 1000;

/// A server, and how far it goes.
struct Measured {
    target: Target,
    most: usize,
    /// Why not to the end.
    limit: Option<String>,
}

/// Runs `lab scaling`.
#[must_use]
pub fn main(args: &ScalingArgs) -> ExitCode {
    exit(run(args, |data| draw(data, args)))
}

/// Measures what the chapters show, and writes the points to this folder.
#[must_use]
pub fn record(folder: PathBuf) -> ExitCode {
    let args = ScalingArgs {
        programs: Vec::new(),
        most: MOST,
        times: TIMES,
        output: folder,
        lang: Language::of_environment(),
    };
    exit(run(&args, |_| Ok(String::new())))
}

/// Measures, writes the points, and reports. `also`: what else is written, and what is said of it.
fn run(
    args: &ScalingArgs,
    also: impl FnOnce(&Data) -> Result<String, String>,
) -> Result<usize, Ended> {
    args.lang.speak();
    let mut servers = servers(args)?;
    // Before the minutes of measuring, not after them.
    writable(&args.output)?;
    let data = measure(&mut servers, args)?;
    let points = args.output.join(POINTS);
    let written = File::create(&points).and_then(|file| data.write(file));
    written.map_err(|error| cannot_write(&points, &error))?;
    let words = also(&data)?;
    report(&data, &servers, args)?;
    say(&words)?;
    Ok(0)
}

/// The folder that the files go to is there, and can be written to.
fn writable(folder: &Path) -> Result<(), String> {
    let points = folder.join(POINTS);
    fs::create_dir_all(folder)
        .and_then(|()| File::options().append(true).create(true).open(&points))
        .map(drop)
        .map_err(|error| cannot_write(&points, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {}", path.display(), reason(error))
}

fn draw(data: &Data, args: &ScalingArgs) -> Result<String, String> {
    let picture = args.output.join(format!("scaling.{}.svg", args.lang.code()));
    fs::write(&picture, picture::draw(data, args.lang).svg())
        .map_err(|error| cannot_write(&picture, &error))?;
    let (picture, points) = (picture.display(), args.output.join(POINTS));
    let points = points.display();
    Ok(match args.lang {
        Language::English => format!("{picture} (open it in a browser), drawn from {points}\n"),
        Language::Chinese => format!("图：{picture}（用浏览器打开）；数据：{points}\n"),
    })
}

/// What is to be measured, built, and how far each goes.
fn servers(args: &ScalingArgs) -> Result<Vec<Measured>, Ended> {
    let names: Vec<&str> = if args.programs.is_empty() {
        MODELS.to_vec()
    } else {
        args.programs.iter().map(String::as_str).collect()
    };
    let most = judge::check::suite::descriptor_limit().saturating_sub(SPARE);
    let most = most.min(args.most as usize);
    let mut servers = Vec::new();
    let bar = progress(1);
    for name in names {
        let row = programs::answering(name).map_err(Ended::Usage)?;
        if row.gives == Gives::AnswersOne {
            return Err(Ended::Usage(format!("{name} serves one client at a time")));
        }
        if !row.here {
            continue;
        }
        bar.set_message(format!("building {} (a few minutes the first time)", row.binary));
        servers.push(Measured::new(row, most)?);
    }
    bar.finish_and_clear();
    Ok(servers)
}

impl Measured {
    fn new(row: &Program, most: usize) -> Result<Self, String> {
        let target = Target::row(row)?;
        let limit = target.subject.exception("many_clients").filter(|_| most > SHORT_OF_1024);
        let limit = limit.map(str::to_owned);
        let most = if limit.is_some() { SHORT_OF_1024 } else { most };
        Ok(Self { target, most, limit })
    }

    /// How many are silent at each point.
    fn points(&self) -> Vec<usize> {
        const STEPS: [usize; 9] = [0, 100, 300, 1000, 2000, 5000, 10_000, 15_000, 20_000];
        let mut points: Vec<_> = STEPS.into_iter().filter(|&point| point < self.most).collect();
        points.push(self.most);
        points
    }

    /// A fresh server, and ever more clients.
    fn climb(&self, times: u32, data: &mut Data, at: &dyn Fn(usize)) -> Result<(), String> {
        let server = self.target.start()?;
        let pid = server.process.pid();
        let fix = |one| {
            if let Some(cpus) = Cpus::choose(one) {
                cpus.fix(pid);
            }
        };
        let mut silent = Vec::new();
        for point in self.points() {
            at(point);
            // On one CPU they would take turns: a look at everybody for each that connects.
            fix(false);
            silent.append(&mut crowd(server.addr, point - silent.len())?);
            fix(true);
            for _ in 0..times {
                data.add(&self.target.name, point, cpu_of_a_message(&server)?);
            }
        }
        Ok(())
    }
}

/// Microseconds of the server's CPU time, with one client that talks.
fn cpu_of_a_message(server: &Server) -> Result<f64, String> {
    let mut clock = Vec::new();
    let one = Load { clients: 1, size: 64, pipeline: 1, time: TIME };
    let mark = || clock.push(observe::cpu_clock(server.process.pid()));
    let answers = load(server.addr, one, mark)?;
    let spent = match &clock[..] {
        [Some(before), Some(after)] => after.saturating_sub(*before),
        _ => return Err("this system does not tell the CPU time of a process".to_owned()),
    };
    if answers.messages == 0 {
        return Err(format!("no answer in {} ms", TIME.as_millis()));
    }
    Ok(spent.as_secs_f64() * 1e6 / answers.messages as f64)
}

fn measure(servers: &mut [Measured], args: &ScalingArgs) -> Result<Data, String> {
    let points: usize = servers.iter().map(|server| server.points().len()).sum();
    let bar = progress(points);
    let mut data = Data::default();
    for server in servers {
        let at = |point| {
            bar.set_message(format!("{}, {point} silent", server.target.name));
            bar.inc(1);
        };
        if let Err(why) = server.climb(args.times, &mut data, &at) {
            // What it did until then is measured; the others have their turn.
            let last = data.of(&server.target.name).last().ok_or_else(|| why.clone())?;
            (server.most, server.limit) = (last.silent, Some(why));
        }
    }
    bar.finish_and_clear();
    Ok(data)
}

fn report(data: &Data, servers: &[Measured], args: &ScalingArgs) -> io::Result<()> {
    let english = args.lang == Language::English;
    let mut table = table(if english {
        ["server", "µs alone", "idle", "µs beside", "ratio", "ns each", "R²", "to 2000", "R²"]
    } else {
        ["服务端", "独自 µs", "空闲", "相伴 µs", "倍数", "每个 ns", "R²", "到 2000", "R²"]
    });
    // Where there are no more, the line through all points is that line.
    let beyond =
        |server: &Measured| data.of(&server.target.name).last().is_some_and(|row| row.silent > FEW);
    let beyond = servers.iter().any(beyond);
    for server in servers {
        let rows: Vec<&Row> = data.of(&server.target.name).collect();
        let (Some(alone), Some(crowded)) = (rows.first(), rows.last()) else { continue };
        let through = |most: usize| {
            let rows = rows.iter().filter(|row| row.silent <= most);
            Line::through(&rows.map(|row| (row.silent as f64, row.median)).collect::<Vec<_>>())
        };
        let (all, few) = (through(crowded.silent), through(FEW));
        // A line goes through any two points.
        let shown = |of: &Line, what: fn(&Line) -> String| match rows.len() {
            ..=2 => "–".to_owned(),
            _ => what(of),
        };
        let slope: fn(&Line) -> String = |line| format!("{:.1}", line.slope * 1000.0);
        let r_squared: fn(&Line) -> String = |line| format!("{:.3}", line.r_squared);
        table.add_row([
            server.target.name.clone(),
            format!("{:.1}", alone.median),
            crowded.silent.to_string(),
            format!("{:.1}", crowded.median),
            format!("{:.2}×", crowded.median / alone.median),
            shown(&all, slope),
            shown(&all, r_squared),
            shown(&few, slope),
            shown(&few, r_squared),
        ]);
    }
    figures_from(&mut table, 1, &[8, 6]);
    if !beyond {
        for column in [7, 8] {
            let column = table.column_mut(column).expect("there are nine");
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
    say(&if english {
        format!(
            "CPU time of a message, with one client that talks and others that are silent\n{table}\n\
             ns each: what each silent connection adds to a message, by a straight line through all \
             points;\nto 2000: through those up to 2000 only. R²: 1, they are on that line; 0, they \
             do not rise.\n"
        )
    } else {
        format!(
            "一个客户端在收发，其余空闲，一条消息的 CPU 时间\n{table}\n每个 ns：每个空闲连接给一条消息\
             加上多少，用一条直线拟合全部的点；\n到 2000：只拟合 2000 以内的点。R²：1，点都在直线上；\
             0，并不上升。\n"
        )
    })?;
    for Measured { target: Target { name, .. }, most, limit } in servers {
        if let Some(limit) = limit {
            say(&if english {
                format!("{name}: to {most} only: {limit}\n")
            } else {
                format!("{name}：只到 {most}：{limit}\n")
            })?;
        } else if *most < args.most as usize {
            say(&if english {
                format!("{name}: to {most} only: no more descriptors are allowed (ulimit -Hn)\n")
            } else {
                format!("{name}：只到 {most}：描述符只允许这么多（ulimit -Hn）\n")
            })?;
        }
    }
    Ok(())
}
