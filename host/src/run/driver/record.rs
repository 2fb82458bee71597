//! What of an item goes into the journal, where there is one.

use super::{Driver, Entry};
use crate::failure::Failure;
use crate::journal::{Row, State, list};
use crate::run::ItemResult;

impl Driver {
    /// Record that an item waits or has started, or what went wrong with it. Gives the place that has to be on the disk.
    pub(super) fn record(
        &mut self,
        entry: &Entry,
        state: State,
        failure: Option<&Failure>,
        urgent: bool,
    ) -> u64 {
        self.write(
            entry,
            state,
            None,
            failure.map(|failure| failure.to_json().to_string()),
            urgent,
        )
    }

    /// Record how an item ended.
    pub(super) fn record_result(&mut self, entry: &Entry, result: &ItemResult) -> u64 {
        match result {
            Ok(output) => {
                let list = self.journal.is_some().then(|| list(output));
                self.write(entry, State::Done, list, None, true)
            }
            // It is not run, and may be later.
            Err(Failure::NotRun) => self.record(entry, State::Waiting, None, true),
            Err(failure) if self.operation.is_write() && failure.is_unknown() => {
                self.record(entry, State::Unknown, Some(failure), true)
            }
            Err(failure) => self.record(entry, State::Failed, Some(failure), true),
        }
    }

    fn write(
        &mut self,
        entry: &Entry,
        state: State,
        result: Option<String>,
        error: Option<String>,
        urgent: bool,
    ) -> u64 {
        let Some(journal) = &mut self.journal else {
            return 0;
        };
        let ended = matches!(state, State::Done | State::Failed | State::Unknown).then(jiff::Timestamp::now);
        let row = Row {
            item: entry.item.index,
            digest: entry.digest,
            key: entry.key.clone(),
            state,
            tries: entry.tries,
            result,
            error,
            started: entry.started,
            ended,
            is_new: entry.is_new,
        };
        journal.writer.put(row, urgent)
    }
}
