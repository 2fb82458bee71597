//! Stops sending requests to a service that does not respond.
//!
//! After a number of consecutive failures of the service, nothing is sent for a while. Then one item is tried, and its
//! result decides what follows. If the service stays dead for longer than an item may take, it is given up: items fail
//! at once without being sent, except that one item now and then tests whether the service is back.

use std::time::{Duration, Instant};

/// A service that restarts is back within seconds.
const FIRST_REST: Duration = Duration::from_secs(1);
/// One request every half minute harms nobody, and soon notices that a service is back.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Whether an item may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// One item, to test whether the service is back.
    Probe,
    /// Nothing until this time.
    Shut(Instant),
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The service counts as dead; nothing is sent for this long.
    Down(Duration),
    /// The service responded again.
    Back,
}

/// Counts consecutive failures and decides when items may be sent again. Callers pass the time.
#[derive(Debug)]
pub struct Breaker {
    /// Consecutive failures that it tolerates.
    threshold: u32,
    /// How long to wait for a dead service before items fail unsent.
    patience: Duration,
    failures: u32,
    shut: Option<Shut>,
}

#[derive(Debug, Clone, Copy)]
struct Shut {
    since: Instant,
    until: Instant,
    rest: Duration,
}

impl Breaker {
    /// A breaker that tolerates `threshold` consecutive failures and waits `patience` for a dead service.
    #[must_use]
    pub fn new(threshold: u32, patience: Duration) -> Self {
        Self {
            threshold,
            patience,
            failures: 0,
            shut: None,
        }
    }

    /// Records whether the service was alive in a try.
    pub fn note(&mut self, is_alive: bool, now: Instant) -> Option<Change> {
        if is_alive {
            self.failures = 0;
            return self.shut.take().map(|_| Change::Back);
        }
        self.failures = self.failures.saturating_add(1);
        match &mut self.shut {
            // Tries that began before the breaker opened say nothing new (the last arm); the probe does.
            Some(shut) if now >= shut.until => {
                shut.rest = (shut.rest * 2).min(LONGEST_REST);
                shut.until = now + shut.rest;
                None
            }
            None if self.failures >= self.threshold => {
                self.shut = Some(Shut {
                    since: now,
                    until: now + FIRST_REST,
                    rest: FIRST_REST,
                });
                Some(Change::Down(FIRST_REST))
            }
            _ => None,
        }
    }

    /// Whether an item may be sent now.
    #[must_use]
    pub fn gate(&self, now: Instant) -> Gate {
        match self.shut {
            None => Gate::Open,
            Some(shut) if now >= shut.until => Gate::Probe,
            Some(shut) => Gate::Shut(shut.until),
        }
    }

    /// When the service was given up, if it was.
    #[must_use]
    pub fn given_up(&self) -> Option<Instant> {
        self.shut.map(|shut| shut.since + self.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn failures_in_a_row_shut_it_and_a_success_between_them_does_not() {
        let (mut breaker, now) = (Breaker::new(3, 60 * SECOND), Instant::now());
        for alive in [false, false, true, false, false] {
            assert_eq!(breaker.note(alive, now), None);
        }
        assert_eq!(breaker.gate(now), Gate::Open);
        assert_eq!(breaker.note(false, now), Some(Change::Down(SECOND)));
        assert_eq!(breaker.gate(now), Gate::Shut(now + SECOND));
    }

    #[test]
    fn a_probe_opens_it_or_shuts_it_for_longer() {
        let (mut breaker, start) = (Breaker::new(1, 60 * SECOND), Instant::now());
        breaker.note(false, start);
        // A straggler that began earlier does not extend the wait.
        assert_eq!(breaker.note(false, start + SECOND / 2), None);
        assert_eq!(breaker.gate(start + SECOND), Gate::Probe);
        breaker.note(false, start + SECOND);
        assert_eq!(breaker.gate(start + 2 * SECOND), Gate::Shut(start + 3 * SECOND));
        assert_eq!(breaker.note(true, start + 3 * SECOND), Some(Change::Back));
        assert_eq!(breaker.gate(start + 3 * SECOND), Gate::Open);
        assert_eq!(breaker.given_up(), None);
    }

    #[test]
    fn a_service_that_stays_dead_is_given_up() {
        let (mut breaker, start) = (Breaker::new(1, 60 * SECOND), Instant::now());
        let mut now = start;
        for _ in 0..20 {
            breaker.note(false, now);
            let Gate::Shut(until) = breaker.gate(now) else {
                panic!("open")
            };
            assert!(until - now <= LONGEST_REST);
            now = until;
        }
        assert_eq!(breaker.given_up(), Some(start + 60 * SECOND));
    }
}
