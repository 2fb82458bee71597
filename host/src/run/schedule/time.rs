//! Applies what changes with time alone, and says when the next such change is due.

use std::time::{Duration, Instant};

use nodule_core::failure::{Certainty, Failure};
use nodule_core::retry::Gate;

use super::{Now, Resting, Schedule, Tracked};
use crate::gate::budget::Pace;
use crate::run::notice::Notice;

/// When to wake if nothing is due.
const FAR: Duration = Duration::from_hours(24);

impl Schedule {
    /// Settles resting items whose time is up, a run whose time is up, and items that wait for a service that stays
    /// down.
    pub(in crate::run) fn keep_time(&mut self, now: Now) {
        if self.failed {
            for tracked in std::mem::take(&mut self.waiting) {
                self.settle_unsent(tracked, Failure::NotRun, now);
            }
        }
        if self.rules.ends.is_some_and(|ends| ends <= now.instant) && !self.out_of_time {
            self.out_of_time = true;
            self.outbox.notices.push(Notice::OutOfTime);
        }
        for position in (0..self.resting.len()).rev() {
            let is_late = self
                .resting
                .get(position)
                .is_some_and(|resting| self.deadline(&resting.tracked, now) <= now.instant);
            if is_late || self.out_of_time {
                let Resting { tracked, failure, .. } = self.resting.swap_remove(position);
                self.conclude(tracked, Err(failure), now);
            }
        }
        if self.out_of_time {
            for tracked in std::mem::take(&mut self.waiting) {
                let failure = Failure::Limit("not run: the run's time is up (`run-time`)".to_owned());
                self.settle_unsent(tracked, failure, now);
            }
        }
        let is_given_up = self.breaker.given_up().is_some_and(|since| since <= now.instant);
        if is_given_up && let Some(trouble) = self.trouble.clone() {
            if !self.has_given_up {
                self.has_given_up = true;
                self.outbox.notices.push(Notice::GivenUp {
                    message: trouble.to_string(),
                });
            }
            let is_probing = matches!(self.breaker.gate(now.instant), Gate::Probe);
            // One waiting item is kept to probe the service.
            let kept = usize::from(is_probing && self.calls == 0 && self.resting.is_empty());
            while self.waiting.len() > kept
                && let Some(tracked) = self.waiting.pop_back()
            {
                self.settle_unsent(tracked, unsent(&trouble), now);
            }
        }
    }

    /// No try of the item starts after this time.
    pub(super) fn deadline(&self, tracked: &Tracked, now: Now) -> Instant {
        let item = tracked.begun.unwrap_or(now.instant) + self.rules.retry.item_time;
        self.rules.ends.map_or(item, |ends| ends.min(item))
    }

    /// When to look again if nothing else happens. What was due but could not start waits for a call to finish instead.
    pub(in crate::run) fn wake(&self, now: Now) -> Instant {
        let mut wake = now.instant + FAR;
        let shut = match self.breaker.gate(now.instant) {
            Gate::Shut(until) => Some(until),
            _ => None,
        };
        let near = self.rate_is_near(now);
        for resting in &self.resting {
            // An item may expire while the breaker is open.
            let others = shut.into_iter().chain(near).chain(self.paused);
            let ready = others.fold(resting.ready, Instant::max);
            wake = wake.min(self.deadline(&resting.tracked, now));
            if ready > now.instant {
                wake = wake.min(ready);
            }
        }
        if !self.waiting.is_empty() {
            wake = shut
                .into_iter()
                .chain(self.paused)
                .chain(near)
                .chain(self.breaker.given_up())
                .fold(
                    wake,
                    |wake, at| if at > now.instant { wake.min(at) } else { wake },
                );
        }
        self.rules
            .ends
            .filter(|_| !self.out_of_time)
            .map_or(wake, |ends| wake.min(ends))
    }

    /// How many more items may start. A request waits for the rate inside its call, whose time runs meanwhile, so no
    /// more items start than can get through within `rate_wait`.
    pub(super) fn paced(&self, now: Now) -> usize {
        match &self.rules.rate {
            Some(pace) => room(pace, self.rules.rate_wait, self.in_flight, now.instant),
            None => usize::MAX,
        }
    }

    /// When the next request's time is near enough for its item to start; `None` if it is near enough now.
    fn rate_is_near(&self, now: Now) -> Option<Instant> {
        let (next, wait) = (self.rules.rate.as_ref()?.next()?, self.rules.rate_wait);
        let near = next.checked_sub(wait)?;
        (near > now.instant).then_some(near)
    }
}

fn room(pace: &Pace, wait: Duration, in_flight: usize, now: Instant) -> usize {
    if pace.next().is_some_and(|next| next > now + wait) {
        return 0;
    }
    pace.count_in(wait).max(1).saturating_sub(in_flight)
}

/// The failure of an item that was not sent because the service is down.
fn unsent(trouble: &Failure) -> Failure {
    Failure::Unavailable {
        certainty: Certainty::NotDone,
        message: format!("not sent: the service does not answer ({trouble})"),
        answer: None,
        retry_after_ms: None,
    }
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
        assert_eq!(room(&pace, WAIT, 0, now + hour.saturating_sub(WAIT)), 1);
        // However long there was no request, the rate saves up only one.
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
