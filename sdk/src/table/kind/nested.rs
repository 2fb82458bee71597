//! What holds other values, and any JSON.

use std::borrow::Cow;

use super::{Accepted, Data, Id, Kind, Of};
use crate::bindings::exports::workflow::node::description as contract;
use crate::json::{self, Members};
use crate::table::describe::{id, ids, owned};
use crate::table::parameter::Parameter;
use crate::table::validate::{Check, Given, member};
use crate::table::value::{Fields, Value, found};

/// A list of rows with the same columns, stored as `{name: [ … ]}` and sent as the bare list.
#[derive(Clone, Copy)]
pub struct Rows {
    /// The key that holds the list.
    pub name: &'static str,
    /// What one row is called.
    pub label: &'static str,
    /// The columns of each row.
    pub columns: &'static [Parameter],
}

/// A JSON object or its text, sent as the object.
pub const fn object(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&OBJECT))
}

/// Any JSON, sent as it is; a text that is JSON is that JSON.
pub const fn json(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&JSON))
}

/// A list of rows.
pub const fn rows(name: &'static str, label: &'static str, rows: &'static Rows) -> Parameter {
    of(name, label, &ROWS, Data::Rows(rows))
}

/// A list of rows that is stored as the bare list; the key of `rows` is not used.
pub const fn bare_rows(name: &'static str, label: &'static str, rows: &'static Rows) -> Parameter {
    of(name, label, &BARE_ROWS, Data::Rows(rows))
}

/// Named optional fields, stored and sent as an object.
pub const fn group(name: &'static str, label: &'static str, fields: &'static [Parameter]) -> Parameter {
    of(name, label, &GROUP, Data::Fields(fields))
}

/// A list of single values, each as `each` says.
pub const fn values(name: &'static str, label: &'static str, each: &'static Parameter) -> Parameter {
    of(name, label, &VALUES, Data::Each(each))
}

/// Columns that only the service knows: an object of them.
pub const fn columns(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&COLUMNS))
}

/// No value: a text for the reader of the form.
pub const fn notice(name: &'static str, text: &'static str) -> Parameter {
    Parameter::new(name, text, Kind::new(&NOTICE)).unsent()
}

const fn of(name: &'static str, label: &'static str, of: &'static Of, data: Data) -> Parameter {
    Parameter::new(name, label, Kind { of, data })
}

static OBJECT: Of = Of {
    id: Id::Object,
    encoding: "object",
    accept: |_, _, raw, _| as_object(raw).into(),
    expected: |_, _| Cow::Borrowed("a JSON object, or its text"),
    describe: |_, _| contract::Kind::AnyJson,
};

static COLUMNS: Of = Of {
    id: Id::Columns,
    encoding: "",
    accept: |_, _, raw, _| as_object(raw).into(),
    expected: |_, _| Cow::Borrowed("a JSON object, or its text"),
    describe: |_, _| {
        contract::Kind::Columns(contract::Dynamic {
            depends_on: Vec::new(),
            search: false,
        })
    },
};

static JSON: Of = Of {
    id: Id::Json,
    encoding: "",
    accept: |_, _, raw, _| {
        let document = json::string(raw).and_then(|text| {
            let document = json::document(&text).ok()?;
            Some(Value::literal(json::compact(document).into_owned()))
        });
        Accepted::Value(document.unwrap_or_else(|| Value::Literal(json::compact(raw))))
    },
    expected: |_, _| Cow::Borrowed("any JSON, or its text"),
    describe: |_, _| contract::Kind::AnyJson,
};

static NOTICE: Of = Of {
    id: Id::Notice,
    encoding: "",
    accept: |_, _, _, _| Accepted::Reported,
    expected: |_, _| Cow::Borrowed("nothing"),
    describe: |_, _| contract::Kind::Notice,
};

static ROWS: Of = Of {
    id: Id::Rows,
    encoding: "",
    accept: |check, parameter, raw, pointer| {
        let checked = keyed(check, parameter, raw, pointer);
        checked.map_or(Accepted::Reported, |rows| Accepted::Value(list(&rows)))
    },
    expected: expected_rows,
    describe: |kind, own| described_rows(kind, own, true),
};

pub(crate) static MAP: Of = Of {
    id: Id::Rows,
    encoding: "map",
    accept: |check, parameter, raw, pointer| {
        let checked = keyed(check, parameter, raw, pointer);
        checked.map_or(Accepted::Reported, |rows| Accepted::Value(map(&rows)))
    },
    expected: expected_rows,
    describe: |kind, own| described_rows(kind, own, true),
};

static BARE_ROWS: Of = Of {
    id: Id::Rows,
    encoding: "",
    accept: |check, parameter, raw, pointer| {
        let (Some(rows), json::Kind::Array) = (parameter.kind.rows(), json::kind(raw)) else {
            return Accepted::Refused;
        };
        let checked = each(check, rows, raw, pointer);
        checked.map_or(Accepted::Reported, |rows| Accepted::Value(list(&rows)))
    },
    expected: |_, _| Cow::Borrowed("a list of rows"),
    describe: |kind, own| described_rows(kind, own, false),
};

static GROUP: Of = Of {
    id: Id::Group,
    encoding: "",
    accept: |check, parameter, raw, pointer| {
        let Some(given) = json::object(raw) else {
            return Accepted::Refused;
        };
        let fields = parameter.kind.nested();
        let given = Given::new(fields, given);
        let checked = check.scope(fields, &given, pointer);
        check.unknown_names(fields, &given, pointer, parameter.label);
        Accepted::Value(Value::literal(row(&checked)))
    },
    expected: |_, _| Cow::Borrowed("an object of fields"),
    describe: |kind, own| {
        contract::Kind::Group(contract::GroupShape {
            key: None,
            fields: ids(own, kind.nested()),
        })
    },
};

static VALUES: Of = Of {
    id: Id::Values,
    encoding: "",
    accept: |check, parameter, raw, pointer| {
        let (Data::Each(each), Some(elements)) = (parameter.kind.data, json::elements(raw)) else {
            return Accepted::Refused;
        };
        let mut list = String::from("[");
        for (index, element) in elements.into_iter().enumerate() {
            let known = check.problems.len();
            match check.accepted(each, element, &format!("{pointer}/{index}"), parameter.label) {
                Some(value) => {
                    if list.len() > 1 {
                        list.push(',');
                    }
                    value.push_json(&mut list);
                }
                None if check.problems.len() == known => return Accepted::Refused,
                None => {}
            }
        }
        list.push(']');
        Accepted::Value(Value::literal(list))
    },
    expected: |kind, raw| match kind.data {
        Data::Each(each) => {
            let expected = (each.kind.of.expected)(&each.kind, raw);
            let one = expected.strip_prefix("a ").unwrap_or(&expected);
            format!("a list, each {one}").into()
        }
        _ => Cow::Borrowed("a list"),
    },
    describe: |kind, own| {
        let each = kind.nested().first().map_or("", |each| each.name);
        contract::Kind::Values(id(own, each))
    },
};

pub(super) fn as_object(raw: &str) -> Option<Value<'_>> {
    if json::kind(raw) == json::Kind::Object {
        return Some(Value::Literal(json::compact(raw)));
    }
    let text = json::string(raw)?;
    let document = json::document(&text)
        .ok()
        .filter(|document| json::kind(document) == json::Kind::Object)?;
    Some(Value::literal(json::compact(document).into_owned()))
}

fn expected_rows(kind: &Kind, _: Option<&str>) -> Cow<'static, str> {
    let name = kind.rows().map_or("", |rows| rows.name);
    format!("at least one row as `{{\"{name}\": [ … ]}}`").into()
}

fn described_rows(kind: &Kind, own: &str, has_key: bool) -> contract::Kind {
    let (name, label) = kind.rows().map_or(("", ""), |rows| (rows.name, rows.label));
    contract::Kind::Rows(contract::RowShape {
        key: has_key.then(|| owned(name)),
        display_name: owned(label),
        columns: ids(own, kind.nested()),
        min: 1,
        max: None,
    })
}

/// `{"detail": [ … ]}`, or `{"detail": { … }}` for a list of one.
fn keyed<'a>(
    check: &mut Check,
    parameter: &'static Parameter,
    raw: &'a str,
    pointer: &str,
) -> Option<Vec<Fields<'a>>> {
    let rows = parameter.kind.rows()?;
    let stored = json::object(raw);
    let list = stored.as_ref().and_then(|stored| stored.get(rows.name));
    let (Some(stored), Some(list)) = (stored, list) else {
        check.refused(parameter, Some(raw), pointer.to_owned(), parameter.label);
        return None;
    };
    check.only_name(&stored, rows.name, pointer);
    each(check, rows, list, &member(pointer, rows.name))
}

fn each<'a>(check: &mut Check, rows: &'static Rows, list: &'a str, pointer: &str) -> Option<Vec<Fields<'a>>> {
    let elements = match json::kind(list) {
        json::Kind::Array => json::elements(list).unwrap_or_default(),
        json::Kind::Object => vec![list],
        json::Kind::Null => Vec::new(),
        _ => {
            let expected = format!("a list of rows as `{}`", rows.name);
            check.problem(pointer.to_owned(), rows.label, &expected, &found(list));
            return None;
        }
    };
    if elements.is_empty() {
        let expected = format!("at least one row as `{}`", rows.name);
        check.problem(pointer.to_owned(), rows.label, &expected, "none");
        return None;
    }
    let is_list = json::kind(list) == json::Kind::Array;
    let mut checked = Vec::with_capacity(elements.len());
    for (index, element) in elements.into_iter().enumerate() {
        let pointer = if is_list {
            format!("{pointer}/{index}")
        } else {
            pointer.to_owned()
        };
        check.row = Some(index + 1);
        if let Some(row) = json::object(element) {
            let row = Given::new(rows.columns, row);
            checked.push(check.scope(rows.columns, &row, &pointer));
            check.unknown_names(rows.columns, &row, &pointer, rows.label);
        } else {
            let expected = format!("an object as row of `{}`", rows.name);
            check.problem(pointer, rows.label, &expected, &found(element));
        }
    }
    check.row = None;
    Some(checked)
}

fn list<'a>(rows: &[Fields]) -> Value<'a> {
    let mut list = String::from("[");
    for (index, fields) in rows.iter().enumerate() {
        if index > 0 {
            list.push(',');
        }
        list.push_str(&row(fields));
    }
    list.push(']');
    Value::literal(list)
}

fn row(fields: &Fields) -> String {
    let mut members = Members::new();
    for field in fields {
        field.value.push_json(members.push(field.parameter.wire_name()));
    }
    members.finish()
}

/// The first column is the name, the second the value.
fn map<'a>(rows: &[Fields]) -> Value<'a> {
    let mut map = String::from("{");
    for fields in rows {
        let mut fields = fields.iter();
        if let Some(name) = fields.next() {
            if map.len() > 1 {
                map.push(',');
            }
            json::push_quoted(&mut map, name.value.plain());
            map.push(':');
            match fields.next() {
                Some(value) => value.value.push_json(&mut map),
                None => map.push_str("null"),
            }
        }
    }
    map.push('}');
    Value::literal(map)
}
