//! The envelope that answers come in: a code, a message and `data`.
//!
//! The code is the first scalar among `code`, `resultCode` and `status`, and 200 means success, as text or number. It decides
//! where HTTP says that all is well: 401, 429 and 500 to 599 mean what they mean as a status, any other is a rejection.

use nodule_sdk::json::{self, Kind, Part};
use nodule_sdk::pages::page_increment;
use nodule_sdk::prelude::*;
use nodule_sdk::{Verdict, pages::words};

pub const ERRORS: Errors = errors(&["/msg", "/message", "/resultMessage"])
    .code(&["/code", "/resultCode", "/status"])
    .request_id(&["/requestId", "/traceId"])
    .judged(|_, code| match whole(code) {
        Some(200) => Verdict::Success,
        Some(401) => Verdict::Unauthenticated,
        Some(429) => Verdict::Throttled,
        Some(500..=599) => Verdict::Unavailable,
        _ => Verdict::Rejected,
    });

/// What public material attests of an answer: names of the envelope, and that `data` may be an object, an array or absent.
const MEMBERS: &str = concat!(
    r#""type":"object","properties":{"#,
    r#""code":{"description":"The service's code; 200 is success"},"#,
    r#""resultCode":{"description":"Another spelling of the code"},"#,
    r#""status":{"description":"Another spelling of the code"},"#,
    r#""msg":{"description":"The service's message"},"#,
    r#""message":{"description":"Another spelling of the message"},"#,
    r#""resultMessage":{"description":"Another spelling of the message"},"#,
    r#""data":{"description":"What was asked for","type":["object","array","null"]}}"#,
);

/// The whole answer is the item.
pub const ANSWER: Output = answer().schema(&[MEMBERS]);

/// The whole answer; with `returnAll` one item per row, the rows being `data` itself or `data.list`.
pub const PAGES: Output = pages_by(rows, page_increment()).whole().schema(&[
    r#""anyOf":[{"description":"The whole answer","#,
    MEMBERS,
    r#"},{"description":"One row of `data.list`, or of `data` where that is the list, with `returnAll`","type":"object"}]"#,
]);

/// The rows of a page: `data` itself, its member `list`, or the bare document. An answer without `data` has none; `data` in
/// another shape is not understood.
fn rows<'a>(_: &str, document: Part<'a>) -> Result<Vec<&'a str>, String> {
    let unknown = |found| format!("expected rows in `data` or `data.list`, found `{}`", words(found));
    let mut rows = match json::kind(document.text) {
        Kind::Array => document.text,
        _ => document.at("/data").unwrap_or("null"),
    };
    if let Some(data) = document.part(rows).object().filter(|data| !data.0.is_empty()) {
        rows = data.get("list").ok_or_else(|| unknown(rows))?;
    }
    match json::kind(rows) {
        Kind::Null => Ok(Vec::new()),
        Kind::Object if json::compact(rows) == "{}" => Ok(Vec::new()),
        _ => document.part(rows).elements().ok_or_else(|| unknown(rows)),
    }
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
