//! A service that answers in XML: the same pointers as with JSON.
#![cfg(feature = "xml")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use nodule_sdk::Failure;
use nodule_sdk::prelude::*;

const LIST: Operation = Operation {
    group: "object",
    name: "list",
    title: "List Objects",
    about: "List objects",
    action: "List objects",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/objects"),
    parameters: &[RETURN_ALL],
    output: pages("/List/Contents", cursor("after", "/List/Next")),
};

const COPY: Operation = Operation {
    name: "copy",
    effect: Effect::Idempotent,
    request: put("/copy"),
    parameters: &[],
    output: answer_at("/CopyResult"),
    ..LIST
};

static SERVICE: Service = Service {
    name: "store",
    title: "Store",
    about: "Objects",
    groups: &[Group {
        name: "object",
        title: "Object",
        about: "Objects",
    }],
    reads: Some(xml(&["Contents"])),
    errors: errors(&["/Error/Message"])
        .code(&["/Error/Code"])
        .request_id(&["/Error/RequestId"])
        .by_code(Codes::NEW),
    operations: &[&LIST, &COPY],
    ..Service::NEW
};

fn failure(status: u16, body: &str) -> Failure {
    let node = nodule_sdk::test(&SERVICE).reply(status, body);
    node.run("object.copy", "{}").unwrap_err()
}

#[test]
fn rows_and_cursors_are_found_in_xml() {
    let node = nodule_sdk::test(&SERVICE)
        .reply(
            200,
            "<?xml version=\"1.0\"?>\n<List xmlns=\"u\"><Next>b &amp; c</Next><Contents><Key>a</Key></Contents></List>",
        )
        .reply(200, "<List><Contents><Key>d</Key></Contents><Contents><Key>e</Key></Contents></List>");
    let rows = node.run("object.list", r#"{"returnAll": true}"#).unwrap();
    assert_eq!(rows, [r#"{"Key":"a"}"#, r#"{"Key":"d"}"#, r#"{"Key":"e"}"#]);
    assert_eq!(node.requests()[1], "GET /objects?after=b%20%26%20c");
    let empty = nodule_sdk::test(&SERVICE).reply(200, "<List/>");
    assert!(empty.run("object.list", "{}").unwrap().is_empty());
}

#[test]
fn a_part_of_an_answer_and_an_empty_one_are_outputs() {
    let run = |status, body: &str| {
        nodule_sdk::test(&SERVICE)
            .reply(status, body)
            .run("object.copy", "{}")
            .unwrap()
    };
    assert_eq!(
        run(200, "<CopyResult><ETag>\"1\"</ETag></CopyResult>"),
        [r#"{"ETag":"\"1\""}"#]
    );
    assert_eq!(run(204, ""), ["{}"]);
}

#[test]
fn a_failure_is_told_in_xml() {
    let error =
        "<Error><Code>NoSuchKey</Code><Message>It is not there</Message><RequestId>R1</RequestId></Error>";
    // A status 200 may begin an answer that fails half-way.
    for status in [404, 200] {
        let Failure::Rejected(answer) = failure(status, error) else {
            panic!("{status}");
        };
        assert_eq!(answer.message, "It is not there");
        assert_eq!(answer.code.as_deref(), Some("NoSuchKey"));
        assert_eq!(answer.request_id.as_deref(), Some("R1"));
    }
}

#[test]
fn what_is_no_xml_is_shown() {
    let page = "<!DOCTYPE html><html>\n<br>Bad Gateway</html>";
    let Failure::Unavailable(outage) = failure(502, page) else {
        panic!()
    };
    assert!(outage.message.contains("<br>Bad Gateway"), "{}", outage.message);
    let Failure::Unintelligible(answer) = failure(200, page) else {
        panic!()
    };
    assert!(
        answer.message.starts_with("expected XML, found `<!DOCTYPE html>"),
        "{}",
        answer.message
    );
}
