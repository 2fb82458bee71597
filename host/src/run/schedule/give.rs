//! Gives results, in the items' order or in order of completion.

use std::time::{Duration, Instant};

use nodule_core::failure::Failure;
use nodule_core::outcome::{ItemResult, OnFailure, ResultOrder};

use super::{Now, Schedule, interrupted};
use crate::run::item::Completed;

/// The size of a batch of results; the reader sets the run's pace.
const GIVEN_AT_ONCE: usize = 32;

/// The state of an item's result.
pub(super) enum ResultSlot {
    /// Not known yet; with the item's tries so far.
    Pending { tries: u32, begun: Option<Instant> },
    /// There will be none: the run was stopped before the item started.
    NotRun,
    /// Known. It is given when the journal is durable up to this row.
    Known(Completed, u64),
    /// Given, before the result of an earlier item.
    Given,
}

impl Default for ResultSlot {
    fn default() -> Self {
        Self::Pending {
            tries: 0,
            begun: None,
        }
    }
}

impl Schedule {
    fn slot(&mut self, index: usize) -> Option<&mut ResultSlot> {
        let position = index.checked_sub(self.given)?;
        self.results.get_mut(position)
    }

    /// Records that a try of an item starts.
    pub(super) fn note_try(&mut self, index: usize, tries: u32, begun: Option<Instant>) {
        if let Some(slot) = self.slot(index) {
            *slot = ResultSlot::Pending { tries, begun };
        }
    }

    /// Records that an item does not start.
    pub(super) fn skip(&mut self, index: usize) {
        if let Some(slot) = self.slot(index) {
            *slot = ResultSlot::NotRun;
        }
    }

    /// The indices of the items whose results are not known yet.
    pub(super) fn pending(&self) -> impl Iterator<Item = usize> {
        let slots = (self.given..).zip(&self.results);
        slots.filter_map(|(index, slot)| matches!(slot, ResultSlot::Pending { .. }).then_some(index))
    }

    /// Stores a result. It is given when the journal is durable up to `row`.
    pub(super) fn put(&mut self, index: usize, result: ItemResult, row: u64, now: Now) {
        if result.is_err() && self.rules.on_failure == OnFailure::Stop {
            self.failed = true;
        }
        let is_given_as_known = self.rules.order == ResultOrder::Completion;
        let Some(slot) = self.slot(index) else { return };
        let ResultSlot::Pending { tries, begun } = *slot else {
            return;
        };
        let duration = begun.map_or(Duration::ZERO, |begun| {
            now.instant.saturating_duration_since(begun)
        });
        let completed = Completed {
            index,
            tries,
            duration,
            result,
        };
        *slot = ResultSlot::Known(completed, row);
        if is_given_as_known {
            self.known.push_back(index);
        }
    }

    /// Whether a result waits only for the journal.
    pub(in crate::run) fn awaits_journal(&self) -> bool {
        match self.rules.order {
            ResultOrder::Items => matches!(self.results.front(), Some(ResultSlot::Known(..))),
            ResultOrder::Completion => !self.known.is_empty(),
        }
    }

    /// The next results to give, if the journal is durable up to `row`.
    pub(in crate::run) fn results(&mut self, row: u64) -> Vec<Completed> {
        match self.rules.order {
            ResultOrder::Items => self.next_in_order(row),
            ResultOrder::Completion => self.next_known(row),
        }
    }

    fn next_in_order(&mut self, durable: u64) -> Vec<Completed> {
        let is_last = self.nothing_comes();
        let mut next = Vec::new();
        while next.len() < GIVEN_AT_ONCE {
            match self.results.front() {
                None | Some(ResultSlot::Pending { .. }) => break,
                Some(ResultSlot::NotRun) => {
                    if self.results.iter().all(|slot| matches!(slot, ResultSlot::NotRun)) {
                        // No later item has started, so the results finish here.
                        self.results.clear();
                        break;
                    }
                    if !is_last {
                        break;
                    }
                }
                Some(ResultSlot::Known(_, row)) if *row > durable => break,
                Some(ResultSlot::Known(..) | ResultSlot::Given) => {}
            }
            next.push(match self.results.pop_front() {
                Some(ResultSlot::Known(completed, _)) => completed,
                _ => not_run(self.given),
            });
            self.given += 1;
        }
        next
    }

    fn next_known(&mut self, durable: u64) -> Vec<Completed> {
        let mut next = Vec::new();
        let mut position = 0;
        while next.len() < GIVEN_AT_ONCE
            && let Some(&index) = self.known.get(position)
        {
            match self.slot(index) {
                Some(ResultSlot::Known(_, row)) if *row > durable => position += 1,
                slot => {
                    if let Some(slot) = slot
                        && let ResultSlot::Known(completed, _) = std::mem::replace(slot, ResultSlot::Given)
                    {
                        next.push(completed);
                    }
                    self.known.remove(position);
                }
            }
        }
        if self.known.is_empty() && self.nothing_comes() {
            self.give_not_run(&mut next);
        }
        while let Some(ResultSlot::Given) = self.results.front() {
            self.results.pop_front();
            self.given += 1;
        }
        next
    }

    /// An item that never started gets a result only if a later item has one. So the results finish with the same item
    /// in both orders.
    fn give_not_run(&mut self, next: &mut Vec<Completed>) {
        while let Some(ResultSlot::NotRun) = self.results.back() {
            self.results.pop_back();
        }
        for (index, slot) in (self.given..).zip(&mut self.results) {
            if matches!(slot, ResultSlot::NotRun) {
                *slot = ResultSlot::Given;
                next.push(not_run(index));
            }
        }
    }

    fn nothing_comes(&self) -> bool {
        self.calls == 0 && self.resting.is_empty()
    }
}

fn not_run(index: usize) -> Completed {
    Completed {
        index,
        tries: 0,
        duration: Duration::ZERO,
        result: Err(stopped()),
    }
}

fn stopped() -> Failure {
    interrupted("not run: the run was stopped before", false)
}
