//! Limits how fast requests may follow each other.
//!
//! The requests of a run are spaced evenly, because services count a burst at the start of each second as too fast.
//! Waiting counts towards the timeout of the call (`run-timeout-ms`), not of the request.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::retry::countable;

/// A number of requests per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
}

impl Rate {
    /// `count` requests per `per`; `None` if either is zero.
    ///
    /// ```
    /// use std::time::Duration;
    /// let rate = nodule_core::rate::Rate::new(50, Duration::from_secs(1));
    /// assert_eq!(rate, "50/s".parse().ok());
    /// ```
    #[must_use]
    pub fn new(count: u32, per: Duration) -> Option<Self> {
        (count > 0 && !per.is_zero()).then_some(Self { count, per })
    }

    /// The time between two requests.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.per / self.count
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.per.as_nanos();
        let is_in = |unit: &&(&str, u128)| nanos.is_multiple_of(unit.1);
        let (unit, size) = UNITS.iter().find(is_in).copied().unwrap_or(("ns", 1));
        match nanos / size {
            1 => write!(f, "{}/{unit}", self.count),
            units => write!(f, "{}/{units}{unit}", self.count),
        }
    }
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Units of time, the largest first, in nanoseconds.
const UNITS: [(&str, u128); 5] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", NANOS_PER_SECOND),
    ("ms", 1_000_000),
    ("ns", 1),
];

/// As text: `50/s`.
impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a rate such as `50/s`, `600/min` or `1000/h`, found `{}`",
    crate::canonical::shown(found)
)]
#[non_exhaustive]
pub struct RateError {
    /// What was found.
    pub found: String,
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let parsed = text.trim().split_once('/').and_then(|(count, unit)| {
            let unit = unit.trim();
            let digits = unit.len()
                - unit
                    .trim_start_matches(|first: char| first.is_ascii_digit())
                    .len();
            let (units, unit) = unit.split_at_checked(digits)?;
            let unit = match unit.trim() {
                "sec" | "second" => "s",
                "m" | "minute" => "min",
                "hour" => "h",
                unit => unit,
            };
            let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
            let units: u128 = if units.is_empty() { 1 } else { units.parse().ok()? };
            let nanos = size.checked_mul(units)?;
            let seconds = u64::try_from(nanos / NANOS_PER_SECOND).ok()?;
            let rest = u32::try_from(nanos % NANOS_PER_SECOND).ok()?;
            Self::new(count.trim().parse().ok()?, Duration::new(seconds, rest))
        });
        parsed.ok_or_else(|| RateError {
            found: text.to_owned(),
        })
    }
}

/// Assigns send times to requests, in the order in which they ask. It only counts; the caller waits.
#[derive(Debug)]
pub struct Bucket {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Bucket {
    /// A bucket whose first request may be sent `now`.
    #[must_use]
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            interval: countable(rate.interval()),
            next: Mutex::new(now),
        }
    }

    /// The next free time; it may be in the past.
    pub fn next(&self) -> Instant {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests fit into a period.
    #[must_use]
    pub fn count_in(&self, time: Duration) -> usize {
        let count = time.as_nanos() / self.interval.as_nanos().max(1);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// When a request that asks `now` may be sent. The time is used up even if the request is never sent.
    pub fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let time = (*next).max(now);
        *next = time + self.interval;
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_time() {
        for (text, interval) in [("50/s", 20), ("600/min", 100), (" 1000 / h ", 3_600)] {
            assert_eq!(
                text.parse::<Rate>().map(Rate::interval),
                Ok(Duration::from_millis(interval)),
                "{text}"
            );
        }
        for text in [
            "", "50", "0/s", "-1/s", "50/d", "1.5/s", "/s", "5/0s", "5/2", "5/-1s",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_rate_is_read_back_from_its_text() {
        for (per, text) in [
            (Duration::from_secs(1), "7/s"),
            (Duration::from_mins(1), "7/min"),
            (Duration::from_secs(90), "7/90s"),
            (Duration::from_hours(2), "7/2h"),
            (Duration::from_millis(250), "7/250ms"),
            (Duration::from_nanos(1), "7/ns"),
        ] {
            let rate = Rate::new(7, per).unwrap();
            assert_eq!(rate.to_string(), text);
            assert_eq!(text.parse(), Ok(rate));
        }
        let slowest = Rate::new(1, Duration::MAX).unwrap();
        let json = serde_json::to_string(&slowest).unwrap();
        assert_eq!(serde_json::from_str::<Rate>(&json).unwrap(), slowest);
        assert!(serde_json::from_str::<Rate>("\"50\"").is_err());
    }

    #[test]
    fn the_slowest_rate_of_all_has_a_next_time() {
        let now = Instant::now();
        let bucket = Bucket::new(Rate::new(1, Duration::MAX).unwrap(), now);
        assert_eq!(bucket.take(now), now);
        assert!(bucket.next() > now);
    }

    #[test]
    fn requests_are_spaced_evenly_however_many_ask_and_nothing_is_saved_up() {
        const INTERVAL: Duration = Duration::from_millis(20);
        let mut now = Instant::now();
        let bucket = Bucket::new("50/s".parse().unwrap(), now);
        for request in 0..10 {
            assert_eq!(bucket.take(now), now + INTERVAL * request);
        }
        now += Duration::from_secs(10);
        for request in 0..6 {
            assert_eq!(bucket.take(now), now + INTERVAL * request);
        }
    }
}
