//! Writes an item's progress to the journal, if there is one.

use nodule_core::failure::Failure;
use nodule_core::outcome::ItemResult;

use super::{Now, Schedule, Tracked};
use crate::run::journal::{Entry, Row, State, Urgency, list};

impl Schedule {
    /// Records that an item waits or has started, or why it failed. Returns the number of the row; 0 without a journal.
    pub(super) fn record(
        &mut self,
        tracked: &Tracked,
        state: State,
        failure: Option<&Failure>,
        urgency: Urgency,
        now: Now,
    ) -> u64 {
        if !self.rules.has_journal {
            return 0;
        }
        let error = failure.map(|failure| failure.to_json().to_string());
        self.write(tracked, state, None, error, urgency, now)
    }

    /// Records an item's result.
    pub(super) fn record_result(&mut self, tracked: &Tracked, result: &ItemResult, now: Now) -> u64 {
        if !self.rules.has_journal {
            return 0;
        }
        let urgency = self.urgency(Urgency::Soon);
        match result {
            Ok(output) => self.write(tracked, State::Done, Some(list(output)), None, urgency, now),
            // The item has not run, and a later run may run it.
            Err(Failure::NotRun) => self.record(tracked, State::Waiting, None, urgency, now),
            Err(failure) if self.is_write() && failure.is_unknown() => {
                self.record(tracked, State::Unknown, Some(failure), urgency, now)
            }
            Err(failure) => self.record(tracked, State::Failed, Some(failure), urgency, now),
        }
    }

    /// The journal has to know everything about a plain write at once: what it does not know may have been done.
    pub(super) fn urgency(&self, of_others: Urgency) -> Urgency {
        if self.is_write() { Urgency::Now } else { of_others }
    }

    fn write(
        &mut self,
        tracked: &Tracked,
        state: State,
        result: Option<String>,
        error: Option<String>,
        urgency: Urgency,
        now: Now,
    ) -> u64 {
        let Some(journaled) = &tracked.journaled else {
            return 0;
        };
        let has_ended = matches!(state, State::Done | State::Failed | State::Unknown);
        let row = Row {
            item: tracked.item.index,
            digest: journaled.digest,
            key: journaled.key.clone().filter(|_| tracked.is_new),
            state,
            tries: tracked.tries,
            result,
            error,
            started: journaled.started,
            ended: has_ended.then_some(now.wall),
            is_new: tracked.is_new,
        };
        self.enter(Entry::Row(row), urgency)
    }

    /// Passes an entry on to the journal. Returns its number.
    pub(super) fn enter(&mut self, entry: Entry, urgency: Urgency) -> u64 {
        self.outbox.entries.push((entry, urgency));
        self.entries += 1;
        self.entries
    }
}
