//! Values of a list, and things of the service.

use std::borrow::Cow;

use super::text::of as text;
use super::{Accepted, Data, Id, Kind, Of};
use crate::bindings::exports::workflow::node::description as contract;
use crate::table::describe::owned;
use crate::table::parameter::{Parameter, Scalar};
use crate::table::value::{Value, is_int};
use crate::{json, number};

/// One value of a choice.
#[derive(Clone, Copy)]
pub struct Choice {
    /// As workflows store it and, where `sent` does not say otherwise, as it goes on the wire.
    pub value: Scalar,
    /// As users see it.
    pub label: &'static str,
    /// As it goes on the wire, where it is not empty.
    pub sent: &'static str,
}

impl Choice {
    /// It goes on the wire as this text. No condition can ask for it.
    #[must_use]
    pub const fn sent(mut self, text: &'static str) -> Self {
        self.sent = text;
        self
    }
}

/// A choice whose value is a number on the wire.
pub const fn int_choice(value: i32, label: &'static str) -> Choice {
    Choice {
        value: Scalar::Int(value),
        label,
        sent: "",
    }
}

/// A choice whose value is a text on the wire.
pub const fn text_choice(value: &'static str, label: &'static str) -> Choice {
    Choice {
        value: Scalar::Text(value),
        label,
        sent: "",
    }
}

/// Another name of [`text_choice`], for tables that have none of the other sort.
pub const fn worded(value: &'static str, label: &'static str) -> Choice {
    text_choice(value, label)
}

/// One of these values.
pub const fn choice(name: &'static str, label: &'static str, known: &'static [Choice]) -> Parameter {
    of(name, label, &CHOICE, Data::Choices(known))
}

/// Several of these values, as a list.
pub const fn choices(name: &'static str, label: &'static str, known: &'static [Choice]) -> Parameter {
    of(name, label, &CHOOSE_MANY, Data::Choices(known))
}

/// How the ID of a thing is told. Both are I-Regexp (RFC 9485).
pub struct Reference {
    /// It matches the URL of the thing's page, and its one group is the ID.
    pub id_in_url: Option<&'static str>,
    /// It matches the whole ID.
    pub id: Option<&'static str>,
}

/// A thing of the service, by its ID or the URL of its page.
pub const fn reference(name: &'static str, label: &'static str, ids: &'static Reference) -> Parameter {
    of(name, label, &REFERENCE, Data::Reference(ids))
}

const fn of(name: &'static str, label: &'static str, of: &'static Of, data: Data) -> Parameter {
    Parameter::new(name, label, Kind { of, data })
}

static CHOICE: Of = Of {
    id: Id::Choice,
    encoding: "",
    accept: |_, parameter, raw, _| {
        let text = text(json::kind(raw), raw);
        text.and_then(|text| listed(&text, parameter.kind.known())).into()
    },
    expected: |kind, _| format!("one of {}", words(kind)).into(),
    describe: |kind, _| contract::Kind::Choice(described(kind, false)),
};

pub(crate) static OPEN_CHOICE: Of = Of {
    id: Id::Choice,
    encoding: "",
    accept: |_, parameter, raw, _| {
        let (known, given) = (parameter.kind.known(), json::kind(raw));
        text(given, raw)
            .map(|text| match listed(&text, known) {
                Some(value) => value,
                None => other(text, given, known),
            })
            .into()
    },
    expected: |_, _| Cow::Borrowed("a text or number"),
    describe: |kind, _| contract::Kind::Choice(described(kind, true)),
};

static CHOOSE_MANY: Of = Of {
    id: Id::ChooseMany,
    encoding: "",
    accept: |_, parameter, raw, _| {
        let known = parameter.kind.known();
        let list = || {
            let mut list = String::from("[");
            for element in json::elements(raw)? {
                if list.len() > 1 {
                    list.push(',');
                }
                listed(&text(json::kind(element), element)?, known)?.push_json(&mut list);
            }
            list.push(']');
            Some(Value::literal(list))
        };
        list().into()
    },
    expected: |kind, _| format!("a list of {}", words(kind)).into(),
    describe: |kind, _| contract::Kind::ChooseMany(described(kind, false)),
};

/// The host has made the ID of what was given; which IDs there are, the service knows.
static REFERENCE: Of = Of {
    id: Id::Reference,
    encoding: "",
    accept: |_, _, raw, _| -> Accepted<'_> { text(json::kind(raw), raw).map(Value::Text).into() },
    expected: |_, _| Cow::Borrowed("an ID"),
    describe: |kind, _| {
        let (id_in_url, id) = match kind.data {
            Data::Reference(ids) => (ids.id_in_url, ids.id),
            _ => (None, None),
        };
        contract::Kind::Reference(contract::Reference {
            dynamic: None,
            id_in_url: id_in_url.map(owned),
            id: id.map(owned),
        })
    },
};

pub(super) fn described(kind: &Kind, open: bool) -> contract::Choices {
    let known = kind.known().iter().map(|choice| contract::Choice {
        label: owned(choice.label),
        value: choice.value.json(),
        summary: String::new(),
    });
    contract::Choices {
        known: known.collect(),
        open,
        dynamic: None,
    }
}

fn words(kind: &Kind) -> String {
    let known = kind.known().iter();
    let known: Vec<_> = known
        .filter(|choice| choice.value != Scalar::Text(""))
        .map(|choice| format!("`{}` {}", choice.value.text(), choice.label))
        .collect();
    known.join(", ")
}

fn whole(text: &str) -> Option<Cow<'_, str>> {
    number::is_number(text.trim())
        .then(|| number::whole(text.trim()))
        .flatten()
}

/// A choice goes on the wire with its own type, in whatever type it was given.
fn listed(text: &str, known: &'static [Choice]) -> Option<Value<'static>> {
    let number = whole(text);
    let is = |choice: &&Choice| match choice.value {
        Scalar::Int(value) => number.as_ref().is_some_and(|number| is_int(number, value)),
        Scalar::Text(value) => value == text.trim(),
        value => value.text() == text.trim(),
    };
    let sent = |choice: &Choice| match choice.sent {
        "" => Value::of(choice.value),
        sent => Value::Text(Cow::Borrowed(sent)),
    };
    known.iter().find(is).map(sent)
}

/// So does a value that an open choice does not list, where the type of the listed ones can hold it.
fn other<'a>(text: Cow<'a, str>, given: json::Kind, known: &'static [Choice]) -> Value<'a> {
    let is_numeric = known.iter().all(|choice| matches!(choice.value, Scalar::Int(_)));
    if is_numeric && let Some(number) = whole(&text) {
        Value::literal(number.into_owned())
    } else if is_numeric && given == json::Kind::Number {
        Value::Literal(text)
    } else {
        Value::Text(text)
    }
}
