//! At a terminal, a sign of life for what takes seconds. It is written to standard error, and
//! nothing where that is no terminal.

use crate::language::said;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar for `steps` steps, or a spinner for one; the caller sets its message. Lines printed
/// meanwhile go through [`ProgressBar::suspend`].
#[must_use]
pub fn progress(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    let template =
        if steps > 1 { "{wide_bar} {msg} {pos}/{len}" } else { "{spinner} {msg} {elapsed}" };
    bar.set_style(ProgressStyle::with_template(template).expect("a template"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Shows that something is under way.
pub fn while_saying<T>(message: String, work: impl FnOnce() -> T) -> T {
    let bar = progress(1);
    bar.set_message(message);
    let result = work();
    bar.finish_and_clear();
    result
}

/// Says what takes so long: cargo builds, or waits for another cargo.
pub fn while_building<T>(what: &str, build: impl FnOnce() -> T) -> T {
    let message =
        said!("building {what} (a minute the first time)", "编译 {what}（第一次要一分钟）");
    while_saying(message, build)
}
