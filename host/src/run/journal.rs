//! The journal of a run: what is known of each item, so that a run that was cut off goes on where it was and does nothing twice.
//!
//! [`SqliteJournal`] (feature `sqlite`, on by default) keeps it in a file. An engine that has a database of its own implements
//! [`Journal`] and [`OpenJournal`] for it.
//!
//! A run writes an item's row when the item is taken, when it starts, and when it ends. Before a plain write starts, the run waits
//! until its row [is durable](OpenJournal::progress), and no result is given before its row is.

#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use nodule_core::credential::Credential;
use ring::digest::{SHA256, digest};
use serde_json::value::RawValue;
use tokio::sync::watch;

pub use crate::error::JournalError;
use crate::run::NoticeSender;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteJournal;

/// Where runs keep their progress.
pub trait Journal: fmt::Debug + Send + Sync {
    /// Open it for a run. It may wait for a disk: the run calls it on a thread that may block.
    ///
    /// # Errors
    ///
    /// It cannot be used, is in use, or belongs to another run.
    fn open(
        &self,
        run: &Identity,
        safety: Safety,
        notices: NoticeSender,
    ) -> Result<Box<dyn OpenJournal>, JournalError>;
}

/// A journal that a run uses. Dropping it is what the end of the process is: what was written is kept.
pub trait OpenJournal: Send {
    /// How messages call it: a file's path, or a table's name.
    fn name(&self) -> String;

    /// How many items earlier runs have recorded: one more than the highest index.
    fn recorded(&self) -> usize;

    /// What earlier runs knew of an item.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn earlier(&self, item: usize) -> Result<Option<Earlier>, JournalError>;

    /// Write these rows. It must not wait: the run goes on and looks at the [progress](Self::progress). Rows are numbered from 1
    /// in the order in which they come; of several rows of an item the last one counts.
    fn write(&mut self, rows: Vec<(Row, Urgency)>);

    /// Up to which row all is durable that somebody waits for.
    fn progress(&self) -> watch::Receiver<Progress>;

    /// Write what is left, and let go of it. It may wait for a disk: the run calls it on a thread that may block.
    ///
    /// # Errors
    ///
    /// Something could not be written.
    fn close(self: Box<Self>) -> Result<(), Arc<JournalError>>;
}

/// What a journal belongs to: a run with another one of these is refused.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Identity {
    /// The node's name.
    pub node: String,
    /// `group.operation`
    pub operation: String,
    /// The component's digest.
    pub component: String,
    /// The credential's base URL; empty without one.
    pub base_url: String,
    credential: Option<Credential>,
}

impl Identity {
    pub(crate) fn new(
        node: &str,
        operation: String,
        component: &str,
        base_url: String,
        credential: Option<Credential>,
    ) -> Self {
        Self {
            node: node.to_owned(),
            operation,
            component: component.to_owned(),
            base_url,
            credential,
        }
    }

    /// Who the credential is for, as a salted and slow hash (a tenth of a second) that may be kept; `None` without one.
    #[must_use]
    pub fn credential(&self, salt: &[u8]) -> Option<[u8; 32]> {
        self.credential
            .as_ref()
            .map(|credential| credential.binding(salt))
    }
}

/// What has to survive what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Safety {
    /// What is written is on the disk before it counts: it survives a power cut.
    Disk,
    /// What is written is with the system before it counts, and on the disk within a second: it survives the end of the
    /// process, however it ends, and a power cut but for the last moment, which is run again.
    System,
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It has not started, or waits for another try.
    Waiting,
    /// Its call is in flight, or was when the run was cut off.
    Started,
    /// It is done.
    Done,
    /// It failed, and was surely not done.
    Failed,
    /// It failed, and may have been done: a plain write only.
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

    /// Its name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Started => "started",
            State::Done => "done",
            State::Failed => "failed",
            State::Unknown => "unknown",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One item's row, as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The item's index, from 0.
    pub item: usize,
    /// SHA-256 of the item's text.
    pub digest: [u8; 32],
    /// Of an item that is new: the value of the parameter that makes a repetition harmless, where the operation has one.
    pub key: Option<String>,
    /// How far it is.
    pub state: State,
    /// How often it was tried, in all runs.
    pub tries: u32,
    /// Of a done item: the list of its output items, as JSON.
    pub result: Option<String>,
    /// The last failure, as [`Failure::to_json`](crate::Failure::to_json) gives it.
    pub error: Option<String>,
    /// When its last try began; `None` keeps what is there.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Whether the item was not in the journal before.
    pub is_new: bool,
}

/// What earlier runs knew of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// SHA-256 of its text.
    pub digest: [u8; 32],
    /// How far it was.
    pub state: State,
    /// How often it was tried.
    pub tries: u32,
    /// Of a done item: the list of its output items, as JSON.
    pub result: Option<String>,
    /// Its last failure, as JSON.
    pub error: Option<String>,
}

/// When a row has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Urgency {
    /// A call waits for it.
    Now,
    /// A result waits for it.
    Soon,
    /// Nobody does.
    Later,
}

/// How far a journal is written.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The number of the last row that is durable, with all before it that somebody waits for.
    pub row: u64,
    /// Why nothing more will be.
    pub error: Option<Arc<JournalError>>,
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

/// Ends when everything up to `row` is written, or the journal broke; whether it is written.
pub(crate) async fn durable(mut progress: watch::Receiver<Progress>, row: u64) -> bool {
    match progress
        .wait_for(|progress| progress.row >= row || progress.error.is_some())
        .await
    {
        Ok(progress) => progress.row >= row,
        Err(_) => false,
    }
}
