//! An engine whose runs are kept in its own database, by sqlx.

use std::fmt;
use std::sync::Arc;

use nodule::NoticeSender;
use nodule::journal::{
    Earlier, Entry, Identity, Journal, JournalError, OpenJournal, Progress, Row, Safety, State, Urgency,
};
use sqlx::{Row as _, SqlitePool};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// One run's rows among those of others.
#[derive(Clone)]
pub struct EngineJournal {
    pool: SqlitePool,
    run: String,
}

impl fmt::Debug for EngineJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineJournal")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl EngineJournal {
    /// The journal of this run.
    pub fn new(pool: SqlitePool, run: impl Into<String>) -> Self {
        Self {
            pool,
            run: run.into(),
        }
    }
}

fn wrong(error: sqlx::Error) -> JournalError {
    JournalError::Other {
        message: error.to_string(),
    }
}

impl Journal for EngineJournal {
    fn open(
        &self,
        identity: &Identity,
        _: Safety,
        _: NoticeSender,
    ) -> Result<Box<dyn OpenJournal>, JournalError> {
        // It is called on a thread that may block.
        let runtime = Handle::current();
        let operation = format!("{} {} {}", identity.node, identity.operation, identity.component);
        let recorded = runtime.block_on(prepare(&self.pool, &self.run, &operation))?;
        let (rows, received) = mpsc::unbounded_channel();
        let (sender, progress) = watch::channel(Progress::default());
        let writer = runtime.spawn(write(self.clone(), received, sender));
        Ok(Box::new(Open {
            journal: self.clone(),
            runtime,
            recorded,
            rows,
            progress,
            writer,
        }))
    }
}

async fn prepare(pool: &SqlitePool, run: &str, operation: &str) -> Result<usize, JournalError> {
    let tables = "
        CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, operation TEXT NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS items (
            run TEXT NOT NULL, item INTEGER NOT NULL, digest BLOB NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
            result TEXT, error TEXT, PRIMARY KEY (run, item)
        ) STRICT;
    ";
    sqlx::raw_sql(tables).execute(pool).await.map_err(wrong)?;
    sqlx::query("INSERT OR IGNORE INTO runs (run, operation) VALUES (?1, ?2)")
        .bind(run)
        .bind(operation)
        .execute(pool)
        .await
        .map_err(wrong)?;
    let of_run: String = sqlx::query_scalar("SELECT operation FROM runs WHERE run = ?1")
        .bind(run)
        .fetch_one(pool)
        .await
        .map_err(wrong)?;
    if of_run != operation {
        return Err(JournalError::Other {
            message: format!("the run `{run}` is of `{of_run}`, found `{operation}`"),
        });
    }
    let recorded: i64 = sqlx::query_scalar("SELECT coalesce(max(item) + 1, 0) FROM items WHERE run = ?1")
        .bind(run)
        .fetch_one(pool)
        .await
        .map_err(wrong)?;
    Ok(usize::try_from(recorded).unwrap_or_default())
}

/// What comes together is one transaction.
async fn write(
    journal: EngineJournal,
    mut received: mpsc::UnboundedReceiver<Vec<Row>>,
    progress: watch::Sender<Progress>,
) {
    let mut pieces = Vec::new();
    let mut number = 0;
    while received.recv_many(&mut pieces, 64).await > 0 {
        let rows: Vec<Row> = pieces.drain(..).flatten().collect();
        number += rows.len() as u64;
        match put(&journal, &rows).await {
            Ok(()) => progress.send_modify(|progress| progress.row = number),
            Err(error) => progress.send_modify(|progress| {
                progress.error.get_or_insert(Arc::new(wrong(error)));
            }),
        }
    }
}

async fn put(journal: &EngineJournal, rows: &[Row]) -> sqlx::Result<()> {
    let mut transaction = journal.pool.begin().await?;
    for row in rows {
        let sql = "
            INSERT INTO items (run, item, digest, state, tries, result, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (run, item) DO UPDATE SET state = ?4, tries = ?5, result = ?6, error = ?7
        ";
        sqlx::query(sql)
            .bind(&journal.run)
            .bind(row.item as i64)
            .bind(&row.digest[..])
            .bind(row.state.name())
            .bind(row.tries)
            .bind(&row.result)
            .bind(&row.error)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

struct Open {
    journal: EngineJournal,
    runtime: Handle,
    recorded: usize,
    rows: mpsc::UnboundedSender<Vec<Row>>,
    progress: watch::Receiver<Progress>,
    writer: JoinHandle<()>,
}

impl OpenJournal for Open {
    fn name(&self) -> String {
        self.journal.run.clone()
    }

    fn recorded(&self) -> usize {
        self.recorded
    }

    fn earlier(&self, item: usize) -> Result<Option<Earlier>, JournalError> {
        if item >= self.recorded {
            return Ok(None);
        }
        let sql = "SELECT digest, state, tries, result, error FROM items WHERE run = ?1 AND item = ?2";
        let query = sqlx::query(sql).bind(&self.journal.run).bind(item as i64);
        let found =
            tokio::task::block_in_place(|| self.runtime.block_on(query.fetch_optional(&self.journal.pool)));
        let Some(row) = found.map_err(wrong)? else {
            return Ok(None);
        };
        let damaged = || JournalError::Other {
            message: format!("item {item} is damaged"),
        };
        let digest: Vec<u8> = row.try_get(0).map_err(wrong)?;
        let state: String = row.try_get(1).map_err(wrong)?;
        Ok(Some(Earlier {
            digest: digest.try_into().map_err(|_| damaged())?,
            state: State::named(&state).ok_or_else(damaged)?,
            tries: row.try_get(2).map_err(wrong)?,
            result: row.try_get(3).map_err(wrong)?,
            error: row.try_get(4).map_err(wrong)?,
            parts: None,
        }))
    }

    fn write(&mut self, entries: Vec<(Entry, Urgency)>) {
        // It keeps no parts, so every entry is a row.
        let row = |(entry, _)| match entry {
            Entry::Row(row) => Some(row),
            _ => None,
        };
        // The writer ends with the last sender; if it ended otherwise, the progress says so.
        let _ = self.rows.send(entries.into_iter().filter_map(row).collect());
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    fn close(self: Box<Self>) -> Result<(), Arc<JournalError>> {
        let Self {
            runtime,
            rows,
            progress,
            writer,
            ..
        } = *self;
        drop(rows);
        let _ = runtime.block_on(writer);
        match &progress.borrow().error {
            Some(error) => Err(Arc::clone(error)),
            None => Ok(()),
        }
    }
}
