//! Texts, and lists of them.

use std::borrow::Cow;

use super::{Accepted, Id, Kind, Of};
use crate::bindings::exports::workflow::node::description as contract;
use crate::json;
use crate::table::parameter::Parameter;
use crate::table::value::Value;

/// A text, or a number, whose digits are the text.
pub const fn text(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&TEXT))
}

/// A text of several lines.
pub const fn multiline(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&MULTILINE))
}

/// A text that no message repeats.
pub const fn secret(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&SECRET))
}

/// A list of texts.
pub const fn texts(name: &'static str, label: &'static str) -> Parameter {
    super::values(name, label, &ANY_TEXT)
}

const ANY_TEXT: Parameter = text("text", "Text");

static TEXT: Of = Of {
    id: Id::Text,
    encoding: "",
    accept: |_, _, raw, _| accept(raw),
    expected: |_, _| Cow::Borrowed("a text"),
    describe: |_, _| contract::Kind::Text,
};

static MULTILINE: Of = Of {
    id: Id::Text,
    encoding: "",
    accept: |_, _, raw, _| accept(raw),
    expected: |_, _| Cow::Borrowed("a text"),
    describe: |_, _| contract::Kind::Multiline,
};

static SECRET: Of = Of {
    id: Id::Secret,
    encoding: "",
    accept: |_, _, raw, _| accept(raw),
    expected: |_, _| Cow::Borrowed("a secret text"),
    describe: |_, _| contract::Kind::Secret,
};

fn accept(raw: &str) -> Accepted<'_> {
    of(json::kind(raw), raw).map(Value::Text).into()
}

/// A text, or a number's digits.
pub(super) fn of(given: json::Kind, raw: &str) -> Option<Cow<'_, str>> {
    match given {
        json::Kind::Text => json::string(raw),
        json::Kind::Number => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

pub(super) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}
