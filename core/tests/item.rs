//! Items against a form: what is refused, in which words, and what is left to the node.

use std::borrow::Cow;

use nodule_core::description::{ItemCheck, MAX_ITEM_PROBLEMS, Node};

#[expect(clippy::unwrap_used, reason = "a test's own data")]
fn form(operation: &str) -> ItemCheck {
    let node: Node = serde_json::from_str(include_str!("data/item-form.json")).unwrap();
    ItemCheck::new(&node, node.operation("page", operation).unwrap())
}

/// The problems, each as `pointer label: message`.
fn problems(check: &ItemCheck, item: &str) -> Vec<String> {
    let problems = check.check(item).err().unwrap_or_default();
    let problems = problems.iter();
    problems
        .map(|it| format!("{} {}: {}", it.pointer, it.label, it.message))
        .collect()
}

/// An item of the form `update` whose one other value is this.
fn update(name: &str, value: &str) -> String {
    format!(r#"{{"page":"p1","title":"T","{name}":{value}}}"#)
}

#[test]
fn values_are_accepted_in_every_form_that_a_node_may_read() {
    let form = form("update");
    for (name, values) in [
        (
            "title",
            &[r#""T""#, "7", "1.50", r#""\u00fc""#, r#""\ud83d""#][..],
        ),
        (
            "size",
            &["1", "100", "1.0", "1e2", "1000e-1", r#"" 7 ""#, r#""""#, "null"],
        ),
        ("ratio", &["1.5", "-1e400", "1.50000000000000000001", r#""0.1""#]),
        ("draft", &["true", "false", r#""true""#, r#"" false ""#]),
        (
            "day",
            &[r#""2024-02-29""#, r#"" 2025-01-31 ""#, r#""0000-01-01""#],
        ),
        (
            "when",
            &[
                r#""2025-12-31""#,
                r#""2025-12-31T23:59:59.123456789Z""#,
                r#""2025-12-31 23:59""#,
                r#""2025-12-31t23:59:59,5z""#,
                r#""2026-01-01T07:59:59+0800""#,
                r#""2026-01-01T07:59:59-03""#,
                r#""1767225599000""#,
                "1767225599000",
                "1.767225599e12",
                "-1767225599000",
                "0",
            ],
        ),
        (
            "color",
            &[
                r#""red""#,
                r#"" red ""#,
                "1",
                r#""1""#,
                "1.0",
                "true",
                r#""true""#,
            ],
        ),
        ("level", &["2", r#""x""#, "true", r#""""#, "null"]),
        ("font", &[r#""serif""#, "7"]),
        ("tags", &["[]", r#"["a",2,"2"," a "]"#, "null"]),
        ("labels", &["[]", r#"[0,"7",null,""]"#]),
        ("meta", &["{}", "[1]", "7", "true", r#""{\"a\":1}""#, r#""text""#]),
        ("columns", &["{}", r#"{"a":{"b":1}}"#]),
        ("info", &["1", "{}"]),
        (
            "range",
            &[
                "{}",
                r#"{"span":null}"#,
                r#"{"span":{"from":1}}"#,
                r#"{"other":1}"#,
            ],
        ),
        ("options", &["{}", r#"{"limit":""}"#, r#"{"limit":"3"}"#]),
        (
            "links",
            &[
                "{ }",
                "[ ]",
                r#""""#,
                r#"{"link":null}"#,
                r#"{"link":{"to":"a"}}"#,
                r#"{"link":[{"to":"a"},{"to":7},{"to":"c"}]}"#,
            ],
        ),
        (
            "notes",
            &["[]", "{}", r#"{"text":"a"}"#, r#"[{"text":"a"},{"text":1}]"#],
        ),
    ] {
        for value in values {
            assert_eq!(problems(&form, &update(name, value)), [""; 0], "{name}: {value}");
        }
    }
}

/// Name, value, and the problem with it.
const REFUSED: &[(&str, &str, &str)] = &[
    ("title", "true", "/title Title: expected a text, found `true`"),
    (
        "title",
        "[ 1, \"a b\" ]",
        r#"/title Title: expected a text, found `[1,"a b"]`"#,
    ),
    ("title", "null", "/title Title: expected a text, found `null`"),
    ("title", r#"" ""#, r#"/title Title: expected a text, found " ""#),
    (
        "size",
        "0",
        "/size Size: expected a whole number from 1 to 100, found `0`",
    ),
    (
        "size",
        r#""101""#,
        r#"/size Size: expected a whole number from 1 to 100, found "101""#,
    ),
    (
        "size",
        "1.5",
        "/size Size: expected a whole number from 1 to 100, found `1.5`",
    ),
    (
        "size",
        "1e-2",
        "/size Size: expected a whole number from 1 to 100, found `1e-2`",
    ),
    (
        "size",
        "true",
        "/size Size: expected a whole number from 1 to 100, found `true`",
    ),
    (
        "size",
        r#""0x7""#,
        r#"/size Size: expected a whole number from 1 to 100, found "0x7""#,
    ),
    (
        "size",
        "1e999999999999",
        "/size Size: expected a whole number from 1 to 100, found `1e999999999999`",
    ),
    (
        "ratio",
        "1.6",
        "/ratio Ratio: expected a number up to 1.5, found `1.6`",
    ),
    (
        "ratio",
        r#""NaN""#,
        r#"/ratio Ratio: expected a number up to 1.5, found "NaN""#,
    ),
    (
        "draft",
        r#""yes""#,
        r#"/draft Draft: expected `true` or `false`, found "yes""#,
    ),
    (
        "draft",
        "1",
        "/draft Draft: expected `true` or `false`, found `1`",
    ),
    (
        "day",
        r#""2025-02-29""#,
        r#"/day Day: expected a calendar date as `yyyy-MM-dd`, found "2025-02-29""#,
    ),
    (
        "day",
        "20250131",
        "/day Day: expected a calendar date as `yyyy-MM-dd`, found `20250131`",
    ),
    (
        "when",
        r#""soon""#,
        r#"/when Time: expected an ISO 8601 date-time, found "soon""#,
    ),
    (
        "when",
        r#""2025-06-31T10:00:00Z""#,
        r#"/when Time: expected an ISO 8601 date-time, found "2025-06-31T10:00:00Z""#,
    ),
    (
        "when",
        "1751284800",
        "/when Time: expected an ISO 8601 date-time or epoch milliseconds (13 digits where seconds have 10), found `1751284800`",
    ),
    (
        "level",
        "[1]",
        "/level Level: expected a text or number, found `[1]`",
    ),
    ("font", "{}", "/font Font: expected a text or number, found `{}`"),
    (
        "tags",
        r#""a""#,
        "/tags Tags: expected a list, each of it one of `a` A, `2` Two, found \"a\"",
    ),
    (
        "tags",
        r#"["a","c"]"#,
        "/tags/1 Tags: value 2: expected one of `a` A, `2` Two, found \"c\"",
    ),
    (
        "labels",
        "7",
        "/labels Labels: expected a list of values, found `7`",
    ),
    (
        "labels",
        "[1,-1]",
        "/labels/1 Label: value 2: expected a whole number from 0 on, found `-1`",
    ),
    (
        "columns",
        "[]",
        "/columns Columns: expected an object of columns, found `[]`",
    ),
    (
        "range",
        "7",
        "/range Range: expected fields as `{\"span\": { … }}`, found `7`",
    ),
    (
        "range",
        r#"{"span":[]}"#,
        "/range/span Range: expected an object of fields as `span`, found `[]`",
    ),
    (
        "range",
        r#"{"span":{"to":1}}"#,
        "/range/span/from From: expected a whole number, found nothing",
    ),
    (
        "options",
        "[]",
        "/options Options: expected an object of fields, found `[]`",
    ),
    (
        "links",
        "7",
        "/links Links: expected at least one row as `{\"link\": [ … ]}`, found `7`",
    ),
    (
        "links",
        r#"[{"to":"a"}]"#,
        "/links Links: expected at least one row as `{\"link\": [ … ]}`, found `[{\"to\":\"a\"}]`",
    ),
    (
        "links",
        r#"{"link":[]}"#,
        "/links/link Link: expected at least one row as `link`, found none",
    ),
    (
        "links",
        r#"{"link":"x"}"#,
        "/links/link Link: expected a list of rows as `link`, found \"x\"",
    ),
    (
        "links",
        r#"{"link":[{"to":1},null]}"#,
        "/links/link/1 Link: row 2: expected an object as row of `link`, found `null`",
    ),
    (
        "links",
        r#"{"link":[{"to":1},{"to":1},{"to":1},{"to":1}]}"#,
        "/links/link Link: expected at most 3 rows, found 4",
    ),
    (
        "links",
        r#"{"link":{}}"#,
        "/links/link/to Target: row 1: expected an ID, found nothing",
    ),
    (
        "notes",
        r#"[{"text":"a"},{}]"#,
        "/notes/1/text Text: row 2: expected a text, found nothing",
    ),
];

#[test]
fn what_no_node_can_use_is_refused_by_its_label() {
    let form = form("update");
    let colors = "one of `red` Red, `1` One, `true` Any";
    for (name, value, problem) in REFUSED {
        assert_eq!(
            problems(&form, &update(name, value)),
            [*problem],
            "{name}: {value}"
        );
    }
    for value in [r#""blue""#, "2", "false", "{}", "[1]"] {
        let found = problems(&form, &update("color", value));
        assert!(
            found[0].starts_with(&format!("/color Color: expected {colors}, found ")),
            "{found:?}"
        );
    }
}

#[test]
fn all_problems_are_found_at_once_and_unknown_names_are_told_only_beside_them() {
    let form = form("update");
    let unknown =
        r#"{"page":"p1","title":"T","titel":1,"x/~y":2,"range":{"span":{"from":1,"til":2},"more":1}}"#;
    assert_eq!(problems(&form, unknown), [""; 0]);
    let wrong = unknown.replace("\"T\"", "{}").replace("\"p1\"", "[]");
    assert_eq!(
        problems(&form, &wrong),
        [
            "/page Page: expected an ID, or the URL of its page, found `[]`",
            "/title Title: expected a text, found `{}`",
            "/range/more more: expected `span` only, found `more`",
            "/range/span/til til: expected a parameter of Range, found `til`",
            "/titel titel: expected a parameter of Update a Page, found `titel`; did you mean `title`?",
            "/x~1~0y x/~y: expected a parameter of Update a Page, found `x/~y`",
        ]
    );
}

#[test]
fn long_values_are_cut_and_many_problems_are_bounded() {
    let form = form("update");
    let found = problems(&form, &update("size", &format!("\"{}\"", "ü".repeat(5_000))));
    assert!(
        found[0].ends_with(&format!("found \"{}…", "ü".repeat(58))),
        "{found:?}"
    );
    let rows = vec!["{}"; 10_000].join(",");
    assert_eq!(
        problems(&form, &update("notes", &format!("[{rows}]"))).len(),
        MAX_ITEM_PROBLEMS
    );
}

#[test]
fn a_parameter_that_is_certainly_shown_is_required_and_checked() {
    let form = form("publish");
    for (item, problem) in [
        // Phone is the default.
        ("{}", "/to Phone: expected a whole number, found nothing"),
        (r#"{"to":"x"}"#, "/to Phone: expected a whole number, found \"x\""),
        (
            r#"{"by":"1.0","to":"x"}"#,
            "/to Phone: expected a whole number, found \"x\"",
        ),
        (r#"{"to":7}"#, "/prefix Prefix: expected a text, found nothing"),
        (r#"{"by":2,"to":[]}"#, "/to Mail: expected a text, found `[]`"),
        (
            r#"{"by":3,"auditor":"A"}"#,
            "/mode Mode: expected a text, found nothing",
        ),
        (
            r#"{"by":" 3 ","mode":"m"}"#,
            "/auditor Auditor: expected a text, found nothing",
        ),
        (
            r#"{"by":3,"mode":"m","audit":" true "}"#,
            "/auditor Auditor: expected a text, found nothing",
        ),
        (
            r#"{"by":2,"to":"m","flags":["a","b"]}"#,
            "/flagText Flag Text: expected a text, found nothing",
        ),
        (
            r#"{"by":2,"to":"m","count":1}"#,
            "/countText Count Text: expected a text, found nothing",
        ),
        // A sibling's default, and a parameter of the operation.
        (
            r#"{"by":3,"mode":"m","audit":false,"targets":{}}"#,
            "/targets/place Place: expected a text, found nothing",
        ),
    ] {
        assert_eq!(problems(&form, item), [problem], "{item}");
    }
}

#[test]
fn a_parameter_that_may_be_hidden_is_neither_required_nor_checked() {
    let form = form("publish");
    for item in [
        r#"{"by":2,"to":"m"}"#,
        r#"{"by":2,"to":"m","prefix":{},"mode":[],"auditor":{}}"#,
        r#"{"by":2,"to":"m","flags":["a"],"flagText":{}}"#,
        r#"{"by":2,"to":"m","flags":[]}"#,
        r#"{"by":2,"to":"m","count":1.0}"#,
        r#"{"by":2,"to":"m","count":2}"#,
        r#"{"by":3,"mode":"m","audit":false}"#,
        // Some nodes read a blank as the default, and others as no value.
        r#"{"by":""}"#,
        r#"{"by":null,"to":{}}"#,
        r#"{"by":3,"mode":"m","audit":""}"#,
        // In a group that is not there, nothing is required.
        r#"{"by":3,"mode":"m","auditor":"A"}"#,
        r#"{"by":3,"mode":"m","auditor":"A","targets":{"kind":"far"}}"#,
        r#"{"by":2,"to":"m","targets":{"kind":"local"}}"#,
    ] {
        assert_eq!(problems(&form, item), [""; 0], "{item}");
    }
    // What a wrong value hides, nobody knows: one problem is enough.
    assert_eq!(problems(&form, r#"{"by":9,"to":{}}"#).len(), 1);
    assert_eq!(problems(&form, r#"{"by":2,"to":"m","flags":["b","c"]}"#).len(), 1);
}

#[test]
fn a_reference_becomes_its_id_and_all_else_stays_to_the_byte() {
    let form = form("update");
    for (given, id) in [
        (r#""p1""#, r#""p1""#),
        (
            r#"{"__rl":true,"mode":"list","value":"p1","cachedResultName":"A"}"#,
            r#""p1""#,
        ),
        (r#"{"mode":"id","value":"p1"}"#, r#""p1""#),
        (r#"{"value":"p1"}"#, r#""p1""#),
        (
            r#"{"mode":"url","value":"https://wiki.example/p/p22?x=1"}"#,
            r#""p22""#,
        ),
        (
            r#"{"mode":"url","value":" https://wiki.example/p/p22 "}"#,
            r#""p22""#,
        ),
        (r#""https://wiki.example/p/p22""#, r#""p22""#),
        (r#"{"mode":"url","value":"p1"}"#, r#""p1""#),
    ] {
        let item =
            |page: &str| format!(" {{ \"title\" : 1.50,\"page\": {page} ,\"other\":[1e400,\"\\u00fc\"]}}\n");
        assert_eq!(form.resolve(&item(given)).unwrap(), item(id), "{given}");
    }
    assert!(matches!(
        form.resolve(r#"{"page":"p1","title":"T"}"#),
        Ok(Cow::Borrowed(_))
    ));
}

#[test]
fn references_inside_of_groups_rows_and_hidden_parameters_are_resolved() {
    let id = |value: &str| format!(r#"{{"mode":"id","value":{value}}}"#);
    let update = |parent: &str, to: [&str; 2]| {
        format!(
            r#"{{"page":"p1","title":"T","options":{{"parent":{parent}}},"links":{{"link":[{{"to":{}}},{{"to":{}}}]}}}}"#,
            to[0], to[1]
        )
    };
    let given = update(&id("\"https://wiki.example/p/x9\""), [&id("7"), &id("\"b\"")]);
    assert_eq!(
        form("update").resolve(&given).unwrap(),
        update("\"x9\"", ["7", "\"b\""])
    );
    let publish =
        |mode: &str, target: &str| format!(r#"{{"by":3,"auditor":"A","mode":"{mode}","target":{target}}}"#);
    let form = form("publish");
    // Shown, and perhaps hidden; but not a value that belongs to a sibling of the same name.
    assert_eq!(
        form.resolve(&publish("id", &id("1"))).unwrap(),
        publish("id", "1")
    );
    assert_eq!(form.resolve(&publish("x", &id("1"))).unwrap(), publish("x", "1"));
    assert_eq!(
        form.resolve(&publish("json", &id("1"))).unwrap(),
        publish("json", &id("1"))
    );
}

#[test]
fn a_reference_that_is_none_is_refused() {
    let form = form("update");
    for page in [
        "true",
        "{}",
        "[]",
        r#""q1""#,
        r#"{"mode":"id","value":"q1"}"#,
        r#"{"mode":"list","value":{}}"#,
        r#"{"mode":"list","value":""}"#,
        r#"{"mode":"list"}"#,
        r#"{"mode":"url","value":"https://wiki.example/p/q1"}"#,
        r#"{"mode":"url","value":"https://evil.example/p/p1"}"#,
        r#"{"mode":"url","value":"https://wikixexample/p/p1"}"#,
        r#""https://wiki.example/p/p1/edit""#,
        "null",
    ] {
        let found = problems(&form, &format!(r#"{{"page":{page},"title":"T"}}"#));
        assert_eq!(found.len(), 1, "{page}: {found:?}");
        assert!(
            found[0].starts_with("/page Page: expected an ID, or the URL of its page, found "),
            "{found:?}"
        );
    }
}

#[test]
fn a_question_gets_the_ids_of_references_and_no_others() {
    let form = form("update");
    for (page, filled_in) in [
        (
            r#"{"mode":"url","value":"https://wiki.example/p/p22?x=1"}"#,
            r#""p22""#,
        ),
        (r#"{"mode":"url","value":"https://wiki.example/p/"}"#, "null"),
        (r#"{"mode":"list","value":""}"#, r#""""#),
        ("[]", "null"),
    ] {
        let item = |page: &str| format!(r#"{{"size":700,"page":{page}}}"#);
        assert_eq!(form.filled_in(&item(page)), item(filled_in), "{page}");
    }
}

#[test]
fn an_item_that_cannot_be_read_is_left_to_the_node() {
    let form = form("update");
    for item in [
        "",
        "{",
        "[]",
        "7",
        "null",
        r#"{"\ud83d":1}"#,
        r#"{"title":1,}"#,
        "{} x",
    ] {
        assert_eq!(form.check(item), Ok(()), "{item}");
    }
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert_eq!(form.check(&update("meta", &deep)), Ok(()));
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    let form = form("update");
    assert_eq!(
        problems(&form, r#"{"page":"p1","title":{},"title":"T"}"#),
        [""; 0]
    );
    assert_eq!(
        problems(&form, r#"{"page":"p1","title":"T","t\u0069tle":{}}"#).len(),
        1
    );
}

#[test]
fn a_file_is_one_that_the_item_has() {
    let mut node: Node = serde_json::from_str(include_str!("data/item-form.json")).unwrap();
    for (kind, default) in [("title", None), ("draft", Some("data"))] {
        let parameter = node.parameters.iter_mut().find(|it| it.name == kind).unwrap();
        parameter.kind = nodule_core::description::Kind::File;
        parameter.default = default.map(nodule_core::json::Json::from);
    }
    let check = ItemCheck::new(&node, node.operation("page", "update").unwrap());
    let problems = |item: &str, files: &[&str]| -> Vec<String> {
        let problems = check.resolve_with(item, files).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        problems(r#"{"page":"p1","title":"photo"}"#, &["photo", "data"]),
        [""; 0]
    );
    assert_eq!(
        problems(r#"{"page":"p1","title":" photo "}"#, &["photo", "data"]),
        [""; 0]
    );
    // A default is a key too.
    let found = problems(r#"{"page":"p1","title":"photo"}"#, &["photo"]);
    assert!(
        found.len() == 1 && found[0].contains("which has `photo`"),
        "{found:?}"
    );
    let found = problems(r#"{"page":"p1","title":"nope","draft":"data"}"#, &["data"]);
    assert!(
        found[0].contains("the key of a file of the item, which has `data`"),
        "{found:?}"
    );
    let found = problems(r#"{"page":"p1","title":"nope","draft":"data"}"#, &[]);
    assert!(
        found.iter().all(|it| it.contains("which has none")) && found.len() == 2,
        "{found:?}"
    );
}
