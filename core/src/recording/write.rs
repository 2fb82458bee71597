//! From what happened to a HAR document that browsers, proxies and viewers accept.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    case::{Case, Component, Item, ItemResult},
    exchange::{Answer, Exchange, Outcome, Request, Role, header},
};

/// Everything about a run but its exchanges.
pub(super) struct Head<'a> {
    pub(super) comment: Option<&'a str>,
    pub(super) component: Option<&'a Component>,
    pub(super) recorded_against: Option<&'a str>,
    pub(super) case: &'a Case,
}

pub(super) fn document(head: &Head<'_>, exchanges: &[Exchange]) -> Value {
    let mut log = Map::new();
    log.insert("version".to_owned(), json!("1.2"));
    log.insert(
        "creator".to_owned(),
        json!({"name": "nodule", "version": env!("CARGO_PKG_VERSION")}),
    );
    if let Some(comment) = head.comment {
        log.insert("comment".to_owned(), json!(comment));
    }
    if let Some(Component {
        name,
        version,
        digest,
    }) = head.component
    {
        log.insert(
            "_component".to_owned(),
            json!({"name": name, "version": version, "digest": digest}),
        );
    }
    if let Some(against) = head.recorded_against {
        log.insert("_recordedAgainst".to_owned(), json!(against));
    }
    log.insert("_case".to_owned(), case(head.case));
    if head.case.items.iter().any(|item| item.call.is_some()) {
        log.insert("_calls".to_owned(), head.case.items.iter().map(call).collect());
    }
    log.insert("entries".to_owned(), exchanges.iter().map(entry).collect());
    json!({ "log": log })
}

fn case(case: &Case) -> Value {
    let mut fields = Map::new();
    fields.insert("group".to_owned(), json!(case.group));
    fields.insert("operation".to_owned(), json!(case.operation));
    fields.insert("onFailure".to_owned(), json!(case.on_failure.name()));
    fields.insert("baseUrl".to_owned(), json!(without_user(&case.base_url).as_str()));
    if let Some(declared) = &case.declared {
        fields.insert(
            "declared".to_owned(),
            json!({"method": declared.method(), "path": declared.path().as_str()}),
        );
    }
    fields.insert(
        "items".to_owned(),
        case.items.iter().map(|item| item.parameters.clone()).collect(),
    );
    if case.items.iter().any(|item| item.result.is_some()) {
        fields.insert("results".to_owned(), case.items.iter().map(result).collect());
    }
    Value::Object(fields)
}

fn result(item: &Item) -> Value {
    match &item.result {
        None => Value::Null,
        Some(ItemResult::Output(output)) => json!({ "output": output }),
        Some(ItemResult::Error(error)) => json!({ "error": error }),
    }
}

fn call(item: &Item) -> Value {
    // Texts, since JavaScript's numbers would lose digits of both.
    item.call.map_or(
        Value::Null,
        |call| json!({"clock": call.clock.to_string(), "seed": format!("{:016x}", call.seed)}),
    )
}

fn entry(exchange: &Exchange) -> Value {
    let micros = u64::try_from(exchange.duration.as_micros()).unwrap_or(u64::MAX);
    let time = milliseconds(micros);
    let mut fields = Map::new();
    fields.insert("startedDateTime".to_owned(), json!(exchange.started.to_string()));
    fields.insert("time".to_owned(), time.clone());
    fields.insert("request".to_owned(), request(&exchange.request, exchange.role));
    let (answered, error) = match &exchange.outcome {
        Outcome::Answer(answer) => (response(answer), answer.broken.as_ref()),
        Outcome::Failed { error } => (no_response(), Some(error)),
    };
    fields.insert("response".to_owned(), answered);
    fields.insert("cache".to_owned(), json!({}));
    fields.insert(
        "timings".to_owned(),
        json!({"send": 0, "wait": time, "receive": 0}),
    );
    fields.insert("_role".to_owned(), json!(exchange.role.name()));
    if let Some(item) = exchange.item {
        fields.insert("_item".to_owned(), json!(item));
    }
    if let Some(error) = error {
        fields.insert("_error".to_owned(), json!(error));
    }
    Value::Object(fields)
}

/// By digits, so that nothing is rounded.
fn milliseconds(micros: u64) -> Value {
    let text = format!("{}.{:03}", micros / 1000, micros % 1000);
    text.trim_end_matches('0')
        .trim_end_matches('.')
        .parse()
        .map_or(Value::Null, Value::Number)
}

fn request(request: &Request, role: Role) -> Value {
    let url = without_user(&request.url);
    let mut fields = Map::new();
    fields.insert("method".to_owned(), json!(request.method.as_str()));
    fields.insert("url".to_owned(), json!(url.as_str()));
    fields.insert("httpVersion".to_owned(), json!("HTTP/1.1"));
    fields.insert("cookies".to_owned(), json!([]));
    fields.insert("headers".to_owned(), headers(&request.headers));
    let query = url
        .query_pairs()
        .map(|(name, value)| json!({"name": name, "value": value}));
    fields.insert("queryString".to_owned(), query.collect());
    if !request.body.is_empty() {
        let mime = header(&request.headers, "content-type").unwrap_or_default();
        let mut data = Map::from_iter([("mimeType".to_owned(), json!(mime))]);
        insert_body(&mut data, &request.body, "_encoding");
        fields.insert("postData".to_owned(), Value::Object(data));
    }
    fields.insert("headersSize".to_owned(), json!(-1));
    // What an authentication sent was replaced, and its length is nobody's business.
    let sized = role == Role::Operation || request.body.is_empty();
    fields.insert(
        "bodySize".to_owned(),
        if sized {
            json!(request.body.len())
        } else {
            json!(-1)
        },
    );
    Value::Object(fields)
}

fn response(answer: &Answer) -> Value {
    // HAR wants a type even where the answer has none; this is the word of browsers for it.
    let mime = header(&answer.headers, "content-type").unwrap_or("x-unknown");
    let redirect = header(&answer.headers, "location").unwrap_or_default();
    let mut content = Map::from_iter([
        ("size".to_owned(), json!(answer.body.len())),
        ("mimeType".to_owned(), json!(mime)),
    ]);
    insert_body(&mut content, &answer.body, "encoding");
    json!({
        "status": answer.status.as_u16(),
        "statusText": answer.status.canonical_reason().unwrap_or_default(),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&answer.headers),
        "content": content,
        "redirectURL": redirect,
        "headersSize": -1,
        "bodySize": answer.body.len(),
    })
}

fn no_response() -> Value {
    json!({
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
    })
}

fn insert_body(fields: &mut Map<String, Value>, body: &Bytes, encoding: &str) {
    if let Ok(text) = std::str::from_utf8(body) {
        fields.insert("text".to_owned(), json!(text));
    } else {
        fields.insert("text".to_owned(), json!(STANDARD.encode(body)));
        fields.insert(encoding.to_owned(), json!("base64"));
    }
}

fn headers(headers: &[(String, String)]) -> Value {
    headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// User and password in an address are a secret that needs no recording.
fn without_user(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for addresses that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
