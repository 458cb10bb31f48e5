//! The narration: each step of a program on standard error, one line a step.

use std::io::Write;

/// Starts the narration, or keeps it off.
///
/// Programs narrate with `log::info!`. When `quiet`, that is one comparison per step and nothing
/// is formatted. A standard error that was closed stops nothing: `env_logger` ignores what a
/// write returns, where `eprintln!` would panic.
///
/// Limit: standard error blocks. Where somebody holds it and does not read (a stopped pager, Ctrl-S
/// at the terminal), the whole server waits for them, as in any other blocking call. With `quiet`
/// it does not.
pub fn narrate(quiet: bool) {
    let level = if quiet { log::LevelFilter::Off } else { log::LevelFilter::Info };
    env_logger::Builder::new()
        .filter_level(level)
        .format(|line, record| writeln!(line, "{}", record.args()))
        .init();
}
