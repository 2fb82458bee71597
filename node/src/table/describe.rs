//! From the table to the contract's description.
//!
//! IDs are paths: `points.adjustPoints.operationId`, a column `order.syncTransaction.details.qty`, a field of the
//! credential `credential.baseUrl`.

use super::parameter::{Fill, Kind, Parameter, Place, Scalar};
use super::plan::Plan;
use super::{Effect, Group, Operation, Output};
use crate::bindings::exports::workflow::node::description as contract;
use crate::json::{Members, push_quoted, quote};
use crate::operations::OPERATIONS;
use crate::{credential, operations};

/// The prefix of the credential's parameter IDs.
const CREDENTIAL: &str = "credential";

/// Other words that people search for.
const ALIASES: &[&str] = &["CRM", "loyalty", "membership", "points"];

/// A card in a hub: drawn for this node, and no one's logo.
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 60 60\" fill=\"none\" stroke=\"#1f6feb\" \
                    stroke-width=\"4\"><circle cx=\"30\" cy=\"30\" r=\"9\" fill=\"#1f6feb\"/><circle cx=\"11\" cy=\"13\" \
                    r=\"6\"/><circle cx=\"49\" cy=\"13\" r=\"6\"/><circle cx=\"30\" cy=\"52\" r=\"6\"/><path d=\"M16 17l8 \
                    7M44 17l-8 7M30 39v7\"/></svg>";

/// What public material attests of an answer: names of the envelope, and that `data` may be an object, an array or absent.
const ANSWER_SCHEMA: &str = concat!(
    r#""type":"object","properties":{"#,
    r#""code":{"description":"The service's code; 200 is success"},"#,
    r#""resultCode":{"description":"Another spelling of the code"},"#,
    r#""status":{"description":"Another spelling of the code"},"#,
    r#""msg":{"description":"The service's message"},"#,
    r#""message":{"description":"Another spelling of the message"},"#,
    r#""resultMessage":{"description":"Another spelling of the message"},"#,
    r#""data":{"description":"What was asked for","type":["object","array","null"]}}"#,
);

/// The node's description.
pub fn describe() -> contract::Node {
    let mut parameters: Vec<contract::Parameter> = Vec::new();
    for field in credential::FIELDS {
        describe_parameter(field, CREDENTIAL, None, &mut parameters);
    }
    for operation in OPERATIONS {
        for (parameter, place) in operation.parameters.iter().zip(Plan::new(operation).places) {
            describe_parameter(parameter, &operation_id(operation), Some(place), &mut parameters);
        }
    }
    contract::Node {
        name: "socialHub".into(),
        display_name: "SocialHub".into(),
        version: 1,
        summary: "Members, customers, orders, points and master data of the SocialHub CRM".into(),
        icon_svg: Some(ICON.into()),
        documentation_url: None,
        aliases: ALIASES.iter().map(|alias| (*alias).into()).collect(),
        credentials: vec![contract::Credential {
            name: credential::NAME.into(),
            display_name: credential::TITLE.into(),
            documentation_url: None,
            fields: ids(CREDENTIAL, credential::FIELDS),
            base_url: id(CREDENTIAL, credential::BASE_URL),
            scheme: contract::Scheme::Session,
            test: None,
        }],
        origins: Vec::new(),
        resources: Group::ALL.iter().map(|group| describe_group(*group)).collect(),
        operations: OPERATIONS
            .iter()
            .map(|operation| describe_operation(operation))
            .collect(),
        parameters,
        hints: None,
    }
}

fn describe_group(group: Group) -> contract::ResourceGroup {
    contract::ResourceGroup {
        name: group.name().into(),
        display_name: group.title().into(),
        summary: group.about().into(),
    }
}

fn describe_operation(operation: &Operation) -> contract::Operation {
    let prefix = operation_id(operation);
    contract::Operation {
        group: operation.group.name().into(),
        name: operation.name.into(),
        display_name: operation.title.into(),
        summary: operation.about.into(),
        action: operation.action.into(),
        documentation_url: None,
        parameters: ids(&prefix, operation.parameters),
        effect: match operation.effect {
            Effect::Read => contract::Effect::Read,
            Effect::Idempotent => contract::Effect::Idempotent,
            Effect::Keyed(key) => contract::Effect::Keyed(id(&prefix, key)),
            Effect::Write => contract::Effect::Write,
        },
        // Nothing here takes more than one request, but reading all pages.
        write_requests: u32::from(operation.effect != Effect::Read),
        request: Some([operation.request.method.name(), " ", operation.request.path].concat()),
        output_schema: output_schema(operation.output),
        hints: Some([r#"{"evidence":"#, &quote(operation.evidence), "}"].concat()),
    }
}

fn output_schema(output: Output) -> String {
    const DIALECT: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","#;
    match output {
        Output::Answer => [DIALECT, ANSWER_SCHEMA, "}"].concat(),
        Output::Pages(list) => [
            DIALECT,
            r#""anyOf":[{"description":"The whole answer","#,
            ANSWER_SCHEMA,
            r#"},{"description":"One row of `data."#,
            list,
            "`, or of `data` where that is the list, with `",
            operations::RETURN_ALL_NAME,
            r#"`","type":"object"}]}"#,
        ]
        .concat(),
    }
}

/// The parameter itself and, before it, the columns of its rows. The credential's fields have no place in a request.
fn describe_parameter(
    parameter: &'static Parameter,
    prefix: &str,
    place: Option<Place>,
    parameters: &mut Vec<contract::Parameter>,
) {
    let own = id(prefix, parameter.name);
    if let Kind::Rows(rows) = parameter.kind {
        for column in rows.columns {
            describe_parameter(column, &own, Some(Place::Auto), parameters);
        }
    }
    let optional = |text: &'static str| (!text.is_empty()).then(|| text.to_owned());
    parameters.push(contract::Parameter {
        name: parameter.name.into(),
        display_name: parameter.label.into(),
        summary: parameter.about.into(),
        placeholder: optional(parameter.placeholder),
        kind: describe_kind(parameter.kind, &own),
        required: parameter.is_required,
        default: parameter.default.map(Scalar::json),
        visible_when: parameter
            .when
            .iter()
            .map(|(other, one_of)| contract::Condition {
                parameter: id(prefix, other),
                holds: contract::Holds::OneOf(one_of.iter().map(|scalar| scalar.json()).collect()),
            })
            .collect(),
        hints: place.and_then(|place| parameter_hints(parameter, place)),
        id: own,
    });
}

/// Every number.
const ANY: contract::Range = contract::Range { min: None, max: None };

fn describe_kind(kind: Kind, own: &str) -> contract::Kind {
    match kind {
        Kind::Text | Kind::LocalDateTime => contract::Kind::Text,
        Kind::Secret => contract::Kind::Secret,
        Kind::Integer { min, max } => contract::Kind::Integer(contract::Range {
            min: min.map(f64::from),
            max: max.map(f64::from),
        }),
        Kind::EpochMillis => contract::Kind::Integer(ANY),
        Kind::Number => contract::Kind::Number(ANY),
        Kind::Boolean => contract::Kind::Boolean,
        Kind::Date => contract::Kind::Date,
        Kind::DateTime { .. } => contract::Kind::DateTime,
        Kind::Choice { known, is_open } => contract::Kind::Choice(contract::Choices {
            known: known
                .iter()
                .map(|choice| contract::Choice {
                    label: choice.label.into(),
                    value: choice.value.json(),
                    summary: String::new(),
                })
                .collect(),
            open: is_open,
            dynamic: None,
        }),
        Kind::Object => contract::Kind::AnyJson,
        Kind::Rows(rows) => contract::Kind::Rows(contract::RowShape {
            key: Some(rows.name.into()),
            display_name: rows.label.into(),
            columns: ids(own, rows.columns),
            min: 1,
            max: None,
        }),
    }
}

/// Where and how a parameter goes on the wire, as far as its name and kind do not say it.
fn parameter_hints(parameter: &Parameter, place: Place) -> Option<String> {
    let mut hints = Members::new();
    let mut push = |name: &'static str, value: &str| push_quoted(hints.push(name), value);
    match place {
        Place::Path => push("in", "path"),
        Place::Query => push("in", "query"),
        Place::Body => push("in", "body"),
        Place::WholeBody => push("in", "whole-body"),
        Place::Auto | Place::Nowhere => {}
    }
    if let Some(wire) = parameter.wire {
        push("wire", wire);
    }
    match parameter.kind {
        Kind::DateTime { as_millis: true } => push("encoding", "epoch-milliseconds"),
        Kind::DateTime { as_millis: false } => push("encoding", "as-given"),
        Kind::LocalDateTime => push("encoding", "yyyy-MM-dd HH:mm:ss"),
        Kind::Object => push("encoding", "object"),
        _ => {}
    }
    match parameter.fill {
        Some(Fill::Clock) => push("filled-from", "clock"),
        Some(Fill::Random) => push("filled-from", "random"),
        _ => {}
    }
    (!hints.is_empty()).then(|| hints.finish())
}

fn operation_id(operation: &Operation) -> String {
    id(operation.group.name(), operation.name)
}

fn ids(prefix: &str, parameters: &[Parameter]) -> Vec<String> {
    parameters
        .iter()
        .map(|parameter| id(prefix, parameter.name))
        .collect()
}

fn id(prefix: &str, name: &str) -> String {
    [prefix, ".", name].concat()
}
