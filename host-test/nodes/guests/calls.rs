//! Sends what its item says, whatever that is, and reports what it sees: `{"requests": [...]}`. One request that fails
//! is the item's failure; of several, each outcome is told. For hosts that have to carry them, an item fails as it says:
//! `{"limit": "which"}` or `{"other": {"kind", "message", "detail"}}`.

use hostile_nodes::{Behaviour, Call, Failure, ItemResult, OtherFailure, failure, guest, parse, send};

struct Calls;

impl Behaviour for Calls {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        Ok(call.items.iter().map(|item| run(item)).collect())
    }
}

fn run(item: &str) -> ItemResult {
    let item = parse(item);
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
    let requests = item["requests"].as_array().cloned().unwrap_or_default();
    let answers: Vec<_> = requests.iter().map(send).collect();
    match answers.as_slice() {
        [only] if only["error"].is_string() => Err(failure(only["error"].as_str().unwrap_or_default())),
        answers => Ok(answers.iter().map(ToString::to_string).collect()),
    }
}

guest!(Calls);
