//! Running an operation on a stream of items: lazily, several at once, carefully.
//!
//! A stream of items goes in, a stream of results comes out, one for each item: in the same order, or as they become known
//! ([`ResultOrder`]). Nothing is kept outside of the two: dropping [`Results`] ends the run with everything that is under way. `host/examples/axum.rs` is a
//! complete program that serves runs over HTTP this way.
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

mod batch;
pub(crate) mod call;
mod driver;
mod item;
pub mod journal;
mod notice;
pub mod runner;
mod schedule;
mod stats;

use std::fmt;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

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
use nodule_core::rate::Rate;
use nodule_core::retry::Retry;

use driver::{Driver, Parts};
pub use notice::{Notice, NoticeSender};
pub(crate) use stats::Stats;
pub use stats::{Ended, Latency, Summary};

/// How a stream of items is run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// How many items may be under way at once.
    pub concurrency: NonZeroUsize,
    /// What a failed item does to those after it.
    pub on_failure: OnFailure,
    /// In which order results are given.
    pub order: ResultOrder,
    /// How often an item is tried; once, unless something else is asked for: many engines try again by themselves.
    pub retry: Retry,
    /// How fast requests may follow each other.
    pub rate: Option<Rate>,
    /// How long the run may take. Afterwards no item and no try starts: items fail with `limit`, those under way end.
    pub run_time: Option<Duration>,
    /// What the run is called in events; random, unless an engine has an ID of its own for it.
    pub run_id: Option<String>,
    /// Where the run's progress is kept, so that it can be resumed.
    pub journal: Option<Arc<dyn Journal>>,
    /// What becomes of the items of a plain write whose outcome an earlier run with the same journal did not learn.
    pub on_unknown: OnUnknown,
}

/// Enough to hide the latency of a service that is near, few enough for one that is small.
pub const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// How often results may be handed over before the reader takes them.
const HANDED_OVER: usize = 1;

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            concurrency: DEFAULT_CONCURRENCY,
            on_failure: OnFailure::default(),
            order: ResultOrder::default(),
            retry: Retry::never(),
            rate: None,
            run_time: None,
            run_id: None,
            journal: None,
            on_unknown: OnUnknown::default(),
        }
    }
}

impl RunOptions {
    /// How many items may be under way at once; 0 is 1.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// What a failed item does to those after it.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// In which order results are given.
    #[must_use]
    pub fn order(mut self, order: ResultOrder) -> Self {
        self.order = order;
        self
    }

    /// How often an item is tried, as its operation's effect allows.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How fast requests may follow each other.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// How long the run may take.
    #[must_use]
    pub fn run_time(mut self, time: Duration) -> Self {
        self.run_time = Some(time);
        self
    }

    /// What the run is called in events, and for an [`Observer`](crate::Observer).
    #[must_use]
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.run_id = Some(id.into());
        self
    }

    /// Keep the run's progress in a journal, and go on where an earlier run with it ended.
    #[must_use]
    pub fn journal(mut self, journal: impl Journal + 'static) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// What becomes of the items of a plain write whose outcome an earlier run with the same journal did not learn.
    #[must_use]
    pub fn on_unknown(mut self, on_unknown: OnUnknown) -> Self {
        self.on_unknown = on_unknown;
        self
    }
}

/// An item that has its result.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Completed {
    /// The item's position, from 0.
    pub index: usize,
    /// How often it was tried in this run; 0 where nothing was sent for it, or an earlier run with the same journal had done it.
    pub tries: u32,
    /// From the beginning of its first try to its result, waits included; zero without one.
    pub duration: Duration,
    /// Its output items, or why there are none.
    pub result: ItemResult,
}

/// Why a source gives no item.
#[derive(Debug)]
#[non_exhaustive]
pub enum ItemError {
    /// This item cannot be read: it has this failure for a result, and the run goes on.
    Item(Failure),
    /// There are no further items, and those that came are not all: the results end with an error.
    Source(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Failure> for ItemError {
    fn from(failure: Failure) -> Self {
        Self::Item(failure)
    }
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(failure) => failure.fmt(f),
            Self::Source(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ItemError {}

/// The results of a run, in the order that [`RunOptions::order`] says. Dropping it ends the run.
///
/// A run that breaks, since its journal cannot be used or its source of items failed, ends with an error; what it gave before
/// stays true. A stream that ends without one says that the run ended as it was told to.
#[derive(Debug)]
pub struct Results {
    receiver: mpsc::Receiver<Vec<Completed>>,
    /// Those that were handed over together and not taken yet.
    ready: std::vec::IntoIter<Completed>,
    driver: Option<tokio::task::JoinHandle<Result<(), Error>>>,
    control: Control,
    watch: Watch,
    /// Until they are taken.
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
        // Its tasks are in a set of its own, which ends them; their instances and requests go with them.
        if let Some(driver) = &self.driver {
            driver.abort();
            self.watch.stats.end_unless_ended(Ended::Dropped);
        }
    }
}

impl Results {
    /// Ends the run early, from anywhere.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Shows how far the run is, from anywhere.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// What a person who watches should hear at once. It can be taken once; notices that nobody takes are dropped.
    pub fn notices(&mut self) -> Option<mpsc::Receiver<Notice>> {
        // Not kept: they end when the run does.
        self.notices.take()?.notices()
    }

    /// What running the operation twice does, as the node claims it and the policy lowers it.
    #[must_use]
    pub fn effect(&self) -> &Effect {
        &self.effect
    }

    /// Close the journal and say what the run did. Before the results have ended, it ends the run.
    ///
    /// # Errors
    ///
    /// The run broke, and the results did not say so, since they were not taken to their end.
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

/// How the task of a run ended.
fn outcome(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    match ended {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::Panicked {
            message: error.to_string(),
        }),
    }
}

/// What a run was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CancelMode {
    Run,
    Stop,
    Abandon,
}

/// Ends a run early. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    order: Arc<watch::Sender<CancelMode>>,
}

impl Control {
    /// Take no more items, and try none again; those under way end, and the stream of results with them.
    pub fn stop(&self) {
        self.order.send_if_modified(|order| {
            std::mem::replace(order, (*order).max(CancelMode::Stop)) < CancelMode::Stop
        });
    }

    /// End what is under way too, at once. What is known is given; of a plain write that was under way nobody
    /// knows whether it was done.
    pub fn abandon(&self) {
        self.order.send_replace(CancelMode::Abandon);
    }
}

/// Shows how far a run is. Cheap to clone.
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
    /// Run an operation on a few items, each anything that serde writes as a JSON object. The results are in the items' order,
    /// whatever the options say.
    ///
    /// # Errors
    ///
    /// The operation is unknown, the journal cannot be used, or the run broke: then [`Error::Broken`] has the results up to
    /// there. What goes wrong with an item is in its result.
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

    /// Run an operation on a stream of items, each a JSON object as text, or why there is none.
    /// Items are taken as they are needed: a reader that is slow to take results slows the requests.
    ///
    /// Must be called within a Tokio runtime; with several threads, several instances run at once. A journal is opened on one of
    /// the runtime's threads for blocking work.
    ///
    /// # Errors
    ///
    /// The operation is unknown, the options do not go together, or the journal cannot be used. What goes wrong with an
    /// item is in its result.
    pub async fn run<S>(
        &self,
        group: &str,
        operation: &str,
        items: S,
        options: &RunOptions,
    ) -> Result<Results, Error>
    where
        S: Stream<Item = Result<String, ItemError>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let stats = Arc::new(Stats::new());
        let mut operation = BoundOperation::new(&inner, group, operation)?;
        operation.name_run(options.run_id.as_deref());
        let notices = NoticeSender::new(Arc::clone(&stats), Arc::clone(&operation.label));
        operation.stats = Arc::clone(&stats);
        operation.rate = Pace::of_run(options.rate, inner.budget.as_ref());
        let journal = match &options.journal {
            Some(journal) => Some(open(&inner, &operation, Arc::clone(journal), notices.clone()).await?),
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
        inner.credential().cloned(),
    );
    // What may be run again may be forgotten by a power cut; what was done must not be done twice.
    let safety = if operation.is_write() {
        Safety::Disk
    } else {
        Safety::System
    };
    // It waits for the disk, and hashes the credential slowly.
    let opened = tokio::task::spawn_blocking(move || journal.open(&identity, safety, notices)).await;
    match opened {
        Ok(opened) => Ok(opened?),
        Err(error) => Err(Error::from(JournalError::Other {
            message: format!("opening it broke off: {error}"),
        })),
    }
}
