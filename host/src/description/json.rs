//! JSON documents inside a description, which the contract carries as texts.

use serde_json::Value;

use super::Problem;
use super::limits::{MAX_JSON_BYTES, MAX_JSON_DEPTH};
use super::text::quoted;

/// Parses one JSON document of a description; `at` is where it stands, for the message (`operation member.get,
/// output schema`). Numbers keep all their digits.
///
/// # Errors
///
/// A text above [`MAX_JSON_BYTES`], one that is not JSON (RFC 8259), or one nested deeper than [`MAX_JSON_DEPTH`].
pub fn parse_json(text: &str, at: &str) -> Result<Value, Problem> {
    if text.len() > MAX_JSON_BYTES {
        let message = format!(
            "expected at most {MAX_JSON_BYTES} bytes of JSON, found {}",
            text.len()
        );
        return Err(Problem::new(at, message));
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Problem::new(at, format!("expected JSON, found {}: {error}", quoted(text))))?;
    match faults(&value) {
        Some(message) => Err(Problem::new(at, message)),
        None => Ok(value),
    }
}

/// What is wrong with a document that parses: its depth, or a key that JavaScript would take for something else.
///
/// Walks with a list of its own, since the depth is what it looks for.
pub(super) fn faults(value: &Value) -> Option<String> {
    let mut open = vec![(value, 1_usize)];
    while let Some((value, depth)) = open.pop() {
        if depth > MAX_JSON_DEPTH && matches!(value, Value::Array(_) | Value::Object(_)) {
            return Some(format!(
                "expected at most {MAX_JSON_DEPTH} levels of JSON, found more"
            ));
        }
        match value {
            Value::Array(elements) => open.extend(elements.iter().map(|element| (element, depth + 1))),
            Value::Object(members) => {
                // Assigned to an object in JavaScript, this key changes what the object inherits.
                if members.contains_key("__proto__") {
                    return Some("the key `__proto__` is not allowed in JSON here".to_owned());
                }
                open.extend(members.values().map(|member| (member, depth + 1)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    None
}

/// Bytes that a document takes in memory, roughly: its texts, and a constant for each value.
pub(super) fn weight(value: &Value) -> usize {
    const EACH: usize = 8;
    let mut total = 0;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        total += EACH;
        match value {
            Value::Array(elements) => open.extend(elements),
            Value::Object(members) => {
                total += members.keys().map(String::len).sum::<usize>();
                open.extend(members.values());
            }
            Value::String(text) => total += text.len(),
            Value::Number(number) => total += number.as_str().len(),
            Value::Null | Value::Bool(_) => {}
        }
    }
    total
}

/// Whether this is what the contract calls a scalar.
pub(super) fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

/// What a value is, for `expected …, found …`, with the value itself where it is short.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) => format!("the text {}", quoted(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => quoted(&value.to_string()),
    }
}
