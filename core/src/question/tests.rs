use super::*;
use crate::description::{Choice, Choices, MAX_CHOICES, MAX_SIBLINGS, Parameter, Range};
use crate::json;

const NODE: &str = r#"{
    "name": "lists", "displayName": "Lists", "version": 1, "summary": "", "aliases": [], "credentials": [], "origins": [],
    "resources": [{"name": "thing", "displayName": "Thing", "summary": ""}],
    "operations": [{
        "group": "thing", "name": "add", "displayName": "Add", "summary": "", "action": "Add",
        "parameters": ["owner", "row", "columns", "plain"], "effect": {"type": "read"}, "writeRequests": 0, "outputSchema": {}
    }],
    "parameters": [
        {"id": "owner", "name": "owner", "displayName": "Owner", "summary": "", "required": false, "visibleWhen": [],
         "kind": {"type": "choice", "known": [], "open": false, "dynamic": {"dependsOn": [], "search": true}}},
        {"id": "row", "name": "row", "displayName": "Row", "summary": "", "required": false, "visibleWhen": [],
         "kind": {"type": "rows", "displayName": "Row", "columns": ["row.tag"], "min": 0}},
        {"id": "row.tag", "name": "tag", "displayName": "Tag", "summary": "", "required": false, "visibleWhen": [],
         "kind": {"type": "chooseMany", "known": [], "open": true, "dynamic": {"dependsOn": [], "search": false}}},
        {"id": "columns", "name": "columns", "displayName": "Columns", "summary": "", "required": false, "visibleWhen": [],
         "kind": {"type": "columns", "dynamic": {"dependsOn": ["owner"], "search": false}}},
        {"id": "plain", "name": "plain", "displayName": "Plain", "summary": "", "required": false, "visibleWhen": [],
         "kind": {"type": "text"}}
    ]
}"#;

fn node() -> Node {
    let node = serde_json::from_str::<Node>(NODE).expect("a description");
    node.check().expect("a sound description")
}

fn ask(parameter: &str) -> Question {
    Question::new("thing", "add", parameter)
}

#[test]
fn values_and_columns_are_asked_for_where_the_description_says_so() {
    let node = node();
    for (question, wanted) in [
        (ask("owner").search("ann").cursor("2"), Wanted::Choices),
        (ask("row.tag").filled_in(json!({"owner": 7})), Wanted::Choices),
        (ask("columns"), Wanted::Columns),
    ] {
        assert_eq!(question.check(&node, wanted), Ok(()), "{question:?}");
    }
}

#[test]
fn what_the_description_does_not_offer_is_not_asked() {
    let node = node();
    let nested = (0..100).fold(json!({}), |inner, _| json!({"a": inner}));
    for (question, wanted, message) in [
        (
            Question::new("thing", "ad", "owner"),
            Wanted::Choices,
            "unknown operation `ad`",
        ),
        (ask("ownr"), Wanted::Choices, "unknown parameter `ownr`"),
        (
            ask("\u{1b}[2J"),
            Wanted::Choices,
            "unknown parameter `\\u{1b}[2J`",
        ),
        (ask("plain"), Wanted::Choices, "`plain` has no values to ask"),
        (ask("columns"), Wanted::Choices, "`columns` has no values to ask"),
        (ask("owner"), Wanted::Columns, "`owner` has no columns to ask"),
        (ask("row.tag").search("a"), Wanted::Choices, "cannot be searched"),
        (
            ask("owner").search("a".repeat(1_001)),
            Wanted::Choices,
            "at most 1000 characters",
        ),
        (
            ask("owner").cursor("a".repeat(9_000)),
            Wanted::Choices,
            "at most 8192 bytes",
        ),
        (ask("columns").cursor("a"), Wanted::Columns, "no pages"),
        (
            ask("owner").filled_in(json!([])),
            Wanted::Choices,
            "expected an object",
        ),
        (
            ask("owner").filled_in(json!({"a": "b".repeat(300_000)})),
            Wanted::Choices,
            "at most 262144 bytes",
        ),
        (ask("owner").filled_in(nested), Wanted::Choices, "64 levels"),
    ] {
        let error = question.check(&node, wanted).expect_err(message);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn a_wrong_question_says_what_to_ask() {
    let hint = |parameter| ask(parameter).check(&node(), Wanted::Choices).unwrap_err().hint();
    assert_eq!(hint("ownr").as_deref(), Some("did you mean `owner`?"));
    assert_eq!(hint("plain").as_deref(), Some("ask for `owner`, `row.tag`"));
}

#[test]
fn equal_questions_are_recorded_alike() {
    let one = ask("owner").filled_in(json!({"a": 1, "b": 2})).search("x");
    let other = ask("owner").filled_in(json!({"b": 2, "a": 1})).search("x");
    assert_eq!(one.to_json().to_string(), other.to_json().to_string());
    assert_ne!(one.to_json(), ask("owner").to_json());
}

fn choice(label: &str, value: Json) -> Choice {
    Choice {
        label: label.to_owned(),
        value,
        summary: String::new(),
    }
}

fn page(choices: Vec<Choice>, next: Option<String>) -> Result<ChoicesPage, String> {
    check_page(ChoicesPage { choices, next }).map_err(|problems| problems[0].to_string())
}

#[test]
fn a_page_is_checked_as_a_descriptions_choices_are() {
    for (choices, next, message) in [
        (vec![choice("a\u{1b}[2J", json!(1))], None, "U+001B"),
        (vec![choice("a\u{202e}b", json!(1))], None, "U+202E"),
        (vec![choice("  ", json!(1))], None, "expected a text"),
        (
            vec![choice(&"a".repeat(201), json!(1))],
            None,
            "at most 200 characters",
        ),
        (
            vec![choice("a", json!({}))],
            None,
            "expected a text, number or boolean",
        ),
        (
            vec![choice("a", json!(null))],
            None,
            "expected a text, number or boolean",
        ),
        (vec![choice("a", json!("b\u{0}"))], None, "U+0000"),
        (vec![], Some("a".repeat(9_000)), "at most 8192 bytes"),
        (
            vec![choice("a", json!(1)); MAX_CHOICES + 1],
            None,
            "at most 1000 choices, found 1001",
        ),
    ] {
        let problem = page(choices, next).expect_err(message);
        assert!(problem.contains(message), "{problem}");
    }
}

#[test]
fn a_value_that_comes_again_is_there_once() {
    let page = page(
        vec![
            choice("A", json!(1)),
            choice("B", json!("1")),
            choice("C", json!(1)),
        ],
        None,
    );
    let labels: Vec<String> = page.unwrap().choices.into_iter().map(|it| it.label).collect();
    assert_eq!(labels, ["A", "B"]);
}

fn column(name: &str, kind: Kind) -> Parameter {
    Parameter {
        id: name.to_owned(),
        name: name.to_owned(),
        display_name: name.to_owned(),
        summary: String::new(),
        placeholder: None,
        kind,
        required: false,
        default: None,
        visible_when: Vec::new(),
        hints: None,
    }
}

fn several(dynamic: Option<Dynamic>) -> Kind {
    Kind::ChooseMany(Choices {
        known: vec![choice("Silk", json!("silk"))],
        open: false,
        dynamic,
    })
}

#[test]
fn columns_are_single_values_or_several_of_a_list_with_any_names() {
    let mut many = column("c", Kind::Text);
    many.name = "Größe (cm)".to_owned();
    let columns = vec![
        column("columns", Kind::Text),
        column("operation", Kind::Boolean),
        many,
        column("d", several(None)),
    ];
    assert_eq!(check_columns(columns.clone()), Ok(columns));
}

#[test]
fn columns_are_checked_as_a_descriptions_parameters_are() {
    let dynamic = Kind::Choice(Choices {
        known: Vec::new(),
        open: true,
        dynamic: Some(Dynamic::default()),
    });
    let named = |name: &str| Parameter {
        name: name.to_owned(),
        ..column("a", Kind::Text)
    };
    let reversed = Kind::Number(Range {
        min: Some(2.0),
        max: Some(1.0),
    });
    for (columns, message) in [
        (
            vec![column("a", Kind::Secret)],
            "the kind `secret` is not for a column",
        ),
        (
            vec![column("a", Kind::Values("a".to_owned()))],
            "the kind `values` is not for a column",
        ),
        (
            vec![column("a", Kind::Notice)],
            "the kind `notice` is not for a column",
        ),
        (vec![column("a", dynamic)], "cannot be asked for"),
        (
            vec![column("a", several(Some(Dynamic::default())))],
            "cannot be asked for",
        ),
        (vec![column("a", Kind::Text), named("b")], "the ID is there twice"),
        (
            vec![column("b", Kind::Text), named("b")],
            "two parameters with the name `b`",
        ),
        (vec![named("a\u{202e}")], "U+202E"),
        (vec![named("__proto__")], "JavaScript"),
        (vec![named("={{ 1 }}")], "begins with `=`"),
        (vec![column("a", reversed)], "least value"),
        (
            vec![column("a", Kind::Text); MAX_SIBLINGS + 1],
            "at most 300 columns, found 301",
        ),
    ] {
        let problems = check_columns(columns).expect_err(message);
        let problem = problems[0].to_string();
        assert!(problem.contains(message), "{problem}");
    }
}

#[test]
fn an_answer_has_the_same_form_in_every_place() {
    let values = Answer::Choices(ChoicesPage {
        choices: vec![choice("A", json!(1))],
        next: Some("2".to_owned()),
    });
    let expected = json!({"choices": [{"label": "A", "value": 1, "summary": ""}], "next": "2"});
    assert_eq!(values.to_json(), expected);
    let columns = Answer::Columns(vec![column("a", Kind::Text)]);
    assert_eq!(
        columns
            .to_json()
            .get("fields")
            .and_then(Json::as_array)
            .map(Vec::len),
        Some(1)
    );
}
