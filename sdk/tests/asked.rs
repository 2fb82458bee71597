//! What a form asks the service: values, things and columns by a list operation of the table.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use nodule_sdk::prelude::*;
use nodule_sdk::script::{ChoicesPage, Reply, Script};
use nodule_sdk::{Failure, table::lint::lint};

const BOARDS: Operation = Operation {
    group: "board",
    name: "list",
    title: "List Boards",
    about: "List boards",
    action: "List boards",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/boards"),
    parameters: &[
        RETURN_ALL,
        page_size("size", 20),
        text("q", "Search"),
        text("sort", "Sort").or_text("name"),
    ],
    output: pages("/boards", cursor("after", "/next")),
};

const LISTS: Operation = Operation {
    name: "lists",
    request: get("/boards/{board}/lists"),
    parameters: &[BOARD, RETURN_ALL, page_number("page")],
    output: pages("", page_increment()),
    ..BOARDS
};

const COLUMNS: Operation = Operation {
    request: get("/boards/{board}/columns"),
    parameters: &[BOARD],
    output: pages("/columns", one_page()),
    ..BOARDS
};

const BOARD: Parameter = reference_to(
    "board",
    "Board",
    &ask(&BOARDS, "/id", "/name")
        .about("/about")
        .search("q")
        .id("[A-Z][0-9]+"),
)
.required();

/// A list of bare IDs, and what has the name of each.
const USERS: Operation = Operation {
    request: get("/users"),
    parameters: &[],
    output: pages("/ids", cursor("after", "/next")),
    ..BOARDS
};
const USER: Operation = Operation {
    request: get("/users/{id}/name"),
    parameters: &[text("id", "ID").required()],
    output: answer(),
    ..BOARDS
};

const SET: Operation = Operation {
    name: "set",
    parameters: &[
        BOARD,
        columns_of(
            "values",
            "Values",
            &ask(&COLUMNS, "/key", "/label")
                .kinds("/type", &[("number", number("number", "Number"))])
                .choices("/options", "/id", "/text")
                .several("/many")
                .as_rows("id", "value"),
        ),
    ],
    ..ADD
};

const ADD: Operation = Operation {
    name: "add",
    effect: Effect::Write,
    request: post("/cards"),
    parameters: &[
        BOARD,
        choice_of("list", "List", &ask(&LISTS, "/id", "/title").search_labels()),
        choices_of("lists", "Lists", &ask(&LISTS, "/id", "/title")),
        choice_of(
            "user",
            "User",
            &ask(&USERS, "", "").look_up(&USER, "/name").search_labels(),
        ),
        columns_of(
            "values",
            "Values",
            &ask(&COLUMNS, "/key", "/label").kinds(
                "/type",
                &[
                    ("number", number("number", "Number")),
                    ("flag", boolean("flag", "Flag")),
                ],
            ),
        ),
    ],
    output: answer(),
    ..BOARDS
};

static SERVICE: Service = SERVICE_TABLE;

const SERVICE_TABLE: Service = Service {
    name: "boards",
    title: "Boards",
    about: "Boards",
    groups: &[Group {
        name: "board",
        title: "Board",
        about: "Boards",
    }],
    operations: &[&BOARDS, &LISTS, &ADD, &SET],
    ..Service::NEW
};

const _: () = nodule_sdk::table::lint::check(&SERVICE_TABLE, &["choices"]);

fn node() -> Script {
    nodule_sdk::test(&SERVICE)
}

fn shown(page: &ChoicesPage) -> Vec<String> {
    let choices = page.choices.iter();
    choices
        .map(|choice| format!("{}={} {}", choice.label, choice.value, choice.summary))
        .collect()
}

#[test]
fn each_row_of_a_page_is_a_value_and_the_next_page_begins_where_it_ended() {
    let node = node()
        .reply(200, r#"{"boards":[{"id":"B1","name":"One\n board","about":"the first"},{"name":"without an ID"}],"next":"c 1"}"#)
        .reply(200, r#"{"boards":[{"id":"B2"}]}"#);
    let first = node.choices("board.add", "board", "{}", None, None).unwrap();
    assert_eq!(shown(&first), [r#"One board="B1" the first"#]);
    let cursor = first.next.unwrap();
    let second = node
        .choices("board.add", "board", "{}", None, Some(&cursor))
        .unwrap();
    assert_eq!(shown(&second), [r#"B2="B2" "#]);
    assert_eq!(second.next, None);
    assert_eq!(
        node.requests(),
        [
            "GET /boards?size=100&sort=name",
            "GET /boards?size=100&sort=name&after=c%201"
        ]
    );
}

#[test]
fn the_service_searches_by_the_parameter_that_the_table_names() {
    let node = node().reply(200, r#"{"boards":[]}"#);
    let page = node
        .choices("board.add", "board", r#"{"q":"of the form"}"#, Some("a b"), None)
        .unwrap();
    assert!(page.choices.is_empty() && page.next.is_none());
    assert_eq!(node.requests(), ["GET /boards?size=100&q=a%20b&sort=name"]);
}

#[test]
fn the_node_searches_in_labels_and_goes_on_until_it_finds_something() {
    let node = node().replies([
        Reply::new(200, r#"[{"id":1,"title":"Done"}]"#),
        Reply::new(200, r#"[{"id":2,"title":"To Do"},{"id":3,"title":"Doing"}]"#),
    ]);
    let form = r#"{"board":"B/1"}"#;
    let page = node
        .choices("board.add", "list", form, Some("TO d"), None)
        .unwrap();
    assert_eq!(shown(&page), ["To Do=2 "]);
    assert_eq!(
        node.requests(),
        ["GET /boards/B%2F1/lists?page=1", "GET /boards/B%2F1/lists?page=2"]
    );
    assert!(page.next.is_some());
}

#[test]
fn labels_that_the_list_has_not_are_looked_up_one_by_one() {
    let users = r#"{"ids":["u/1","u/2",3]}"#;
    let named = |name: &str| Reply::new(200, format!(r#"{{"name":"{name}"}}"#)).after(2);
    let node = node().replies([
        Reply::new(200, users),
        named("Ada"),
        Reply::new(404, "{}"),
        named("Grace"),
    ]);
    let page = node.choices("board.add", "user", "{}", None, None).unwrap();
    assert_eq!(shown(&page), [r#"Ada="u/1" "#, r#"u/2="u/2" "#, "Grace=3 "]);
    assert_eq!(
        node.requests(),
        [
            "GET /users",
            "GET /users/u%2F1/name",
            "GET /users/u%2F2/name",
            "GET /users/3/name"
        ]
    );
    assert_eq!(node.most_open(), 3);
}

#[test]
fn what_is_looked_up_is_searched() {
    let node = node().replies([
        Reply::new(200, r#"{"ids":["u1","u2"]}"#),
        Reply::new(200, r#"{"name":"Ada"}"#),
        Reply::new(200, r#"{"name":"Grace"}"#),
    ]);
    let page = node
        .choices("board.add", "user", "{}", Some("gra"), None)
        .unwrap();
    assert_eq!(shown(&page), [r#"Grace="u2" "#]);
}

#[test]
fn a_page_that_repeats_no_cursor_ends_the_list() {
    let node = node().reply(200, "[]");
    let page = node
        .choices("board.add", "lists", r#"{"board":"B1"}"#, None, None)
        .unwrap();
    assert!(page.choices.is_empty() && page.next.is_none());
}

#[test]
fn what_a_list_needs_and_the_form_has_not_is_said_by_name() {
    let node = node();
    let failure = node.choices("board.add", "list", "{}", None, None).unwrap_err();
    let Failure::InvalidParameters(problems) = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(problems[0].label, "Board");
    assert!(node.requests().is_empty());
    for (parameter, cursor) in [
        ("missing", None),
        ("board", Some("a stranger's")),
        ("board", Some("1 0 0 https://x")),
    ] {
        let failure = node
            .choices("board.add", parameter, "{}", None, cursor)
            .unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
    }
    assert!(node.requests().is_empty());
}

#[test]
fn columns_have_names_labels_and_kinds() {
    let columns = r#"{"columns":[{"key":"due","label":"Due","type":"date"},{"key":"size","type":"number"},{"label":"no key"}]}"#;
    let node = node().reply(200, columns);
    let columns = node.columns("board.add", "values", r#"{"board":"B1"}"#).unwrap();
    let shown: Vec<String> = columns
        .iter()
        .map(|column| {
            format!(
                "{} {} {} {:?}",
                column.id, column.name, column.display_name, column.kind
            )
        })
        .collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(
        shown[0].starts_with("board.add.values.column1 due Due Kind::Text"),
        "{shown:?}"
    );
    assert!(
        shown[1].starts_with("board.add.values.column2 size size Kind::Number"),
        "{shown:?}"
    );
    assert_eq!(node.requests(), ["GET /boards/B1/columns"]);
}

#[test]
fn a_column_has_the_values_of_its_row() {
    let columns = r#"{"columns":[
        {"key":1,"label":"One","type":"list","options":[{"id":"a","text":"A"},{"id":2},{"text":"no ID"}]},
        {"key":2,"type":"list","many":true,"options":[{"id":"a","text":"A"}]},
        {"key":3,"type":"number","many":true,"options":[]}]}"#;
    let node = node().reply(200, columns);
    let columns = node.columns("board.set", "values", r#"{"board":"B1"}"#).unwrap();
    let kinds: Vec<String> = columns
        .iter()
        .map(|column| format!("{:?}", column.kind))
        .collect();
    let known = |kind: &str| {
        let known = kind.matches("value: ").count();
        (kind.split('(').next().unwrap().to_owned(), known)
    };
    assert_eq!(known(&kinds[0]), ("Kind::Choice".to_owned(), 2), "{kinds:?}");
    assert_eq!(known(&kinds[1]), ("Kind::ChooseMany".to_owned(), 1), "{kinds:?}");
    assert_eq!(known(&kinds[2]), ("Kind::Number".to_owned(), 0), "{kinds:?}");
    assert!(
        kinds[0].contains(r#"label: "A""#) && kinds[0].contains(r#"value: "2""#),
        "{kinds:?}"
    );
}

#[test]
fn columns_go_on_the_wire_as_an_object_or_as_rows() {
    let node = node().replies([Reply::new(200, "{}"), Reply::new(200, "{}")]);
    let item = r#"{"board":"B1","values":{"7":"red","8":["a"],"9":null}}"#;
    node.run("board.set", item).unwrap();
    node.run("board.set", r#"{"board":"B1","values":"{}"}"#).unwrap();
    let body = r#"{"board":"B1","values":[{"id":"7","value":"red"},{"id":"8","value":["a"]},{"id":"9","value":null}]}"#;
    assert_eq!(
        node.requests(),
        [
            format!("POST /cards\n{body}"),
            r#"POST /cards
{"board":"B1","values":[]}"#
                .to_owned()
        ]
    );
}

#[test]
fn the_description_says_what_is_asked_again_when() {
    let node = nodule_sdk::describe(&SERVICE);
    let kind = |id: &str| {
        let parameter = node.parameters.iter().find(|parameter| parameter.id == id);
        format!("{:?}", parameter.unwrap().kind)
    };
    let board = kind("board.add.board");
    assert!(
        board.contains("search: true") && board.contains("depends-on: []"),
        "{board}"
    );
    assert!(board.contains("[A-Z][0-9]+"), "{board}");
    for (parameter, search) in [
        ("list", "search: true"),
        ("lists", "search: false"),
        ("values", "search: false"),
    ] {
        let kind = kind(&format!("board.add.{parameter}"));
        assert!(
            kind.contains(r#"depends-on: ["board.add.board"]"#) && kind.contains(search),
            "{kind}"
        );
    }
}

#[test]
fn what_was_chosen_is_sent_in_its_own_type() {
    let node = node().reply(200, "{}");
    let item = r#"{"board":"B1","list":7,"lists":["7",8],"values":{"due":"today"}}"#;
    node.run("board.add", item).unwrap();
    let body = r#"{"board":"B1","list":7,"lists":["7",8],"values":{"due":"today"}}"#;
    assert_eq!(node.requests(), [format!("POST /cards\n{body}")]);
}

#[test]
fn a_question_that_no_form_can_ask_is_an_error_of_the_compiler() {
    static POST: Operation = Operation {
        request: post("/boards"),
        output: answer(),
        ..LISTS
    };
    static FLAWED: Operation = Operation {
        name: "flawed",
        parameters: &[choice_of(
            "list",
            "List",
            &ask(&POST, "/id", "/title").search("q").look_up(&POST, "/name"),
        )],
        ..ADD
    };
    static WRONG: Service = Service {
        operations: &[&FLAWED],
        ..SERVICE_TABLE
    };
    let problems = lint(&WRONG, &[]);
    for problem in [
        "asks for list by another method than GET and HEAD",
        "asks for list with an operation that has no rows",
        "searches for list by q, which its list does not have",
        "looks up list by another method than GET and HEAD",
        "asks for list with board, which the form does not have",
        "a parameter needs the export choices: write export!(SERVICE, choices)",
    ] {
        assert!(
            problems.text().contains(problem),
            "{problem}: {}",
            problems.text()
        );
    }
    let unneeded = lint(
        &Service {
            operations: &[&BOARDS],
            ..SERVICE_TABLE
        },
        &["choices"],
    );
    assert!(
        unneeded.text().contains("no parameter needs the export choices"),
        "{}",
        unneeded.text()
    );
}
