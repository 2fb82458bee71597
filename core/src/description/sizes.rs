//! Bounds the size of a description. This check runs first: a description that passes can be checked, kept and drawn in
//! time and memory proportional to the limits.

use crate::json::Json;

use super::bounds::{
    MAX_ALIASES, MAX_CHOICES, MAX_CONDITIONS, MAX_CREDENTIALS, MAX_DESCRIPTION_BYTES, MAX_JSON_VALUES,
    MAX_OPERATIONS, MAX_ORIGINS, MAX_PARAMETERS, MAX_PLACED, MAX_RESOURCES, MAX_SCOPES, MAX_SIBLINGS,
};
use super::check::{Problems, credential_at, operation_at, parameter_at};
use super::json::{Weight, weight};
use super::origin::origin_at;
use super::text::quoted;
use super::{CredentialSpec, Effect, Kind, Node, Operation, Pair, Parameter, Placement, Scheme, Template};

/// Bytes that each record and each list entry counts for, besides its texts.
const RECORD: usize = 8;

pub(super) fn check(node: &Node, problems: &mut Problems) {
    let mut count = |what: &str, count: usize, max: usize| {
        if count > max {
            problems.add("node", format!("expected at most {max} {what}, found {count}"));
        }
    };
    count("aliases", node.aliases.len(), MAX_ALIASES);
    count("credentials", node.credentials.len(), MAX_CREDENTIALS);
    count("origins", node.origins.len(), MAX_ORIGINS);
    count("groups", node.resources.len(), MAX_RESOURCES);
    count("operations", node.operations.len(), MAX_OPERATIONS);
    count("parameters", node.parameters.len(), MAX_PARAMETERS);
    let Weight { bytes, values } = node_weight(node);
    count("bytes", bytes, MAX_DESCRIPTION_BYTES);
    count("values of JSON", values, MAX_JSON_VALUES);
    lists(node, problems);
}

/// Checks the length of every list.
fn lists(node: &Node, problems: &mut Problems) {
    for credential in &node.credentials {
        siblings(|| credential_at(credential), &credential.fields, problems);
        scheme(credential, problems);
    }
    for origin in &node.origins {
        let count = origin.access.len();
        too_many(
            || origin_at(&origin.url),
            "credentials",
            count,
            MAX_CREDENTIALS,
            problems,
        );
    }
    for operation in &node.operations {
        siblings(|| operation_at(operation), &operation.parameters, problems);
    }
    for parameter in &node.parameters {
        let at = || parameter_at(parameter);
        siblings(at, parameter.kind.children(), problems);
        if let Some(choices) = parameter.kind.choices() {
            let count = choices.known.len();
            too_many(at, "choices", count, MAX_CHOICES, problems);
        }
        if let Some(dynamic) = parameter.kind.dynamic() {
            let count = dynamic.depends_on.len();
            too_many(
                at,
                "parameters that its values depend on",
                count,
                MAX_SIBLINGS,
                problems,
            );
        }
        let count = parameter.visible_when.len();
        too_many(at, "conditions", count, MAX_CONDITIONS, problems);
        for condition in &parameter.visible_when {
            let at = || format!("{}, condition on {}", at(), quoted(&condition.parameter));
            too_many(
                at,
                "values",
                condition.holds.values().len(),
                MAX_CHOICES,
                problems,
            );
        }
    }
}

fn scheme(credential: &CredentialSpec, problems: &mut Problems) {
    let mut placed = |what: &str, count: usize, max: usize| {
        too_many(|| credential_at(credential), what, count, max, problems);
    };
    match &credential.scheme {
        Scheme::Fixed(placement) => {
            placed("headers", placement.headers.len(), MAX_PLACED);
            placed("parameters of the query", placement.query.len(), MAX_PLACED);
        }
        Scheme::Oauth2(oauth2) => {
            placed("scopes", oauth2.scopes.len(), MAX_SCOPES);
            let request = oauth2.authorization_query.len();
            placed("parameters of the authorization request", request, MAX_PLACED);
            placed(
                "parameters of the token request",
                oauth2.token_body.len(),
                MAX_PLACED,
            );
        }
        Scheme::Session | Scheme::Signed(_) => {}
    }
}

/// Checks the length of a list of IDs that one form shows together.
fn siblings(at: impl Fn() -> String, ids: &[String], problems: &mut Problems) {
    too_many(at, "parameters in one list", ids.len(), MAX_SIBLINGS, problems);
}

fn too_many(at: impl Fn() -> String, what: &str, count: usize, max: usize, problems: &mut Problems) {
    if count > max {
        problems.add(at(), format!("expected at most {max} {what}, found {count}"));
    }
}

fn node_weight(node: &Node) -> Weight {
    let mut total = texts(&[&node.name, &node.display_name, &node.summary]);
    total += optional(&[&node.icon_svg, &node.documentation_url]);
    total += document(node.hints.as_ref());
    total += list(&node.aliases);
    for credential in &node.credentials {
        total += credential_weight(credential);
    }
    for origin in &node.origins {
        total += record();
        total += texts(&[&origin.url, &origin.reason]);
        total += list(&origin.access);
    }
    for group in &node.resources {
        total += record();
        total += texts(&[&group.name, &group.display_name, &group.summary]);
    }
    for operation in &node.operations {
        total += operation_weight(operation);
    }
    for parameter in &node.parameters {
        total += parameter_weight(parameter);
    }
    total
}

fn credential_weight(credential: &CredentialSpec) -> Weight {
    let mut total = record();
    total += texts(&[&credential.name, &credential.display_name, &credential.base_url]);
    total += optional(&[&credential.documentation_url, &credential.test]);
    total += list(&credential.fields);
    match &credential.scheme {
        Scheme::Fixed(Placement { headers, query }) => {
            for Template { name, template } in headers.iter().chain(query) {
                total += record();
                total += texts(&[name, template]);
            }
        }
        Scheme::Oauth2(oauth2) => {
            total += texts(&[&oauth2.token_url, &oauth2.scope_separator, &oauth2.client_id]);
            total += optional(&[&oauth2.authorization_url, &oauth2.client_secret]);
            total += list(&oauth2.scopes);
            for Pair { name, value } in oauth2.authorization_query.iter().chain(&oauth2.token_body) {
                total += record();
                total += texts(&[name, value]);
            }
        }
        Scheme::Session | Scheme::Signed(_) => {}
    }
    total
}

fn operation_weight(operation: &Operation) -> Weight {
    let mut total = record();
    total += texts(&[
        &operation.group,
        &operation.name,
        &operation.display_name,
        &operation.summary,
        &operation.action,
    ]);
    total += optional(&[&operation.documentation_url]);
    if let Effect::Keyed(id) = &operation.effect {
        total += texts(&[id]);
    }
    if let Some(request) = &operation.request {
        total += bytes(request.method().len() + request.path().as_str().len());
    }
    total += list(&operation.parameters);
    total += weight(&operation.output_schema);
    total += document(operation.hints.as_ref());
    total
}

/// The size of a parameter, without the parameters inside it.
pub(super) fn parameter_weight(parameter: &Parameter) -> Weight {
    let mut total = record();
    total += texts(&[
        &parameter.id,
        &parameter.name,
        &parameter.display_name,
        &parameter.summary,
    ]);
    total += optional(&[&parameter.placeholder]);
    match &parameter.kind {
        Kind::Choice(choices) | Kind::ChooseMany(choices) => {
            for choice in &choices.known {
                total += record();
                total += texts(&[&choice.label, &choice.summary]);
                total += weight(&choice.value);
            }
        }
        Kind::Group(shape) => {
            total += optional(&[&shape.key]);
            total += list(&shape.fields);
        }
        Kind::Rows(shape) => {
            total += optional(&[&shape.key]);
            total += texts(&[&shape.display_name]);
            total += list(&shape.columns);
        }
        Kind::Reference(reference) => total += optional(&[&reference.id, &reference.id_in_url]),
        Kind::Values(each) => total += texts(&[each]),
        _ => {}
    }
    if let Some(dynamic) = parameter.kind.dynamic() {
        total += list(&dynamic.depends_on);
    }
    for condition in &parameter.visible_when {
        total += record();
        total += texts(&[&condition.parameter]);
        for value in condition.holds.values() {
            total += weight(value);
        }
    }
    total += document(parameter.default.as_ref());
    total += document(parameter.hints.as_ref());
    total
}

fn record() -> Weight {
    bytes(RECORD)
}

fn bytes(bytes: usize) -> Weight {
    Weight { bytes, values: 0 }
}

fn texts(texts: &[&String]) -> Weight {
    bytes(texts.iter().map(|text| text.len()).sum())
}

fn optional(texts: &[&Option<String>]) -> Weight {
    bytes(
        texts
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len))
            .sum(),
    )
}

fn list(ids: &[String]) -> Weight {
    bytes(ids.iter().map(|id| id.len() + RECORD).sum())
}

fn document(value: Option<&Json>) -> Weight {
    value.map(weight).unwrap_or_default()
}
