//! How fast requests may follow each other.
//!
//! The requests of a run are spaced evenly: a burst at the start of each second is what services count as too fast. The wait
//! counts towards the deadline of the call (`run-timeout-ms`), not of the request.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::retry::countable;

/// So many requests in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
}

impl Rate {
    /// `count` requests in each `per`; `None` where one of them is zero.
    ///
    /// ```
    /// use std::time::Duration;
    /// let rate = nodule::rate::Rate::new(50, Duration::from_secs(1));
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
        match self.per.as_secs() {
            1 => write!(f, "{}/s", self.count),
            60 => write!(f, "{}/min", self.count),
            3600 => write!(f, "{}/h", self.count),
            _ => write!(f, "{} in {:?}", self.count, self.per),
        }
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a rate such as `50/s`, `600/min` or `1000/h`, found `{}`",
    crate::canonical::shown(found)
)]
pub struct RateError {
    /// What was found.
    pub found: String,
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let parsed = text.trim().split_once('/').and_then(|(count, unit)| {
            let per = match unit.trim() {
                "s" | "sec" | "second" => 1,
                "m" | "min" | "minute" => 60,
                "h" | "hour" => 3600,
                _ => return None,
            };
            Self::new(count.trim().parse().ok()?, Duration::from_secs(per))
        });
        parsed.ok_or_else(|| RateError {
            found: text.to_owned(),
        })
    }
}

/// Lets requests pass at a rate, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Bucket {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            interval: countable(rate.interval()),
            next: Mutex::new(Instant::now()),
        }
    }

    /// When the next place is that nobody has; perhaps in the past.
    pub(crate) fn next(&self) -> Instant {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many places there are in so much time.
    pub(crate) fn places_in(&self, time: Duration) -> usize {
        let places = time.as_nanos() / self.interval.as_nanos().max(1);
        usize::try_from(places).unwrap_or(usize::MAX)
    }

    /// Wait for the next place. Whoever stops waiting has used it up.
    pub(crate) async fn take(&self) {
        let place = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let place = (*next).max(Instant::now());
            *next = place + self.interval;
            place
        };
        sleep_until(place).await;
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
        for text in ["", "50", "0/s", "-1/s", "50/d", "1.5/s", "/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_rate_of_all_has_a_next_place() {
        let bucket = Bucket::new(Rate::new(1, Duration::MAX).unwrap());
        bucket.take().await;
        assert!(bucket.next() > Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_spaced_evenly_however_many_wait() {
        let bucket = Bucket::new("50/s".parse().unwrap());
        let start = Instant::now();
        for place in 0..10 {
            bucket.take().await;
            assert!(start.elapsed() >= Duration::from_millis(20 * place), "{place}");
        }
        assert!(start.elapsed() < Duration::from_millis(20 * 10 + 20));
        // What was not used is not saved up.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let start = Instant::now();
        for _ in 0..6 {
            bucket.take().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(100));
    }
}
