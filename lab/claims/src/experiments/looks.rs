//! What one look costs: a call that asks and does not wait, over and over.

use crate::measure::Series;
use nix::errno::Errno;
use std::time::{Duration, Instant};

/// Long enough for the clock, short enough that the scheduler leaves most batches alone.
const BATCH: Duration = Duration::from_micros(200);
const BATCHES: usize = 41;

/// The time of one call, in microseconds: the median of many batches, so that those in which the
/// machine did something else do not count.
pub(super) fn cost<T>(mut look: impl FnMut() -> Result<T, Errno>) -> Result<f64, Errno> {
    // The first one is cold.
    look()?;
    let began = Instant::now();
    look()?;
    let once = began.elapsed().as_nanos().max(1);
    let calls = u32::try_from(BATCH.as_nanos() / once).unwrap_or(u32::MAX).clamp(1, 1000);
    let mut series = Series::default();
    for _ in 0..BATCHES {
        let began = Instant::now();
        for _ in 0..calls {
            look()?;
        }
        series.add(began.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
    }
    Ok(series.median().expect("there were batches"))
}

/// Microseconds, with as many places as mean something.
pub(super) fn micros(time: f64) -> String {
    match time {
        ..10.0 => format!("{time:.2} µs"),
        ..100.0 => format!("{time:.1} µs"),
        _ => format!("{time:.0} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_work_costs_about_twice() {
        let work = |turns: u64| {
            cost(|| Ok((0..turns).fold(0, |sum, turn| std::hint::black_box(sum ^ turn))))
                .expect("nothing can fail")
        };
        let (small, large) = (work(20_000), work(80_000));
        assert!((1.5..12.0).contains(&(large / small)), "{small} and {large} µs");
    }

    #[test]
    fn a_call_that_fails_has_no_cost() {
        assert_eq!(cost(|| Err::<(), _>(Errno::EBADF)), Err(Errno::EBADF));
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([0.093, 27.49, 965.4].map(micros), ["0.09 µs", "27.5 µs", "965 µs"]);
    }
}
