//! Reads one level of a JSON text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json::Json;

/// What a JSON text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonKind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

/// What a JSON text is, by its first byte. The text is valid and has no white space before it.
pub(super) fn kind(raw: &str) -> JsonKind {
    match raw.as_bytes().first() {
        Some(b'{') => JsonKind::Object,
        Some(b'[') => JsonKind::List,
        Some(b'"') => JsonKind::Text,
        Some(b't' | b'f') => JsonKind::Boolean,
        Some(b'n') => JsonKind::Null,
        _ => JsonKind::Number,
    }
}

/// A text, copied only if it contains escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The content of a JSON string. `None` for other JSON, and for half of a surrogate pair.
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let content = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', content.as_bytes()).is_none() {
        return Some(Cow::Borrowed(content));
    }
    serde_json::from_str(raw).ok().map(|Text(text)| text)
}

/// The content of a text, or the letters of a number or boolean.
pub(super) fn form(raw: &str) -> Option<Cow<'_, str>> {
    match kind(raw) {
        JsonKind::Text => string(raw),
        JsonKind::Number | JsonKind::Boolean => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

/// As [`form`], of a value of the description.
pub(super) fn form_of(value: &Json) -> Cow<'_, str> {
    match value {
        Json::String(text) => Cow::Borrowed(text),
        Json::Number(number) => Cow::Borrowed(number.as_str()),
        other => Cow::Owned(other.to_string()),
    }
}

/// Whether it is a text of nothing but white space.
pub(super) fn is_blank_text(raw: &str) -> bool {
    match raw.as_bytes() {
        // Most texts are seen not to be blank by their first letter.
        [b'"', first, ..] if first.is_ascii_alphanumeric() => false,
        [b'"', ..] => string(raw).is_some_and(|text| text.trim().is_empty()),
        _ => false,
    }
}

/// Whether it is `{}` or `[]`, with any white space inside.
pub(super) fn is_empty(raw: &str) -> bool {
    let inside = match kind(raw) {
        JsonKind::Object => raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')),
        JsonKind::List => raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']')),
        _ => None,
    };
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// Calls `member` with the name and the JSON text of each member, in order. `None` if the text is not a JSON object that
/// can be read.
pub(super) fn each_member<'a>(text: &'a str, member: impl FnMut(&str, &'a str)) -> Option<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Members(member).deserialize(&mut reader).ok()?;
    reader.end().ok()
}

/// The last member of this name, as JavaScript reads it.
pub(super) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    each_member(object, |key, value| {
        if key == name {
            found = Some(value);
        }
    })?;
    found
}

/// The elements of a list; `None` for other JSON.
pub(super) fn elements(raw: &str) -> Option<Vec<&str>> {
    if kind(raw) != JsonKind::List {
        return None;
    }
    let elements: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

struct Members<F>(F);

impl<'a, F: FnMut(&str, &'a str)> DeserializeSeed<'a> for Members<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'a, F: FnMut(&str, &'a str)> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'a>>(mut self, mut members: M) -> Result<(), M::Error> {
        while let Some(Text(name)) = members.next_key()? {
            self.0(&name, members.next_value::<&'a RawValue>()?.get());
        }
        Ok(())
    }
}
