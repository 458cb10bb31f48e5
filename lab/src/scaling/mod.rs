//! `lab scaling`: what clients cost that say nothing.
//!
//! One client talks; the others are connected and silent, more of them at each point. A model that
//! hands its whole list over at each wait pays for every one of them with every message.

mod data;
mod line;

use crate::check::programs::{self, Program};
use crate::check::report::complain;
use crate::measure::{Cpus, Load, Target, crowd, load};
use crate::process::observe;
use crate::table::{figures_from, say, table};
use clap::Args;
use data::{Data, Row};
use indicatif::{ProgressBar, ProgressStyle};
use line::Line;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measure what silent connections cost: CPU time of a message against their number
///
/// One client talks, on the server's own CPU; up to 20,000 others are connected and silent (as many
/// as the descriptors allow). Prints a straight line fitted to the points of each server: what a
/// message costs, and what each silent connection adds to it. Takes about three minutes.
///
/// Writes the points to scaling.csv, for any program that draws; `lab figures` draws the course's.
#[derive(Debug, Args)]
pub struct ScalingArgs {
    /// Programs of the course, instead of one for each model
    #[arg(value_name = "PROGRAM")]
    programs: Vec<String>,

    /// The most silent connections
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    most: u32,

    /// Rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Where to write the points
    #[arg(long, short, value_name = "FILE", default_value = "scaling.csv")]
    output: PathBuf,
}

const MODELS: [&str; 5] = ["select", "poll", "epoll", "uring", "thread_per_connection"];

/// How long each point is measured.
const TIME: Duration = Duration::from_millis(300);
/// Descriptors that server and laboratory need for themselves.
const SPARE: usize = 60;
/// What is below the limit of a server that has one: select's 1024 descriptors, a pool's workers.
const SHORT_OF_1024: usize = 1000;

/// A server, and how far it goes.
struct Measured {
    target: Target,
    most: usize,
    /// Why not to the end.
    limit: Option<String>,
}
