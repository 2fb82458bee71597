//! Copies results into the documentation: the table, the chart, and the README's ratios.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::chart;
use crate::figure::Digits;
use crate::report::Report;
use crate::table;

const TABLE: (&str, &str) = (
    "<!-- results: `make bench` writes what stands between these marks -->",
    "<!-- /results -->",
);
const RATIOS: (&str, &str) = (
    "<!-- ratios: `make bench` writes what stands between these marks -->",
    "<!-- /ratios -->",
);

/// The ratios that the README quotes: section, prefix of the figure's name, and the text around the ratio.
const QUOTED: [(&str, &str, &str, &str); 2] = [
    (
        "live",
        "getMember, 64 under way: items",
        "Live over loopback, with 64 items in flight, it reaches ",
        " times the throughput of the same work in plain Rust, on one thread each.",
    ),
    (
        "million",
        "peak of `nodule run`",
        "Peak memory over 1,000,000 items is ",
        " times that over 1,000.",
    ),
];

/// Writes everything.
pub fn publish(report: &Report, root: &Path) -> Result<()> {
    ensure!(!report.is_quick, "results of a quick run are not published");
    let docs = root.join("docs");
    chart::draw(report, &docs.join("bench.svg"))?;
    let results = format!("{}.\n\n{}", report.origin(), table::markdown(report));
    replace(&docs.join("bench.md"), TABLE, &results)?;
    replace(&root.join("README.md"), RATIOS, &ratios(report)?)
}

fn ratios(report: &Report) -> Result<String> {
    let mut lines = String::new();
    for (section, name, before, after) in QUOTED {
        let figure = report
            .figure(section, name)
            .with_context(|| format!("the figure {section}: {name}"))?;
        let yardstick = figure.yardstick.as_ref().context("a figure with a yardstick")?;
        writeln!(lines, "- {before}**{}**{after}", Digits(yardstick.ratio.median))?;
    }
    Ok(lines.trim_end().to_owned())
}

/// Replaces the text between two marks of a file.
fn replace(path: &Path, (begin, end): (&str, &str), text: &str) -> Result<()> {
    let page = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let page = between(&page, (begin, end), text).with_context(|| path.display().to_string())?;
    std::fs::write(path, page).with_context(|| path.display().to_string())
}

fn between(page: &str, (begin, end): (&str, &str), text: &str) -> Result<String> {
    let (before, rest) = page
        .split_once(begin)
        .with_context(|| format!("expected the line `{begin}`"))?;
    let (_, after) = rest
        .split_once(end)
        .with_context(|| format!("expected the line `{end}`"))?;
    Ok(format!("{before}{begin}\n\n{text}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = "a\n<b>\nold\n</b>\nz\n";
        assert_eq!(
            between(page, ("<b>", "</b>"), "new").unwrap(),
            "a\n<b>\n\nnew\n\n</b>\nz\n"
        );
        let again = between(page, ("<b>", "</b>"), "new").unwrap();
        assert_eq!(between(&again, ("<b>", "</b>"), "new").unwrap(), again);
        assert!(between(page, ("<c>", "</b>"), "new").is_err());
        assert!(between(page, ("<b>", "</c>"), "new").is_err());
    }
}
