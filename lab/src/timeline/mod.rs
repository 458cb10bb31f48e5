//! `lab timeline`: a server with two clients under strace, and the picture of it: who waited in
//! which system call, when the bytes were copied, and what the clients saw meanwhile.
//!
//! The picture is a function of the trace, a text file. Those that the chapters
//! show are drawn from the traces in `docs/traces/`.

pub mod descriptors;
pub mod lanes;
pub mod meetings;
pub mod picture;
mod script;
pub mod trace;

use claims::measure::Target;
use claims::measure::strace::Strace;
use clap::Args;
use common::reason;
use judge::check::programs;
use judge::check::report::complain;
use judge::language::{Language, Words};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use trace::Trace;

/// Where the traces are that the chapters show, from the root of the project.
pub const TRACES: &str = "docs/traces";

/// Draw when a server waits in which system call, from a run of it
///
/// Runs a program of the course under strace while two clients connect, send and leave, and writes
/// PROGRAM.trace, which can be read, and PROGRAM.LANG.svg, which is drawn from it.
#[derive(Debug, Args)]
pub struct TimelineArgs {
    /// A program of the course, such as select
    program: String,

    /// The folder to write to
    #[arg(short, long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,

    /// The language of the picture
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,
}

/// The calls that I/O models are made of, and those that tell who somebody is.
const CALLS: &[&str] = &[
    "accept",
    "accept4",
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
    let known: Vec<_> = programs::PROGRAMS.iter().map(|row| row.name).collect();
    if programs::named(&args.program).is_empty() {
        complain(&format!("no program '{}': there are {}", args.program, known.join(", ")));
        return ExitCode::from(2);
    }
    let done = record(&args.program)
        .map_err(|why| why.of(args.lang).to_owned())
        .and_then(|trace| write(&trace, args));
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
    let plain = |why: String| Words::new(why.clone(), why);
    let target = Target::program(program).map_err(plain)?;
    let traced = strace.start(&target, CALLS).map_err(plain)?;
    let played = script::play(traced.server.addr, target.subject.gives);
    let calls = traced.finish().map_err(plain)?.calls;
    let played = played.map_err(plain)?;
    Ok(Trace::new(&target.name, calls, played.acts, played.end, &played.ports))
}

fn write(trace: &Trace, args: &TimelineArgs) -> Result<String, String> {
    let name = &trace.program;
    let picture = format!("{name}.{}.svg", args.lang.code());
    let folder = &args.output;
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make {}: {}", folder.display(), reason(&error)))?;
    let file = format!("{name}.trace");
    write_file(folder, &file, &trace.to_string())?;
    write_file(folder, &picture, &picture::draw(trace, args.lang).svg())?;
    let [file, picture] = [file, picture].map(|name| folder.join(name));
    Ok(match args.lang {
        Language::English => format!(
            "{} calls in {} ms: {} (open it in a browser), drawn from {}",
            trace.calls.len(),
            trace.end / 1000,
            picture.display(),
            file.display()
        ),
        Language::Chinese => format!(
            "{} ms，{} 次系统调用。图：{}（用浏览器打开）；数据：{}",
            trace.end / 1000,
            trace.calls.len(),
            picture.display(),
            file.display()
        ),
    })
}

fn write_file(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = folder.join(name);
    fs::write(&path, text)
        .map_err(|error| format!("cannot write {}: {}", path.display(), reason(&error)))
}
