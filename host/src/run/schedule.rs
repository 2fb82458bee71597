//! What a run decides: which items start, which are tried again and when, what is recorded, and which results are given.
//!
//! It does no I/O and reads no clock. The [driver](super::driver) tells it what happened and what time it is, and carries out what
//! it says: calls to [start](Schedule::start), [results](Schedule::results) to give, and the rest in its [outbox](Outbox).
//!
//! An item is *waiting* until it is part of a call, *in flight* in it, *resting* before another try, and has a *result* at
//! last, which is given when all before it are, or at once, as the run's options say. At most a window of items lies between
//! the first whose result was not given and the last that was taken.
//! Items with the same ordering key, which change the same thing at the service, keep their order and never overlap: the key is
//! *locked* from the first try of the one to its result.

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
use nodule_core::failure::{Failure, UNKNOWN};
use nodule_core::json::Json;
use nodule_core::outcome::{ItemResult, OnFailure, OnUnknown, ResultOrder};
use nodule_core::retry::{Backoff, Breaker, Retry};

use crate::gate::budget::Pace;

use super::batch::BatchSize;
use super::item::{Facts, Item, RecentKeys};
use super::journal::{Row, State, Urgency};
use super::notice::Notice;
use give::ResultSlot;

/// What a schedule goes by.
pub(super) struct Rules {
    /// As the node claims it, lowered where the policy says so.
    pub(super) effect: Effect,
    pub(super) on_failure: OnFailure,
    pub(super) on_unknown: OnUnknown,
    pub(super) order: ResultOrder,
    pub(super) retry: Retry,
    /// How fast requests may follow each other.
    pub(super) rate: Option<Arc<Pace>>,
    /// How long a request may wait for that, inside its call.
    pub(super) rate_wait: Duration,
    /// How many items may be in flight at once.
    pub(super) slots: usize,
    /// How many items may wait for a slot.
    pub(super) waiting: usize,
    /// How many items there may be from the first without a given result on. Beyond it no new item is taken, which keeps memory flat.
    pub(super) window: usize,
    /// Failures of the service in a row after which it is taken for dead.
    pub(super) threshold: u32,
    /// No try begins after it.
    pub(super) ends: Option<Instant>,
    /// Whether rows are wanted.
    pub(super) has_journal: bool,
    /// Whether items that are not sent are wanted, for a recording.
    pub(super) is_recorded: bool,
}

/// One moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) instant: Instant,
    /// For people.
    pub(super) wall: Timestamp,
}

/// An item, from its being taken to its result.
pub(super) struct Tracked {
    pub(super) item: Item,
    /// What it changes, where that is known.
    ordering_key: Option<String>,
    /// What else a journal says of it, where there is one; apart, since this is moved often.
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
    /// When its last try began.
    started: Option<Timestamp>,
}

/// An item that is to be tried again.
struct Resting {
    tracked: Tracked,
    failure: Failure,
    ready: Instant,
}

/// An item that was read.
pub(super) struct Taken {
    pub(super) parameters: String,
    /// What a run has to know of it, or why it cannot be run.
    pub(super) facts: Result<Facts, Failure>,
    /// Of its text, where there is a journal.
    pub(super) digest: Option<[u8; 32]>,
    pub(super) before: Before,
}

/// What earlier runs with the same journal made of an item.
pub(super) enum Before {
    Nothing,
    Done(ItemResult),
    Tried {
        state: State,
        tries: u32,
        /// Its last failure, as JSON.
        error: Option<String>,
    },
}

/// Items to be run in one call.
pub(super) struct Call {
    pub(super) items: Vec<Tracked>,
    /// How many of them may be in flight at once.
    pub(super) slots: usize,
    /// The row that has to be durable before it starts; 0: none.
    pub(super) row: u64,
}

/// What is to be told to others.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) rows: Vec<(Row, Urgency)>,
    pub(super) notices: Vec<Notice>,
    /// Kinds of the failures of items that are tried again.
    pub(super) retries: Vec<String>,
    /// Items that were not sent, with what became of them.
    pub(super) unsent: Vec<(usize, String, ItemResult)>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Done items that an earlier run had done.
    pub(super) again: u64,
    /// Items of unknown outcome that were left out.
    pub(super) skipped: u64,
    /// Tries after the first one of an item.
    pub(super) retries: u64,
    /// Slots that are taken.
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
    /// What the service's last failure said, while it is taken for dead.
    trouble: Option<Failure>,
    has_given_up: bool,
    /// No item starts before it, as the service asked.
    paused: Option<Instant>,
    calls: usize,
    taken_slots: usize,
    /// Items in the calls in flight.
    in_flight: usize,
    /// Items that were taken and have not been tried, in order.
    waiting: VecDeque<Tracked>,
    resting: Vec<Resting>,
    /// The next item's index.
    taken: usize,
    /// Results from the first one that was not given yet.
    results: VecDeque<ResultSlot>,
    /// The index of that one.
    given: usize,
    /// The indices of those that are known and not given, where they are given as they come.
    known: VecDeque<usize>,
    /// The ordering keys of items in flight or at rest.
    locked_keys: HashSet<String>,
    /// Keys of the last items, where no journal knows them all.
    recent: RecentKeys,
    /// No more items come, or none is wanted.
    has_all: bool,
    /// Nothing starts any more, and nothing is tried again.
    is_closed: bool,
    /// An item failed, and the run was to stop then.
    failed: bool,
    out_of_time: bool,
    /// The number of the last row.
    rows: u64,
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
            rows: 0,
            counts: Counts::default(),
            outbox: Outbox::default(),
            rules,
        }
    }

    /// Whether another item is to be taken.
    pub(super) fn wants_more(&self) -> bool {
        !self.has_all
            && self.waiting.len() < self.rules.waiting
            && self.taken - self.given < self.rules.window
    }

    /// The index of the item that is taken next.
    pub(super) fn next_index(&self) -> usize {
        self.taken
    }

    /// Take an item.
    pub(super) fn take(&mut self, taken: Taken, now: Now) {
        let Taken {
            parameters,
            facts,
            digest,
            before,
        } = taken;
        let index = self.taken;
        self.taken += 1;
        self.results.push_back(ResultSlot::default());
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
            item: Item { index, parameters },
            ordering_key,
            journaled,
            tries: 0,
            tries_here: 0,
            begun: None,
            backoff: None,
            is_new: true,
        };
        if let Some(result) = self.resume(&mut tracked, before, now) {
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

    /// No more items come.
    pub(super) fn end_of_items(&mut self) {
        self.has_all = true;
    }

    /// An item cannot be taken, nor any after it; what is in flight ends.
    pub(super) fn refuse_item(&mut self) {
        self.taken += 1;
        self.results.push_back(ResultSlot::NotRun);
        self.has_all = true;
    }

    /// Start nothing more and try nothing again; what is in flight ends.
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

    /// The calls in flight were ended, so that what came of them is not known.
    pub(super) fn interrupt(&mut self, now: Now) {
        let is_write = self.is_write();
        let waiting = self.waiting.iter().map(|tracked| tracked.item.index);
        let resting = self.resting.iter().map(|resting| resting.tracked.item.index);
        let others: HashSet<usize> = waiting.chain(resting).collect();
        let pending: Vec<usize> = self.pending().filter(|index| !others.contains(index)).collect();
        self.calls = 0;
        for index in pending {
            // In the journal it stays as started, which is what it is.
            let failure = interrupted("its call was under way when the run was interrupted", is_write);
            self.put(index, Err(failure), 0, now);
        }
    }

    /// Whether no item is anywhere between being taken and being given.
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

    /// What is to be told to others since it was asked for last.
    pub(super) fn outbox(&mut self) -> Outbox {
        std::mem::take(&mut self.outbox)
    }

    /// What earlier runs with the same journal made of the item: its result, or `None` where it is to be run.
    fn resume(&mut self, tracked: &mut Tracked, before: Before, now: Now) -> Option<ItemResult> {
        match before {
            Before::Nothing => None,
            Before::Done(output) => {
                tracked.is_new = false;
                self.counts.again += 1;
                Some(output)
            }
            Before::Tried { state, tries, error } => {
                tracked.is_new = false;
                tracked.tries = tries;
                match state {
                    State::Started | State::Unknown if self.is_write() => {
                        self.unknown(tracked, state, error.as_deref(), now)
                    }
                    _ => None,
                }
            }
        }
    }

    /// A plain write of which nobody knows whether it was done.
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
            // An earlier resumption said it already.
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

#[cfg(test)]
mod tests;
