//! The kinds of 0.2, what their values depend on, and how often an operation writes.

use crate::json;
use crate::json::Json;

use super::super::*;
use super::refused::each;
use super::{parameter, problems};

#[test]
fn an_operation_says_how_often_it_writes() {
    const FEW: &str = "operation `loan.remind`, write requests: expected 1 to 1000, found ";
    for (count, expected) in [
        (0, Some("`0`")),
        (1, None),
        (1_000, None),
        (1_001, Some("`1001`")),
    ] {
        let found = problems(|node| node.operations[4].write_requests = count);
        let expected: Vec<String> = expected
            .into_iter()
            .map(|found| format!("{FEW}{found}"))
            .collect();
        assert_eq!(found, expected);
    }
    each(&[(
        |node| node.operations[0].write_requests = 1,
        "operation `book.search`, write requests: expected 0 for what only reads, found `1`",
    )]);
}

#[test]
fn only_what_reads_gives_rows_while_an_item_goes_on() {
    each(&[(
        |node| node.operations[1].emits = true,
        "operation `book.update`, emits: expected it only of what reads: rows that were given are not taken back",
    )]);
}

#[test]
fn an_operation_gives_rows_or_files() {
    each(&[(
        |node| node.operations[0].gives_files = true,
        "operation `book.search`, gives files: expected rows or files: what emits rows gives no files",
    )]);
    let mut node: Node = serde_json::from_str(EXAMPLE).unwrap();
    assert!(!node.operations.iter().any(|it| node.moves_files(it)));
    parameter(&mut node, "book.update.tags.tag").kind = Kind::File;
    let moves: Vec<bool> = node.operations.iter().map(|it| node.moves_files(it)).collect();
    assert_eq!(moves.iter().filter(|moves| **moves).count(), 1, "one nests it");
}

fn reference(id: Option<&str>, id_in_url: Option<&str>) -> Kind {
    Kind::Reference(Reference {
        dynamic: None,
        id: id.map(str::to_owned),
        id_in_url: id_in_url.map(str::to_owned),
    })
}

/// A parameter, a default for it, and the message; empty if the default fits.
fn defaults() -> Vec<(&'static str, Json, &'static str)> {
    vec![
        ("book.search.branches", json!([]), ""),
        ("book.search.branches", json!(["bus", "main"]), ""),
        (
            "book.search.branches",
            json!("bus"),
            "expected a list, found the text `bus`",
        ),
        (
            "book.search.branches",
            json!(["car"]),
            "expected one of the choices, found the text `car`",
        ),
        (
            "book.search.branches",
            json!(["bus", "bus"]),
            "the value the text `bus` is there twice",
        ),
        ("book.search.near", json!("Any Street"), ""),
        (
            "book.search.near",
            json!([1]),
            "expected a text, number or boolean, found a list",
        ),
        ("book.update.series", json!("a-1"), ""),
        ("book.update.series", json!(7), ""),
        (
            "book.update.series",
            json!("A 1"),
            "expected an ID as the pattern has it, found the text `A 1`",
        ),
        (
            "book.update.series",
            json!({"id": "a"}),
            "expected an ID as the pattern has it, found an object",
        ),
        ("book.update.tags", json!(["a", "a"]), ""),
        (
            "book.update.tags",
            json!("a"),
            "expected a list, found the text `a`",
        ),
        (
            "book.update.tags",
            json!([1]),
            "expected one line of text, found `1`",
        ),
        ("book.update.facts", json!({"any": [1]}), ""),
        ("book.update.facts", json!([]), "expected an object, found a list"),
        (
            "book.update.pages",
            json!(0.4),
            "expected a number from 0.5, found `0.4`",
        ),
        (
            "book.catalogue.note",
            json!("a"),
            "a notice has no value, and no default",
        ),
        ("loan.lend.reminders", json!([{"day": "2025-01-31"}]), ""),
        (
            "loan.lend.reminders",
            json!({"reminder": []}),
            "expected a list of rows, found an object",
        ),
        (
            "book.catalogue.books",
            json!({"book": []}),
            "expected 1 to 500 rows, found 0",
        ),
        ("loan.remind.later", json!({"at": "2025-01-31T10:00:00Z"}), ""),
        ("loan.remind.later", json!({"later": {}}), "unknown field `later`"),
    ]
}

#[test]
fn a_default_is_what_its_kind_holds() {
    for (id, value, expected) in defaults() {
        let found = problems(|node| parameter(node, id).default = Some(value.clone()));
        let expected: Vec<String> = Some(expected)
            .filter(|expected| !expected.is_empty())
            .map(|expected| format!("parameter `{id}`, default: {expected}"))
            .into_iter()
            .collect();
        assert_eq!(found, expected, "{id} {value}");
    }
}

#[test]
fn shapes_make_sense() {
    each(&[
        (
            |node| {
                parameter(node, "book.update.pages").kind = Kind::Number(Range {
                    min: Some(1.5),
                    max: Some(1.0),
                });
            },
            "parameter `book.update.pages`, range: expected the least value to be at most the greatest, found `1.5` and `1`",
        ),
        (
            |node| {
                let Kind::Rows(shape) = &mut parameter(node, "book.catalogue.books").kind else {
                    return;
                };
                (shape.min, shape.max) = (3, Some(2));
            },
            "parameter `book.catalogue.books`, rows: expected a maximum of at least `3`, found `2`",
        ),
        (
            |node| {
                let Kind::Rows(shape) = &mut parameter(node, "book.catalogue.books").kind else {
                    return;
                };
                (shape.min, shape.max) = (0, Some(0));
            },
            "parameter `book.catalogue.books`, rows: expected a maximum of at least `1`, found `0`",
        ),
        (
            |node| parameter(node, "book.catalogue.note").required = true,
            "parameter `book.catalogue.note`: a notice has no value, and cannot be required",
        ),
        (
            |node| {
                parameter(node, "book.update.tags").default = None;
                parameter(node, "book.update.tags.tag").kind = Kind::Notice;
            },
            "parameter `book.update.tags`, values: the kind `notice` is not for single values",
        ),
        (
            |node| parameter(node, "book.update.tags.tag").required = true,
            "parameter `book.update.tags`, values: expected `book.update.tags.tag` to be neither required nor to have conditions",
        ),
        (
            |node| {
                let Kind::ChooseMany(choices) = &mut parameter(node, "book.search.branches").kind else {
                    return;
                };
                choices.known.push(choices.known[1].clone());
            },
            "parameter `book.search.branches`: the choice the text `bus` is there twice",
        ),
        (
            |node| {
                let Kind::Choice(choices) = &mut parameter(node, "book.search.near").kind else {
                    return;
                };
                choices.dynamic = None;
            },
            "parameter `book.search.near`: a choice of nothing: expected at least one value, or an open choice",
        ),
    ]);
}

#[test]
fn the_elements_of_a_list_are_single_values() {
    let dynamic = Dynamic::default();
    let choices = Choices {
        known: Vec::new(),
        open: true,
        dynamic: None,
    };
    for (kind, fits) in [
        (Kind::Boolean, true),
        (Kind::AnyJson, true),
        (Kind::Choice(choices.clone()), true),
        (reference(None, None), true),
        (Kind::ChooseMany(choices), false),
        (Kind::Columns(dynamic), false),
    ] {
        let found = problems(|node| {
            parameter(node, "book.update.tags").default = None;
            parameter(node, "book.update.tags.tag").kind = kind.clone();
        });
        assert_eq!(found.is_empty(), fits, "{kind:?}: {found:?}");
    }
}

#[test]
fn the_patterns_of_a_reference_are_regular_expressions() {
    let at = "parameter `book.update.series`";
    for (kind, expected) in [
        (reference(None, None), None),
        (reference(Some("[0-9]+"), Some("https://a/([0-9]+)")), None),
        (
            reference(Some("^[0-9]+"), None),
            Some(
                "ID: `^` stands for itself here: a pattern matches the whole text; write `\\^` for the character, in `^[0-9]+`",
            ),
        ),
        (
            reference(None, Some("https://a/.*")),
            Some("ID in a URL: expected exactly one group, which is not repeated, in `https://a/.*`"),
        ),
        (
            reference(None, Some("(a)(b)")),
            Some("ID in a URL: expected exactly one group, which is not repeated, in `(a)(b)`"),
        ),
        (
            reference(None, Some("(a")),
            Some("ID in a URL: expected a `)` for each `(`, in `(a`"),
        ),
    ] {
        let found = problems(|node| {
            let series = parameter(node, "book.update.series");
            (series.kind, series.default) = (kind, None);
        });
        let expected: Vec<String> = expected.into_iter().map(|it| format!("{at}, {it}")).collect();
        assert_eq!(found, expected);
    }
}

/// Makes the choices of the stop depend on these.
fn depending_on(ids: &[&str]) -> Vec<String> {
    problems(|node| {
        let near = parameter(node, "book.search.near");
        let Kind::Choice(choices) = &mut near.kind else {
            return;
        };
        choices.dynamic = Some(Dynamic {
            depends_on: ids.iter().map(|id| (*id).to_owned()).collect(),
            search: false,
        });
    })
}

const ELSEWHERE: &str = "expected a parameter of the same list or of the operation itself";

#[test]
fn what_values_depend_on_is_seen_from_there() {
    let at = |id: &str| format!("parameter `book.search.near`, depends on `{id}`");
    assert_eq!(
        depending_on(&["book.search.query", "book.search.filters"]),
        Vec::<String>::new()
    );
    for (ids, expected) in [
        (&["book.search.colour"][..], "unknown parameter"),
        (&["loan.lend.card"], ELSEWHERE),
        (&["book.search.filters.since"], ELSEWHERE),
        (&["book.search.query", "book.search.query"], "is there twice"),
    ] {
        assert_eq!(depending_on(ids), [format!("{}: {expected}", at(ids[0]))]);
    }
    assert_eq!(
        depending_on(&["book.search.near"]),
        ["parameter `book.search.near`: what its values depend on leads back to itself"]
    );
    let circle = problems(|node| {
        let branches = parameter(node, "book.search.branches");
        let Kind::ChooseMany(choices) = &mut branches.kind else {
            return;
        };
        choices.dynamic = Some(Dynamic {
            depends_on: vec!["book.search.near".to_owned()],
            search: false,
        });
    });
    assert_eq!(
        circle,
        [
            "parameter `book.search.branches`: what its values depend on leads back to itself",
            "parameter `book.search.near`: what its values depend on leads back to itself",
        ]
    );
}

#[test]
fn a_condition_asks_for_what_a_value_can_be() {
    let on = |subject: &str, holds: Holds| {
        problems(|node| {
            let condition = Condition {
                parameter: subject.to_owned(),
                holds,
            };
            let operation = subject.split('.').take(2).collect::<Vec<_>>().join(".");
            let id = match operation.as_str() {
                "book.search" => "book.search.query",
                "book.update" => "book.update.blurb",
                _ => "book.catalogue.extra",
            };
            parameter(node, id).visible_when = vec![condition];
        })
    };
    let values = |value: Json| Holds::NoneOf(vec![value]);
    for (subject, holds, expected) in [
        ("book.search.branches", values(json!("bus")), None),
        (
            "book.search.branches",
            values(json!("car")),
            Some("expected one of the choices, found the text `car`"),
        ),
        ("book.update.tags", values(json!("new")), None),
        (
            "book.update.tags",
            values(json!(1)),
            Some("expected one line of text, found `1`"),
        ),
        ("book.update.series", values(json!("a")), None),
        (
            "book.update.facts",
            values(json!("a")),
            Some("a value of the kind `columns` cannot be compared"),
        ),
        ("book.update.facts", Holds::Set, None),
        ("book.update.tags", Holds::Set, None),
        ("book.catalogue.books", Holds::Set, None),
        (
            "book.catalogue.note",
            Holds::Set,
            Some("a form cannot tell whether the kind `notice` has a value"),
        ),
        (
            "book.catalogue.note",
            values(json!("a")),
            Some("a value of the kind `notice` cannot be compared"),
        ),
        (
            "book.search.branches",
            Holds::NoneOf(Vec::new()),
            Some("expected at least one value"),
        ),
    ] {
        let found = on(subject, holds.clone());
        assert_eq!(
            found.len(),
            usize::from(expected.is_some()),
            "{subject} {holds:?}: {found:?}"
        );
        if let Some(expected) = expected {
            assert!(found[0].ends_with(expected), "{subject} {holds:?}: {found:?}");
        }
    }
}
