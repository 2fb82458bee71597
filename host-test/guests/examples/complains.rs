//! Fails with the text that an item asks for: more than anybody reads, or one that controls a terminal. An item's `say`
//! names the kind of failure, `text` its text, `times` how often the text is repeated; with `whole` the call fails
//! instead of the item. `authenticate` fails the same way if its `mode` is such an item.

use hostile_guests::{
    Answer, Behaviour, Call, Certainty, Failure, ItemResult, OtherFailure, Outage, Problem, Session, guest,
    outputs, parse, session,
};
use serde_json::Value;

struct Complains;

impl Behaviour for Complains {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let items: Vec<Value> = call.items.iter().map(|item| parse(&item.parameters)).collect();
        if let Some(item) = items.iter().find(|item| item["whole"] == true) {
            return Err(complaint(item));
        }
        let result = |item: &Value| match item["say"].as_str() {
            None => Ok(outputs([item])),
            Some("output") => Ok(outputs([&item["text"]])),
            Some(_) => Err(complaint(item)),
        };
        Ok(items.iter().map(result).collect())
    }

    fn authenticate(credential: Value) -> Result<Session, Failure> {
        match credential["mode"]
            .as_str()
            .and_then(|mode| mode.strip_prefix("say "))
        {
            Some(item) => Err(complaint(&parse(item))),
            None => Ok(session("Bearer token")),
        }
    }
}

fn complaint(item: &Value) -> Failure {
    let number = |name: &str| item[name].as_u64().map_or(1, |number| number as usize);
    let part = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let text = part("text").repeat(number("times"));
    let answer = Answer {
        status: 400,
        code: Some(text.clone()),
        message: text.clone(),
        request_id: Some(text.clone()),
    };
    match item["say"].as_str().unwrap_or_default() {
        "rejected" => Failure::Rejected(answer),
        "denied" => Failure::Denied(text),
        "limit" => Failure::Limit(text),
        "unavailable" => Failure::Unavailable(Outage {
            certainty: Certainty::NotDone,
            message: text,
            answer: Some(answer),
            retry_after_ms: None,
        }),
        "problems" => Failure::InvalidParameters(
            (0..number("problems"))
                .map(|_| Problem {
                    pointer: text.clone(),
                    label: text.clone(),
                    message: text.clone(),
                })
                .collect(),
        ),
        "kind" => Failure::Other(OtherFailure {
            kind: text.clone(),
            message: text,
            detail: None,
        }),
        _ => Failure::Other(OtherFailure {
            kind: "noisy".to_owned(),
            message: "as asked for".to_owned(),
            detail: Some(format!("{}{text}{}", part("head"), part("tail"))),
        }),
    }
}

guest!(Complains);
