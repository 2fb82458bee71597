//! Takes items, starts calls, tries again what may be tried again, and gives results.
//!
//! An item is *waiting* until it is part of a call, *under way* in it, *resting* before another try, and has a *result* at
//! last, which is given when all before it are, or at once, as the run's options say. At most a window of items lies between
//! the first whose result was not given and the last that was taken.
//! Items that change the same thing keep their order and never overlap: the thing is *busy* from the first try of the one
//! to its result.

mod give;
mod items;
mod pace;
mod record;
mod start;

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::Fuse;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::batch::{BatchPlan, CallSize, ITEMS_PER_PLACE};
use super::notice::NoticeSender;
use super::{CancelMode, Ended, Notice, Numbered, OnFailure, OnUnknown, ResultOrder, RunOptions, Stats};
use crate::gate::budget::Budget;
use crate::run::call::Item;
use crate::run::journal::{Durable, Journal, JournalError};
use crate::run::runner::{BoundOperation, Inner};
use nodule_core::failure::Failure;
use nodule_core::outcome::ItemResult;
use nodule_core::retry::{Backoff, Breaker, Retry, countable};

use give::{Slot, is_broken};
use items::Recent;

/// How many items there may be from the first without a given result on, as a multiple of the concurrency. Beyond it no new item starts,
/// which keeps memory flat. It is twice what the calls under way hold: results are given in order, so that a call that ends
/// before an earlier one would find no items for the next otherwise, and leave its places empty.
const WINDOW: usize = 2 * ITEMS_PER_PLACE;
/// How many results may wait beside these until they are in the journal: more than come while its thread waits for the disk,
/// or for a processor.
const RECORDING: usize = 1024;
/// Failures of the service in a row after which it is taken for dead, or the concurrency, where that is more: what was under
/// way when a connection broke fails together.
const FAILURES_IN_A_ROW: usize = 20;
/// No machine has more under way at once. What is counted for each place stays a number.
const MOST_PLACES: usize = 1 << 20;
/// A timer that is not needed.
const FAR: Duration = Duration::from_hours(24);

/// An item, from its being taken to its result.
pub(super) struct Entry {
    item: Item,
    /// What it changes, where that is known.
    ordering_key: Option<String>,
    /// What else a journal says of it, where there is one; apart, since an entry is moved often.
    journaled: Option<Box<Journaled>>,
    /// In all runs with the same journal.
    tries: u32,
    /// In this run.
    tries_here: u32,
    /// When its first try in this run began.
    begun: Option<Instant>,
    backoff: Option<Backoff>,
    is_new: bool,
}

/// What only a journal says of an item.
struct Journaled {
    digest: [u8; 32],
    key: Option<String>,
    /// When its last try began, for people.
    started: Option<jiff::Timestamp>,
}

/// An item that is to be tried again.
struct Resting {
    entry: Entry,
    failure: Failure,
    ready: Instant,
}

/// A call that has ended.
struct EndedCall {
    places: usize,
    took: Duration,
    results: Vec<(Entry, ItemResult)>,
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) inner: Arc<Inner>,
    pub(super) operation: Arc<BoundOperation>,
    pub(super) stats: Arc<Stats>,
    pub(super) journal: Option<Journal>,
    pub(super) sender: mpsc::Sender<Vec<Numbered>>,
    pub(super) notices: NoticeSender,
    pub(super) orders: watch::Receiver<CancelMode>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they come in every combination"
)]
pub(super) struct Driver {
    inner: Arc<Inner>,
    operation: Arc<BoundOperation>,
    stats: Arc<Stats>,
    journal: Option<Journal>,
    durable: Option<watch::Receiver<Durable>>,
    sender: mpsc::Sender<Vec<Numbered>>,
    /// Whoever reads the results has to take some before more can be given.
    is_full: bool,
    notices: NoticeSender,
    orders: watch::Receiver<CancelMode>,
    on_failure: OnFailure,
    on_unknown: OnUnknown,
    retry: Retry,
    call_size: CallSize,
    window: usize,
    /// No try begins after it.
    ends: Option<Instant>,
    breaker: Breaker,
    /// What the service's last failure said, while it is taken for dead.
    trouble: Option<Failure>,
    has_given_up: bool,
    /// No item starts before it, as the service asked.
    paused: Option<Instant>,
    calls: JoinSet<EndedCall>,
    /// How many requests may be open at once.
    places: usize,
    /// How many of them the calls under way have.
    taken_places: usize,
    /// How many items are in the calls under way.
    under_way: usize,
    /// Items that were taken and have not been tried, in order.
    waiting: VecDeque<Entry>,
    resting: Vec<Resting>,
    /// The next item's index.
    taken: usize,
    result_order: ResultOrder,
    /// Results from the first one that was not given yet.
    results: VecDeque<Slot>,
    /// The index of that one.
    given: usize,
    /// The indices of those that are known and not given, where they are given as they come.
    known: VecDeque<usize>,
    /// The things that items under way or at rest change.
    locked_keys: HashSet<String>,
    /// Keys of the last items, where no journal knows them all.
    recent: Recent,
    /// No more items come, or none is wanted.
    ended: bool,
    /// An item failed, and the run was to stop then.
    failed: bool,
    order: CancelMode,
    out_of_time: bool,
    fatal: Option<JournalError>,
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
        let concurrency = options.concurrency.get().min(MOST_PLACES);
        let concurrency = concurrency.min(inner.budget.as_ref().map_or(MOST_PLACES, Budget::most_in_flight));
        let is_alone = inner.is_one_item_per_call(&operation);
        // Items that are recorded run one after the other.
        let places = if inner.is_sequential() { 1 } else { concurrency };
        // The node itself keeps the promise that nothing starts after a failure, within its call.
        let is_one_call = options.on_failure == OnFailure::Stop && !is_alone;
        let shape = if is_one_call {
            BatchPlan::one_call(places)
        } else {
            BatchPlan::new(places, Handle::current().metrics().num_workers(), is_alone)
        };
        let recording = if journal.is_some() { RECORDING } else { 0 };
        let threshold = u32::try_from(FAILURES_IN_A_ROW.max(concurrency)).unwrap_or(u32::MAX);
        // What is not sent is not tried again.
        let retry = if inner.is_live() {
            options.retry.countable()
        } else {
            Retry::never()
        };
        Self {
            durable: journal.as_ref().map(|journal| journal.writer.durable()),
            inner,
            operation,
            stats,
            journal,
            sender,
            is_full: false,
            notices,
            orders,
            on_failure: options.on_failure,
            on_unknown: options.on_unknown,
            retry,
            call_size: CallSize::new(shape, options.order, is_one_call),
            window: places * WINDOW + recording,
            ends: options.run_time.map(|time| Instant::now() + countable(time)),
            breaker: Breaker::new(threshold, retry.item_time),
            trouble: None,
            has_given_up: false,
            paused: None,
            calls: JoinSet::new(),
            places,
            taken_places: 0,
            under_way: 0,
            waiting: VecDeque::new(),
            resting: Vec::new(),
            taken: 0,
            result_order: options.order,
            results: VecDeque::new(),
            given: 0,
            known: VecDeque::new(),
            locked_keys: HashSet::new(),
            recent: Recent::default(),
            ended: false,
            failed: false,
            order: CancelMode::Run,
            out_of_time: false,
            fatal: None,
        }
    }

    pub(super) async fn drive<S: Stream<Item = Result<String, Failure>>>(
        &mut self,
        mut items: Pin<&mut Fuse<S>>,
    ) -> Result<(), Arc<JournalError>> {
        // Whoever reads the results sees them end in any case, also where this code is unwound.
        let _broken = BrokenUnlessEnded(Arc::clone(&self.stats));
        self.work(items.as_mut()).await;
        // Who knows how many items there are need not wait to see them end.
        let is_over = self.is_empty();
        self.calls.shutdown().await;
        let closed = match self.journal.take() {
            Some(journal) => journal.writer.close().await,
            None => Ok(()),
        };
        let outcome = match self.fatal.take() {
            Some(error) => Err(Arc::new(error)),
            None => closed,
        };
        self.stats.end(match self.order {
            _ if outcome.is_err() => Ended::Broken,
            CancelMode::Run if self.out_of_time => Ended::OutOfTime,
            CancelMode::Run if !is_over => Ended::Dropped,
            CancelMode::Run => Ended::Complete,
            _ => Ended::Stopped,
        });
        outcome
    }

    async fn work<S: Stream<Item = Result<String, Failure>>>(&mut self, mut items: Pin<&mut Fuse<S>>) {
        loop {
            self.obey();
            // What is there without waiting; so a fast source makes large calls, and a slow one makes small ones.
            while self.wants_more() {
                match items.next().now_or_never() {
                    Some(Some(item)) => self.take(item),
                    Some(None) => self.end_of_items(),
                    None => break,
                }
            }
            // One moment for all that looks at the time: what is too early in it is woken up for.
            let now = Instant::now();
            self.keep_time(now);
            let mut has_started = false;
            while self.start(now) {
                has_started = true;
            }
            // What ended and what starts in its place is one piece for the journal, and one wait for the disk.
            if let Some(journal) = &mut self.journal {
                journal.writer.hand_over();
            }
            if self.give().is_err() {
                return;
            }
            if has_started {
                continue;
            }
            if self.is_over() {
                return;
            }
            let wants_more = self.wants_more();
            let wake = self.wake(now);
            let awaits_journal = self.awaits_journal();
            let durable = self.durable.as_mut().filter(|_| awaits_journal);
            tokio::select! {
                Some(done) = self.calls.join_next() => self.call_ended(done),
                item = items.next(), if wants_more => match item {
                    Some(item) => self.take(item),
                    None => self.end_of_items(),
                },
                () = changed(durable) => {}
                () = sleep_until(wake) => {}
                Ok(()) = self.orders.changed() => {}
                // Given by the next turn.
                () = room(&self.sender), if self.is_full => {}
                () = self.sender.closed() => return,
            }
        }
    }

    fn call_ended(&mut self, done: Result<EndedCall, JoinError>) {
        match done {
            Ok(EndedCall {
                places,
                took,
                results,
            }) => {
                self.taken_places -= places;
                self.call_size.note(took);
                self.settle(results);
            }
            // The task cannot panic by the node's doing; if the host's own code does, so does the run.
            Err(error) => {
                // One without a panic was abandoned; its items have their results.
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ended && self.is_empty()
    }

    /// Whether no item is anywhere between being taken and being given.
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.resting.is_empty() && self.calls.is_empty() && self.results.is_empty()
    }

    fn wants_more(&self) -> bool {
        !self.ended && self.waiting.len() < self.places * WINDOW && self.taken - self.given < self.window
    }

    /// Do as the run was told meanwhile, and end it where its journal broke.
    fn obey(&mut self) {
        let broke = self.durable.as_ref().is_some_and(is_broken);
        let order = (*self.orders.borrow_and_update()).max(self.order);
        if order == CancelMode::Abandon && self.order != CancelMode::Abandon {
            // What has ended is known.
            while let Some(done) = self.calls.try_join_next() {
                self.call_ended(done);
            }
            self.calls.abort_all();
            let is_write = self.operation.is_write();
            let lost: Vec<usize> = self.indices_of_pending();
            let at_rest: HashSet<usize> = self.not_under_way();
            for index in lost.into_iter().filter(|index| !at_rest.contains(index)) {
                // In the journal it stays as started, which is what it is.
                self.put(
                    index,
                    Err(interrupted(
                        "its call was under way when the run was interrupted",
                        is_write,
                    )),
                    0,
                );
            }
        }
        self.order = order;
        if order > CancelMode::Run || broke || self.fatal.is_some() {
            self.ended = true;
            for entry in std::mem::take(&mut self.waiting) {
                self.open_hole(entry.item.index);
            }
            for Resting { entry, failure, .. } in std::mem::take(&mut self.resting) {
                self.conclude(entry, Err(failure));
            }
        }
    }

    fn indices_of_pending(&self) -> Vec<usize> {
        let pending = self
            .results
            .iter()
            .enumerate()
            .filter(|(_, slot)| matches!(slot, Slot::Pending));
        pending.map(|(position, _)| self.given + position).collect()
    }

    fn not_under_way(&self) -> HashSet<usize> {
        let waiting = self.waiting.iter().map(|entry| entry.item.index);
        waiting
            .chain(self.resting.iter().map(|resting| resting.entry.item.index))
            .collect()
    }

    fn notice(&self, notice: Notice) {
        self.notices.tell(notice);
    }
}

/// Says that the run broke, unless something else was said when it is dropped.
struct BrokenUnlessEnded(Arc<Stats>);

impl Drop for BrokenUnlessEnded {
    fn drop(&mut self) {
        self.0.end_unless_ended(Ended::Broken);
    }
}

/// Ends when the journal has come further; never without one.
async fn changed(durable: Option<&mut watch::Receiver<Durable>>) {
    match durable {
        // An error says that its thread has ended, which is seen as a broken journal.
        Some(durable) => drop(durable.changed().await),
        None => std::future::pending().await,
    }
}

/// Ends when there is room for more results, or nobody to take them.
async fn room(sender: &mpsc::Sender<Vec<Numbered>>) {
    drop(sender.reserve().await);
}

/// The failure of an item whose run ended before it did.
fn interrupted(message: &str, may_be_done: bool) -> Failure {
    let failure = Failure::Other {
        kind: "interrupted".into(),
        message: message.to_owned(),
        detail: None,
    };
    if may_be_done {
        Failure::Uncertain(Box::new(failure))
    } else {
        failure
    }
}
