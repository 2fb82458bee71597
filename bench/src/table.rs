//! Renders the table for terminals and for Markdown.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle, presets};

use crate::figure::{Digits, Figure, Of, Unit};
use crate::report::Report;
use crate::spread::Spread;

/// A rule under the header only.
const TERMINAL: TableStyle = presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));
const HEAD: [&str; 7] = [
    "section",
    "figure",
    "value",
    "yardstick",
    "ratio",
    "target",
    "met",
];
/// The columns that contain numbers.
const NUMBERS: [usize; 2] = [2, 4];

/// Renders text for a wide terminal.
pub fn text(report: &Report) -> String {
    let failures = report
        .failures
        .iter()
        .map(|failure| format!("{}: not measured: {}", failure.section, failure.error));
    let lines: Vec<String> = std::iter::once(table(report, TERMINAL).to_string())
        .chain(failures)
        .collect();
    lines.join("\n")
}

/// Renders Markdown.
pub fn markdown(report: &Report) -> String {
    let mut lines = table(report, presets::ASCII_MARKDOWN)
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>();
    for failure in &report.failures {
        lines.push(format!(
            "\n{} was not measured: {}",
            failure.section, failure.error
        ));
    }
    lines.join("\n")
}

fn table(report: &Report, preset: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(preset).set_header(HEAD);
    let mut section = "";
    for figure in &report.figures {
        let mut row = row(figure);
        if figure.section != section {
            section = &figure.section;
            section.clone_into(&mut row[0]);
        }
        table.add_row(row);
    }
    for index in NUMBERS {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(figure: &Figure) -> [String; 7] {
    let unit = figure.unit;
    let (yardstick, ratio) = match &figure.yardstick {
        Some(yardstick) => (
            format!("{} ({})", unit.words(yardstick.value.median), yardstick.name),
            match figure.target {
                Some(target) if target.of() == Of::Difference => difference(unit, yardstick.difference),
                _ => spread(yardstick.ratio),
            },
        ),
        None => Default::default(),
    };
    [
        String::new(),
        figure.name.clone(),
        unit.words(figure.value.median),
        yardstick,
        ratio,
        figure.target.map(|target| target.words(unit)).unwrap_or_default(),
        match figure.is_met {
            Some(true) => "yes".to_owned(),
            Some(false) => "no".to_owned(),
            None => String::new(),
        },
    ]
}

/// The median and the range of the runs.
fn spread(spread: Spread) -> String {
    let median = Digits(spread.median);
    if spread.runs > 1 {
        format!("{median} ({}–{})", Digits(spread.min), Digits(spread.max))
    } else {
        median.to_string()
    }
}

fn difference(unit: Unit, difference: Spread) -> String {
    let sign = if difference.median < 0.0 { "−" } else { "+" };
    format!("{sign}{}", unit.words(difference.median.abs()))
}
