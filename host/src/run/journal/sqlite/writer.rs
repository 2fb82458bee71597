//! The thread that writes: rows of about the same time share one transaction.
//!
//! Rows that a plain write waits for are written at once, with all rows that have arrived meanwhile. Results are
//! written after a short delay, so that many share a transaction. Rows that nobody waits for are written after a longer
//! delay, and most of them never: of several states of an item only the newest is written.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tokio::sync::watch;

use super::{Entry, JournalError, Part, Progress, Row, Safety, Urgency};
use crate::run::notice::{Notice, NoticeSender};

/// How long a result may stay unwritten: unnoticeable, and long enough for many results to share a transaction.
const SOON: Duration = Duration::from_millis(10);
/// How long a row that nobody waits for may stay unwritten: people who query the journal see it this late.
const LATER: Duration = Duration::from_millis(200);
/// Maximum number of rows in one transaction, so that memory stays flat.
const MOST: usize = 4096;
/// How much of a repeatable run a power cut can make the journal lose.
const FORGOTTEN: Duration = Duration::from_secs(1);

/// The handle to the writer thread.
pub(super) struct Writer {
    entries: Sender<Vec<(Entry, Urgency)>>,
    progress: watch::Receiver<Progress>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(
        path: PathBuf,
        connection: Connection,
        safety: Safety,
        lock: File,
        notices: NoticeSender,
    ) -> Result<Self, JournalError> {
        let (entries, received) = channel();
        let (sender, progress) = watch::channel(Progress::default());
        let named = path.clone();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                Work {
                    path,
                    database: Database {
                        connection,
                        safety,
                        unsafe_since: None,
                        unchecked: Vec::new(),
                        unwritten: HashMap::new(),
                    },
                    due: BTreeMap::new(),
                    parts: Vec::new(),
                    later: BTreeMap::new(),
                    soon_at: None,
                    later_at: None,
                    progress: sender,
                    notices,
                    row: 0,
                }
                .run(&received);
                // Only now may another process open the journal.
                drop(lock);
            })
            .map_err(|source| JournalError::File { path: named, source })?;
        Ok(Self {
            entries,
            progress,
            thread,
        })
    }

    /// Sends these entries as one message: waking a thread costs more than the entries.
    pub(super) fn write(&self, entries: Vec<(Entry, Urgency)>) {
        // The thread exits only after the last sender is gone; if it exits early, the watch tells the waiters.
        let _ = self.entries.send(entries);
    }

    /// How far the journal is written.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Writes the remaining entries and closes the file.
    pub(super) fn close(self) -> Result<(), Arc<JournalError>> {
        let Self {
            entries,
            progress,
            thread,
        } = self;
        drop(entries);
        let _ = thread.join();
        match &progress.borrow().error {
            Some(error) => Err(Arc::clone(error)),
            None => Ok(()),
        }
    }
}

struct Work {
    path: PathBuf,
    database: Database,
    /// Rows that somebody waits for.
    due: BTreeMap<usize, Row>,
    /// Parts, for which somebody always waits.
    parts: Vec<Part>,
    /// Rows that nobody waits for.
    later: BTreeMap<usize, Row>,
    /// Deadlines for writing `due` and `later`.
    soon_at: Option<Instant>,
    later_at: Option<Instant>,
    progress: watch::Sender<Progress>,
    notices: NoticeSender,
    /// The number of the last entry received.
    row: u64,
}

impl Work {
    fn run(mut self, entries: &Receiver<Vec<(Entry, Urgency)>>) {
        loop {
            let wake = [self.soon_at, self.later_at, self.database.unsafe_until()];
            let received = match wake.into_iter().flatten().min() {
                None => entries.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wake) => entries.recv_timeout(wake.saturating_duration_since(Instant::now())),
            };
            match received {
                Ok(first) => {
                    self.take(first);
                    while self.due.len() + self.later.len() < MOST
                        && let Ok(more) = entries.try_recv()
                    {
                        self.take(more);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.due.append(&mut self.later);
                    self.flush();
                    self.database.close();
                    return;
                }
            }
            let now = Instant::now();
            let is_up = |at: Option<Instant>| at.is_some_and(|at| at <= now);
            if is_up(self.later_at) || self.due.len() + self.later.len() >= MOST {
                self.due.append(&mut self.later);
                self.later_at = None;
                self.flush();
            } else if is_up(self.soon_at) {
                self.flush();
            } else if is_up(self.database.unsafe_until()) {
                self.database.make_safe();
            }
        }
    }

    fn take(&mut self, entries: Vec<(Entry, Urgency)>) {
        let now = Instant::now();
        for (entry, urgency) in entries {
            self.row += 1;
            match entry {
                Entry::Row(row) => self.take_row(row, urgency, now),
                Entry::Part(part) => {
                    // A part without the row of its item would belong to no item.
                    if let Some(row) = self.later.remove(&part.item) {
                        self.due.insert(row.item, row);
                    }
                    self.parts.push(part);
                    self.soon(urgency, now);
                }
            }
        }
    }

    fn take_row(&mut self, mut row: Row, mut urgency: Urgency, now: Instant) {
        if let (true, Some(key)) = (row.is_new, &row.key) {
            self.database.unchecked.push((row.item, key.clone()));
        }
        if let Some(before) = self.later.remove(&row.item) {
            row.replace(before);
        }
        if let Some(before) = self.due.remove(&row.item) {
            row.replace(before);
            // Somebody still waits for it.
            if urgency == Urgency::Later {
                urgency = Urgency::Soon;
            }
        }
        self.soon(urgency, now);
        let rows = match urgency {
            Urgency::Now | Urgency::Soon => &mut self.due,
            Urgency::Later => &mut self.later,
        };
        rows.insert(row.item, row);
    }

    /// Sets when to write next.
    fn soon(&mut self, urgency: Urgency, now: Instant) {
        let (at, wait) = match urgency {
            Urgency::Now => (&mut self.soon_at, Duration::ZERO),
            Urgency::Soon => (&mut self.soon_at, SOON),
            Urgency::Later => (&mut self.later_at, LATER),
        };
        let wanted = now + wait;
        *at = Some(at.map_or(wanted, |at| at.min(wanted)));
    }

    /// Writes all due rows in one transaction. Rows that could not be written stay due, since the disk may have room
    /// later.
    fn flush(&mut self) {
        self.soon_at = None;
        match self.database.write(&self.due, &self.parts) {
            Ok(same) => {
                self.due.clear();
                self.parts.clear();
                let row = self.row;
                // The error stays: whoever read it has stopped the run.
                self.progress.send_modify(|progress| progress.row = row);
                for notice in same {
                    self.notices.send(notice);
                }
            }
            Err(error) => {
                let error = Arc::new(JournalError::of(&self.path, &error));
                self.progress.send_modify(|progress| {
                    progress.error.get_or_insert(error);
                });
            }
        }
    }
}

impl Row {
    /// Replaces an earlier state that was not written yet.
    fn replace(&mut self, before: Row) {
        self.is_new |= before.is_new;
        self.key = self.key.take().or(before.key);
        self.started = self.started.or(before.started);
    }
}

/// The connection, and what it must know of rows that are not written yet.
struct Database {
    connection: Connection,
    safety: Safety,
    /// When the first transaction that is not on disk was made.
    unsafe_since: Option<Instant>,
    /// Items received since the last transaction, in item order, with their keys.
    unchecked: Vec<(usize, String)>,
    /// Keys of earlier items that are not in the database: the first item of each.
    unwritten: HashMap<String, usize>,
}

impl Database {
    fn write(&mut self, rows: &BTreeMap<usize, Row>, parts: &[Part]) -> rusqlite::Result<Vec<Notice>> {
        let is_late = self.unsafe_until().is_some_and(|until| until <= Instant::now());
        if is_late {
            self.connection.pragma_update(None, "synchronous", "full")?;
        }
        let transaction = self.connection.transaction()?;
        let same = same_keys(&transaction, &mut self.unchecked, &mut self.unwritten)?;
        put(&transaction, rows)?;
        put_parts(&transaction, parts)?;
        transaction.commit()?;
        for row in rows.values() {
            if let Some(key) = &row.key
                && self.unwritten.get(key) == Some(&row.item)
            {
                self.unwritten.remove(key);
            }
        }
        if is_late {
            self.connection.pragma_update(None, "synchronous", "normal")?;
            self.unsafe_since = None;
        } else if self.safety == Safety::System {
            self.unsafe_since.get_or_insert_with(Instant::now);
        }
        Ok(same)
    }

    /// When the written rows must be on disk.
    fn unsafe_until(&self) -> Option<Instant> {
        self.unsafe_since.map(|since| since + FORGOTTEN)
    }

    /// Flushes written rows to disk while nothing else is to be written.
    fn make_safe(&mut self) {
        self.unsafe_since = None;
        // If this fails, the next transaction reports it.
        let _ = self.checkpoint("passive");
    }

    /// Merges the three files into one; if that fails, the next run reads all three.
    fn close(&self) {
        let _ = self.checkpoint("truncate");
    }

    fn checkpoint(&self, how: &str) -> rusqlite::Result<()> {
        self.connection.pragma(None, "wal_checkpoint", how, |_| Ok(()))
    }
}

/// Finds the received items that have the key of an earlier item. Items are checked in the order in which they arrived,
/// before or after the earlier item is written, so that none is missed and each is reported once.
fn same_keys(
    transaction: &Transaction<'_>,
    unchecked: &mut Vec<(usize, String)>,
    unwritten: &mut HashMap<String, usize>,
) -> rusqlite::Result<Vec<Notice>> {
    let mut query = transaction.prepare_cached("SELECT item FROM items WHERE key = ?1 LIMIT 1")?;
    let mut same = Vec::new();
    for (item, key) in unchecked.drain(..) {
        let found = match unwritten.get(&key) {
            Some(found) => Some(*found),
            None => query
                .query_row(params![key], |row| row.get::<_, i64>(0))
                .optional()?
                .and_then(|found| usize::try_from(found).ok()),
        };
        match found {
            // An earlier run may have crashed after writing only the later item.
            Some(found) => same.push(Notice::SameKey {
                item: item.max(found),
                earlier: item.min(found),
                key,
            }),
            None => {
                unwritten.insert(key, item);
            }
        }
    }
    Ok(same)
}

fn put(transaction: &Transaction<'_>, rows: &BTreeMap<usize, Row>) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO items (item, state, tries, result, error, started, ended, digest, key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut update = transaction.prepare_cached(
        "UPDATE items SET state = ?2, tries = ?3, result = ?4, error = ?5, started = coalesce(?6, started), ended = ?7
         WHERE item = ?1",
    )?;
    for row in rows.values() {
        let item = i64::try_from(row.item).unwrap_or(i64::MAX);
        let (state, started, ended) = (row.state.name(), row.started.map(shown), row.ended.map(shown));
        if row.is_new {
            insert.execute(params![
                item, state, row.tries, row.result, row.error, started, ended, row.digest, row.key,
            ])?;
        } else {
            update.execute(params![
                item, state, row.tries, row.result, row.error, started, ended
            ])?;
        }
    }
    Ok(())
}

fn put_parts(transaction: &Transaction<'_>, parts: &[Part]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO parts (item, part, rows, outputs, cursor) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for part in parts {
        let item = i64::try_from(part.item).unwrap_or(i64::MAX);
        let rows = i64::try_from(part.rows).unwrap_or(i64::MAX);
        insert.execute(params![item, part.number, rows, part.outputs, part.cursor])?;
    }
    Ok(())
}

/// Milliseconds precision, in the format that `SQLite`'s date functions read.
fn shown(time: Timestamp) -> String {
    format!("{time:.3}")
}
