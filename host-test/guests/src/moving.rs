//! What `moves` and `pipes` share: a node whose operations take a file and give files, as their items say. Each of them has this file as a
//! module, since the bindings of this crate would give their components other exports.

use nodule_sdk::bindings::exports::workflow::node::{description, execution, turns, types};
use nodule_sdk::prelude::*;
use serde_json::Value;

const READ: Operation = Operation {
    group: "things",
    name: "read",
    title: "Read",
    about: "Do things",
    action: "Do things",
    effect: Effect::Read,
    evidence: "a test",
    request: get("/things"),
    parameters: &[json("task", "Task").unsent(), file("file", "File").unsent()],
    output: download("").giving_files(),
};
const WRITE: Operation = Operation {
    name: "write",
    title: "Write",
    effect: Effect::Write,
    request: post("/things"),
    ..READ
};

static SERVICE: Service = Service {
    name: "hostile",
    title: "Hostile",
    about: "A node that nobody should trust",
    groups: &[Group {
        name: "things",
        title: "Things",
        about: "Things",
    }],
    credentials: &[Credential {
        name: "hostileApi",
        title: "Hostile",
        fields: &[
            text("baseUrl", "Base URL").required(),
            secret("secret", "Secret"),
            text("mode", "Mode"),
        ],
        scheme: fixed(&[("authorization", "Bearer {secret}")]),
        ..Credential::NEW
    }],
    operations: &[&READ, &WRITE],
    ..Service::NEW
};

pub struct Node;

impl description::Guest for Node {
    fn describe() -> description::Node {
        nodule_sdk::describe(&SERVICE)
    }
}

impl execution::Guest for Node {
    fn execute(_: execution::Call) -> Result<Vec<execution::ItemResult>, types::Failure> {
        Ok(vec![])
    }
}

impl turns::Guest for Node {
    fn headers() -> Vec<String> {
        nodule_sdk::exports::headers(&SERVICE)
    }

    fn next(_: turns::Step) -> turns::Turn {
        turns::Turn::Done(vec![])
    }
}

/// The task of an item.
pub fn task(parameters: &str) -> Value {
    let parameters: Value = serde_json::from_str(parameters).unwrap_or_default();
    match &parameters["task"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        task => task.clone(),
    }
}

/// The authority and the path of a URL.
pub fn target(request: &Value) -> (String, String) {
    let url = request["url"].as_str().unwrap_or_default();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    (authority.to_owned(), path.to_owned())
}

/// The item's failure, if an answer says that the service is down.
pub fn down(answers: &[Value]) -> Option<types::Failure> {
    let is_down = |answer: &Value| answer["status"].as_u64().is_some_and(|status| status >= 500);
    answers.iter().any(is_down).then(|| {
        types::Failure::Unavailable(types::Outage {
            certainty: types::Certainty::NotDone,
            message: "the service is down".to_owned(),
            answer: None,
            retry_after_ms: None,
        })
    })
}
