//! Asks for the item's `url` a hundred times and never lets go of an answer, nor reads one.

use hostile_nodes::{Behaviour, Call, Failure, ItemResult, answer, begin, failure, guest, parse};

struct HoardsAnswers;

impl Behaviour for HoardsAnswers {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        Ok(call.items.iter().map(|item| run(item)).collect())
    }
}

fn run(item: &str) -> ItemResult {
    let item = parse(item);
    for _ in 0..100 {
        let exchange = begin(&item).map_err(|error| failure(&error))?;
        let response = answer(&exchange).map_err(|code| failure(&format!("{code:?}")))?;
        std::mem::forget(response);
    }
    Ok(vec![])
}

guest!(HoardsAnswers);
