//! What a table says, and what is sent and returned for it.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use nodule_sdk::prelude::*;
use nodule_sdk::script::{Part, Reply, Script};
use nodule_sdk::{Failure, Item, OutputItem, Request, http::Method, json, output};

const READ: Operation = Operation {
    group: "thing",
    name: "read",
    title: "Read Thing",
    about: "Read a thing",
    action: "Read a thing",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/things"),
    parameters: &[],
    output: answer(),
};

const WRITE: Operation = Operation {
    name: "write",
    effect: Effect::Write,
    request: post("/things"),
    ..READ
};

const KINDS: Operation = Operation {
    name: "kinds",
    parameters: &[
        choices(
            "colours",
            "Colours",
            &[text_choice("r", "Red"), int_choice(2, "Two")],
        ),
        texts("tags", "Tags"),
        values("ports", "Ports", &int_from("port", "Port", 1, Some(65_535))),
        group(
            "range",
            "Range",
            &[int("from", "From").wire("min"), int("to", "To").required()],
        ),
        number_between(
            "share",
            "Share",
            &NumberRange {
                min: Some(0.0),
                max: Some(1.0),
            },
        ),
        json("any", "Any"),
        reference(
            "page",
            "Page",
            &Reference {
                id_in_url: None,
                id: None,
            },
        ),
        columns("columns", "Columns"),
        multiline("note", "Note"),
        notice("hint", "Read this first"),
        bare_rows(
            "lines",
            "Lines",
            &Rows {
                name: "",
                label: "Line",
                columns: &[text("sku", "SKU").required()],
            },
        ),
        rows(
            "labels",
            "Labels",
            &Rows {
                name: "label",
                label: "Label",
                columns: &[text("k", "K").required(), int("v", "V")],
            },
        )
        .as_map(),
        date_time("at", "At").as_seconds(),
    ],
    ..WRITE
};

const PLACES: Operation = Operation {
    name: "places",
    request: post("/things/{id}"),
    parameters: &[
        text("id", "ID").required(),
        text("city", "City").at("/address/city"),
        text("zip", "ZIP").at("/address/zip"),
        int("depth", "Depth").at("/a/b/c"),
        text("name", "Name"),
        text("dry", "Dry").query(),
        text("key", "Key").header("idempotency-key"),
    ],
    ..WRITE
};

const WITHIN: Operation = Operation {
    name: "within",
    request: put("/things/{id}").content(&within("thing")),
    parameters: &[
        text("id", "ID").required(),
        text("city", "City").at("/address/city"),
        text("name", "Name"),
        choices("also", "Also", &[int_choice(1, "One"), text_choice("a,b", "Two")]).joined(),
        texts("tags", "Tags").joined().wire("tag"),
    ],
    ..WRITE
};

const EMPTIED: Operation = Operation {
    name: "emptied",
    request: put("/things/{id}")
        .update()
        .content(&within("thing").cleared_by_empty_text()),
    ..WITHIN
};

const FORM: Operation = Operation {
    name: "form",
    request: post("/things").form(),
    parameters: &[
        text("name", "Name"),
        texts("tags", "Tags"),
        bare_rows(
            "lines",
            "Lines",
            &Rows {
                name: "",
                label: "Line",
                columns: &[text("sku", "SKU"), int("n", "N")],
            },
        ),
        boolean("on", "On"),
    ],
    ..WRITE
};

const MULTIPART: Operation = Operation {
    name: "multipart",
    request: post("/things").multipart(),
    ..FORM
};

const IMPORT: Operation = Operation {
    name: "import",
    request: post("/things/{id}").content(&bytes("text/csv")),
    parameters: &[
        text("id", "ID").required(),
        multiline("rows", "Rows").required(),
        text("dry", "Dry").query(),
    ],
    ..WRITE
};

const CONDITIONS: Operation = Operation {
    name: "conditions",
    parameters: &[
        text("a", "A"),
        text("b", "B").when(&[is_set("a"), is_not("a", &[Scalar::Text("x")])]),
        choices("many", "Many", &[text_choice("p", "P"), text_choice("q", "Q")]),
        text("c", "C").when(&[is("many", &[Scalar::Text("q")])]),
    ],
    ..WRITE
};

const BY_OFFSET: Operation = Operation {
    name: "byOffset",
    parameters: &[
        RETURN_ALL,
        LIMIT,
        page_offset("skip"),
        page_size_up_to("top", 2, 2),
    ],
    output: pages("/rows", offset_increment().stop_when_short()),
    ..READ
};

const BY_TOKEN: Operation = Operation {
    name: "byToken",
    parameters: &[RETURN_ALL],
    output: pages("/rows", cursor("token", "/meta/next")),
    ..READ
};

const BY_TOTAL: Operation = Operation {
    name: "byTotal",
    parameters: &[RETURN_ALL, page_number("page")],
    output: pages("", page_increment().stop_at_total("/0/total")),
    ..READ
};

const BY_HAND: Operation = Operation {
    name: "byHand",
    parameters: &[text("name", "Name").required()],
    output: by(nodule_sdk::run!(by_hand)),
    ..READ
};

/// Two requests, the second with what the first came back with.
async fn by_hand(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let token = item.document().await?;
    let request = Request::new(Method::Post, format!("/second/{}", item.text("name"))).json(token);
    let answer = item.client.document(request).await?;
    Ok(vec![output(answer)])
}

const KEY: Operation = Operation {
    name: "key",
    request: get("/files/{owner}/{key+}"),
    parameters: &[text("owner", "Owner").required(), text("key", "Key").required()],
    ..READ
};

const SPREAD: Operation = Operation {
    name: "spread",
    request: put("/things"),
    parameters: &[
        group(
            "options",
            "Options",
            &[
                choice(
                    "acl",
                    "ACL",
                    &[
                        worded("publicRead", "Public").sent("public-read"),
                        worded("private", "Private"),
                    ],
                )
                .header("x-acl"),
                flag("hold", "Hold", &["ON", "OFF"]).header("x-hold"),
                flag("pays", "Pays", &["requester", ""]).header("x-pays"),
                text("version", "Version").wire("versionId").query(),
                text("parent", "Parent").unsent(),
                int("depth", "Depth"),
            ],
        )
        .spread(),
        text("name", "Name"),
    ],
    ..WRITE
};

const LIMITED: Operation = Operation {
    name: "limited",
    parameters: &[RETURN_ALL, limit(3)],
    output: pages("/rows", cursor("after", "/next")),
    ..READ
};

const BY_INDEX: Operation = Operation {
    name: "byIndex",
    parameters: &[RETURN_ALL, page_index("page")],
    output: pages("/rows", page_increment()),
    ..READ
};

const TOGETHER: Operation = Operation {
    name: "together",
    parameters: &[texts("numbers", "Numbers")],
    output: by(nodule_sdk::run!(ask_together)),
    ..READ
};

/// A request for each number, side by side.
async fn ask_together(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let numbers = nodule_sdk::json::elements(item.text("numbers")).unwrap_or_default();
    let ask = async |number: &str| {
        let request = Request::new(Method::Get, format!("/numbers/{}", number.trim_matches('"')));
        item.client.document(request).await
    };
    let answers = item.together(numbers.iter().map(|number| ask(number))).await;
    answers.into_iter().map(|answer| answer.map(output)).collect()
}

static OPEN: Service = Service {
    name: "open",
    title: "Open",
    about: "Things for everybody",
    groups: &[Group {
        name: "thing",
        title: "Thing",
        about: "Things",
    }],
    origins: &[
        Origin {
            url: "https://open.example",
            access: &[],
            reason: "All things are there",
        },
        Origin {
            url: "https://other.example",
            access: &[],
            reason: "Some are there",
        },
    ],
    operations: &[&BASE],
    ..Service::NEW
};

const BASE: Operation = Operation {
    name: "base",
    output: by(nodule_sdk::run!(base)),
    ..READ
};

/// Where it asks.
async fn base(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    item.document().await?;
    Ok(vec![output(nodule_sdk::json::quote(
        &item.client.base().to_string(),
    ))])
}

const PART: Operation = Operation {
    name: "part",
    output: answer_at("/result"),
    ..READ
};

const RAW: Operation = Operation {
    name: "raw",
    request: get("/raw").undeclared(),
    output: by(nodule_sdk::run!(raw)),
    ..READ
};

const LOOKS: Operation = Operation {
    name: "looks",
    request: get("/looks/{id}?kind=2"),
    parameters: &[text("id", "ID").required(), text("q", "Search")],
    output: by(nodule_sdk::run!(looks)),
    ..READ
};

/// The request of the table with something behind it, a setting and a header of the answer.
async fn looks(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let mut request = item.request();
    request.target.push_str("&more");
    let answer = item.client.success(request).await?;
    let texts = [
        item.client.setting("region"),
        item.client.setting("site"),
        answer.headers.get("x-more"),
    ];
    let texts: Vec<String> = texts.into_iter().flatten().collect();
    Ok(vec![output(json::quote(&texts.join(" ")))])
}

/// What no table reads: how long a text is.
async fn raw(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let text = item.client.success(Request::new(Method::Get, "/text")).await?;
    Ok(vec![output(format!("{{\"bytes\":{}}}", text.body.len()))])
}

const LISTED: Operation = Operation {
    name: "listed",
    request: get("/list/{list_of_id}"),
    parameters: &[text("list_of_id", "List").required()],
    output: rows_at("/rows"),
    ..READ
};

const COUNTS: Operation = Operation {
    name: "counts",
    output: by(nodule_sdk::run!(count)).emitting(),
    ..BY_HAND
};

/// A part for each of three answers, and the end.
async fn count(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let first = item.behind().map_or(0, str::len);
    for number in first..3 {
        let answer = item.document().await?;
        item.emit(vec![output(answer)], || "x".repeat(number + 1));
    }
    item.document().await.map(|answer| vec![output(answer)])
}

static SERVICE: Service = Service {
    name: "things",
    title: "Things",
    about: "Things",
    groups: &[Group {
        name: "thing",
        title: "Thing",
        about: "Things",
    }],
    headers: &[("accept", "application/json")],
    errors: errors(&["/error"])
        .listed("/errors")
        .code(&["/code"])
        .by_code(Codes {
            success: &["0"],
            unauthenticated: &["1001"],
            throttled: &["1029"],
            unavailable: &["1500"],
        })
        .throttled_with("x-throttled")
        .failure_codes(Codes {
            unauthenticated: &["1003"],
            unavailable: &["1005"],
            ..Codes::NEW
        })
        .wait_ms(&["/wait", "/error/wait"]),
    looks_at: &["x-more"],
    operations: &[
        &KINDS,
        &PLACES,
        &WITHIN,
        &EMPTIED,
        &FORM,
        &MULTIPART,
        &IMPORT,
        &CONDITIONS,
        &BY_OFFSET,
        &BY_TOKEN,
        &BY_TOTAL,
        &BY_HAND,
        &COUNTS,
        &PART,
        &LOOKS,
        &SPREAD,
        &LIMITED,
        &KEY,
        &BY_INDEX,
        &TOGETHER,
        &RAW,
        &LISTED,
    ],
    ..Service::NEW
};

nodule_sdk::export!(SERVICE);

fn node(answers: &[&str]) -> Script {
    nodule_sdk::test(&SERVICE).replies(answers.iter().map(|answer| Reply::new(200, answer)))
}

/// The one request of an item.
fn sent(operation: &str, item: &str) -> String {
    let node = node(&["{}"]);
    node.run(operation, item).unwrap();
    node.requests().remove(0)
}

/// The problems of an item, as `pointer label: message`.
fn problems(operation: &str, item: &str) -> Vec<String> {
    match node(&[]).run(operation, item) {
        Err(Failure::InvalidParameters(problems)) => problems
            .iter()
            .map(|problem| format!("{} {}: {}", problem.pointer, problem.label, problem.message))
            .collect(),
        result => panic!("{result:?}"),
    }
}

#[test]
fn every_kind_is_sent_as_it_is_meant() {
    for (item, body) in [
        (r#"{"colours":["r","2"]}"#, r#"{"colours":["r",2]}"#),
        (r#"{"tags":["a",1.50]}"#, r#"{"tags":["a","1.50"]}"#),
        (r#"{"ports":["80",1e3]}"#, r#"{"ports":[80,1000]}"#),
        (r#"{"range":{"from":1,"to":2}}"#, r#"{"range":{"min":1,"to":2}}"#),
        (r#"{"share":0.50}"#, r#"{"share":0.50}"#),
        (r#"{"any":[1, {"a" : null}]}"#, r#"{"any":[1,{"a":null}]}"#),
        (r#"{"any":"{\"a\": 1}"}"#, r#"{"any":{"a":1}}"#),
        (r#"{"any":"plain"}"#, r#"{"any":"plain"}"#),
        (r#"{"page":"p1"}"#, r#"{"page":"p1"}"#),
        (r#"{"columns":{"a":1}}"#, r#"{"columns":{"a":1}}"#),
        (r#"{"note":"a\nb"}"#, r#"{"note":"a\nb"}"#),
        (r#"{"lines":[{"sku":"s"}]}"#, r#"{"lines":[{"sku":"s"}]}"#),
        (
            r#"{"labels":{"label":[{"k":"a\"","v":1},{"k":"b"}]}}"#,
            r#"{"labels":{"a\"":1,"b":null}}"#,
        ),
        (r#"{"at":"1970-01-01T00:01:00.999Z"}"#, r#"{"at":60}"#),
        (r#"{"hint":"x"}"#, "{}"),
        ("{}", "{}"),
    ] {
        assert_eq!(
            sent("thing.kinds", item),
            format!("POST /things\n{body}"),
            "{item}"
        );
    }
}

#[test]
fn every_kind_refuses_what_it_is_not_and_says_where() {
    for (item, expected) in [
        (
            r#"{"colours":["r","b"]}"#,
            "/colours Colours: expected a list of `r` Red, `2` Two, found `[\"r\",\"b\"]`",
        ),
        (
            r#"{"tags":["a",{}]}"#,
            "/tags/1 Tags: expected a text, found `{}`",
        ),
        (
            r#"{"tags":"a"}"#,
            "/tags Tags: expected a list, each text, found \"a\"",
        ),
        (
            r#"{"ports":[0]}"#,
            "/ports/0 Ports: expected a whole number from 1 to 65535, found `0`",
        ),
        (
            r#"{"range":{"from":1}}"#,
            "/range/to To: expected a whole number, found nothing",
        ),
        (
            r#"{"range":{"to":1,"too":2}}"#,
            "/range/too too: expected a parameter of Range, found `too`; did you mean `to`?",
        ),
        (
            r#"{"range":3}"#,
            "/range Range: expected an object of fields, found `3`",
        ),
        (
            r#"{"share":1.01}"#,
            "/share Share: expected a number from 0 to 1, found `1.01`",
        ),
        (
            r#"{"lines":{"a":1}}"#,
            "/lines Lines: expected a list of rows, found `{\"a\":1}`",
        ),
        (
            r#"{"columns":[1]}"#,
            "/columns Columns: expected a JSON object, or its text, found `[1]`",
        ),
    ] {
        assert_eq!(problems("thing.kinds", item), [expected], "{item}");
    }
}

/// An item's one request, with its content type.
fn typed(operation: &str, item: &str) -> (String, String) {
    let node = node(&["{}"]);
    node.run(operation, item).unwrap();
    let headers = node.headers().remove(0);
    let content_type = headers.into_iter().find(|(name, _)| name == "content-type");
    (content_type.unwrap().1, node.requests().remove(0))
}

#[test]
fn all_of_a_body_may_stand_in_one_member() {
    for (item, request) in [
        (
            r#"{"id":"1","city":"X","name":"N"}"#,
            r#"{"thing":{"name":"N","address":{"city":"X"}}}"#,
        ),
        (r#"{"id":"1"}"#, r#"{"thing":{}}"#),
    ] {
        assert_eq!(sent("thing.within", item), format!("PUT /things/1\n{request}"));
    }
}

#[test]
fn a_field_may_be_cleared_by_an_empty_text() {
    let sent = sent("thing.emptied", r#"{"id":"1","name":null}"#);
    assert_eq!(
        sent,
        r#"PUT /things/1
{"thing":{"name":""}}"#
    );
}

#[test]
fn a_list_may_go_into_the_query_as_one_text() {
    let sent = sent("thing.within", r#"{"id":"1","also":[1,"a,b"],"tags":["x y"]}"#);
    assert_eq!(
        sent.lines().next(),
        Some("PUT /things/1?also=1%2Ca%2Cb&tag=x%20y")
    );
}

#[test]
fn all_messages_of_a_list_are_said() {
    for (answer, message) in [
        (
            r#"{"errors":["Name is blank","ID is \"taken\""]}"#,
            "Name is blank; ID is \"taken\"",
        ),
        (r#"{"errors":[],"error":"none"}"#, "none"),
        (
            r#"{"errors":{"name":"blank"}}"#,
            r#"HTTP 422: {"errors":{"name":"blank"}}"#,
        ),
    ] {
        let node = nodule_sdk::test(&SERVICE).reply(422, answer);
        let failure = node.run("thing.within", r#"{"id":"1"}"#).unwrap_err();
        assert!(
            matches!(&failure, Failure::Rejected(answer) if answer.message == message),
            "{failure:?}"
        );
    }
}

#[test]
fn requests_of_an_item_are_under_way_side_by_side_as_far_as_there_is_room() {
    let answers = || {
        let answer = |number: usize| Reply::new(200, format!(r#"{{"is":{number}}}"#)).after(7 - number);
        (1..6).map(answer)
    };
    let item = r#"{"numbers":["1","2","3","4","5"]}"#;
    for (in_flight, most) in [(1, 1), (3, 3), (9, 5)] {
        let node = nodule_sdk::test(&SERVICE).in_flight(in_flight).replies(answers());
        let outputs = node.run("thing.together", item).unwrap();
        let expected: Vec<String> = (1..6).map(|number| format!(r#"{{"is":{number}}}"#)).collect();
        assert_eq!(outputs, expected);
        assert_eq!(node.most_open(), most);
    }
    // Three items leave room for one request more.
    let three = nodule_sdk::test(&SERVICE).in_flight(4);
    let three = three.replies((0..9).map(|number| Reply::new(200, "{}").after(number % 4)));
    let item = r#"{"numbers":["1","2","3"]}"#;
    let results = three.call("thing.together", &[item; 3]).unwrap();
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().is_ok_and(|outputs| outputs.len() == 3))
    );
    assert_eq!(three.most_open(), 4);
    assert_eq!(
        node(&[])
            .run("thing.together", r#"{"numbers":[]}"#)
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn pages_may_be_counted_from_0() {
    let node = node(&[r#"{"rows":[{}]}"#, r#"{"rows":[]}"#]);
    node.run("thing.byIndex", r#"{"returnAll":true}"#).unwrap();
    assert_eq!(node.requests(), ["GET /things?page=0", "GET /things?page=1"]);
}

#[test]
fn without_a_credential_requests_go_to_the_first_origin() {
    for (given, taken) in [
        ("", "https://open.example"),
        ("https://given.example/a", "https://given.example/a"),
    ] {
        let node = nodule_sdk::test(&OPEN).base(given).reply(200, "{}");
        assert_eq!(
            node.run("thing.base", "{}").unwrap(),
            [format!(r#"{{"data":"{taken}"}}"#)]
        );
    }
    let nowhere = nodule_sdk::test(&SERVICE).base("").run("thing.part", "{}");
    assert!(
        matches!(nowhere, Err(Failure::InvalidInput(why)) if why.starts_with("base URL: expected an http or https URL"))
    );
}

#[test]
fn a_multipart_body_has_a_part_for_each_value() {
    let (content_type, sent) = typed(
        "thing.multipart",
        r#"{"name":"a&b\r\nü","tags":["x","y"],"lines":[{"sku":"s","n":2}],"on":true}"#,
    );
    let part = |name: &str, value: &str| {
        format!("--nodule-part-0\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = [
        part("name", "a&b\r\nü"),
        part("tags[]", "x"),
        part("tags[]", "y"),
        part("lines[0][sku]", "s"),
        part("lines[0][n]", "2"),
        part("on", "true"),
    ];
    assert_eq!(content_type, "multipart/form-data; boundary=nodule-part-0");
    assert_eq!(
        sent,
        format!("POST /things\n{}--nodule-part-0--\r\n", parts.concat())
    );
}

/// Or whoever sets a value could add a part, or end the form.
#[test]
fn a_boundary_is_none_that_a_value_holds() {
    let forged = "x\r\n--nodule-part-0\r\ncontent-disposition: form-data; name=\"admin\"\r\n\r\n1\r\n--nodule-part-1--";
    let item = format!(r#"{{"name":{}}}"#, serde_json::json!(forged));
    let (content_type, sent) = typed("thing.multipart", &item);
    assert_eq!(content_type, "multipart/form-data; boundary=nodule-part-2");
    assert_eq!(sent.matches("--nodule-part-2").count(), 2);
    // Nor does a name end its quotes, or its line.
    let (_, sent) = typed("thing.multipart", r#"{"lines":[{"sku":"s"}],"tags":["\"\r\n"]}"#);
    assert_eq!(sent.matches("form-data; name=").count(), 2);
}

#[test]
fn a_body_of_bytes_is_the_value_as_it_is() {
    let (content_type, sent) = typed("thing.import", r#"{"id":"1","rows":"a,\"b\"\n1,ü\n","dry":"1"}"#);
    assert_eq!(content_type, "text/csv");
    assert_eq!(sent, "POST /things/1?dry=1\na,\"b\"\n1,ü\n");
}

#[test]
fn values_go_where_the_table_says() {
    let node = node(&["{}"]);
    let item = r#"{"id":"a/b","city":"Ulm","zip":"1","depth":2,"name":"n","dry":"1 2","key":"k"}"#;
    node.run("thing.places", item).unwrap();
    assert_eq!(
        node.requests(),
        [
            "POST /things/a%2Fb?dry=1%202\n{\"name\":\"n\",\"address\":{\"city\":\"Ulm\",\"zip\":\"1\"},\"a\":{\"b\":{\"c\":2}}}"
        ]
    );
    assert!(node.headers()[0].contains(&("idempotency-key".to_owned(), "k".to_owned())));
    assert_eq!(sent("thing.places", r#"{"id":"1"}"#), "POST /things/1\n{}");
    assert_eq!(
        sent("thing.places", r#"{"id":"1","zip":"2"}"#),
        "POST /things/1\n{\"address\":{\"zip\":\"2\"}}"
    );
}

#[test]
fn a_form_has_nested_keys() {
    let item = r#"{"name":"a&b","tags":["x","y"],"lines":[{"sku":"s","n":1},{"sku":"t"}],"on":true}"#;
    assert_eq!(
        sent("thing.form", item),
        "POST /things\nname=a%26b&tags%5B%5D=x&tags%5B%5D=y&lines%5B0%5D%5Bsku%5D=s&lines%5B0%5D%5Bn%5D=1&lines%5B1%5D%5Bsku%5D=t&on=true"
    );
}

#[test]
fn all_conditions_must_hold() {
    for (item, body) in [
        (r#"{"a":"y","b":"1"}"#, r#"{"a":"y","b":"1"}"#),
        (r#"{"a":"x","b":"1"}"#, r#"{"a":"x"}"#),
        (r#"{"b":"1"}"#, "{}"),
        (r#"{"many":["p","q"],"c":"1"}"#, r#"{"many":["p","q"],"c":"1"}"#),
        (r#"{"many":["p"],"c":"1"}"#, r#"{"many":["p"]}"#),
    ] {
        assert_eq!(
            sent("thing.conditions", item),
            format!("POST /things\n{body}"),
            "{item}"
        );
    }
}

#[test]
fn an_offset_goes_on_until_a_page_is_short() {
    let node = node(&[r#"{"rows":[1,2]}"#, r#"{"rows":[3]}"#]);
    let rows = node.run("thing.byOffset", r#"{"returnAll":true}"#).unwrap();
    assert_eq!(rows, [r#"{"data":1}"#, r#"{"data":2}"#, r#"{"data":3}"#]);
    assert_eq!(
        node.requests(),
        ["GET /things?skip=0&top=2", "GET /things?skip=2&top=2"]
    );
}

#[test]
fn a_token_goes_on_past_an_empty_page_until_there_is_none() {
    let node = node(&[
        r#"{"rows":[],"meta":{"next":"t 1"}}"#,
        r#"{"rows":[1],"meta":{"next":7}}"#,
        r#"{"rows":[2],"meta":{"next":""}}"#,
    ]);
    assert_eq!(
        node.run("thing.byToken", r#"{"returnAll":true}"#).unwrap().len(),
        2
    );
    assert_eq!(
        node.requests(),
        ["GET /things", "GET /things?token=t%201", "GET /things?token=7"]
    );
}

#[test]
fn a_total_ends_it_and_so_does_a_page_that_comes_again() {
    let ends = |pages: &[&str]| {
        let node = node(pages);
        let rows = node.run("thing.byTotal", r#"{"returnAll":true}"#).unwrap().len();
        (rows, node.requests().len())
    };
    assert_eq!(ends(&[r#"[{"total":2},1]"#]), (2, 1));
    assert_eq!(ends(&[r#"[{"total":9},1]"#, r#"[{"total":9},1]"#]), (2, 2));
    assert_eq!(ends(&[r#"[{"total":9},1]"#, "[]"]), (2, 2));
}

/// What an item gives before its end, in words: `1 2 @ cursor`; and at its end.
fn in_parts(operation: &str, behind: Option<&str>, answers: &[&str]) -> (Vec<String>, Vec<String>) {
    let node = node(answers);
    let (parts, end) = node.run_in_parts(operation, r#"{"returnAll":true}"#, behind);
    let part = |part: &Part| {
        format!(
            "{} @ {}",
            part.rows.join(" "),
            part.cursor.as_deref().unwrap_or("nowhere")
        )
    };
    (parts.iter().map(part).collect(), end.unwrap())
}

#[test]
fn each_page_is_given_with_the_place_behind_it_and_another_try_goes_on_there() {
    let row = |number: u32| format!(r#"{{"data":{number}}}"#);
    let pages = [r#"{"rows":[1,2]}"#, r#"{"rows":[3,4]}"#, r#"{"rows":[5]}"#];
    let (parts, end) = in_parts("thing.byOffset", None, &pages);
    let expected = [
        format!("{} {} @ 1 2 ", row(1), row(2)),
        format!("{} {} @ 1 4 ", row(3), row(4)),
    ];
    assert_eq!((parts.as_slice(), end), (expected.as_slice(), vec![row(5)]));
    let resumed = in_parts("thing.byOffset", Some("1 4 "), &pages[2..]);
    assert_eq!(resumed, (vec![], vec![row(5)]));
    let (parts, _) = in_parts(
        "thing.byToken",
        None,
        &[
            r#"{"rows":[],"meta":{"next":"t 1"}}"#,
            r#"{"rows":[1],"meta":{"next":7}}"#,
            r#"{"rows":[2]}"#,
        ],
    );
    assert_eq!(
        parts,
        [r#" @ 1 0 "t 1""#.to_owned(), format!("{} @ 1 1 7", row(1))]
    );
    let resumed = node(&[r#"{"rows":[2]}"#]);
    let (_, end) = resumed.run_in_parts("thing.byToken", r#"{"returnAll":true}"#, Some(r#"1 0 "t 1""#));
    assert_eq!(
        (end.unwrap(), resumed.requests()),
        (vec![row(2)], vec!["GET /things?token=t%201".to_owned()])
    );
    let (parts, end) = in_parts(
        "thing.byTotal",
        None,
        &[r#"[{"total":3},1]"#, r#"[{"total":3},1]"#],
    );
    assert_eq!(
        (parts.len(), end.len()),
        (1, 0),
        "a page that comes again is the last"
    );
    for cursor in ["", "1", "1 2", "x 2 ", "1 2 more", "99999999999999999999 2 "] {
        let (_, end) = node(&[]).run_in_parts("thing.byOffset", r#"{"returnAll":true}"#, Some(cursor));
        assert!(matches!(end, Err(Failure::InvalidInput(_))), "{cursor}: {end:?}");
    }
}

#[test]
fn a_function_gives_outputs_while_its_item_goes_on() {
    let answers = ["[1]", "[2]", "[3]", "[4]"];
    let run = |behind| {
        let node = node(&answers[if behind == Some("xx") { 2 } else { 0 }..]);
        let (parts, end) = node.run_in_parts("thing.counts", r#"{"name":"n"}"#, behind);
        (parts.len(), end.unwrap())
    };
    assert_eq!(run(None), (3, vec![r#"{"data":[4]}"#.to_owned()]));
    assert_eq!(run(Some("xx")), (1, vec![r#"{"data":[4]}"#.to_owned()]));
    // Where nobody takes them before, they come with the end.
    let whole = node(&answers).run("thing.counts", r#"{"name":"n"}"#).unwrap();
    assert_eq!(whole.len(), 4);
}

#[test]
fn a_function_of_one_s_own_has_the_item_and_the_client() {
    let node = node(&[r#"{"token":1}"#, "[1]"]);
    assert_eq!(
        node.run("thing.byHand", r#"{"name":"n"}"#).unwrap(),
        [r#"{"data":[1]}"#]
    );
    assert_eq!(
        node.requests(),
        ["GET /things?name=n", "POST /second/n\n{\"token\":1}"]
    );
    let failing = nodule_sdk::test(&SERVICE).reply(503, "");
    let result = failing.run("thing.byHand", r#"{"name":"n"}"#);
    assert!(matches!(result, Err(Failure::Unavailable(_))), "{result:?}");
    // Its items overlap as those of the table do.
    let many = nodule_sdk::test(&SERVICE)
        .replies((0..8).map(|_| Reply::new(200, "{}").after(3)))
        .in_flight(4);
    many.call("thing.byHand", &[r#"{"name":"n"}"#; 4]).unwrap();
    assert_eq!(many.most_open(), 4);
}

#[test]
fn a_code_in_the_body_decides() {
    let run = |reply: Reply| {
        nodule_sdk::test(&SERVICE)
            .replies([reply])
            .run("thing.form", "{}")
    };
    assert!(run(Reply::new(200, r#"{"code":0}"#)).is_ok());
    assert!(run(Reply::new(200, "{}")).is_ok());
    for (body, expected) in [
        (r#"{"code":1001,"error":"who"}"#, "unauthenticated"),
        (r#"{"code":"1029","error":"slow"}"#, "throttled"),
        (r#"{"code":1500,"error":"down"}"#, "unavailable"),
        (r#"{"code":7,"error":"no"}"#, "rejected"),
    ] {
        let found = match run(Reply::new(200, body)) {
            Err(Failure::Unauthenticated(_)) => "unauthenticated",
            Err(Failure::Throttled(_)) => "throttled",
            Err(Failure::Unavailable(_)) => "unavailable",
            Err(Failure::Rejected(_)) => "rejected",
            result => panic!("{result:?}"),
        };
        assert_eq!(found, expected, "{body}");
    }
    let header = run(Reply::new(400, "{}").header("x-throttled", "1"));
    assert!(matches!(header, Err(Failure::Throttled(_))), "{header:?}");
}

#[test]
fn a_value_may_have_several_segments_of_a_path() {
    let node = nodule_sdk::test(&SERVICE).reply(200, "{}");
    let item = r#"{"owner": "a/b", "key": "/c d/e?.txt"}"#;
    node.run("thing.key", item).unwrap();
    assert_eq!(node.requests(), ["GET /files/a%2Fb//c%20d/e%3F.txt"]);
    let refused = node.run("thing.key", r#"{"owner": "a", "key": "b/../c"}"#);
    assert!(matches!(refused, Err(Failure::InvalidParameters(problems)) if problems[0].pointer == "/key"));
    let described = nodule_sdk::describe(&SERVICE).operations;
    let key = described.iter().find(|one| one.name == "key").unwrap();
    assert_eq!(key.request, None);
}

#[test]
fn the_fields_of_a_group_go_where_each_of_them_says() {
    let sent = |item: &str| {
        let node = nodule_sdk::test(&SERVICE).reply(200, "{}");
        node.run("thing.spread", item).unwrap();
        let mut headers = node.headers().remove(0);
        headers.retain(|(name, _)| name.starts_with("x-"));
        let headers: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        (node.requests().remove(0), headers)
    };
    let item = r#"{"options": {"acl": "publicRead", "hold": false, "pays": true, "version": "1/2", "parent": "x", "depth": 3}, "name": "n"}"#;
    let (request, headers) = sent(item);
    assert_eq!(
        request,
        "PUT /things?versionId=1%2F2\n{\"depth\":3,\"name\":\"n\"}"
    );
    assert_eq!(
        headers,
        ["x-acl: public-read", "x-hold: OFF", "x-pays: requester"]
    );
    let (request, headers) = sent(r#"{"options": {"acl": "private", "hold": true, "pays": false}}"#);
    assert_eq!(request, "PUT /things\n{}");
    assert_eq!(headers, ["x-acl: private", "x-hold: ON"]);
    assert_eq!(sent("{}").0, "PUT /things\n{}");
    let refused = nodule_sdk::test(&SERVICE).run(
        "thing.spread",
        r#"{"options": {"acl": "public-read", "hold": 1}}"#,
    );
    assert!(matches!(refused, Err(Failure::InvalidParameters(problems)) if problems.len() == 2));
}

#[test]
fn pages_are_turned_until_there_are_as_many_rows_as_are_wanted() {
    let page = |rows: &str, next: &str| format!(r#"{{"rows":[{rows}],"next":"{next}"}}"#);
    let run = |item: &str| {
        let node = nodule_sdk::test(&SERVICE)
            .reply(200, page("1,2", "b"))
            .reply(200, page("3,4", "c"))
            .reply(200, page("5", ""));
        (
            node.run("thing.limited", item).unwrap().len(),
            node.requests().len(),
        )
    };
    assert_eq!(run("{}"), (3, 2));
    assert_eq!(run(r#"{"limit": 2}"#), (2, 1));
    assert_eq!(run(r#"{"limit": 50}"#), (5, 3));
    assert_eq!(run(r#"{"returnAll": true, "limit": 1}"#), (5, 3));
}

#[test]
fn a_function_has_the_request_of_the_table_settings_and_the_headers_that_it_looks_at() {
    let node = nodule_sdk::test(&SERVICE)
        .settings(r#"{"region": "eu", "site": ""}"#)
        .replies([Reply::new(200, "no JSON").header("x-more", "yes")]);
    assert_eq!(
        node.run("thing.looks", r#"{"id": "a b", "q": "1&2"}"#).unwrap(),
        [r#"{"data":"eu yes"}"#]
    );
    assert_eq!(node.requests(), ["GET /looks/a%20b?kind=2&q=1%262&more"]);
    assert!(nodule_sdk::exports::headers(&SERVICE).contains(&"x-more".to_owned()));
}

#[test]
fn a_code_may_say_more_than_the_status() {
    let run = |body: &str| {
        nodule_sdk::test(&SERVICE)
            .reply(403, body)
            .run("thing.part", "{}")
            .unwrap_err()
    };
    assert!(
        matches!(run(r#"{"code": "1003", "error": "who?"}"#), Failure::Unauthenticated(answer) if answer.message == "who?")
    );
    assert!(matches!(run(r#"{"code": "1005"}"#), Failure::Unavailable(_)));
    assert!(matches!(run(r#"{"code": "1004"}"#), Failure::Rejected(_)));
}

#[test]
fn a_body_says_how_long_to_wait_where_no_header_does() {
    let wait = |reply: Reply| match nodule_sdk::test(&SERVICE)
        .replies([reply])
        .run("thing.form", "{}")
    {
        Err(Failure::Throttled(throttle)) => throttle.retry_after_ms,
        Err(Failure::Unavailable(outage)) => outage.retry_after_ms,
        result => panic!("{result:?}"),
    };
    for (body, expected) in [
        (r#"{"wait":1500}"#, Some(1_500)),
        (r#"{"error":{"wait":"20.7"}}"#, Some(20)),
        (r#"{"wait":99999999999}"#, Some(u32::MAX)),
        (r#"{"wait":-1}"#, None),
        (r#"{"wait":"soon"}"#, None),
        (r#"{"wait":null}"#, None),
        ("no JSON", None),
    ] {
        assert_eq!(wait(Reply::new(429, body)), expected, "{body}");
        assert_eq!(wait(Reply::new(503, body)), expected, "{body}");
    }
    let both = Reply::new(429, r#"{"wait":1500}"#).header("retry-after", "9");
    assert_eq!(wait(both), Some(9_000));
}

#[test]
fn an_output_is_a_part_of_the_answer() {
    for (answer, part) in [
        (r#"{"ok":true,"result":{"id":7}}"#, r#"{"id":7}"#),
        (r#"{"result":[1,2]}"#, r#"{"data":[1,2]}"#),
        (r#"{"result":true}"#, r#"{"data":true}"#),
        (r#"{"other":1}"#, r#"{"other":1}"#),
    ] {
        let node = nodule_sdk::test(&SERVICE).reply(200, answer);
        assert_eq!(node.run("thing.part", "{}").unwrap(), [part], "{answer}");
    }
}

#[test]
fn a_function_takes_a_success_as_it_is_and_the_tables_failure() {
    let run = |reply: Reply| nodule_sdk::test(&SERVICE).replies([reply]).run("thing.raw", "{}");
    assert_eq!(run(Reply::new(200, "no JSON")).unwrap(), [r#"{"bytes":7}"#]);
    assert_eq!(run(Reply::new(204, "")).unwrap(), [r#"{"bytes":0}"#]);
    let failure = run(Reply::new(404, r#"{"error":"gone"}"#)).unwrap_err();
    assert!(matches!(failure, Failure::Rejected(answer) if answer.message == "gone"));
    let failure = run(Reply::new(503, "")).unwrap_err();
    assert!(matches!(failure, Failure::Unavailable(_)));
    let operations = nodule_sdk::describe(&SERVICE).operations;
    let request = |name: &str| {
        operations
            .iter()
            .find(|one| one.name == name)
            .unwrap()
            .request
            .clone()
    };
    assert_eq!(request("raw"), None);
    assert_eq!(request("part").as_deref(), Some("GET /things"));
}

#[test]
fn rows_without_pages_are_items() {
    let run = |answer: &str| node(&[answer]).run("thing.listed", r#"{"list_of_id":7}"#);
    assert_eq!(
        run(r#"{"rows":[{"id":1},2]}"#).unwrap(),
        [r#"{"id":1}"#, r#"{"data":2}"#]
    );
    assert!(matches!(run(r#"{"rows":{}}"#), Err(Failure::Unintelligible(_))));
}

#[test]
fn a_name_is_any_text_and_an_id_is_not() {
    let described = nodule_sdk::describe(&SERVICE);
    let mut parameters = described.parameters.iter();
    let id = parameters.find(|one| one.name == "list_of_id").unwrap();
    assert_eq!(id.id, "thing.listed.listofid");
}
