//! The command line of the press: `cargo run -p press` checks the course's documents.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Checks the course's documents, draws its figures, and records its runs
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Press {
    #[command(flatten)]
    docs: press::PressArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Figures(press::FiguresArgs),
    Record(press::RecordArgs),
}

fn main() -> ExitCode {
    let press: Press = common::parse();
    match press.command {
        None => press::main(&press.docs),
        Some(Command::Figures(args)) => press::figures(&args),
        Some(Command::Record(args)) => press::record(&args),
    }
}
