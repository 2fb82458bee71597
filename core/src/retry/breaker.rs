//! Stops hammering a service that does not answer.
//!
//! After so many failures of the service in a row nothing is sent for a while; then one item is tried, and what becomes of it
//! decides. A service that stays dead for longer than an item may take is given up: items fail at once, without being sent,
//! but for one now and then that looks whether it is back.

use std::time::{Duration, Instant};

/// A service that restarts is back within seconds.
const FIRST_REST: Duration = Duration::from_secs(1);
/// One request in half a minute harms nobody, and a service that is back is noticed soon.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Whether something may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// One item, to see whether the service is back.
    Probe,
    /// Nothing until then.
    Shut(Instant),
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The service is taken for dead; nothing is sent for so long.
    Down(Duration),
    /// It answered again.
    Back,
}

/// Counts failures in a row, and says when something may be sent again. It keeps no time of its own.
#[derive(Debug)]
pub struct Breaker {
    /// Failures in a row that it takes.
    threshold: u32,
    /// How long a dead service is waited for before items fail unsent.
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
    /// One that takes so many failures in a row, and waits so long for a service that is dead.
    #[must_use]
    pub fn new(threshold: u32, patience: Duration) -> Self {
        Self {
            threshold,
            patience,
            failures: 0,
            shut: None,
        }
    }

    /// Note how a try went: whether the service was there.
    pub fn note(&mut self, is_alive: bool, now: Instant) -> Option<Change> {
        if is_alive {
            self.failures = 0;
            return self.shut.take().map(|_| Change::Back);
        }
        self.failures = self.failures.saturating_add(1);
        match &mut self.shut {
            // Tries that began before it was shut say nothing new (the last arm); the probe does.
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

    /// Whether something may be sent now.
    #[must_use]
    pub fn gate(&self, now: Instant) -> Gate {
        match self.shut {
            None => Gate::Open,
            Some(shut) if now >= shut.until => Gate::Probe,
            Some(shut) => Gate::Shut(shut.until),
        }
    }

    /// Since when, if ever, the service is given up.
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
        // A straggler that began before does not prolong it.
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
