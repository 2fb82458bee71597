//! Values, things and columns that only the service knows.

use std::borrow::Cow;

use super::choice::described;
use super::text::of as text;
use super::{Accepted, Data, Id, Kind, Of, nested};
use crate::bindings::exports::workflow::node::description as contract;
use crate::json::{self, Members};
use crate::table::asked::Asked;
use crate::table::describe::owned;
use crate::table::parameter::Parameter;
use crate::table::value::Value;

/// One of the values that the service has.
pub const fn choice_of(name: &'static str, label: &'static str, asked: &'static Asked) -> Parameter {
    of(name, label, &CHOICE, asked)
}

/// Several of the values that the service has, as a list.
pub const fn choices_of(name: &'static str, label: &'static str, asked: &'static Asked) -> Parameter {
    of(name, label, &CHOOSE_MANY, asked)
}

/// A thing of the service: from the list, by its ID, or by the URL of its page.
pub const fn reference_to(name: &'static str, label: &'static str, asked: &'static Asked) -> Parameter {
    of(name, label, &REFERENCE, asked)
}

/// An object of columns that the service names.
pub const fn columns_of(name: &'static str, label: &'static str, asked: &'static Asked) -> Parameter {
    let kind = if asked.rows.is_some() {
        &COLUMN_ROWS
    } else {
        &COLUMNS
    };
    of(name, label, kind, asked)
}

const fn of(name: &'static str, label: &'static str, of: &'static Of, asked: &'static Asked) -> Parameter {
    let data = Data::Asked(asked);
    Parameter::new(name, label, Kind { of, data })
}

static CHOICE: Of = Of {
    id: Id::Choice,
    encoding: "",
    accept: |_, _, raw, _| single(raw).into(),
    expected: |_, _| Cow::Borrowed("a text, a number or a boolean"),
    describe: |kind, own| contract::Kind::Choice(choices(kind, own)),
};

static CHOOSE_MANY: Of = Of {
    id: Id::ChooseMany,
    encoding: "",
    accept: |_, _, raw, _| {
        let elements = json::elements(raw).filter(|all| all.iter().all(|one| single(one).is_some()));
        let list = elements.map(|elements| Value::literal(["[", &elements.join(","), "]"].concat()));
        list.into()
    },
    expected: |_, _| Cow::Borrowed("a list of texts, numbers or booleans"),
    describe: |kind, own| contract::Kind::ChooseMany(choices(kind, own)),
};

static REFERENCE: Of = Of {
    id: Id::Reference,
    encoding: "",
    accept: |_, _, raw, _| -> Accepted<'_> { text(json::kind(raw), raw).map(Value::Text).into() },
    expected: |_, _| Cow::Borrowed("an ID"),
    describe: |kind, own| {
        let asked = kind.asked();
        contract::Kind::Reference(contract::Reference {
            dynamic: asked.map(|asked| asked.describe(own)),
            id_in_url: asked.and_then(|asked| asked.id_in_url).map(owned),
            id: asked.and_then(|asked| asked.id).map(owned),
        })
    },
};

static COLUMNS: Of = Of {
    id: Id::Columns,
    encoding: "",
    accept: |_, _, raw, _| nested::as_object(raw).into(),
    expected: |_, _| Cow::Borrowed("a JSON object, or its text"),
    describe: describe_columns,
};

static COLUMN_ROWS: Of = Of {
    id: Id::Columns,
    encoding: "rows",
    accept: |_, parameter, raw, _| as_rows(parameter, raw).into(),
    expected: COLUMNS.expected,
    describe: describe_columns,
};

fn describe_columns(kind: &Kind, own: &str) -> contract::Kind {
    let nothing = contract::Dynamic {
        depends_on: Vec::new(),
        search: false,
    };
    contract::Kind::Columns(kind.asked().map_or(nothing, |asked| asked.describe(own)))
}

/// The columns as a list of rows, each with its name and its value.
fn as_rows<'a>(parameter: &'static Parameter, raw: &str) -> Option<Value<'a>> {
    let (name, value) = parameter.kind.asked()?.rows?;
    let columns = nested::as_object(raw)?;
    let mut rows = String::from("[");
    for (column, given) in json::object(columns.plain())?.0 {
        if rows.len() > 1 {
            rows.push(',');
        }
        let mut row = Members::new();
        json::push_quoted(row.push(name), &column);
        row.push(value).push_str(given);
        rows.push_str(&row.finish());
    }
    rows.push(']');
    Some(Value::literal(rows))
}

/// A single value, in the type in which it was chosen.
fn single(raw: &str) -> Option<Value<'_>> {
    match json::kind(raw) {
        json::Kind::Text => json::string(raw).map(Value::Text),
        kind if kind.is_scalar() => Some(Value::Literal(Cow::Borrowed(raw))),
        _ => None,
    }
}

fn choices(kind: &Kind, own: &str) -> contract::Choices {
    contract::Choices {
        dynamic: kind.asked().map(|asked| asked.describe(own)),
        ..described(kind, false)
    }
}
