//! Breaks the rules of `turns`, as its first item says: `{"turns": "…", "url"}`.

use std::cell::RefCell;

use hostile_guests::bindings::exports::workflow::node::turns::Request;
use hostile_guests::by_turns::{self, asked};
use hostile_guests::{Behaviour, Field, Step, Turn, guest, outputs, parse};
use serde_json::{Value, json};

struct TakesTurns;

thread_local! {
    static ITEM: RefCell<Value> = const { RefCell::new(Value::Null) };
    static TOLD: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

impl Behaviour for TakesTurns {
    fn next(step: Step) -> Turn {
        if let Step::Begin(begun) = &step {
            ITEM.set(parse(&begun.call.items[0].parameters));
            TOLD.take();
        }
        if let Step::Resume(answered) = &step {
            TOLD.with_borrow_mut(|told| told.extend(answered.iter().map(by_turns::told)));
        }
        let is_first = matches!(step, Step::Begin(_));
        ITEM.with_borrow(|item| TOLD.with_borrow(|told| turn(item, is_first, told)))
    }
}

fn turn(item: &Value, is_first: bool, told: &[Value]) -> Turn {
    let request = |id| -> Request { by_turns::request(id, item).expect("a request") };
    let field = || Field {
        name: item["name"].as_str().unwrap_or("x-a").to_owned(),
        value: item["value"].as_str().unwrap_or("b").to_owned(),
    };
    let times = item["times"].as_u64().unwrap_or(1) as usize;
    match (item["turns"].as_str().unwrap_or_default(), is_first) {
        ("waits for nothing", _) => asked(vec![], vec![]),
        ("asks again", _) => asked(vec![], vec![request(1)]),
        ("asks for many", true) => asked(vec![], (0..times as u32).map(request).collect()),
        ("says much in common", true) => asked(vec![field(); times], vec![request(1), request(2)]),
        // The other requests are still in flight.
        ("asks for many", false) if told.len() < times => asked(vec![], vec![]),
        ("says much in common", false) if told.len() < 2 => asked(vec![], vec![]),
        ("spins", false) => loop {
            std::hint::black_box(());
        },
        ("panics", false) => panic!("of its own accord"),
        ("returns too many", false) => Turn::Done(vec![Ok(vec![]), Ok(vec![])]),
        ("hands over much", true) => {
            let mut request = request(1);
            request.body = Some(vec![0; times]);
            asked(vec![], vec![request])
        }
        (_, true) => asked(vec![], vec![request(1)]),
        (_, false) => Turn::Done(vec![Ok(outputs([json!(told)]))]),
    }
}

guest!(TakesTurns);
