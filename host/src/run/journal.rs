//! The journal of a run: what is known of each item, so that an interrupted run can resume without repeating finished
//! items.
//!
//! [`SqliteJournal`] (feature `sqlite`, on by default) keeps it in a file. An engine with its own database implements
//! [`Journal`] and [`OpenJournal`].
//!
//! A run writes an item's row when it takes the item, when the item starts, and when it finishes. A plain write starts
//! only after its row [is durable](OpenJournal::progress), and a result is given only after its row is.

#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use nodule_core::credential::Credential;
use nodule_core::outcome::Output;
use ring::digest::{Context, SHA256};
use tokio::sync::watch;

pub use crate::error::JournalError;
use crate::gate::file::InputFile;
use crate::run::notice::NoticeSender;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteJournal;

/// Where runs record their progress.
pub trait Journal: fmt::Debug + Send + Sync {
    /// Opens the journal for a run. This may wait for a disk: the run calls it on a blocking thread.
    ///
    /// # Errors
    ///
    /// The journal cannot be used, is in use, or belongs to another run.
    fn open(
        &self,
        run: &Identity,
        safety: Safety,
        notices: NoticeSender,
    ) -> Result<Box<dyn OpenJournal>, JournalError>;
}

/// A journal opened by a run. Dropping it is like a crash of the process: written rows are kept.
pub trait OpenJournal: Send {
    /// Its name in messages: a file's path, or a table's name.
    fn name(&self) -> String;

    /// Number of items that earlier runs recorded: the highest index plus one.
    fn recorded(&self) -> usize;

    /// What earlier runs recorded of an item.
    ///
    /// # Errors
    ///
    /// The row cannot be read.
    fn earlier(&self, item: usize) -> Result<Option<Earlier>, JournalError>;

    /// Whether it keeps [parts](Part). A run with a journal that does not streams no rows: they come with their item's
    /// result.
    fn keeps_parts(&self) -> bool {
        false
    }

    /// The output items of a part that an earlier run recorded, as a JSON list.
    ///
    /// # Errors
    ///
    /// There is no such part, or it cannot be read.
    fn part(&self, item: usize, number: u32) -> Result<String, JournalError> {
        Err(JournalError::Other {
            message: format!("{} has no part {number} of item {item}", self.name()),
        })
    }

    /// Queues these entries for writing. It must not block: the run continues and watches the
    /// [progress](Self::progress). Entries are numbered from 1 in the order of arrival; of several rows of an item the
    /// last one counts, and every part does. A part must not be there without a row of its item.
    fn write(&mut self, entries: Vec<(Entry, Urgency)>);

    /// The last entry up to which every entry that somebody waits for is durable.
    fn progress(&self) -> watch::Receiver<Progress>;

    /// Writes the remaining rows and closes the journal. This may wait for a disk: the run calls it on a blocking
    /// thread.
    ///
    /// # Errors
    ///
    /// A row could not be written.
    fn close(self: Box<Self>) -> Result<(), Arc<JournalError>>;
}

/// What a journal belongs to. A run that differs in one of these fields is refused.
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
    /// The most rows of an item, as text; empty for all.
    pub limit: String,
    credential: Option<Credential>,
}

impl Identity {
    pub(crate) fn new(
        node: &str,
        operation: String,
        component: &str,
        base_url: String,
        limit: Option<u64>,
        credential: Option<Credential>,
    ) -> Self {
        Self {
            node: node.to_owned(),
            operation,
            component: component.to_owned(),
            base_url,
            limit: limit.as_ref().map_or_else(String::new, ToString::to_string),
            credential,
        }
    }

    /// A salted hash of the credential that is safe to store; `None` without a credential. It is slow: a tenth of a
    /// second.
    #[must_use]
    pub fn credential(&self, salt: &[u8]) -> Option<[u8; 32]> {
        self.credential
            .as_ref()
            .map(|credential| credential.binding(salt))
    }
}

/// What a written row must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Safety {
    /// A row counts once it is on disk: it survives a power cut.
    Disk,
    /// A row counts once the operating system has it, and is on disk within a second. It survives a crash of the
    /// process. A power cut may lose the last second, which then runs again.
    System,
}

/// How far an item has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It has not started, or waits for a retry.
    Waiting,
    /// Its call is in flight, or was when the run was interrupted.
    Started,
    /// It is done.
    Done,
    /// It failed and was certainly not done.
    Failed,
    /// It failed and may have been done; only for a plain write.
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

    /// The state with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What a run writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// How far an item has come.
    Row(Row),
    /// Rows that an item gave while it went on.
    Part(Part),
}

/// Rows that an item gave while it went on. They belong to its result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The item's index, from 0.
    pub item: usize,
    /// Counts the parts of an item, from 0.
    pub number: u32,
    /// How many rows there are in this part and those before.
    pub rows: u64,
    /// The rows, as a JSON list.
    pub outputs: String,
    /// Where the item goes on behind them, in the node's words.
    pub cursor: String,
}

/// What earlier runs recorded of an item's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierParts {
    /// How many there are.
    pub parts: u32,
    /// How many rows they have.
    pub rows: u64,
    /// Where the item goes on behind the last one.
    pub cursor: String,
}

/// An item's row, as it should be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The item's index, from 0.
    pub item: usize,
    /// SHA-256 of the item's text.
    pub digest: [u8; 32],
    /// For a new item: the value of the parameter that makes repetition harmless, if the operation has one.
    pub key: Option<String>,
    /// How far it has come.
    pub state: State,
    /// How often it was tried, in all runs.
    pub tries: u32,
    /// For a done item: the list of its output items, as JSON.
    pub result: Option<String>,
    /// The last failure, in the format of [`Failure::to_json`](crate::Failure::to_json).
    pub error: Option<String>,
    /// When its last try started; `None` keeps the stored value.
    pub started: Option<Timestamp>,
    /// When it finished.
    pub ended: Option<Timestamp>,
    /// Whether the journal had no row for this item.
    pub is_new: bool,
}

/// What earlier runs recorded of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// SHA-256 of its text.
    pub digest: [u8; 32],
    /// How far it had come.
    pub state: State,
    /// How often it was tried.
    pub tries: u32,
    /// For a done item: the list of its output items, as JSON.
    pub result: Option<String>,
    /// Its last failure, as JSON.
    pub error: Option<String>,
    /// The rows that it gave while it went on.
    pub parts: Option<EarlierParts>,
}

/// How soon an entry has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Urgency {
    /// A call waits for it.
    Now,
    /// A result waits for it.
    Soon,
    /// Nobody waits for it.
    Later,
}

/// How far a journal has been written.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The number of the last durable entry; every earlier entry that somebody waits for is durable too.
    pub row: u64,
    /// Why nothing further will be written.
    pub error: Option<Arc<JournalError>>,
}

/// The digest of an item's text, and of what is said of its files.
pub(crate) fn item_digest(text: &str, files: &[InputFile]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(text.as_bytes());
    for InputFile {
        key,
        name,
        media_type,
        size,
        ..
    } in files
    {
        // JSON texts cannot be mistaken for one another.
        let said = serde_json::json!([key, name, media_type, size]);
        context.update(said.to_string().as_bytes());
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

/// The list of an item's output items.
pub(crate) fn list(output: &[Output]) -> String {
    let mut list = String::with_capacity(output.iter().map(|json| json.get().len() + 1).sum::<usize>() + 2);
    list.push('[');
    for (position, output) in output.iter().enumerate() {
        if position > 0 {
            list.push(',');
        }
        output.write(&mut list);
    }
    list.push(']');
    list
}

/// Waits until everything up to `row` is written, or the journal broke. Returns whether it is written.
pub(crate) async fn durable(mut progress: watch::Receiver<Progress>, row: u64) -> bool {
    match progress
        .wait_for(|progress| progress.row >= row || progress.error.is_some())
        .await
    {
        Ok(progress) => progress.row >= row,
        Err(_) => false,
    }
}
