//! Sends the requests that its item lists, whatever they are, and reports what it sees: `{"requests": [...]}`. If the
//! only request fails, the item fails; of several requests, it reports each outcome. An item can also choose a failure
//! for the host to transport: `{"limit": "which"}` or `{"other": {"kind", "message", "detail"}}`.

use std::cell::RefCell;
use std::collections::VecDeque;

use hostile_guests::{
    Behaviour, Call, Failure, Item, ItemResult, OtherFailure, Step, Turn, by_turns, guest, parse, seen, send,
};
use serde_json::{Value, json};

struct Calls;

impl Behaviour for Calls {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &Item| {
            let item = parse(&item.parameters);
            result(&item, &requests(&item).iter().map(send).collect::<Vec<_>>())
        };
        Ok(call.items.iter().map(run).collect())
    }

    fn next(step: Step) -> Turn {
        match step {
            Step::Begin(begun) => RUN.set(Run {
                items: begun
                    .call
                    .items
                    .iter()
                    .map(|item| parse(&item.parameters))
                    .collect(),
                ..Run::default()
            }),
            Step::Resume(answered) => RUN.with_borrow_mut(|run| {
                run.outcomes.extend(answered.iter().map(by_turns::told));
            }),
        }
        RUN.with_borrow_mut(Run::turn)
    }
}

/// A call that runs by turns: one request after the other.
#[derive(Default)]
struct Run {
    items: VecDeque<Value>,
    /// The outcomes of the first item's requests.
    outcomes: Vec<Value>,
    results: Vec<ItemResult>,
}

thread_local! {
    static RUN: RefCell<Run> = RefCell::default();
}

impl Run {
    fn turn(&mut self) -> Turn {
        while let Some(item) = self.items.front() {
            match requests(item).get(self.outcomes.len()) {
                // Each request gets its own ID, so that no response can be taken for another's.
                Some(request) => match by_turns::request(100 + self.outcomes.len() as u32, request) {
                    Ok(request) => return by_turns::only(request),
                    Err(error) => self.outcomes.push(json!({"error": error})),
                },
                None => {
                    self.results.push(result(item, &self.outcomes));
                    self.outcomes.clear();
                    self.items.pop_front();
                }
            }
        }
        Turn::Done(std::mem::take(&mut self.results))
    }
}

fn requests(item: &Value) -> Vec<Value> {
    item["requests"].as_array().cloned().unwrap_or_default()
}

fn result(item: &Value, outcomes: &[Value]) -> ItemResult {
    if let Some(which) = item["limit"].as_str() {
        return Err(Failure::Limit(which.to_owned()));
    }
    if let Some(other) = item["other"].as_object() {
        let text = |name: &str| other[name].as_str().unwrap_or_default().to_owned();
        return Err(Failure::Other(OtherFailure {
            kind: text("kind"),
            message: text("message"),
            detail: other.get("detail").map(ToString::to_string),
        }));
    }
    seen(item, outcomes)
}

guest!(Calls);
