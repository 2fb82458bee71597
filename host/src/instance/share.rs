//! How much of its thread a call takes.
//!
//! A call that computes and never waits would have its thread nearly to itself: the other tasks' turns are short. So a call
//! has a debt. The time that it runs adds to it. The time that it leaves to others, and the answers that it gets, take from
//! it: a node that runs items sends requests, on a busy machine too, and is not held up. A call that owes more than
//! [`ALLOWANCE`] rests until it does not, which leaves five sixths of the thread to the others.
//!
//! Only answers count, not requests: one that is denied, or dropped at once, costs a hostile node nothing.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::time::Sleep;

use crate::pipeline::{Answered, Pipeline};

/// Three interruptions: what a node computes for an item without an answer takes microseconds, and what it does with its answers
/// is counted for it.
const ALLOWANCE: Duration = Duration::from_millis(30);

/// What a time of its own costs a call in time that it leaves to others. As many such calls as threads then lengthen what the
/// others do by a fifth.
const PRICE: u32 = 5;

/// Twice what an item of a small answer takes, the host's work included (docs/bench.md).
const WORTH_OF_AN_ANSWER: Duration = Duration::from_micros(100);

/// Some three times what a node takes to read JSON, so that one that does more with it is not held up either.
const NANOS_OF_A_BYTE: u64 = 20;

/// Polls a call, with the rests that it needs between its turns.
pub(super) async fn fairly<T>(pipeline: Option<&Pipeline>, mut call: Pin<&mut impl Future<Output = T>>) -> T {
    let mut share = Share::new(Instant::now());
    let mut rest: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        if let Some(sleep) = &mut rest {
            if sleep.poll_unpin(context).is_pending() {
                return Poll::Pending;
            }
            rest = None;
        }
        let begin = Instant::now();
        if let Poll::Ready(result) = call.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        let answered = || pipeline.map(Pipeline::answered_so_far).unwrap_or_default();
        if let Some(owed) = share.turn(begin, Instant::now(), answered) {
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

/// What a call owes.
struct Share {
    /// In its own time.
    debt: Duration,
    /// The end of the last turn.
    last: Instant,
    /// The answers that were counted.
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

    /// Count a turn of the call; how long it has to rest.
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
        // Looked at only now: nearly every turn ends above.
        let answered = answered();
        self.debt = self.debt.saturating_sub(worth(answered.since(self.counted)));
        self.counted = answered;
        let owed = self.debt.checked_sub(ALLOWANCE)?;
        (!owed.is_zero()).then(|| owed.saturating_mul(PRICE))
    }
}

/// The time that the work behind these answers may take.
fn worth(Answered { answers, bytes }: Answered) -> Duration {
    WORTH_OF_AN_ANSWER.saturating_mul(answers) + Duration::from_nanos(bytes.saturating_mul(NANOS_OF_A_BYTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(10);

    /// So many turns of 10 ms in a row, each with these answers more; how long the call rested in all.
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
        // A large answer at a time, which takes its time.
        assert_eq!(rests(1000, answers(1, 1 << 20)), Duration::ZERO);
    }

    #[test]
    fn a_request_now_and_then_does_not_pay_for_a_loop() {
        assert!(rests(110, answers(1, 200)) > TURN * 95 * PRICE);
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
