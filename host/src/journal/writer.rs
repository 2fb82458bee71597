//! The thread that writes: everything that happens at about the same time is one transaction, and one wait for the disk.
//!
//! Rows that somebody waits for are urgent: they are written as soon as the last transaction is done, with all that came in
//! meanwhile. The others are written along with them, or after a moment. Of several states that an item has had since the
//! last transaction only the last is written.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::watch;

use super::{JournalError, Row};
use crate::run::{Notice, Teller};

/// How long a row that nobody waits for may be unwritten: people who look into the journal see it that late.
const LAZY: Duration = Duration::from_millis(200);
/// Rows that are collected for one transaction at most, so that memory stays flat.
const MOST: usize = 4096;

/// How far the journal is on the disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Durable {
    /// The place of the last row that is, with all before it.
    pub(crate) place: u64,
    /// Why nothing more will be.
    pub(crate) error: Option<Arc<JournalError>>,
}

/// The way to the thread.
pub(crate) struct Writer {
    rows: Sender<(Row, bool)>,
    /// The place of the last row that was handed over.
    place: u64,
    durable: watch::Receiver<Durable>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(
        path: PathBuf,
        connection: Connection,
        lock: File,
        notices: Teller,
    ) -> Result<Self, JournalError> {
        let (rows, received) = channel();
        let (progress, durable) = watch::channel(Durable::default());
        let named = path.clone();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                Work {
                    path,
                    connection,
                    pending: BTreeMap::new(),
                    progress,
                    notices,
                    place: 0,
                }
                .run(&received);
                // Only now may another process have it.
                drop(lock);
            })
            .map_err(|source| JournalError::File { path: named, source })?;
        Ok(Self {
            rows,
            place: 0,
            durable,
            thread,
        })
    }

    /// Hand over a row; gives its place. `urgent` where somebody waits for it.
    pub(crate) fn put(&mut self, row: Row, urgent: bool) -> u64 {
        self.place += 1;
        // The thread ends after the last sender only; if it ended otherwise, the watch says so to whoever waits.
        let _ = self.rows.send((row, urgent));
        self.place
    }

    /// How far it is on the disk.
    pub(crate) fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }

    /// Write what is left and let go of the file.
    pub(crate) async fn close(self) -> Result<(), Arc<JournalError>> {
        let Self {
            rows,
            durable,
            thread,
            ..
        } = self;
        drop(rows);
        // It waits for the disk, which an asynchronous task may not.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        match &durable.borrow().error {
            Some(error) => Err(Arc::clone(error)),
            None => Ok(()),
        }
    }
}

struct Work {
    path: PathBuf,
    connection: Connection,
    pending: BTreeMap<usize, Row>,
    progress: watch::Sender<Durable>,
    notices: Teller,
    /// Of the last row that was taken in.
    place: u64,
}

impl Work {
    fn run(mut self, rows: &Receiver<(Row, bool)>) {
        let mut oldest: Option<Instant> = None;
        loop {
            let received = match oldest {
                None => rows.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(oldest) => rows.recv_timeout(LAZY.saturating_sub(oldest.elapsed())),
            };
            let mut is_due = false;
            match received {
                Ok((row, urgent)) => {
                    is_due |= urgent;
                    self.take(row);
                    while self.pending.len() < MOST
                        && let Ok((row, urgent)) = rows.try_recv()
                    {
                        is_due |= urgent;
                        self.take(row);
                    }
                }
                Err(RecvTimeoutError::Timeout) => is_due = true,
                Err(RecvTimeoutError::Disconnected) => {
                    self.flush();
                    // Leaves one file where there were three; if it cannot, the next run reads all three.
                    let _ = self.connection.pragma_update(None, "wal_checkpoint", "truncate");
                    return;
                }
            }
            let since = *oldest.get_or_insert_with(Instant::now);
            if is_due || self.pending.len() >= MOST || since.elapsed() >= LAZY {
                self.flush();
                oldest = None;
            }
        }
    }

    fn take(&mut self, mut row: Row) {
        self.place += 1;
        if let Some(before) = self.pending.remove(&row.item) {
            row.is_new |= before.is_new;
            row.started = row.started.or(before.started);
        }
        self.pending.insert(row.item, row);
    }

    /// One transaction with all that is pending. What could not be written stays pending: there may be room later.
    fn flush(&mut self) {
        match self.write() {
            Ok(same) => {
                self.pending.clear();
                let place = self.place;
                // An error stays: whoever heard of it has ended the run.
                self.progress.send_modify(|durable| durable.place = place);
                for notice in same {
                    self.notices.tell(notice);
                }
            }
            Err(error) => {
                let error = Arc::new(JournalError::of(&self.path, &error));
                self.progress.send_modify(|durable| {
                    durable.error.get_or_insert(error);
                });
            }
        }
    }

    fn write(&mut self) -> rusqlite::Result<Vec<Notice>> {
        let transaction = self.connection.transaction()?;
        let mut same = Vec::new();
        {
            let mut earlier = transaction.prepare_cached("SELECT item FROM items WHERE key = ?1 LIMIT 1")?;
            let mut write = transaction.prepare_cached(
                "INSERT INTO items (item, digest, key, state, tries, result, error, started, ended)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (item) DO UPDATE SET state = excluded.state, tries = excluded.tries,
                     result = excluded.result, error = excluded.error,
                     started = coalesce(excluded.started, started), ended = excluded.ended",
            )?;
            for row in self.pending.values() {
                if let (true, Some(key)) = (row.is_new, &row.key) {
                    let found: Option<i64> = earlier.query_row(params![key], |row| row.get(0)).optional()?;
                    if let Some(found) = found.and_then(|found| usize::try_from(found).ok()) {
                        same.push(Notice::SameKey {
                            item: row.item,
                            earlier: found,
                            key: key.clone(),
                        });
                    }
                }
                write.execute(params![
                    i64::try_from(row.item).unwrap_or(i64::MAX),
                    row.digest,
                    row.key,
                    row.state.name(),
                    row.tries,
                    row.result,
                    row.error,
                    row.started.map(shown),
                    row.ended.map(shown),
                ])?;
            }
        }
        transaction.commit()?;
        Ok(same)
    }
}

/// To the millisecond, as `SQLite`'s own functions read it.
fn shown(time: Timestamp) -> String {
    format!("{time:.3}")
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
