//! What the node sends, and what it makes of what comes back.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use nodule_sdk::script::{Reply, Script};
use nodule_sdk::{BoundCredential, Draft, DraftBody, Failure};
use telegram::SERVICE;

fn node() -> Script {
    nodule_sdk::test(&SERVICE)
}

fn signed(url: &str) -> Result<String, Failure> {
    let credential = BoundCredential {
        name: "telegramBotApi".to_owned(),
        fields: r#"{"baseUrl":"https://api.example/","accessToken":"123:A/B"}"#.to_owned(),
    };
    let draft = Draft {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: DraftBody::Unread(Some(7)),
    };
    let signed = nodule_sdk::exports::sign(&SERVICE, credential, draft)?;
    assert_eq!(signed.body, None);
    Ok(signed.url)
}

#[test]
fn the_token_stands_in_the_path() {
    for (url, expected) in [
        ("/sendMessage", "/bot123:A%2FB/sendMessage"),
        ("/getFile?file_id=x", "/bot123:A%2FB/getFile?file_id=x"),
        (
            "/getFile?file_path=photos/file_0.jpg",
            "/file/bot123:A%2FB/photos/file_0.jpg",
        ),
        (
            "/getChat?chat_id=%2FgetFile%3Ffile_path%3D",
            "/bot123:A%2FB/getChat?chat_id=%2FgetFile%3Ffile_path%3D",
        ),
    ] {
        let url = signed(&format!("https://api.example{url}")).unwrap();
        assert_eq!(url, format!("https://api.example{expected}"));
    }
    assert!(signed("https://evil.example/sendMessage").is_err());
}

#[test]
fn the_output_is_the_result() {
    let node = node()
        .reply(200, r#"{"ok":true,"result":{"message_id":7}}"#)
        .reply(200, r#"{"ok":true,"result":true}"#);
    let item = r#"{"chatId":-100,"text":"<b>Hi</b>","parseMode":"HTML","disableNotification":true}"#;
    assert_eq!(
        node.run("message.sendMessage", item).unwrap(),
        [r#"{"message_id":7}"#]
    );
    let item = r#"{"chatId":"@kites","messageId":7}"#;
    assert_eq!(
        node.run("message.deleteMessage", item).unwrap(),
        [r#"{"data":true}"#]
    );
    assert_eq!(
        node.requests(),
        [
            "POST /sendMessage\n{\"chat_id\":\"-100\",\"text\":\"<b>Hi</b>\",\"parse_mode\":\"HTML\",\"disable_notification\":true}",
            "POST /deleteMessage\n{\"chat_id\":\"@kites\",\"message_id\":7}"
        ]
    );
}

#[test]
fn a_photo_is_a_file_or_one_that_telegram_has() {
    let sent = |item: &str| {
        let node = node()
            .file("data", "a.png", "image/png", "bytes")
            .reply(200, r#"{"ok":true,"result":{}}"#);
        node.transfer("message.sendPhoto", item).unwrap();
        node.requests().remove(0)
    };
    let upload = sent(r#"{"chatId":"1","binaryData":true,"file":"hidden"}"#);
    let part = "name=\"photo\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\nbytes\r\n";
    assert!(upload.contains(part), "{upload}");
    assert!(!upload.contains("hidden"), "{upload}");
    let known = sent(r#"{"chatId":"1","file":"AgAC"}"#);
    assert!(known.contains("name=\"photo\"\r\n\r\nAgAC\r\n"), "{known}");
    assert!(!known.contains("bytes"), "{known}");
}

const FILE: &str = r#"{"ok":true,"result":{"file_id":"x","file_path":"photos/file_0.jpg"}}"#;

#[test]
fn a_file_comes_by_two_requests() {
    let node = node().reply(200, FILE).reply(200, "photo");
    let outputs = node.transfer("file.get", r#"{"fileId":"x"}"#).unwrap();
    assert_eq!(outputs, [r#"{"file_id":"x","file_path":"photos/file_0.jpg"}"#]);
    assert_eq!(
        node.requests(),
        [
            "GET /getFile?file_id=x",
            "GET /getFile?file_path=photos/file_0.jpg"
        ]
    );
    let given = &node.given()[0];
    assert_eq!(
        (given.key.as_str(), given.name.as_deref(), &given.bytes[..]),
        ("data", Some("file_0.jpg"), &b"photo"[..])
    );
}

#[test]
fn a_file_that_does_not_come_is_a_failure() {
    let failure = |reply: Reply| {
        let node = node().replies([Reply::new(200, FILE), reply]);
        let failure = node.transfer("file.get", r#"{"fileId":"x"}"#).unwrap_err();
        assert!(node.given().is_empty());
        failure
    };
    assert!(matches!(failure(Reply::new(404, "")), Failure::Rejected(answer) if answer.status == 404));
    assert!(matches!(failure(Reply::new(502, "")), Failure::Unavailable(_)));
    let node = node().reply(200, r#"{"ok":true,"result":{"file_id":"x"}}"#);
    let failure = node.transfer("file.get", r#"{"fileId":"x"}"#).unwrap_err();
    assert!(matches!(failure, Failure::InvalidInput(_)));
}

#[test]
fn a_429_says_how_long_to_wait() {
    let body =
        r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":3}}"#;
    let node = node().replies([Reply::new(429, body).header("retry-after", "3")]);
    let result = node.run("message.sendMessage", r#"{"chatId":"1","text":"Hi"}"#);
    assert!(matches!(result, Err(Failure::Throttled(throttle)) if throttle.retry_after_ms == Some(3_000)));
}
