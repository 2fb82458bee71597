//! Applies an action to the response of a request.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::envelope::{Answer, JSON, Reply};
use crate::faults::{Action, LONGEST_WAIT};
use crate::wire::{Script, Step};

mod oversized;

/// How a response is delivered.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Through hyper.
    Whole(Answer),
    /// On the bare socket.
    Raw(Script),
}

/// Applies `action` to `answer`, which has the configured spelling; `write` writes another reply in that spelling.
pub(crate) fn apply(action: Action, answer: Answer, write: impl Fn(Reply) -> Answer) -> Delivery {
    match script(&action, &answer) {
        Some(script) => Delivery::Raw(script),
        None => Delivery::Whole(reshape(action, answer, write)),
    }
}

/// Replaces or changes the response, for actions that HTTP can express.
fn reshape(action: Action, answer: Answer, write: impl Fn(Reply) -> Answer) -> Answer {
    match action {
        Action::Status {
            code,
            retry_after,
            body,
        } => {
            let status = status(code);
            let mut failed = match body {
                Some(body) => Answer::new(status, JSON, body),
                None => write(Reply::status(
                    status,
                    status.canonical_reason().unwrap_or("failed"),
                )),
            };
            if let Some(value) = retry_after.and_then(|text| HeaderValue::from_str(&text).ok()) {
                failed = failed.with(RETRY_AFTER, value);
            }
            failed
        }
        Action::EnvelopeError { code, message } => write(Reply::error(code, message)),
        Action::Html { status: code } => {
            const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head>\
                <body><h1>The service is away</h1></body></html>\n";
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            Answer::new(status(code), html, PAGE)
        }
        Action::Text { text } => {
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            Answer::new(StatusCode::OK, plain, text)
        }
        Action::Redirect {
            location,
            status: code,
        } => {
            let redirected = Answer {
                status: status(code),
                headers: Vec::new(),
                body: Bytes::new(),
            };
            let location = HeaderValue::from_str(&location).unwrap_or(HeaderValue::from_static("/"));
            redirected.with(LOCATION, location)
        }
        Action::TruncatedJson => {
            let half = half(&answer);
            Answer { body: half, ..answer }
        }
        Action::WrongCharset { declared } => in_gbk(answer, declared),
        Action::EmptyBody => Answer {
            body: Bytes::new(),
            ..answer
        },
        Action::NoContent => Answer {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            body: Bytes::new(),
        },
        Action::DeepNesting { depth } => {
            let depth = usize::try_from(depth).unwrap_or(usize::MAX);
            write(Reply {
                data: Some([vec![b'['; depth], vec![b']'; depth]].concat()),
                ..Reply::empty()
            })
        }
        // Actions that have already changed the reply, and actions with a script.
        _ => answer,
    }
}

/// The script for an action that HTTP cannot express.
fn script(action: &Action, answer: &Answer) -> Option<Script> {
    let ms = |time: &u64| Duration::from_millis(*time);
    let length = u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
    let head = Bytes::from(answer.head(Some(length)));
    let body = answer.body.clone();
    let half = [Step::Write(head.clone()), Step::Write(half(answer))];
    Some(Script(match action {
        Action::ResetBeforeReading | Action::ResetBeforeActing | Action::ResetAfterActing => {
            vec![Step::Reset]
        }
        Action::AcceptThenSilence { ms: time } | Action::Silence { ms: time } => {
            vec![Step::Silence(ms(time))]
        }
        Action::ResetMidAnswer => [half.as_slice(), &[Step::Reset]].concat(),
        Action::CloseMidAnswer => half.to_vec(),
        Action::SilenceMidAnswer { ms: time } => [half.as_slice(), &[Step::Silence(ms(time))]].concat(),
        Action::CloseAfterAnswer { reset: false } => vec![Step::Write(head), Step::Write(body)],
        Action::CloseAfterAnswer { reset: true } => vec![Step::Write(head), Step::Write(body), Step::Reset],
        Action::DripHeader { ms: pause } => vec![Step::Drip(head, ms(pause)), Step::Write(body)],
        Action::DripBody { ms: pause } => vec![Step::Write(head), Step::Drip(body, ms(pause))],
        Action::WrongContentLength { by } => {
            let head = answer.head(Some(length.saturating_add_signed(*by)));
            // If the length promises too much, the connection stays open; otherwise the fault would be just a closed
            // connection.
            let wait = if *by > 0 { LONGEST_WAIT } else { Duration::ZERO };
            vec![Step::Write(head.into()), Step::Write(body), Step::Silence(wait)]
        }
        Action::ManyHeaders { count, size } => {
            // hyper would refuse to build so many headers.
            let head = filled(answer, *count, *size).head(Some(length));
            vec![Step::Write(head.into()), Step::Write(body)]
        }
        Action::EndlessBody => oversized::endless(),
        Action::LargeBody { bytes } => oversized::large(*bytes),
        Action::GzipBomb { bytes } => oversized::bomb(*bytes),
        Action::Raw { text } => vec![Step::Write(text.clone().into())],
        _ => return None,
    }))
}

fn filled(answer: &Answer, count: u32, size: u32) -> Answer {
    let value = HeaderValue::from_str(&"x".repeat(usize::try_from(size).unwrap_or(usize::MAX)));
    let value = value.unwrap_or(HeaderValue::from_static("x"));
    let mut filled = answer.clone();
    let names = (0..count).filter_map(|index| HeaderName::try_from(format!("x-filler-{index}")).ok());
    filled.headers.extend(names.map(|name| (name, value.clone())));
    filled
}

fn status(code: u16) -> StatusCode {
    // Adding a rule with any other code fails.
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn half(answer: &Answer) -> Bytes {
    answer.body.slice(..answer.body.len() / 2)
}

/// The response with a message in GBK: 0xB3C9 0xB9A6 means "success" and is not valid UTF-8.
fn in_gbk(mut answer: Answer, declared: Option<String>) -> Answer {
    const MESSAGE: &[u8] = b"{\"code\":\"200\",\"msg\":\"\xB3\xC9\xB9\xA6\",\"data\":{}}";
    let declared = declared.map(|charset| format!("application/json; charset={charset}"));
    let content_type = declared
        .and_then(|text| HeaderValue::from_str(&text).ok())
        .unwrap_or(JSON);
    answer.headers.retain(|(name, _)| name != CONTENT_TYPE);
    answer.body = Bytes::from_static(MESSAGE);
    answer.with(CONTENT_TYPE, content_type)
}
