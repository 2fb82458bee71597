//! Requests the item's `url` a hundred times and never drops or reads a response. With `often` in the item it sends two
//! requests, and between them fetches the first response's headers that many times, also without dropping them.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, answer, begin, failure, guest, parse};

struct HoardsAnswers;

impl Behaviour for HoardsAnswers {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        Ok(call.items.iter().map(|item| run(&item.parameters)).collect())
    }
}

fn run(item: &str) -> ItemResult {
    let item = parse(item);
    let often = item["often"].as_u64();
    for _ in 0..often.map_or(100, |_| 2) {
        let exchange = begin(&item).map_err(|error| failure(&error))?;
        let response = answer(&exchange).map_err(|code| failure(&format!("{code:?}")))?;
        for _ in 0..often.unwrap_or_default() {
            std::mem::forget(response.headers());
        }
        std::mem::forget(response);
    }
    Ok(vec![])
}

guest!(HoardsAnswers);
