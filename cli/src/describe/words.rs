//! A description's meaning in words, shared by the formats for people.

use nodule::description::{Choices, Condition, Effect, Indexed, IntegerRange, Kind, MAX_NESTING, Parameter};
use nodule::json::Json;

/// The kind of values that a parameter takes.
pub fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Multiline => "text, multiline".to_owned(),
        Kind::Secret => "secret".to_owned(),
        Kind::Integer(IntegerRange { min: None, max: None }) => "integer".to_owned(),
        Kind::Integer(IntegerRange {
            min: Some(min),
            max: None,
        }) => format!("integer from {min}"),
        Kind::Integer(IntegerRange {
            min: None,
            max: Some(max),
        }) => format!("integer up to {max}"),
        Kind::Integer(IntegerRange {
            min: Some(min),
            max: Some(max),
        }) => format!("integer {min} to {max}"),
        Kind::Number => "number".to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Date => "date yyyy-MM-dd".to_owned(),
        Kind::DateTime => "date-time".to_owned(),
        Kind::Choice(Choices { open: false, .. }) => "choice".to_owned(),
        Kind::Choice(_) => "open choice".to_owned(),
        Kind::AnyJson => "JSON".to_owned(),
        Kind::Group(_) => "group".to_owned(),
        Kind::Rows(_) => "rows".to_owned(),
    }
}

/// What the contract adds about a kind's values. Other engines may read them differently.
pub fn reading(kind: &Kind) -> Option<&'static str> {
    (*kind == Kind::DateTime).then_some("without an offset it is UTC")
}

/// The effect of running an operation twice, to follow `Run twice:`; the caller chooses the quotes for the parameter's
/// name.
pub fn effect(node: &Indexed<'_>, effect: &Effect, quote: impl Fn(&str) -> String) -> String {
    match effect {
        Effect::Read => "changes nothing".to_owned(),
        Effect::Idempotent => "the same as once".to_owned(),
        Effect::Keyed(id) => {
            let name = node.parameter(id).map_or(id, |parameter| &parameter.name);
            format!("the same as once while {} keeps its value", quote(name))
        }
        Effect::Write => "may do it twice".to_owned(),
    }
}

/// When a parameter is present: `returnAll is false`; empty if it always is.
pub fn conditions(
    node: &Indexed<'_>,
    conditions: &[Condition],
    quote: impl Fn(&str) -> String,
) -> Option<String> {
    let all: Vec<String> = conditions
        .iter()
        .map(|condition| {
            let name = node
                .parameter(&condition.parameter)
                .map_or(&condition.parameter, |subject| &subject.name);
            let values: Vec<String> = condition
                .one_of
                .iter()
                .map(|value| quote(&value.to_string()))
                .collect();
            format!("{} is {}", quote(name), values.join(" or "))
        })
        .collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// A default worth showing; `None` without a default, or if it is the empty text.
pub fn default(parameter: &Parameter) -> Option<String> {
    match &parameter.default {
        None => None,
        Some(Json::String(text)) if text.is_empty() => None,
        Some(value) => Some(value.to_string()),
    }
}

/// A parameter with its depth and its path in an item.
pub struct Place<'a> {
    /// The parameter.
    pub parameter: &'a Parameter,
    /// 0 for a parameter of the operation itself.
    pub depth: usize,
    /// `books.book[].isbn`
    pub path: String,
}

/// The parameters of a list, each followed by the parameters inside it.
pub fn places<'a>(node: &Indexed<'a>, ids: &[String]) -> Vec<Place<'a>> {
    let mut places = Vec::new();
    collect(node, ids, 0, "", &mut places);
    places
}

fn collect<'a>(node: &Indexed<'a>, ids: &[String], depth: usize, prefix: &str, places: &mut Vec<Place<'a>>) {
    // The check limits the depth; this also stops for an unchecked description.
    if depth > MAX_NESTING {
        return;
    }
    for parameter in node.parameters_by_id(ids) {
        let path = format!("{prefix}{}", parameter.name);
        let inside = match &parameter.kind {
            Kind::Rows(shape) => format!("{path}.{}[].", shape.name),
            _ => format!("{path}."),
        };
        places.push(Place {
            parameter,
            depth,
            path,
        });
        collect(node, parameter.kind.children(), depth + 1, &inside, places);
    }
}
