//! JSON as the texts that it is made of.
//!
//! The node never builds a tree of values: it takes a document apart into the texts of its members, looks at what it
//! must, and passes the rest on as it came. So digits, the order of keys, unknown fields and keys that mean something to
//! a JSON library (`$serde_json::private::Number`) arrive unchanged, and an answer of a megabyte is not built twice.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper documents are refused: most JSON readers after us would refuse, or overflow their stack.
pub const MAX_DEPTH: usize = 128;

/// What a JSON text is, seen from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    Array,
    Object,
}

/// The members of an object, in their order: name and JSON text.
#[derive(Debug)]
pub struct Object<'a>(pub Vec<(String, &'a str)>);

impl<'a> Object<'a> {
    /// The text of a member; the last of several with the same name, as JavaScript reads it.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, raw)| *raw)
    }
}

/// What a JSON text is; `text` must be one, without blanks in front.
pub fn kind(text: &str) -> Kind {
    match text.as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// Check that `text` is one JSON document of bearable depth, and give it without the blanks around it.
pub fn document(text: &str) -> Result<&str, String> {
    if is_too_deep(text) {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    serde_json::from_str::<&RawValue>(text).map(RawValue::get).map_err(|error| error.to_string())
}

/// The members of an object. Nothing, where `text` is another kind of JSON.
pub fn object(text: &str) -> Option<Object<'_>> {
    serde_json::Deserializer::from_str(text).deserialize_map(Members).ok()
}

/// The elements of an array. Nothing, where `text` is another kind of JSON.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// The content of a JSON string. Nothing, where `text` is another kind of JSON or holds half a surrogate pair.
pub fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// A text as JSON, quotes included.
pub fn quote(text: &str) -> String {
    // A text always has a JSON form, so that there is no error to speak of.
    serde_json::to_string(text).unwrap_or_default()
}

/// A JSON text without the blanks between its tokens.
pub fn compact(text: &str) -> Cow<'_, str> {
    if !text.contains([' ', '\t', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut place = Place::Between;
    Cow::Owned(
        text.chars()
            .filter(|&c| {
                place = place.after(c);
                place != Place::Between || !c.is_ascii_whitespace()
            })
            .collect(),
    )
}

fn is_too_deep(text: &str) -> bool {
    let mut depth = 0usize;
    let mut place = Place::Between;
    text.bytes().any(|b| {
        place = place.after(char::from(b));
        match b {
            b'{' | b'[' if place == Place::Between => depth += 1,
            b'}' | b']' if place == Place::Between => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

/// Where in a document a character stands: the little that must be known to tell structure from strings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Between,
    InString,
    AfterBackslash,
}

impl Place {
    const fn after(self, c: char) -> Self {
        match (self, c) {
            (Self::Between, '"') | (Self::AfterBackslash, _) => Self::InString,
            (Self::InString, '\\') => Self::AfterBackslash,
            (Self::InString, '"') => Self::Between,
            (place, _) => place,
        }
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
            members.push((name, raw.get()));
        }
        Ok(Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_texts_order_and_magic_keys() {
        let text = r#"{"b": 1.50, "$serde_json::private::Number": "x", "a": {"$serde_json::private::RawValue":"[1]"}, "b":2}"#;
        let object = object(text).unwrap();
        let names: Vec<_> = object.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "$serde_json::private::Number", "a", "b"]);
        assert_eq!(object.get("b"), Some("2"));
        assert_eq!(object.get("a"), Some(r#"{"$serde_json::private::RawValue":"[1]"}"#));
        assert_eq!(object.get("c"), None);
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(document(&nested(MAX_DEPTH)).is_ok());
        assert!(document(&nested(MAX_DEPTH + 1)).unwrap_err().contains("128"));
        assert!(document(&nested(1_000_000)).unwrap_err().contains("128"));
        assert!(document(&quote(&"[\"\\".repeat(500))).is_ok());
    }

    #[test]
    fn compact_leaves_strings_alone() {
        assert_eq!(compact("{ \"a b\\\" \" :\n[ 1 , 2 ] }"), "{\"a b\\\" \":[1,2]}");
        assert_eq!(compact("{\"a\":1}"), "{\"a\":1}");
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in ["", "{", "[1,]", "{'a':1}", "1 2", "nul", "\u{feff}{}", "{\"a\":01}"] {
            assert!(document(text).is_err(), "{text:?}");
        }
        assert_eq!(document(" {} \n"), Ok("{}"));
    }
}
