//! The rules that a description must meet before anything is drawn, printed or run from it.

use std::collections::HashSet;
use std::fmt::Display;

use crate::json::Json;
use thiserror::Error;
use url::Url;

use super::bounds::{
    MAX_ID_BYTES, MAX_LABEL_CHARS, MAX_PROBLEMS, MAX_SCALAR_CHARS, MAX_SUMMARY_CHARS, MAX_URL_BYTES,
    MAX_WRITE_REQUESTS,
};
use super::json::{faults, found, is_scalar};
use super::names::{camel_case_fault, parameter_fault};
use super::text::{is_deceptive, quoted};
use super::{
    Condition, CredentialSpec, Effect, Holds, Kind, Node, Operation, Parameter, icon, kinds, places, sizes,
};

/// One thing that is wrong with a description.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{at}: {message}")]
#[non_exhaustive]
pub struct DescriptionProblem {
    /// Where: ``parameter `points.adjust.amount`, default``.
    pub at: String,
    /// What was expected and what was found.
    pub message: String,
}

impl DescriptionProblem {
    pub(super) fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        DescriptionProblem {
            at: at.into(),
            message: message.into(),
        }
    }
}

impl Node {
    /// Checks the description and returns it if engines may rely on it:
    ///
    /// - every size is within the limits of this module, including the size of what is drawn from it;
    /// - names are camelCase and not properties that every JavaScript object inherits; IDs are such names, joined by
    ///   dots; a parameter's name may be any other text, but for `$` at its beginning;
    /// - names are unique where they must be: two parameters of a list share one only if their conditions exclude each
    ///   other;
    /// - every referenced ID exists, and no parameter contains itself or depends on itself;
    /// - no top-level parameter is called `resource` or `operation`, under which workflows store the operation;
    /// - texts have no [deceptive](super::is_deceptive) characters, except line feeds in summaries;
    /// - the names in the path of a declared request are required parameters of the operation, with single values that
    ///   are always present;
    /// - URLs are http or https, and the icon only draws;
    /// - defaults and conditions fit the kinds of their parameters, and every pattern is a [`Pattern`](super::Pattern);
    /// - secrets are fields of a credential; templates, the URLs of OAuth and origins are well-formed, refer to fields of a
    ///   credential only, and never put a secret into a URL;
    /// - what only reads needs no write requests, and everything else needs 1 to [`MAX_WRITE_REQUESTS`].
    ///
    /// # Errors
    ///
    /// All problems, in the description's order, up to [`MAX_PROBLEMS`]. If the description is too large to examine,
    /// only the problems with its size.
    pub fn check(self) -> Result<Node, Vec<DescriptionProblem>> {
        let mut problems = Problems::default();
        sizes::check(&self, &mut problems);
        if problems.list.is_empty() {
            records(&self, &mut problems);
            places::check(&self, &mut problems);
        }
        problems.or(self)
    }
}

/// Collects problems, up to a number that people read.
#[derive(Default)]
pub struct Problems {
    list: Vec<DescriptionProblem>,
}

impl Problems {
    /// Returns `value` if there are no problems.
    ///
    /// # Errors
    ///
    /// The problems, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Vec<DescriptionProblem>> {
        if self.list.is_empty() {
            Ok(value)
        } else {
            Err(self.list)
        }
    }

    /// Adds a problem, unless it is already listed.
    pub fn add(&mut self, at: impl Display, message: impl Into<String>) {
        if self.list.len() < MAX_PROBLEMS {
            let problem = DescriptionProblem::new(at.to_string(), message);
            // A parameter that several operations share is checked once per operation.
            if !self.list.contains(&problem) {
                self.list.push(problem);
            }
        }
    }
}

fn records(node: &Node, problems: &mut Problems) {
    name("node, name", &node.name, problems);
    label("node, display name", &node.display_name, problems);
    summary("node, summary", &node.summary, problems);
    if node.version == 0 {
        problems.add("node, version", "expected 1 or more, found `0`");
    }
    url(
        "node, documentation URL",
        node.documentation_url.as_deref(),
        problems,
    );
    hints("node, hints", node.hints.as_ref(), problems);
    let mut aliases = HashSet::new();
    for alias in &node.aliases {
        label("node, aliases", alias, problems);
        if !aliases.insert(alias) {
            problems.add("node, aliases", format!("{} is there twice", quoted(alias)));
        }
    }
    if let Some(message) = node.icon_svg.as_deref().and_then(icon::fault) {
        problems.add("node, icon", message);
    }
    for credential in &node.credentials {
        credential_texts(credential, problems);
    }
    for group in &node.resources {
        let at = format!("group {}", quoted(&group.name));
        name(format!("{at}, name"), &group.name, problems);
        label(format!("{at}, display name"), &group.display_name, problems);
        summary(format!("{at}, summary"), &group.summary, problems);
    }
    for operation in &node.operations {
        operation_record(operation, problems);
    }
    for parameter in &node.parameters {
        parameter_record(parameter, problems);
    }
}

fn credential_texts(credential: &CredentialSpec, problems: &mut Problems) {
    let at = credential_at(credential);
    name(format!("{at}, name"), &credential.name, problems);
    label(format!("{at}, display name"), &credential.display_name, problems);
    url(
        format!("{at}, documentation URL"),
        credential.documentation_url.as_deref(),
        problems,
    );
}

fn operation_record(operation: &Operation, problems: &mut Problems) {
    let at = operation_at(operation);
    name(format!("{at}, name"), &operation.name, problems);
    label(format!("{at}, display name"), &operation.display_name, problems);
    summary(format!("{at}, summary"), &operation.summary, problems);
    label(format!("{at}, action"), &operation.action, problems);
    url(
        format!("{at}, documentation URL"),
        operation.documentation_url.as_deref(),
        problems,
    );
    hints(
        format!("{at}, output schema"),
        Some(&operation.output_schema),
        problems,
    );
    hints(format!("{at}, hints"), operation.hints.as_ref(), problems);
    if operation.emits && operation.effect != Effect::Read {
        problems.add(
            format!("{at}, emits"),
            "expected it only of what reads: rows that were given are not taken back".to_owned(),
        );
    }
    if operation.emits && operation.gives_files {
        problems.add(
            format!("{at}, gives files"),
            "expected rows or files: what emits rows gives no files".to_owned(),
        );
    }
    let expected = match (&operation.effect, operation.write_requests) {
        (Effect::Read, 0)
        | (Effect::Idempotent | Effect::Keyed(_) | Effect::Write, 1..=MAX_WRITE_REQUESTS) => return,
        (Effect::Read, _) => "0 for what only reads".to_owned(),
        _ => format!("1 to {MAX_WRITE_REQUESTS}"),
    };
    let found = operation.write_requests;
    problems.add(
        format!("{at}, write requests"),
        format!("expected {expected}, found `{found}`"),
    );
}

fn parameter_record(parameter: &Parameter, problems: &mut Problems) {
    let at = parameter_at(parameter);
    if parameter.id.len() > MAX_ID_BYTES
        || !parameter
            .id
            .split('.')
            .all(|part| camel_case_fault(part).is_none())
    {
        let message = format!("expected camelCase names joined by `.`, at most {MAX_ID_BYTES} bytes");
        problems.add(format!("{at}, ID"), message);
    }
    if let Some(message) = parameter_fault(&parameter.name) {
        problems.add(format!("{at}, name"), message);
    }
    label(format!("{at}, display name"), &parameter.display_name, problems);
    summary(format!("{at}, summary"), &parameter.summary, problems);
    if parameter.kind == Kind::Notice && parameter.required {
        problems.add(&at, "a notice has no value, and cannot be required");
    }
    if let Some(placeholder) = &parameter.placeholder {
        label(format!("{at}, placeholder"), placeholder, problems);
    }
    kinds::check(&at, &parameter.kind, problems);
    for condition in &parameter.visible_when {
        condition_values(&at, condition, problems);
    }
    hints(format!("{at}, hints"), parameter.hints.as_ref(), problems);
}

fn condition_values(at: &str, condition: &Condition, problems: &mut Problems) {
    let at = format!("{at}, condition on {}", quoted(&condition.parameter));
    if condition.holds.values().is_empty() && condition.holds != Holds::Set {
        problems.add(&at, "expected at least one value");
    }
    for value in condition.holds.values() {
        scalar(&at, value, problems);
    }
}

pub(super) fn operation_at(operation: &Operation) -> String {
    place_of_operation(&operation.group, &operation.name)
}

pub(super) fn credential_at(credential: &CredentialSpec) -> String {
    format!("credential {}", quoted(&credential.name))
}

pub(super) fn parameter_at(parameter: &Parameter) -> String {
    place_of_parameter(&parameter.id)
}

/// The location of an operation, for a [`DescriptionProblem`].
#[must_use]
pub fn place_of_operation(group: &str, name: &str) -> String {
    format!("operation {}", quoted(&format!("{group}.{name}")))
}

/// The location of a parameter, for a [`DescriptionProblem`].
#[must_use]
pub fn place_of_parameter(id: &str) -> String {
    format!("parameter {}", quoted(id))
}

pub(super) fn name(at: impl Display, name: &str, problems: &mut Problems) {
    if let Some(message) = camel_case_fault(name) {
        problems.add(at, message);
    }
}

pub(super) fn label(at: impl Display, text: &str, problems: &mut Problems) {
    let count = text.chars().count();
    if text.trim().is_empty() {
        problems.add(&at, "expected a text, found none");
    } else if count > MAX_LABEL_CHARS {
        problems.add(
            &at,
            format!("expected at most {MAX_LABEL_CHARS} characters, found {count}"),
        );
    }
    deceptive(at, text, "", problems);
}

pub(super) fn summary(at: impl Display, text: &str, problems: &mut Problems) {
    let count = text.chars().count();
    if count > MAX_SUMMARY_CHARS {
        problems.add(
            &at,
            format!("expected at most {MAX_SUMMARY_CHARS} characters, found {count}"),
        );
    }
    deceptive(at, text, "\n", problems);
}

/// Like a summary, but not empty.
pub(super) fn required_summary(at: impl Display, text: &str, problems: &mut Problems) {
    if text.trim().is_empty() {
        problems.add(&at, "expected a text, found none");
    }
    summary(at, text, problems);
}

pub(super) fn scalar(at: impl Display, value: &Json, problems: &mut Problems) {
    if !is_scalar(value) {
        return problems.add(
            at,
            format!("expected a text, number or boolean, found {}", found(value)),
        );
    }
    if let Json::String(text) = value {
        let count = text.chars().count();
        if count > MAX_SCALAR_CHARS {
            problems.add(
                &at,
                format!("expected at most {MAX_SCALAR_CHARS} characters, found {count}"),
            );
        }
        deceptive(at, text, "", problems);
    }
}

pub(super) fn deceptive(at: impl Display, text: &str, allowed: &str, problems: &mut Problems) {
    let wrong = |character: &char| is_deceptive(*character) && !allowed.contains(*character);
    if let Some(character) = text.chars().find(wrong) {
        let message = format!(
            "the character U+{:04X} is not allowed in {}",
            u32::from(character),
            quoted(text)
        );
        problems.add(at, message);
    }
}

fn hints(at: impl Display, document: Option<&Json>, problems: &mut Problems) {
    let Some(document) = document else { return };
    if !document.is_object() {
        problems.add(at, format!("expected a JSON object, found {}", found(document)));
    } else if let Some(message) = faults(document) {
        problems.add(at, message);
    }
}

fn url(at: impl Display, text: Option<&str>, problems: &mut Problems) {
    let Some(text) = text else { return };
    if let Some(message) = url_fault(text) {
        problems.add(&at, message);
    }
    deceptive(at, text, "", problems);
}

/// What is wrong with a URL that people click or that receives a credential: it must name the service and contain no
/// secret.
pub(super) fn url_fault(text: &str) -> Option<String> {
    if text.len() > MAX_URL_BYTES {
        return Some(format!(
            "expected a URL of at most {MAX_URL_BYTES} bytes, found {}",
            text.len()
        ));
    }
    let fine = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    });
    (!fine).then(|| {
        format!(
            "expected an http or https URL without user information, found {}",
            quoted(text)
        )
    })
}
