//! Combines several runs into one figure: the median and the range.

use serde::{Deserialize, Serialize};

/// The median of some runs, with the smallest and the largest value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median; of an even number of runs, the mean of the middle two.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The number of runs.
    pub runs: usize,
}

impl Spread {
    /// The spread of some runs; NaN without any.
    pub fn of(runs: &[f64]) -> Self {
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self {
            median: f64::midpoint(at(last / 2), at(last.div_ceil(2))),
            min: at(0),
            max: at(last),
            runs: sorted.len(),
        }
    }

    /// The spread of `of` over pairs that were measured one after the other.
    pub fn of_pairs(values: &[f64], yardsticks: &[f64], of: impl Fn(f64, f64) -> f64) -> Self {
        let pairs: Vec<f64> = values
            .iter()
            .zip(yardsticks)
            .map(|(value, yardstick)| of(*value, *yardstick))
            .collect();
        Self::of(&pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let odd = Spread::of(&[3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.min, odd.max, odd.runs), (2.0, 1.0, 3.0, 3));
        let even = Spread::of(&[4.0, 1.0, 2.0, 3.0]);
        assert_eq!((even.median, even.min, even.max, even.runs), (2.5, 1.0, 4.0, 4));
        assert!(Spread::of(&[]).median.is_nan());
    }

    #[test]
    fn pairs_are_compared_one_by_one() {
        // The machine became twice as fast in between; the ratio is unchanged.
        let ratio = Spread::of_pairs(&[10.0, 5.0, 5.0], &[20.0, 10.0, 10.0], |a, b| a / b);
        assert_eq!((ratio.median, ratio.min, ratio.max), (0.5, 0.5, 0.5));
    }
}
