//! The calls that tests make of the node.

use nodule_sdk::bindings::exports::workflow::node::execution::Call;
use nodule_sdk::http::Broken;
use nodule_sdk::{Failure, Problem};

use crate::SERVICE;

pub use nodule_sdk::script::{NOW_MS, Reply, Script, texts};

/// Where the tests' service is.
pub const BASE: &str = "https://api.example/openapi-prod";

/// The node, with these answers.
pub fn scripted(replies: impl IntoIterator<Item = Reply>) -> Script {
    nodule_sdk::test(&SERVICE).base(BASE).replies(replies)
}

pub fn reply(status: u16, body: impl AsRef<[u8]>) -> Reply {
    Reply::new(status, body)
}

pub fn broken(broken: Broken) -> Reply {
    Reply::broken(broken)
}

/// A call of `group.operation` with these items, strictly one after the other.
pub fn call(operation: &str, items: &[&str]) -> Call {
    Call {
        in_flight: 0,
        ..scripted([]).new_call(operation, items)
    }
}

/// A result, its outputs as JSON texts.
pub type Texts = Result<Vec<String>, Failure>;

/// Run one item against these replies.
pub fn run(operation: &str, item: &str, replies: impl IntoIterator<Item = Reply>) -> Texts {
    let script = scripted(replies);
    let result = script.run(operation, item);
    assert_eq!(script.replies_left(), 0, "fewer requests than replies");
    result
}

/// The one request that an item makes.
pub fn sent(operation: &str, item: &str) -> String {
    let script = scripted([reply(200, r#"{"code":"200"}"#)]);
    match script.run(operation, item) {
        Ok(_) => script.requests().join("\n"),
        Err(Failure::InvalidParameters(problems)) => panic!("{operation} {item}: {:?}", shown(&problems)),
        Err(failure) => panic!("{operation} {item}: {failure:?}"),
    }
}

/// The body that an item makes.
pub fn body(operation: &str, item: &str) -> String {
    sent(operation, item)
        .split_once('\n')
        .expect("a body")
        .1
        .to_owned()
}

/// Every problem of an item, as `pointer label: message`; and nothing is sent.
pub fn problems(operation: &str, item: &str) -> Vec<String> {
    match run(operation, item, []) {
        Err(Failure::InvalidParameters(problems)) => shown(&problems),
        result => panic!("{operation} {item}: {result:?}"),
    }
}

pub fn shown(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| format!("{} {}: {}", problem.pointer, problem.label, problem.message))
        .collect()
}
