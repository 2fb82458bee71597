//! Gives rows while its item goes on, as the item says: `{"emits": "…", "url", "turns"}`.

use std::cell::RefCell;

use hostile_guests::bindings::exports::workflow::node::turns::{Asked, Emitted};
use hostile_guests::{Beginning, Behaviour, Step, Turn, by_turns, d, describe, guest, outputs, parse};
use serde_json::{Value, json};

struct Emits;

#[derive(Default)]
struct Item {
    item: Value,
    /// Turns of the item so far, in all its calls.
    turns: u64,
}

thread_local! {
    static ITEM: RefCell<Item> = RefCell::default();
}

impl Behaviour for Emits {
    fn describing() -> d::Node {
        let mut node = describe();
        for operation in &mut node.operations {
            operation.emits = matches!(operation.effect, d::Effect::Read);
        }
        node
    }

    fn next(step: Step) -> Turn {
        if let Step::Begin(Beginning { call, behind }) = &step {
            ITEM.set(Item {
                item: parse(&call.items[0].parameters),
                turns: behind
                    .as_ref()
                    .and_then(|cursor| cursor.trim().parse().ok())
                    .unwrap_or_default(),
            });
        }
        ITEM.with_borrow_mut(|Item { item, turns }| {
            *turns += 1;
            turn(item, *turns)
        })
    }
}

fn turn(item: &Value, number: u64) -> Turn {
    if item["turns"].as_u64().is_some_and(|most| number > most) {
        return Turn::Done(vec![Ok(outputs([json!("last")]))]);
    }
    let emitted = |outputs, cursor: Option<String>| Emitted {
        item: 0,
        outputs,
        cursor,
    };
    let row = || outputs([json!({"row": number})]);
    let cursor = number.to_string();
    let emitted = match item["emits"].as_str().unwrap_or_default() {
        "of another item" => Emitted {
            item: 1,
            ..emitted(row(), Some(cursor))
        },
        "nothing" => emitted(vec![], Some(cursor + &" ".repeat(60_000))),
        "no JSON" => emitted(outputs(["{"]), Some(cursor)),
        "without a cursor" => emitted(row(), None),
        "much without a cursor" => emitted(outputs([json!("x".repeat(100_000))]), None),
        "a long cursor" => emitted(row(), Some(cursor + &" ".repeat(100_000))),
        _ => emitted(row(), Some(cursor)),
    };
    Turn::Waiting(Asked {
        headers: vec![],
        requests: by_turns::request(1, item).into_iter().collect(),
        emitted: vec![emitted],
    })
}

guest!(Emits);
