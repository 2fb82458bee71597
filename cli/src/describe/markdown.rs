//! `--format markdown`: tables for a README, as GitHub renders them.

use std::fmt::Write;

use nodule::description::{Indexed, Kind, Operation};

use super::escape::{code, markdown, target};
use super::words::{self, Place};

/// The table of operations, the credential, and a section for each operation. Headings start at level two, to fit under
/// a README's title.
pub fn render(node: &Indexed<'_>) -> String {
    let mut page = String::from("## Operations\n\n");
    operations(node, &mut page);
    if let Some(credential) = &node.credential {
        page.push_str("\n## Credential\n\n");
        let link = link(credential.documentation_url.as_deref());
        paragraph(
            &mut page,
            &format!(
                "{} {}{link}",
                code(&credential.name),
                markdown(&credential.display_name)
            ),
        );
        page.push('\n');
        parameters(node, &credential.fields, &mut page);
    }
    for operation in &node.operations {
        section(node, operation, &mut page);
    }
    page
}

fn operations(node: &Indexed<'_>, page: &mut String) {
    row(
        page,
        &["Group", "Operation", "What it does", "Effect"].map(str::to_owned),
    );
    row(page, &["---"; 4].map(str::to_owned));
    for group in &node.resources {
        for operation in node.operations_of(&group.name) {
            let name = format!("[{}](#{})", code(&operation.name), anchor(operation));
            let about = if operation.summary.is_empty() {
                &operation.display_name
            } else {
                &operation.summary
            };
            let effect = operation.effect.name().to_owned();
            row(
                page,
                &[markdown(&group.display_name), name, markdown(about), effect],
            );
        }
    }
}

fn section(node: &Indexed<'_>, operation: &Operation, page: &mut String) {
    let heading = format!(
        "\n### {} {}\n",
        markdown(&operation.group),
        markdown(&operation.name)
    );
    page.push_str(&heading);
    page.push('\n');
    let link = link(operation.documentation_url.as_deref());
    paragraph(page, &format!("**{}**{link}", markdown(&operation.display_name)));
    if !operation.summary.is_empty() {
        page.push('\n');
        paragraph(page, &markdown(&operation.summary));
    }
    page.push('\n');
    paragraph(
        page,
        &format!("Run twice: {}.", words::effect(node, &operation.effect, code)),
    );
    if let Some(request) = &operation.request {
        page.push('\n');
        paragraph(page, &format!("Request: {}.", code(&request.to_string())));
    }
    page.push('\n');
    if operation.parameters.is_empty() {
        paragraph(page, "It takes no parameters.");
    } else {
        parameters(node, &operation.parameters, page);
    }
}

fn parameters(node: &Indexed<'_>, ids: &[String], page: &mut String) {
    row(
        page,
        &["Parameter", "Label", "Kind", "Required", "Default", "Notes"].map(str::to_owned),
    );
    row(page, &["---"; 6].map(str::to_owned));
    for place in words::places(node, ids) {
        let parameter = place.parameter;
        row(
            page,
            &[
                code(&place.path),
                markdown(&parameter.display_name),
                words::kind(&parameter.kind),
                if parameter.required {
                    "yes".to_owned()
                } else {
                    String::new()
                },
                words::default(parameter)
                    .map(|default| code(&default))
                    .unwrap_or_default(),
                notes(node, &place),
            ],
        );
    }
}

fn notes(node: &Indexed<'_>, place: &Place<'_>) -> String {
    let parameter = place.parameter;
    let mut notes = Vec::new();
    if !parameter.summary.is_empty() {
        notes.push(markdown(&parameter.summary));
    }
    if let Kind::Choice(choices) = &parameter.kind {
        let known = choices.known.iter();
        let known =
            known.map(|choice| format!("{} {}", code(&choice.value.to_string()), markdown(&choice.label)));
        notes.push(known.collect::<Vec<_>>().join(", "));
    }
    if let Kind::Rows(shape) = &parameter.kind {
        let least = if shape.min > 0 {
            format!(", at least {}", shape.min)
        } else {
            String::new()
        };
        notes.push(format!("a list under the key {}{least}", code(&shape.name)));
    }
    notes.extend(words::reading(&parameter.kind).map(str::to_owned));
    notes.extend(
        words::conditions(node, &parameter.visible_when, code)
            .map(|conditions| format!("only while {conditions}")),
    );
    notes.join("; ")
}

/// The anchor that GitHub derives from an operation's heading.
fn anchor(operation: &Operation) -> String {
    let heading = format!("{}-{}", operation.group, operation.name).to_lowercase();
    heading
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || *character == '-')
        .collect()
}

fn link(url: Option<&str>) -> String {
    url.map(|url| format!(" ([documentation]({}))", target(url)))
        .unwrap_or_default()
}

fn row(page: &mut String, cells: &[String]) {
    // Writing to a string does not fail.
    _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn paragraph(page: &mut String, text: &str) {
    _ = writeln!(page, "{text}");
}
