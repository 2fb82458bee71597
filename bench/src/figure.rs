//! One line of the table: what was measured, its yardstick, their ratio, and what it has to be.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plain::Operation;
use crate::spread::Spread;

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// The section that it belongs to.
    pub section: String,
    /// What was measured.
    pub name: String,
    /// What `value` and `yardstick` are counted in.
    pub unit: Unit,
    /// What was found.
    pub value: Spread,
    /// What it is compared with, measured in turn with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<Yardstick>,
    /// What it has to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Whether it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_met: Option<bool>,
    /// Where it stands in the chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// The single runs, until it is known what they are compared with.
    #[serde(skip)]
    runs: Vec<f64>,
}

/// What a figure is compared with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Yardstick {
    /// In words.
    pub name: String,
    /// What was found, in the figure's unit.
    pub value: Spread,
    /// Value by yardstick, pair by pair.
    pub ratio: Spread,
    /// Value less yardstick, pair by pair, in the figure's unit.
    pub difference: Spread,
}

/// Which live figure it is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Live {
    /// What was run.
    pub operation: Operation,
    /// How many items were under way.
    pub concurrency: usize,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Items a second.
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
}

/// What a figure has to be.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Target {
    of: Of,
    bound: Bound,
    limit: f64,
}

/// Which number of a figure a target is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// The value itself.
    Value,
    /// Value by yardstick.
    Ratio,
    /// Value less yardstick.
    Difference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Bound {
    AtLeast,
    AtMost,
}

impl Target {
    /// Large is good.
    pub const fn at_least(of: Of, limit: f64) -> Self {
        Self {
            of,
            bound: Bound::AtLeast,
            limit,
        }
    }

    /// Small is good.
    pub const fn at_most(of: Of, limit: f64) -> Self {
        Self {
            of,
            bound: Bound::AtMost,
            limit,
        }
    }

    /// Which number it is about.
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

    /// In words, for a figure of this unit.
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
    /// What several runs gave.
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

    /// Beside what the yardstick gave: run by run in the same order, since they were measured in turn.
    pub fn beside(mut self, name: &str, runs: &[f64]) -> Self {
        self.yardstick = Some(Yardstick {
            name: name.to_owned(),
            value: Spread::of(runs),
            ratio: Spread::of_pairs(&self.runs, runs, |value, yardstick| value / yardstick),
            difference: Spread::of_pairs(&self.runs, runs, |value, yardstick| value - yardstick),
        });
        self
    }

    /// What it has to be. Say it last.
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self.is_met = target.is_met(&self);
        self
    }

    /// Where it stands in the chart.
    pub fn live(mut self, operation: Operation, concurrency: usize) -> Self {
        self.live = Some(Live {
            operation,
            concurrency,
        });
        self
    }
}

impl Unit {
    /// A number with its unit, in as many digits as mean something.
    pub fn words(self, number: f64) -> String {
        let unit = match self {
            Self::PerSecond => "/s",
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::Kilobytes => "KB",
            Self::Megabytes => "MB",
        };
        format!("{} {unit}", Digits(number))
    }
}

/// Three digits that count, and all of those in front of the point.
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
