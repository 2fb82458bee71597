//! What the node sends, and what it makes of what comes back.

#![allow(clippy::unwrap_used, reason = "a test that panics fails, which is the point")]

use std::path::Path;

use nodule_sdk::Failure;
use nodule_sdk::prelude::*;
use nodule_sdk::script::{Reply, Script};
use stripe::SERVICE;

fn node() -> Script {
    nodule_sdk::test(&SERVICE)
}

#[test]
fn a_customer_is_a_form_with_nested_keys_and_a_key_of_its_own() {
    let node = node().reply(200, r#"{"id":"cus_1"}"#);
    let item = r#"{"idempotencyKey":"k 1","name":"Zoë & Co","metadata":{"entry":[{"key":"a b","value":"1"},{"key":"c"}]}}"#;
    assert_eq!(node.run("customer.create", item).unwrap(), [r#"{"id":"cus_1"}"#]);
    assert_eq!(
        node.requests(),
        ["POST /v1/customers\nname=Zo%C3%AB%20%26%20Co&metadata%5Ba%20b%5D=1&metadata%5Bc%5D="]
    );
    let headers = node.headers().remove(0);
    let has = |name: &str, value: &str| headers.iter().any(|header| header.0 == name && header.1 == value);
    assert!(has("idempotency-key", "k 1"), "{headers:?}");
    assert!(
        has("content-type", "application/x-www-form-urlencoded"),
        "{headers:?}"
    );
}

#[test]
fn pages_go_on_behind_the_last_customer_until_there_are_no_more() {
    let node = node().replies([
        Reply::new(200, r#"{"has_more":true,"data":[{"id":"cus_1"},{"id":"cus/2"}]}"#),
        Reply::new(200, r#"{"has_more":false,"data":[{"id":"cus_3"}]}"#),
    ]);
    let customers = node
        .run("customer.list", r#"{"returnAll":true,"email":"a@b.c"}"#)
        .unwrap();
    assert_eq!(
        customers,
        [r#"{"id":"cus_1"}"#, r#"{"id":"cus/2"}"#, r#"{"id":"cus_3"}"#]
    );
    assert_eq!(
        node.requests(),
        [
            "GET /v1/customers?limit=100&email=a%40b.c",
            "GET /v1/customers?limit=100&email=a%40b.c&starting_after=cus%2F2"
        ]
    );
}

#[test]
fn without_all_pages_there_is_one_with_the_rows_as_items() {
    let node = node().reply(200, r#"{"has_more":true,"data":[{"id":"cus_1"}]}"#);
    assert_eq!(
        node.run("customer.list", r#"{"limit":1}"#).unwrap(),
        [r#"{"id":"cus_1"}"#]
    );
    assert_eq!(node.requests(), ["GET /v1/customers?limit=1"]);
}

#[test]
fn a_refusal_is_told_in_stripe_s_words() {
    let node = node().replies([Reply::new(
        404,
        r#"{"error":{"type":"invalid_request_error","message":"No such customer: 'cus_0'"}}"#,
    )
    .header("request-id", "req_7")]);
    let Err(Failure::Rejected(answer)) = node.run("customer.get", r#"{"customerId":"cus_0"}"#) else {
        panic!("a refusal");
    };
    assert_eq!(answer.message, "No such customer: 'cus_0'");
    assert_eq!(answer.code.as_deref(), Some("invalid_request_error"));
    assert_eq!(answer.request_id.as_deref(), Some("req_7"));
}

#[test]
fn a_delete_has_no_body() {
    let node = node().reply(200, r#"{"deleted":true}"#);
    node.run("customer.delete", r#"{"customerId":"cus_1"}"#).unwrap();
    assert_eq!(node.requests(), ["DELETE /v1/customers/cus_1"]);
}

/// The node with another table of `customer.create`.
fn with_create(change: impl Fn(Parameter) -> Parameter) -> &'static Service {
    let changed = |operation: &&'static Operation| -> &'static Operation {
        if operation.name != "create" {
            return operation;
        }
        let parameters: Vec<Parameter> = operation.parameters.iter().copied().map(&change).collect();
        Box::leak(Box::new(Operation {
            parameters: parameters.leak(),
            ..**operation
        }))
    };
    let operations: Vec<&'static Operation> = SERVICE.operations.iter().map(changed).collect();
    Box::leak(Box::new(Service {
        operations: operations.leak(),
        ..SERVICE
    }))
}

#[test]
fn without_its_idempotency_key_the_recorded_case_fails_by_name() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let faults = |service| nodule_sdk::cases::faults(service, &cases, &cases.join("customer/create.har"));
    assert_eq!(faults(with_create(|parameter| parameter)), []);
    let without = with_create(|parameter| match parameter.name {
        "idempotencyKey" => parameter.unsent(),
        _ => parameter,
    });
    let faults: Vec<String> = faults(without).iter().map(ToString::to_string).collect();
    let missing = "header `idempotency-key`: recorded `first`, sent nothing";
    assert!(faults.iter().any(|fault| fault.contains(missing)), "{faults:?}");
}

#[test]
fn a_description_that_no_host_accepts_fails_the_recorded_case() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let refused = with_create(|mut parameter| {
        parameter.label = "\u{1b}[31m";
        parameter
    });
    let faults = nodule_sdk::cases::faults(refused, &cases, &cases.join("customer/create.har"));
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(faults[0].contains("the description is refused: "), "{faults:?}");
}
