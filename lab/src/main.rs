//! The command line of the laboratory: `cargo run -p lab -- check select`.

use clap::Parser;
use nix::sys::signal::{SigHandler, Signal, signal};
use std::process::ExitCode;

/// Judges servers, measures them, and shows how they work
#[derive(Parser)]
enum Lab {
    Bench(lab::bench::BenchArgs),
    Check(judge::check::CheckArgs),
    Claims(claims::ClaimsArgs),
    Exercise(lab::exercise::ExerciseArgs),
    Faults(lab::faults::FaultsArgs),
    Scaling(lab::scaling::ScalingArgs),
    Selectors(lab::selectors::SelectorsArgs),
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
        Lab::Check(args) => judge::check::main(&args),
        Lab::Claims(args) => claims::main(&args),
        Lab::Exercise(args) => lab::exercise::main(&args),
        Lab::Faults(args) => lab::faults::main(&args),
        Lab::Scaling(args) => lab::scaling::main(&args),
        Lab::Selectors(args) => lab::selectors::main(&args),
        Lab::Timeline(args) => lab::timeline::main(&args),
        Lab::Tour(args) => lab::tour::main(&args),
    }
}
