//! Starts ten thousand requests to the item's `url` at once, and reports how many had which outcome.

use std::collections::BTreeMap;

use hostile_guests::{Behaviour, Call, Failure, ItemResult, answer, begin, guest, outputs, parse};

struct Floods;

impl Behaviour for Floods {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        Ok(call
            .items
            .iter()
            .map(|item| Ok(outputs([run(&item.parameters)])))
            .collect())
    }
}

fn run(item: &str) -> String {
    let item = parse(item);
    let exchanges: Vec<_> = (0..10_000).filter_map(|_| begin(&item).ok()).collect();
    let mut ends = BTreeMap::<String, u32>::new();
    for exchange in &exchanges {
        let end = match answer(exchange) {
            Ok(response) => response.status().to_string(),
            Err(code) => format!("{code:?}"),
        };
        *ends.entry(end).or_default() += 1;
    }
    serde_json::json!(ends).to_string()
}

guest!(Floods);
