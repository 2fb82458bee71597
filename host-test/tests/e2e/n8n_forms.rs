//! `docs/n8n-forms.md`: what a node of n8n can say, how the contract says it, and the tests that show it. Generated from
//! `host-test/n8n-forms.json`.

use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;

use crate::docs::compare;
use crate::support::root;

/// The section of what there is nothing to test of.
const NOT_YET: &str = "Not in this version of the contract";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    title: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// In n8n.
    feature: String,
    /// In the contract, or why not there.
    says: String,
    /// File and name of each test.
    #[serde(default)]
    tests: Vec<(String, String)>,
}

fn sections() -> Vec<Section> {
    let path = root().join("host-test/n8n-forms.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_page_of_n8n_s_forms_is_what_the_list_says() {
    let mut page = String::from(
        "# Forms of n8n in the contract\n\n\
         <!-- Generated from host-test/n8n-forms.json; UPDATE=1 make test rewrites it. -->\n\n\
         What a node of n8n can say of itself, how a description says it, and the tests that show it.\n",
    );
    for Section { title, rows } in sections() {
        _ = write!(
            page,
            "\n## {title}\n\n| In n8n | In the contract | Tests |\n| --- | --- | --- |\n"
        );
        for row in rows {
            assert!(
                !row.tests.is_empty() || title == NOT_YET,
                "{}: no test shows it",
                row.feature
            );
            let tests = row.tests.iter();
            let tests = tests.map(|(file, name)| format!("[{}](../{file})", name.replace("\\'", "'")));
            let tests = tests.collect::<Vec<_>>().join("<br>");
            _ = writeln!(page, "| {} | {} | {tests} |", row.feature, row.says);
        }
    }
    compare(&root().join("docs/n8n-forms.md"), &page);
}

#[test]
fn each_test_that_the_page_names_exists() {
    for row in sections().into_iter().flat_map(|section| section.rows) {
        for (file, name) in &row.tests {
            let source = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            let test = if Path::new(file).extension().is_some_and(|ending| ending == "rs") {
                format!("#[test]\nfn {name}()")
            } else {
                format!("test('{name}'")
            };
            assert!(
                source.contains(&test),
                "{}: `{file}` has no test `{name}`",
                row.feature
            );
        }
    }
}
