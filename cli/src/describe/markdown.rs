//! `--format markdown`: tables for a README, as GitHub renders them.

use std::fmt::Write;

use nodule::description::{Indexed, Operation};

use super::escape::{code, markdown, target};
use super::words::{self, Place};

/// The table of operations, the credentials, the origins, and a section for each operation. Headings start at level two, to fit under
/// a README's title.
pub fn render(node: &Indexed<'_>) -> String {
    let mut page = String::new();
    if !node.aliases.is_empty() {
        let aliases: Vec<String> = node.aliases.iter().map(|alias| markdown(alias)).collect();
        paragraph(&mut page, &format!("Also found as: {}.\n", aliases.join(", ")));
    }
    page.push_str("## Operations\n\n");
    page.push_str(&operations(node, true));
    credentials(node, &mut page);
    origins(node, &mut page);
    imports(node, &mut page);
    for operation in &node.operations {
        section(node, operation, &mut page);
    }
    page
}

fn credentials(node: &Indexed<'_>, page: &mut String) {
    match node.credentials.len() {
        0 => return,
        1 => page.push_str("\n## Credential\n"),
        _ => page.push_str("\n## Credentials\n\nOne of these is bound.\n"),
    }
    for credential in &node.credentials {
        page.push('\n');
        let link = link(credential.documentation_url.as_deref());
        paragraph(
            page,
            &format!(
                "{} {}{link}",
                code(&credential.name),
                markdown(&credential.display_name)
            ),
        );
        page.push('\n');
        parameters(node, &credential.fields, page);
        page.push('\n');
        for line in words::scheme(credential, code) {
            paragraph(page, &format!("- {line}"));
        }
    }
}

fn origins(node: &Indexed<'_>, page: &mut String) {
    if node.origins.is_empty() {
        return;
    }
    page.push_str("\n## Origins\n\nWhere else the node wants to go. The operator has to grant each.\n\n");
    row(page, &["Origin", "Access", "Why"].map(str::to_owned));
    row(page, &["---"; 3].map(str::to_owned));
    for origin in &node.origins {
        row(
            page,
            &[
                code(&origin.url),
                words::access(&origin.access, code),
                markdown(&origin.reason),
            ],
        );
    }
}

fn imports(node: &Indexed<'_>, page: &mut String) {
    if node.imports.is_empty() {
        return;
    }
    let names: Vec<String> = node.imports.iter().map(|name| code(name)).collect();
    page.push_str("\n## Imports\n\n");
    let names = names.join(", ");
    let text = format!("Beyond what every node imports: {names}. {}", words::VOID_IMPORTS);
    paragraph(page, &text);
}

/// The table of operations, with links to their sections or without.
pub fn operations(node: &Indexed<'_>, is_linked: bool) -> String {
    let mut table = String::new();
    let page = &mut table;
    row(
        page,
        &["Group", "Operation", "What it does", "Effect"].map(str::to_owned),
    );
    row(page, &["---"; 4].map(str::to_owned));
    for group in &node.resources {
        for operation in node.operations_of(&group.name) {
            let mut name = code(&operation.name);
            if is_linked {
                name = format!("[{name}](#{})", anchor(operation));
            }
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
    table
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
    if let Some(requests) = words::write_requests(operation) {
        page.push('\n');
        paragraph(page, &format!("{requests}."));
    }
    for said in [words::emits(operation), words::gives_files(operation)]
        .into_iter()
        .flatten()
    {
        page.push('\n');
        paragraph(page, &format!("{said}."));
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
                words::kind(node, &parameter.kind),
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
    if let Some(choices) = parameter.kind.choices()
        && !choices.known.is_empty()
    {
        let known = choices.known.iter();
        let known =
            known.map(|choice| format!("{} {}", code(&choice.value.to_string()), markdown(&choice.label)));
        notes.push(known.collect::<Vec<_>>().join(", "));
    }
    notes.extend(words::shape(node, &parameter.kind, code));
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
