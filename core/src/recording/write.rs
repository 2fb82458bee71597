//! Writes a run as a HAR document that browsers, proxies and viewers accept.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use url::Url;

use crate::json;
use crate::json::{Json, Object};

use super::{
    case::{Case, Item, RecordedComponent, RecordedResult},
    exchange::{Exchange, Outcome, RecordedResponse, Request, Role, header},
};

/// Everything about a run except its exchanges.
pub(super) struct Head<'a> {
    pub(super) comment: Option<&'a str>,
    pub(super) component: Option<&'a RecordedComponent>,
    pub(super) recorded_against: Option<&'a str>,
    pub(super) case: &'a Case,
}

pub(super) fn document(head: &Head<'_>, exchanges: &[Exchange]) -> Json {
    let mut log = Object::new();
    log.insert("version", json!("1.2"));
    log.insert(
        "creator",
        json!({"name": "nodule", "version": env!("CARGO_PKG_VERSION")}),
    );
    if let Some(comment) = head.comment {
        log.insert("comment", json!(comment));
    }
    if let Some(RecordedComponent {
        name,
        version,
        digest,
    }) = head.component
    {
        log.insert(
            "_component",
            json!({"name": name, "version": version, "digest": digest}),
        );
    }
    if let Some(against) = head.recorded_against {
        log.insert("_recordedAgainst", json!(against));
    }
    log.insert("_case", case(head.case));
    if head.case.items.iter().any(|item| item.call.is_some()) {
        log.insert("_calls", head.case.items.iter().map(call).collect::<Json>());
    }
    log.insert("entries", exchanges.iter().map(entry).collect::<Json>());
    json!({ "log": log })
}

fn case(case: &Case) -> Json {
    let mut fields = Object::new();
    fields.insert("group", json!(case.group));
    fields.insert("operation", json!(case.operation));
    fields.insert("onFailure", json!(case.on_failure.name()));
    fields.insert("baseUrl", json!(without_user(&case.base_url).as_str()));
    if let Some(credential) = &case.credential {
        fields.insert("credential", json!(credential));
    }
    if let Some(declared) = &case.declared {
        fields.insert(
            "declared",
            json!({"method": declared.method(), "path": declared.path().as_str()}),
        );
    }
    if !case.headers.is_empty() {
        fields.insert("headers", json!(case.headers));
    }
    fields.insert(
        "items",
        case.items
            .iter()
            .map(|item| item.parameters.clone())
            .collect::<Json>(),
    );
    if case.items.iter().any(|item| item.result.is_some()) {
        fields.insert("results", case.items.iter().map(result).collect::<Json>());
    }
    Json::Object(fields)
}

fn result(item: &Item) -> Json {
    match &item.result {
        None => Json::Null,
        Some(RecordedResult::Output(output)) => json!({ "output": output }),
        Some(RecordedResult::Error(error)) => json!({ "error": error }),
    }
}

fn call(item: &Item) -> Json {
    // Written as texts, because JavaScript's numbers would lose digits of both.
    item.call.map_or(
        Json::Null,
        |call| json!({"clock": call.clock.to_string(), "seed": format!("{:016x}", call.seed)}),
    )
}

fn entry(exchange: &Exchange) -> Json {
    let micros = u64::try_from(exchange.duration.as_micros()).unwrap_or(u64::MAX);
    let time = milliseconds(micros);
    let mut fields = Object::new();
    fields.insert("startedDateTime", json!(exchange.started.to_string()));
    fields.insert("time", time.clone());
    fields.insert("request", request(&exchange.request, exchange.role));
    let (answered, error) = match &exchange.outcome {
        Outcome::Answer(answer) => (response(answer), answer.broken.as_ref()),
        Outcome::Failed { error } => (no_response(), Some(error)),
    };
    fields.insert("response", answered);
    fields.insert("cache", json!({}));
    fields.insert("timings", json!({"send": 0, "wait": time, "receive": 0}));
    fields.insert("_role", json!(exchange.role.name()));
    if let Some(item) = exchange.item {
        fields.insert("_item", json!(item));
    }
    if let Some(error) = error {
        fields.insert("_error", json!(error));
    }
    Json::Object(fields)
}

/// A number from its digits, so that nothing is rounded.
fn milliseconds(micros: u64) -> Json {
    let text = format!("{}.{:03}", micros / 1000, micros % 1000);
    let digits = text.trim_end_matches('0').trim_end_matches('.');
    Json::parse(digits).unwrap_or_default()
}

fn request(request: &Request, role: Role) -> Json {
    let url = without_user(&request.url);
    let mut fields = Object::new();
    fields.insert("method", json!(request.method.as_str()));
    fields.insert("url", json!(url.as_str()));
    fields.insert("httpVersion", json!("HTTP/1.1"));
    fields.insert("cookies", json!([]));
    fields.insert("headers", headers(&request.headers));
    let query = url
        .query_pairs()
        .map(|(name, value)| json!({"name": name, "value": value}));
    fields.insert("queryString", query.collect::<Json>());
    if !request.body.is_empty() {
        let mime = header(&request.headers, "content-type").unwrap_or_default();
        let mut data = Object::from_iter([("mimeType", json!(mime))]);
        insert_body(&mut data, &request.body, "_encoding");
        fields.insert("postData", Json::Object(data));
    }
    fields.insert("headersSize", json!(-1));
    // The secrets of an authentication are replaced, so the length of the original would be wrong and tell too much.
    let sized = role == Role::Operation || request.body.is_empty();
    fields.insert(
        "bodySize",
        if sized {
            json!(request.body.len())
        } else {
            json!(-1)
        },
    );
    Json::Object(fields)
}

fn response(answer: &RecordedResponse) -> Json {
    // HAR requires a type even if the response has none; browsers write this one.
    let mime = header(&answer.headers, "content-type").unwrap_or("x-unknown");
    let redirect = header(&answer.headers, "location").unwrap_or_default();
    let size = match &answer.file {
        Some(file) => file.size,
        None => u64::try_from(answer.body.len()).unwrap_or(u64::MAX),
    };
    let mut content = Object::from_iter([("size", json!(size)), ("mimeType", json!(mime))]);
    match &answer.file {
        Some(file) => drop(content.insert("_file", json!(file.sha256))),
        None => insert_body(&mut content, &answer.body, "encoding"),
    }
    json!({
        "status": answer.status.as_u16(),
        "statusText": answer.status.canonical_reason().unwrap_or_default(),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&answer.headers),
        "content": content,
        "redirectURL": redirect,
        "headersSize": -1,
        "bodySize": size,
    })
}

fn no_response() -> Json {
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

fn insert_body(fields: &mut Object, body: &Bytes, encoding: &str) {
    if let Ok(text) = std::str::from_utf8(body) {
        fields.insert("text", json!(text));
    } else {
        fields.insert("text", json!(STANDARD.encode(body)));
        fields.insert(encoding, json!("base64"));
    }
}

fn headers(headers: &[(String, String)]) -> Json {
    headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// User and password in a URL are secrets that a recording does not need.
fn without_user(url: &Url) -> Url {
    let mut url = url.clone();
    // Both calls fail only for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
