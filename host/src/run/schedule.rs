//! Decides for a run which items start, which are tried again and when, which rows are recorded, and which results are
//! given.
//!
//! It does no I/O and reads no clock. The [driver](super::driver) passes in events and the time, and carries out the
//! decisions: it [starts](Schedule::start) calls, gives [results](Schedule::results), and empties the [outbox](Outbox).
//!
//! An item is *waiting* until it is in a call, then *in flight*, *resting* before a retry, and finally has a *result*.
//! The result is given when all earlier ones are, or at once, depending on the run's options. The window of items, from
//! the first without a given result to the last one taken, has a bounded size.
//!
//! Items with the same ordering key change the same thing at the service. They keep their order and never overlap: the
//! key is *locked* from an item's first try to its result.

mod give;
mod record;
mod settle;
mod start;
mod time;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nodule_core::description::Effect;
use nodule_core::failure::{Failure, ParameterProblem, UNKNOWN};
use nodule_core::json::Json;
use nodule_core::outcome::{ItemResult, OnFailure, OnUnknown, ResultOrder};
use nodule_core::retry::{Backoff, Breaker, Retry};

use crate::gate::budget::Pace;
use crate::gate::file::InputFile;

use super::batch::BatchSize;
use super::given::Given;
use super::item::{Facts, Item, RecentKeys};
use super::journal::{EarlierParts, Entry, State, Urgency};
use super::notice::Notice;
pub(super) use give::Next;
use give::Slot;

/// The constants of a schedule.
pub(super) struct Rules {
    /// The effect that the node claims, lowered if the policy says so.
    pub(super) effect: Effect,
    pub(super) on_failure: OnFailure,
    pub(super) on_unknown: OnUnknown,
    pub(super) order: ResultOrder,
    pub(super) retry: Retry,
    /// The maximum rate of requests.
    pub(super) rate: Option<Arc<Pace>>,
    /// How long a request may wait inside its call for the rate.
    pub(super) rate_wait: Duration,
    /// How many items may be in flight at once.
    pub(super) slots: usize,
    /// How many items may wait for a slot.
    pub(super) waiting: usize,
    /// The maximum size of the window of items, from the first without a given result. If the window is full, no item
    /// is taken, so memory does not grow.
    pub(super) window: usize,
    /// How many consecutive failures mean that the service is down.
    pub(super) threshold: u32,
    /// No try starts after this time.
    pub(super) ends: Option<Instant>,
    /// Whether to record rows.
    pub(super) has_journal: bool,
    /// Whether to report items that are not sent, for a recording.
    pub(super) is_recorded: bool,
    /// Whether rows are given while their item goes on.
    pub(super) streams: bool,
    /// The most rows of an item.
    pub(super) limit: u64,
}

/// One instant, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) instant: Instant,
    /// For timestamps that people read.
    pub(super) wall: Timestamp,
}

/// An item, from when it is taken to its result.
pub(super) struct Tracked {
    pub(super) item: Item,
    /// What the item changes, if known.
    ordering_key: Option<String>,
    /// What only the journal needs, if there is one. It is boxed, because this struct is moved often.
    journaled: Option<Box<Journaled>>,
    /// Tries in all runs with the same journal.
    tries: u32,
    /// Tries in this run; only those since it last gave rows.
    tries_here: u32,
    /// How many rows it had given when its last try started.
    rows_before: u64,
    /// When its first try in this run started.
    begun: Option<Instant>,
    backoff: Option<Backoff>,
    is_new: bool,
}

/// What only the journal needs of an item.
struct Journaled {
    digest: [u8; 32],
    key: Option<String>,
    /// When its last try started.
    started: Option<Timestamp>,
}

/// An item that waits for a retry.
struct Resting {
    tracked: Tracked,
    failure: Failure,
    ready: Instant,
}

/// An item that was read from the source.
pub(super) struct Taken {
    pub(super) parameters: String,
    pub(super) files: Arc<[InputFile]>,
    /// What the run needs to know of the item, or why it cannot run.
    /// What does not fit the form of the operation.
    pub(super) problems: Vec<ParameterProblem>,
    pub(super) facts: Result<Facts, Failure>,
    /// The digest of the item's text, if there is a journal.
    pub(super) digest: Option<[u8; 32]>,
    pub(super) before: Before,
}

/// What earlier runs with the same journal recorded of an item.
pub(super) enum Before {
    Nothing,
    Done {
        result: ItemResult,
        parts: Option<EarlierParts>,
    },
    Tried {
        state: State,
        tries: u32,
        /// The last failure, as JSON.
        error: Option<String>,
        parts: Option<EarlierParts>,
    },
}

/// Items to run in one call.
pub(super) struct Call {
    pub(super) items: Vec<Tracked>,
    /// How many of them may be in flight at once.
    pub(super) slots: usize,
    /// The row that must be durable before the call starts; 0 if there is none.
    pub(super) row: u64,
}

/// What the driver passes on to others.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) entries: Vec<(Entry, Urgency)>,
    pub(super) notices: Vec<Notice>,
    /// For each retried item, the kind of its failure.
    pub(super) retries: Vec<String>,
    /// Items that were not sent, with their results.
    pub(super) unsent: Vec<(usize, String, ItemResult)>,
}

/// The schedule's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Done items that an earlier run had done.
    pub(super) again: u64,
    /// Items of unknown outcome that were skipped.
    pub(super) skipped: u64,
    /// Tries after the first one of an item.
    pub(super) retries: u64,
    /// Slots in use.
    pub(super) in_flight: u64,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they come in every combination"
)]
pub(super) struct Schedule {
    rules: Rules,
    batch_size: BatchSize,
    breaker: Breaker,
    /// The service's last failure, while the service is down.
    trouble: Option<Failure>,
    has_given_up: bool,
    /// No item starts before this time, as the service asked.
    paused: Option<Instant>,
    calls: usize,
    taken_slots: usize,
    /// Items in the calls in flight.
    in_flight: usize,
    /// Items that were taken but not tried, in order.
    waiting: VecDeque<Tracked>,
    resting: Vec<Resting>,
    /// The next item's index.
    taken: usize,
    /// The results from the first one that was not given.
    results: VecDeque<Slot>,
    /// The index of the first result that was not given.
    given: usize,
    /// The indices of items with something to give; only in order of completion.
    known: VecDeque<usize>,
    /// The ordering keys of items in flight or resting.
    locked_keys: HashSet<String>,
    /// The most recent keys, without a journal that knows all keys.
    recent: RecentKeys,
    /// No more items come, or no more are wanted.
    has_all: bool,
    /// Nothing starts or is retried any more.
    is_closed: bool,
    /// An item failed, and the options say to stop then.
    failed: bool,
    out_of_time: bool,
    /// The number of the last entry.
    entries: u64,
    counts: Counts,
    outbox: Outbox,
}

impl Schedule {
    pub(super) fn new(rules: Rules, batch_size: BatchSize) -> Self {
        Self {
            breaker: Breaker::new(rules.threshold, rules.retry.item_time),
            batch_size,
            trouble: None,
            has_given_up: false,
            paused: None,
            calls: 0,
            taken_slots: 0,
            in_flight: 0,
            waiting: VecDeque::new(),
            resting: Vec::new(),
            taken: 0,
            results: VecDeque::new(),
            given: 0,
            known: VecDeque::new(),
            locked_keys: HashSet::new(),
            recent: RecentKeys::default(),
            has_all: false,
            is_closed: false,
            failed: false,
            out_of_time: false,
            entries: 0,
            counts: Counts::default(),
            outbox: Outbox::default(),
            rules,
        }
    }

    /// Whether to take another item.
    pub(super) fn wants_more(&self) -> bool {
        !self.has_all
            && self.waiting.len() < self.rules.waiting
            && self.taken - self.given < self.rules.window
    }

    /// The index of the next item.
    pub(super) fn next_index(&self) -> usize {
        self.taken
    }

    /// Takes an item.
    pub(super) fn take(&mut self, taken: Taken, now: Now) {
        let Taken {
            parameters,
            files,
            problems,
            facts,
            digest,
            before,
        } = taken;
        let index = self.taken;
        self.taken += 1;
        self.results.push_back(Slot::default());
        let (
            Facts {
                ordering_key,
                mut key,
            },
            refused,
        ) = match facts {
            Ok(facts) => (facts, None),
            Err(failure) => (Facts::default(), Some(failure)),
        };
        let journaled = digest.map(|digest| {
            Box::new(Journaled {
                digest,
                key: key.take(),
                started: None,
            })
        });
        let mut tracked = Tracked {
            item: Item {
                index,
                parameters,
                files,
                problems,
                given: None,
            },
            ordering_key,
            journaled,
            tries: 0,
            tries_here: 0,
            rows_before: 0,
            begun: None,
            backoff: None,
            is_new: true,
        };
        let earlier = self.resume(&mut tracked, before, now);
        if self.rules.streams {
            tracked.item.given.get_or_insert_default();
        }
        if let Some(result) = earlier {
            return self.put(index, result, 0, now);
        }
        if let Some(failure) = refused {
            return self.settle_unsent(tracked, failure, now);
        }
        if let Some(key) = key
            && let Some(earlier) = self.recent.note(&key, index)
        {
            self.outbox.notices.push(Notice::SameKey {
                item: index,
                earlier,
                key,
            });
        }
        if self.failed {
            return self.settle_unsent(tracked, Failure::NotRun, now);
        }
        self.record(&tracked, State::Waiting, None, Urgency::Later, now);
        tracked.is_new = false;
        self.waiting.push_back(tracked);
    }

    /// The source has no more items.
    pub(super) fn end_of_items(&mut self) {
        self.has_all = true;
    }

    /// The next item cannot be taken, nor can any after it. Items in flight finish.
    pub(super) fn refuse_item(&mut self) {
        self.taken += 1;
        self.results.push_back(Slot::not_run());
        self.has_all = true;
    }

    /// Starts and retries nothing more. Items in flight finish.
    pub(super) fn close(&mut self, now: Now) {
        self.has_all = true;
        self.is_closed = true;
        for tracked in std::mem::take(&mut self.waiting) {
            self.skip(tracked.item.index);
        }
        for Resting { tracked, failure, .. } in std::mem::take(&mut self.resting) {
            self.conclude(tracked, Err(failure), now);
        }
    }

    /// The calls in flight were aborted, so their outcome is unknown.
    pub(super) fn interrupt(&mut self, now: Now) {
        let is_write = self.is_write();
        let waiting = self.waiting.iter().map(|tracked| tracked.item.index);
        let resting = self.resting.iter().map(|resting| resting.tracked.item.index);
        let others: HashSet<usize> = waiting.chain(resting).collect();
        let pending: Vec<usize> = self.pending().filter(|index| !others.contains(index)).collect();
        self.calls = 0;
        for index in pending {
            // The journal keeps the item as started, which remains true.
            let failure = interrupted("its call was under way when the run was interrupted", is_write);
            self.put(index, Err(failure), 0, now);
        }
    }

    /// Whether every item that was taken has been given its result.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.resting.is_empty() && self.calls == 0 && self.results.is_empty()
    }

    pub(super) fn is_over(&self) -> bool {
        self.has_all && self.is_empty()
    }

    pub(super) fn is_out_of_time(&self) -> bool {
        self.out_of_time
    }

    pub(super) fn is_write(&self) -> bool {
        self.rules.effect == Effect::Write
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            in_flight: self.taken_slots as u64,
            ..self.counts
        }
    }

    /// Takes the contents of the outbox.
    pub(super) fn outbox(&mut self) -> Outbox {
        std::mem::take(&mut self.outbox)
    }

    /// The item's result if an earlier run with the same journal settled it, or `None` if it has to run.
    fn resume(&mut self, tracked: &mut Tracked, before: Before, now: Now) -> Option<ItemResult> {
        match before {
            Before::Nothing => None,
            Before::Done { result, parts } => {
                tracked.is_new = false;
                self.counts.again += 1;
                if let Some(parts) = parts {
                    self.give_again(tracked.item.index, &parts);
                }
                Some(result)
            }
            Before::Tried {
                state,
                tries,
                error,
                parts,
            } => {
                tracked.is_new = false;
                tracked.tries = tries;
                if let Some(parts) = parts {
                    self.give_again(tracked.item.index, &parts);
                    tracked.item.given = Some(Arc::new(Given::before(parts.rows, parts.cursor)));
                }
                match state {
                    State::Started | State::Unknown if self.is_write() => {
                        self.unknown(tracked, state, error.as_deref(), now)
                    }
                    _ => None,
                }
            }
        }
    }

    /// Handles a plain write that an earlier run may have done.
    fn unknown(
        &mut self,
        tracked: &Tracked,
        state: State,
        error: Option<&str>,
        now: Now,
    ) -> Option<ItemResult> {
        if self.rules.on_unknown == OnUnknown::Retry {
            return None;
        }
        let error = error.and_then(|error| Json::parse(error).ok());
        let text = |name: &str| error.as_ref().and_then(|error| error.get(name)?.as_str());
        let (message, detail) = match (text("kind"), text("message")) {
            // An earlier resumption recorded this failure already.
            (Some(UNKNOWN), Some(message)) => {
                let detail = error.as_ref().and_then(|error| error.get("detail").cloned());
                (message.to_owned(), detail)
            }
            (_, Some(message)) => (
                format!("perhaps done by an earlier run: {message}"),
                error.clone(),
            ),
            _ => {
                let why = "perhaps done by an earlier run, which ended while its call was under way";
                (why.to_owned(), None)
            }
        };
        let failure = Failure::Other {
            kind: UNKNOWN.into(),
            message,
            detail,
        };
        if state == State::Started {
            self.record(tracked, State::Unknown, Some(&failure), Urgency::Later, now);
        }
        if self.rules.on_unknown == OnUnknown::Skip {
            self.counts.skipped += 1;
            return Some(Ok(Vec::new()));
        }
        Some(Err(failure))
    }
}

/// The failure of an item that the run did not finish.
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

#[cfg(test)]
mod tests;
