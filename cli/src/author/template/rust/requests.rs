//! What the node sends, and what it makes of what comes back. No host and no service is needed for it.

use nodule_sdk::Failure;

use {{crate}}::SERVICE;

#[test]
fn a_thing_is_fetched_by_its_id() {
    let node = nodule_sdk::test(&SERVICE).reply(200, r#"{"id":"A/1"}"#);
    let things = node.run("thing.get", r#"{"thingId":"A/1"}"#).unwrap();
    assert_eq!(things, [r#"{"id":"A/1"}"#]);
    assert_eq!(node.requests(), ["GET /things/A%2F1"]);
}

#[test]
fn what_the_service_says_is_the_failures_message() {
    let node = nodule_sdk::test(&SERVICE).reply(404, r#"{"message":"no such thing"}"#);
    let result = node.run("thing.get", r#"{"thingId":"T0"}"#);
    let Err(Failure::Rejected(answer)) = result else {
        panic!("{result:?}");
    };
    assert!(answer.message.contains("no such thing"), "{answer:?}");
}
