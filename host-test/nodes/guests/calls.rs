//! Sends what its item says, whatever that is, and reports what it sees: `{"requests": [...]}`. One request that fails
//! is the item's failure; of several, each outcome is told.

use hostile_nodes::{Behaviour, Call, Failure, ItemResult, failure, guest, parse, send};

struct Calls;

impl Behaviour for Calls {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        Ok(call.items.iter().map(|item| run(item)).collect())
    }
}

fn run(item: &str) -> ItemResult {
    let item = parse(item);
    let requests = item["requests"].as_array().cloned().unwrap_or_default();
    let answers: Vec<_> = requests.iter().map(send).collect();
    match answers.as_slice() {
        [only] if only["error"].is_string() => Err(failure(only["error"].as_str().unwrap_or_default())),
        answers => Ok(answers.iter().map(ToString::to_string).collect()),
    }
}

guest!(Calls);
