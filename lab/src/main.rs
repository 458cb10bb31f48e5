//! The command line of the laboratory: `cargo run -p lab -- check select`.

use clap::Parser;
use nix::sys::signal::{SigHandler, Signal, signal};
use std::process::ExitCode;

/// Judges servers, measures them, shows how they work, and holds the course's documents to its code
#[derive(Parser)]
enum Lab {
    Bench(lab::bench::BenchArgs),
    Check(lab::check::CheckArgs),
    Claims(lab::claims::ClaimsArgs),
    Docs(lab::docs::DocsArgs),
    Exercise(lab::exercise::ExerciseArgs),
    Faults(lab::faults::FaultsArgs),
    Figures(lab::docs::FiguresArgs),
    Scaling(lab::scaling::ScalingArgs),
    Timeline(lab::timeline::TimelineArgs),
    Tour(lab::tour::TourArgs),
}

fn main() -> ExitCode {
    // Ignoring it is inherited, and then no child can be waited for (wait(2)).
    #[expect(unsafe_code, reason = "nix offers no other way to reset a signal")]
    // SAFETY: no handler is installed, and no other thread runs yet.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
    match common::parse() {
        Lab::Bench(args) => lab::bench::main(&args),
        Lab::Check(args) => lab::check::main(&args),
        Lab::Claims(args) => lab::claims::main(&args),
        Lab::Docs(args) => lab::docs::main(&args),
        Lab::Exercise(args) => lab::exercise::main(&args),
        Lab::Faults(args) => lab::faults::main(&args),
        Lab::Figures(args) => lab::docs::figures(&args),
        Lab::Scaling(args) => lab::scaling::main(&args),
        Lab::Timeline(args) => lab::timeline::main(&args),
        Lab::Tour(args) => lab::tour::main(&args),
    }
}
