//! Decides which items start.

use std::collections::HashSet;

use nodule_core::outcome::{OnFailure, ResultOrder};
use nodule_core::retry::Gate;

use super::{Call, Now, Resting, Schedule, Tracked};
use crate::run::journal::{State, Urgency};

impl Schedule {
    /// The next call to start, if an item can start and a slot is free.
    pub(in crate::run) fn start(&mut self, now: Now) -> Option<Call> {
        // If calls have one item each, the outcome of one must be known before the next starts.
        let is_careful = self.rules.on_failure == OnFailure::Stop && self.calls > 0;
        // A call gets its share of the slots, or those that smaller calls left free.
        let free = self.rules.slots.saturating_sub(self.taken_slots);
        if free == 0 && self.first_is_held_up(now) {
            return self.start_first(now);
        }
        let share = self.batch_size.in_flight().min(free);
        if is_careful || share == 0 || self.is_closed {
            return None;
        }
        let most = match self.breaker.gate(now.instant) {
            Gate::Shut(_) => return None,
            Gate::Probe if self.calls > self.held() => return None,
            Gate::Probe => 1,
            Gate::Open => self.batch_size.items(share),
        }
        .min(self.paced(now));
        if most == 0 || self.paused.is_some_and(|until| until > now.instant) {
            return None;
        }
        // A resting item may still fail, and then the waiting items must not run.
        let is_held = self.rules.on_failure == OnFailure::Stop && !self.resting.is_empty();
        if is_held && self.resting.iter().all(|resting| resting.ready > now.instant) {
            return None;
        }
        let mut items = self.rested(now, most);
        items.reserve_exact(most.min(self.waiting.len()));
        self.add_waiting(&mut items, most);
        if items.is_empty() {
            return None;
        }
        let slots = if !self.waiting.is_empty() {
            share.min(items.len())
        } else if self.has_all && self.resting.is_empty() {
            // No other item will ever want one: an item may have several requests.
            free
        } else {
            free.min(items.len())
        };
        Some(self.begin(items, slots, now))
    }

    /// Whether the first item without a result has rested, while items whose rows wait for it have all slots.
    fn first_is_held_up(&self, now: Now) -> bool {
        let is_first = |resting: &Resting| resting.tracked.item.index == self.given;
        self.rules.streams
            && self.rules.order == ResultOrder::Items
            && !self.is_closed
            && self.held() >= self.calls
            && self
                .resting
                .iter()
                .any(|resting| is_first(resting) && resting.ready <= now.instant)
    }

    /// Starts the first item without a result, in a slot beside the others.
    fn start_first(&mut self, now: Now) -> Option<Call> {
        let mut resting = self.resting.iter();
        let position = resting.position(|resting| resting.tracked.item.index == self.given)?;
        let first = self.resting.swap_remove(position).tracked;
        Some(self.begin(vec![first], 1, now))
    }

    /// Takes up to `most` items whose rest is over.
    fn rested(&mut self, now: Now, most: usize) -> Vec<Tracked> {
        let mut rested = Vec::new();
        let mut position = 0;
        while rested.len() < most
            && let Some(resting) = self.resting.get(position)
        {
            if resting.ready <= now.instant {
                rested.push(self.resting.swap_remove(position).tracked);
            } else {
                position += 1;
            }
        }
        rested.sort_by_key(|tracked| tracked.item.index);
        rested
    }

    /// Adds items that were not tried yet. It passes over an item whose ordering key is locked or belongs to an earlier
    /// waiting item.
    fn add_waiting(&mut self, items: &mut Vec<Tracked>, most: usize) {
        if self.rules.on_failure == OnFailure::Stop && !items.is_empty() {
            // If a retried item fails, the waiting items must not run.
            return;
        }
        let mut held_up: HashSet<String> = HashSet::new();
        let mut position = 0;
        while items.len() < most
            && let Some(tracked) = self.waiting.get(position)
        {
            if let Some(key) = &tracked.ordering_key {
                if self.locked_keys.contains(key) || held_up.contains(key) {
                    held_up.insert(key.clone());
                    position += 1;
                    continue;
                }
                self.locked_keys.insert(key.clone());
            }
            items.extend(self.waiting.remove(position));
        }
    }

    fn begin(&mut self, mut items: Vec<Tracked>, slots: usize, now: Now) -> Call {
        let mut row = 0;
        for tracked in &mut items {
            tracked.begun.get_or_insert(now.instant);
            if let Some(journaled) = &mut tracked.journaled {
                journaled.started = Some(now.wall);
            }
            tracked.tries += 1;
            tracked.tries_here += 1;
            tracked.rows_before = tracked.item.rows();
            self.counts.retries += u64::from(tracked.tries_here > 1);
            self.note_try(tracked.item.index, tracked.tries_here, tracked.begun);
            // A plain write must be on disk before the service gets it.
            row = self.record(tracked, State::Started, None, self.urgency(Urgency::Later), now);
            tracked.is_new = false;
        }
        self.calls += 1;
        self.taken_slots += slots;
        self.in_flight += items.len();
        let row = if self.is_write() { row } else { 0 };
        Call { items, slots, row }
    }
}
