//! The command line of the press: `cargo run -p press` checks the course's documents.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Checks the course's documents, draws its figures, and records its runs
#[derive(Parser)]
struct Press {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Docs(press::DocsArgs),
    Figures(press::FiguresArgs),
    Record(press::RecordArgs),
}

fn main() -> ExitCode {
    let press: Press = common::parse();
    match press.command.unwrap_or(Command::Docs(press::DocsArgs::default())) {
        Command::Docs(args) => press::main(&args),
        Command::Figures(args) => press::figures(&args),
        Command::Record(args) => press::record(&args),
    }
}
