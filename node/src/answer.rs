//! From an answer to the output or to a failure, split by who has to act.
//!
//! | answer | result |
//! | --- | --- |
//! | 2xx, code 200 or none | the document, as it came |
//! | 2xx, empty | `{}` |
//! | 2xx, code 401, 429, 500 to 599, other | unauthenticated, throttled, unavailable, rejected |
//! | 2xx, no JSON object or array | unintelligible, with its first words |
//! | 1xx | unintelligible: nobody asked for another protocol |
//! | 3xx | rejected; never followed |
//! | 401, 429, other 4xx | unauthenticated, throttled, rejected |
//! | 403, 409, 413, 420, 423, 425 with `Retry-After`; 403 with no request left | throttled |
//! | 408, 5xx, what is above | unavailable, outcome unknown |
//!
//! The code is the first scalar among `code`, `resultCode` and `status`, and 200 means success, as text or number.

use std::borrow::Cow;

use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::types::{Answer, Certainty, Failure, Outage, Throttle};
use crate::excerpt::cut;
use crate::http::{Broken, Headers, Response, Transport};
use crate::json::{self, Kind, Object};
use crate::wait;

/// The contract's limit for a service's own words.
const MAX_MESSAGE_CHARS: usize = 2_000;
/// Enough of a page of HTML to see which proxy wrote it.
const FIRST_WORDS_CHARS: usize = 200;

/// Send nothing, read everything: the outcome of one exchange as a JSON document, an object or an array.
pub fn read<T: Transport>(
    outcome: Result<Response, Broken>,
    base: &BaseUrl,
    transport: &T,
) -> Result<String, Failure> {
    let response = outcome.map_err(|broken| failure_of(broken, base))?;
    let (status, headers) = (response.status, response.headers);
    let body = text(response.body);
    let document = body.as_deref().map_err(Clone::clone).and_then(document);
    let envelope = document
        .as_ref()
        .ok()
        .and_then(|document| document.json.members.as_ref());
    let is_success = (200..300).contains(&status);
    let code = envelope.and_then(code);
    // The code decides where HTTP says that all is well, else the status does.
    let verdict = match (is_success, &code) {
        (false, _) => status,
        (true, Some(code)) => whole(code).unwrap_or(0),
        (true, None) => 200,
    };
    if is_success
        && verdict == 200
        && let Ok(document) = &document
    {
        return Ok(changed(document).unwrap_or_else(|| body.unwrap_or_default()));
    }
    let message = match (envelope.and_then(message), &document) {
        (Some(message), _) => message,
        (None, Err(why)) if is_success => Cow::Borrowed(why.as_str()),
        (None, _) => {
            let words = first_words(body.as_deref().unwrap_or_default());
            Cow::Owned(if words.is_empty() {
                format!("HTTP {status}")
            } else {
                format!("HTTP {status}: {words}")
            })
        }
    };
    let answer = Answer {
        status,
        code: code.map(Cow::into_owned),
        message: cut(&message, MAX_MESSAGE_CHARS),
        request_id: envelope
            .and_then(request_id)
            .map(Cow::into_owned)
            .or_else(|| headers.get("x-request-id")),
    };
    if is_success && document.is_err() {
        return Err(Failure::Unintelligible(answer));
    }
    Err(refusal(answer, is_success, verdict, &*headers, base, transport))
}

/// The document as it goes on, where that is not as it came.
fn changed(document: &Document) -> Option<String> {
    let mended = if document.json.has_escapes {
        json::mended(document.json.text)
    } else {
        Cow::Borrowed(document.json.text)
    };
    match mended {
        Cow::Borrowed(_) if document.is_all => None,
        mended => Some(mended.into_owned()),
    }
}

/// The item that a document makes: itself, a bare list as `data`, since an item is an object.
pub fn item(document: String) -> String {
    if json::kind(&document) == Kind::Object {
        document
    } else {
        format!("{{\"data\":{document}}}")
    }
}

/// The rows of a page, where the operation turns pages: `data` itself, its member `list`, or the bare document. An answer
/// without `data` has none; `data` in another shape is not understood.
pub fn rows<'a>(document: &'a str, list: &str) -> Result<Vec<&'a str>, Failure> {
    let mut rows = match json::kind(document) {
        Kind::Array => document,
        _ => json::object(document)
            .and_then(|envelope| envelope.get("data"))
            .unwrap_or("null"),
    };
    if let Some(data) = json::object(rows).filter(|data| !data.0.is_empty()) {
        rows = data.get(list).ok_or_else(|| no_rows(list, rows))?;
    }
    match json::kind(rows) {
        Kind::Null => Ok(Vec::new()),
        Kind::Object if json::compact(rows) == "{}" => Ok(Vec::new()),
        _ => json::elements(rows).ok_or_else(|| no_rows(list, rows)),
    }
}

fn no_rows(list: &str, found: &str) -> Failure {
    let found = first_words(found);
    let message = format!("expected rows in `data` or `data.{list}`, found `{found}`");
    Failure::Unintelligible(Answer {
        status: 200,
        code: None,
        message,
        request_id: None,
    })
}

/// The failure for an exchange that did not come to its end.
fn failure_of(broken: Broken, base: &BaseUrl) -> Failure {
    let outage = |certainty, why: &str| {
        let message = format!("no complete answer from {base}: {why}");
        Failure::Unavailable(Outage {
            certainty,
            message,
            answer: None,
            retry_after_ms: None,
        })
    };
    match broken {
        Broken::Denied(why) => Failure::Denied(why),
        Broken::Limit(why) => Failure::Limit(why),
        Broken::Unsendable(why) => Failure::InvalidInput(why),
        Broken::NotDone(why) => outage(Certainty::NotDone, &why),
        Broken::Unknown(why) => outage(Certainty::Unknown, &why),
        // 0, as in a recording: which status it had was not said.
        Broken::Undecodable(message) => Failure::Unintelligible(Answer {
            status: 0,
            code: None,
            message,
            request_id: None,
        }),
    }
}

/// The failure for an answer that is not a success.
fn refusal<T: Transport>(
    mut answer: Answer,
    is_envelope: bool,
    verdict: u16,
    headers: &dyn Headers,
    base: &BaseUrl,
    transport: &T,
) -> Failure {
    if verdict == 401 {
        return Failure::Unauthenticated(answer);
    }
    let is_status = |statuses: &[u16]| !is_envelope && statuses.contains(&verdict);
    let is_throttled = verdict == 429
        || is_status(&[403, 409, 413, 420, 423, 425])
            && (wait::asked_ms(headers, transport.now_ms()).is_some()
                || verdict == 403 && wait::is_none_left(headers));
    // A status of no class is as one of a service that failed (RFC 9110, section 15).
    let is_outage = (500..600).contains(&verdict) || is_status(&[408]) || !is_envelope && verdict >= 600;
    if is_throttled || is_outage {
        let retry_after_ms = wait::ms(headers, transport.now_ms());
        return if is_throttled {
            Failure::Throttled(Throttle {
                answer,
                retry_after_ms,
            })
        } else {
            unavailable(answer, retry_after_ms, base)
        };
    }
    let why = match verdict {
        _ if is_envelope => return Failure::Rejected(answer),
        ..=199 => return Failure::Unintelligible(answer),
        403 => "the credential may lack the permission".to_owned(),
        304 => "not modified, though there is nothing that it could be compared with".to_owned(),
        300..=399 if let Some(to) = headers.get("location") => format!(
            "redirected to `{}`, which is not followed",
            cut(&to, FIRST_WORDS_CHARS)
        ),
        _ => return Failure::Rejected(answer),
    };
    answer.message = cut(&format!("{why}: {}", answer.message), MAX_MESSAGE_CHARS);
    Failure::Rejected(answer)
}

fn unavailable(answer: Answer, retry_after_ms: Option<u32>, base: &BaseUrl) -> Failure {
    let message = format!("{base} failed: {}", answer.message);
    Failure::Unavailable(Outage {
        certainty: Certainty::Unknown,
        message,
        answer: Some(answer),
        retry_after_ms,
    })
}

/// The body as text. A byte order mark is legal to skip (RFC 8259, section 8.1).
fn text(body: Vec<u8>) -> Result<String, String> {
    let mut text = String::from_utf8(body).map_err(|error| {
        let words = first_words(&String::from_utf8_lossy(error.as_bytes()));
        format!("expected JSON in UTF-8, found bytes of another charset: `{words}`")
    })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

/// What a body says.
struct Document<'a> {
    json: json::Read<'a>,
    /// Whether nothing stands around it.
    is_all: bool,
}

/// A body, which must be an object or array; an empty one is an empty object.
fn document(body: &str) -> Result<Document<'_>, String> {
    let found = || format!("found `{}`", first_words(body));
    let json = match json::read(body) {
        Err(_) if body.trim().is_empty() => json::Read {
            text: "{}",
            members: None,
            has_escapes: false,
        },
        json => json.map_err(|why| format!("expected JSON, {}: {why}", found()))?,
    };
    match json::kind(json.text) {
        Kind::Object | Kind::Array => Ok(Document {
            is_all: std::ptr::eq(json.text, body),
            json,
        }),
        _ => Err(format!("expected a JSON object or array, {}", found())),
    }
}

/// The first words of what was not understood, on one line.
fn first_words(body: &str) -> String {
    // Only as much is looked at as can be shown, however long the body is.
    let start: String = body.chars().take(FIRST_WORDS_CHARS * 4).collect();
    let words: Vec<&str> = start
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    cut(&words.join(" "), FIRST_WORDS_CHARS)
}

fn code<'a>(envelope: &Object<'a>) -> Option<Cow<'a, str>> {
    first(envelope, &["code", "resultCode", "status"], |kind| {
        matches!(kind, Kind::Text | Kind::Number | Kind::Boolean)
    })
}

fn message<'a>(envelope: &Object<'a>) -> Option<Cow<'a, str>> {
    first(envelope, &["msg", "message", "resultMessage"], |kind| {
        kind == Kind::Text
    })
}

fn request_id<'a>(envelope: &Object<'a>) -> Option<Cow<'a, str>> {
    first(envelope, &["requestId", "traceId"], |kind| {
        matches!(kind, Kind::Text | Kind::Number)
    })
}

fn first<'a>(
    envelope: &Object<'a>,
    names: &[&str],
    is_wanted: impl Fn(Kind) -> bool,
) -> Option<Cow<'a, str>> {
    let raw = names
        .iter()
        .filter_map(|name| envelope.get(name))
        .find(|raw| is_wanted(json::kind(raw)))?;
    Some(json::string(raw).unwrap_or(Cow::Borrowed(raw)))
}

/// A code as a number, where it is one: `200`, `"200"` and `200.0` are the same.
fn whole(code: &str) -> Option<u16> {
    if let Ok(code) = code.parse() {
        return Some(code);
    }
    let (digits, fraction) = code.trim().split_once('.').unwrap_or((code.trim(), ""));
    fraction
        .bytes()
        .all(|b| b == b'0')
        .then(|| digits.parse().ok())
        .flatten()
}
