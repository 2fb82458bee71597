//! One line of the table: a measurement, its yardstick, their ratio, and the target.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plain::Operation;
use crate::spread::Spread;

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// The figure's section.
    pub section: String,
    /// What was measured.
    pub name: String,
    /// The unit of `value` and `yardstick`.
    pub unit: Unit,
    /// The result.
    pub value: Spread,
    /// The comparison, measured alternately with the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<Yardstick>,
    /// The required value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Whether the target is met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_met: Option<bool>,
    /// The figure's position in the chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// The single runs, kept until the yardstick is known.
    #[serde(skip)]
    runs: Vec<f64>,
}

/// A comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Yardstick {
    /// What was compared with, in words.
    pub name: String,
    /// The result, in the figure's unit.
    pub value: Spread,
    /// Value divided by yardstick, pair by pair.
    pub ratio: Spread,
    /// Value minus yardstick, pair by pair, in the figure's unit.
    pub difference: Spread,
}

/// Identifies a live figure.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Live {
    /// The operation.
    pub operation: Operation,
    /// Number of items in flight.
    pub concurrency: usize,
}

/// A figure's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Items per second.
    #[serde(rename = "items/s")]
    PerSecond,
    /// Microseconds.
    #[serde(rename = "µs")]
    Micros,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millis,
    /// Thousands of bytes.
    #[serde(rename = "KB")]
    Kilobytes,
    /// Millions of bytes.
    #[serde(rename = "MB")]
    Megabytes,
    /// Millions of bytes per second.
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
}

/// A required value.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Target {
    of: Of,
    bound: Bound,
    limit: f64,
}

/// The number of a figure that a target limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// The value itself.
    Value,
    /// Value divided by yardstick.
    Ratio,
    /// Value minus yardstick.
    Difference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Bound {
    AtLeast,
    AtMost,
}

impl Target {
    /// A lower bound.
    pub const fn at_least(of: Of, limit: f64) -> Self {
        Self {
            of,
            bound: Bound::AtLeast,
            limit,
        }
    }

    /// An upper bound.
    pub const fn at_most(of: Of, limit: f64) -> Self {
        Self {
            of,
            bound: Bound::AtMost,
            limit,
        }
    }

    /// The number that the target limits.
    pub fn of(self) -> Of {
        self.of
    }

    fn is_met(self, figure: &Figure) -> Option<bool> {
        let found = match (self.of, &figure.yardstick) {
            (Of::Value, _) => figure.value.median,
            (Of::Ratio, Some(yardstick)) => yardstick.ratio.median,
            (Of::Difference, Some(yardstick)) => yardstick.difference.median,
            (_, None) => return None,
        };
        Some(match self.bound {
            Bound::AtLeast => found >= self.limit,
            Bound::AtMost => found <= self.limit,
        })
    }

    /// The target in words, for a figure of this unit.
    pub fn words(self, unit: Unit) -> String {
        let sign = match self.bound {
            Bound::AtLeast => '≥',
            Bound::AtMost => '≤',
        };
        match self.of {
            Of::Value => format!("{sign} {}", unit.words(self.limit)),
            Of::Ratio => format!("ratio {sign} {}", Digits(self.limit)),
            Of::Difference => format!("{sign} {} more", unit.words(self.limit)),
        }
    }
}

impl Figure {
    /// A figure from several runs.
    pub fn new(section: &str, name: impl Into<String>, unit: Unit, runs: Vec<f64>) -> Self {
        Self {
            section: section.to_owned(),
            name: name.into(),
            unit,
            value: Spread::of(&runs),
            yardstick: None,
            target: None,
            is_met: None,
            live: None,
            runs,
        }
    }

    /// Adds the yardstick's runs, in the same order as the figure's: run by run, they were measured one after the
    /// other.
    pub fn beside(mut self, name: &str, runs: &[f64]) -> Self {
        self.yardstick = Some(Yardstick {
            name: name.to_owned(),
            value: Spread::of(runs),
            ratio: Spread::of_pairs(&self.runs, runs, |value, yardstick| value / yardstick),
            difference: Spread::of_pairs(&self.runs, runs, |value, yardstick| value - yardstick),
        });
        self
    }

    /// Adds the target. Call it last.
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self.is_met = target.is_met(&self);
        self
    }

    /// Sets the position in the chart.
    pub fn live(mut self, operation: Operation, concurrency: usize) -> Self {
        self.live = Some(Live {
            operation,
            concurrency,
        });
        self
    }
}

impl Unit {
    /// A number with its unit, in its significant digits.
    pub fn words(self, number: f64) -> String {
        let unit = match self {
            Self::PerSecond => "/s",
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::Kilobytes => "KB",
            Self::Megabytes => "MB",
            Self::MegabytesPerSecond => "MB/s",
        };
        format!("{} {unit}", Digits(number))
    }
}

/// Three significant digits, and all digits before the decimal point.
pub struct Digits(pub f64);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if size >= 1000.0 {
            let text = format!("{:.0}", self.0);
            let first = match text.len() % 3 {
                0 => 3,
                rest => rest,
            };
            for (at, digit) in text.chars().enumerate() {
                if at >= first && (at - first).is_multiple_of(3) {
                    f.write_str(",")?;
                }
                write!(f, "{digit}")?;
            }
            return Ok(());
        }
        if size == 0.0 {
            return f.write_str("0");
        }
        match size {
            100.0.. => write!(f, "{:.0}", self.0),
            10.0.. => write!(f, "{:.1}", self.0),
            _ => write!(f, "{:.2}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_held_against_the_median() {
        let figure = |target| {
            Figure::new("live", "rate", Unit::PerSecond, vec![7.0, 8.0, 9.0])
                .beside("plain", &[10.0, 10.0, 10.0])
                .target(target)
                .is_met
        };
        assert_eq!(figure(Target::at_least(Of::Ratio, 0.8)), Some(true));
        assert_eq!(figure(Target::at_least(Of::Ratio, 0.81)), Some(false));
        assert_eq!(figure(Target::at_most(Of::Difference, -2.0)), Some(true));
        assert_eq!(figure(Target::at_most(Of::Value, 7.9)), Some(false));
    }

    #[test]
    fn a_ratio_without_a_yardstick_is_not_met_and_not_missed() {
        let figure = Figure::new("live", "rate", Unit::PerSecond, vec![1.0]);
        assert_eq!(figure.target(Target::at_least(Of::Ratio, 0.8)).is_met, None);
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        for (number, text) in [
            (0.0, "0"),
            (0.634, "0.63"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.4, "1,234"),
            (234_567.0, "234,567"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(Digits(number).to_string(), text);
        }
    }
}
