//! What a table says of files, and what becomes of them.

#![cfg(feature = "files")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use nodule_sdk::bindings::exports::workflow::node::files_by_turns::{Content, Given};
use nodule_sdk::prelude::*;
use nodule_sdk::script::Reply;
use nodule_sdk::{Failure, Item, Method, OutputItem, Request, output};

const UPLOAD: Operation = Operation {
    group: "media",
    name: "upload",
    title: "Upload",
    about: "Upload a photo",
    action: "Upload a photo",
    effect: Effect::Write,
    evidence: "every POST makes another one",
    request: post("/photos").multipart(),
    parameters: &[
        text("caption", "Caption"),
        file("photo", "Photo").required().or_text("data").wire("image"),
        file("more", "More"),
    ],
    output: answer(),
};
const PUT: Operation = Operation {
    name: "put",
    effect: Effect::Idempotent,
    request: put("/photos/{name}").file(),
    parameters: &[text("name", "Name").required(), file("photo", "Photo").required()],
    ..UPLOAD
};
const DOWNLOAD: Operation = Operation {
    name: "download",
    effect: Effect::Read,
    request: get("/photos/{name}"),
    parameters: &[text("name", "Name").required(), text("key", "Key").unsent()],
    output: download("key"),
    ..UPLOAD
};
const FOLLOWED: Operation = Operation {
    name: "followed",
    request: get("/photos/{name}").headers(&[("accept", "image/*")]),
    output: download("key").followed(),
    ..DOWNLOAD
};
const WHOLE: Operation = Operation {
    name: "whole",
    output: by(nodule_sdk::run!(whole)),
    ..LINES
};

/// All of a file within an output.
async fn whole(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let bytes = item.read_all(&item.file("photo").unwrap()).await?;
    Ok(vec![output(format!("[{}]", bytes.len()))])
}

const BOTH: Operation = Operation {
    name: "both",
    output: by(nodule_sdk::run!(both)).giving_files(),
    ..LIST
};

/// Two answers as files, with a request between them.
async fn both(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let first = item.client.success(photo("first").keep()).await?;
    item.client.success(photo("seen")).await?;
    let second = item.client.success(photo("second").keep()).await?;
    item.give_kept(0, "first", &first, None);
    item.give_kept(0, "second", &second, None);
    Ok(vec![output("{}".to_owned())])
}

fn photo(name: &str) -> Request {
    Request::new(Method::Get, format!("/photos/{name}"))
}

const LINES: Operation = Operation {
    name: "lines",
    effect: Effect::Read,
    request: get("/none"),
    parameters: &[file("photo", "Photo").required().unsent()],
    output: by(nodule_sdk::run!(lines)).giving_files(),
    ..UPLOAD
};
const LIST: Operation = Operation {
    name: "list",
    effect: Effect::Read,
    request: get("/photos"),
    parameters: &[],
    ..UPLOAD
};

/// Counts the lines of a file by pieces, and gives the first one as a file.
async fn lines(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let file = item.file("photo").unwrap();
    let (mut offset, mut text) = (0, Vec::new());
    loop {
        let piece = item.read(&file, offset, 4).await?;
        if piece.is_empty() {
            break;
        }
        offset += piece.len() as u64;
        text.extend(piece);
    }
    let text = String::from_utf8(text).unwrap();
    let first = text.lines().next().unwrap_or_default().to_owned();
    item.give(
        0,
        Given {
            key: "first".to_owned(),
            file_name: None,
            media_type: None,
            content: Content::Bytes(first.into_bytes()),
        },
    );
    Ok(vec![output(format!("{{\"lines\":{}}}", text.lines().count()))])
}

static PHOTOS: Service = Service {
    name: "photos",
    title: "Photos",
    about: "Photos",
    groups: &[Group {
        name: "media",
        title: "Media",
        about: "Media",
    }],
    operations: &[&UPLOAD, &PUT, &DOWNLOAD, &FOLLOWED, &LINES, &WHOLE, &LIST, &BOTH],
    ..Service::NEW
};

nodule_sdk::export!(PHOTOS, files);

#[test]
fn a_file_is_a_part_behind_the_fields() {
    let node = nodule_sdk::test(&PHOTOS)
        .file("data", "a \"b\".png", "image/png", "bytes")
        .file("other", "o.txt", "text/plain", "more")
        .reply(200, "{}");
    node.transfer("media.upload", r#"{"caption": "Hi", "more": "other"}"#)
        .unwrap();
    let sent = node.sent();
    let content_type = &sent[0]
        .headers
        .iter()
        .find(|field| field.name == "content-type")
        .unwrap()
        .value;
    let boundary = content_type.split_once("boundary=").unwrap().1;
    let part = |head: &str, body: &str| {
        format!("--{boundary}\r\ncontent-disposition: form-data; {head}\r\n\r\n{body}\r\n")
    };
    let expected = [
        part("name=\"caption\"", "Hi"),
        part(
            "name=\"image\"; filename=\"a %22b%22.png\"\r\ncontent-type: image/png",
            "bytes",
        ),
        part(
            "name=\"more\"; filename=\"o.txt\"\r\ncontent-type: text/plain",
            "more",
        ),
        format!("--{boundary}--\r\n"),
    ];
    assert_eq!(
        String::from_utf8_lossy(sent[0].body.as_ref().unwrap()),
        expected.concat()
    );
    // It cannot be guessed: a file that holds it would add a part.
    assert!(boundary.len() > "nodule-part-".len() + 30, "{boundary}");
}

#[test]
fn a_file_is_the_whole_body() {
    let node = nodule_sdk::test(&PHOTOS)
        .file("x", "a.png", "image/png", "bytes")
        .reply(200, "{}");
    node.transfer("media.put", r#"{"name": "n", "photo": "x"}"#)
        .unwrap();
    assert_eq!(node.requests(), ["PUT /photos/n\nbytes"]);
    assert_eq!(
        node.headers()[0],
        [("content-type".to_owned(), "image/png".to_owned())]
    );
}

#[test]
fn the_body_of_an_answer_is_a_file() {
    let reply = Reply::new(200, "photo").header("content-type", "image/png");
    let node = nodule_sdk::test(&PHOTOS)
        .replies([reply.header("content-disposition", "attachment; filename=\"p.png\"")]);
    let outputs = node.transfer("media.download", r#"{"name": "n/1.png"}"#).unwrap();
    assert_eq!(
        outputs,
        [r#"{"fileName":"p.png","mediaType":"image/png","size":5}"#]
    );
    let [given] = &node.given()[..] else {
        panic!("{:?}", node.given())
    };
    assert_eq!(
        (given.output, given.key.as_str(), &given.bytes[..]),
        (0, "data", &b"photo"[..])
    );
    let node = nodule_sdk::test(&PHOTOS).reply(200, "photo");
    node.transfer("media.download", r#"{"name": "n/1.png", "key": "photo"}"#)
        .unwrap();
    assert_eq!(
        (node.given()[0].key.as_str(), node.given()[0].name.as_deref()),
        ("photo", Some("n/1.png"))
    );
    // What is no success is read as ever.
    let node = nodule_sdk::test(&PHOTOS).reply(404, r#"{"message": "gone"}"#);
    let failure = node.transfer("media.download", r#"{"name": "n"}"#).unwrap_err();
    assert!(matches!(failure, Failure::Rejected(answer) if answer.message == "gone"));
}

#[test]
fn a_function_looks_into_a_file_and_gives_another() {
    let node = nodule_sdk::test(&PHOTOS).file("x", "a.txt", "text/plain", "one\ntwo\nthree");
    assert_eq!(
        node.transfer("media.lines", r#"{"photo": "x"}"#).unwrap(),
        [r#"{"lines":3}"#]
    );
    assert_eq!(node.given()[0].bytes, b"one");
}

#[test]
fn a_host_without_files_is_told() {
    let node = nodule_sdk::test(&PHOTOS);
    let failure = node
        .run("media.put", r#"{"name": "n", "photo": "x"}"#)
        .unwrap_err();
    assert!(matches!(failure, Failure::InvalidInput(words) if words.contains("files-by-turns")));
    let node = nodule_sdk::test(&PHOTOS).file("y", "a", "text/plain", "");
    let failure = node
        .transfer("media.put", r#"{"name": "n", "photo": "x"}"#)
        .unwrap_err();
    assert!(matches!(failure, Failure::InvalidParameters(problems) if problems[0].pointer == "/photo"));
}

#[test]
fn a_redirect_of_a_download_is_followed_once_and_takes_no_access_along() {
    let to = |url: &str| Reply::new(302, "").header("location", url);
    let node = nodule_sdk::test(&PHOTOS).replies([
        to("https://files.example/a?sig=x"),
        Reply::new(200, "bytes").header("content-disposition", "attachment; filename=a.png"),
    ]);
    let outputs = node
        .transfer("media.followed", r#"{"name": "1", "key": "photo"}"#)
        .unwrap();
    assert_eq!(outputs, [r#"{"fileName":"a.png","size":5}"#]);
    assert_eq!(
        node.requests(),
        ["GET /photos/1", "GET https://files.example/a?sig=x"]
    );
    let accept = [("accept".to_owned(), "image/*".to_owned())];
    assert_eq!(node.headers(), [accept.clone(), accept]);
    assert_eq!(
        (node.given()[0].key.as_str(), &node.given()[0].bytes[..]),
        ("photo", &b"bytes"[..])
    );

    let straight = nodule_sdk::test(&PHOTOS).reply(200, "bytes");
    let outputs = straight.transfer("media.followed", r#"{"name": "1"}"#).unwrap();
    assert_eq!(outputs, [r#"{"fileName":"1","size":5}"#]);

    let twice =
        nodule_sdk::test(&PHOTOS).replies([to("https://files.example/a"), to("https://files.example/b")]);
    let failure = twice.transfer("media.followed", r#"{"name": "1"}"#).unwrap_err();
    assert!(matches!(failure, Failure::Rejected(answer) if answer.status == 302));
    let nowhere = nodule_sdk::test(&PHOTOS).reply(302, "");
    let failure = nowhere
        .transfer("media.followed", r#"{"name": "1"}"#)
        .unwrap_err();
    assert!(matches!(failure, Failure::Rejected(_)));
}

#[test]
fn a_function_reads_all_of_a_file() {
    let node = nodule_sdk::test(&PHOTOS).file("data", "a", "text/plain", vec![b'x'; 600_000]);
    let outputs = node.transfer("media.whole", r#"{"photo": "data"}"#).unwrap();
    assert_eq!(outputs, [r#"{"data":[600000]}"#]);
}

#[test]
fn an_answer_that_is_kept_stays_while_other_requests_are_sent() {
    let replies = ["one", "between", "two"].map(|body| Reply::new(200, body));
    let node = nodule_sdk::test(&PHOTOS).replies(replies);
    node.transfer("media.both", "{}").unwrap();
    let given: Vec<_> = node
        .given()
        .iter()
        .map(|file| (file.key.clone(), file.bytes.clone()))
        .collect();
    assert_eq!(
        given,
        [
            ("first".to_owned(), b"one".to_vec()),
            ("second".to_owned(), b"two".to_vec())
        ]
    );
}
