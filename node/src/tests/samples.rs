//! Items made of an operation's parameters: what `UPDATE=1` writes for an operation that has no cases yet.

use nodule_sdk::Operation;
use nodule_sdk::json::quote;
use nodule_sdk::table::Parameter;
use nodule_sdk::table::kind::Id;

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
    object(operation.parameters, &|parameter| parameter.is_sent())
}

/// A JSON object of those parameters that are wanted, and that the others show.
fn object(parameters: &[Parameter], is_wanted: &dyn Fn(&Parameter) -> bool) -> String {
    let mut given: Vec<(&str, String)> = Vec::new();
    for parameter in parameters {
        let is_shown = parameter.when.iter().all(|condition| {
            let other = condition.parameter;
            let default = || parameters.iter().find(|p| p.name == other)?.default;
            let value = given
                .iter()
                .find(|(name, _)| *name == other)
                .map(|(_, value)| value.clone());
            let value = value.or_else(|| Some(default()?.json()));
            value.is_some_and(|value| condition.one_of.iter().any(|scalar| scalar.json() == value))
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
    match parameter.kind.id() {
        Id::Integer => parameter.kind.bounds().0.unwrap_or(1).to_string(),
        Id::Number => "1".to_owned(),
        Id::Boolean => "true".to_owned(),
        Id::EpochMillis => "1735689600000".to_owned(),
        Id::Choice => parameter.kind.known()[0].value.json(),
        Id::Object => r#"{"key":"value"}"#.to_owned(),
        Id::Rows => {
            let rows = parameter.kind.rows().expect("rows");
            format!("{{{}:[{}]}}", quote(rows.name), object(rows.columns, is_wanted))
        }
        _ => quote(text),
    }
}
