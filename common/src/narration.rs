//! The narration: each step of a program on standard error, one line a step.

use nix::sys::signal::{SigHandler, Signal, signal};
use std::io::Write;
use std::thread;

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
    // A file that may not grow any more (ulimit -f) is an error of write, too, and not the end. As
    // with SIGPIPE, for which Rust's standard library does the same.
    #[expect(unsafe_code, reason = "nix offers no other way to ignore a signal")]
    // SAFETY: no handler is installed that could run at a bad moment.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
    env_logger::Builder::new()
        .filter_level(level)
        // A step is told with the name of the thread that takes it, if the program gave it one.
        .format(|line, record| match thread::current().name() {
            Some(name) if name != "main" => writeln!(line, "{name}: {}", record.args()),
            _ => writeln!(line, "{}", record.args()),
        })
        .init();
}
