//! Texts and values as n8n takes them literally.

use nodule::description::{Indexed, Kind};
use nodule::json;
use nodule::json::{Json, Object};

use crate::describe::escape::html;

/// The key of rows that the contract stores without one: n8n's collections always have a key, which the package removes.
pub const ROWS_KEY: &str = "rows";

/// One entry of a list, with a description if it says more than the name.
pub fn option(name: &str, value: &Json, about: &str) -> Object {
    let mut option = object(json!({"name": name, "value": value}));
    if let Some(description) = description(name, about) {
        option.insert("description", json!(description));
    }
    option
}

/// A summary as HTML, if it says more than the name.
pub fn description(name: &str, about: &str) -> Option<String> {
    (!about.trim().is_empty() && about != name).then(|| html(about.trim()))
}

/// A default as n8n stores values of that kind: JSON as text, everything else as itself.
pub fn stored(node: &Indexed<'_>, kind: &Kind, value: &Json) -> Json {
    match (kind, value) {
        (Kind::AnyJson, value) => Json::String(value.to_string()),
        (Kind::Group(shape), Json::Object(given)) => match &shape.key {
            None => members(node, &shape.fields, given),
            Some(key) => {
                let mut stored = Object::new();
                if let Some(fields) = given.get(key).and_then(Json::as_object) {
                    stored.insert(key.clone(), members(node, &shape.fields, fields));
                }
                Json::Object(stored)
            }
        },
        (Kind::Rows(shape), Json::Object(given)) => {
            let lists = given.iter();
            let lists = lists.map(|(key, list)| (key.clone(), rows(node, &shape.columns, list)));
            Json::Object(lists.collect())
        }
        (Kind::Rows(shape), list @ Json::Array(_)) => {
            let mut stored = Object::new();
            stored.insert(ROWS_KEY, rows(node, &shape.columns, list));
            Json::Object(stored)
        }
        (Kind::ChooseMany(_), Json::Array(chosen)) => chosen.iter().map(literal).collect(),
        (_, value) => literal(value),
    }
}

fn rows(node: &Indexed<'_>, columns: &[String], list: &Json) -> Json {
    let rows = list.as_array().into_iter().flatten().filter_map(Json::as_object);
    rows.map(|row| members(node, columns, row)).collect()
}

fn members(node: &Indexed<'_>, ids: &[String], given: &Object) -> Json {
    let known = node.parameters_by_id(ids);
    let members = known.filter_map(|parameter| {
        let value = given.get(&parameter.name)?;
        Some((parameter.name.clone(), stored(node, &parameter.kind, value)))
    });
    Json::Object(members.collect())
}

/// A value that n8n takes literally. A text that starts with `=` would be an expression, so it becomes an expression
/// that evaluates to it. Braces are escaped, since two of them would close the expression.
pub fn literal(value: &Json) -> Json {
    match value {
        Json::String(text) if text.starts_with('=') => {
            let quoted = Json::String(text.clone()).to_string();
            let quoted = quoted.replace('{', "\\u007b").replace('}', "\\u007d");
            Json::String(format!("={{{{ {quoted} }}}}"))
        }
        value => value.clone(),
    }
}

/// A scalar as a label: a text loses its quotes.
pub fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The object of a `json!({…})`.
pub fn object(value: Json) -> Object {
    match value {
        Json::Object(object) => object,
        _ => Object::new(),
    }
}
