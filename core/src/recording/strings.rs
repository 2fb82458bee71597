//! Visits every text of a document, for redaction: values, keys, digits, and base64 contents.

use std::borrow::Cow;

use crate::json::Json;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The fields that mark a body's `text` as base64.
pub(super) const ENCODINGS: [&str; 2] = ["encoding", "_encoding"];

pub(super) fn any(value: &Json, found: &mut dyn FnMut(&str) -> bool) -> bool {
    match value {
        Json::Null | Json::Bool(_) => false,
        Json::Number(number) => found(number.as_str()),
        Json::String(text) => found(text),
        Json::Array(list) => list.iter().any(|element| any(element, found)),
        Json::Object(fields) => {
            decoded(value).is_some_and(|text| found(&text))
                || fields.iter().any(|(key, field)| found(key) || any(field, found))
        }
    }
}

pub(super) fn map(value: &mut Json, change: &mut dyn for<'a> FnMut(&'a str) -> Cow<'a, str>) {
    match value {
        Json::Null | Json::Bool(_) => {}
        Json::Number(number) => {
            if let Some(text) = changed(number.as_str(), change) {
                *value = Json::String(text);
            }
        }
        Json::String(text) => {
            if let Some(new) = changed(text, change) {
                *text = new;
            }
        }
        Json::Array(list) => list.iter_mut().for_each(|element| map(element, change)),
        Json::Object(_) => {
            let text = decoded(value).and_then(|text| changed(&text, change));
            if let (Some(text), Some(fields)) = (text, value.as_object_mut()) {
                for encoding in ENCODINGS {
                    fields.remove(encoding);
                }
                fields.insert("text".to_owned(), Json::String(text));
            }
            if let Some(fields) = value.as_object_mut() {
                let renamed = std::mem::take(fields).into_iter().map(|(key, mut field)| {
                    map(&mut field, change);
                    (changed(&key, change).unwrap_or(key), field)
                });
                *fields = renamed.collect();
            }
        }
    }
}

fn changed(text: &str, change: &mut dyn for<'a> FnMut(&'a str) -> Cow<'a, str>) -> Option<String> {
    let new = change(text);
    (new != text).then(|| new.into_owned())
}

/// Decodes a base64 body. A secret inside can have any of three offsets, so a search of the base64 text would miss it.
fn decoded(value: &Json) -> Option<String> {
    let is_base64 = |name| value.get(name).and_then(Json::as_str) == Some("base64");
    if !ENCODINGS.into_iter().any(is_base64) {
        return None;
    }
    let bytes = STANDARD.decode(value.get("text")?.as_str()?).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
