//! Settles the results of a call: each is given, or its item is tried again.

use std::time::{Duration, Instant};

use nodule_core::failure::Failure;
use nodule_core::outcome::ItemResult;
use nodule_core::retry::{Change, Verdict, verdict};

use super::{Now, Resting, Schedule, Tracked};
use crate::run::batch::Shown;
use crate::run::journal::{State, Urgency};
use crate::run::notice::Notice;

impl Schedule {
    /// Handles the results of a finished call, and frees its slots.
    pub(in crate::run) fn ended(
        &mut self,
        slots: usize,
        shown: Shown,
        results: Vec<(Tracked, ItemResult)>,
        now: Now,
    ) {
        self.calls = self.calls.saturating_sub(1);
        self.taken_slots = self.taken_slots.saturating_sub(slots);
        self.in_flight = self.in_flight.saturating_sub(results.len());
        self.batch_size.note(shown);
        let before = self.resting.len();
        let mut not_run = Vec::new();
        for (mut tracked, result) in results {
            self.note_health(&result, now);
            if tracked.item.rows() > tracked.rows_before {
                // What came of it in this try is not lost, so the next one is the first again.
                tracked.tries_here = 1;
                tracked.begun = Some(now.instant);
                tracked.backoff = None;
            }
            match result {
                Err(Failure::NotRun) if !self.is_closed => {
                    // The item was behind one that failed in the same call. That one may still succeed when it is tried
                    // again.
                    tracked.tries = tracked.tries.saturating_sub(1);
                    tracked.tries_here = tracked.tries_here.saturating_sub(1);
                    not_run.push(tracked);
                }
                Err(failure) => match self.next_try(&tracked, &failure, now) {
                    Some(ready) => self.rest(tracked, failure, ready, now),
                    None => self.conclude(tracked, Err(failure), now),
                },
                done => self.conclude(tracked, done, now),
            }
        }
        if self.resting.len() == before {
            for tracked in not_run {
                self.conclude(tracked, Err(Failure::NotRun), now);
            }
            return;
        }
        for tracked in not_run.into_iter().rev() {
            if let Some(key) = &tracked.ordering_key {
                self.locked_keys.remove(key);
            }
            self.waiting.push_front(tracked);
        }
    }

    /// When the item may be tried again; `None` if it may not.
    fn next_try(&mut self, tracked: &Tracked, failure: &Failure, now: Now) -> Option<Instant> {
        let Verdict::Again(asked) = verdict(&self.rules.effect, failure) else {
            return None;
        };
        if tracked.tries_here >= self.rules.retry.tries.get() || self.is_closed {
            return None;
        }
        let asked = asked.unwrap_or_default();
        let deadline = self.deadline(tracked, now);
        if now.instant + asked >= deadline {
            return None;
        }
        if matches!(failure, Failure::Throttled { .. }) && !asked.is_zero() {
            self.pause(asked, now);
        }
        Some(now.instant + asked)
    }

    /// Pauses the whole run: the service asks all clients to wait, not only this item.
    fn pause(&mut self, wait: Duration, now: Now) {
        if self.paused.is_none_or(|paused| paused <= now.instant) {
            self.outbox.notices.push(Notice::Throttled { wait });
        }
        let until = now.instant + wait;
        self.paused = Some(self.paused.map_or(until, |paused| paused.max(until)));
    }

    /// Lets the item rest until a retry. `asked` is the earliest time that the service allows; the item's own backoff
    /// may be longer.
    fn rest(&mut self, mut tracked: Tracked, failure: Failure, asked: Instant, now: Now) {
        let backoff = tracked.backoff.get_or_insert_with(|| self.rules.retry.backoff());
        let own = backoff.next().unwrap_or(self.rules.retry.longest_wait);
        let ready = asked.max(now.instant + own);
        if ready >= self.deadline(&tracked, now) {
            return self.conclude(tracked, Err(failure), now);
        }
        // The journal has to know at once that a plain write is no longer in flight.
        let urgency = self.urgency(Urgency::Later);
        self.record(&tracked, State::Waiting, Some(&failure), urgency, now);
        self.outbox.retries.push(failure.kind().to_owned());
        self.resting.push(Resting {
            tracked,
            failure,
            ready,
        });
    }

    /// Updates the breaker with what a result says about the service.
    fn note_health(&mut self, result: &ItemResult, now: Now) {
        let is_alive = match result {
            Err(Failure::Unavailable { .. }) => false,
            // These failures say nothing about the service.
            Err(
                Failure::InvalidParameters(_)
                | Failure::InvalidInput(_)
                | Failure::Denied { .. }
                | Failure::Limit(_)
                | Failure::NotRun
                | Failure::Other { .. }
                | Failure::Uncertain(_),
            ) => return,
            Ok(_) | Err(_) => true,
        };
        if let (Err(failure), false) = (result, is_alive) {
            self.trouble = Some(failure.clone());
        }
        // Without retries, the embedder handles an unavailable service itself.
        if self.rules.retry.tries.get() == 1 {
            return;
        }
        match self.breaker.note(is_alive, now.instant) {
            Some(Change::Down(_)) => {
                let message = self.trouble.as_ref().map(ToString::to_string).unwrap_or_default();
                self.outbox.notices.push(Notice::ServiceDown { message });
            }
            Some(Change::Back) => {
                self.has_given_up = false;
                self.outbox.notices.push(Notice::ServiceBack);
            }
            None => {}
        }
    }

    /// Makes a result final.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the item ends here, so nobody may use it afterwards"
    )]
    pub(super) fn conclude(&mut self, tracked: Tracked, mut result: ItemResult, now: Now) {
        self.cut(tracked.item.index, &mut result);
        let row = self.record_result(&tracked, &result, now);
        if let Some(key) = &tracked.ordering_key {
            self.locked_keys.remove(key);
        }
        self.put(tracked.item.index, result, row, now);
    }

    /// Settles an item that is not sent. It has no lock on its ordering key; another item may have one.
    pub(super) fn settle_unsent(&mut self, tracked: Tracked, failure: Failure, now: Now) {
        let result = Err(failure);
        self.record_result(&tracked, &result, now);
        let Tracked { item, .. } = tracked;
        if self.rules.is_recorded {
            self.outbox
                .unsent
                .push((item.index, item.parameters, result.clone()));
        }
        self.put(item.index, result, 0, now);
    }
}
