//! Runs an operation on a stream of items.
//!
//! A run takes a stream of items and gives a stream of results, one for each item, in the items' order or in order of
//! completion ([`ResultOrder`]). It reads items only as it needs them and has several in flight at once. Dropping
//! [`Results`] cancels the run and everything in flight. `host/examples/axum.rs` is a complete program that serves runs
//! over HTTP this way.
//!
//! ```no_run
//! use futures_util::StreamExt as _;
//! use nodule::retry::Retry;
//! use nodule::{Credential, Engine, EngineConfig, RunOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(&EngineConfig::default())?;
//! let component = engine.load_file("node.wasm").await?;
//! let credential = Credential::from_json(component.node(), &std::fs::read_to_string("credential.json")?)?;
//! let runner = component.runner().credential(credential).build()?;
//!
//! let items = futures_util::stream::iter((0..1_000).map(|n| Ok(format!(r#"{{"cardNo":"M{n}"}}"#))));
//! let options = RunOptions::default().concurrency(32).retry(Retry::default());
//! let mut results = runner.run("member", "getMember", items, &options).await?;
//! while let Some(completed) = results.next().await {
//!     // An error says that the run broke: some items have no result.
//!     match completed?.result {
//!         Ok(output) => println!("{} output items", output.len()),
//!         Err(failure) => println!("{}", failure.to_json()),
//!     }
//! }
//! println!("{}", results.finish().await?.to_json());
//! # Ok(())
//! # }
//! ```

mod ask;
mod batch;
pub(crate) mod call;
mod credential_test;
mod driver;
mod files;
mod given;
mod item;
pub mod journal;
mod login;
mod notice;
mod options;
mod outputs;
mod plan;
mod rows;
pub mod runner;
mod schedule;
mod stats;

use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tracing::Instrument as _;

use crate::error::Error;
use crate::gate::budget::Pace;
use crate::run::journal::{Identity, Journal, JournalError, OpenJournal, Safety};
use crate::run::runner::{BoundOperation, Inner, Runner};
use nodule_core::description::Effect;
use nodule_core::failure::Failure;
use nodule_core::outcome::ItemResult;
pub use nodule_core::outcome::{OnFailure, OnUnknown, ResultOrder};

use driver::{CancelMode, Driver, Parts};
pub use files::{FileStore, NewFile, NewItem};
pub use item::{Completed, ItemError, Part};
pub use login::{Login, LoginError};
pub use notice::{Notice, NoticeSender};
pub use options::{DEFAULT_CONCURRENCY, RunOptions};
use stats::Stats;
pub use stats::{Ended, Latency, Summary};

/// Batches of results that the channel buffers before the reader takes them.
const HANDED_OVER: usize = 1;

/// The results of a run, in the order given by [`RunOptions::order`]. Dropping it cancels the run.
///
/// If the run breaks, because its journal cannot be used or its source of items failed, the last element is an error;
/// the results before it remain valid. If the last element is no error, the run finished or was stopped as requested.
#[derive(Debug)]
pub struct Results {
    receiver: mpsc::Receiver<Vec<Completed>>,
    /// Results received in one batch and not yet taken.
    ready: std::vec::IntoIter<Completed>,
    driver: Option<tokio::task::JoinHandle<Result<(), Error>>>,
    control: Control,
    watch: Watch,
    /// `None` once taken.
    notices: Option<NoticeSender>,
    effect: Effect,
}

impl Stream for Results {
    type Item = Result<Completed, Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Completed, Error>>> {
        loop {
            if let Some(completed) = self.ready.next() {
                return Poll::Ready(Some(Ok(completed)));
            }
            match ready!(self.receiver.poll_recv(context)) {
                Some(results) => self.ready = results.into_iter(),
                None => break,
            }
        }
        let Some(driver) = &mut self.driver else {
            return Poll::Ready(None);
        };
        let ended = ready!(driver.poll_unpin(context));
        self.driver = None;
        Poll::Ready(outcome(ended).err().map(Err))
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        // The driver's tasks are in its own set, which aborts them; their instances and requests are dropped with them.
        if let Some(driver) = &self.driver {
            driver.abort();
            self.watch.stats.end_unless_ended(Ended::Dropped);
        }
    }
}

impl Results {
    /// A handle that stops the run early, from any task.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// A handle that reports the run's progress, from any task.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Notices for a person who watches the run. They can be taken once; notices without a receiver are dropped.
    pub fn notices(&mut self) -> Option<mpsc::Receiver<Notice>> {
        // The sender is not kept, so that the channel closes when the run finishes.
        self.notices.take()?.notices()
    }

    /// What running the operation twice does, as the node claims and the policy lowers it.
    #[must_use]
    pub fn effect(&self) -> &Effect {
        &self.effect
    }

    /// Closes the journal and returns the summary. If there are results left, this cancels the run.
    ///
    /// # Errors
    ///
    /// The run broke, and the error was not yet read from the stream of results.
    pub async fn finish(mut self) -> Result<Summary, Error> {
        self.receiver.close();
        if let Some(driver) = &mut self.driver {
            let ended = driver.await;
            self.driver = None;
            outcome(ended)?;
        }
        let mut summary = self.watch.summary();
        if summary.ended == Ended::Complete && (self.ready.len() > 0 || !self.receiver.is_empty()) {
            self.watch.stats.end(Ended::Dropped);
            summary.ended = Ended::Dropped;
        }
        Ok(summary)
    }
}

/// Translates how a run's task finished.
fn outcome(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    match ended {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::Panicked {
            message: error.to_string(),
        }),
    }
}

/// Stops a run early. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    order: Arc<watch::Sender<CancelMode>>,
}

impl Control {
    /// Takes no more items and retries none. Items in flight finish, and then the stream of results does.
    pub fn stop(&self) {
        self.order.send_if_modified(|order| {
            std::mem::replace(order, (*order).max(CancelMode::Stop)) < CancelMode::Stop
        });
    }

    /// Also cancels the items in flight, at once. Known results are still given. The outcome of a plain write that was
    /// in flight is unknown.
    pub fn abandon(&self) {
        self.order.send_replace(CancelMode::Abandon);
    }
}

/// Reports a run's progress. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Watch {
    stats: Arc<Stats>,
}

impl Watch {
    /// What the run has done so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.stats.summary()
    }
}

impl Runner {
    /// Runs an operation on a few items; serde must serialize each as a JSON object. The results are in the items'
    /// order, whatever the options say.
    ///
    /// # Errors
    ///
    /// The operation is unknown, the journal cannot be used, or the run broke: then [`Error::Broken`] holds the results
    /// so far. A failure of an item is in its result.
    pub async fn execute(
        &self,
        group: &str,
        operation: &str,
        items: Vec<impl Serialize>,
        options: &RunOptions,
    ) -> Result<Vec<ItemResult>, Error> {
        let text = |item| {
            serde_json::to_string(&item)
                .map_err(|error| ItemError::Item(Failure::InvalidInput(error.to_string())))
        };
        let items: Vec<_> = items.into_iter().map(text).collect();
        let items = futures_util::stream::iter(items);
        let mut running = self.run(group, operation, items, options).await?;
        let mut results = Vec::new();
        while let Some(completed) = running.next().await {
            match completed {
                Ok(Completed { index, result, .. }) => results.push((index, result)),
                Err(source) => {
                    let source = Box::new(source);
                    return Err(Error::Broken { results, source });
                }
            }
        }
        results.sort_unstable_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Runs an operation on a stream of items, each a JSON object as text, a [`NewItem`] with files, or an [`ItemError`]. Items are taken as they
    /// are needed: a reader that is slow to take results slows the requests.
    ///
    /// Must be called within a Tokio runtime; on a multi-threaded one, several instances run at once. The journal is
    /// opened on a blocking thread of the runtime.
    ///
    /// # Errors
    ///
    /// The operation is unknown, the options contradict each other, or the journal cannot be used. A failure of an item
    /// is in its result.
    pub async fn run<S, I>(
        &self,
        group: &str,
        operation: &str,
        items: S,
        options: &RunOptions,
    ) -> Result<Results, Error>
    where
        S: Stream<Item = Result<I, ItemError>> + Send + 'static,
        I: Into<NewItem> + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let stats = Arc::new(Stats::new());
        let mut operation = BoundOperation::new(&inner, group, operation)?;
        operation.name_run(options.run_id.as_deref());
        inner.report_insecure(&operation.label);
        let notices = NoticeSender::new(Arc::clone(&stats), Arc::clone(&operation.label));
        operation.stats = Arc::clone(&stats);
        operation.rate = Pace::of_run(options.rate, inner.budget.as_ref());
        operation.files.clone_from(&options.files);
        if operation.gives_files && operation.files.is_none() {
            return Err(Error::RunOptions {
                message: "the operation gives files, and nothing says where they go".to_owned(),
            });
        }
        let journal = match &options.journal {
            Some(journal) => Some(
                open(
                    &inner,
                    &operation,
                    options.limit,
                    Arc::clone(journal),
                    notices.clone(),
                )
                .await?,
            ),
            None => None,
        };
        let effect = operation.effect.clone();
        let (sender, receiver) = mpsc::channel(HANDED_OVER);
        let (order, orders) = watch::channel(CancelMode::Run);
        let operation = Arc::new(operation);
        let mut driver = Driver::new(
            Parts {
                inner,
                operation,
                stats: Arc::clone(&stats),
                journal,
                sender,
                notices: notices.clone(),
                orders,
            },
            options,
        );
        let driver = async move {
            let items = pin!(AssertUnwindSafe(items).catch_unwind().fuse());
            driver.drive(items).await
        };
        let driver = tokio::spawn(driver.in_current_span());
        Ok(Results {
            receiver,
            ready: Vec::new().into_iter(),
            driver: Some(driver),
            control: Control {
                order: Arc::new(order),
            },
            watch: Watch { stats },
            notices: Some(notices),
            effect,
        })
    }
}

async fn open(
    inner: &Inner,
    operation: &BoundOperation,
    limit: Option<u64>,
    journal: Arc<dyn Journal>,
    notices: NoticeSender,
) -> Result<Box<dyn OpenJournal>, Error> {
    if !inner.is_live() {
        return Err(Error::RunOptions {
            message: "a journal is for runs that are sent: it goes with no recording, replay or dry run"
                .to_owned(),
        });
    }
    let identity = Identity::new(
        &inner.component.node().name,
        format!("{}.{}", operation.group, operation.name),
        inner.component.digest(),
        inner.base_text(),
        limit,
        inner.credential().cloned(),
    );
    // A power cut may lose rows of items that can safely run again, but never of a plain write.
    let safety = if operation.is_write() {
        Safety::Disk
    } else {
        Safety::System
    };
    // Opening waits for the disk and runs a slow hash of the credential.
    let opened = tokio::task::spawn_blocking(move || journal.open(&identity, safety, notices)).await;
    match opened {
        Ok(opened) => Ok(opened?),
        Err(error) => Err(Error::from(JournalError::Other {
            message: format!("opening it broke off: {error}"),
        })),
    }
}
