//! What the library's example becomes in n8n.

use nodule::description::{Choices, Condition, Holds, Indexed, Kind, Node, Oauth2, Pair, Range, Scheme};
use nodule::json;
use nodule::json::Json;

use super::{hostile, library, parameter};
use crate::describe::n8n;

/// The n8n property with this name in this operation.
fn property(node: &Node, operation: &str, name: &str) -> Json {
    let rendered = n8n::render(&Indexed::new(node));
    let properties = rendered["node"]["properties"].as_array().unwrap();
    let shown = |property: &&Json| {
        property["name"] == name && property["displayOptions"]["show"]["operation"] == json!([operation])
    };
    properties.iter().find(shown).unwrap().clone()
}

#[test]
fn shows_descriptions_as_text() {
    let node = hostile();
    assert_eq!(
        property(&node, "search", "query")["description"],
        "&lt;b&gt;&amp;\u{9b}2J"
    );
    let rendered = n8n::render(&Indexed::new(&node));
    let properties = rendered["node"]["properties"].as_array().unwrap();
    let operations = properties.iter().find(|property| property["name"] == "operation");
    let operation = &operations.unwrap()["options"][0];
    assert_eq!(operation["name"], "<img src=x onerror=alert(1)>");
    let html = operation["description"].as_str().unwrap();
    assert!(html.starts_with("a | b<br># no `heading`"), "{html}");
}

#[test]
fn evaluates_nothing_that_a_description_says() {
    let mut node = library();
    parameter(&mut node, "book.search.query").default = Some(json!("={{ $env.KEY }} \"\\"));
    let filters = parameter(&mut node, "book.search.filters");
    if let Kind::Group(shape) = &mut filters.kind {
        shape.key = None;
    }
    filters.default = Some(json!({"since": "2025-01-01", "minPages": 1}));
    parameter(&mut node, "book.catalogue.extra").default = Some(json!({"a": "=1"}));
    parameter(&mut node, "book.catalogue.books").default = Some(json!({"book": [{"isbn": "=1"}]}));
    let Kind::Choice(Choices { known, .. }) = &mut parameter(&mut node, "book.search.language").kind else {
        unreachable!("a choice")
    };
    known[0].value = json!("=en");
    parameter(&mut node, "book.search.language").default = Some(json!("=en"));
    parameter(&mut node, "book.search.limit").visible_when = vec![Condition {
        parameter: "book.search.language".to_owned(),
        holds: Holds::OneOf(vec![json!("=en")]),
    }];

    let literal = r#"={{ "=\u007b\u007b $env.KEY \u007d\u007d \"\\" }}"#;
    assert_eq!(property(&node, "search", "query")["default"], literal);
    let language = property(&node, "search", "language");
    assert_eq!(language["options"][0]["value"], r#"={{ "=en" }}"#);
    assert_eq!(language["default"], r#"={{ "=en" }}"#);
    let limit = property(&node, "search", "limit");
    assert_eq!(
        limit["displayOptions"]["show"]["language"],
        json!([r#"={{ "=en" }}"#])
    );
    assert_eq!(
        property(&node, "search", "filters")["default"],
        json!({"minPages": 1, "since": "2025-01-01"})
    );
    assert_eq!(property(&node, "catalogue", "extra")["default"], r#"{"a":"=1"}"#);
    assert_eq!(
        property(&node, "catalogue", "books")["default"],
        json!({"book": [{"isbn": r#"={{ "=1" }}"#}]})
    );
}

#[test]
fn can_leave_out_what_has_no_default() {
    let mut node = library();
    let choice = |values: &[Json], open| {
        let known = values.iter().map(|value| nodule::description::Choice {
            label: "A".to_owned(),
            value: value.clone(),
            summary: String::new(),
        });
        Kind::Choice(Choices {
            known: known.collect(),
            open,
            dynamic: None,
        })
    };
    parameter(&mut node, "loan.lend.card").kind = choice(&[json!(""), json!(0)], false);
    parameter(&mut node, "loan.lend.card").required = false;
    parameter(&mut node, "loan.lend.email").kind = choice(&[json!(1)], true);
    parameter(&mut node, "loan.lend.email").default = Some(json!(7));
    parameter(&mut node, "loan.lend.until").kind = Kind::Integer(Range {
        min: Some(-1.0),
        max: None,
    });

    let not_set = json!({"name": "Not Set", "value": ""});
    let unchanged = json!({"name": "Leave Unchanged", "value": ""});
    let available = property(&node, "search", "available");
    assert_eq!(
        (&available["type"], &available["options"][0]),
        (&json!("options"), &not_set)
    );
    assert_eq!(property(&node, "update", "shelf")["options"][0], unchanged);
    assert_eq!(property(&node, "update", "shelf")["default"], "");
    assert_eq!(
        property(&node, "lend", "identify")["options"][0],
        json!({"name": "Card Number", "value": 1})
    );

    let has_a_blank = property(&node, "lend", "card");
    assert_eq!(has_a_blank["options"].as_array().unwrap().len(), 2);
    let open = property(&node, "lend", "email");
    assert_eq!(
        open["options"],
        json!([{"name": "A", "value": 1}, {"name": "7", "value": 7}])
    );
    assert_eq!(
        (&open["default"], &open["allowArbitraryValues"]),
        (&json!(7), &json!(true))
    );
    let number = property(&node, "lend", "until");
    assert_eq!(
        number["typeOptions"],
        json!({"minValue": -1, "numberPrecision": 0})
    );
    assert_eq!(number["default"], "");
}

#[test]
fn finds_what_a_condition_looks_at() {
    let mut node = library();
    let spine = parameter(&mut node, "book.catalogue.books.spine");
    let on = |id: &str, values: &[&str]| Condition {
        parameter: id.to_owned(),
        holds: Holds::OneOf(values.iter().map(|value| json!(value)).collect()),
    };
    spine.visible_when = vec![
        on("book.catalogue.batch", &["a", "b"]),
        on("book.catalogue.batch", &["b", "c"]),
        on("book.catalogue.books.binding", &["hardcover"]),
    ];
    let books = property(&node.check().unwrap(), "catalogue", "books");
    assert_eq!(
        books["options"][0]["values"][2]["displayOptions"],
        json!({"show": {"/batch": ["b"], "binding": ["hardcover"]}})
    );
}

#[test]
fn a_node_without_credentials_asks_for_none() {
    let mut node = library();
    node.credentials.clear();
    let rendered = n8n::render(&Indexed::new(&node));
    assert_eq!(rendered["credentials"], json!([]));
    assert_eq!(rendered["node"].get("credentials"), None);
}

#[test]
fn a_login_that_n8n_s_own_type_cannot_have_is_told() {
    const NAME: &str = "cityLibraryOAuth2Api";
    let changed = |change: &dyn Fn(&mut Oauth2)| {
        let mut node = library();
        let credential = node
            .credentials
            .iter_mut()
            .find(|credential| credential.name == NAME);
        let Scheme::Oauth2(oauth2) = &mut credential.unwrap().scheme else {
            panic!("{NAME} is of another scheme");
        };
        change(oauth2);
        n8n::inexpressible(&Indexed::new(&node))
    };
    assert_eq!(changed(&|_| ()), None);
    let pair = Pair {
        name: "audience".to_owned(),
        value: "x".to_owned(),
    };
    assert_eq!(
        changed(&|oauth2| oauth2.token_body = vec![pair.clone()]).unwrap(),
        format!("credential {NAME}: n8n's own OAuth2 credential cannot add `audience` to token requests")
    );
    assert_eq!(
        changed(&|oauth2| oauth2.client_id = "credential.city".to_owned()).unwrap(),
        format!("credential {NAME}: its field `clientId` has a name that n8n's own OAuth2 credential uses")
    );
}
