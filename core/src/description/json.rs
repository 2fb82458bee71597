//! JSON documents inside a description, which the contract carries as texts.

use crate::json::Json;

use super::DescriptionProblem;
use super::bounds::{MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_JSON_VALUES};
use super::text::quoted;

/// Parses one JSON document of a description, keeping all digits of its numbers. `at` is its location for messages
/// (`operation member.get, output schema`).
///
/// # Errors
///
/// A text above [`MAX_JSON_BYTES`] or of more than [`MAX_JSON_VALUES`] values, one that is not JSON (RFC 8259), or one
/// nested deeper than [`MAX_JSON_DEPTH`].
pub fn parse_json(text: &str, at: &str) -> Result<Json, DescriptionProblem> {
    if text.len() > MAX_JSON_BYTES {
        let message = format!(
            "expected at most {MAX_JSON_BYTES} bytes of JSON, found {}",
            text.len()
        );
        return Err(DescriptionProblem::new(at, message));
    }
    if values_in(text) > MAX_JSON_VALUES {
        let message = format!("expected at most {MAX_JSON_VALUES} values of JSON, found more");
        return Err(DescriptionProblem::new(at, message));
    }
    let value = Json::parse(text).map_err(|error| {
        DescriptionProblem::new(at, format!("expected JSON, found {}: {error}", quoted(text)))
    })?;
    match faults(&value) {
        Some(message) => Err(DescriptionProblem::new(at, message)),
        None => Ok(value),
    }
}

/// What is wrong with a parsed document: its depth, or a key that JavaScript would misinterpret.
///
/// The walk uses an explicit stack instead of recursion, because the depth is not yet known to be safe.
pub(super) fn faults(value: &Json) -> Option<String> {
    let mut open = vec![(value, 1_usize)];
    while let Some((value, depth)) = open.pop() {
        if depth > MAX_JSON_DEPTH && matches!(value, Json::Array(_) | Json::Object(_)) {
            return Some(format!(
                "expected at most {MAX_JSON_DEPTH} levels of JSON, found more"
            ));
        }
        match value {
            Json::Array(elements) => open.extend(elements.iter().map(|element| (element, depth + 1))),
            Json::Object(members) => {
                // In JavaScript, assigning this key changes what the object inherits.
                if members.contains_key("__proto__") {
                    return Some("the key `__proto__` is not allowed in JSON here".to_owned());
                }
                open.extend(members.values().map(|member| (member, depth + 1)));
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    None
}

/// Counts the values of a JSON text before it is parsed, and never counts fewer than parsing creates. An empty list or
/// object may count as two. The result for text that is not JSON has no meaning.
#[must_use]
pub fn values_in(text: &str) -> usize {
    let mut values = 1;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' | b',' => values += 1,
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    values
}

/// Skips the rest of a string.
fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
}

/// The size of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Bytes of its texts, plus a few bytes for each value.
    pub(super) bytes: usize,
    /// Number of texts, numbers, lists and objects.
    pub(super) values: usize,
}

impl std::ops::AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.values = self.values.saturating_add(other.values);
    }
}

/// Measures a document.
pub(super) fn weight(value: &Json) -> Weight {
    const EACH: usize = 8;
    let mut values = 0;
    let mut total = 0;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        values += 1;
        total += EACH;
        match value {
            Json::Array(elements) => open.extend(elements),
            Json::Object(members) => {
                total += members.keys().map(String::len).sum::<usize>();
                open.extend(members.values());
            }
            Json::String(text) => total += text.len(),
            Json::Number(number) => total += number.as_str().len(),
            Json::Null | Json::Bool(_) => {}
        }
    }
    Weight { bytes: total, values }
}

/// Whether this is a scalar in the contract's sense.
pub(super) fn is_scalar(value: &Json) -> bool {
    matches!(value, Json::String(_) | Json::Number(_) | Json::Bool(_))
}

/// Describes a value for `expected …, found …`, including the value itself if it is short.
pub(super) fn found(value: &Json) -> String {
    match value {
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        Json::String(text) => format!("the text {}", quoted(text)),
        Json::Null | Json::Bool(_) | Json::Number(_) => quoted(&value.to_string()),
    }
}
