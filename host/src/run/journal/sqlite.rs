//! A journal in an `SQLite` database with one row per item, so that an interrupted run can resume and does nothing
//! twice.
//!
//! You can query it with your own tools, also while the run is in progress:
//!
//! ```sql
//! SELECT state, count(*) FROM items GROUP BY state;
//! SELECT item, error ->> '$.message' FROM items WHERE state IN ('failed', 'unknown');
//! ```
//!
//! | column of `items` | what it holds |
//! | --- | --- |
//! | `item` | the item's position, from 0 |
//! | `digest` | SHA-256 of the item's text |
//! | `key` | the value of the parameter that makes a repetition harmless, where the operation has one |
//! | `state` | `waiting`, `started`, `done`, `failed` (surely not done) or `unknown` (a plain write that may have been done) |
//! | `tries` | how often the item was tried, in all runs |
//! | `result` | for a done item, the list of its output items |
//! | `error` | the last failure, as `nodule run` prints it |
//! | `started`, `ended` | when, in UTC |
//!
//! Of an item that gives rows while it goes on, the table `parts` has the rows (`outputs`), how many there are up to
//! there (`rows`), and the node's cursor, where a resumed run goes on. `result` has the rows behind them.
//!
//! The table `run` names the node, the operation, the component's digest, the base URL and the credential (as a salted,
//! slow hash). A run that differs in one of these is refused.
//!
//! A plain write is recorded on disk as started before its call. A result is given only after its row is recorded: for
//! a plain write on disk; for everything else with the operating system, so that it survives a crash of the process. A
//! power cut may lose the last second of the latter, which then runs again. Rows that are written at about the same
//! time share one transaction (see `writer.rs`), which keeps this cheap.
//!
//! The file holds personal data. Only its owner can read it; permissions of an existing file that are wider are
//! narrowed. A file of another user is refused, since that user could change it at any time, and so is a link. The same
//! goes for the files beside it. A lock on the file `FILE-lock` keeps a second process out; the system releases it when
//! the first process exits.

mod schema;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nodule_core::own_file;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::watch;

use super::{
    Earlier, EarlierParts, Entry, Identity, Journal, JournalError, OpenJournal, Part, Progress, Row, Safety,
    State, Urgency,
};
use crate::run::notice::NoticeSender;
use writer::Writer;

/// A journal in a file, with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteJournal {
    path: PathBuf,
    accept_component: bool,
}

impl SqliteJournal {
    /// Uses the journal in this file, which is created if it does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            accept_component: false,
        }
    }

    /// Accepts a journal of another build of the component, such as a repaired one.
    #[must_use]
    pub fn accept_component(mut self, accept: bool) -> Self {
        self.accept_component = accept;
        self
    }

    /// Opens or creates the file. Locks it, and checks that it is undamaged and belongs to this run.
    fn open_file(
        &self,
        identity: &Identity,
        safety: Safety,
        notices: NoticeSender,
    ) -> Result<Open, JournalError> {
        let path = self.path.as_path();
        // Checked before any file is created beside it.
        if path.symlink_metadata().is_ok() {
            own_file::open(path, own_file::options().read(true))
                .map_err(|refused| JournalError::refused(path, refused))?;
        }
        let lock = lock(path)?;
        let mut connection = schema::open(path, safety)?;
        schema::belongs(&mut connection, path, identity, self.accept_component)?;
        let reader = schema::connect(path)?;
        let recorded: usize = reader
            .query_row("SELECT coalesce(max(item) + 1, 0) FROM items", [], |row| {
                row.get::<_, i64>(0)
            })
            .map_err(|error| JournalError::of(path, &error))
            .map(|count| usize::try_from(count).unwrap_or_default())?;
        let writer = Writer::start(path.to_owned(), connection, safety, lock, notices)?;
        Ok(Open {
            path: path.to_owned(),
            reader,
            recorded,
            writer,
        })
    }
}

impl Journal for SqliteJournal {
    fn open(
        &self,
        run: &Identity,
        safety: Safety,
        notices: NoticeSender,
    ) -> Result<Box<dyn OpenJournal>, JournalError> {
        Ok(Box::new(self.open_file(run, safety, notices)?))
    }
}

/// An open journal.
struct Open {
    path: PathBuf,
    reader: Connection,
    /// Number of items that earlier runs recorded.
    recorded: usize,
    writer: Writer,
}

impl Open {
    /// The rows that an item gave while it went on.
    fn parts(&self, item: usize) -> rusqlite::Result<Option<EarlierParts>> {
        let mut query = self.reader.prepare_cached(
            "SELECT part + 1, rows, cursor FROM parts WHERE item = ?1 ORDER BY part DESC LIMIT 1",
        )?;
        query
            .query_row(params![i64::try_from(item).unwrap_or(i64::MAX)], |row| {
                Ok(EarlierParts {
                    parts: row.get(0)?,
                    rows: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
                    cursor: row.get(2)?,
                })
            })
            .optional()
    }
}

impl OpenJournal for Open {
    fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    fn recorded(&self) -> usize {
        self.recorded
    }

    fn earlier(&self, item: usize) -> Result<Option<Earlier>, JournalError> {
        if item >= self.recorded {
            return Ok(None);
        }
        let read = || {
            let mut query = self
                .reader
                .prepare_cached("SELECT digest, state, tries, result, error FROM items WHERE item = ?1")?;
            query
                .query_row(params![i64::try_from(item).unwrap_or(i64::MAX)], |row| {
                    Ok((
                        row.get(0)?,
                        row.get::<_, String>(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                    ))
                })
                .optional()
        };
        let wrong = |error| JournalError::of(&self.path, &error);
        let Some((digest, state, tries, result, error)) = read().map_err(wrong)? else {
            return Ok(None);
        };
        let parts = self.parts(item).map_err(wrong)?;
        let state = State::named(&state).ok_or_else(|| JournalError::Damaged {
            path: self.path.clone(),
            message: format!("item {item} has the state `{state}`"),
        })?;
        Ok(Some(Earlier {
            digest,
            state,
            tries,
            result,
            error,
            parts,
        }))
    }

    fn keeps_parts(&self) -> bool {
        true
    }

    fn part(&self, item: usize, number: u32) -> Result<String, JournalError> {
        let read = || {
            let mut query = self
                .reader
                .prepare_cached("SELECT outputs FROM parts WHERE item = ?1 AND part = ?2")?;
            query.query_row(params![i64::try_from(item).unwrap_or(i64::MAX), number], |row| {
                row.get(0)
            })
        };
        read().map_err(|error| JournalError::of(&self.path, &error))
    }

    fn write(&mut self, entries: Vec<(Entry, Urgency)>) {
        self.writer.write(entries);
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.writer.progress()
    }

    fn close(self: Box<Self>) -> Result<(), Arc<JournalError>> {
        self.writer.close()
    }
}

/// Takes the lock that keeps a second process out for as long as the returned file is open.
fn lock(path: &Path) -> Result<File, JournalError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let beside = PathBuf::from(name);
    let broken = |source| JournalError::File {
        path: beside.clone(),
        source,
    };
    let mut options = own_file::options();
    options.create(true).truncate(false).write(true);
    let file =
        own_file::open(&beside, &options).map_err(|refused| JournalError::refused(&beside, refused))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::InUse {
            path: path.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(broken(source)),
    }
}

#[cfg(test)]
mod tests;
