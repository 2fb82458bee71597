//! Method, target and body of every operation, to the byte: `tests/wire.txt`.

use std::collections::HashMap;

use super::script::{BASE, Script, block_on, call, reply, sent};
use crate::bindings::exports::workflow::node::types::{Access, Field};
use crate::execute::execute;
use crate::operations::OPERATIONS;

const WIRE: &str = include_str!("../../tests/wire.txt");

#[test]
fn every_operation_sends_what_the_table_of_cases_says() {
    let mut cases: HashMap<String, usize> = HashMap::new();
    for stanza in WIRE.split("\n\n") {
        let stanza: Vec<&str> = stanza.lines().filter(|line| !line.starts_with('#')).collect();
        let Some((given, expected)) = stanza.split_first() else {
            continue;
        };
        let (operation, item) = given.split_once(' ').unwrap();
        assert_eq!(sent(operation, item), expected.join("\n"), "{given}");
        *cases.entry(operation.to_owned()).or_default() += 1;
    }
    for operation in OPERATIONS {
        let name = format!("{}.{}", operation.group.name(), operation.name);
        let wanted = if operation.parameters.len() > 1 { 2 } else { 1 };
        assert!(
            cases.get(&name).is_some_and(|count| *count >= wanted),
            "tests/wire.txt has too few cases of {name}"
        );
    }
}

#[test]
fn headers_say_what_is_sent_and_wanted() {
    let headers = |operation: &str, item: &str| {
        let script = Script::new([reply(200, "{}")]);
        block_on(execute(&script, call(operation, &[item])))
            .unwrap()
            .remove(0)
            .unwrap();
        let request = script.sent.borrow_mut().remove(0);
        assert_eq!(request.headers, []);
        request
            .usual_headers()
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect::<Vec<_>>()
    };
    let agent = concat!("user-agent: socialhub-node/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        headers("member.getMember", r#"{"cardNo":"M1"}"#),
        ["accept: application/json", agent]
    );
    assert_eq!(
        headers("consumer.updateConsumer", r#"{"consumerCode":"C1","name":"Li"}"#),
        [
            "accept: application/json",
            agent,
            "content-type: application/json"
        ]
    );
    // A POST without a body names no content type either.
    assert_eq!(
        headers("order.getTransactionDetail", r#"{"orderCode":"T1"}"#),
        ["accept: application/json", agent]
    );
}

#[test]
fn a_session_is_added_where_the_host_gives_one() {
    let script = Script::new([reply(200, "{}"), reply(200, "{}")]);
    let field = |name: &str, value: &str| Field {
        name: name.into(),
        value: value.into(),
    };
    let mut with_access = call("member.getMember", &[r#"{"cardNo":"M1"}"#]);
    with_access.access = Some(Access {
        headers: vec![field("authorization", "token")],
        query: vec![field("k", "a b")],
    });
    block_on(execute(&script, with_access))
        .unwrap()
        .remove(0)
        .unwrap();
    let mut paged = call("member.getMemberList", &[r#"{"consumerCode":"C1"}"#]);
    paged.access = Some(Access {
        headers: Vec::new(),
        query: vec![field("k", "v")],
    });
    block_on(execute(&script, paged)).unwrap().remove(0).unwrap();
    let header = ("authorization".into(), "token".into());
    assert!(script.sent.borrow()[0].headers.contains(&header));
    assert_eq!(script.lines()[0], "GET /v1/member/M1?k=a%20b");
    assert_eq!(
        script.lines()[1],
        "GET /v1/member/list/C1?pageNo=1&pageSize=10&k=v"
    );
}

#[test]
fn five_hundred_rows_are_one_request() {
    let row = r#"{"eventKey":"k","eventTime":1700000000000,"customerCode":"C","eventId":"E","tenantId":"T"}"#;
    let item = format!(r#"{{"data":{{"event":[{}]}}}}"#, vec![row; 500].join(","));
    let script = Script::new([reply(200, "{}")]);
    block_on(execute(
        &script,
        call("consumer.importConsumerEventData", &[&item]),
    ))
    .unwrap()
    .remove(0)
    .unwrap();
    assert_eq!(script.lines()[0].matches("\"eventId\":\"E\"").count(), 500);
    assert!(BASE.starts_with("https"));
}
