//! `press record`: what the chapters show of real runs, recorded anew.

use crate::{SCALING, draw_figures, root, write};
use clap::Args;
use common::reason;
use judge::check::{programs, report::complain};
use judge::language::Language;
use lab::timeline::TRACES;
use player::course::{PLAYED, RECORDINGS};
use player::steps::doubts;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Record anew what the chapters show of a run, and draw its figures
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// A program of the course (its timeline, with strace), `players` (the runs that the pages
    /// play, half a minute), or `scaling` (about two minutes)
    what: String,
}

/// Runs `press record`.
#[must_use]
pub fn main(args: &RecordArgs) -> ExitCode {
    let root = root();
    if args.what == "scaling" {
        let path = root.join(SCALING);
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let done = lab::scaling::record(folder);
        return if done == ExitCode::SUCCESS { redraw(SCALING) } else { done };
    }
    if args.what == "players" {
        return record_players(&root);
    }
    if programs::named(&args.what).is_empty() {
        let known: Vec<_> = programs::PROGRAMS.iter().map(|row| row.name).collect();
        complain(&format!(
            "no '{}': there are players, scaling, and {}",
            args.what,
            known.join(", ")
        ));
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

/// The runs that the site's pages play. One at which the rules of the player and the system part is
/// not kept: the machine was too busy for it.
fn record_players(root: &Path) -> ExitCode {
    for program in PLAYED {
        let recorded = lab::timeline::record_closely(program)
            .map_err(|why| why.of(Language::English).to_owned())
            .and_then(|trace| match doubts(&trace).first() {
                Some(doubt) => Err(format!("{program}: {doubt}; record it once more")),
                None => {
                    let path = format!("{RECORDINGS}/{program}.run");
                    let folder = std::fs::create_dir_all(root.join(RECORDINGS));
                    let written = folder.and_then(|()| write(root, &path, &trace.to_string()));
                    written.map_err(|error| reason(&error))
                }
            });
        if let Err(why) = recorded {
            complain(&why);
            return ExitCode::FAILURE;
        }
        let _ = writeln!(io::stdout(), "{RECORDINGS}/{program}.run");
    }
    ExitCode::SUCCESS
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
