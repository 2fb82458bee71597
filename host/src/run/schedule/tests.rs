use std::num::NonZeroU32;

use nodule_core::failure::{Answer, Certainty};
use nodule_core::rate::Bucket;
use serde_json::value::RawValue;

use super::*;
use crate::run::batch::{BatchPlan, Shown};
use crate::run::item::Completed;
use crate::run::journal::Row;

mod parts;

const SECOND: Duration = Duration::from_secs(1);

/// A schedule with a clock that the test steps.
struct Stepped {
    schedule: Schedule,
    now: Now,
}

fn rules(effect: Effect) -> Rules {
    Rules {
        effect,
        on_failure: OnFailure::Continue,
        on_unknown: OnUnknown::Fail,
        order: ResultOrder::Items,
        retry: Retry::default().waits(SECOND, SECOND),
        rate: None,
        rate_wait: 10 * SECOND,
        slots: 4,
        waiting: 32,
        window: 32,
        threshold: 20,
        ends: None,
        has_journal: false,
        is_recorded: false,
        streams: false,
        limit: u64::MAX,
    }
}

impl Stepped {
    fn new(rules: Rules) -> Self {
        let is_alone = rules.effect == Effect::Write || rules.streams;
        let is_one_call = rules.on_failure == OnFailure::Stop && !is_alone;
        let plan = if is_alone {
            BatchPlan::new(rules.slots, 1, true)
        } else {
            BatchPlan::one_call(rules.slots)
        };
        let size = BatchSize::new(plan, rules.order, is_one_call, true);
        Self {
            schedule: Schedule::new(rules, size),
            now: Now {
                instant: Instant::now(),
                wall: Timestamp::UNIX_EPOCH,
            },
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.schedule.keep_time(self.now);
    }

    fn take(&mut self, ordering_key: Option<&str>) {
        self.take_with(ordering_key, Before::Nothing);
    }

    fn take_with(&mut self, ordering_key: Option<&str>, before: Before) {
        let taken = Taken {
            parameters: "{}".to_owned(),
            files: Arc::default(),
            problems: Vec::new(),
            facts: Ok(Facts {
                ordering_key: ordering_key.map(ToOwned::to_owned),
                key: None,
            }),
            digest: self.schedule.rules.has_journal.then_some([7; 32]),
            before,
        };
        self.schedule.take(taken, self.now);
    }

    fn start(&mut self) -> Option<Call> {
        self.schedule.start(self.now)
    }

    /// Starts all calls that can start now. Returns the indices of their items, and the calls.
    fn start_all(&mut self) -> (Vec<Vec<usize>>, Vec<Call>) {
        let calls: Vec<Call> = std::iter::from_fn(|| self.start()).collect();
        let indices = calls
            .iter()
            .map(|call| call.items.iter().map(|tracked| tracked.item.index).collect());
        (indices.collect(), calls)
    }

    fn end(&mut self, call: Call, result: impl Fn(usize) -> ItemResult) {
        let results = call.items.into_iter().map(|tracked| {
            let result = result(tracked.item.index);
            (tracked, result)
        });
        let results = results.collect();
        let shown = Shown {
            took: SECOND / 10,
            manner: None,
        };
        self.schedule.ended(call.slots, shown, results, self.now);
    }

    fn results(&mut self) -> Vec<Completed> {
        self.given(u64::MAX)
    }

    /// What is given when the journal is durable up to this entry.
    fn given(&mut self, durable: u64) -> Vec<Completed> {
        let next = self.schedule.results(durable).into_iter();
        next.map(|next| match next {
            Next::Completed(completed) => completed,
            Next::Earlier { item, part } => panic!("part {part} of item {item} is not here"),
        })
        .collect()
    }

    fn kinds(&mut self) -> Vec<(usize, String)> {
        let results = self.results().into_iter();
        results
            .map(|completed| {
                let kind = completed.result.err().map(|failure| failure.kind().to_owned());
                (completed.index, kind.unwrap_or_else(|| "done".to_owned()))
            })
            .collect()
    }
}

/// The rows that the journal gets.
fn recorded(run: &mut Stepped) -> Vec<(Row, Urgency)> {
    let entries = run.schedule.outbox().entries.into_iter();
    let row = |(entry, urgency)| match entry {
        Entry::Row(row) => (row, urgency),
        Entry::Part(part) => panic!("{part:?} is no row"),
    };
    entries.map(row).collect()
}

fn before_done(parts: Option<EarlierParts>) -> Before {
    Before::Done {
        result: done(),
        parts,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a result, as the others")]
fn done() -> ItemResult {
    Ok(vec![RawValue::from_string("1".to_owned()).unwrap().into()])
}

fn unavailable(certainty: Certainty) -> ItemResult {
    Err(Failure::Unavailable {
        certainty,
        message: "no".to_owned(),
        answer: None,
        retry_after_ms: None,
    })
}

fn throttled(ms: u32) -> ItemResult {
    Err(Failure::Throttled {
        answer: Answer::default(),
        retry_after_ms: Some(ms),
    })
}

fn rejected() -> ItemResult {
    Err(Failure::Rejected(Answer::default()))
}

#[test]
fn results_are_given_in_the_items_order_or_as_they_become_known() {
    for (order, first) in [(ResultOrder::Items, vec![]), (ResultOrder::Completion, vec![1])] {
        let mut run = Stepped::new(Rules {
            order,
            ..rules(Effect::Write)
        });
        run.take(None);
        run.take(None);
        let (started, mut calls) = run.start_all();
        assert_eq!(started, [[0], [1]]);
        let later = calls.pop().unwrap();
        run.end(later, |_| done());
        let indices = |results: Vec<Completed>| -> Vec<usize> {
            results.into_iter().map(|completed| completed.index).collect()
        };
        assert_eq!(indices(run.results()), first);
        run.end(calls.remove(0), |_| done());
        assert_eq!(indices(run.results()).len() + first.len(), 2);
        run.schedule.end_of_items();
        assert!(run.schedule.is_over());
    }
}

#[test]
fn a_result_says_how_often_its_item_was_tried_and_how_long_it_took() {
    let mut run = Stepped::new(rules(Effect::Read));
    run.take(None);
    let call = run.start().unwrap();
    run.pass(SECOND);
    run.end(call, |_| unavailable(Certainty::Unknown));
    assert!(run.start().is_none(), "it rests");
    // Jitter may double the wait.
    run.pass(2 * SECOND);
    let call = run.start().unwrap();
    run.pass(SECOND);
    run.end(call, |_| done());
    let completed = run.results().remove(0);
    assert_eq!((completed.tries, completed.duration), (2, 4 * SECOND));
    assert_eq!(run.schedule.counts().retries, 1);
}

#[test]
fn a_plain_write_that_may_have_been_done_is_never_tried_again() {
    let mut run = Stepped::new(rules(Effect::Write));
    run.take(None);
    let call = run.start().unwrap();
    run.end(call, |_| unavailable(Certainty::Unknown));
    assert_eq!(run.kinds(), [(0, "unavailable".to_owned())]);
}

#[test]
fn items_with_one_ordering_key_never_overlap_and_keep_their_order() {
    let mut run = Stepped::new(rules(Effect::Write));
    for key in ["a", "b", "a", "a"] {
        run.take(Some(key));
    }
    let (started, calls) = run.start_all();
    assert_eq!(started, [[0], [1]]);
    for call in calls {
        run.end(call, |_| done());
    }
    let (started, calls) = run.start_all();
    assert_eq!(started, [[2]]);
    for call in calls {
        run.end(call, |_| throttled(10));
    }
    // The key stays locked while its item rests.
    assert!(run.start().is_none());
    run.pass(3 * SECOND);
    assert_eq!(run.start_all().0, [[2]]);
}

#[test]
fn a_wait_that_the_service_asks_for_holds_up_every_item() {
    let mut run = Stepped::new(rules(Effect::Write));
    run.take(None);
    let call = run.start().unwrap();
    run.end(call, |_| throttled(5_000));
    run.take(None);
    assert!(run.start().is_none());
    assert_eq!(
        run.schedule.outbox().notices,
        [Notice::Throttled { wait: 5 * SECOND }]
    );
    assert_eq!(run.schedule.wake(run.now), run.now.instant + 5 * SECOND);
    run.pass(5 * SECOND);
    assert_eq!(run.start_all().0, [[0], [1]]);
}

#[test]
fn a_wait_beyond_the_items_time_fails_it_at_once() {
    let mut run = Stepped::new(Rules {
        retry: Retry::default().item_time(SECOND),
        ..rules(Effect::Read)
    });
    run.take(None);
    let call = run.start().unwrap();
    run.end(call, |_| throttled(60_000));
    assert_eq!(run.kinds(), [(0, "throttled".to_owned())]);
}

#[test]
fn an_item_is_tried_as_often_as_it_may_be() {
    let mut run = Stepped::new(Rules {
        retry: Retry::default().waits(SECOND, SECOND).tries(3),
        ..rules(Effect::Read)
    });
    run.take(None);
    for _ in 0..3 {
        let call = run.start().unwrap();
        run.end(call, |_| unavailable(Certainty::NotDone));
        run.pass(2 * SECOND);
    }
    assert!(run.start().is_none());
    assert_eq!(run.results().remove(0).tries, NonZeroU32::new(3).unwrap().get());
}

#[test]
fn after_a_failure_nothing_starts_where_the_run_is_to_stop() {
    let mut run = Stepped::new(Rules {
        on_failure: OnFailure::Stop,
        ..rules(Effect::Write)
    });
    run.take(None);
    run.take(None);
    let (started, calls) = run.start_all();
    assert_eq!(
        started,
        [[0]],
        "one at a time, so that its failure is known first"
    );
    for call in calls {
        run.end(call, |_| rejected());
    }
    run.pass(Duration::ZERO);
    assert!(run.start().is_none());
    run.take(None);
    let not_run = |index| (index, "not-run".to_owned());
    assert_eq!(run.kinds(), [(0, "rejected".to_owned()), not_run(1), not_run(2)]);
}

#[test]
fn a_dead_service_is_left_alone_and_then_probed_by_one_item() {
    let mut run = Stepped::new(Rules {
        threshold: 2,
        retry: Retry::default().waits(SECOND, SECOND).tries(100),
        ..rules(Effect::Write)
    });
    for _ in 0..3 {
        run.take(None);
    }
    let (_, mut calls) = run.start_all();
    let last = calls.pop().unwrap();
    for call in calls {
        run.end(call, |_| unavailable(Certainty::NotDone));
    }
    run.end(last, |_| rejected());
    run.take(None);
    // The service responded to that one, so it is up.
    let notices = run.schedule.outbox().notices;
    assert!(
        matches!(notices[..], [Notice::ServiceDown { .. }, Notice::ServiceBack]),
        "{notices:?}"
    );
    let (_, calls) = run.start_all();
    for call in calls {
        run.end(call, |_| unavailable(Certainty::NotDone));
    }
    run.pass(2 * SECOND);
    while let Some(call) = run.start() {
        run.end(call, |_| unavailable(Certainty::NotDone));
    }
    // The service is down now: nothing starts at once, and one item starts later as a probe.
    run.pass(Duration::ZERO);
    assert!(run.start().is_none());
    run.pass(2 * SECOND);
    assert_eq!(run.start_all().0.len(), 1);
}

#[test]
fn a_service_that_stays_dead_is_given_up_and_items_fail_unsent() {
    let mut run = Stepped::new(Rules {
        threshold: 1,
        retry: Retry::default().item_time(10 * SECOND).waits(SECOND, SECOND),
        ..rules(Effect::Write)
    });
    run.take(None);
    let call = run.start().unwrap();
    run.end(call, |_| unavailable(Certainty::NotDone));
    run.pass(20 * SECOND);
    run.take(None);
    run.take(None);
    run.pass(Duration::ZERO);
    let kinds = run.kinds();
    assert!(kinds.iter().all(|(_, kind)| kind == "unavailable"), "{kinds:?}");
    assert!(
        run.schedule
            .outbox()
            .notices
            .iter()
            .any(|notice| matches!(notice, Notice::GivenUp { .. }))
    );
}

#[test]
fn a_run_whose_time_is_up_starts_nothing_and_tries_nothing_again() {
    let start = Instant::now();
    let mut run = Stepped::new(Rules {
        ends: Some(start + 10 * SECOND),
        ..rules(Effect::Write)
    });
    run.take(None);
    run.take(None);
    let call = run.start().unwrap();
    run.pass(11 * SECOND);
    assert!(run.start().is_none());
    run.end(call, |_| unavailable(Certainty::NotDone));
    let limit = (1, "limit".to_owned());
    assert_eq!(run.kinds(), [(0, "unavailable".to_owned()), limit]);
    assert_eq!(run.schedule.outbox().notices, [Notice::OutOfTime]);
    assert!(run.schedule.is_out_of_time());
}

#[test]
fn a_rate_lets_no_more_items_start_than_it_serves_soon() {
    let now = Instant::now();
    let rate = Pace::of(Bucket::new("2/s".parse().unwrap(), now));
    let mut run = Stepped::new(Rules {
        rate: Some(Arc::new(rate)),
        rate_wait: SECOND,
        slots: 32,
        ..rules(Effect::Write)
    });
    run.now.instant = now;
    for _ in 0..8 {
        run.take(None);
    }
    assert_eq!(run.start_all().0.len(), 2);
}

#[test]
fn the_last_call_has_slots_for_several_requests_of_an_item() {
    let mut run = Stepped::new(rules(Effect::Read));
    run.take(None);
    assert_eq!(run.start().unwrap().slots, 1, "another item may come");
    run.take(None);
    run.schedule.end_of_items();
    assert_eq!(run.start().unwrap().slots, 3);
}

#[test]
fn items_that_were_not_started_have_no_result_when_the_run_is_closed() {
    let mut run = Stepped::new(Rules {
        slots: 1,
        ..rules(Effect::Write)
    });
    for _ in 0..3 {
        run.take(None);
    }
    let call = run.start().unwrap();
    run.schedule.close(run.now);
    run.end(call, |_| unavailable(Certainty::NotDone));
    assert_eq!(run.kinds(), [(0, "unavailable".to_owned())], "and no second try");
    assert!(run.schedule.is_over());
}

#[test]
fn what_was_in_flight_when_a_run_was_interrupted_may_have_been_done() {
    let mut run = Stepped::new(rules(Effect::Write));
    run.take(None);
    let _call = run.start().unwrap();
    run.schedule.interrupt(run.now);
    run.schedule.close(run.now);
    let completed = run.results().remove(0);
    let failure = completed.result.unwrap_err();
    assert!(failure.is_unknown(), "{failure:?}");
    assert_eq!((failure.kind(), completed.tries), ("interrupted", 1));
    assert!(run.schedule.is_over());
}

#[test]
fn a_plain_write_starts_behind_its_row_and_its_result_is_given_behind_another() {
    let mut run = Stepped::new(Rules {
        has_journal: true,
        ..rules(Effect::Write)
    });
    run.take(None);
    let call = run.start().unwrap();
    let rows = recorded(&mut run);
    let states: Vec<_> = rows.iter().map(|(row, urgency)| (row.state, *urgency)).collect();
    assert_eq!(
        states,
        [(State::Waiting, Urgency::Later), (State::Started, Urgency::Now)]
    );
    assert_eq!(call.row, 2);
    run.end(call, |_| done());
    let rows = recorded(&mut run);
    assert_eq!((rows[0].0.state, rows[0].1), (State::Done, Urgency::Now));
    assert_eq!(rows[0].0.result.as_deref(), Some("[1]"));
    assert!(run.schedule.awaits_journal());
    assert!(run.schedule.results(2).is_empty(), "its row is the third");
    assert_eq!(run.schedule.results(3).len(), 1);
}

#[test]
fn what_an_earlier_run_did_is_given_again_and_what_nobody_knows_is_as_the_run_says() {
    let tried = |state| Before::Tried {
        state,
        tries: 1,
        error: None,
        parts: None,
    };
    for (on_unknown, kind) in [(OnUnknown::Fail, "unknown"), (OnUnknown::Skip, "done")] {
        let mut run = Stepped::new(Rules {
            has_journal: true,
            on_unknown,
            ..rules(Effect::Write)
        });
        run.take_with(None, before_done(None));
        run.take_with(None, tried(State::Started));
        run.take_with(None, tried(State::Failed));
        let (started, _) = run.start_all();
        assert_eq!(started, [[2]], "one that surely was not done runs again");
        let expected = [(0, "done".to_owned()), (1, kind.to_owned())];
        assert_eq!(run.kinds(), expected);
        assert_eq!(run.schedule.counts().again, 1);
    }
}

#[test]
fn an_item_that_cannot_be_run_is_kept_for_a_recording() {
    let mut run = Stepped::new(Rules {
        is_recorded: true,
        ..rules(Effect::Read)
    });
    let taken = Taken {
        parameters: "7".to_owned(),
        files: Arc::default(),
        problems: Vec::new(),
        facts: Err(Failure::InvalidInput("a number".to_owned())),
        digest: None,
        before: Before::Nothing,
    };
    run.schedule.take(taken, run.now);
    assert_eq!(run.kinds(), [(0, "invalid-input".to_owned())]);
    let unsent = run.schedule.outbox().unsent;
    assert_eq!((unsent[0].0, unsent[0].1.as_str()), (0, "7"));
}

#[test]
fn no_more_items_are_taken_than_the_window_holds() {
    let mut run = Stepped::new(Rules {
        window: 3,
        slots: 1,
        ..rules(Effect::Write)
    });
    for _ in 0..3 {
        assert!(run.schedule.wants_more());
        run.take(None);
    }
    assert!(!run.schedule.wants_more());
    let call = run.start().unwrap();
    run.end(call, |_| done());
    assert!(!run.schedule.wants_more(), "its result was not given");
    run.results();
    assert!(run.schedule.wants_more());
}
