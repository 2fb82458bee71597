//! Items made of an operation's parameters: what `UPDATE=1` writes for an operation that has no cases yet.

use crate::json::quote;
use crate::table::Operation;
use crate::table::parameter::{Kind, Parameter, Place};

/// An item with the parameters that the operation cannot do without.
pub fn smallest(operation: &Operation) -> String {
    // An update changes at least one thing.
    let change = operation
        .parameters
        .iter()
        .find(|parameter| !parameter.is_required);
    let change = change.filter(|_| operation.request.is_update);
    object(operation.parameters, &|parameter| {
        parameter.is_required && parameter.default.is_none()
            || change.is_some_and(|change| change.name == parameter.name)
    })
}

/// An item with every parameter that is sent.
pub fn largest(operation: &Operation) -> String {
    object(operation.parameters, &|parameter| {
        parameter.place != Place::Nowhere
    })
}

/// A JSON object of those parameters that are wanted, and that the others show.
fn object(parameters: &[Parameter], is_wanted: &dyn Fn(&Parameter) -> bool) -> String {
    let mut given: Vec<(&str, String)> = Vec::new();
    for parameter in parameters {
        let is_shown = parameter.when.is_none_or(|(other, one_of)| {
            let default = || parameters.iter().find(|p| p.name == other)?.default;
            let value = given
                .iter()
                .find(|(name, _)| *name == other)
                .map(|(_, value)| value.clone());
            let value = value.or_else(|| Some(default()?.json()));
            value.is_some_and(|value| one_of.iter().any(|scalar| scalar.json() == value))
        });
        if is_shown && is_wanted(parameter) {
            given.push((parameter.name, sample(parameter, is_wanted)));
        }
    }
    let given: Vec<String> = given
        .iter()
        .map(|(name, value)| format!("{}:{value}", quote(name)))
        .collect();
    format!("{{{}}}", given.join(","))
}

fn sample(parameter: &Parameter, is_wanted: &dyn Fn(&Parameter) -> bool) -> String {
    let text = if parameter.placeholder.is_empty() {
        parameter.name
    } else {
        parameter.placeholder
    };
    match parameter.kind {
        Kind::Integer { min, .. } => min.unwrap_or(1).to_string(),
        Kind::Number => "1".to_owned(),
        Kind::Boolean => "true".to_owned(),
        Kind::EpochMillis => "1735689600000".to_owned(),
        Kind::Choice { known, .. } => known[0].value.json(),
        Kind::Object => r#"{"key":"value"}"#.to_owned(),
        Kind::Rows(rows) => format!("{{{}:[{}]}}", quote(rows.name), object(rows.columns, is_wanted)),
        Kind::Text | Kind::Secret | Kind::Date | Kind::LocalDateTime | Kind::DateTime { .. } => quote(text),
    }
}
