//! What the node sends, and what it makes of what comes back.

#![allow(clippy::unwrap_used, reason = "a test that panics fails, which is the point")]

use github::SERVICE;
use nodule_sdk::Failure;
use nodule_sdk::script::{Reply, Script};

fn node() -> Script {
    nodule_sdk::test(&SERVICE)
}

#[test]
fn pages_follow_the_link_and_end_where_there_is_none() {
    let link = r#"<https://api.example/repos/o/r/issues?page=2&per_page=100>; rel="next", <https://api.example/repos/o/r/issues?page=9>; rel="last""#;
    let node = node().replies([
        Reply::new(200, r#"[{"number":1}]"#).header("link", link),
        Reply::new(200, r#"[{"number":2}]"#),
    ]);
    let issues = node
        .run("issue.list", r#"{"owner":"o","repo":"r","returnAll":true}"#)
        .unwrap();
    assert_eq!(issues, [r#"{"number":1}"#, r#"{"number":2}"#]);
    assert_eq!(
        node.requests(),
        [
            "GET /repos/o/r/issues?page=1&per_page=100&state=open",
            "GET /repos/o/r/issues?page=2&per_page=100"
        ]
    );
}

#[test]
fn a_link_that_leads_elsewhere_is_not_followed() {
    let node = node()
        .replies([Reply::new(200, r#"[{"number":1}]"#)
            .header("link", r#"<https://evil.example/repos>; rel="next""#)]);
    let result = node.run("issue.list", r#"{"owner":"o","repo":"r","returnAll":true}"#);
    assert!(matches!(result, Err(Failure::Unintelligible(_))), "{result:?}");
    assert_eq!(node.requests().len(), 1);
}

#[test]
fn texts_are_a_list_and_each_is_checked() {
    let node = node().reply(201, r#"{"number":7}"#);
    let item = r#"{"owner":"o","repo":"r","title":"T","labels":["bug","a \"b\""],"milestone":3}"#;
    node.run("issue.create", item).unwrap();
    assert_eq!(
        node.requests(),
        ["POST /repos/o/r/issues\n{\"title\":\"T\",\"labels\":[\"bug\",\"a \\\"b\\\"\"],\"milestone\":3}"]
    );
    let Err(Failure::InvalidParameters(problems)) = node.run(
        "issue.create",
        r#"{"owner":"o","repo":"r","title":"T","labels":["bug",{}]}"#,
    ) else {
        panic!("a problem");
    };
    assert_eq!(problems[0].pointer, "/labels/1");
}

#[test]
fn a_403_without_requests_left_is_a_rate_limit() {
    let node = node().replies([Reply::new(403, r#"{"message":"API rate limit exceeded"}"#)
        .header("x-ratelimit-remaining", "0")
        .header("x-ratelimit-reset", "1751284805")]);
    let item = r#"{"owner":"o","repo":"r","issueNumber":"1"}"#;
    let Err(Failure::Throttled(throttle)) = node.run("issue.get", item) else {
        panic!("a rate limit");
    };
    assert!(
        throttle
            .retry_after_ms
            .is_some_and(|ms| (1..=5_000).contains(&ms))
    );
}

#[test]
fn nothing_as_an_answer_is_an_empty_item() {
    let node = node().reply(204, "");
    let item = r#"{"owner":"o","repo":"r","issueNumber":"1","lockReason":"too heated"}"#;
    assert_eq!(node.run("issue.lock", item).unwrap(), ["{}"]);
    assert_eq!(
        node.requests(),
        ["PUT /repos/o/r/issues/1/lock\n{\"lock_reason\":\"too heated\"}"]
    );
}
