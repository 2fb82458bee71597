//! Method, target and body of every operation, to the byte: `tests/wire.txt`.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::samples::{largest, smallest};
use super::script::{BASE, call, reply, scripted, sent};
use crate::operations::OPERATIONS;
use nodule_sdk::{Access, Field};

const WIRE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire.txt");
/// The part of the table that new operations come before.
const HOSTILE: &str = "# Hostile values";

#[test]
fn every_operation_sends_what_the_table_of_cases_says() {
    let mut wire = std::fs::read_to_string(WIRE).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        wire = with_missing_cases(&wire);
        std::fs::write(WIRE, &wire).unwrap();
    }
    for (given, expected) in stanzas(&wire) {
        let (operation, item) = given.split_once(' ').unwrap();
        assert_eq!(sent(operation, item), expected, "{given}");
    }
    let missing: Vec<String> = missing(&wire).into_iter().map(|(name, _)| name).collect();
    assert!(
        missing.is_empty(),
        "node/tests/wire.txt has too few cases of {}; `UPDATE=1 make test` writes them",
        missing.join(", ")
    );
}

/// What is given, and what is to be sent for it.
fn stanzas(wire: &str) -> Vec<(&str, String)> {
    wire.split("\n\n")
        .filter_map(|stanza| {
            let mut lines = stanza.lines().filter(|line| !line.starts_with('#'));
            Some((lines.next()?, lines.collect::<Vec<_>>().join("\n")))
        })
        .collect()
}

/// The operations that lack a case, each with those that `UPDATE=1` writes: the smallest item and the largest.
fn missing(wire: &str) -> Vec<(String, Vec<String>)> {
    let mut cases: HashMap<&str, usize> = HashMap::new();
    for (given, _) in stanzas(wire) {
        *cases.entry(given.split_once(' ').unwrap().0).or_default() += 1;
    }
    let mut missing = Vec::new();
    for operation in OPERATIONS {
        let name = format!("{}.{}", operation.group, operation.name);
        let mut items = vec![smallest(operation)];
        if operation.parameters.len() > 1 {
            items.push(largest(operation));
        }
        items.drain(..items.len().min(cases.get(&*name).copied().unwrap_or(0)));
        if !items.is_empty() {
            missing.push((name, items));
        }
    }
    missing
}

fn with_missing_cases(wire: &str) -> String {
    let (before, after) = wire.split_once(HOSTILE).expect("the part of hostile values");
    let mut whole = before.to_owned();
    for (name, items) in missing(wire) {
        for item in items {
            let _ = write!(whole, "{name} {item}\n{}\n\n", sent(&name, &item));
        }
    }
    whole + HOSTILE + after
}

#[test]
fn cases_are_written_for_an_operation_that_has_none_and_for_no_other() {
    let wire = std::fs::read_to_string(WIRE).unwrap();
    let whole = with_missing_cases(&wire);
    assert_eq!(with_missing_cases(&whole), whole);
    for operation in OPERATIONS {
        let name = format!("{}.{}", operation.group, operation.name);
        let is_of = |given: &str| given.split_once(' ').unwrap().0 == name;
        let others: Vec<&str> = whole
            .split_inclusive("\n\n")
            .filter(|stanza| !is_of(stanza))
            .collect();
        let without = others.concat();
        assert_eq!(missing(&without)[0].0, name);
        let again = with_missing_cases(&without);
        assert_eq!(missing(&again), []);
        // What is written is what the node takes and sends.
        for (given, expected) in stanzas(&again) {
            if is_of(given) {
                assert_eq!(sent(&name, given.split_once(' ').unwrap().1), expected);
                assert!(!expected.is_empty(), "{given}");
            }
        }
    }
}

#[test]
fn headers_say_what_is_sent_and_wanted() {
    let headers = |operation: &str, item: &str| {
        let script = scripted([reply(200, "{}")]);
        script
            .execute(call(operation, &[item]))
            .unwrap()
            .remove(0)
            .unwrap();
        let headers = script.headers().remove(0);
        headers
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
    let script = scripted([reply(200, "{}"), reply(200, "{}")]);
    let field = |name: &str, value: &str| Field {
        name: name.into(),
        value: value.into(),
    };
    let mut with_access = call("member.getMember", &[r#"{"cardNo":"M1"}"#]);
    with_access.service.access = Some(Access {
        headers: vec![field("authorization", "token")],
        query: vec![field("k", "a b")],
    });
    script.execute(with_access).unwrap().remove(0).unwrap();
    let mut paged = call("member.getMemberList", &[r#"{"consumerCode":"C1"}"#]);
    paged.service.access = Some(Access {
        headers: Vec::new(),
        query: vec![field("k", "v")],
    });
    script.execute(paged).unwrap().remove(0).unwrap();
    let header = ("authorization".into(), "token".into());
    assert!(script.headers()[0].contains(&header));
    assert_eq!(script.requests()[0], "GET /v1/member/M1?k=a%20b");
    assert_eq!(
        script.requests()[1],
        "GET /v1/member/list/C1?pageNo=1&pageSize=10&k=v"
    );
}

#[test]
fn five_hundred_rows_are_one_request() {
    let row = r#"{"eventKey":"k","eventTime":1700000000000,"customerCode":"C","eventId":"E","tenantId":"T"}"#;
    let item = format!(r#"{{"data":{{"event":[{}]}}}}"#, vec![row; 500].join(","));
    let script = scripted([reply(200, "{}")]);
    script
        .execute(call("consumer.importConsumerEventData", &[&item]))
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(script.requests()[0].matches("\"eventId\":\"E\"").count(), 500);
    assert!(BASE.starts_with("https"));
}
