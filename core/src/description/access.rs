//! Checks the credentials and the origins: where a secret may go, and that nothing else is needed for it.

use std::collections::{HashMap, HashSet};

use http::HeaderName;

use crate::canonical::CanonicalUrl;
use crate::header::carries_access;

use super::bounds::MAX_URL_BYTES;
use super::check::{Problems, credential_at, label, parameter_at, required_summary, url_fault};
use super::origin::origin_at;
use super::places::{ById, conditions};
use super::text::quoted;
use super::value::is_single;
use super::{
    CredentialSpec, Kind, Node, OriginPattern, Parameter, Placement, Scheme, Template, TextTemplate, oauth2,
};

pub(super) fn check(node: &Node, by_id: &ById<'_>, problems: &mut Problems) {
    let mut names = HashSet::new();
    for credential in &node.credentials {
        if !names.insert(credential.name.as_str()) {
            problems.add(credential_at(credential), "is there twice");
        }
        field_kinds(credential, by_id, problems);
        conditions(&credential.fields, &HashSet::new(), by_id, 1, problems);
        base_url(credential, by_id, problems);
        test_path(credential, problems);
        let fields = Fields::new(credential, by_id);
        match &credential.scheme {
            Scheme::Fixed(placement) => fixed(placement, &fields, problems),
            Scheme::Oauth2(oauth2) => oauth2::check(oauth2, &fields, problems),
            Scheme::Session | Scheme::Signed(_) => {}
        }
    }
    secrets(node, by_id, problems);
    origins(node, by_id, problems);
}

/// The fields of a credential, as templates refer to them.
pub(super) struct Fields<'a> {
    /// The location of the credential.
    pub(super) at: String,
    pub(super) ids: &'a [String],
    pub(super) by_id: &'a ById<'a>,
    by_name: HashMap<&'a str, Vec<&'a Parameter>>,
}

impl<'a> Fields<'a> {
    fn new(credential: &'a CredentialSpec, by_id: &'a ById<'a>) -> Self {
        let mut by_name: HashMap<&str, Vec<&Parameter>> = HashMap::new();
        for field in credential.fields.iter().filter_map(|id| by_id.get(id.as_str())) {
            by_name.entry(field.name.as_str()).or_default().push(field);
        }
        Self {
            at: credential_at(credential),
            ids: &credential.fields,
            by_id,
            by_name,
        }
    }

    /// What is wrong with a field as a part of a text, if anything.
    pub(super) fn fault(&self, name: &str, secrets: bool) -> Option<String> {
        let Some(fields) = self.by_name.get(name) else {
            return Some(format!("{} is none of the credential's fields", quoted(name)));
        };
        fields.iter().find_map(|field| field_fault(field, secrets))
    }
}

/// What is wrong with a field as a part of a text, if anything.
fn field_fault(field: &Parameter, secrets: bool) -> Option<String> {
    let name = quoted(&field.name);
    match &field.kind {
        // A URL is logged, and shown to whoever decides about it.
        Kind::Secret if !secrets => Some(format!("the secret {name} cannot be in a URL")),
        Kind::Secret => None,
        kind if is_single(kind) => None,
        kind => Some(format!(
            "{name} cannot be a part of a text: its kind is `{}`",
            kind.name()
        )),
    }
}

fn field_kinds(credential: &CredentialSpec, by_id: &ById<'_>, problems: &mut Problems) {
    for field in credential.fields.iter().filter_map(|id| by_id.get(id.as_str())) {
        let name = field.kind.name();
        if matches!(
            field.kind,
            Kind::Group(_)
                | Kind::Rows(_)
                | Kind::Values(_)
                | Kind::Columns(_)
                | Kind::Reference(_)
                | Kind::File
        ) {
            let message = format!("the kind `{name}` is not for a field of a credential");
            problems.add(parameter_at(field), message);
        } else if field.kind.dynamic().is_some() {
            // The question would need the credential that is being filled in.
            problems.add(
                parameter_at(field),
                "a field of a credential cannot ask the service for values",
            );
        }
    }
}

fn base_url(credential: &CredentialSpec, by_id: &ById<'_>, problems: &mut Problems) {
    let at = format!("{}, base URL", credential_at(credential));
    let id = quoted(&credential.base_url);
    let Some(field) = by_id.get(credential.base_url.as_str()) else {
        return problems.add(&at, format!("unknown parameter {id}"));
    };
    if !credential.fields.contains(&credential.base_url) {
        problems.add(&at, format!("{id} is none of the credential's fields"));
    }
    // Without the base URL no request is possible, so its presence must not depend on anything.
    if field.kind != Kind::Text || !field.required || !field.visible_when.is_empty() {
        problems.add(
            parameter_at(field),
            "expected a base URL to be a required text without conditions",
        );
    }
    let default = field.default.as_ref().and_then(|value| value.as_str());
    if let Some(message) = default.and_then(url_fault) {
        problems.add(format!("{}, default", parameter_at(field)), message);
    }
}

fn test_path(credential: &CredentialSpec, problems: &mut Problems) {
    let Some(path) = &credential.test else { return };
    let at = format!("{}, test", credential_at(credential));
    if path.len() > MAX_URL_BYTES {
        let message = format!("expected at most {MAX_URL_BYTES} bytes, found {}", path.len());
        return problems.add(at, message);
    }
    let whole = format!("https://host{path}");
    let is_sent_as_written =
        path.starts_with('/') && CanonicalUrl::parse(&whole).is_ok_and(|url| url.to_string() == whole);
    if !is_sent_as_written {
        let message = format!(
            "expected a path as it is sent, such as `/user?fields=id`, found {}",
            quoted(path)
        );
        problems.add(at, message);
    }
}

fn fixed(placement: &Placement, fields: &Fields<'_>, problems: &mut Problems) {
    let all = || placement.headers.iter().chain(&placement.query);
    let mut headers = HashSet::new();
    for Template { name, .. } in &placement.headers {
        let at = format!("{}, header {}", fields.at, quoted(name));
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(header) if !carries_access(&header) => problems.add(at, "no credential may set this header"),
            Ok(header) if !headers.insert(header.clone()) => problems.add(at, "is there twice"),
            Ok(_) => {}
            Err(_) => problems.add(at, "expected the name of a header"),
        }
    }
    let mut query = HashSet::new();
    for Template { name, .. } in &placement.query {
        label(
            format!("{}, name of a query parameter", fields.at),
            name,
            problems,
        );
        if !query.insert(name) {
            problems.add(
                format!("{}, query parameter {}", fields.at, quoted(name)),
                "is there twice",
            );
        }
    }
    let mut uses_a_field = false;
    for Template { name, template } in all() {
        let at = format!("{}, template of {}", fields.at, quoted(name));
        match TextTemplate::parse(template) {
            Ok(template) => {
                uses_a_field |= template.fields().next().is_some();
                for message in template.fields().filter_map(|name| fields.fault(name, true)) {
                    problems.add(&at, message);
                }
            }
            Err(error) => problems.add(at, error.to_string()),
        }
        if template.len() > MAX_URL_BYTES {
            let at = format!("{}, template of {}", fields.at, quoted(name));
            problems.add(
                at,
                format!("expected at most {MAX_URL_BYTES} bytes, found {}", template.len()),
            );
        }
    }
    if !uses_a_field {
        let message = "expected a header or query parameter with a field of the credential in it";
        problems.add(&fields.at, message);
    }
}

/// Checks that secrets are fields of a credential, and that the fields of credentials are used nowhere else.
fn secrets(node: &Node, by_id: &ById<'_>, problems: &mut Problems) {
    let fields = node.credentials.iter().flat_map(|credential| &credential.fields);
    let fields: HashSet<&str> = fields.map(String::as_str).collect();
    let operations = node
        .operations
        .iter()
        .map(|operation| operation.parameters.as_slice());
    let nested = node.parameters.iter().map(|parameter| parameter.kind.children());
    let ids = operations.chain(nested).flatten();
    for parameter in ids.filter_map(|id| by_id.get(id.as_str())) {
        if parameter.kind == Kind::Secret {
            problems.add(
                parameter_at(parameter),
                "a secret belongs to the credential, never to an operation",
            );
        } else if fields.contains(parameter.id.as_str()) {
            problems.add(
                parameter_at(parameter),
                "a field of the credential cannot be an operation's parameter",
            );
        }
    }
}

fn origins(node: &Node, by_id: &ById<'_>, problems: &mut Problems) {
    let mut urls = HashSet::new();
    for origin in &node.origins {
        let at = origin_at(&origin.url);
        if !urls.insert(origin.url.as_str()) {
            problems.add(&at, "is there twice");
        }
        required_summary(format!("{at}, reason"), &origin.reason, problems);
        let mut access = HashSet::new();
        for name in &origin.access {
            if !node.credentials.iter().any(|credential| credential.name == *name) {
                problems.add(
                    format!("{at}, access"),
                    format!("unknown credential {}", quoted(name)),
                );
            } else if !access.insert(name) {
                problems.add(
                    format!("{at}, access"),
                    format!("{} is there twice", quoted(name)),
                );
            }
        }
        let pattern = match OriginPattern::parse(&origin.url) {
            Ok(pattern) => pattern,
            Err(error) => {
                problems.add(&at, error.to_string());
                continue;
            }
        };
        // Without access it goes there with whichever credential is bound.
        let credentials = node
            .credentials
            .iter()
            .filter(|credential| access.is_empty() || access.contains(&credential.name));
        let known: Vec<&Parameter> = credentials
            .flat_map(|credential| &credential.fields)
            .filter_map(|id| by_id.get(id.as_str()).copied())
            .collect();
        for name in pattern.fields() {
            let mut fields = known.iter().filter(|field| field.name == name).peekable();
            if fields.peek().is_none() {
                problems.add(
                    &at,
                    format!("{} is no field of a credential that goes there", quoted(name)),
                );
            }
            if let Some(message) = fields.find_map(|field| field_fault(field, false)) {
                problems.add(&at, message);
            }
        }
    }
}
