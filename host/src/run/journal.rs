//! The journal of a run: an `SQLite` database with one row per item, so that a run that was cut off goes on where it was and
//! does nothing twice.
//!
//! People may query it with their own tools, while the run goes on too:
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
//! | `tries` | how often it was tried, in all runs |
//! | `result` | of a done item, the list of its output items |
//! | `error` | of the last failure, as `nodule run` prints it |
//! | `started`, `ended` | when, in UTC |
//!
//! The table `run` names the node, the operation, the component's digest, the base URL and, as a salted and slow hash,
//! the credential: a run with another one of these is refused.
//!
//! A plain write is recorded as started, on the disk, before its call. Every result is given to the reader of the run only
//! when it is recorded: of a plain write on the disk, of what may be run again with the system, so that it survives the end
//! of the process; a power cut may take the last second of those, which is run again. All that happens at about the same
//! time shares one transaction (see `writer.rs`), which keeps that cheap.
//!
//! The file holds personal data: it is made readable by its owner only, and an existing one that others could use is made so.
//! Another user's is refused, who could change it at any time, and so is a link; the same goes for the files beside it. A second process is kept out by a lock on the
//! file beside it, `FILE-lock`, which the system lifts when the first one ends, however it ends.

mod schema;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::run::NoticeSender;
use nodule_core::own_file;

pub use crate::error::JournalError;
pub(crate) use writer::{Durable, Safety, Urgency, Writer};

/// Where a journal is, and how it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    pub(crate) path: PathBuf,
    pub(crate) accept_component: bool,
}

impl JournalOptions {
    /// The journal in this file, which is made where it does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            accept_component: false,
        }
    }

    /// Go on with another build of the component, such as a repaired one.
    #[must_use]
    pub fn accept_component(mut self, accept: bool) -> Self {
        self.accept_component = accept;
        self
    }
}

/// What a journal belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Identity<'a> {
    pub(crate) node: &'a str,
    pub(crate) operation: String,
    pub(crate) component: &'a str,
    pub(crate) base_url: String,
    pub(crate) credential: Option<&'a nodule_core::credential::Credential>,
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Started,
    Done,
    Failed,
    Unknown,
}

impl State {
    const ALL: [State; 5] = [
        State::Waiting,
        State::Started,
        State::Done,
        State::Failed,
        State::Unknown,
    ];

    fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Started => "started",
            State::Done => "done",
            State::Failed => "failed",
            State::Unknown => "unknown",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One item's row, as it is to be.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) item: usize,
    pub(crate) digest: [u8; 32],
    /// Of an item that is new.
    pub(crate) key: Option<String>,
    pub(crate) state: State,
    pub(crate) tries: u32,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    /// Whether the item was not in the journal before.
    pub(crate) is_new: bool,
}

/// What an earlier run knew of an item.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) digest: [u8; 32],
    pub(crate) state: State,
    pub(crate) tries: u32,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<String>,
}

/// An open journal.
pub(crate) struct Journal {
    path: PathBuf,
    reader: Connection,
    /// Items that earlier runs have recorded.
    recorded: usize,
    pub(crate) writer: Writer,
}

impl Journal {
    /// Open a journal, or make it. It is locked, checked for damage, and checked to belong to this run.
    pub(crate) fn open(
        options: &JournalOptions,
        identity: &Identity<'_>,
        safety: Safety,
        notices: NoticeSender,
    ) -> Result<Self, JournalError> {
        let path = options.path.as_path();
        // Before a file is made beside it.
        if path.symlink_metadata().is_ok() {
            own_file::open(path, own_file::options().read(true))
                .map_err(|refused| JournalError::refused(path, refused))?;
        }
        let lock = lock(path)?;
        let mut connection = schema::open(path, safety)?;
        schema::belongs(&mut connection, path, identity, options.accept_component)?;
        let reader = schema::connect(path)?;
        let recorded: usize = reader
            .query_row("SELECT coalesce(max(item) + 1, 0) FROM items", [], |row| {
                row.get::<_, i64>(0)
            })
            .map_err(|error| JournalError::of(path, &error))
            .map(|count| usize::try_from(count).unwrap_or_default())?;
        let writer = Writer::start(path.to_owned(), connection, safety, lock, notices)?;
        Ok(Self {
            path: path.to_owned(),
            reader,
            recorded,
            writer,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Items that earlier runs have recorded.
    pub(crate) fn recorded(&self) -> usize {
        self.recorded
    }

    /// What an earlier run knew of the item.
    pub(crate) fn earlier(&self, item: usize) -> Result<Option<Earlier>, JournalError> {
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
        let Some((digest, state, tries, result, error)) =
            read().map_err(|error| JournalError::of(&self.path, &error))?
        else {
            return Ok(None);
        };
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
        }))
    }

    /// The output items of a done item.
    pub(crate) fn output(
        &self,
        item: usize,
        result: Option<&str>,
    ) -> Result<Vec<Box<RawValue>>, JournalError> {
        serde_json::from_str(result.unwrap_or_default()).map_err(|error| JournalError::Damaged {
            path: self.path.clone(),
            message: format!("the result of item {item} is no list of JSON values: {error}"),
        })
    }
}

/// The digest of an item's text.
pub(crate) fn item_digest(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

/// The list of an item's output items.
pub(crate) fn list(output: &[Box<RawValue>]) -> String {
    let mut list = String::with_capacity(output.iter().map(|json| json.get().len() + 1).sum::<usize>() + 2);
    list.push('[');
    for (position, json) in output.iter().enumerate() {
        if position > 0 {
            list.push(',');
        }
        list.push_str(json.get());
    }
    list.push(']');
    list
}

/// The lock that keeps a second process out, for as long as the file is open.
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

/// Ends when everything up to `place` is written, or the journal broke.
pub(crate) async fn durable(mut watched: watch::Receiver<Durable>, place: u64) -> bool {
    match watched
        .wait_for(|durable| durable.place >= place || durable.error.is_some())
        .await
    {
        Ok(durable) => durable.place >= place,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
