//! From the table to the contract's description.
//!
//! IDs are paths: `points.adjustPoints.operationId`, a column `order.syncTransaction.details.qty`, a field of the
//! credential `credential.baseUrl`.

use super::credential::Credential;
use super::parameter::{Parameter, Scalar};
use super::place::Place;
use super::plan::Plan;
use super::{Effect, Operation, Service};
use crate::bindings::exports::workflow::node::description as contract;
use crate::http::name;
use crate::json::{Members, push_quoted, quote};

/// The prefix of the credential's parameter IDs.
const CREDENTIAL: &str = "credential";

/// The node's description.
pub fn describe(service: &Service) -> contract::Node {
    let mut parameters: Vec<contract::Parameter> = Vec::new();
    for credential in service.credentials {
        let prefix = credential_prefix(service, credential);
        for field in credential.fields {
            describe_parameter(field, &prefix, None, &mut parameters);
        }
    }
    for operation in service.operations {
        for (parameter, place) in operation.parameters.iter().zip(Plan::new(operation).places) {
            describe_parameter(parameter, &operation_id(operation), Some(place), &mut parameters);
        }
    }
    contract::Node {
        name: owned(service.name),
        display_name: owned(service.title),
        version: service.version,
        summary: owned(service.about),
        icon_svg: service.icon.map(owned),
        documentation_url: service.documentation.map(owned),
        aliases: texts(service.aliases),
        credentials: service
            .credentials
            .iter()
            .map(|credential| describe_credential(credential, &credential_prefix(service, credential)))
            .collect(),
        origins: service
            .origins
            .iter()
            .map(|origin| contract::Origin {
                url: owned(origin.url),
                access: texts(origin.access),
                reason: owned(origin.reason),
            })
            .collect(),
        resources: service
            .groups
            .iter()
            .map(|group| contract::ResourceGroup {
                name: owned(group.name),
                display_name: owned(group.title),
                summary: owned(group.about),
            })
            .collect(),
        operations: service
            .operations
            .iter()
            .map(|operation| describe_operation(operation))
            .collect(),
        parameters,
        hints: None,
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| owned(text)).collect()
}

/// With several credentials, each has its own.
fn credential_prefix(service: &Service, credential: &Credential) -> String {
    if service.credentials.len() == 1 {
        owned(CREDENTIAL)
    } else {
        id(CREDENTIAL, credential.name)
    }
}

fn describe_credential(credential: &Credential, prefix: &str) -> contract::Credential {
    contract::Credential {
        name: owned(credential.name),
        display_name: owned(credential.title),
        documentation_url: credential.documentation.map(owned),
        fields: ids(prefix, credential.fields),
        base_url: id(prefix, credential.base_url()),
        scheme: credential.scheme.describe(prefix),
        test: credential.test.map(owned),
    }
}

fn describe_operation(operation: &Operation) -> contract::Operation {
    const DIALECT: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","#;
    let request = &operation.request;
    let prefix = operation_id(operation);
    let schema = operation.output.schema;
    contract::Operation {
        group: owned(operation.group),
        name: owned(operation.name),
        display_name: owned(operation.title),
        summary: owned(operation.about),
        action: owned(operation.action),
        documentation_url: request.documentation.map(owned),
        parameters: ids(&prefix, operation.parameters),
        effect: match operation.effect {
            Effect::Read => contract::Effect::Read,
            Effect::Idempotent => contract::Effect::Idempotent,
            Effect::Keyed(key) => contract::Effect::Keyed(id(&prefix, key)),
            Effect::Write => contract::Effect::Write,
        },
        write_requests: if matches!(operation.effect, Effect::Read) {
            0
        } else {
            request.writes
        },
        emits: operation.emits(),
        gives_files: operation.output.gives_files,
        request: request
            .is_declared
            .then(|| joined(name(request.method), " ", request.path)),
        output_schema: joined(DIALECT, &schema.concat(), "}"),
        hints: Some(joined(r#"{"evidence":"#, &quote(operation.evidence), "}")),
    }
}

/// The parameter itself and, before it, its columns or fields. The credential's fields have no place in a request.
fn describe_parameter(
    parameter: &'static Parameter,
    prefix: &str,
    place: Option<&Place>,
    parameters: &mut Vec<contract::Parameter>,
) {
    let own = id(prefix, parameter.name);
    for nested in parameter.kind.nested() {
        describe_parameter(nested, &own, Some(nested.place), parameters);
    }
    let optional = |text: &'static str| (!text.is_empty()).then(|| owned(text));
    parameters.push(contract::Parameter {
        name: owned(parameter.name),
        display_name: owned(parameter.label),
        summary: owned(parameter.about),
        placeholder: optional(parameter.placeholder),
        kind: (parameter.kind.of.describe)(&parameter.kind, &own),
        required: parameter.is_required,
        default: parameter.default.map(Scalar::json),
        visible_when: parameter
            .when
            .iter()
            .map(|condition| condition.describe(id(prefix, condition.parameter)))
            .collect(),
        hints: place.and_then(|place| parameter_hints(parameter, place)),
        id: own,
    });
}

/// Where and how a parameter goes on the wire, as far as its name and kind do not say it.
fn parameter_hints(parameter: &Parameter, place: &Place) -> Option<String> {
    let mut hints = Members::new();
    for (name, value) in [
        ("in", place.hint),
        ("wire", parameter.wire.unwrap_or_default()),
        ("encoding", parameter.kind.of.encoding),
        ("filled-from", parameter.fill.map_or("", |fill| fill.hint)),
    ] {
        if !value.is_empty() {
            push_quoted(hints.push(name), value);
        }
    }
    (!hints.is_empty()).then(|| hints.finish())
}

fn operation_id(operation: &Operation) -> String {
    id(operation.group, operation.name)
}

pub(crate) fn ids(prefix: &str, parameters: &[Parameter]) -> Vec<String> {
    parameters
        .iter()
        .map(|parameter| id(prefix, parameter.name))
        .collect()
}

/// A name may be `release_id`, and an ID not.
pub(crate) fn id(prefix: &str, name: &str) -> String {
    let mut id = joined(prefix, ".", "");
    for part in name.split('_') {
        id = joined(&id, "", part);
    }
    id
}

/// As [`joined`].
#[inline(never)]
pub(crate) fn owned(text: &str) -> String {
    text.to_owned()
}

/// Out of line, where each caller would have its own.
#[inline(never)]
fn joined(before: &str, between: &str, behind: &str) -> String {
    [before, between, behind].concat()
}
