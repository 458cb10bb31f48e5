//! `lab timeline`: a server with two clients under strace, and the picture of it: who waited in
//! which system call, when the bytes were copied, and what the clients saw meanwhile.
//!
//! The picture is a function of the trace, a text file. Those that the chapters
//! show are drawn from the traces in `docs/traces/`.

pub mod lanes;
mod lines;
pub mod meetings;
pub mod picture;
mod recording;
mod script;

use claims::measure::Target;
use claims::measure::strace::{Strace, Wanted};
use clap::Args;
use common::reason;
use judge::built::built;
use judge::check::programs;
use judge::check::report::complain;
use judge::check::server::Start;
use judge::language::{Language, Words, said};
use judge::reading::root;
use lines::{Lines, Own};
use player::trace::Trace;
use player::{page, steps};
use recording::{Telling, recording};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where the traces are that the chapters show, from the root of the project.
pub const TRACES: &str = "docs/traces";

/// Draw when a server waits in which system call, from a run of it
///
/// Runs a server under strace while two clients connect, send and leave, and writes PROGRAM.trace,
/// which can be read, and PROGRAM.LANG.svg, which is drawn from it. With --play it writes
/// PROGRAM.run and PROGRAM.LANG.html: a page that goes through the run step by step, with the line
/// of the code, the buffers in the kernel, and what the server has said.
///
/// A server of yours, in any language, has to print `listening on HOST:PORT`. Its lines are shown
/// if it has debug information (a C program built with -g).
#[derive(Clone, Debug, Args)]
pub struct TimelineArgs {
    /// A program of the course, such as select
    #[arg(required_unless_present = "command", conflicts_with = "command")]
    program: Option<String>,

    /// Your own server: lab timeline --play -- ./my_server 127.0.0.1:0
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,

    /// Write a page that plays the run, in place of the picture
    #[arg(long)]
    play: bool,

    /// The folder to write to
    #[arg(short, long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,

    /// The language of the picture or the page
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

/// The calls that I/O models are made of, and those that tell who somebody is.
const CALLS: &[&str] = &[
    "accept",
    "accept4",
    "connect",
    "getpeername",
    "recvfrom",
    "recvmsg",
    "read",
    "readv",
    "sendto",
    "sendmsg",
    "write",
    "writev",
    "close",
    "select",
    "pselect6",
    "poll",
    "ppoll",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "io_uring_enter",
    "nanosleep",
    "clock_nanosleep",
    "futex",
];

/// Runs `lab timeline`.
#[must_use]
pub fn main(args: &TimelineArgs) -> ExitCode {
    args.lang.speak();
    let mut args = args.clone();
    // At the end of the line it is ours, too: no server has such an option.
    if args.command.last().is_some_and(|last| last == "--play") {
        args.command.pop();
        args.play = true;
    }
    let args = &args;
    let run = match &args.program {
        Some(name) if programs::named(name).is_empty() => {
            let known: Vec<_> = programs::PROGRAMS.iter().map(|row| row.name).collect();
            complain(&format!("no program '{name}': there are {}", known.join(", ")));
            return ExitCode::from(2);
        }
        Some(name) if args.play => record_closely(name),
        Some(name) => record(name),
        None => record_command(&args.command, args.play),
    };
    let done = run.map_err(|why| why.of(args.lang).to_owned()).and_then(|trace| {
        if args.play { write_page(&trace, args) } else { write_picture(&trace, args) }
    });
    match done {
        Ok(words) => {
            // A closed standard output is no reason to fail: the files are there.
            let _ = writeln!(io::stdout(), "{words}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

/// A run of a program of the course.
///
/// # Errors
///
/// There is no strace, or the program cannot be built or does not answer.
pub fn record(program: &str) -> Result<Trace, Words> {
    let strace = Strace::find()?;
    run(&strace, &for_two(Target::program(program).map_err(plain)?), None)
}

/// The same for the player: as a learner builds it, with the lines of its code and its own words.
///
/// # Errors
///
/// As [`record`].
pub fn record_closely(program: &str) -> Result<Trace, Words> {
    let strace = Strace::find()?;
    let row = programs::named(program).into_iter().next();
    let row = row.ok_or_else(|| plain(format!("no program '{program}' in the course")))?;
    let binary = built(row.package, row.binary).map_err(plain)?;
    let target = Target { name: row.name.to_owned(), subject: row.subject(&binary) };
    let lines = Lines::of(root(), Own::In(root().join(row.package)));
    run(&strace, &for_two(target), Some(lines))
}

/// Two clients keep two loops busy at most: more of them would only stand there.
fn for_two(target: Target) -> Target {
    if target.name.starts_with("loops") { target.with("--loops", "2") } else { target }
}

/// A run of a server of the reader's.
fn record_command(command: &[OsString], closely: bool) -> Result<Trace, Words> {
    let program = command.first().map(PathBuf::from).unwrap_or_default();
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    // `python3 server.py` is called server.
    let script = command.get(1).map(PathBuf::from).filter(|script| script.is_file());
    let script = script.as_ref().and_then(|script| script.file_stem());
    let name = script.map_or(name, |script| script.to_string_lossy());
    let here = std::env::current_dir().map_err(|error| plain(reason(&error)))?;
    let lines = closely.then(|| Lines::of(here, Own::NoLibrary));
    run(&Strace::find()?, &Target::command(&name, command.to_vec()), lines)
}

/// With lines: a recording for the player.
fn run(strace: &Strace, target: &Target, lines: Option<Lines>) -> Result<Trace, Words> {
    let closely = lines.is_some();
    let start = Start { narrating: closely, ..Start::default() };
    let wanted = Wanted { calls: CALLS, stacks: closely };
    let traced = strace.start_as(target, wanted, start).map_err(plain)?;
    let port = traced.server.addr.port();
    let played = script::play(traced.server.addr, target.subject.gives, closely);
    let calls = traced.finish().map_err(plain)?.calls;
    let played = played.map_err(plain)?;
    Ok(recording(Telling { program: &target.name, port, lines }, calls, played))
}

fn plain(why: String) -> Words {
    Words::new(why.clone(), why)
}

fn write_picture(trace: &Trace, args: &TimelineArgs) -> Result<String, String> {
    let [file, picture] =
        write(trace, args, ["trace", "svg"], &picture::draw(trace, args.lang).svg())?;
    Ok(said!(
        "{} calls in {} ms: {} (open it in a browser), drawn from {}",
        "{1} ms，{0} 次系统调用。图：{2}（用浏览器打开）；数据：{3}",
        trace.calls.len(),
        trace.end / 1000,
        picture.display(),
        file.display()
    ))
}

fn write_page(trace: &Trace, args: &TimelineArgs) -> Result<String, String> {
    let root = if args.program.is_some() { root() } else { PathBuf::new() };
    let play = steps::play(trace, &root, args.lang)?;
    let html = page::page(&play, args.lang, &player::rules(args.lang, &steps::doubts(trace)));
    let [file, page] = write(trace, args, ["run", "html"], &html)?;
    Ok(said!(
        "{} steps: {} (open it in a browser), made from {}",
        "{} 步：{}（用浏览器打开）；数据：{}",
        play.steps.len(),
        page.display(),
        file.display()
    ))
}

/// Writes the recording, and what is made from it in one language, and returns their paths.
fn write(
    trace: &Trace,
    args: &TimelineArgs,
    [recorded, made]: [&str; 2],
    text: &str,
) -> Result<[PathBuf; 2], String> {
    let (folder, name) = (&args.output, &trace.program);
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make {}: {}", folder.display(), reason(&error)))?;
    let [recorded, made] =
        [format!("{name}.{recorded}"), format!("{name}.{}.{made}", args.lang.code())];
    write_file(folder, &recorded, &trace.to_string())?;
    write_file(folder, &made, text)?;
    Ok([folder.join(recorded), folder.join(made)])
}

fn write_file(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = folder.join(name);
    fs::write(&path, text)
        .map_err(|error| format!("cannot write {}: {}", path.display(), reason(&error)))
}
