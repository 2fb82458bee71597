//! A checked value, in the form that goes on the wire, and how a message says what was found.

use std::borrow::Cow;

use super::kind::{Id, Kind};
use super::parameter::{Parameter, Scalar};
use crate::excerpt::shown;
use crate::json;

/// A checked value, in the form that goes on the wire.
#[derive(Debug)]
pub enum Value<'a> {
    /// A JSON string with this content.
    Text(Cow<'a, str>),
    /// Any other JSON, as its compact text.
    Literal(Cow<'a, str>),
}

impl Value<'_> {
    /// JSON that is no string, as its compact text.
    pub fn literal(json: String) -> Self {
        Self::Literal(Cow::Owned(json))
    }

    /// Any JSON.
    pub(crate) fn of_json(json: &str) -> Self {
        match json::string(json) {
            Some(text) => Self::Text(Cow::Owned(text.into_owned())),
            None => Self::literal(json.to_owned()),
        }
    }

    pub(crate) fn of(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Text(text) => Self::Text(Cow::Borrowed(text)),
            scalar => Self::Literal(scalar.text()),
        }
    }

    /// Whether it is that constant.
    pub fn is(&self, scalar: Scalar) -> bool {
        match (self, scalar) {
            (Self::Text(text), Scalar::Text(constant)) => text == constant,
            (Self::Literal(json), Scalar::Int(constant)) if is_int(json, constant) => true,
            // A list has the value that it contains.
            (Self::Literal(json), scalar) if json.starts_with('[') => {
                let elements = json::elements(json).unwrap_or_default();
                elements.contains(&scalar.json().as_str())
            }
            (Self::Literal(json), Scalar::Bool(true)) => json == "true",
            (Self::Literal(json), scalar) => *json == scalar.json(),
            _ => false,
        }
    }

    /// As it stands in a path, a query or a header.
    pub fn plain(&self) -> &str {
        match self {
            Value::Text(text) | Value::Literal(text) => text,
        }
    }

    /// As it stands in a body of JSON.
    pub fn push_json(&self, json: &mut String) {
        match self {
            Value::Text(text) => json::push_quoted(json, text),
            Value::Literal(literal) => json.push_str(literal),
        }
    }
}

/// Whether these are the digits of that number, without another copy of them.
pub(crate) fn is_int(digits: &str, number: i32) -> bool {
    digits.parse() == Ok(number) && !digits.starts_with('+')
}

/// A parameter that has a value.
pub struct Field<'a> {
    /// The parameter.
    pub parameter: &'static Parameter,
    /// Its value.
    pub value: Value<'a>,
}

/// The parameters that have a value, in the operation's order.
pub type Fields<'a> = Vec<Field<'a>>;

/// The value of a parameter.
pub fn find<'f, 'a>(fields: &'f [Field<'a>], name: &str) -> Option<&'f Value<'a>> {
    fields
        .iter()
        .find(|field| field.parameter.name == name)
        .map(|field| &field.value)
}

/// Whether a value says that there is none.
pub(crate) fn is_blank(kind: &Kind, raw: &str) -> bool {
    match json::kind(raw) {
        json::Kind::Null => true,
        json::Kind::Text => match raw.as_bytes() {
            // Most texts are seen not to be by their first letter.
            [b'"', first, ..] if first.is_ascii_alphanumeric() => false,
            _ => json::string(raw).is_some_and(|text| text.trim().is_empty()),
        },
        // What an engine stores for rows before the first one is added.
        json::Kind::Array | json::Kind::Object if kind.id() == Id::Rows => {
            matches!(json::compact(raw).as_ref(), "{}" | "[]")
        }
        _ => false,
    }
}

/// What was given, for a message: a text in quotes, other JSON in back-ticks, the beginning of what is long.
pub(crate) fn found(raw: &str) -> Cow<'_, str> {
    let compact = shown(&json::compact(raw));
    if json::kind(raw) == json::Kind::Text {
        compact.into()
    } else {
        format!("`{compact}`").into()
    }
}
