//! The same figure from several rounds.

/// The values of one figure, a round each, in any unit.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// The value of one more round.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// Half of the rounds saw less, half more. `None`: no round saw anything.
    pub fn median(&self) -> Option<f64> {
        let middle = self.0.len() / 2;
        let upper = *self.0.get(middle)?;
        Some(if self.0.len() % 2 == 1 { upper } else { (self.0[middle - 1] + upper) / 2.0 })
    }

    /// The least and the greatest.
    pub fn spread(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_that_was_disturbed_moves_the_spread_and_not_the_median() {
        let mut series = Series::default();
        assert_eq!((series.median(), series.spread()), (None, None));
        for value in [3.0, 1.0, 900.0] {
            series.add(value);
        }
        assert_eq!((series.median(), series.spread()), (Some(3.0), Some((1.0, 900.0))));
        series.add(5.0);
        assert_eq!(series.median(), Some(4.0));
    }
}
