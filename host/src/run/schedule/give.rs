//! Gives results, in the items' order or in order of completion: whole ones, and rows of items that go on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nodule_core::failure::Failure;
use nodule_core::outcome::{ItemResult, OnFailure, Output, ResultOrder};
use tokio::sync::oneshot;

use super::{Now, Schedule, interrupted};
use crate::run::item::{Completed, Part};
use crate::run::journal::{self, EarlierParts, Entry, Urgency, list};
use crate::run::rows;

/// The size of a batch of results; the reader sets the run's pace.
const GIVEN_AT_ONCE: usize = 32;

/// What is given next.
#[derive(Debug)]
pub(in crate::run) enum Next {
    Completed(Completed),
    /// A part that an earlier run with the same journal gave, to be read from there. It is the last of its batch.
    Earlier {
        item: usize,
        part: u32,
    },
}

/// What is known of an item's result.
#[derive(Default)]
pub(super) struct Slot {
    state: State,
    /// `None` if it has no parts.
    parts: Option<Box<Parts>>,
}

enum State {
    /// Not known yet; with the item's tries so far.
    Pending { tries: u32, begun: Option<Instant> },
    /// There will be none: the run was stopped before the item started.
    NotRun,
    /// Known. It is given when the journal is durable up to this entry.
    Known(Completed, u64),
    /// Given, before the result of an earlier item.
    Given,
}

impl Default for State {
    fn default() -> Self {
        Self::Pending {
            tries: 0,
            begun: None,
        }
    }
}

/// The rows of an item that goes on.
#[derive(Default)]
struct Parts {
    /// The part of an earlier run that is given next.
    next: u32,
    /// The parts of all runs.
    count: u32,
    /// The parts of earlier runs.
    earlier: u32,
    /// Rows in parts, those that wait included.
    rows: u64,
    /// In order; its item's call waits until they are given.
    waiting: VecDeque<WaitingPart>,
}

struct WaitingPart {
    rows: Vec<Output>,
    taken: oneshot::Sender<()>,
    /// Its entry in the journal.
    entry: u64,
}

impl Slot {
    pub(super) fn not_run() -> Self {
        Self {
            state: State::NotRun,
            parts: None,
        }
    }

    fn is_not_run(&self) -> bool {
        matches!(self.state, State::NotRun)
    }

    /// The next part of the item, which is before its result. `Err`: there is one, but the journal is not durable yet.
    fn part(&mut self, index: usize, durable: u64) -> Result<Option<Next>, ()> {
        let (State::Pending { tries, .. } | State::Known(Completed { tries, .. }, _)) = self.state else {
            return Ok(None);
        };
        let Some(parts) = &mut self.parts else {
            return Ok(None);
        };
        if parts.next < parts.earlier {
            let part = parts.next;
            parts.next += 1;
            return Ok(Some(Next::Earlier { item: index, part }));
        }
        let Some(waiting) = parts.waiting.pop_front_if(|part| part.entry <= durable) else {
            return if parts.waiting.is_empty() {
                Ok(None)
            } else {
                Err(())
            };
        };
        // An error means that the item's call is over.
        let _ = waiting.taken.send(());
        Ok(Some(Next::Completed(Completed {
            index,
            tries,
            duration: Duration::ZERO,
            result: Ok(waiting.rows),
            part: Part::Rows,
        })))
    }
}

impl Schedule {
    fn slot(&mut self, index: usize) -> Option<&mut Slot> {
        let position = index.checked_sub(self.given)?;
        self.results.get_mut(position)
    }

    /// Records that a try of an item starts.
    pub(super) fn note_try(&mut self, index: usize, tries: u32, begun: Option<Instant>) {
        if let Some(slot) = self.slot(index) {
            slot.state = State::Pending { tries, begun };
        }
    }

    /// Records that an item does not start.
    pub(super) fn skip(&mut self, index: usize) {
        if let Some(slot) = self.slot(index) {
            slot.state = State::NotRun;
        }
    }

    /// The indices of the items whose results are not known yet.
    pub(super) fn pending(&self) -> impl Iterator<Item = usize> {
        let slots = (self.given..).zip(&self.results);
        slots.filter_map(|(index, slot)| matches!(slot.state, State::Pending { .. }).then_some(index))
    }

    /// How many calls wait until the rows of their item are given.
    pub(super) fn held(&self) -> usize {
        let parts = self.results.iter().filter_map(|slot| slot.parts.as_ref());
        parts.filter(|parts| !parts.waiting.is_empty()).count()
    }

    /// Gives the parts of earlier runs again.
    pub(super) fn give_again(&mut self, index: usize, earlier: &EarlierParts) {
        let parts = Parts {
            count: earlier.parts,
            earlier: earlier.parts,
            rows: earlier.rows,
            ..Parts::default()
        };
        if let Some(slot) = self.slot(index) {
            slot.parts = Some(Box::new(parts));
        }
        self.note_known(index);
    }

    /// Takes rows of an item that goes on.
    pub(in crate::run) fn emitted(&mut self, part: rows::Part) {
        let rows::Part {
            item,
            rows,
            cursor,
            taken,
        } = part;
        let has_journal = self.rules.has_journal;
        let Some(slot) = self.slot(item) else { return };
        if !matches!(slot.state, State::Pending { .. }) {
            // Its call was aborted.
            return;
        }
        let parts = slot.parts.get_or_insert_default();
        let number = parts.count;
        parts.count += 1;
        parts.rows += u64::try_from(rows.len()).unwrap_or_default();
        let entry = has_journal.then(|| {
            Entry::Part(journal::Part {
                item,
                number,
                rows: parts.rows,
                outputs: list(&rows),
                cursor,
            })
        });
        // The item's call waits for it.
        let entry = entry.map_or(0, |entry| self.enter(entry, Urgency::Now));
        if let Some(parts) = self.slot(item).and_then(|slot| slot.parts.as_mut()) {
            parts.waiting.push_back(WaitingPart { rows, taken, entry });
        }
        self.note_known(item);
    }

    fn note_known(&mut self, index: usize) {
        let has_parts = self.slot(index).is_some_and(|slot| slot.parts.is_some());
        let is_noted = || has_parts && self.known.contains(&index);
        if self.rules.order == ResultOrder::Completion && !is_noted() {
            self.known.push_back(index);
        }
    }

    /// The result of an item, cut to the rows that it may still give, and which part of its rows that is.
    pub(super) fn cut(&mut self, index: usize, result: &mut ItemResult) -> Part {
        let limit = self.rules.limit;
        let earlier = self
            .slot(index)
            .and_then(|slot| slot.parts.as_ref())
            .map(|parts| parts.rows);
        let before = earlier.unwrap_or_default();
        let mut rows = before;
        if let Ok(output) = result {
            output.truncate(usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX));
            rows += u64::try_from(output.len()).unwrap_or_default();
        }
        let is_complete = result.is_ok() && rows < limit;
        if earlier.is_none() && (is_complete || result.is_err()) {
            return Part::Whole;
        }
        Part::End { rows, is_complete }
    }

    /// Stores a result. It is given when the journal is durable up to `entry`.
    pub(super) fn put(&mut self, index: usize, mut result: ItemResult, entry: u64, now: Now) {
        if result.is_err() && self.rules.on_failure == OnFailure::Stop {
            self.failed = true;
        }
        let part = self.cut(index, &mut result);
        let Some(slot) = self.slot(index) else { return };
        let State::Pending { tries, begun } = slot.state else {
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
            part,
        };
        slot.state = State::Known(completed, entry);
        self.note_known(index);
    }

    /// Whether something waits only for the journal.
    pub(in crate::run) fn awaits_journal(&self) -> bool {
        match self.rules.order {
            ResultOrder::Items => self.results.front().is_some_and(|slot| {
                let has_part = slot.parts.as_ref().is_some_and(|parts| !parts.waiting.is_empty());
                has_part || matches!(slot.state, State::Known(..))
            }),
            ResultOrder::Completion => !self.known.is_empty(),
        }
    }

    /// What to give next, if the journal is durable up to `durable`.
    pub(in crate::run) fn results(&mut self, durable: u64) -> Vec<Next> {
        match self.rules.order {
            ResultOrder::Items => self.next_in_order(durable),
            ResultOrder::Completion => self.next_known(durable),
        }
    }

    fn next_in_order(&mut self, durable: u64) -> Vec<Next> {
        let is_last = self.nothing_comes();
        let mut next = Vec::new();
        while next.len() < GIVEN_AT_ONCE {
            let index = self.given;
            let Some(slot) = self.results.front_mut() else {
                break;
            };
            match slot.part(index, durable) {
                Ok(Some(part @ Next::Earlier { .. })) => {
                    next.push(part);
                    break;
                }
                Ok(Some(part)) => {
                    next.push(part);
                    continue;
                }
                Ok(None) => {}
                Err(()) => break,
            }
            match &slot.state {
                State::Pending { .. } => break,
                State::NotRun => {
                    if self.results.iter().all(Slot::is_not_run) {
                        // No later item has started, so the results finish here.
                        self.results.clear();
                        break;
                    }
                    if !is_last {
                        break;
                    }
                }
                State::Known(_, entry) if *entry > durable => break,
                State::Known(..) | State::Given => {}
            }
            next.push(Next::Completed(match self.results.pop_front() {
                Some(Slot {
                    state: State::Known(completed, _),
                    ..
                }) => completed,
                _ => not_run(self.given),
            }));
            self.given += 1;
        }
        next
    }

    fn next_known(&mut self, durable: u64) -> Vec<Next> {
        let mut next = Vec::new();
        let mut position = 0;
        while next.len() < GIVEN_AT_ONCE
            && let Some(&index) = self.known.get(position)
        {
            let Some(slot) = self.slot(index) else {
                self.known.remove(position);
                continue;
            };
            match slot.part(index, durable) {
                Ok(Some(part @ Next::Earlier { .. })) => {
                    next.push(part);
                    return next;
                }
                Ok(Some(part)) => {
                    next.push(part);
                    continue;
                }
                Ok(None) => {}
                Err(()) => {
                    position += 1;
                    continue;
                }
            }
            match &slot.state {
                State::Known(_, entry) if *entry > durable => position += 1,
                State::Known(..) => {
                    if let State::Known(completed, _) = std::mem::replace(&mut slot.state, State::Given) {
                        next.push(Next::Completed(completed));
                    }
                    self.known.remove(position);
                }
                // Its parts are given, and it goes on.
                _ => drop(self.known.remove(position)),
            }
        }
        if self.known.is_empty() && self.nothing_comes() {
            self.give_not_run(&mut next);
        }
        while let Some(Slot {
            state: State::Given, ..
        }) = self.results.front()
        {
            self.results.pop_front();
            self.given += 1;
        }
        next
    }

    /// An item that never started gets a result only if a later item has one. So the results finish with the same item
    /// in both orders.
    fn give_not_run(&mut self, next: &mut Vec<Next>) {
        while self.results.back().is_some_and(Slot::is_not_run) {
            self.results.pop_back();
        }
        for (index, slot) in (self.given..).zip(&mut self.results) {
            if slot.is_not_run() {
                slot.state = State::Given;
                next.push(Next::Completed(not_run(index)));
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
        part: Part::Whole,
    }
}

fn stopped() -> Failure {
    interrupted("not run: the run was stopped before", false)
}
