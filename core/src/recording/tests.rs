//! What the tests share.

mod corpus;
mod foreign;
mod matching;
mod misses;
mod round_trip;
mod secrets;

use std::time::Duration;

use crate::json;
use crate::json::Json;
use crate::outcome::OnFailure;
use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use url::Url;

use super::{
    Call, Exchange, Item, Meta, Outcome, RecordedComponent, RecordedResponse, RecordedResult, Recorder,
    Recording, Request, Role,
};

const BASE: &str = "http://127.0.0.1:8080/crm/";

fn base() -> Url {
    Url::parse(BASE).unwrap()
}

/// A request below [`BASE`]; a body is JSON.
fn request(method: &str, path: &str, body: &str) -> Request {
    let headers = if body.is_empty() {
        Vec::new()
    } else {
        vec![("content-type".to_owned(), "application/json".to_owned())]
    };
    Request {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        url: Url::parse(&format!("{BASE}{path}")).unwrap(),
        headers,
        body: Bytes::from(body.to_owned()),
    }
}

fn answer(body: impl Into<Bytes>) -> Outcome {
    Outcome::Answer(RecordedResponse {
        status: StatusCode::OK,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.into(),
        broken: None,
        file: None,
    })
}

fn body(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Answer(answer) => std::str::from_utf8(&answer.body).unwrap(),
        Outcome::Failed { error } => error,
    }
}

fn exchange(role: Role, item: Option<usize>, request: Request, outcome: Outcome) -> Exchange {
    Exchange {
        role,
        item,
        request,
        outcome,
        started: Timestamp::from_millisecond(1_767_225_600_123).unwrap(),
        duration: Duration::from_micros(12_345),
    }
}

fn operation(request: Request, body: &str) -> Exchange {
    exchange(Role::Operation, Some(0), request, answer(body.to_owned()))
}

fn meta() -> Meta {
    Meta {
        group: "points".to_owned(),
        operation: "adjustPoints".to_owned(),
        on_failure: OnFailure::Continue,
        base_url: base(),
        credential: Some("crmApi".to_owned()),
        declared: Some("POST /v1/points/{account}".parse().unwrap()),
        component: Some(RecordedComponent {
            name: "crm".to_owned(),
            version: "1".to_owned(),
            digest: format!("sha256:{}", "ab".repeat(32)),
        }),
        recorded_against: Some("simulator".to_owned()),
        comment: Some("三项，第二项失败 🎉".to_owned()),
    }
}

fn item(parameters: Json) -> Item {
    Item {
        parameters,
        result: Some(RecordedResult::Output(vec![json!({"ok": true})])),
        call: Some(Call {
            clock: "2026-01-01T00:00:00.123456789Z".parse().unwrap(),
            seed: u64::MAX - 1,
        }),
    }
}

fn recorded(exchanges: impl IntoIterator<Item = Exchange>) -> Recording {
    let recorder = Recorder::new(meta(), []);
    exchanges.into_iter().for_each(|exchange| recorder.push(exchange));
    recorder
        .finish(vec![
            item(json!({"account": "A1"})),
            item(json!({"account": "A2"})),
        ])
        .unwrap()
}
