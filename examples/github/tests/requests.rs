//! What the node sends, and what it makes of what comes back.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use github::SERVICE;
use nodule_sdk::Failure;
use nodule_sdk::script::{Reply, Script};

fn node() -> Script {
    nodule_sdk::test(&SERVICE)
}

/// The only request of an item that has a success.
fn sent(operation: &str, item: &str) -> String {
    let node = node().reply(200, "{}");
    node.run(operation, item).unwrap();
    assert_eq!(node.requests().len(), 1);
    node.requests().remove(0)
}

#[test]
fn pages_follow_the_link_and_end_where_there_is_none() {
    let link = r#"<https://api.example/repos/o/r/issues?page=2&per_page=100>; rel="next", <https://api.example/repos/o/r/issues?page=9>; rel="last""#;
    let node = node().replies([
        Reply::new(200, r#"[{"number":1}]"#).header("link", link),
        Reply::new(200, r#"[{"number":2}]"#),
    ]);
    let item = r#"{"owner":"o","repository":"r","returnAll":true,"getRepositoryIssuesFilters":{"state":"all","labels":"a b,c"}}"#;
    let issues = node.run("repository.getIssues", item).unwrap();
    assert_eq!(issues, [r#"{"number":1}"#, r#"{"number":2}"#]);
    assert_eq!(
        node.requests(),
        [
            "GET /repos/o/r/issues?per_page=100&labels=a%20b%2Cc&state=all",
            "GET /repos/o/r/issues?page=2&per_page=100"
        ]
    );
    let one_page = r#"{"owner":"o","repository":"r"}"#;
    assert_eq!(
        sent_rows("repository.getIssues", one_page),
        "GET /repos/o/r/issues?per_page=50"
    );
    let ten = r#"{"limit":10,"getUserIssuesFilters":{"since":"2024-02-29T12:00:00+02:00"}}"#;
    assert_eq!(
        sent_rows("user.getUserIssues", ten),
        "GET /issues?per_page=10&since=2024-02-29T12%3A00%3A00%2B02%3A00"
    );
}

fn sent_rows(operation: &str, item: &str) -> String {
    let node = node().reply(200, "[]");
    assert!(node.run(operation, item).unwrap().is_empty());
    node.requests().remove(0)
}

#[test]
fn a_link_that_leads_elsewhere_is_not_followed() {
    let node = node()
        .replies([Reply::new(200, r#"[{"number":1}]"#)
            .header("link", r#"<https://evil.example/repos>; rel="next""#)]);
    let result = node.run(
        "repository.getIssues",
        r#"{"owner":"o","repository":"r","returnAll":true}"#,
    );
    assert!(matches!(result, Err(Failure::Unintelligible(_))), "{result:?}");
    assert_eq!(node.requests().len(), 1);
}

#[test]
fn texts_are_a_list_and_each_is_checked() {
    let item = r#"{"owner":"o","repository":"r","title":"T","labels":["bug","a \"b\""],"milestone":3}"#;
    assert_eq!(
        sent("issue.create", item),
        "POST /repos/o/r/issues\n{\"title\":\"T\",\"labels\":[\"bug\",\"a \\\"b\\\"\"],\"milestone\":3}"
    );
    let item = r#"{"owner":"o","repository":"r","title":"T","labels":["bug",{}]}"#;
    let Err(Failure::InvalidParameters(problems)) = node().run("issue.create", item) else {
        panic!("a problem");
    };
    assert_eq!(problems[0].pointer, "/labels/1");
}

#[test]
fn an_edit_sends_what_is_set_and_clears_what_is_null() {
    let item = r#"{"owner":"o","repository":"r","issueNumber":7,"editFields":{"body":null,"labels":[],"state_reason":"not_planned"}}"#;
    assert_eq!(
        sent("issue.edit", item),
        "PATCH /repos/o/r/issues/7\n{\"body\":null,\"labels\":[],\"state_reason\":\"not_planned\"}"
    );
    let item =
        r#"{"owner":"o","repository":"r","release_id":7,"additionalFields":{"draft":false,"tag_name":"v2"}}"#;
    assert_eq!(
        sent("release.update", item),
        "PATCH /repos/o/r/releases/7\n{\"draft\":false,\"tag_name\":\"v2\"}"
    );
    let nothing = node().run("issue.edit", r#"{"owner":"o","repository":"r","issueNumber":7}"#);
    assert!(
        matches!(nothing, Err(Failure::InvalidParameters(_))),
        "{nothing:?}"
    );
}

#[test]
fn a_403_without_requests_left_is_a_rate_limit_and_another_is_a_refusal() {
    let of = |remaining: &str| {
        let node = node().replies([Reply::new(403, r#"{"message":"no"}"#)
            .header("x-ratelimit-remaining", remaining)
            .header("x-ratelimit-reset", "1751284805")]);
        node.run("issue.get", r#"{"owner":"o","repository":"r","issueNumber":1}"#)
    };
    let Err(Failure::Throttled(throttle)) = of("0") else {
        panic!("a rate limit");
    };
    assert!(
        throttle
            .retry_after_ms
            .is_some_and(|ms| (1..=5_000).contains(&ms))
    );
    assert!(matches!(of("1"), Err(Failure::Rejected(_))));
}

#[test]
fn nothing_as_an_answer_is_an_empty_item() {
    let node = node().reply(204, "");
    let item = r#"{"owner":"o","repository":"r","issueNumber":"1"}"#;
    assert_eq!(node.run("issue.lock", item).unwrap(), ["{}"]);
    assert_eq!(
        node.requests(),
        ["PUT /repos/o/r/issues/1/lock\n{\"lock_reason\":\"resolved\"}"]
    );
}

#[test]
fn an_asset_goes_to_the_origin_for_uploads_as_it_is() {
    let node = node()
        .file("data", "a.bin", "application/zip", "bytes")
        .reply(201, r#"{"id":2}"#);
    let item = r#"{"owner":"o","repository":"r","release_id":1,"name":"a b.zip","label":"A"}"#;
    assert_eq!(
        node.transfer("release.uploadAsset", item).unwrap(),
        [r#"{"id":2}"#]
    );
    assert_eq!(
        node.requests(),
        ["POST https://uploads.github.com/repos/o/r/releases/1/assets?name=a%20b.zip&label=A\nbytes"]
    );
    let content_type = ("content-type".to_owned(), "application/zip".to_owned());
    assert!(node.headers()[0].contains(&content_type));
}

#[test]
fn an_asset_comes_from_where_the_redirect_leads() {
    let url = "https://release-assets.githubusercontent.com/x/1?sig=y";
    let node = node().replies([
        Reply::new(302, "").header("location", url),
        Reply::new(200, "bytes").header("content-disposition", "attachment; filename=a.bin"),
    ]);
    let item = r#"{"owner":"o","repository":"r","assetId":2,"binaryPropertyName":"asset"}"#;
    node.transfer("release.downloadAsset", item).unwrap();
    assert_eq!(
        node.requests(),
        [
            "GET /repos/o/r/releases/assets/2".to_owned(),
            format!("GET {url}")
        ]
    );
    let accept = ("accept".to_owned(), "application/octet-stream".to_owned());
    assert!(node.headers().iter().all(|headers| headers.contains(&accept)));
    let given = &node.given()[0];
    assert_eq!(
        (given.key.as_str(), given.name.as_deref(), &given.bytes[..]),
        ("asset", Some("a.bin"), &b"bytes"[..])
    );
}

#[test]
fn a_file_of_the_item_or_a_text_is_committed_in_base64() {
    let sent = |item: &str| {
        let node = node()
            .file("data", "a.bin", "image/png", [0xff, 0x00])
            .reply(201, "{}");
        node.transfer("file.create", item).unwrap();
        node.requests().remove(0)
    };
    let text = r#"{"owner":"o","repository":"r","filePath":"docs/ä.txt","fileContent":"test","commitMessage":"Add"}"#;
    assert_eq!(
        sent(text),
        "PUT /repos/o/r/contents/docs%2F%C3%A4.txt\n{\"message\":\"Add\",\"content\":\"dGVzdA==\"}"
    );
    let file = r#"{"owner":"o","repository":"r","filePath":"a","binaryData":true,"commitMessage":"Add",
        "additionalParameters":{"committer":{"name":"A","email":"a@b.c"},"branch":{"branch":"x"}}}"#;
    assert_eq!(
        sent(file),
        "PUT /repos/o/r/contents/a\n{\"message\":\"Add\",\"content\":\"/wA=\",\"branch\":\"x\",\"committer\":{\"name\":\"A\",\"email\":\"a@b.c\"}}"
    );
}

#[test]
fn a_change_names_the_digest_of_what_it_replaces() {
    let node = node().reply(200, r#"{"sha":"abc"}"#).reply(200, "{}");
    let item = r#"{"owner":"o","repository":"r","filePath":"a/b","fileContent":"","commitMessage":"E","additionalParameters":{"branch":{"branch":"x/y"}}}"#;
    node.run("file.edit", item).unwrap_err();
    let item = item.replace(r#""fileContent":"""#, r#""fileContent":"c""#);
    node.transfer("file.edit", &item).unwrap();
    assert_eq!(
        node.requests(),
        [
            "GET /repos/o/r/contents/a%2Fb?ref=x%2Fy",
            "PUT /repos/o/r/contents/a%2Fb\n{\"message\":\"E\",\"sha\":\"abc\",\"content\":\"Yw==\",\"branch\":\"x/y\"}"
        ]
    );
    let item = r#"{"owner":"o","repository":"r","filePath":"a","commitMessage":"D"}"#;
    let node = self::node().reply(200, r#"{"sha":"abc"}"#).reply(200, "{}");
    node.run("file.delete", item).unwrap();
    assert_eq!(
        node.requests(),
        [
            "GET /repos/o/r/contents/a",
            "DELETE /repos/o/r/contents/a\n{\"message\":\"D\",\"sha\":\"abc\"}"
        ]
    );
    let folder = self::node().reply(200, "[]").run("file.delete", item);
    assert!(
        matches!(folder, Err(Failure::InvalidParameters(problems)) if problems[0].pointer == "/filePath")
    );
}

#[test]
fn a_file_comes_raw_or_as_github_describes_it() {
    let node = node().reply(200, "content").reply(200, r#"{"sha":"abc"}"#);
    let item =
        r#"{"owner":"o","repository":"r","filePath":"docs/a.md","additionalParameters":{"reference":"v1"}}"#;
    node.transfer("file.get", item).unwrap();
    assert_eq!(node.given()[0].bytes, b"content");
    let accept = |value: &str| ("accept".to_owned(), value.to_owned());
    assert!(node.headers()[0].contains(&accept("application/vnd.github.raw+json")));
    let item = r#"{"owner":"o","repository":"r","filePath":"docs/a.md","asBinaryProperty":false}"#;
    assert_eq!(node.transfer("file.get", item).unwrap(), [r#"{"sha":"abc"}"#]);
    assert!(node.headers()[1].contains(&accept("application/vnd.github+json")));
    assert_eq!(
        node.requests(),
        [
            "GET /repos/o/r/contents/docs%2Fa.md?ref=v1",
            "GET /repos/o/r/contents/docs%2Fa.md"
        ]
    );
}

#[test]
fn a_folder_is_an_item_for_each_entry() {
    let node = node()
        .reply(200, r#"[{"name":"a"},{"name":"b"}]"#)
        .reply(200, r#"{"name":"c"}"#);
    let run = |item: &str| node.run("file.list", item).unwrap();
    assert_eq!(
        run(r#"{"owner":"o","repository":"r"}"#),
        [r#"{"name":"a"}"#, r#"{"name":"b"}"#]
    );
    assert_eq!(
        run(r#"{"owner":"o","repository":"r","filePath":"c/"}"#),
        [r#"{"name":"c"}"#]
    );
    assert_eq!(
        node.requests(),
        ["GET /repos/o/r/contents/", "GET /repos/o/r/contents/c"]
    );
}

#[test]
fn a_review_says_what_it_is_unless_it_is_pending() {
    let item = |more: &str| format!(r#"{{"owner":"o","repository":"r","pullRequestNumber":5{more}}}"#);
    let path = "POST /repos/o/r/pulls/5/reviews";
    for (more, body) in [
        ("", "\n{\"event\":\"APPROVE\"}"),
        (
            r#","event":"requestChanges","body":"No","additionalFields":{"commitId":"c1"}"#,
            "\n{\"body\":\"No\",\"commit_id\":\"c1\",\"event\":\"REQUEST_CHANGES\"}",
        ),
        (
            r#","event":"comment","body":"Hm""#,
            "\n{\"body\":\"Hm\",\"event\":\"COMMENT\"}",
        ),
    ] {
        assert_eq!(sent("review.create", &item(more)), [path, body].concat());
    }
    let pending = sent("review.create", &item(r#","event":"pending","body":"hidden""#));
    assert!(
        !pending.contains("event") && !pending.contains("hidden"),
        "{pending}"
    );
    let refused = node().run("review.create", &item(r#","event":"comment""#));
    assert!(matches!(refused, Err(Failure::InvalidParameters(_))));
    assert_eq!(
        sent("review.update", &item(r#","reviewId":"80","body":"Yes""#)),
        "PUT /repos/o/r/pulls/5/reviews/80\n{\"body\":\"Yes\"}"
    );
}

#[test]
fn a_workflow_is_named_by_its_id_or_its_file() {
    let item = |more: &str| format!(r#"{{"owner":"o","repository":"r","workflowId":"main.yaml"{more}}}"#);
    let path = "/repos/o/r/actions/workflows/main.yaml";
    let inputs = r#","inputs":{"size":"large"}"#;
    assert_eq!(
        sent("workflow.dispatch", &item(inputs)),
        format!("POST {path}/dispatches\n{{\"ref\":\"main\",\"inputs\":{{\"size\":\"large\"}}}}")
    );
    assert_eq!(sent("workflow.getUsage", &item("")), format!("GET {path}/timing"));
    for operation in ["enable", "disable"] {
        let asked = sent(&format!("workflow.{operation}"), &item(""));
        assert_eq!(asked.lines().next(), Some(&*format!("PUT {path}/{operation}")));
    }
}
