//! Renders the library's example in each format and compares it with files beside this one (`UPDATE=1` rewrites them),
//! then renders descriptions with hostile texts.

use std::path::Path;
use std::{env, fs};

use nodule::description::{EXAMPLE, MAX_CHOICES, MAX_PARAMETERS, MAX_SIBLINGS, SCHEMA};
use nodule::json;
use serde_json::Value;

use super::*;

mod forms;
mod n8n_form;

/// The fictional node that the library's own tests use.
fn library() -> Node {
    serde_json::from_str::<Node>(EXAMPLE).unwrap().check().unwrap()
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// Compares with a file, or writes it with `UPDATE=1`.
fn is_as_in(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/describe/testdata")
        .join(file);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{file} differs; `UPDATE=1` writes it anew");
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn parameter<'a>(node: &'a mut Node, id: &str) -> &'a mut nodule::description::Parameter {
    node.parameters
        .iter_mut()
        .find(|parameter| parameter.id == id)
        .unwrap()
}

#[test]
fn text_is_an_overview_then_what_is_asked_for() {
    let node = library();
    let text = |group, operation| plain(&render(&node, Format::Text, group, operation, 100).unwrap());
    is_as_in("overview.txt", &text(None, None));
    is_as_in("group.txt", &text(Some("book"), None));
    is_as_in("operation.txt", &text(Some("loan"), Some("lend")));
}

#[test]
fn text_keeps_to_its_width_and_aligns_wide_characters() {
    let mut node = library();
    parameter(&mut node, "loan.lend.isbn").name = "国际标准书号".to_owned();
    for width in [80, 120] {
        for (group, operation) in [(None, None), (Some("book"), None), (Some("loan"), Some("lend"))] {
            let text = plain(&render(&node, Format::Text, group, operation, width).unwrap());
            for line in text.lines() {
                assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{line:?}");
                assert_eq!(line, line.trim_end());
            }
        }
    }
    let text = plain(&render(&node, Format::Text, Some("loan"), Some("lend"), 80).unwrap());
    assert!(
        text.contains("  国际标准书号  text, required             ISBN\n"),
        "{text}"
    );
    assert!(
        text.contains("  card          text, required             Card Number\n"),
        "{text}"
    );
}

#[test]
fn colour_is_an_addition() {
    let text = render(&library(), Format::Text, None, None, 100).unwrap();
    assert!(
        text.contains("\u{1b}[1mCity Library\u{1b}[0m  cityLibrary, version 1\n"),
        "{text:?}"
    );
}

#[test]
fn very_long_names_have_their_texts_below() {
    let mut node = library();
    node.operations[3].name = "l".repeat(60);
    let text = plain(&render(&node, Format::Text, None, None, 80).unwrap());
    assert!(
        text.contains(&format!("  {}  write\n      Lend a Book: Lend", "l".repeat(60))),
        "{text}"
    );
}

#[test]
fn markdown_and_n8n_are_whole_documents() {
    let node = library();
    let whole = |format| render(&node, format, None, None, 100).unwrap();
    is_as_in("library.md", &whole(Format::Markdown));
    is_as_in("n8n.json", &whole(Format::N8n));
}

#[test]
fn a_part_is_for_people_and_must_exist() {
    let node = library();
    let refused = |format, group, operation| {
        let refused = render(&node, format, Some(group), operation, 100).unwrap_err();
        format!("{refused}; {}", refused.hint())
    };
    let whole =
        "`--format json` describes the whole node; leave out the group and the operation, or `--format`";
    assert_eq!(refused(Format::Json, "book", None), whole);
    assert!(refused(Format::N8n, "book", Some("search")).starts_with("`--format n8n` describes"));
    assert!(refused(Format::Markdown, "book", None).starts_with("`--format markdown` describes"));
    assert_eq!(
        refused(Format::Text, "bok", None),
        "unknown group `bok`; did you mean `book`?"
    );
    let unknown = "unknown operation `find` of the group `book`; there is `search`, `update`, `catalogue`";
    assert_eq!(refused(Format::Text, "book", Some("find")), unknown);
}

#[test]
fn json_reads_back_and_fits_its_schema() {
    let node = library();
    let text = render(&node, Format::Json, None, None, 100).unwrap();
    assert_eq!(serde_json::from_str::<Node>(&text).unwrap(), node);
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&serde_json::from_str(&text).unwrap())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

/// The schema and the types refuse the same documents: neither accepts what the other rejects.
#[test]
fn the_schema_refuses_what_the_types_refuse() {
    use serde_json::json;

    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let changes: [fn(&mut Value); 18] = [
        |it| it["colour"] = json!("red"),
        |it| it["resources"][0]["icon"] = json!("a"),
        |it| it["operations"][0]["method"] = json!("GET"),
        |it| it["operations"][0]["effect"] = json!({"type": "read", "parameter": "book.search.query"}),
        |it| it["operations"][0]["effect"] = json!({"type": "keyed"}),
        |it| it["operations"][0]["effect"] = json!("read"),
        |it| it["operations"][0]["request"] = json!({"method": "GET", "path": "/books"}),
        |it| it["operations"][0]["request"] = json!("get /books?query={query}"),
        |it| it["parameters"][0]["type"] = json!("text"),
        |it| it["parameters"][0]["kind"] = json!({"type": "text", "min": 1}),
        |it| it["parameters"][0]["kind"] = json!({"type": "choice", "known": []}),
        |it| it["parameters"][0]["kind"] = json!({"type": "colour"}),
        |it| it["parameters"][0]["required"] = json!("yes"),
        |it| it["parameters"][7]["visibleWhen"][0]["not"] = json!(true),
        |it| it["credentials"][0]["secret"] = json!("a"),
        |it| it["parameters"][7]["visibleWhen"][0]["set"] = json!(true),
        |it| it["credentials"][0]["scheme"] = json!({"type": "session", "needs": "size"}),
        |it| _ = it.as_object_mut().unwrap().remove("operations"),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut document = serde_json::to_value(library()).unwrap();
        assert!(validator.is_valid(&document));
        change(&mut document);
        assert!(!validator.is_valid(&document), "the schema takes change {index}");
        assert!(
            serde_json::from_value::<Node>(document).is_err(),
            "the types take change {index}"
        );
    }
}

#[test]
fn the_schema_has_the_limits_of_the_check() {
    let schema = schema();
    let at = |pointer: &str| schema.pointer(pointer).and_then(Value::as_u64).unwrap();
    assert_eq!(at("/properties/parameters/maxItems"), MAX_PARAMETERS as u64);
    assert_eq!(
        at("/properties/operations/maxItems"),
        nodule::description::MAX_OPERATIONS as u64
    );
    assert_eq!(
        at("/properties/resources/maxItems"),
        nodule::description::MAX_RESOURCES as u64
    );
    assert_eq!(
        at("/properties/iconSvg/maxLength"),
        nodule::description::MAX_ICON_BYTES as u64
    );
    assert_eq!(at("/$defs/ids/maxItems"), MAX_SIBLINGS as u64);
    assert_eq!(
        at("/$defs/name/maxLength"),
        nodule::description::MAX_NAME_BYTES as u64
    );
    assert_eq!(
        at("/$defs/id/maxLength"),
        nodule::description::MAX_ID_BYTES as u64
    );
    assert_eq!(
        at("/$defs/label/maxLength"),
        nodule::description::MAX_LABEL_CHARS as u64
    );
    assert_eq!(
        at("/$defs/summary/maxLength"),
        nodule::description::MAX_SUMMARY_CHARS as u64
    );
    assert_eq!(
        at("/$defs/url/maxLength"),
        nodule::description::MAX_URL_BYTES as u64
    );
    assert_eq!(
        at("/$defs/operation/properties/request/maxLength"),
        nodule::description::MAX_URL_BYTES as u64
    );
    assert_eq!(
        at("/$defs/condition/properties/oneOf/maxItems"),
        MAX_CHOICES as u64
    );
}

/// A description with texts that a terminal, a browser or a reader would misinterpret. It is not checked first, so each
/// format has to escape them by itself.
fn hostile() -> Node {
    let mut node = library();
    node.display_name = "City\u{1b}]0;owned\u{7} \u{202e}yrarbiL".to_owned();
    node.operations[0].display_name = "<img src=x onerror=alert(1)>".to_owned();
    node.operations[0].summary =
        "a | b\n# no `heading` [x](javascript:a) https://evil.example @all".to_owned();
    parameter(&mut node, "book.search.query").summary = "<b>&\u{9b}2J".to_owned();
    parameter(&mut node, "book.search.query").default = Some(json!("`|` \u{1b}"));
    node
}

#[test]
fn nothing_acts_on_a_terminal() {
    let node = hostile();
    for format in [Format::Text, Format::Json, Format::Markdown, Format::N8n] {
        for group in [None, Some("book")] {
            // The text format's own styles are the only escapes.
            let Ok(text) = render(&node, format, group, None, 100) else {
                continue;
            };
            let text = plain(&text);
            let acts = |character: &char| nodule::description::is_deceptive(*character) && *character != '\n';
            assert_eq!(text.chars().find(acts), None, "{format:?}: {text:?}");
        }
    }
    let text = plain(&render(&node, Format::Text, None, None, 100).unwrap());
    assert!(
        text.starts_with("City\\u{1b}]0;owned\\u{7} \\u{202e}yrarbiL  cityLibrary"),
        "{text}"
    );
    let json = render(&node, Format::Json, None, None, 100).unwrap();
    assert!(json.contains(r"City\u001b]0;owned\u0007 \u202eyrarbiL"), "{json}");
    assert_eq!(serde_json::from_str::<Node>(&json).unwrap(), node);
    assert_eq!(escape::json("\"\u{e0041}\""), r#""\udb40\udc41""#);
}

#[test]
fn nothing_is_markup() {
    let page = render(&hostile(), Format::Markdown, None, None, 100).unwrap();
    let summary = r"a \| b \# no \`heading\` \[x\](javascript:a) https\://evil.example \@all";
    assert!(page.contains(&format!("\n\n{summary}\n\n")), "{page}");
    assert!(
        page.contains(&format!("(#book-search) | {summary} | read |\n")),
        "{page}"
    );
    assert!(page.contains("**&lt;img src=x onerror=alert(1)&gt;**"), "{page}");
    assert!(
        page.contains(r#"| ``"`\|` \u001b"`` | &lt;b&gt;&amp;\\u{9b}2J |"#),
        "{page}"
    );
    assert_eq!(escape::code("`"), "`` ` ``");
    assert_eq!(escape::code(""), "`  `");
    assert_eq!(escape::markdown("see WWW.evil.example"), r"see WWW\.evil.example");
    assert_eq!(
        escape::target("https://a.example/x>(y) z"),
        "<https://a.example/x%3E(y)%20z>"
    );
}
