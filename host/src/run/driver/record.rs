//! What of an item goes into the journal, where there is one.

use super::{Driver, Entry};
use crate::run::journal::{Row, State, Urgency, list};
use nodule_core::failure::Failure;
use nodule_core::outcome::ItemResult;

impl Driver {
    /// Record that an item waits or has started, or what went wrong with it. Gives the place that has to be on the disk.
    pub(super) fn record(
        &mut self,
        entry: &Entry,
        state: State,
        failure: Option<&Failure>,
        urgency: Urgency,
    ) -> u64 {
        self.write(
            entry,
            state,
            None,
            failure.map(|failure| failure.to_json().to_string()),
            urgency,
        )
    }

    /// Record how an item ended.
    pub(super) fn record_result(&mut self, entry: &Entry, result: &ItemResult) -> u64 {
        let urgency = self.urgency(Urgency::Soon);
        match result {
            Ok(output) => {
                let list = self.journal.is_some().then(|| list(output));
                self.write(entry, State::Done, list, None, urgency)
            }
            // It is not run, and may be later.
            Err(Failure::NotRun) => self.record(entry, State::Waiting, None, urgency),
            Err(failure) if self.operation.is_write() && failure.is_unknown() => {
                self.record(entry, State::Unknown, Some(failure), urgency)
            }
            Err(failure) => self.record(entry, State::Failed, Some(failure), urgency),
        }
    }

    /// Of a plain write the journal has to know everything at once, since what it does not know may have been done.
    pub(super) fn urgency(&self, of_others: Urgency) -> Urgency {
        if self.operation.is_write() {
            Urgency::Now
        } else {
            of_others
        }
    }

    fn write(
        &mut self,
        entry: &Entry,
        state: State,
        result: Option<String>,
        error: Option<String>,
        urgency: Urgency,
    ) -> u64 {
        let (Some(journal), Some(journaled)) = (&mut self.journal, &entry.journaled) else {
            return 0;
        };
        let ended = matches!(state, State::Done | State::Failed | State::Unknown).then(jiff::Timestamp::now);
        let row = Row {
            item: entry.item.index,
            digest: journaled.digest,
            key: journaled.key.clone().filter(|_| entry.is_new),
            state,
            tries: entry.tries,
            result,
            error,
            started: journaled.started,
            ended,
            is_new: entry.is_new,
        };
        journal.writer.put(row, urgency)
    }
}
