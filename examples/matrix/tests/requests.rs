//! What the node sends, and what it makes of what comes back.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use matrix::SERVICE;
use nodule_sdk::script::{Reply, Script};
use nodule_sdk::{Failure, Session};

const ROOM: &str = "/_matrix/client/v3/rooms/%21a%3Ab";

fn node() -> Script {
    nodule_sdk::test(&SERVICE)
}

/// The one request of an item.
fn sent(operation: &str, item: &str) -> String {
    let node = node().reply(200, "{}");
    node.run(operation, item).unwrap();
    let mut requests = node.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.remove(0)
}

#[test]
fn each_operation_asks_what_the_specification_says() {
    for (operation, item, request) in [
        (
            "account.me",
            "{}",
            "GET /_matrix/client/v3/account/whoami".to_owned(),
        ),
        (
            "event.get",
            r#"{"roomId":"!a:b","eventId":"$1/2"}"#,
            format!("GET {ROOM}/event/%241%2F2"),
        ),
        (
            "message.getAll",
            r#"{"roomId":"!a:b","otherOptions":{"filter":"{\"types\":[]}"}}"#,
            format!("GET {ROOM}/messages?limit=100&dir=b&filter=%7B%22types%22%3A%5B%5D%7D"),
        ),
        (
            "room.create",
            r#"{"roomName":"Kites","roomAlias":"kites"}"#,
            r#"POST /_matrix/client/v3/createRoom
{"name":"Kites","preset":"public_chat","room_alias_name":"kites"}"#
                .to_owned(),
        ),
        (
            "room.invite",
            r#"{"roomId":"!a:b","userId":"@u:b"}"#,
            format!("POST {ROOM}/invite\n{{\"user_id\":\"@u:b\"}}"),
        ),
        (
            "room.join",
            r##"{"roomIdOrAlias":"#kites:b"}"##,
            "POST /_matrix/client/v3/join/%23kites%3Ab".to_owned(),
        ),
        (
            "room.kick",
            r#"{"roomId":"!a:b","userId":"@u:b","reason":"jokes"}"#,
            format!("POST {ROOM}/kick\n{{\"user_id\":\"@u:b\",\"reason\":\"jokes\"}}"),
        ),
        ("room.leave", r#"{"roomId":"!a:b"}"#, format!("POST {ROOM}/leave")),
        (
            "roomMember.getAll",
            r#"{"roomId":"!a:b","filters":{"notMembership":"leave","membership":""}}"#,
            format!("GET {ROOM}/members?not_membership=leave"),
        ),
    ] {
        assert_eq!(sent(operation, item), request, "{operation}");
    }
}

#[test]
fn a_message_has_the_callers_transaction_id_or_a_new_one() {
    let item = r#"{"roomId":"!a:b","text":"Hi","transactionId":"T/1"}"#;
    assert_eq!(
        sent("message.createOnce", item),
        format!("PUT {ROOM}/send/m.room.message/T%2F1\n{{\"msgtype\":\"m.text\",\"body\":\"Hi\"}}")
    );
    let item = r#"{"roomId":"!a:b","text":"Hi","messageType":"m.notice"}"#;
    let node = node().replies([Reply::new(200, "{}"), Reply::new(200, "{}")]);
    node.call("message.create", &[item, item]).unwrap();
    let requests = node.requests();
    let body = r#"{"msgtype":"m.notice","body":"Hi"}"#;
    let transaction = |request: &str| {
        let rest = request
            .strip_prefix(&format!("PUT {ROOM}/send/m.room.message/"))
            .unwrap();
        rest.strip_suffix(&format!("\n{body}")).unwrap().to_owned()
    };
    let (first, second) = (transaction(&requests[0]), transaction(&requests[1]));
    assert!(
        first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{first}"
    );
    assert_ne!(first, second);
}

#[test]
fn html_has_a_fallback() {
    let item = r#"{"roomId":"!a:b","transactionId":"T","text":"<b>Hi</b>","messageFormat":"org.matrix.custom.html","fallbackText":"Hi"}"#;
    let body =
        r#"{"msgtype":"m.text","body":"Hi","format":"org.matrix.custom.html","formatted_body":"<b>Hi</b>"}"#;
    assert!(sent("message.createOnce", item).ends_with(body));
}

#[test]
fn a_history_goes_on_by_its_tokens_until_there_is_none() {
    let node = node()
        .reply(
            200,
            r#"{"chunk":[{"event_id":"$3"},{"event_id":"$2"}],"start":"s0","end":"t 1"}"#,
        )
        .reply(200, r#"{"chunk":[],"end":"t2"}"#)
        .reply(200, r#"{"chunk":[{"event_id":"$1"}]}"#);
    let rows = node
        .run(
            "message.getAll",
            r#"{"roomId":"!a:b","returnAll":true,"limit":7}"#,
        )
        .unwrap();
    assert_eq!(
        rows,
        [
            r#"{"event_id":"$3"}"#,
            r#"{"event_id":"$2"}"#,
            r#"{"event_id":"$1"}"#
        ]
    );
    assert_eq!(
        node.requests(),
        [
            format!("GET {ROOM}/messages?limit=500&dir=b"),
            format!("GET {ROOM}/messages?limit=500&dir=b&from=t%201"),
            format!("GET {ROOM}/messages?limit=500&dir=b&from=t2"),
        ]
    );
}

#[test]
fn members_are_rows() {
    let node = node().reply(200, r#"{"chunk":[{"state_key":"@a:b"},{"state_key":"@c:b"}]}"#);
    let rows = node.run("roomMember.getAll", r#"{"roomId":"!a:b"}"#).unwrap();
    assert_eq!(rows, [r#"{"state_key":"@a:b"}"#, r#"{"state_key":"@c:b"}"#]);
}

#[test]
fn media_is_uploaded_and_then_sent() {
    let uploaded = |item: &str| {
        let node = node()
            .file("data", "a b.png", "image/png", "bytes")
            .reply(200, r#"{"content_uri":"mxc://b/x"}"#)
            .reply(200, r#"{"event_id":"$1"}"#);
        let outputs = node.transfer("media.upload", item).unwrap();
        assert_eq!(outputs, [r#"{"event_id":"$1"}"#]);
        assert!(node.headers()[0].contains(&("content-type".to_owned(), "image/png".to_owned())));
        node.requests()
    };
    let requests = uploaded(r#"{"roomId":"!a:b"}"#);
    assert_eq!(
        requests[0],
        "POST /_matrix/media/v3/upload?filename=a%20b.png\nbytes"
    );
    assert!(
        requests[1].starts_with(&format!("PUT {ROOM}/send/m.room.message/")),
        "{requests:?}"
    );
    assert!(requests[1].ends_with("\n{\"msgtype\":\"m.image\",\"body\":\"a b.png\",\"url\":\"mxc://b/x\"}"));
    let requests =
        uploaded(r#"{"roomId":"!a:b","mediaType":"file","additionalFields":{"fileName":"é.bin"}}"#);
    assert_eq!(
        requests[0],
        "POST /_matrix/media/v3/upload?filename=%C3%A9.bin\nbytes"
    );
    assert!(requests[1].ends_with("\n{\"msgtype\":\"m.file\",\"body\":\"é.bin\",\"url\":\"mxc://b/x\"}"));
}

#[test]
fn nothing_is_sent_of_what_was_not_uploaded() {
    let node = node().file("data", "a.png", "image/png", "bytes").reply(
        413,
        r#"{"errcode":"M_TOO_LARGE","error":"Upload request body is too large"}"#,
    );
    let failure = node.transfer("media.upload", r#"{"roomId":"!a:b"}"#).unwrap_err();
    assert!(matches!(failure, Failure::Rejected(answer) if answer.code.as_deref() == Some("M_TOO_LARGE")));
    assert_eq!(node.requests().len(), 1);
}

#[test]
fn media_is_downloaded_by_its_uri() {
    let node = node().replies([Reply::new(200, "bytes")
        .header("content-type", "image/png")
        .header("content-disposition", "inline; filename=kite.png")]);
    let item = r#"{"contentUri":"mxc://matrix.org/x/y","binaryPropertyName":"photo"}"#;
    let outputs = node.transfer("media.download", item).unwrap();
    assert_eq!(
        outputs,
        [r#"{"fileName":"kite.png","mediaType":"image/png","size":5}"#]
    );
    assert_eq!(
        node.requests(),
        ["GET /_matrix/client/v1/media/download/matrix.org/x%2Fy"]
    );
    let given = &node.given()[0];
    assert_eq!((given.key.as_str(), &given.bytes[..]), ("photo", &b"bytes"[..]));
}

#[test]
fn what_is_no_content_uri_is_not_asked_for() {
    for uri in ["https://matrix.org/x", "mxc://matrix.org"] {
        let node = node();
        let failure = node
            .transfer("media.download", &format!("{{\"contentUri\":\"{uri}\"}}"))
            .unwrap_err();
        assert!(
            matches!(&failure, Failure::InvalidParameters(problems) if problems[0].pointer == "/contentUri"),
            "{failure:?}"
        );
        assert!(node.requests().is_empty());
    }
}

#[test]
fn failures_have_matrix_words_and_codes() {
    let failure = |reply: Reply| {
        let node = node().replies([reply]);
        node.run("account.me", "{}").unwrap_err()
    };
    let unknown = r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed."}"#;
    match failure(Reply::new(401, unknown)) {
        Failure::Unauthenticated(answer) => {
            assert_eq!(answer.code.as_deref(), Some("M_UNKNOWN_TOKEN"));
            assert_eq!(answer.message, "Invalid access token passed.");
        }
        failure => panic!("{failure:?}"),
    }
    let limited = r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":1234}"#;
    for (reply, expected) in [
        (Reply::new(429, limited), Some(1_234)),
        (Reply::new(429, limited).header("retry-after", "2"), Some(2_000)),
        (Reply::new(429, r#"{"errcode":"M_LIMIT_EXCEEDED"}"#), None),
    ] {
        match failure(reply) {
            Failure::Throttled(throttle) => assert_eq!(throttle.retry_after_ms, expected),
            failure => panic!("{failure:?}"),
        }
    }
    assert!(matches!(failure(Reply::new(502, "")), Failure::Unavailable(_)));
}

#[test]
fn a_form_lists_rooms_by_name_and_members_of_a_room() {
    let node = node()
        .reply(200, r#"{"joined_rooms":["!a:b","!c:b"]}"#)
        .reply(200, r#"{"name":"Kites"}"#)
        .reply(404, r#"{"errcode":"M_NOT_FOUND","error":"Event not found."}"#)
        .reply(200, r#"{"chunk":[{"state_key":"@a:b","content":{"displayname":"Ada"}},{"state_key":"@c:b","content":{}}]}"#);
    let shown = |operation: &str, parameter: &str, form: &str| -> Vec<(String, String)> {
        let page = node.choices(operation, parameter, form, None, None).unwrap();
        page.choices
            .into_iter()
            .map(|choice| (choice.label, choice.value))
            .collect()
    };
    let pair = |label: &str, value: &str| (label.to_owned(), format!("\"{value}\""));
    assert_eq!(
        shown("message.create", "roomId", "{}"),
        [pair("Kites", "!a:b"), pair("!c:b", "!c:b")]
    );
    assert_eq!(
        shown("room.kick", "userId", r#"{"roomId":"!a:b"}"#),
        [pair("Ada", "@a:b"), pair("@c:b", "@c:b")]
    );
    assert_eq!(
        node.requests(),
        [
            "GET /_matrix/client/v3/joined_rooms".to_owned(),
            format!("GET {ROOM}/state/m.room.name"),
            "GET /_matrix/client/v3/rooms/%21c%3Ab/state/m.room.name".to_owned(),
            format!("GET {ROOM}/members?membership=join"),
        ]
    );
}

const SECRET: &str = r#"{"homeserverUrl":"https://api.example","user":"ada","password":"p\"w"}"#;

fn log_in(node: &Script, renewal: Option<&str>) -> Result<Session, Failure> {
    let before = renewal.map(|renewal| Session {
        access: nodule_sdk::Access {
            headers: Vec::new(),
            query: Vec::new(),
        },
        expires_in_s: None,
        renewal: Some(renewal.to_owned()),
    });
    node.log_in(SECRET, before)
}

const LOG_IN: &str = r#"POST /_matrix/client/v3/login
{"type":"m.login.password","identifier":{"type":"m.id.user","user":"ada"},"password":"p\"w","device_id":"NODULE","initial_device_display_name":"Nodule","refresh_token":true}"#;

#[test]
fn a_password_makes_a_session_that_its_refresh_token_renews() {
    let node = node()
        .reply(
            200,
            r#"{"access_token":"A1","refresh_token":"R1","expires_in_ms":300000}"#,
        )
        .reply(
            200,
            r#"{"access_token":"A2","refresh_token":"R2","expires_in_ms":300000}"#,
        );
    let first = log_in(&node, None).unwrap();
    assert_eq!(first.access.headers[0].value, "Bearer A1");
    assert_eq!(
        (first.expires_in_s, first.renewal.as_deref()),
        (Some(240), Some("R1"))
    );
    let second = log_in(&node, first.renewal.as_deref()).unwrap();
    assert_eq!(second.access.headers[0].value, "Bearer A2");
    assert_eq!(second.renewal.as_deref(), Some("R2"));
    let refresh = "POST /_matrix/client/v3/refresh\n{\"refresh_token\":\"R1\"}";
    assert_eq!(node.requests(), [LOG_IN, refresh]);
}

#[test]
fn a_refresh_token_that_is_not_taken_leads_to_another_log_in() {
    let node = node()
        .reply(
            401,
            r#"{"errcode":"M_UNKNOWN_TOKEN","error":"invalid refresh token"}"#,
        )
        .reply(200, r#"{"access_token":"A3"}"#);
    let session = log_in(&node, Some("R1")).unwrap();
    assert_eq!(session.access.headers[0].value, "Bearer A3");
    assert_eq!((session.expires_in_s, session.renewal), (None, None));
    assert_eq!(node.requests()[1], LOG_IN);
}

#[test]
fn a_wrong_password_is_a_matter_of_the_credential() {
    let wrong = r#"{"errcode":"M_FORBIDDEN","error":"Invalid username or password"}"#;
    let failure = log_in(&node().reply(403, wrong), None).unwrap_err();
    assert!(
        matches!(failure, Failure::Unauthenticated(answer) if answer.code.as_deref() == Some("M_FORBIDDEN"))
    );
    let failure = log_in(&node().reply(200, "{}"), None).unwrap_err();
    assert!(matches!(failure, Failure::Unintelligible(_)), "{failure:?}");
}
