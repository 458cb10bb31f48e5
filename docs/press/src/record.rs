//! `press record`: what the chapters show of real runs, recorded anew.

use crate::{SCALING, draw_figures, root, write};
use clap::Args;
use common::reason;
use judge::check::{programs, report::complain};
use judge::language::Language;
use lab::timeline::TRACES;
use std::io::{self, Write};
use std::process::ExitCode;

/// Record anew what the chapters show of a run, and draw its figures
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// A program of the course (its timeline, with strace), or `scaling` (about two minutes)
    what: String,
}

/// Runs `press record`.
#[must_use]
pub fn main(args: &RecordArgs) -> ExitCode {
    let root = root();
    if args.what == "scaling" {
        let path = root.join(SCALING);
        let folder = path.parent().map(std::path::Path::to_owned).unwrap_or_default();
        let done = lab::scaling::record(folder);
        return if done == ExitCode::SUCCESS { redraw(SCALING) } else { done };
    }
    if programs::named(&args.what).is_empty() {
        let known: Vec<_> = programs::PROGRAMS.iter().map(|row| row.name).collect();
        complain(&format!("no '{}': there is scaling, and {}", args.what, known.join(", ")));
        return ExitCode::from(2);
    }
    let path = format!("{TRACES}/{}.trace", args.what);
    let recorded = lab::timeline::record(&args.what)
        .map_err(|why| why.of(Language::English).to_owned())
        .and_then(|trace| write(&root, &path, &trace.to_string()).map_err(|e| reason(&e)));
    match recorded {
        Ok(_) => redraw(&path),
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn redraw(path: &str) -> ExitCode {
    match draw_figures(&root()) {
        Ok((_, written)) => {
            // A closed standard output is no reason to fail: the files are there.
            let _ = writeln!(io::stdout(), "{path}, and {written} figures");
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&reason(&error));
            ExitCode::FAILURE
        }
    }
}
