//! The example, broken in one way at a time.

use crate::json;
use crate::json::Json;

use super::super::*;
use super::{library, parameter, problems, read};

/// One way to break the example, and the one problem that is reported.
pub(super) type Case = (fn(&mut Node), &'static str);

fn group<const N: usize>(fields: [&str; N]) -> Kind {
    Kind::Group(GroupShape {
        key: None,
        fields: fields.map(str::to_owned).to_vec(),
    })
}

pub(super) fn each(cases: &[Case]) {
    for (change, expected) in cases {
        assert_eq!(problems(change), [*expected]);
    }
}

#[test]
fn texts_are_what_they_seem() {
    each(&[
        (
            |node| node.display_name = "Lib\u{1b}[2Jrary".to_owned(),
            "node, display name: the character U+001B is not allowed in `Lib\\u{1b}[2Jrary`",
        ),
        (
            |node| node.operations[0].summary = "a\u{202e}b".to_owned(),
            "operation `book.search`, summary: the character U+202E is not allowed in `a\\u{202e}b`",
        ),
        (
            |node| node.resources[0].summary = "a\rb".to_owned(),
            "group `book`, summary: the character U+000D is not allowed in `a\\rb`",
        ),
        (
            |node| node.summary = "é".repeat(2_001),
            "node, summary: expected at most 2000 characters, found 2001",
        ),
        (
            |node| node.display_name = "x".repeat(201),
            "node, display name: expected at most 200 characters, found 201",
        ),
        (
            |node| parameter(node, "book.search.query").placeholder = Some(" ".to_owned()),
            "parameter `book.search.query`, placeholder: expected a text, found none",
        ),
        (
            |node| node.documentation_url = Some("javascript:alert(1)".to_owned()),
            "node, documentation URL: expected an http or https URL without user information, found `javascript:alert(1)`",
        ),
        (
            |node| node.operations[0].documentation_url = Some("https://a:b@library.example".to_owned()),
            "operation `book.search`, documentation URL: expected an http or https URL without user information, found `https://a:b@library.example`",
        ),
    ]);
    assert!(problems(|node| node.summary = "one\ntwo\u{200d}".to_owned()).is_empty());
}

#[test]
fn names_are_keys_that_nothing_else_has() {
    each(&[
        (
            |node| parameter(node, "book.search.query").name = "constructor".to_owned(),
            "parameter `book.search.query`, name: `constructor` is what every JavaScript object has, and cannot be a name",
        ),
        (
            |node| parameter(node, "book.search.query").name = "__proto__".to_owned(),
            "parameter `book.search.query`, name: `__proto__` is what every JavaScript object has, and cannot be a name",
        ),
        (
            |node| parameter(node, "book.search.query").name = "operation".to_owned(),
            "parameter `book.search.query`, name: `operation` is where workflows store the operation",
        ),
        (
            |node| parameter(node, "book.search.query").name = "limit".to_owned(),
            "operation `book.search`: two parameters with the name `limit`, the second is `book.search.limit`: expected conditions that exclude each other",
        ),
        (
            |node| node.name = "x".repeat(65),
            "node, name: expected a name of at most 64 bytes, found 65",
        ),
        (
            |node| node.resources.push(node.resources[0].clone()),
            "group `book`: is there twice",
        ),
        (
            |node| node.operations.push(node.operations[0].clone()),
            "operation `book.search`: is there twice",
        ),
        (
            |node| node.parameters.push(node.parameters[4].clone()),
            "parameter `book.search.language`: the ID is there twice",
        ),
    ]);
    assert_eq!(
        problems(|node| {
            for operation in &mut node.operations[3..] {
                operation.group = "lending".to_owned();
            }
        }),
        [
            "operation `lending.lend`: unknown group `lending`",
            "operation `lending.remind`: unknown group `lending`",
            "group `loan`: has no operation"
        ]
    );
}

#[test]
fn references_lead_somewhere_and_never_back() {
    each(&[
        (
            |node| {
                node.operations[0]
                    .parameters
                    .push("book.search.colour".to_owned());
            },
            "operation `book.search`: unknown parameter `book.search.colour`",
        ),
        (
            |node| node.operations[0].parameters.push("book.search.query".to_owned()),
            "operation `book.search`: the parameter `book.search.query` is there twice",
        ),
        (
            |node| _ = node.operations[3].parameters.pop(),
            "parameter `loan.lend.until`: belongs to no operation, group, rows or credential",
        ),
        (
            |node| node.operations[2].effect = Effect::Keyed("loan.lend.isbn".to_owned()),
            "operation `book.catalogue`, effect: `loan.lend.isbn` is none of its parameters",
        ),
        (
            |node| {
                parameter(node, "book.search.filters").kind = group([
                    "book.search.filters",
                    "book.search.filters.since",
                    "book.search.filters.minPages",
                ]);
            },
            "parameter `book.search.filters`: expected at most 5 levels of parameters, found more, or itself inside",
        ),
    ]);
    let circle = problems(|node| {
        parameter(node, "book.search.returnAll").visible_when = vec![Condition {
            parameter: "book.search.limit".to_owned(),
            holds: Holds::OneOf(vec![json!(1)]),
        }];
    });
    assert_eq!(
        circle,
        [
            "parameter `book.search.returnAll`: its conditions lead back to itself",
            "parameter `book.search.limit`: its conditions lead back to itself",
        ]
    );
    assert!(
        problems(|node| node.operations[2].effect = Effect::Keyed("book.catalogue.books.isbn".to_owned()))
            .is_empty()
    );
}

#[test]
fn a_small_description_is_no_huge_form() {
    // Each level contains the next one a hundred times: 100^4 fields from 400 parameters.
    let mut node = read(&library()).unwrap();
    for level in 0..4 {
        for index in 0..100 {
            let next = (0..100).map(|index| format!("l{}.p{index}", level + 1)).collect();
            node.parameters.push(Parameter {
                id: format!("l{level}.p{index}"),
                name: format!("p{index}"),
                kind: if level == 3 {
                    Kind::Text
                } else {
                    Kind::Group(GroupShape {
                        key: None,
                        fields: next,
                    })
                },
                ..node.parameters[1].clone()
            });
        }
    }
    node.operations[0]
        .parameters
        .extend((0..100).map(|index| format!("l0.p{index}")));
    let found = node.check().unwrap_err();
    assert_eq!(found.len(), 2);
    let message = "node: expected at most 20000 parameters in all forms, found 1010";
    assert!(found[0].to_string().starts_with(message), "{}", found[0]);
    let message = "node: expected at most 8388608 bytes of parameters in all forms, found ";
    assert!(found[1].to_string().starts_with(message), "{}", found[1]);
}

#[test]
fn sizes_are_refused_before_anything_else_is_looked_at() {
    let found = problems(|node| {
        let one = node.parameters[3].clone();
        node.parameters = vec![one; MAX_PARAMETERS + 1];
        node.resources = vec![node.resources[0].clone(); MAX_RESOURCES + 1];
        node.operations = vec![node.operations[0].clone(); MAX_OPERATIONS + 1];
        node.hints = Some(json!({"long": "x".repeat(MAX_DESCRIPTION_BYTES)}));
    });
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(found[0], "node: expected at most 200 groups, found 201");
    assert!(found[3].starts_with("node: expected at most 4194304 bytes, found "));
}

#[test]
fn conditions_can_be_followed() {
    let on = |subject: &str, value: Json| {
        problems(|node| {
            parameter(node, "loan.lend.until").visible_when = vec![Condition {
                parameter: subject.to_owned(),
                holds: Holds::OneOf(vec![value]),
            }];
        })
    };
    let at = |subject: &str| format!("parameter `loan.lend.until`, condition on `{subject}`");
    assert_eq!(on("loan.lend.identify", json!(2)), Vec::<String>::new());
    assert_eq!(
        on("loan.lend.identify", json!("2")),
        [format!(
            "{}: expected one of the choices, found the text `2`",
            at("loan.lend.identify")
        )]
    );
    assert_eq!(
        on("loan.nothing", json!(2)),
        [format!("{}: unknown parameter", at("loan.nothing"))]
    );
    assert_eq!(
        on("book.search.query", json!("a")),
        [format!(
            "{}: expected a parameter of the same list or of the operation itself",
            at("book.search.query")
        )]
    );
    assert_eq!(
        on("loan.lend.identify", json!([1])),
        [
            format!(
                "{}: expected a text, number or boolean, found a list",
                at("loan.lend.identify")
            ),
            format!(
                "{}: expected one of the choices, found a list",
                at("loan.lend.identify")
            ),
        ]
    );
    let nested = problems(|node| {
        parameter(node, "book.catalogue.books.spine").visible_when = vec![Condition {
            parameter: "book.catalogue.batch".to_owned(),
            holds: Holds::OneOf(vec![json!("a")]),
        }];
    });
    assert!(
        nested.is_empty(),
        "a column may look at the operation's parameters: {nested:?}"
    );
    each(&[
        (
            |node| {
                parameter(node, "book.search.limit").visible_when[0].holds = Holds::OneOf(Vec::new());
            },
            "parameter `book.search.limit`, condition on `book.search.returnAll`: expected at least one value",
        ),
        (
            |node| {
                parameter(node, "book.search.limit").visible_when[0].parameter =
                    "book.search.filters".to_owned();
            },
            "parameter `book.search.limit`, condition on `book.search.filters`: a value of the kind `group` cannot be compared",
        ),
    ]);
}

/// A parameter, a default for it, and the message; empty if the default fits.
fn default_cases() -> Vec<(&'static str, Json, &'static str)> {
    vec![
        (
            "book.search.query",
            json!(1),
            "expected one line of text, found `1`",
        ),
        (
            "book.search.query",
            json!("a\nb"),
            "expected one line of text, found the text `a\\nb`",
        ),
        ("book.search.language", json!("de"), ""),
        (
            "book.search.language",
            json!(["de"]),
            "expected a text, number or boolean, found a list",
        ),
        (
            "book.search.available",
            json!("true"),
            "expected true or false, found the text `true`",
        ),
        (
            "book.search.limit",
            json!(0),
            "expected a whole number from 1 up to 100, found `0`",
        ),
        (
            "book.search.limit",
            json!(1.5),
            "expected a whole number from 1 up to 100, found `1.5`",
        ),
        ("book.search.filters", json!({"filter": {"minPages": 3}}), ""),
        ("book.search.filters", json!({}), ""),
        (
            "book.search.filters",
            json!({"minPages": 3}),
            "expected the key `filter` alone, found `minPages`",
        ),
        (
            "book.search.filters",
            json!(3),
            "expected an object with the key `filter`, found `3`",
        ),
        (
            "book.search.filters",
            json!({"filter": {"pages": 3}}),
            "unknown field `pages`",
        ),
        (
            "book.search.filters",
            json!({"filter": {"minPages": "3"}}),
            "field `minPages`: expected a whole number from 1, found the text `3`",
        ),
        ("book.search.filters.since", json!("2025-02-28"), ""),
        (
            "book.search.filters.since",
            json!("2025-02-30"),
            "expected a date as `yyyy-MM-dd`, found the text `2025-02-30`",
        ),
        ("book.update.shelf", json!(1), ""),
        (
            "book.update.shelf",
            json!("1"),
            "expected one of the choices, found the text `1`",
        ),
        ("book.update.pages", json!(1.5), ""),
        (
            "book.update.pages",
            json!("many"),
            "expected a number from 0.5, found the text `many`",
        ),
    ]
}

/// More of them.
fn more_default_cases() -> Vec<(&'static str, Json, &'static str)> {
    vec![
        ("book.update.acquired", json!("2025-01-01T10:00:00+02:00"), ""),
        ("book.update.acquired", json!("2025-01-01T10:00:00"), ""),
        (
            "book.update.acquired",
            json!("soon"),
            "expected an ISO 8601 date-time, found the text `soon`",
        ),
        ("book.update.blurb", json!("a\nb"), ""),
        ("book.catalogue.books", json!({"book": [{"isbn": "1"}]}), ""),
        (
            "book.catalogue.books",
            json!({"books": []}),
            "expected the key `book` alone, found `books`",
        ),
        (
            "book.catalogue.books",
            json!([]),
            "expected an object with the key `book`, found a list",
        ),
        ("book.catalogue.extra", json!([1]), ""),
        (
            "book.catalogue.extra",
            Json::Null,
            "expected no default rather than one of nothing, found `null`",
        ),
        (
            "credential.key",
            json!("k"),
            "a secret has no default: everybody would know it",
        ),
        (
            "credential.baseUrl",
            json!("ftp://library.example"),
            "expected an http or https URL without user information, found `ftp://library.example`",
        ),
    ]
}

#[test]
fn defaults_fit_their_kinds() {
    let default = |id: &str, value: Json| {
        let found = problems(|node| parameter(node, id).default = Some(value));
        let start = format!("parameter `{id}`, default: ");
        found
            .join(", ")
            .strip_prefix(&start)
            .unwrap_or_default()
            .to_owned()
    };
    for (id, value, expected) in default_cases().into_iter().chain(more_default_cases()) {
        assert_eq!(default(id, value), expected, "{id}");
    }
}

#[test]
fn kinds_make_sense() {
    each(&[
        (
            |node| {
                parameter(node, "book.search.filters.minPages").kind = Kind::Integer(Range {
                    min: Some(2.0),
                    max: Some(1.0),
                });
            },
            "parameter `book.search.filters.minPages`, range: expected the least value to be at most the greatest, found `2` and `1`",
        ),
        (
            |node| {
                parameter(node, "book.search.filters.minPages").kind = Kind::Integer(Range {
                    min: None,
                    max: Some(f64::NAN),
                });
            },
            "parameter `book.search.filters.minPages`, range: expected whole numbers as its limits, found `NaN`",
        ),
        (
            |node| {
                let Kind::Choice(choices) = &mut parameter(node, "book.update.shelf").kind else {
                    return;
                };
                choices.known[1].value = json!(0);
            },
            "parameter `book.update.shelf`: the choice `0` is there twice",
        ),
        (
            |node| {
                let Kind::Choice(choices) = &mut parameter(node, "book.update.shelf").kind else {
                    return;
                };
                choices.known.clear();
            },
            "parameter `book.update.shelf`: a choice of nothing: expected at least one value, or an open choice",
        ),
        (
            |node| {
                let Kind::Choice(choices) = &mut parameter(node, "book.update.shelf").kind else {
                    return;
                };
                choices.known[0].value = json!({"a": 1});
            },
            "parameter `book.update.shelf`, choice `Ground Floor`: expected a text, number or boolean, found an object",
        ),
        (
            |node| node.operations[0].output_schema = json!(true),
            "operation `book.search`, output schema: expected a JSON object, found `true`",
        ),
        (
            |node| node.hints = Some(json!([])),
            "node, hints: expected a JSON object, found a list",
        ),
    ]);
}

/// Items with the same values in the path run in order, so nothing else may decide these values.
#[test]
fn what_stands_in_the_path_is_in_every_item() {
    const PLACE: &str = "operation `book.update`, request: expected `isbn` to be a required single value without \
                         conditions and without a default";
    each(&[
        (
            |node| node.operations[1].request = Some("PATCH /books/{id}".parse().unwrap()),
            "operation `book.update`, request: `id` is none of its parameters",
        ),
        (|node| parameter(node, "book.update.isbn").required = false, PLACE),
        (
            |node| parameter(node, "book.update.isbn").default = Some(json!("0198526636")),
            PLACE,
        ),
        (
            |node| {
                parameter(node, "book.update.isbn").visible_when = vec![Condition {
                    parameter: "book.update.reference".to_owned(),
                    holds: Holds::OneOf(vec![json!(true)]),
                }];
            },
            PLACE,
        ),
        (
            |node| parameter(node, "book.update.isbn").kind = Kind::AnyJson,
            PLACE,
        ),
    ]);
    let says = |request: &str| {
        let written = "\"PATCH /books/{isbn}\"";
        assert!(super::LIBRARY.contains(written));
        let document = super::LIBRARY.replacen(written, &json!(request).to_string(), 1);
        serde_json::from_str::<Node>(&document).unwrap_err().to_string()
    };
    let said = says("patch /books/{isbn}");
    assert!(
        said.starts_with("expected a method in upper case, such as `GET`, found `patch`"),
        "{said}"
    );
}

#[test]
fn a_credential_goes_where_its_base_url_says() {
    each(&[
        (
            |node| node.credentials[0].base_url = "book.search.query".to_owned(),
            "credential `cityLibraryApi`, base URL: `book.search.query` is none of the credential's fields",
        ),
        (
            |node| node.credentials[0].base_url = "credential.key".to_owned(),
            "parameter `credential.key`: expected a base URL to be a required text without conditions",
        ),
        (
            |node| parameter(node, "credential.baseUrl").required = false,
            "parameter `credential.baseUrl`: expected a base URL to be a required text without conditions",
        ),
        (
            |node| parameter(node, "loan.lend.card").kind = Kind::Secret,
            "parameter `loan.lend.card`: a secret belongs to the credential, never to an operation",
        ),
        (
            |node| node.operations[3].parameters.push("credential.reader".to_owned()),
            "parameter `credential.reader`: a field of the credential cannot be an operation's parameter",
        ),
    ]);
}
