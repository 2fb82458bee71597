//! Starting calls, and what becomes of their results: given, or tried again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Driver, EndedCall, Entry, FAR, Resting};
use crate::events;
use crate::run::call::run_chunk;
use crate::run::journal::{State, Urgency, durable};
use crate::run::{CancelMode, Notice, OnFailure};
use nodule_core::failure::{Certainty, Failure};
use nodule_core::outcome::ItemResult;
use nodule_core::retry::{Change, Gate, Verdict, verdict};

impl Driver {
    /// What time alone changes: items at rest whose time is up, a run whose time is up, a service that is given up.
    pub(super) fn keep_time(&mut self, now: Instant) {
        if self.failed {
            for entry in std::mem::take(&mut self.waiting) {
                self.settle_unsent(entry, Failure::NotRun);
            }
        }
        if self.ends.is_some_and(|ends| ends <= now) && !self.out_of_time {
            self.out_of_time = true;
            self.notice(Notice::OutOfTime);
        }
        for position in (0..self.resting.len()).rev() {
            let is_late = self
                .resting
                .get(position)
                .is_some_and(|resting| self.deadline(&resting.entry) <= now);
            if is_late || self.out_of_time {
                let Resting { entry, failure, .. } = self.resting.swap_remove(position);
                self.conclude(entry, Err(failure));
            }
        }
        if self.out_of_time {
            for entry in std::mem::take(&mut self.waiting) {
                let failure = Failure::Limit("not run: the run's time is up (`run-time`)".to_owned());
                self.settle_unsent(entry, failure);
            }
        }
        let is_given_up = self
            .breaker
            .given_up()
            .is_some_and(|since| since <= now.into_std());
        if is_given_up && let Some(trouble) = self.trouble.clone() {
            if !self.has_given_up {
                self.has_given_up = true;
                self.notice(Notice::GivenUp {
                    message: trouble.to_string(),
                });
            }
            let is_probing = matches!(self.breaker.gate(now.into_std()), Gate::Probe);
            // One item looks whether it is back.
            let kept = usize::from(is_probing && self.calls.is_empty() && self.resting.is_empty());
            while self.waiting.len() > kept
                && let Some(entry) = self.waiting.pop_back()
            {
                let failure = unsent(&trouble);
                self.settle_unsent(entry, failure);
            }
        }
    }

    /// No try of the item begins after it.
    fn deadline(&self, entry: &Entry) -> Instant {
        let item = entry.begun.unwrap_or_else(Instant::now) + self.retry.item_time;
        self.ends.map_or(item, |ends| ends.min(item))
    }

    /// When something is to be done that nothing else announces. What could not start though it was time waits for the end
    /// of a call.
    pub(super) fn wake(&self, now: Instant) -> Instant {
        let mut wake = now + FAR;
        let shut = match self.breaker.gate(now.into_std()) {
            Gate::Shut(until) => Some(until.into()),
            _ => None,
        };
        let near = self.place_is_near(now);
        for resting in &self.resting {
            // With the service shut its item's time may still end.
            let others = shut.into_iter().chain(near).chain(self.paused);
            let ready = others.fold(resting.ready, Instant::max);
            wake = wake.min(self.deadline(&resting.entry));
            if ready > now {
                wake = wake.min(ready);
            }
        }
        if !self.waiting.is_empty() {
            wake = shut
                .into_iter()
                .chain(self.paused)
                .chain(near)
                .chain(self.breaker.given_up().map(Instant::from))
                .fold(wake, |wake, at| if at > now { wake.min(at) } else { wake });
        }
        self.ends
            .filter(|_| !self.out_of_time)
            .map_or(wake, |ends| wake.min(ends))
    }

    /// Start a call, if there is something to start and a place for it.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        // A failure of one item must be known before the next starts, where calls hold one item each.
        let is_careful = self.on_failure == OnFailure::Stop && !self.calls.is_empty();
        // A call takes its share of the places, or what calls with few items left over.
        let free = self.places.saturating_sub(self.taken_places);
        let share = self.call_size.in_flight().min(free);
        if is_careful || share == 0 || self.order > CancelMode::Run {
            return false;
        }
        let most = match self.breaker.gate(now.into_std()) {
            Gate::Shut(_) => return false,
            Gate::Probe if !self.calls.is_empty() => return false,
            Gate::Probe => 1,
            Gate::Open => self.call_size.items(share),
        }
        .min(self.paced(now));
        if most == 0 {
            return false;
        }
        if self.paused.is_some_and(|until| until > now) {
            return false;
        }
        // Whether those that wait run at all depends on those at rest.
        let is_held = self.on_failure == OnFailure::Stop && !self.resting.is_empty();
        if is_held && self.resting.iter().all(|resting| resting.ready > now) {
            return false;
        }
        let mut entries = self.rested(now, most);
        entries.reserve_exact(most.min(self.waiting.len()));
        self.add_waiting(&mut entries, most);
        if entries.is_empty() {
            return false;
        }
        // Where no other item waits for a place, none is left unused.
        let places = if self.waiting.is_empty() { free } else { share }.min(entries.len());
        self.spawn(entries, places);
        true
    }

    /// Items that have rested long enough.
    fn rested(&mut self, now: Instant, most: usize) -> Vec<Entry> {
        let mut rested = Vec::new();
        let mut position = 0;
        while rested.len() < most
            && let Some(resting) = self.resting.get(position)
        {
            if resting.ready <= now {
                rested.push(self.resting.swap_remove(position).entry);
            } else {
                position += 1;
            }
        }
        rested.sort_by_key(|entry| entry.item.index);
        rested
    }

    /// Items that have not been tried, but for those whose thing is busy, or is that of one before them.
    fn add_waiting(&mut self, entries: &mut Vec<Entry>, most: usize) {
        if self.on_failure == OnFailure::Stop && !entries.is_empty() {
            // Whether they run at all depends on those.
            return;
        }
        let mut held_up: HashSet<String> = HashSet::new();
        let mut position = 0;
        while entries.len() < most
            && let Some(entry) = self.waiting.get(position)
        {
            if let Some(ordering_key) = &entry.ordering_key {
                if self.locked_keys.contains(ordering_key) || held_up.contains(ordering_key) {
                    held_up.insert(ordering_key.clone());
                    position += 1;
                    continue;
                }
                self.locked_keys.insert(ordering_key.clone());
            }
            entries.extend(self.waiting.remove(position));
        }
    }

    fn spawn(&mut self, mut entries: Vec<Entry>, places: usize) {
        let now = Instant::now();
        let is_write = self.operation.is_write();
        let mut place = 0;
        for entry in &mut entries {
            entry.begun.get_or_insert(now);
            if let Some(journaled) = &mut entry.journaled {
                journaled.started = Some(jiff::Timestamp::now());
            }
            entry.tries += 1;
            entry.tries_here += 1;
            // Of a plain write the disk has to know before the service does.
            place = self.record(entry, State::Started, None, self.urgency(Urgency::Later));
            entry.is_new = false;
        }
        let (inner, operation, on_failure) = (
            Arc::clone(&self.inner),
            Arc::clone(&self.operation),
            self.on_failure,
        );
        self.taken_places += places;
        let in_flight = u32::try_from(places).unwrap_or(u32::MAX);
        let watched = self.durable.clone().filter(|_| is_write);
        self.under_way += entries.len();
        let in_use = self.taken_places as u64;
        self.stats.update(|summary| {
            summary.in_flight = in_use;
            summary.retries += entries.iter().filter(|entry| entry.tries_here > 1).count() as u64;
        });
        let call = async move {
            if let Some(watched) = watched
                && !durable(watched, place).await
            {
                let unsent = || Failure::Other {
                    kind: "journal".into(),
                    message: "not sent: the journal cannot be written".into(),
                    detail: None,
                };
                return EndedCall {
                    places,
                    took: now.elapsed(),
                    results: entries.into_iter().map(|entry| (entry, Err(unsent()))).collect(),
                };
            }
            let items: Vec<_> = entries.iter().map(|entry| &entry.item).collect();
            let results = run_chunk(&inner, &operation, &items, on_failure, in_flight).await;
            EndedCall {
                places,
                took: now.elapsed(),
                results: entries.into_iter().zip(results).collect(),
            }
        };
        self.calls.spawn(call.in_current_span());
    }

    /// What a call gave.
    pub(super) fn settle(&mut self, results: Vec<(Entry, ItemResult)>) {
        let now = Instant::now();
        self.under_way = self.under_way.saturating_sub(results.len());
        let in_use = self.taken_places as u64;
        self.stats.update(|summary| summary.in_flight = in_use);
        let before = self.resting.len();
        let mut not_run = Vec::new();
        for (mut entry, result) in results {
            self.note_health(&result, now);
            match result {
                Err(Failure::NotRun) if self.order == CancelMode::Run => {
                    // It was behind one that failed in the same call, which may come to a good end yet.
                    entry.tries = entry.tries.saturating_sub(1);
                    entry.tries_here = entry.tries_here.saturating_sub(1);
                    not_run.push(entry);
                }
                Err(failure) => match self.next_try(&entry, &failure, now) {
                    Some(ready) => self.rest(entry, failure, ready),
                    None => self.conclude(entry, Err(failure)),
                },
                done => self.conclude(entry, done),
            }
        }
        if self.resting.len() == before {
            for entry in not_run {
                self.conclude(entry, Err(Failure::NotRun));
            }
            return;
        }
        for entry in not_run.into_iter().rev() {
            if let Some(ordering_key) = &entry.ordering_key {
                self.locked_keys.remove(ordering_key);
            }
            self.waiting.push_front(entry);
        }
    }

    /// When the item may be tried again, if it may.
    fn next_try(&mut self, entry: &Entry, failure: &Failure, now: Instant) -> Option<Instant> {
        let Verdict::Again(asked) = verdict(&self.operation.effect, failure) else {
            return None;
        };
        if entry.tries_here >= self.retry.tries.get() || self.order > CancelMode::Run || self.fatal.is_some()
        {
            return None;
        }
        let asked = asked.unwrap_or_default();
        let deadline = self.deadline(entry);
        if now + asked >= deadline {
            return None;
        }
        if matches!(failure, Failure::Throttled { .. }) && !asked.is_zero() {
            self.pause(now + asked, asked);
        }
        Some(now + asked)
    }

    /// The service asked for it, of all of its clients alike.
    fn pause(&mut self, until: Instant, wait: Duration) {
        if self.paused.is_none_or(|paused| paused <= Instant::now()) {
            self.notice(Notice::Throttled { wait });
        }
        self.paused = Some(self.paused.map_or(until, |paused| paused.max(until)));
    }

    /// `asked` is when the service allows it; the item's own wait may be longer.
    fn rest(&mut self, mut entry: Entry, failure: Failure, asked: Instant) {
        let backoff = entry.backoff.get_or_insert_with(|| self.retry.backoff());
        let own = backoff.next().unwrap_or(self.retry.longest_wait);
        let ready = asked.max(Instant::now() + own);
        if ready >= self.deadline(&entry) {
            return self.conclude(entry, Err(failure));
        }
        // Of a plain write the journal says at once that it is not under way any more.
        let urgency = self.urgency(Urgency::Later);
        self.record(&entry, State::Waiting, Some(&failure), urgency);
        events::retry(&self.operation.label, 1, failure.kind());
        self.resting.push(Resting {
            entry,
            failure,
            ready,
        });
    }

    /// Whether the service is there, as far as a result tells.
    fn note_health(&mut self, result: &ItemResult, now: Instant) {
        let is_alive = match result {
            Err(Failure::Unavailable { .. }) => false,
            // These are about something else than the service.
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
        // Who tries nothing again looks after the service without our help.
        if self.retry.tries.get() == 1 {
            return;
        }
        match self.breaker.note(is_alive, now.into_std()) {
            Some(Change::Down(_)) => {
                let message = self.trouble.as_ref().map(ToString::to_string).unwrap_or_default();
                self.notice(Notice::ServiceDown { message });
            }
            Some(Change::Back) => {
                self.has_given_up = false;
                self.notice(Notice::ServiceBack);
            }
            None => {}
        }
    }

    /// A result that stays.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the item ends here, so nobody may use it afterwards"
    )]
    pub(super) fn conclude(&mut self, entry: Entry, result: ItemResult) {
        let place = self.record_result(&entry, &result);
        self.tell_of(&entry, &result);
        if let Some(ordering_key) = &entry.ordering_key {
            self.locked_keys.remove(ordering_key);
        }
        self.put(entry.item.index, result, place);
    }

    fn tell_of(&self, entry: &Entry, result: &ItemResult) {
        let took = entry.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        events::item(&self.operation.label, result, entry.tries_here, took);
    }

    /// An item that is not sent: a thing that it would change is not its own.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the item ends here, so nobody may use it afterwards"
    )]
    pub(super) fn settle_unsent(&mut self, entry: Entry, failure: Failure) {
        let result = Err(failure);
        self.record_result(&entry, &result);
        self.tell_of(&entry, &result);
        self.set(entry.item.index, &entry.item.parameters, result);
    }
}

/// The failure of an item that was not sent, since the service is dead.
fn unsent(trouble: &Failure) -> Failure {
    Failure::Unavailable {
        certainty: Certainty::NotDone,
        message: format!("not sent: the service does not answer ({trouble})"),
        answer: None,
        retry_after_ms: None,
    }
}
