//! `--format text`: for people. Columns are aligned and long texts wrapped, so that it reads well without colour.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use nodule::description::{Indexed, Operation, Parameter};
use unicode_width::UnicodeWidthStr;

use super::escape::line;
use super::{Focus, words};

const TITLE: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const FAINT: Style = Style::new().dimmed();

/// Two spaces between columns separate them without rules.
const GAP: usize = 2;

/// Renders the description, or a part of it, wrapped at `width` columns.
pub fn render(node: &Indexed<'_>, focus: Focus<'_>, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        width,
    };
    match focus {
        Focus::Node => overview(node, &mut page),
        Focus::Group(group) => {
            page.title(&group.name, &labelled(&group.display_name, &group.summary));
            for operation in node.operations_of(&group.name) {
                page.blank();
                one(node, operation, &mut page);
            }
        }
        Focus::Operation(operation) => one(node, operation, &mut page),
    }
    page.text
}

fn overview(node: &Indexed<'_>, page: &mut Page) {
    page.title(
        &node.display_name,
        &format!("{}, version {}", node.name, node.version),
    );
    page.paragraph(&node.summary, Style::new());
    page.paragraph(node.documentation_url.as_deref().unwrap_or_default(), FAINT);

    if !node.aliases.is_empty() {
        page.paragraph(&format!("Also found as: {}", node.aliases.join(", ")), FAINT);
    }
    for credential in &node.credentials {
        page.blank();
        page.title(
            "Credential",
            &format!("{}, {}", credential.name, credential.display_name),
        );
        page.paragraph(credential.documentation_url.as_deref().unwrap_or_default(), FAINT);
        parameters(node, &credential.fields, page);
        for line in words::scheme(credential, str::to_owned) {
            page.paragraph(&line, FAINT);
        }
    }
    origins(node, page);
    imports(node, page);
    for group in &node.resources {
        page.blank();
        page.title(&group.name, &labelled(&group.display_name, &group.summary));
        let rows: Vec<Row> = node
            .operations_of(&group.name)
            .map(|operation| Row {
                name: operation.name.clone(),
                middle: operation.effect.name().to_owned(),
                texts: vec![(
                    labelled(&operation.display_name, &operation.summary),
                    Style::new(),
                )],
            })
            .collect();
        page.table(&rows);
    }
    if let Some(example) = node.operations.first() {
        page.blank();
        let text = format!(
            "For parameters add a group and an operation: {} {}",
            example.group, example.name
        );
        page.paragraph(&text, FAINT);
    }
}

fn origins(node: &Indexed<'_>, page: &mut Page) {
    if node.origins.is_empty() {
        return;
    }
    page.blank();
    page.title(
        "Origins",
        "where else the node wants to go; the operator has to grant each",
    );
    let rows: Vec<Row> = node
        .origins
        .iter()
        .map(|origin| Row {
            name: origin.url.clone(),
            middle: words::access(&origin.access, str::to_owned),
            texts: vec![(origin.reason.clone(), Style::new())],
        })
        .collect();
    page.table(&rows);
}

fn imports(node: &Indexed<'_>, page: &mut Page) {
    if node.imports.is_empty() {
        return;
    }
    page.blank();
    page.title("Imports", "beyond what every node imports");
    let row = |name: &String| Row {
        name: name.clone(),
        middle: String::new(),
        texts: Vec::new(),
    };
    page.table(&node.imports.iter().map(row).collect::<Vec<_>>());
    page.paragraph(words::VOID_IMPORTS, FAINT);
}

fn one(node: &Indexed<'_>, operation: &Operation, page: &mut Page) {
    page.title(
        &format!("{} {}", operation.group, operation.name),
        &operation.display_name,
    );
    page.paragraph(&operation.summary, Style::new());
    page.paragraph(operation.documentation_url.as_deref().unwrap_or_default(), FAINT);
    let twice = words::effect(node, &operation.effect, str::to_owned);
    page.paragraph(&format!("Run twice: {twice}"), FAINT);
    if let Some(request) = &operation.request {
        page.paragraph(&format!("Request: {request}"), FAINT);
    }
    page.paragraph(&words::write_requests(operation).unwrap_or_default(), FAINT);
    page.paragraph(words::emits(operation).unwrap_or_default(), FAINT);
    page.paragraph(words::gives_files(operation).unwrap_or_default(), FAINT);
    page.blank();
    if operation.parameters.is_empty() {
        page.paragraph("It takes no parameters", Style::new());
    } else {
        parameters(node, &operation.parameters, page);
    }
}

fn parameters(node: &Indexed<'_>, ids: &[String], page: &mut Page) {
    let rows: Vec<Row> = words::places(node, ids)
        .iter()
        .map(|place| Row {
            name: {
                let name = if place.is_each {
                    "[]"
                } else {
                    &place.parameter.name
                };
                format!("{}{name}", "  ".repeat(place.depth))
            },
            middle: kind(node, place.parameter),
            texts: about(node, place.parameter),
        })
        .collect();
    page.table(&rows);
}

fn kind(node: &Indexed<'_>, parameter: &Parameter) -> String {
    let required = if parameter.required { ", required" } else { "" };
    words::kind(node, &parameter.kind) + required
}

/// The lines about a parameter: its label and summary, then what a caller has to know.
fn about(node: &Indexed<'_>, parameter: &Parameter) -> Vec<(String, Style)> {
    let mut texts = vec![(
        labelled(&parameter.display_name, &parameter.summary),
        Style::new(),
    )];
    if let Some(choices) = parameter.kind.choices()
        && !choices.known.is_empty()
    {
        let known = choices
            .known
            .iter()
            .map(|choice| format!("{} {}", choice.value, choice.label));
        texts.push((known.collect::<Vec<_>>().join(", "), FAINT));
    }
    let shape = words::shape(node, &parameter.kind, str::to_owned);
    texts.extend(shape.map(|shape| (shape, FAINT)));
    let reading = words::reading(&parameter.kind).map(str::to_owned);
    let default = words::default(parameter).map(|default| format!("default {default}"));
    let when = words::conditions(node, &parameter.visible_when, str::to_owned)
        .map(|conditions| format!("only while {conditions}"));
    let facts: Vec<String> = [reading, default, when].into_iter().flatten().collect();
    if !facts.is_empty() {
        texts.push((facts.join("; "), FAINT));
    }
    texts
}

/// `Label: summary`, or the label alone if the summary is empty or repeats it.
fn labelled(label: &str, summary: &str) -> String {
    if summary.is_empty() || summary.eq_ignore_ascii_case(label) {
        label.to_owned()
    } else {
        format!("{label}: {summary}")
    }
}

/// One table row: two short columns, and lines of text in the third.
struct Row {
    name: String,
    middle: String,
    texts: Vec<(String, Style)>,
}

/// The text written so far. Callers pass unescaped text, which is escaped here, once.
struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Writes a heading, with the API name beside it.
    fn title(&mut self, title: &str, beside: &str) {
        let title = line(title);
        let room = self.width.saturating_sub(title.width() + GAP);
        let mut lines = wrapped(beside, room).into_iter();
        let first = lines.next().unwrap_or_default();
        self.line(&format!("{TITLE}{title}{TITLE:#}  {first}"));
        for more in lines {
            self.line(&format!("{:1$}{more}", "", title.width() + GAP));
        }
    }

    fn paragraph(&mut self, text: &str, style: Style) {
        for text in wrapped(text, self.width) {
            self.line(&format!("{style}{text}{style:#}"));
        }
    }

    /// Writes three columns: the first two as wide as needed, the third wrapped.
    fn table(&mut self, rows: &[Row]) {
        /// The narrowest legible column.
        const LEAST: usize = 24;
        let widest = |column: fn(&Row) -> &str| rows.iter().map(|row| line(column(row)).width()).max();
        let first = widest(|row| &row.name).unwrap_or_default();
        let second = widest(|row| &row.middle).unwrap_or_default();
        let beside = GAP + first + GAP + second + GAP;
        // If names are very long, the texts go below them.
        let indent = if beside + LEAST > self.width {
            3 * GAP
        } else {
            beside
        };

        for row in rows {
            let (name, middle) = (line(&row.name), line(&row.middle));
            let room = self.width - indent;
            let texts = row
                .texts
                .iter()
                .flat_map(|(text, style)| wrapped(text, room).into_iter().map(move |text| (text, *style)));
            let pad = first.saturating_sub(name.width());
            let start = format!("{:GAP$}{NAME}{name}{NAME:#}{:pad$}{:GAP$}{middle}", "", "", "");
            let mut texts = texts.peekable();
            if indent == beside
                && let Some((text, style)) = texts.next()
            {
                let pad = second.saturating_sub(middle.width()) + GAP;
                self.line(&format!("{start}{:pad$}{style}{text}{style:#}", ""));
            } else {
                self.line(&start);
            }
            for (text, style) in texts {
                self.line(&format!("{:indent$}{style}{text}{style:#}", ""));
            }
        }
    }

    fn line(&mut self, text: &str) {
        // Writing to a string does not fail.
        _ = writeln!(self.text, "{}", text.trim_end());
    }
}

/// Escapes and wraps a text; no lines if it is blank.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let text = line(text);
    if text.trim().is_empty() {
        return Vec::new();
    }
    textwrap::wrap(&text, width)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}
