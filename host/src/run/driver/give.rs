//! Giving results: in the items' order, or as they become known.

use tokio::sync::{mpsc, watch};

use super::{Driver, interrupted};
use crate::run::journal::Durable;
use crate::run::{Numbered, OnFailure, ResultOrder};
use crate::runtime::instance::ClockAndRng;
use nodule_core::outcome::ItemResult;

/// How many results are handed over at once; the reader's pace is the run's.
const HANDED_OVER: usize = 32;

/// Where a result is to come.
pub(super) enum Slot {
    /// It is to come.
    Pending,
    /// It will not: the run was stopped before the item started.
    Hole,
    /// It is there; given when the journal is on the disk up to this place.
    Known(ItemResult, u64),
    /// It was given, before one of an earlier item.
    Given,
}

impl Driver {
    pub(super) fn open_hole(&mut self, index: usize) {
        if let Some(place) = self.results.get_mut(index - self.given) {
            *place = Slot::Hole;
        }
    }

    /// A result that no call gave.
    pub(super) fn set(&mut self, index: usize, parameters: &str, result: ItemResult) {
        self.inner.keep(index, parameters, ClockAndRng::Real, &result);
        self.put(index, result, 0);
    }

    /// A result, to be given when the journal is on the disk up to `place`.
    pub(super) fn put(&mut self, index: usize, result: ItemResult, place: u64) {
        if result.is_err() && self.on_failure == OnFailure::Stop {
            self.failed = true;
        }
        if let Some(slot) = index
            .checked_sub(self.given)
            .and_then(|position| self.results.get_mut(position))
            && matches!(slot, Slot::Pending)
        {
            *slot = Slot::Known(result, place);
            if self.result_order == ResultOrder::Completion {
                self.known.push_back(index);
            }
        }
    }

    /// Whether a result would be given if the journal were on the disk.
    pub(super) fn awaits_journal(&self) -> bool {
        match self.result_order {
            ResultOrder::Items => matches!(self.results.front(), Some(Slot::Known(..))),
            ResultOrder::Completion => !self.known.is_empty(),
        }
    }

    /// Give the results that may be, as many as their reader has room for: while he has none, calls that end are recorded all the
    /// same. An error says that nobody takes them any more.
    pub(super) fn give(&mut self) -> Result<(), mpsc::error::TrySendError<Vec<Numbered>>> {
        loop {
            // Nobody else sends, so that what there is room for now can be sent below.
            self.is_full = self.sender.capacity() == 0;
            if self.is_full {
                return Ok(());
            }
            let results = match self.result_order {
                ResultOrder::Items => self.next_in_order(),
                ResultOrder::Completion => self.next_known(),
            };
            if results.is_empty() {
                return Ok(());
            }
            for (_, result) in &results {
                self.stats.result(result, self.operation.is_write());
            }
            self.sender.try_send(results)?;
        }
    }

    fn next_in_order(&mut self) -> Vec<Numbered> {
        let (recorded, is_last) = (self.recorded(), self.nothing_comes());
        let mut next = Vec::new();
        while next.len() < HANDED_OVER {
            match self.results.front() {
                None | Some(Slot::Pending) => break,
                Some(Slot::Hole) => {
                    if self.results.iter().all(|slot| matches!(slot, Slot::Hole)) {
                        // Nothing behind it has started: here the results end.
                        self.results.clear();
                        break;
                    }
                    if !is_last {
                        break;
                    }
                }
                Some(Slot::Known(_, place)) if *place > recorded => break,
                Some(Slot::Known(..) | Slot::Given) => {}
            }
            let result = match self.results.pop_front() {
                Some(Slot::Known(result, _)) => result,
                _ => Err(not_run()),
            };
            next.push((self.given, result));
            self.given += 1;
        }
        next
    }

    fn next_known(&mut self) -> Vec<Numbered> {
        let recorded = self.recorded();
        let mut next = Vec::new();
        let mut position = 0;
        while next.len() < HANDED_OVER
            && let Some(&index) = self.known.get(position)
        {
            let slot = self.results.get_mut(index - self.given);
            match slot {
                Some(Slot::Known(_, place)) if *place > recorded => position += 1,
                Some(slot) => {
                    if let Slot::Known(result, _) = std::mem::replace(slot, Slot::Given) {
                        next.push((index, result));
                    }
                    self.known.remove(position);
                }
                None => {
                    self.known.remove(position);
                }
            }
        }
        if self.known.is_empty() && self.nothing_comes() {
            self.give_holes(&mut next);
        }
        while let Some(Slot::Given) = self.results.front() {
            self.results.pop_front();
            self.given += 1;
        }
        next
    }

    /// Items that never started have a result only where one after them has: so the results end in the same place in both
    /// orders.
    fn give_holes(&mut self, next: &mut Vec<Numbered>) {
        while let Some(Slot::Hole) = self.results.back() {
            self.results.pop_back();
        }
        for (index, slot) in (self.given..).zip(&mut self.results) {
            if matches!(slot, Slot::Hole) {
                *slot = Slot::Given;
                next.push((index, Err(not_run())));
            }
        }
    }

    fn nothing_comes(&self) -> bool {
        self.calls.is_empty() && self.resting.is_empty()
    }

    /// Up to which place the journal is on the disk. What is known is given too when the journal broke: it would be lost
    /// otherwise.
    fn recorded(&self) -> u64 {
        match &self.durable {
            Some(durable) if !is_broken(durable) => durable.borrow().place,
            _ => u64::MAX,
        }
    }
}

fn not_run() -> nodule_core::failure::Failure {
    interrupted("not run: the run was stopped before", false)
}

/// Whether nothing more will be recorded.
pub(super) fn is_broken(durable: &watch::Receiver<Durable>) -> bool {
    durable.borrow().error.is_some() || durable.has_changed().is_err()
}
