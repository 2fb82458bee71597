//! What the node sends, and what it makes of what comes back.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use nodule_sdk::Failure;
use nodule_sdk::script::{Reply, Script};
use redmine::SERVICE;

fn node() -> Script {
    nodule_sdk::test(&SERVICE)
}

/// The one request of an item that is answered with nothing, as Redmine answers PUT and DELETE.
fn sent(operation: &str, item: &str) -> String {
    let node = node().reply(204, "");
    assert_eq!(node.run(operation, item).unwrap(), ["{}"]);
    node.requests().remove(0)
}

fn refused(operation: &str, item: &str) -> Vec<String> {
    let node = node();
    let failure = node.run(operation, item).unwrap_err();
    assert!(node.requests().is_empty());
    let Failure::InvalidParameters(problems) = failure else {
        panic!("{failure:?}");
    };
    problems
        .iter()
        .map(|problem| format!("{}: {}", problem.label, problem.message))
        .collect()
}

#[test]
fn an_issue_stands_in_its_object_and_comes_out_of_it() {
    let node = node().reply(201, r#"{"issue":{"id":7,"subject":"Hi"}}"#);
    let item = r#"{"projectId":"kites","subject":"Hi","trackerId":1,"assignedToId":5,"dueDate":"2025-06-30","watcherUserIds":[5,"6"],
        "uploads":{"upload":[{"token":"7.e","fileName":"a.png"}]}}"#;
    assert_eq!(
        node.run("issue.create", item).unwrap(),
        [r#"{"id":7,"subject":"Hi"}"#]
    );
    let body = r#"{"issue":{"project_id":"kites","subject":"Hi","tracker_id":1,"assigned_to_id":"5","due_date":"2025-06-30","watcher_user_ids":[5,"6"],"uploads":[{"token":"7.e","filename":"a.png"}]}}"#;
    assert_eq!(node.requests(), [format!("POST /issues.json\n{body}")]);
}

#[test]
fn a_field_that_the_form_has_to_have_is_named_before_anything_is_sent() {
    assert_eq!(
        refused("issue.create", r#"{"subject":" ","doneRatio":101}"#),
        [
            "Project: expected an ID, found nothing",
            "Subject: expected a text, found \" \"",
            "% Done: expected a whole number from 0 to 100, found `101`"
        ]
    );
    let time = r#"{"logOn":"project","issueId":"7","hours":1}"#;
    assert_eq!(
        refused("timeEntry.create", time),
        ["Project: expected an ID, found nothing"]
    );
}

#[test]
fn custom_fields_are_rows_of_id_and_value() {
    let item = r#"{"issueId":"7","customFields":{"1":"red","2":180,"7":["Silk"],"8":null}}"#;
    let body = r#"{"issue":{"custom_fields":[{"id":"1","value":"red"},{"id":"2","value":180},{"id":"7","value":["Silk"]},{"id":"8","value":null}]}}"#;
    assert_eq!(sent("issue.update", item), format!("PUT /issues/7.json\n{body}"));
}

#[test]
fn an_update_has_what_is_set_and_null_clears_by_an_empty_text() {
    assert_eq!(
        sent(
            "issue.update",
            r#"{"issueId":"7","assignedToId":null,"statusId":5}"#
        ),
        "PUT /issues/7.json\n{\"issue\":{\"status_id\":5,\"assigned_to_id\":\"\"}}"
    );
    assert!(node().run("issue.update", r#"{"issueId":"7"}"#).is_err());
    assert_eq!(
        sent("timeEntry.update", r#"{"timeEntryId":3,"hours":0.5}"#),
        "PUT /time_entries/3.json\n{\"time_entry\":{\"hours\":0.5}}"
    );
    assert_eq!(
        sent("project.delete", r#"{"projectId":"a/b"}"#),
        "DELETE /projects/a%2Fb.json"
    );
}

#[test]
fn time_is_logged_on_an_issue_or_on_a_project() {
    for (item, on) in [
        (
            r#"{"issueId":"7","projectId":"1","hours":1}"#,
            r#""issue_id":"7""#,
        ),
        (
            r#"{"logOn":"project","issueId":"7","projectId":"1","hours":1}"#,
            r#""project_id":"1""#,
        ),
    ] {
        let node = node().reply(201, r#"{"time_entry":{"id":3}}"#);
        assert_eq!(node.run("timeEntry.create", item).unwrap(), [r#"{"id":3}"#]);
        let body = format!(r#"{{"time_entry":{{{on},"hours":1}}}}"#);
        assert_eq!(node.requests(), [format!("POST /time_entries.json\n{body}")]);
    }
}

#[test]
fn pages_follow_by_their_offset_until_the_total() {
    let page = |from: usize, to: usize| {
        let rows: Vec<String> = (from..to).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        Reply::new(
            200,
            format!(r#"{{"issues":[{}],"total_count":150}}"#, rows.join(",")),
        )
    };
    let node = node().replies([page(0, 100), page(100, 150)]);
    let item = r#"{"returnAll":true,"projectId":"kites","include":["attachments","relations"]}"#;
    assert_eq!(node.run("issue.getAll", item).unwrap().len(), 150);
    let rest = "project_id=kites&status_id=open&include=attachments%2Crelations";
    assert_eq!(
        node.requests(),
        [
            format!("GET /issues.json?offset=0&limit=100&{rest}"),
            format!("GET /issues.json?offset=100&limit=100&{rest}")
        ]
    );
}

#[test]
fn a_part_of_a_list_is_one_request() {
    let node = node().reply(200, r#"{"time_entries":[{"id":3}],"total_count":9}"#);
    let item = r#"{"offset":2,"limit":1,"userId":"me","from":"2025-06-01"}"#;
    assert_eq!(node.run("timeEntry.getAll", item).unwrap(), [r#"{"id":3}"#]);
    assert_eq!(
        node.requests(),
        ["GET /time_entries.json?offset=2&limit=1&user_id=me&from=2025-06-01"]
    );
}

const FIELDS: &str = r#"{"custom_fields":[
    {"id":2,"name":"Wingspan","customized_type":"issue","field_format":"int","multiple":false},
    {"id":7,"name":"Materials","customized_type":"issue","field_format":"list","multiple":true,"possible_values":[{"value":"Silk","label":"Silk"}]},
    {"id":5,"name":"Waterproof","customized_type":"issue","field_format":"bool","multiple":false,"possible_values":[{"value":"1","label":"Yes"},{"value":"0","label":"No"}]},
    {"id":9,"name":"Sponsor","customized_type":"project","field_format":"string","multiple":false}]}"#;

#[test]
fn the_columns_of_an_issue_are_its_custom_fields() {
    let columns = |operation: &str| {
        let node = node().reply(200, FIELDS);
        let columns = node.columns(operation, "customFields", "{}").unwrap();
        assert_eq!(node.requests(), ["GET /custom_fields.json"]);
        columns
            .iter()
            .map(|column| {
                let kind = format!("{:?}", column.kind);
                let kind = kind.split(['(', ' ']).next().unwrap().to_owned();
                format!("{} {} {kind}", column.name, column.display_name)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        columns("issue.create"),
        [
            "2 Wingspan Kind::Integer",
            "7 Materials Kind::ChooseMany",
            "5 Waterproof Kind::Choice"
        ]
    );
    assert_eq!(columns("project.update"), ["9 Sponsor Kind::Text"]);
    assert!(columns("timeEntry.create").is_empty());
}

#[test]
fn members_are_those_of_the_project_of_the_form() {
    let node = node().reply(
        200,
        r#"{"memberships":[{"id":1,"user":{"id":5,"name":"Rita"}},{"id":2,"group":{"id":9,"name":"All"}}],"total_count":2}"#,
    );
    let page = node
        .choices(
            "issue.create",
            "assignedToId",
            r#"{"projectId":"kites"}"#,
            None,
            None,
        )
        .unwrap();
    let shown: Vec<_> = page
        .choices
        .iter()
        .map(|one| (one.label.as_str(), one.value.as_str()))
        .collect();
    assert_eq!(shown, [("Rita", "5")]);
    assert_eq!(page.next, None);
    assert_eq!(
        node.requests(),
        ["GET /projects/kites/memberships.json?offset=0&limit=100"]
    );
}

const UPLOADED: &str = r#"{"upload":{"id":3,"token":"3.ab"}}"#;

fn upload(item: &str, replies: impl IntoIterator<Item = Reply>) -> (Script, Result<Vec<String>, Failure>) {
    let node = node()
        .file("data", "kite ä.png", "image/png", "bytes")
        .replies(replies);
    let result = node.transfer("attachment.upload", item);
    (node, result)
}

#[test]
fn an_upload_is_its_bytes_and_then_its_issue() {
    let (node, result) = upload(
        r#"{"issueId":"7","notes":"See"}"#,
        [Reply::new(201, UPLOADED), Reply::new(204, "")],
    );
    let row = r#"{"id":3,"token":"3.ab","filename":"kite ä.png","content_type":"image/png"}"#;
    assert_eq!(result.unwrap(), [row]);
    assert_eq!(
        node.requests(),
        [
            "POST /uploads.json?filename=kite%20%C3%A4.png\nbytes".to_owned(),
            format!("PUT /issues/7.json\n{{\"issue\":{{\"notes\":\"See\",\"uploads\":[{row}]}}}}")
        ]
    );
    let types: Vec<_> = node
        .headers()
        .into_iter()
        .flatten()
        .filter(|(name, _)| name == "content-type")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(types, ["application/octet-stream", "application/json"]);
}

#[test]
fn without_an_issue_an_upload_is_its_token() {
    let item = r#"{"fileName":"a&b.png","description":"The tree","notes":"of no issue"}"#;
    let (node, result) = upload(item, [Reply::new(201, UPLOADED)]);
    assert_eq!(
        result.unwrap(),
        [
            r#"{"id":3,"token":"3.ab","filename":"a&b.png","content_type":"image/png","description":"The tree"}"#
        ]
    );
    assert_eq!(node.requests(), ["POST /uploads.json?filename=a%26b.png\nbytes"]);
}

#[test]
fn an_upload_that_is_too_large_is_no_update() {
    let refused = r#"{"errors":["This file cannot be uploaded because it exceeds the maximum allowed file size (5 MB)"]}"#;
    let (node, result) = upload(r#"{"issueId":"7"}"#, [Reply::new(422, refused)]);
    assert!(
        matches!(result, Err(Failure::Rejected(answer)) if answer.message.starts_with("This file cannot"))
    );
    assert_eq!(node.requests().len(), 1);
}

const ATTACHMENT: &str = r#"{"attachment":{"id":3,"filename":"kite ä/1.png","content_type":"image/png"}}"#;

#[test]
fn a_download_is_what_is_known_of_it_and_its_bytes() {
    let node = node()
        .reply(200, ATTACHMENT)
        .replies([Reply::new(200, "bytes").header("content-type", "image/png")]);
    let outputs = node
        .transfer(
            "attachment.download",
            r#"{"attachmentId":"3","binaryPropertyName":"photo"}"#,
        )
        .unwrap();
    assert_eq!(
        outputs,
        [r#"{"id":3,"filename":"kite ä/1.png","content_type":"image/png"}"#]
    );
    assert_eq!(
        node.requests(),
        [
            "GET /attachments/3.json",
            "GET /attachments/download/3/kite%20%C3%A4%2F1.png"
        ]
    );
    let given = &node.given()[0];
    assert_eq!((given.key.as_str(), &given.bytes[..]), ("photo", &b"bytes"[..]));
    assert_eq!(given.name.as_deref(), Some("kite ä/1.png"));
    assert_eq!(given.media_type.as_deref(), Some("image/png"));
}

#[test]
fn a_file_that_does_not_come_is_a_failure() {
    let node = node().reply(200, ATTACHMENT).reply(404, "");
    let failure = node
        .transfer("attachment.download", r#"{"attachmentId":"3"}"#)
        .unwrap_err();
    assert!(matches!(failure, Failure::Rejected(answer) if answer.status == 404));
    assert!(node.given().is_empty());
}

#[test]
fn all_that_redmine_says_is_said() {
    let failure = |status, body: &str| {
        let node = node().reply(status, body);
        node.run("issue.create", r#"{"projectId":"1","subject":"x"}"#)
            .unwrap_err()
    };
    let both = r#"{"errors":["Estimated time is invalid","Due date must be greater than start date"]}"#;
    for (status, body, message) in [
        (
            422,
            both,
            "Estimated time is invalid; Due date must be greater than start date",
        ),
        (404, "", "HTTP 404"),
        (403, "", "the credential may lack the permission: HTTP 403"),
    ] {
        let failure = failure(status, body);
        assert!(
            matches!(&failure, Failure::Rejected(answer) if answer.message == message),
            "{failure:?}"
        );
    }
    assert!(matches!(failure(401, ""), Failure::Unauthenticated(_)));
    assert!(matches!(failure(500, ""), Failure::Unavailable(_)));
}
