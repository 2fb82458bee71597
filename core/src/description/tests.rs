//! Reads and writes the example, looks things up in it, then breaks it in one way at a time.

use serde_json::{Value, json};

use super::*;

mod access;
mod icon;
mod names;
mod refused;

mod kinds;
mod sizes;

/// An invented node that has every kind of parameter.
const LIBRARY: &str = EXAMPLE;

fn library() -> Value {
    serde_json::from_str(LIBRARY).unwrap()
}

fn read(value: &Value) -> Result<Node, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

/// The problems of the example after a change, each as one line.
fn problems(change: impl FnOnce(&mut Node)) -> Vec<String> {
    let mut node = read(&library()).unwrap();
    change(&mut node);
    node.check()
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn parameter<'a>(node: &'a mut Node, id: &str) -> &'a mut Parameter {
    node.parameters
        .iter_mut()
        .find(|parameter| parameter.id == id)
        .unwrap()
}

#[test]
fn a_description_is_the_same_after_json_and_back() {
    let node = read(&library()).unwrap();
    assert_eq!(serde_json::to_value(&node).unwrap(), library());
    assert_eq!(read(&serde_json::to_value(&node).unwrap()).unwrap(), node);
    assert_eq!(serde_json::from_value::<Node>(library()).unwrap(), node);
    assert_eq!(node.clone().check(), Ok(node));
}

#[test]
fn numbers_keep_their_digits() {
    let mut value = library();
    value["operations"][0]["outputSchema"]["maximum"] = json!("the digits");
    let text = value
        .to_string()
        .replace("\"the digits\"", "12345678901234567890.10");
    let node: Node = serde_json::from_str(&text).unwrap();
    let text = serde_json::to_string(&node).unwrap();
    assert!(text.contains(r#""maximum":12345678901234567890.10"#));
}

/// A change to the document, and the message of the refusal.
type Change = (fn(&mut Value), &'static str);

#[test]
fn unknown_and_misplaced_fields_are_refused() {
    let refused = |change: fn(&mut Value)| {
        let mut value = library();
        change(&mut value);
        read(&value).unwrap_err().to_string()
    };
    let cases: [Change; 9] = [
        (|it| it["colour"] = json!("red"), "unknown field `colour`"),
        (
            |it| it["operations"][0]["method"] = json!("GET"),
            "unknown field `method`",
        ),
        (
            |it| it["parameters"][0]["type"] = json!("text"),
            "unknown field `type`",
        ),
        (
            |it| it["parameters"][0]["kind"]["rows"] = json!(4),
            "unknown field `rows`",
        ),
        (
            |it| it["parameters"][0]["kind"]["min"] = json!(4),
            "the kind `text` has no `min`",
        ),
        (
            |it| it["parameters"][0]["kind"] = json!({"type": "choice", "known": []}),
            "`choice` needs `open`",
        ),
        (
            |it| it["operations"][0]["effect"]["parameter"] = json!("a"),
            "only the effect `keyed` has",
        ),
        (
            |it| it["operations"][0]["effect"]["type"] = json!("keyed"),
            "the effect `keyed` needs",
        ),
        (
            |it| _ = it["operations"][0].as_object_mut().unwrap().remove("action"),
            "missing field `action`",
        ),
    ];
    for (change, expected) in cases {
        let found = refused(change);
        assert!(found.contains(expected), "expected {expected:?}, found {found:?}");
    }
}

#[test]
fn a_wrong_name_gets_the_nearest_one() {
    let node = read(&library()).unwrap();
    assert_eq!(
        node.operation("book", "search").unwrap().display_name,
        "Search Books"
    );
    let says = |group, name| {
        let unknown = node.operation(group, name).unwrap_err();
        format!("{unknown}; {}", unknown.hint())
    };
    assert_eq!(says("bok", "search"), "unknown group `bok`; did you mean `book`?");
    assert_eq!(
        says("customer", "get"),
        "unknown group `customer`; there is `book`, `loan`"
    );
    assert_eq!(
        says("book", "Serach"),
        "unknown operation `Serach` of the group `book`; did you mean `search`?"
    );
    assert_eq!(
        says("book", "lend"),
        "unknown operation `lend` of the group `book`; did you mean `loan lend`?"
    );
}

#[test]
fn a_json_document_is_parsed_within_limits() {
    let says = |text: &str| parse_json(text, "hints").unwrap_err().to_string();
    assert_eq!(
        parse_json(r#"{"a": 1.50}"#, "hints").unwrap().to_string(),
        r#"{"a":1.50}"#
    );
    assert!(says("{").starts_with("hints: expected JSON, found `{`: EOF"));
    assert!(says(&"[".repeat(100_000)).contains("recursion limit"));
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    assert_eq!(
        says(&deep),
        "hints: expected at most 64 levels of JSON, found more"
    );
    assert!(parse_json(&deep[1..deep.len() - 1], "hints").is_ok());
    let long = format!("\"{}\"", "x".repeat(MAX_JSON_BYTES));
    assert_eq!(
        says(&long),
        "hints: expected at most 262144 bytes of JSON, found 262146"
    );
    assert_eq!(
        says(r#"{"a": {"__proto__": {}}}"#),
        "hints: the key `__proto__` is not allowed in JSON here"
    );
}

#[test]
fn all_problems_are_found_at_once() {
    let found = problems(|node| {
        node.version = 0;
        node.operations[0].action = String::new();
        node.operations[3].name = "Lend-It".to_owned();
    });
    assert_eq!(
        found,
        [
            "node, version: expected 1 or more, found `0`",
            "operation `book.search`, action: expected a text, found none",
            "operation `loan.Lend-It`, name: expected a camelCase name (`a`–`z`, then letters and digits), found `Lend-It`",
        ]
    );
    let many = problems(|node| {
        node.parameters
            .iter_mut()
            .for_each(|it| it.name = "A B".to_owned());
    });
    assert!(many.len() > 40 && many.len() <= MAX_PROBLEMS, "{}", many.len());
}
