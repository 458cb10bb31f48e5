//! The command line of the laboratory: `cargo run -p lab -- check select`.

use clap::Parser;
use std::process::ExitCode;

/// Judges servers from outside, and holds the course's documents to its code
#[derive(Parser)]
enum Lab {
    Check(lab::check::CheckArgs),
    Claims(lab::claims::ClaimsArgs),
    Docs(lab::docs::DocsArgs),
    Figures(lab::docs::FiguresArgs),
    Timeline(lab::timeline::TimelineArgs),
}

fn main() -> ExitCode {
    match common::parse() {
        Lab::Check(args) => lab::check::main(&args),
        Lab::Claims(args) => lab::claims::main(&args),
        Lab::Docs(args) => lab::docs::main(&args),
        Lab::Figures(args) => lab::docs::figures(&args),
        Lab::Timeline(args) => lab::timeline::main(&args),
    }
}
