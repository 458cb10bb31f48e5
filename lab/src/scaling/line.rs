//! A straight line through points, by least squares.

/// How steep the line is, and how good.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub slope: f64,
    /// The part of the differences that the line explains: 1, all of it.
    pub r_squared: f64,
}

impl Line {
    pub fn through(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|(x, y)| of(x - x_mean, y - y_mean)).sum()
        };
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        let slope = if xx > 0.0 { xy / xx } else { 0.0 };
        let r_squared = if xx > 0.0 && yy > 0.0 { xy * xy / (xx * yy) } else { 0.0 };
        Self { slope, r_squared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_give_the_line() {
        let line = Line::through(&[(0.0, 5.0), (10.0, 7.0), (100.0, 25.0)]);
        assert!((line.slope - 0.2).abs() < 1e-9, "{line:?}");
        assert!((line.r_squared - 1.0).abs() < 1e-9, "{line:?}");
    }

    #[test]
    fn one_point_and_level_points_have_no_slope() {
        assert_eq!(Line::through(&[(3.0, 4.0)]).slope, 0.0);
        let level = Line::through(&[(0.0, 4.0), (9.0, 4.0)]);
        assert_eq!((level.slope, level.r_squared), (0.0, 0.0));
    }
}
