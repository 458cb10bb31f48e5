//! `lab check`: is it a server that keeps the contract?
//!
//! A server is started as a process, driven through its socket, and judged by what can be seen
//! from outside, so one written in any language can be asked. Each check says what it saw, not
//! just whether it was enough: the figures are the lesson.

pub mod client;
pub mod meanwhile;
mod output;
mod program;
pub mod programs;
mod ready_line;
pub mod report;
pub mod server;
pub mod subject;
pub mod suite;
mod text;

use crate::built::built;
use crate::ended::{Ended, exit};
use crate::language::{Language, Words, said};
use crate::process::left_running;
use crate::progress::while_saying;
use crate::table::say;
use clap::builder::PossibleValuesParser;
use client::Answer;
use programs::Program;
use report::Report;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use subject::{Gives, Status, Subject};
use suite::{CHECKS, Check, DEADLINES};

/// Judges a server from outside, by the contract that every server of the course keeps
///
/// A server is started again for each check, driven through its socket, and judged by what can be
/// seen: what it answers, when, and what it costs. Each line begins with one of
///
///   ok       it holds, and this is what was seen
///   short    it falls short (exit status 1 in the end)
///   except   it falls short as declared, by nature
///   unseen   this system, or this command, does not let us see
///
///   lab check select                      a program of the course, built first
///   lab check -- ./server --addr 127.0.0.1:0
///   lab check --addr 127.0.0.1:8001 --reply upper -- python3 server.py
///
/// A server of your own sends back each byte it gets (or upper-cases ASCII letters), and either
/// prints a line `listening on HOST:PORT` or listens where --addr says. If it prints several, the
/// first with nothing in front of these words counts; --addr chooses another. An argument HOST:0 of
/// its command is replaced where it has to come back to the same port. It has to stay in the
/// foreground, and its standard input is /dev/null.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct CheckArgs {
    /// Programs of the course, such as select; one that runs in several ways is judged in each
    #[arg(value_name = "NAME", conflicts_with_all = ["command", "addr", "all", "reply"])]
    names: Vec<String>,

    /// All programs of the course
    #[arg(long, conflicts_with_all = ["command", "addr", "reply"])]
    all: bool,

    /// The checks, one line each
    #[arg(long, conflicts_with_all = ["names", "all", "command"])]
    list: bool,

    /// Where COMMAND listens, when it does not say so in a line `listening on HOST:PORT`
    #[arg(long, value_name = "HOST:PORT", value_parser = common::host_port, requires = "command")]
    addr: Option<String>,

    /// What COMMAND answers
    #[arg(long, value_enum, default_value = "echo")]
    reply: Answer,

    /// A check (see --list) that the server need not hold; if it does hold, that is a fault too
    #[arg(long, value_name = "CHECK", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(names()))]
    except: Vec<String>,

    /// This check only (see --list); may be given several times
    #[arg(long, value_name = "CHECK", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(names()))]
    only: Vec<String>,

    /// The language of the report; without it, that of the environment (LC_ALL, LANG)
    #[arg(long, value_enum, default_value_t = Language::of_environment())]
    lang: Language,

    /// A server in any language, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The names of the checks, in the order of the report.
pub fn names() -> Vec<&'static str> {
    CHECKS.iter().chain(DEADLINES).map(|check| check.name).collect()
}

/// Runs `lab check`.
#[must_use]
pub fn main(args: &CheckArgs) -> ExitCode {
    args.lang.speak();
    suite::descriptor_limit();
    let mut report = Report::new();
    let judged = if args.list {
        list(&mut report).map(|()| 0).map_err(Ended::from)
    } else {
        subjects(args).and_then(|subjects| judge(&subjects, args, &mut report))
    };
    exit(judged)
}

fn list(report: &mut Report) -> io::Result<()> {
    let spoken = Language::spoken();
    CHECKS.iter().try_for_each(|check| report.listed(check.name, spoken.pick(check.teaches)))?;
    say(&said!(
        "\nasked of `deadlines`, and with --only of any server that takes --idle, --message and \
         --unread:\n",
        "\n只问 `deadlines`；用 --only 也可以问任何接受 --idle、--message、--unread 的服务端：\n"
    ))?;
    DEADLINES.iter().try_for_each(|check| report.listed(check.name, spoken.pick(check.teaches)))
}

fn judge(subjects: &[Subject], args: &CheckArgs, report: &mut Report) -> Result<usize, Ended> {
    for subject in subjects {
        // A command that does not run at all is one line, not one for each check.
        let note = server::tried(subject).map_err(Ended::Failed)?;
        report.heading(&subject.heading())?;
        if let Some(note) = note {
            say(&format!("{}\n", note.of(Language::spoken())))?;
        }
        for check in chosen(subject, &args.only) {
            let (status, text) = while_saying(check.name.into(), || ask(subject, check));
            report.line(status, check.name, &text)?;
            if status == Status::Short {
                report.advise(crate::reading::to_read(check.name))?;
            }
        }
    }
    let left = left_running();
    if !left.is_empty() {
        let words = Words::new(
            format!("still running when their server was gone, and killed: {}", left.join(", ")),
            format!("服务器结束后仍在运行，已终止：{}", left.join("、")),
        );
        say(&format!("{}\n", words.of(Language::spoken())))?;
    }
    Ok(report.tally(subjects.len())?)
}

/// What is asked of it; or what was named, whether the server is known to promise it or not.
fn chosen(subject: &Subject, only: &[String]) -> Vec<&'static Check> {
    if only.is_empty() {
        return subject.checks().collect();
    }
    let named = |check: &&Check| only.iter().any(|only| only == check.name);
    CHECKS.iter().chain(DEADLINES).filter(named).collect()
}

/// One check of one server.
pub fn ask(subject: &Subject, check: &Check) -> (Status, String) {
    if check.needs > subject.gives {
        let why = match subject.gives {
            Gives::Nothing => said!("not asked: it accepts nobody", "未检查：它不接受任何客户端"),
            Gives::AnswersOne => said!(
                "not asked: it serves one client at a time, the others wait",
                "未检查：它一次只服务一个客户端，其余的等待"
            ),
            Gives::Connections | Gives::Answers => {
                said!("not asked: it sends no answers by itself", "未检查：它自己不发送回复")
            }
        };
        return (Status::Except, why);
    }
    subject::weigh((check.run)(subject), subject.exception(check.name))
}

fn subjects(args: &CheckArgs) -> Result<Vec<Subject>, Ended> {
    let mut subjects = if args.command.is_empty() {
        programs_asked_for(args)?
    } else {
        vec![Subject::of_command(args.command.clone(), args.addr.clone(), args.reply)]
    };
    for subject in &mut subjects {
        let asked = args.except.iter().map(|name| (name.clone(), "--except".to_owned()));
        subject.exceptions.extend(asked);
    }
    Ok(subjects)
}

fn programs_asked_for(args: &CheckArgs) -> Result<Vec<Subject>, Ended> {
    let mut rows: Vec<&Program> = Vec::new();
    if args.all {
        rows.extend(programs::PROGRAMS.iter().filter(|row| row.here));
    }
    for name in &args.names {
        let named = programs::named(name);
        if named.is_empty() {
            let known: Vec<_> = programs::PROGRAMS.iter().map(|row| row.name).collect();
            let known = known.join(", ");
            return Err(Ended::Usage(format!("no program '{name}': there are {known}")));
        }
        rows.extend(named);
    }
    if rows.is_empty() {
        let what = "nothing to judge: name a program, or give a command after `--` (try --help)";
        return Err(Ended::Usage(what.into()));
    }
    let built = |row: &&Program| built(row.package, row.binary).map(|binary| row.subject(&binary));
    rows.iter().map(built).collect::<Result<_, _>>().map_err(Ended::Failed)
}

/// One check of one program as a test: panics with the line that the report would show.
///
/// For [`contract_tests!`](crate::contract_tests).
///
/// # Panics
///
/// When the check falls short, or nobody knows the program or the check.
pub fn contract_test(program: &str, binary: &str, check: &str) {
    suite::descriptor_limit();
    let row = programs::PROGRAMS.iter().find(|row| row.name == program);
    let row =
        row.unwrap_or_else(|| panic!("no program {program} in lab/judge/src/check/programs.rs"));
    let subject = row.subject(Path::new(binary));
    let known = subject.checks().find(|known| known.name == check);
    let known = known.unwrap_or_else(|| panic!("no check {check} in lab/judge/src/check/suite"));
    if !row.here {
        println!("{program}: {check}: not asked, its model is missing on this system");
        return;
    }
    let (status, text) = ask(&subject, known);
    let line = report::plain(status, check, &text);
    assert!(status != Status::Short, "{program}: {line}");
    // Shown by `cargo test -- --nocapture`.
    println!("{program}: {line}");
}

/// The contract as tests: a module with a test for each check.
///
/// `judge::contract_tests!(select, env!("CARGO_BIN_EXE_select"));` in `select/tests/contract.rs`
/// makes `select::echo`, `select::half_close` and so on. The first argument is a row of
/// `lab/judge/src/check/programs.rs`.
#[macro_export]
macro_rules! contract_tests {
    (@names) => {
        $crate::contract_tests!(@with names; )
    };
    ($program:ident, $binary:expr) => {
        mod $program {
            $crate::contract_tests!(@with tests; $program, $binary);
        }
    };
    // The list of checks, once; a test of this crate compares it with the table.
    (@with $what:ident; $($args:tt)*) => {
        $crate::contract_tests! { @$what [$($args)*]
            echo byte_by_byte no_delay interleaved in_order half_close data_with_fin
            resets never_reads flooder urgent comes_and_goes
            many_clients out_of_descriptors refused_watch idle_cpu asleep_in
            stop_continue closed_output port_in_use bad_command_line addresses restart
        }
    };
    (@names [] $($check:ident)*) => {
        [$(stringify!($check)),*]
    };
    (@tests [$program:ident, $binary:expr] $($check:ident)*) => {
        $crate::contract_tests! { @each $program ($binary) $($check)* }
    };
    (@each $program:ident $binary:tt) => {};
    (@each $program:ident $binary:tt $check:ident $($more:ident)*) => {
        #[test]
        fn $check() {
            $crate::check::contract_test(stringify!($program), $binary, stringify!($check));
        }
        $crate::contract_tests! { @each $program $binary $($more)* }
    };
}
