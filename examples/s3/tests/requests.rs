//! What the node sends, and what it makes of what comes back.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use nodule_sdk::exports::sign;
use nodule_sdk::script::{Reply, Script};
use nodule_sdk::{BoundCredential, Draft, DraftBody, Failure, Field, SignedRequest};
use s3::SERVICE;

/// Some more than one part.
const LARGE: usize = 20_000_000;

fn node() -> Script {
    nodule_sdk::test(&SERVICE)
}

fn sent(operation: &str, item: &str) -> String {
    let node = node().reply(200, "");
    node.run(operation, item).unwrap();
    node.requests().remove(0)
}

fn header(node: &Script, name: &str) -> Option<String> {
    let headers = node.headers().remove(0);
    headers
        .into_iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value)
}

#[test]
fn a_key_is_a_path() {
    let item =
        r#"{"bucketName": "kites", "fileKey": "in the rain/é?#%+&.txt", "options": {"versionId": "v/1"}}"#;
    assert_eq!(
        sent("file.delete", item),
        "DELETE /kites/in%20the%20rain/%C3%A9%3F%23%25%2B%26.txt?versionId=v%2F1"
    );
    let node = node().reply(200, "").file("data", "a.txt", "text/plain", "x");
    node.transfer(
        "file.upload",
        r#"{"bucketName": "kites", "additionalFields": {"parentFolderKey": "a b"}}"#,
    )
    .unwrap();
    assert_eq!(node.requests(), ["PUT /kites/a%20b/a.txt\nx"]);
    assert_eq!(header(&node, "content-type").as_deref(), Some("text/plain"));
    let refused = node.run(
        "file.delete",
        r#"{"bucketName": "kites", "fileKey": "../other/a"}"#,
    );
    assert!(matches!(refused, Err(Failure::InvalidParameters(_))));
}

#[test]
fn a_bucket_says_where_it_is_to_be() {
    let body = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                <LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    let sent = |item: &str, settings: &str| {
        let node = node().settings(settings).reply(200, "");
        assert_eq!(node.run("bucket.create", item).unwrap(), [r#"{"success":true}"#]);
        (node.requests().remove(0), header(&node, "x-amz-acl"))
    };
    let (far, home) = (r#"{"region": "eu-central-1"}"#, r#"{"region": "us-east-1"}"#);
    assert_eq!(sent(r#"{"name": "b"}"#, home), ("PUT /b".to_owned(), None));
    assert_eq!(sent(r#"{"name": "b"}"#, far).0, format!("PUT /b\n{body}"));
    let item = r#"{"name": "b", "additionalFields": {"region": "eu-central-1", "acl": "publicReadWrite"}}"#;
    assert_eq!(
        sent(item, home),
        (format!("PUT /b\n{body}"), Some("public-read-write".to_owned()))
    );
}

#[test]
fn a_bucket_may_stand_in_the_hosts_name() {
    let sent = |base: &str, bucket: &str, is_forced: bool| {
        let settings = format!(r#"{{"region": "eu-west-1", "forcePathStyle": {is_forced}}}"#);
        let node = node()
            .base(base)
            .settings(&settings)
            .reply(200, "")
            .reply(200, "");
        node.run(
            "file.delete",
            &format!(r#"{{"bucketName": "{bucket}", "fileKey": "a b/c"}}"#),
        )
        .unwrap();
        node.run("bucket.search", &format!(r#"{{"bucketName": "{bucket}"}}"#))
            .unwrap();
        node.requests()
    };
    let aws = "https://s3.eu-west-1.amazonaws.com";
    for (base, host) in [
        (aws, "https://kites.s3.eu-west-1.amazonaws.com"),
        ("https://s3.amazonaws.com", "https://kites.s3.amazonaws.com"),
        (
            "https://eu-west-1.digitaloceanspaces.com",
            "https://kites.eu-west-1.digitaloceanspaces.com",
        ),
    ] {
        let expected = [
            format!("DELETE {host}/a%20b/c"),
            format!("GET {host}/?list-type=2&max-keys=100"),
        ];
        assert_eq!(sent(base, "kites", false), expected);
    }
    for (base, bucket, is_forced) in [
        (aws, "kites", true),
        (aws, "kites.and.lines", false),
        ("https://s3.us-east-1.amazonaws.com", "kites", false),
        ("https://s3.example.com", "kites", false),
        ("http://s3.eu-west-1.amazonaws.com", "kites", false),
    ] {
        let expected = [
            format!("DELETE /{bucket}/a%20b/c"),
            format!("GET /{bucket}?list-type=2&max-keys=100"),
        ];
        assert_eq!(sent(base, bucket, is_forced), expected, "{base} {bucket}");
    }
    let settings = r#"{"region": "eu-west-1", "forcePathStyle": false}"#;
    let node = node().base(aws).settings(settings).reply(200, "");
    node.run("bucket.getAll", "{}").unwrap();
    assert_eq!(node.requests(), ["GET /"]);
}

#[test]
fn a_copy_names_its_source_in_a_header() {
    let node = node().reply(200, "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>");
    let item = r#"{"sourcePath": "/a/b c%25é.txt?versionId=v1", "destinationPath": "/d/e f", "additionalFields":
        {"storageClass": "onezoneIA", "lockLegalHold": true, "lockRetainUntilDate": "2030-01-01T00:00:00Z", "requesterPays": true}}"#;
    assert_eq!(node.run("file.copy", item).unwrap(), [r#"{"ETag":"\"e\""}"#]);
    assert_eq!(node.requests(), ["PUT /d/e%20f"]);
    for (name, value) in [
        ("x-amz-copy-source", "/a/b%20c%25%C3%A9.txt?versionId=v1"),
        ("x-amz-storage-class", "ONEZONE_IA"),
        ("x-amz-object-lock-legal-hold", "ON"),
        ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
        ("x-amz-request-payer", "requester"),
    ] {
        assert_eq!(header(&node, name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn files_are_what_is_no_folder_on_as_many_pages_as_it_takes() {
    let page = |keys: &[(&str, &str)], next: &str| {
        let row =
            |(key, size): &(&str, &str)| format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>");
        let rows: String = keys.iter().map(row).collect();
        format!(
            "<ListBucketResult><Prefix>p/</Prefix>{rows}<NextContinuationToken>{next}</NextContinuationToken></ListBucketResult>"
        )
    };
    let run = |operation: &str, item: &str| {
        let node = node()
            .reply(200, page(&[("p/", "0"), ("p/a", "1"), ("p/b/", "0")], "n=1"))
            .reply(200, page(&[("p/c", "0"), ("p/d", "2")], ""));
        (node.run(operation, item).unwrap(), node.requests())
    };
    let (rows, requests) = run(
        "file.getAll",
        r#"{"bucketName": "k", "limit": 2, "options": {"folderKey": "p/"}}"#,
    );
    assert_eq!(
        rows,
        [r#"{"Key":"p/a","Size":"1"}"#, r#"{"Key":"p/c","Size":"0"}"#]
    );
    assert_eq!(
        requests,
        [
            "GET /k?delimiter=/&list-type=2&prefix=p%2F",
            "GET /k?delimiter=/&list-type=2&prefix=p%2F&continuation-token=n%3D1"
        ]
    );
    let (rows, _) = run(
        "folder.getAll",
        r#"{"bucketName": "k", "returnAll": true, "options": {"folderKey": "p/", "fetchOwner": true}}"#,
    );
    assert_eq!(rows, [r#"{"Key":"p/b/","Size":"0"}"#]);
    let (_, requests) = run(
        "bucket.search",
        r#"{"bucketName": "k", "limit": 1, "additionalFields": {"startAfter": "p/a"}}"#,
    );
    assert_eq!(requests, ["GET /k?list-type=2&max-keys=1&start-after=p%2Fa"]);
}

#[test]
fn a_folder_goes_page_by_page() {
    let page = |key: &str, next: &str| {
        format!(
            "<ListBucketResult><Contents><Key>{key}</Key></Contents><NextContinuationToken>{next}</NextContinuationToken></ListBucketResult>"
        )
    };
    let deleted = |key: &str| format!("<DeleteResult><Deleted><Key>{key}</Key></Deleted></DeleteResult>");
    let node = node()
        .reply(200, page("f/a&amp;b", "t"))
        .reply(200, deleted("f/a&amp;b"))
        .reply(200, page("f/c", ""))
        .reply(200, deleted("f/c"));
    let outputs = node
        .run("folder.delete", r#"{"bucketName": "k", "folderKey": "f/"}"#)
        .unwrap();
    assert_eq!(outputs, [r#"{"deleted":[{"Key":"f/a&b"},{"Key":"f/c"}]}"#]);
    let requests = node.requests();
    assert_eq!(requests[0], "GET /k?list-type=2&prefix=f%2F");
    let body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>f/a&amp;b</Key></Object></Delete>";
    assert_eq!(requests[1], format!("POST /k?delete\n{body}"));
    assert_eq!(requests[2], "GET /k?list-type=2&prefix=f%2F&continuation-token=t");
    let digests = &node.headers()[1];
    assert!(digests.contains(&(
        "x-amz-checksum-sha256".to_owned(),
        nodule_sdk::sign::base64(&nodule_sdk::sign::sha256(body.as_bytes()))
    )));
}

#[test]
fn what_of_a_folder_stays_is_a_failure() {
    let node = node()
        .reply(200, "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>")
        .reply(200, "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>No</Message></Error></DeleteResult>");
    let failure = node
        .run("folder.delete", r#"{"bucketName": "k", "folderKey": "a"}"#)
        .unwrap_err();
    let Failure::Rejected(answer) = failure else {
        panic!()
    };
    assert_eq!(
        (answer.message.as_str(), answer.code.as_deref()),
        ("`a`: No", Some("AccessDenied"))
    );
}

fn large() -> Script {
    node().file("data", "large.bin", "video/mp4", vec![b'x'; LARGE])
}

const UPLOAD: &str = r#"{"bucketName": "k", "additionalFields": {"acl": "private"}, "tagsUi": {"tagsValues": [{"key": "a b", "value": "c&d"}]}}"#;
const BEGUN: &str = "<InitiateMultipartUploadResult><UploadId>u=1</UploadId></InitiateMultipartUploadResult>";

fn part(tag: &str) -> Reply {
    Reply::new(200, "").header("etag", tag)
}

#[test]
fn a_large_file_goes_in_parts_and_says_at_first_what_its_object_is() {
    let node = large().replies([
        Reply::new(200, BEGUN),
        part("\"1\""),
        part("\"2\""),
        part("\"3\""),
        Reply::new(200, "<CompleteMultipartUploadResult/>"),
    ]);
    assert_eq!(
        node.transfer("file.upload", UPLOAD).unwrap(),
        [r#"{"success":true}"#]
    );
    let requests = node.requests();
    let lines: Vec<&str> = requests
        .iter()
        .map(|request| request.lines().next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "POST /k/large.bin?uploads",
            "PUT /k/large.bin?partNumber=1&uploadId=u%3D1",
            "PUT /k/large.bin?partNumber=2&uploadId=u%3D1",
            "PUT /k/large.bin?partNumber=3&uploadId=u%3D1",
            "POST /k/large.bin?uploadId=u%3D1"
        ]
    );
    let bytes: Vec<usize> = requests[1..4]
        .iter()
        .map(|request| request.split_once('\n').unwrap().1.len())
        .collect();
    assert_eq!(bytes, [8_388_608, 8_388_608, LARGE - 2 * 8_388_608]);
    assert!(
        requests[4].contains("<Part><ETag>\"2\"</ETag><PartNumber>2</PartNumber></Part>"),
        "{}",
        requests[4]
    );
    for (name, value) in [
        ("content-type", "video/mp4"),
        ("x-amz-acl", "private"),
        ("x-amz-tagging", "a%20b=c%26d"),
    ] {
        assert_eq!(header(&node, name).as_deref(), Some(value));
    }
    let of_part = node.headers().remove(1);
    assert!(
        of_part.iter().all(|(name, _)| !name.starts_with("x-amz")),
        "{of_part:?}"
    );
}

#[test]
fn an_upload_in_parts_that_fails_is_aborted_and_says_what_went_wrong() {
    let half_way = Reply::new(
        200,
        "<Error><Code>InternalError</Code><Message>Half-way</Message></Error>",
    );
    let broken = [
        vec![part("1"), Reply::new(503, "<Error><Code>SlowDown</Code></Error>")],
        vec![part("1"), part("2"), part("3"), half_way],
    ];
    for replies in broken {
        let answered = replies.len();
        let node = large().reply(200, BEGUN).replies(replies).reply(500, "");
        let failure = node.transfer("file.upload", UPLOAD).unwrap_err();
        assert_eq!(node.requests().len(), 1 + answered + 1);
        assert_eq!(
            node.requests()[1 + answered],
            "DELETE /k/large.bin?uploadId=u%3D1"
        );
        match failure {
            Failure::Throttled(throttle) => assert_eq!(throttle.answer.code.as_deref(), Some("SlowDown")),
            Failure::Unavailable(outage) => {
                assert!(outage.message.contains("Half-way"), "{}", outage.message);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_upload_without_a_name_is_refused() {
    let item = r#"{"bucketName": "k", "binaryData": false, "fileContent": "x"}"#;
    let Err(Failure::InvalidParameters(problems)) = node().transfer("file.upload", item) else {
        panic!()
    };
    assert_eq!(problems[0].pointer, "/fileName");
}

#[test]
fn a_range_comes_out_as_a_file() {
    let node = node().replies([Reply::new(206, "piece").header("content-type", "a/b")]);
    let item =
        r#"{"bucketName": "k", "fileKey": "a/b c.txt", "range": "bytes=0-4", "binaryPropertyName": "piece"}"#;
    let outputs = node.transfer("file.download", item).unwrap();
    assert_eq!(outputs, [r#"{"fileName":"b c.txt","mediaType":"a/b","size":5}"#]);
    assert_eq!(header(&node, "range").as_deref(), Some("bytes=0-4"));
    assert_eq!(
        (node.given()[0].key.as_str(), &node.given()[0].bytes[..]),
        ("piece", &b"piece"[..])
    );
}

#[test]
fn failures_are_who_has_to_act() {
    let failure = |status, code: &str| {
        let body =
            format!("<Error><Code>{code}</Code><Message>why</Message><RequestId>R</RequestId></Error>");
        node().reply(status, body).run("bucket.getAll", "{}").unwrap_err()
    };
    assert!(
        matches!(failure(403, "SignatureDoesNotMatch"), Failure::Unauthenticated(answer) if answer.message == "why")
    );
    assert!(
        matches!(failure(403, "AccessDenied"), Failure::Rejected(answer) if answer.request_id.as_deref() == Some("R"))
    );
    assert!(matches!(failure(503, "SlowDown"), Failure::Throttled(_)));
    assert!(matches!(failure(400, "RequestTimeout"), Failure::Unavailable(_)));
    assert!(matches!(failure(404, "NoSuchBucket"), Failure::Rejected(_)));
}

fn signed(region: &str, body: DraftBody) -> SignedRequest {
    let credential = BoundCredential {
        name: "s3".to_owned(),
        fields: format!(
            r#"{{"endpoint":"https://s3.example","region":"{region}","accessKeyId":"AKID","secretAccessKey":" s3cr3t ","sessionToken":"t0k3n"}}"#
        ),
    };
    let draft = Draft {
        method: "PUT".to_owned(),
        url: "https://s3.example/k/a%20b".to_owned(),
        headers: vec![Field {
            name: "x-amz-acl".to_owned(),
            value: "private".to_owned(),
        }],
        body,
    };
    sign(&SERVICE, credential, draft).unwrap()
}

fn signed_header(request: &SignedRequest, name: &str) -> String {
    let field = request.headers.iter().find(|field| field.name == name);
    field.map(|field| field.value.clone()).unwrap_or_default()
}

#[test]
fn a_request_is_signed_with_the_digest_of_its_body() {
    let digest = nodule_sdk::bindings::exports::workflow::node::signing::Digest {
        sha256: "d1e57".to_owned(),
        size: 3,
    };
    let request = signed("eu-central-1", DraftBody::Digest(digest));
    assert_eq!(
        (request.url.as_str(), &request.body),
        ("https://s3.example/k/a%20b", &None)
    );
    assert_eq!(signed_header(&request, "x-amz-content-sha256"), "d1e57");
    assert_eq!(signed_header(&request, "x-amz-date"), "20250630T120000Z");
    assert_eq!(signed_header(&request, "x-amz-security-token"), "t0k3n");
    let authorization = signed_header(&request, "authorization");
    let expected = "AWS4-HMAC-SHA256 Credential=AKID/20250630/eu-central-1/s3/aws4_request, \
                    SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=";
    assert!(authorization.starts_with(expected), "{authorization}");
    let unread = signed("us-east-1", DraftBody::Unread(None));
    assert_eq!(signed_header(&unread, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    let empty = nodule_sdk::sign::hex(&nodule_sdk::sign::sha256(b""));
    assert_eq!(
        signed_header(&signed("us-east-1", DraftBody::Empty), "x-amz-content-sha256"),
        empty
    );
}
