//! Checks an answer before anything keeps, prints or draws it.

use std::collections::HashSet;

use super::MAX_CURSOR_BYTES;
use crate::description::{
    Choice, DescriptionProblem, Effect, GroupShape, Kind, MAX_CHOICES, MAX_SIBLINGS, Node, Operation,
    Parameter, Problems, ResourceGroup, check_choice, is_single_value, place_of_parameter, quoted,
};
use crate::json::{Json, Object};
use serde::{Deserialize, Serialize};

/// One page of the values that a parameter may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChoicesPage {
    /// In the service's order. Each value is there once.
    pub choices: Vec<Choice>,
    /// Where the next page begins, in the node's own words. Absent: this is the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What answers a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Values.
    Choices(ChoicesPage),
    /// Columns.
    Columns(Vec<Parameter>),
}

impl Answer {
    /// As a server gives it and a recording holds it: `{"choices": […], "next": "…"}` or `{"fields": […]}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let (name, text) = match self {
            Self::Choices(page) => return json(page),
            Self::Columns(columns) => ("fields", json(columns)),
        };
        let mut object = Object::new();
        object.insert(name, text);
        Json::Object(object)
    }
}

/// Plain records of texts and numbers always have a JSON form.
fn json(value: &impl Serialize) -> Json {
    let text = serde_json::to_string(value).unwrap_or_default();
    Json::parse(&text).unwrap_or_default()
}

/// Checks a page by the rules for a description's choices: labels without deceptive characters, single values, at most
/// [`MAX_CHOICES`]. A value that comes again is left out.
///
/// # Errors
///
/// All problems, up to the number that a description's check reports.
pub fn check_page(mut page: ChoicesPage) -> Result<ChoicesPage, Vec<DescriptionProblem>> {
    let mut problems = Problems::default();
    if page.choices.len() > MAX_CHOICES {
        let found = page.choices.len();
        problems.add(
            "the page",
            format!("expected at most {MAX_CHOICES} choices, found {found}"),
        );
        return problems.or(page);
    }
    for choice in &page.choices {
        check_choice("the page", choice, &mut problems);
    }
    if page
        .next
        .as_ref()
        .is_some_and(|next| next.len() > MAX_CURSOR_BYTES)
    {
        problems.add(
            "the page, next",
            format!("expected at most {MAX_CURSOR_BYTES} bytes, found more"),
        );
    }
    let mut seen = HashSet::new();
    page.choices
        .retain(|choice| seen.insert(choice.value.to_string()));
    problems.or(page)
}

/// Checks columns by the rules for a description's parameters. A column has one single value, or several of a
/// list; it is always shown, and has no values that had to be asked for.
///
/// # Errors
///
/// All problems, up to the number that a description's check reports.
pub fn check_columns(columns: Vec<Parameter>) -> Result<Vec<Parameter>, Vec<DescriptionProblem>> {
    let mut problems = Problems::default();
    if columns.len() > MAX_SIBLINGS {
        let found = columns.len();
        problems.add(
            "the columns",
            format!("expected at most {MAX_SIBLINGS} columns, found {found}"),
        );
        return problems.or(columns);
    }
    for column in &columns {
        let at = place_of_parameter(&column.id);
        if !is_single_value(&column.kind) && !matches!(column.kind, Kind::ChooseMany(_)) {
            let kind = column.kind.name();
            problems.add(
                &at,
                format!(
                    "the kind `{kind}` is not for a column, which has a single value, or several of a list"
                ),
            );
        } else if column.kind.dynamic().is_some() {
            problems.add(&at, "the values of a column cannot be asked for");
        }
        if !column.visible_when.is_empty() {
            problems.add(&at, "a column cannot have conditions");
        }
        if column.name.starts_with('=') {
            // Engines that know expressions would read the key as one.
            problems.add(&at, format!("the name {} begins with `=`", quoted(&column.name)));
        }
    }
    let columns = problems.or(columns)?;
    let mut node = form(columns).check()?;
    node.parameters.pop();
    Ok(node.parameters)
}

/// A description with these columns as the fields of one group, the last of its parameters: what no list of parameters
/// may be, columns may not be either.
fn form(mut columns: Vec<Parameter>) -> Node {
    let fields: Vec<String> = columns.iter().map(|column| column.id.clone()).collect();
    let mut id = "columns".to_owned();
    while fields.contains(&id) {
        id.push('s');
    }
    let text = str::to_owned;
    columns.push(Parameter {
        id: id.clone(),
        name: text("columns"),
        display_name: text("Columns"),
        summary: String::new(),
        placeholder: None,
        kind: Kind::Group(GroupShape { key: None, fields }),
        required: false,
        default: None,
        visible_when: Vec::new(),
        hints: None,
    });
    let operation = Operation {
        group: text("columns"),
        name: text("columns"),
        display_name: text("Columns"),
        summary: String::new(),
        action: text("Columns"),
        documentation_url: None,
        parameters: vec![id],
        effect: Effect::Read,
        write_requests: 0,
        emits: false,
        gives_files: false,
        request: None,
        output_schema: Json::Object(Object::new()),
        hints: None,
    };
    Node {
        imports: Vec::new(),
        name: text("columns"),
        display_name: text("Columns"),
        version: 1,
        summary: String::new(),
        icon_svg: None,
        documentation_url: None,
        aliases: Vec::new(),
        credentials: Vec::new(),
        origins: Vec::new(),
        resources: vec![ResourceGroup {
            name: text("columns"),
            display_name: text("Columns"),
            summary: String::new(),
        }],
        operations: vec![operation],
        parameters: columns,
        hints: None,
    }
}
