//! Rows that are given while their item goes on.

use nodule_core::outcome::Output;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::*;
use crate::run::item::Part;
use crate::run::rows;

fn streaming() -> Rules {
    Rules {
        streams: true,
        ..rules(Effect::Read)
    }
}

fn json(numbers: impl IntoIterator<Item = u32>) -> Vec<Output> {
    let json = |number: u32| RawValue::from_string(number.to_string()).unwrap().into();
    numbers.into_iter().map(json).collect()
}

impl Stepped {
    /// An item gives rows. Returns what its call waits for.
    fn emit(&mut self, item: usize, numbers: std::ops::Range<u32>) -> oneshot::Receiver<()> {
        let (taken, is_taken) = oneshot::channel();
        self.schedule.emitted(rows::Part {
            item,
            rows: json(numbers),
            cursor: "on".to_owned(),
            taken,
        });
        is_taken
    }

    /// What is given, in words: `0: 1 2` for rows, `0: 3 end 3` for the last ones.
    fn words(&mut self, durable: u64) -> Vec<String> {
        let word = |completed: Completed| {
            let rows = match completed.result {
                Ok(rows) => rows.iter().map(|row| row.get().to_owned()).collect(),
                Err(failure) => vec![failure.kind().to_owned()],
            };
            let index = format!("{}:", completed.index);
            let end = match completed.part {
                Part::End { rows, is_complete } => {
                    Some(format!("end {rows}{}", if is_complete { "" } else { "+" }))
                }
                Part::Rows => Some("…".to_owned()),
                Part::Whole => None,
            };
            [vec![index], rows, end.into_iter().collect()].concat().join(" ")
        };
        self.given(durable).into_iter().map(word).collect()
    }
}

fn waits(is_taken: &mut oneshot::Receiver<()>) -> bool {
    is_taken.try_recv() == Err(TryRecvError::Empty)
}

#[test]
fn rows_are_given_in_their_items_order_and_a_call_waits_until_they_are() {
    let mut run = Stepped::new(streaming());
    run.take(None);
    run.take(None);
    let (started, mut calls) = run.start_all();
    assert_eq!(started, [[0], [1]], "one item per call");
    let mut second = run.emit(1, 10..12);
    assert!(run.words(0).is_empty());
    assert!(waits(&mut second));
    let mut first = run.emit(0, 1..3);
    assert_eq!(run.words(0), ["0: 1 2 …"]);
    assert!(!waits(&mut first));
    run.end(calls.remove(0), |_| Ok(json([3])));
    assert_eq!(run.words(0), ["0: 3 end 3", "1: 10 11 …"]);
    assert!(!waits(&mut second));
    run.end(calls.remove(0), |_| unavailable(Certainty::NotDone));
    run.pass(100 * SECOND);
    run.pass(100 * SECOND);
    assert_eq!(run.words(0), ["1: unavailable end 2+"]);
}

#[test]
fn in_order_of_completion_rows_wait_for_nobody() {
    let mut run = Stepped::new(Rules {
        order: ResultOrder::Completion,
        ..streaming()
    });
    run.take(None);
    run.take(None);
    let (_, mut calls) = run.start_all();
    drop(run.emit(1, 1..2));
    assert_eq!(run.words(0), ["1: 1 …"]);
    drop(run.emit(1, 2..3));
    drop(run.emit(0, 9..10));
    assert_eq!(run.words(0), ["1: 2 …", "0: 9 …"]);
    run.end(calls.remove(1), |_| Ok(json([])));
    run.end(calls.remove(0), |_| Ok(json([])));
    assert_eq!(run.words(0), ["1: end 2", "0: end 1"]);
    assert!(run.schedule.is_empty());
}

#[test]
fn rows_are_in_the_journal_before_they_are_given() {
    let mut run = Stepped::new(Rules {
        has_journal: true,
        ..streaming()
    });
    run.take(None);
    let (_, calls) = run.start_all();
    drop(run.schedule.outbox());
    drop(run.emit(0, 1..3));
    let entries = run.schedule.outbox().entries;
    let [(Entry::Part(part), Urgency::Now)] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!((part.item, part.number, part.rows), (0, 0, 2));
    assert_eq!((part.outputs.as_str(), part.cursor.as_str()), ("[1,2]", "on"));
    // The entries before: it waits, it has started.
    assert!(run.schedule.awaits_journal());
    assert!(run.words(2).is_empty());
    assert_eq!(run.words(3), ["0: 1 2 …"]);
    assert!(!run.schedule.awaits_journal());
    for call in calls {
        run.end(call, |_| Ok(json([3])));
    }
    assert!(run.words(3).is_empty());
    assert_eq!(run.words(4), ["0: 3 end 3"]);
}

#[test]
fn a_resumed_run_gives_earlier_parts_again_and_counts_on() {
    let mut run = Stepped::new(Rules {
        has_journal: true,
        ..streaming()
    });
    let parts = || {
        Some(EarlierParts {
            parts: 2,
            rows: 20,
            cursor: "page 3".to_owned(),
        })
    };
    run.take_with(None, before_done(parts()));
    run.take_with(
        None,
        Before::Tried {
            state: State::Started,
            tries: 1,
            error: None,
            parts: parts(),
        },
    );
    let (_, calls) = run.start_all();
    let resumed = &calls[0].items[0].item;
    let given = resumed.given.as_ref().unwrap();
    assert_eq!((given.rows(), given.cursor().as_deref()), (20, Some("page 3")));
    drop(run.schedule.outbox());
    drop(run.emit(1, 7..8));
    let Some((Entry::Part(part), _)) = run.schedule.outbox().entries.pop() else {
        panic!("no part");
    };
    assert_eq!((part.number, part.rows), (2, 21));
    for call in calls {
        run.end(call, |_| Ok(json([])));
    }
    let mut words = Vec::new();
    loop {
        let next = run.schedule.results(u64::MAX);
        if next.is_empty() {
            break;
        }
        words.extend(next.into_iter().map(|next| match next {
            Next::Earlier { item, part } => format!("{item}: part {part}"),
            Next::Completed(completed) => format!("{}: {:?}", completed.index, completed.part),
        }));
    }
    let end = |rows: u64| format!("End {{ rows: {rows}, is_complete: true }}");
    let first = [
        "0: part 0".to_owned(),
        "0: part 1".to_owned(),
        format!("0: {}", end(21)),
    ];
    let second = [
        "1: part 0".to_owned(),
        "1: part 1".to_owned(),
        "1: Rows".to_owned(),
    ];
    assert_eq!(
        words,
        [&first[..], &second[..], &[format!("1: {}", end(21))]].concat()
    );
}

#[test]
fn an_item_that_got_further_is_tried_as_if_for_the_first_time() {
    let mut run = Stepped::new(Rules {
        retry: Retry::default()
            .tries(2)
            .waits(SECOND, SECOND)
            .item_time(10 * SECOND),
        ..streaming()
    });
    run.take(None);
    let start = |run: &mut Stepped| run.start().expect("it is tried again");
    let mut call = start(&mut run);
    for round in 0..5 {
        drop(run.emit(0, round..round + 1));
        assert_eq!(run.words(0), [format!("0: {round} …")]);
        let given = call.items[0].item.given.as_ref().unwrap();
        given.add(1, "on".to_owned());
        // Each part of the listing takes longer than an item may take for its tries.
        run.pass(20 * SECOND);
        run.end(call, |_| unavailable(Certainty::NotDone));
        run.pass(2 * SECOND);
        call = start(&mut run);
    }
    run.end(call, |_| unavailable(Certainty::NotDone));
    assert_eq!(run.words(0), ["0: unavailable end 5+"]);
}

#[test]
fn the_first_item_is_tried_again_while_the_rows_of_others_wait_for_it() {
    let mut run = Stepped::new(Rules {
        slots: 2,
        ..streaming()
    });
    (0..3).for_each(|_| run.take(None));
    let (started, mut calls) = run.start_all();
    assert_eq!(started, [[0], [1]]);
    let mut held = run.emit(1, 1..2);
    run.end(calls.remove(0), |_| unavailable(Certainty::NotDone));
    let (started, _calls) = run.start_all();
    assert_eq!(started, [[2]], "the free slot is used");
    drop(run.emit(2, 2..3));
    run.pass(2 * SECOND);
    let (started, mut first) = run.start_all();
    assert_eq!(started, [[0]], "all slots are held by items behind it");
    assert!(waits(&mut held));
    run.end(first.remove(0), |_| done());
    assert_eq!(run.words(0), ["0: 1", "1: 1 …"]);
}

#[test]
fn an_item_gives_no_more_rows_than_it_may_and_says_so() {
    for (count, said) in [(1, "0: 0"), (2, "0: 0 1 end 2+"), (3, "0: 0 1 end 2+")] {
        let mut run = Stepped::new(Rules {
            limit: 2,
            has_journal: true,
            ..rules(Effect::Read)
        });
        run.take(None);
        let call = run.start().unwrap();
        drop(run.schedule.outbox());
        run.end(call, |_| Ok(json(0..count)));
        let recorded = recorded(&mut run);
        let kept: Vec<u32> = serde_json::from_str(recorded[0].0.result.as_deref().unwrap()).unwrap();
        assert_eq!(
            kept.len(),
            2.min(count as usize),
            "the journal has what was given"
        );
        assert_eq!(run.words(u64::MAX), [said]);
    }
}
