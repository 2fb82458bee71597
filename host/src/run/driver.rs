//! Carries out what the [schedule](super::schedule) decides: takes items, makes calls, writes the journal, gives
//! results.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{CatchUnwind, Fuse};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use jiff::Timestamp;
use nodule_core::failure::Failure;
use nodule_core::outcome::{ItemResult, OnFailure, Output};
use nodule_core::retry::{Retry, countable};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;

use super::batch::{BatchPlan, BatchSize, ITEMS_PER_SLOT, Shown};
use super::call::run_chunk;
use super::files::NewItem;
use super::item::{Completed, ItemError, Part, check, facts};
use super::journal::{Earlier, JournalError, OpenJournal, Progress, State, durable, item_digest};
use super::notice::NoticeSender;
use super::options::RunOptions;
use super::rows::{self, Outlet};
use super::runner::{BoundOperation, Inner};
use super::schedule::{Before, Call, Next, Now, Outbox, Rules, Schedule, Taken, Tracked};
use super::stats::{Ended, Stats};
use crate::error::Error;
use crate::events;
use crate::gate::budget::Budget;
use crate::runtime::clock_and_rng::ClockAndRng;

/// Size of the window of items, from the first whose result was not given, as a multiple of the concurrency. It is
/// twice the number of items in the calls in flight: results are given in order, so a call that finishes before an
/// earlier one would otherwise find no items for the next, and its slots would go idle.
const WINDOW: usize = 2 * ITEMS_PER_SLOT;
/// How many further results may wait until the journal is durable: more than arrive while its thread waits for the disk
/// or for a processor.
const RECORDING: usize = 1024;
/// After this many consecutive failures (or the concurrency, if larger) the service is taken for down: requests in
/// flight on one broken connection fail together.
const FAILURES_IN_A_ROW: usize = 20;
/// No machine has more items in flight. The bound keeps arithmetic on slots within range.
const MOST_SLOTS: usize = 1 << 20;
/// The longest that a request may wait for the rate limit: the longer, the more items share the cost of a call.
const LONGEST_RATE_WAIT: Duration = Duration::from_secs(10);
/// The fraction of a call's time that its requests may spend waiting for the rate limit.
const RATE_WAIT_SHARE: u32 = 4;

/// The items of a run. A panic of the source becomes an error and does not abort the task.
pub(super) type Items<S> = Fuse<CatchUnwind<AssertUnwindSafe<S>>>;
type Panic = Box<dyn Any + Send>;

/// A call that has finished.
struct EndedCall {
    slots: usize,
    shown: Shown,
    results: Vec<(Tracked, ItemResult)>,
}

/// How a run was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CancelMode {
    Run,
    Stop,
    Abandon,
}

/// What a driver is built from.
pub(super) struct Parts {
    pub(super) inner: Arc<Inner>,
    pub(super) operation: Arc<BoundOperation>,
    pub(super) stats: Arc<Stats>,
    pub(super) journal: Option<Box<dyn OpenJournal>>,
    pub(super) sender: mpsc::Sender<Vec<Completed>>,
    pub(super) notices: NoticeSender,
    pub(super) orders: watch::Receiver<CancelMode>,
}

pub(super) struct Driver {
    inner: Arc<Inner>,
    operation: Arc<BoundOperation>,
    stats: Arc<Stats>,
    journal: Option<Box<dyn OpenJournal>>,
    progress: Option<watch::Receiver<Progress>>,
    sender: mpsc::Sender<Vec<Completed>>,
    /// The reader has to take results before more can be given.
    is_full: bool,
    notices: NoticeSender,
    orders: watch::Receiver<CancelMode>,
    mode: CancelMode,
    on_failure: OnFailure,
    schedule: Schedule,
    calls: JoinSet<EndedCall>,
    /// Where calls send the rows of items that go on; `None`: nowhere.
    stream: Option<Outlet>,
    parts: mpsc::Receiver<rows::Part>,
    /// Why the run broke.
    error: Option<Error>,
    /// Whether items that were taken must not run either.
    halts: bool,
}

impl Driver {
    pub(super) fn new(parts: Parts, options: &RunOptions) -> Self {
        let Parts {
            inner,
            operation,
            stats,
            journal,
            sender,
            notices,
            orders,
        } = parts;
        let most = inner.budget.as_ref().map_or(MOST_SLOTS, Budget::most_in_flight);
        let concurrency = options.concurrency.get().min(MOST_SLOTS).min(most);
        // A recorded run runs its items one after the other, and its recording has their whole results.
        let is_recorded = inner.is_sequential();
        let is_kept = journal.as_ref().is_none_or(|journal| journal.keeps_parts());
        let streams =
            options.stream_rows && operation.emits && inner.runs_by_turns() && !is_recorded && is_kept;
        let is_alone = streams || operation.moves_files || inner.is_one_item_per_call(&operation);
        let slots = if is_recorded { 1 } else { concurrency };
        // Within one call, the node itself starts nothing after a failure.
        let is_one_call = options.on_failure == OnFailure::Stop && !is_alone;
        let plan = if is_one_call {
            BatchPlan::one_call(slots)
        } else {
            BatchPlan::new(slots, Handle::current().metrics().num_workers(), is_alone)
        };
        let recording = if journal.is_some() { RECORDING } else { 0 };
        let rules = Rules {
            effect: operation.effect.clone(),
            on_failure: options.on_failure,
            on_unknown: options.on_unknown,
            order: options.order,
            // A run that sends nothing retries nothing.
            retry: if inner.is_live() {
                options.retry.countable()
            } else {
                Retry::never()
            },
            rate: operation.rate.clone(),
            rate_wait: LONGEST_RATE_WAIT.min(inner.limits().run_timeout / RATE_WAIT_SHARE),
            slots,
            waiting: slots * WINDOW,
            window: slots * WINDOW + recording,
            threshold: u32::try_from(FAILURES_IN_A_ROW.max(concurrency)).unwrap_or(u32::MAX),
            ends: options
                .run_time
                .map(|time| (Instant::now() + countable(time)).into_std()),
            has_journal: journal.is_some(),
            is_recorded,
            streams,
            limit: options.limit.unwrap_or(u64::MAX),
        };
        let (sender_of_parts, parts) = mpsc::channel(1);
        let stream = streams.then_some(Outlet {
            parts: sender_of_parts,
            limit: rules.limit,
        });
        Self {
            progress: journal.as_ref().map(|journal| journal.progress()),
            schedule: Schedule::new(
                rules,
                BatchSize::new(plan, options.order, is_one_call, inner.runs_by_turns()),
            ),
            inner,
            operation,
            stats,
            journal,
            sender,
            is_full: false,
            notices,
            orders,
            mode: CancelMode::Run,
            on_failure: options.on_failure,
            calls: JoinSet::new(),
            stream,
            parts,
            error: None,
            halts: false,
        }
    }

    pub(super) async fn drive<S, I>(&mut self, mut items: Pin<&mut Items<S>>) -> Result<(), Error>
    where
        S: Stream<Item = Result<I, ItemError>>,
        I: Into<NewItem>,
    {
        // The summary shows how the run ended even if this code unwinds.
        let _broken = BrokenUnlessEnded(Arc::clone(&self.stats));
        self.work(items.as_mut()).await;
        // If all items are known to have results, the driver need not wait for the source to close.
        let is_over = self.schedule.is_empty();
        self.calls.shutdown().await;
        let closed = match self.journal.take() {
            // Closing waits for the disk, which an async task must not.
            Some(journal) => match tokio::task::spawn_blocking(move || journal.close()).await {
                Ok(closed) => closed.map_err(Error::from),
                Err(_) => Err(Error::from(JournalError::Other {
                    message: "closing it broke off".to_owned(),
                })),
            },
            None => Ok(()),
        };
        let outcome = match self.error.take() {
            Some(error) => Err(error),
            None => closed,
        };
        self.stats.end(match self.mode {
            _ if outcome.is_err() => Ended::Broken,
            CancelMode::Run if self.schedule.is_out_of_time() => Ended::OutOfTime,
            CancelMode::Run if !is_over => Ended::Dropped,
            CancelMode::Run => Ended::Complete,
            _ => Ended::Stopped,
        });
        outcome
    }

    async fn work<S, I>(&mut self, mut items: Pin<&mut Items<S>>)
    where
        S: Stream<Item = Result<I, ItemError>>,
        I: Into<NewItem>,
    {
        loop {
            self.obey();
            // One timestamp for every item and every decision of this iteration. Whatever is not due at that time gets
            // a wake-up.
            let now = now();
            // Take the items that are ready without waiting: a fast source makes large calls, a slow one small calls.
            while self.schedule.wants_more() {
                match items.next().now_or_never() {
                    Some(item) => self.take(item, now),
                    None => break,
                }
            }
            self.schedule.keep_time(now);
            let mut has_started = false;
            while let Some(call) = self.schedule.start(now) {
                self.spawn(call);
                has_started = true;
            }
            // Rows of finished and of newly started items go to the journal together, and share one wait for the disk.
            self.tell();
            if self.give().is_err() {
                return;
            }
            if has_started {
                continue;
            }
            if self.schedule.is_over() {
                return;
            }
            let wants_more = self.schedule.wants_more();
            let wake = Instant::from_std(self.schedule.wake(now));
            let awaits_journal = self.schedule.awaits_journal();
            let progress = self.progress.as_mut().filter(|_| awaits_journal);
            tokio::select! {
                Some(part) = self.parts.recv() => self.schedule.emitted(part),
                Some(done) = self.calls.join_next() => self.call_ended(done),
                item = items.next(), if wants_more => self.take(item, self::now()),
                () = changed(progress) => {}
                () = sleep_until(wake) => {}
                Ok(()) = self.orders.changed() => {}
                // The next iteration gives the results.
                () = room(&self.sender), if self.is_full => {}
                () = self.sender.closed() => return,
            }
        }
    }

    /// Handles what the source yielded: an item, its end, or an error.
    fn take(&mut self, item: Option<Result<Result<impl Into<NewItem>, ItemError>, Panic>>, now: Now) {
        let item: Result<NewItem, Failure> = match item {
            Some(Ok(Ok(item))) => Ok(item.into()),
            Some(Ok(Err(ItemError::Item(failure)))) => Err(failure),
            Some(Ok(Err(ItemError::Source(error)))) => return self.source_failed(error.to_string()),
            Some(Err(panic)) => return self.source_failed(format!("it panicked: {}", words(&*panic))),
            None => return self.end_of_items(),
        };
        let index = self.schedule.next_index();
        let item = item.and_then(|item| self.with_fitting_files(item));
        let (
            NewItem {
                parameters: given,
                files,
            },
            failure,
        ) = match item {
            Ok(item) => (item, None),
            Err(failure) => ("null".to_owned().into(), Some(failure)),
        };
        let digest = self.journal.is_some().then(|| item_digest(&given, &files));
        let (parameters, problems) = check(&self.operation, given, &files);
        let facts = match failure {
            None => facts(&self.operation, &parameters),
            Some(failure) => Err(failure),
        };
        let before = match self.before(index, digest) {
            Ok(before) => before,
            Err(error) => {
                // The journal does not match this item, so nothing after it may run.
                self.schedule.refuse_item();
                return self.halt(error.into());
            }
        };
        let taken = Taken {
            parameters,
            files: files.into(),
            problems,
            facts,
            digest,
            before,
        };
        self.schedule.take(taken, now);
    }

    /// Refuses files that nothing takes, or too many.
    fn with_fitting_files(&self, item: NewItem) -> Result<NewItem, Failure> {
        let NewItem { files, .. } = &item;
        let most = self.inner.limits().files;
        if !files.is_empty() && !self.operation.moves_files {
            return Err(Failure::InvalidInput(
                "the item has files, and the operation takes none".to_owned(),
            ));
        }
        if files.len() > most {
            return Err(Failure::Limit(format!(
                "more than {most} files of one item (`files`)"
            )));
        }
        Ok(item)
    }

    /// The source is exhausted. If the journal knows more items than that, they are missing.
    fn end_of_items(&mut self) {
        self.schedule.end_of_items();
        let found = self.schedule.next_index();
        if let Some(journal) = &self.journal
            && found < journal.recorded()
        {
            let error = JournalError::FewerItems {
                path: PathBuf::from(journal.name()),
                recorded: journal.recorded(),
                found,
            };
            self.halt(error.into());
        }
    }

    /// The source failed. Items taken before it still run.
    fn source_failed(&mut self, message: String) {
        self.schedule.end_of_items();
        self.error.get_or_insert(Error::Items { message });
    }

    /// The run cannot continue; items in flight finish.
    fn halt(&mut self, error: Error) {
        self.error.get_or_insert(error);
        self.halts = true;
    }

    /// What an earlier run with the same journal knows of an item.
    fn before(&self, item: usize, digest: Option<[u8; 32]>) -> Result<Before, JournalError> {
        let Some(journal) = &self.journal else {
            return Ok(Before::Nothing);
        };
        let Some(earlier) = journal.earlier(item)? else {
            return Ok(Before::Nothing);
        };
        let path = || PathBuf::from(journal.name());
        let Earlier {
            digest: recorded,
            state,
            tries,
            result,
            error,
            parts,
        } = earlier;
        if Some(recorded) != digest {
            return Err(JournalError::OtherItem { path: path(), item });
        }
        if parts.is_some() && self.stream.is_none() {
            let message =
                format!("it has rows of item {item} that were streamed, and this run does not stream rows");
            return Err(JournalError::Other { message });
        }
        if state != State::Done {
            return Ok(Before::Tried {
                state,
                tries,
                error,
                parts,
            });
        }
        let result = read_list(journal.as_ref(), item, &result.unwrap_or_default())?;
        Ok(Before::Done {
            result: Ok(result),
            parts,
        })
    }

    /// A part that an earlier run with the same journal gave.
    fn earlier_part(&self, item: usize, part: u32) -> Result<Vec<Output>, JournalError> {
        match &self.journal {
            Some(journal) => read_list(journal.as_ref(), item, &journal.part(item, part)?),
            None => Ok(Vec::new()),
        }
    }

    fn spawn(&mut self, call: Call) {
        let Call { items, slots, row } = call;
        let (inner, operation, on_failure) = (
            Arc::clone(&self.inner),
            Arc::clone(&self.operation),
            self.on_failure,
        );
        let in_flight = u32::try_from(slots).unwrap_or(u32::MAX);
        let stream = self.stream.clone();
        let progress = self.progress.clone().filter(|_| row > 0);
        let call = async move {
            let begun = Instant::now();
            let ended = |results, manner| EndedCall {
                slots,
                shown: Shown {
                    took: begun.elapsed(),
                    manner,
                },
                results,
            };
            if let Some(progress) = progress
                && !durable(progress, row).await
            {
                let unsent = || Failure::Other {
                    kind: "journal".into(),
                    message: "not sent: the journal cannot be written".into(),
                    detail: None,
                };
                let results = items.into_iter().map(|tracked| (tracked, Err(unsent())));
                return ended(results.collect(), None);
            }
            let chunk: Vec<_> = items.iter().map(|tracked| &tracked.item).collect();
            let (results, manner) =
                run_chunk(&inner, &operation, &chunk, on_failure, in_flight, stream.as_ref()).await;
            ended(items.into_iter().zip(results).collect(), manner)
        };
        self.calls.spawn(call.in_current_span());
    }

    fn call_ended(&mut self, done: Result<EndedCall, JoinError>) {
        match done {
            Ok(EndedCall {
                slots,
                shown,
                results,
            }) => self.schedule.ended(slots, shown, results, now()),
            // A node cannot make the task panic; if the host's own code does, the run breaks.
            Err(error) => {
                // An error without a panic means that the task was aborted; its items have their results.
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    /// Handles requests to stop, and stops the run if it cannot continue.
    fn obey(&mut self) {
        let broke = self.progress.as_ref().is_some_and(is_broken);
        let mode = (*self.orders.borrow_and_update()).max(self.mode);
        if mode == CancelMode::Abandon && self.mode != CancelMode::Abandon {
            // Calls that have finished keep their results.
            while let Some(done) = self.calls.try_join_next() {
                self.call_ended(done);
            }
            self.calls.abort_all();
            self.schedule.interrupt(now());
        }
        self.mode = mode;
        if mode > CancelMode::Run || broke || self.halts {
            self.schedule.close(now());
        }
    }

    /// Passes on the contents of the schedule's outbox.
    fn tell(&mut self) {
        let Outbox {
            entries,
            notices,
            retries,
            unsent,
        } = self.schedule.outbox();
        if let Some(journal) = &mut self.journal
            && !entries.is_empty()
        {
            journal.write(entries);
        }
        for notice in notices {
            self.notices.send(notice);
        }
        for kind in retries {
            events::retry(&self.operation.label, 1, &kind);
        }
        for (index, parameters, result) in unsent {
            self.inner.keep(index, &parameters, ClockAndRng::Real, &result);
        }
        let counts = self.schedule.counts();
        self.stats.update(|summary| {
            summary.again = counts.again;
            summary.skipped = counts.skipped;
            summary.retries = counts.retries;
            summary.in_flight = counts.in_flight;
        });
    }

    /// Gives the results that are ready, as many as the channel has room for. While it is full, finished calls are
    /// still recorded. An error means that the receiver is gone.
    fn give(&mut self) -> Result<(), mpsc::error::TrySendError<Vec<Completed>>> {
        loop {
            // This is the only sender, so the room that exists now still exists below.
            self.is_full = self.sender.capacity() == 0;
            if self.is_full {
                return Ok(());
            }
            let next = self.schedule.results(self.recorded());
            if next.is_empty() {
                return Ok(());
            }
            let mut results = Vec::with_capacity(next.len());
            for next in next {
                match next {
                    Next::Completed(completed) => results.push(completed),
                    Next::Earlier { item, part } => match self.earlier_part(item, part) {
                        Ok(rows) => results.push(Completed::earlier(item, rows)),
                        Err(error) => self.halt(error.into()),
                    },
                }
            }
            for completed in &results {
                let Completed {
                    tries,
                    duration,
                    result,
                    part,
                    ..
                } = completed;
                if *part == Part::Rows {
                    self.stats.rows(result);
                    continue;
                }
                self.stats.result(result, self.operation.is_write());
                events::item(&self.operation.label, result, *tries, *duration);
            }
            self.sender.try_send(results)?;
        }
    }

    /// The last durable row. If the journal broke, results that are known are given anyway, since they would be lost
    /// otherwise.
    fn recorded(&self) -> u64 {
        match &self.progress {
            Some(progress) if !is_broken(progress) => progress.borrow().row,
            _ => u64::MAX,
        }
    }
}

/// Reads a list of output items.
fn read_list(journal: &dyn OpenJournal, item: usize, list: &str) -> Result<Vec<Output>, JournalError> {
    Output::read_list(list).map_err(|error| JournalError::Damaged {
        path: PathBuf::from(journal.name()),
        message: format!("the result of item {item} is no list of JSON values: {error}"),
    })
}

fn now() -> Now {
    Now {
        instant: Instant::now().into_std(),
        wall: Timestamp::now(),
    }
}

/// The message of a panic.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}

/// On drop, records that the run broke, unless another ending was recorded.
struct BrokenUnlessEnded(Arc<Stats>);

impl Drop for BrokenUnlessEnded {
    fn drop(&mut self) {
        self.0.end_unless_ended(Ended::Broken);
    }
}

/// Whether nothing more will be recorded.
fn is_broken(progress: &watch::Receiver<Progress>) -> bool {
    progress.borrow().error.is_some() || progress.has_changed().is_err()
}

/// Resolves when the journal has made progress; never without a journal.
async fn changed(progress: Option<&mut watch::Receiver<Progress>>) {
    match progress {
        // An error means that the journal's thread has exited, which counts as a broken journal.
        Some(progress) => drop(progress.changed().await),
        None => std::future::pending().await,
    }
}

/// Resolves when the channel has room for more results, or its receiver is gone.
async fn room(sender: &mpsc::Sender<Vec<Completed>>) {
    drop(sender.reserve().await);
}
