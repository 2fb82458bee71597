//! The control endpoints below `/_simulator/`, for tests that run the binary. They need no token, have no faults and do
//! not count as API requests. [The crate](crate) lists them.

use http::request::Parts;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::json;

use crate::api::Api;
use crate::envelope::{Answer, JSON};
use crate::faults::Rule;

/// The prefix of all their paths.
pub(crate) const PREFIX: &str = "/_simulator/";

pub(crate) fn answer(api: &Api, parts: &Parts, body: &[u8]) -> Answer {
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (parts.method.as_str(), path) {
        ("GET", "requests") => as_json(&api.log.requests()),
        ("DELETE", "requests") => {
            api.log.clear();
            done()
        }
        ("GET", "ledger") => as_json(&api.story.ledger()),
        ("GET", "faults") => as_json(&api.faults.state()),
        ("POST", "faults") => match read_rules(body).and_then(|rules| {
            let count = rules.len();
            api.faults.add(rules).map_err(|error| error.to_string())?;
            Ok(count)
        }) {
            Ok(count) => as_json(&json!({ "added": count })),
            Err(message) => refused(StatusCode::BAD_REQUEST, &message),
        },
        ("DELETE", "faults") => {
            api.faults.clear();
            done()
        }
        ("POST", "tokens/expire") => match parts.uri.query() {
            None | Some("keep=refresh") => {
                api.auth.revoke(parts.uri.query().is_some());
                done()
            }
            Some(query) => refused(
                StatusCode::BAD_REQUEST,
                &format!("expected `keep=refresh`, found `{query}`"),
            ),
        },
        ("GET", "stats") => as_json(&api.stats()),
        (method, path) => match path.strip_prefix("balance/") {
            Some(card_no) if method == Method::GET => balance(api, card_no),
            _ => refused(StatusCode::NOT_FOUND, "there is no such control endpoint"),
        },
    }
}

fn balance(api: &Api, card_no: &str) -> Answer {
    let card_no = percent_decode_str(card_no).decode_utf8_lossy();
    match api.story.balance(&card_no) {
        // The balance is a decimal, which is already valid as a JSON number.
        Some(balance) => Answer::new(StatusCode::OK, JSON, format!("{{\"balance\":{balance}}}")),
        None => refused(StatusCode::NOT_FOUND, &format!("there is no member `{card_no}`")),
    }
}

/// Reads one rule, or a list of rules.
fn read_rules(body: &[u8]) -> Result<Vec<Rule>, String> {
    let read = if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice(body)
    } else {
        serde_json::from_slice(body).map(|rule| vec![rule])
    };
    read.map_err(|error| format!("the body is no rule: {error}"))
}

fn as_json(value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => Answer::new(StatusCode::OK, JSON, text),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn done() -> Answer {
    Answer {
        status: StatusCode::NO_CONTENT,
        headers: Vec::new(),
        body: bytes::Bytes::new(),
    }
}

fn refused(status: StatusCode, message: &str) -> Answer {
    Answer::new(status, JSON, json!({ "error": message }).to_string())
}
