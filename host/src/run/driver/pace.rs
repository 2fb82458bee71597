//! How many items may be in calls, so that they keep a rate and none of them waits in vain.
//!
//! The requests themselves wait for their places in [`Pace::turn`], inside their calls, whose time goes on. So no more items
//! are in calls than the rate serves in a small part of that time, and none starts whose place is further away.

use std::time::{Duration, Instant};

use tokio::time;

use super::Driver;
use crate::gate::budget::Pace;

/// How long a request may wait for its place, at most: the longer, the more of a call's cost is shared.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// What part of a call's time may pass while its requests wait for their places.
const SHARE: u32 = 4;

impl Driver {
    /// How many more items may be in calls.
    pub(super) fn paced(&self, now: time::Instant) -> usize {
        match &self.operation.rate {
            Some(pace) => room(pace, self.wait(), self.under_way, now.into_std()),
            None => usize::MAX,
        }
    }

    /// When the next place is near enough, where none is.
    pub(super) fn place_is_near(&self, now: time::Instant) -> Option<time::Instant> {
        let (next, wait) = (self.operation.rate.as_ref()?.next()?, self.wait());
        (next > now.into_std() + wait).then(|| (next - wait).into())
    }

    fn wait(&self) -> Duration {
        LONGEST_WAIT.min(self.inner.limits().run_timeout / SHARE)
    }
}

fn room(pace: &Pace, wait: Duration, under_way: usize, now: Instant) -> usize {
    if pace.next().is_some_and(|next| next > now + wait) {
        return 0;
    }
    pace.count_in(wait).max(1).saturating_sub(under_way)
}

#[cfg(test)]
mod tests {
    use nodule_core::rate::Bucket;

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    fn pace(rate: &str, now: Instant) -> Pace {
        Pace::of(Bucket::new(rate.parse().unwrap(), now))
    }

    fn take(pace: &Pace, now: Instant) -> Instant {
        pace.own.as_ref().unwrap().take(now)
    }

    #[test]
    fn as_many_items_are_in_calls_as_the_rate_serves_soon() {
        let now = Instant::now();
        for (rate, most) in [("1/h", 1), ("10/min", 1), ("2/s", 20), ("50/s", 500)] {
            let pace = pace(rate, now);
            assert_eq!(room(&pace, WAIT, 0, now), most, "{rate}");
            assert_eq!(room(&pace, WAIT, most - 1, now), 1, "{rate}");
            assert_eq!(room(&pace, WAIT, most, now), 0, "{rate}");
        }
    }

    #[test]
    fn an_item_starts_when_its_request_may_leave_soon() {
        let now = Instant::now();
        let pace = pace("1/h", now);
        take(&pace, now);
        assert_eq!(room(&pace, WAIT, 0, now), 0);
        let hour = Duration::from_hours(1);
        assert_eq!(pace.next(), Some(now + hour));
        assert_eq!(room(&pace, WAIT, 0, now + hour - WAIT), 1);
        // However long nobody asked, one is all that is there.
        assert_eq!(room(&pace, WAIT, 0, now + 10 * hour), 1);
    }

    #[test]
    fn a_request_waits_no_longer_than_it_may_whatever_the_rate() {
        let now = Instant::now();
        for rate in ["10/min", "2/s", "50/s"] {
            let pace = pace(rate, now);
            for _ in 0..room(&pace, WAIT, 0, now) {
                assert!(take(&pace, now) <= now + WAIT, "{rate}");
            }
        }
    }
}
