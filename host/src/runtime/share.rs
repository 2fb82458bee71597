//! How much of its thread a call may take.
//!
//! A call that computes and never waits would occupy its thread almost alone, since the other tasks' polls are short.
//! So a call has a debt. Its run time adds to the debt. The time that it leaves to others and the responses that it
//! gets reduce it: a node that runs items sends requests, even on a busy machine, so it is not delayed. A call that
//! owes more than [`ALLOWANCE`] rests until it does not, which leaves five sixths of the thread to others.
//!
//! Only responses count, not requests: requests that are denied or dropped at once cost a hostile node nothing.
//!
//! All calls of a runner share an [`Account`] with a sixth of all threads. Without it, a node that computes for a
//! moment in each of ten thousand calls, or in a hundred at the same time, would owe nothing in any of them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;

use crate::gate::pipeline::{Answered, Pipeline};

/// Three interruptions. A node computes microseconds for an item without a response, and responses pay for what it does
/// with them.
const ALLOWANCE: Duration = Duration::from_millis(30);

/// How much time a call leaves to others for each unit of its own. With as many such calls as threads, other work takes
/// a fifth longer.
const PRICE: u32 = 5;

/// Twice the cost of an item with a small response, including the host's work (docs/bench.md).
const WORTH_OF_AN_ANSWER: Duration = Duration::from_micros(100);

/// About three times what a node takes to read JSON, so that a node that does more with it is not delayed either.
const NANOS_OF_A_BYTE: u64 = 20;

/// Polls a call with this many items, and lets it rest between polls as necessary.
pub(super) async fn fairly<T>(
    pipeline: Option<&Pipeline>,
    account: Option<&Account>,
    items: u32,
    mut call: Pin<&mut impl Future<Output = T>>,
) -> T {
    let mut share = Share::new(Instant::now());
    let threads = u32::try_from(Handle::current().metrics().num_workers()).unwrap_or(u32::MAX);
    // The responses that the account has counted.
    let mut counted = Answered::default();
    let owed = account.and_then(|account| account.owes(threads, Instant::now()));
    let mut rest = owed.map(|owed| Box::pin(tokio::time::sleep(owed)));
    poll_fn(|context| {
        if let Some(sleep) = &mut rest {
            if sleep.poll_unpin(context).is_pending() {
                return Poll::Pending;
            }
            rest = None;
        }
        let begin = Instant::now();
        let polled = call.as_mut().poll(context);
        let end = Instant::now();
        let answered = || pipeline.map(Pipeline::answered_so_far).unwrap_or_default();
        if polled.is_ready() {
            if let Some(account) = account {
                // An item without a request counts as much as a response.
                let worth = worth(answered().since(counted)) + WORTH_OF_AN_ANSWER.saturating_mul(items);
                account.end(threads, begin, end, worth);
            }
            return polled;
        }
        let own = share.turn(begin, end, answered);
        let joint = account.and_then(|account| {
            account.turn(threads, begin, end, || {
                let answered = answered();
                let since = answered.since(counted);
                counted = answered;
                worth(since)
            })
        });
        if let Some(owed) = own.max(joint) {
            let mut sleep = Box::pin(tokio::time::sleep(owed));
            if sleep.poll_unpin(context).is_ready() {
                context.waker().wake_by_ref();
            }
            rest = Some(sleep);
        }
        Poll::Pending
    })
    .await
}

/// What all calls of a runner owe together.
#[derive(Debug, Default)]
pub(crate) struct Account(Mutex<Joint>);

#[derive(Debug, Default)]
struct Joint {
    /// In run time of the calls.
    debt: Duration,
    /// The time up to which the time left to others is counted.
    counted: Option<Instant>,
}

impl Account {
    /// Counts one poll of a call. Returns how long the call has to rest. Calls that finish a poll together rest one
    /// after the other.
    fn turn(
        &self,
        threads: u32,
        begin: Instant,
        end: Instant,
        worth: impl FnOnce() -> Duration,
    ) -> Option<Duration> {
        let mut joint = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        joint.count(threads, end);
        joint.debt += end.saturating_duration_since(begin);
        if joint.owed(threads).is_some() {
            // Asked only now, as for a single call.
            joint.debt = joint.debt.saturating_sub(worth());
        }
        joint.owed(threads)
    }

    /// Counts the last poll of a call, and the worth of the call that was not counted yet.
    fn end(&self, threads: u32, begin: Instant, end: Instant, worth: Duration) {
        let mut joint = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        joint.count(threads, end);
        joint.debt = (joint.debt + end.saturating_duration_since(begin)).saturating_sub(worth);
    }

    /// How long a new call has to rest before it starts.
    fn owes(&self, threads: u32, now: Instant) -> Option<Duration> {
        let mut joint = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        joint.count(threads, now);
        joint.owed(threads)
    }
}

impl Joint {
    /// Pays off debt with the calls' share of the time that has passed.
    fn count(&mut self, threads: u32, now: Instant) {
        let passed = self.counted.map(|counted| now.saturating_duration_since(counted));
        let paid = passed.unwrap_or_default().saturating_mul(threads) / (PRICE + 1);
        self.debt = self.debt.saturating_sub(paid);
        self.counted = self.counted.max(Some(now));
    }

    fn owed(&self, threads: u32) -> Option<Duration> {
        let owed = self.debt.checked_sub(ALLOWANCE.saturating_mul(threads))?;
        let rest = owed.saturating_mul(PRICE + 1) / threads.max(1);
        (!rest.is_zero()).then_some(rest)
    }
}

/// What one call owes.
struct Share {
    /// In run time of the call.
    debt: Duration,
    /// When the last poll returned.
    last: Instant,
    /// The responses that were counted.
    counted: Answered,
}

impl Share {
    fn new(now: Instant) -> Self {
        Self {
            debt: Duration::ZERO,
            last: now,
            counted: Answered::default(),
        }
    }

    /// Counts one poll of the call. Returns how long the call has to rest.
    fn turn(
        &mut self,
        begin: Instant,
        end: Instant,
        answered: impl FnOnce() -> Answered,
    ) -> Option<Duration> {
        let left_to_others = begin.saturating_duration_since(self.last);
        self.debt = self.debt.saturating_sub(left_to_others / PRICE) + end.saturating_duration_since(begin);
        self.last = end;
        if self.debt <= ALLOWANCE {
            return None;
        }
        // Asked only now, since nearly every poll returns above.
        let answered = answered();
        self.debt = self.debt.saturating_sub(worth(answered.since(self.counted)));
        self.counted = answered;
        let owed = self.debt.checked_sub(ALLOWANCE)?;
        (!owed.is_zero()).then(|| owed.saturating_mul(PRICE))
    }
}

/// How much time the work for these responses may take.
fn worth(Answered { answers, bytes }: Answered) -> Duration {
    WORTH_OF_AN_ANSWER.saturating_mul(answers) + Duration::from_nanos(bytes.saturating_mul(NANOS_OF_A_BYTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(10);

    /// This many polls of 10 ms in a row, each with these additional responses. Returns how long the call rested in
    /// all.
    fn rests(turns: u32, each: Answered) -> Duration {
        let mut now = Instant::now();
        let mut share = Share::new(now);
        let mut rested = Duration::ZERO;
        let mut total = Answered::default();
        for _ in 0..turns {
            total.answers += each.answers;
            total.bytes += each.bytes;
            let begin = now;
            now += TURN;
            if let Some(rest) = share.turn(begin, now, || total) {
                rested += rest;
                now += rest;
            }
        }
        rested
    }

    fn answers(answers: u32, bytes: u64) -> Answered {
        Answered { answers, bytes }
    }

    #[test]
    fn a_call_that_only_computes_leaves_most_of_its_thread_to_others() {
        assert_eq!(rests(3, answers(0, 0)), Duration::ZERO);
        assert_eq!(rests(103, answers(0, 0)), TURN * 100 * PRICE);
    }

    #[test]
    fn a_call_that_gets_answers_does_not_rest() {
        assert_eq!(rests(1000, answers(100, 100 * 200)), Duration::ZERO);
        // Large responses, one at a time, which take time to read.
        assert_eq!(rests(1000, answers(1, 1 << 20)), Duration::ZERO);
    }

    #[test]
    fn a_request_now_and_then_does_not_pay_for_a_loop() {
        assert!(rests(110, answers(1, 200)) > TURN * 95 * PRICE);
    }

    /// This many calls in sequence, each with one poll of 9 ms and this worth. Returns how long they rested in all.
    fn calls(count: u32, threads: u32, worth: Duration) -> Duration {
        const TURN: Duration = Duration::from_millis(9);
        let (account, mut now, mut rested) = (Account::default(), Instant::now(), Duration::ZERO);
        for _ in 0..count {
            if let Some(rest) = account.owes(threads, now) {
                rested += rest;
                now += rest;
            }
            account.end(threads, now, now + TURN, worth);
            now += TURN;
        }
        rested
    }

    #[test]
    fn many_short_calls_owe_as_much_as_a_long_one() {
        let computing = Duration::from_secs(9);
        let rested = calls(1000, 1, Duration::ZERO);
        assert!(
            rested + ALLOWANCE * 10 > computing.saturating_mul(PRICE),
            "{rested:?}"
        );
        // A sixth of two threads is a third of one.
        let rested = calls(1000, 2, Duration::ZERO);
        assert!(
            rested + ALLOWANCE * 10 > computing * 2 && rested < computing * 2,
            "{rested:?}"
        );
        assert_eq!(calls(1000, 1, Duration::from_millis(9)), Duration::ZERO);
    }

    #[test]
    fn calls_at_once_rest_one_after_the_other() {
        let account = Account::default();
        let now = Instant::now();
        let mut last = Duration::ZERO;
        for call in 0..64 {
            let rest = account
                .turn(2, now, now + TURN, Duration::default)
                .unwrap_or_default();
            assert!(
                call < 6 || rest >= last + TURN * 3,
                "{call}: {rest:?} after {last:?}"
            );
            last = rest;
        }
    }

    #[test]
    fn time_that_is_left_to_others_pays() {
        let mut now = Instant::now();
        let mut share = Share::new(now);
        for _ in 0..1000 {
            // A sixth of the time, as on a machine where others run too.
            now += TURN * PRICE;
            let begin = now;
            now += TURN;
            assert_eq!(share.turn(begin, now, Answered::default), None);
        }
    }
}
