//! AWS's own vectors: the test suite in `testdata`, and the examples of S3's documentation.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// One case of the suite.
struct Case(PathBuf);

impl Case {
    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }

    /// Method, URL, headers and body of `request.txt`.
    fn request(&self) -> (String, String, Vec<Field>, String) {
        let text = self.text("request.txt");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let line = lines.next().unwrap();
        let (method, rest) = line.split_once(' ').unwrap();
        let (target, _) = rest.rsplit_once(' ').unwrap();
        let mut host = "";
        let mut headers = Vec::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            match name {
                "Host" => host = value,
                _ => headers.push((name.to_owned(), value.to_owned())),
            }
        }
        (
            method.to_owned(),
            format!("https://{host}{target}"),
            headers,
            body.to_owned(),
        )
    }
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aws-sig-v4");
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).map(Case).collect()
}

#[test]
fn the_signatures_are_those_of_awss_test_suite() {
    let cases = cases();
    assert!(cases.len() > 15, "{} cases", cases.len());
    for case in cases {
        let context: serde_json::Value = serde_json::from_str(&case.text("context.json")).unwrap();
        let credentials = &context["credentials"];
        let name = case.0.display();
        assert_eq!(context["timestamp"], "2015-08-30T12:36:00Z", "{name}");
        let with = SigV4 {
            keys: Keys {
                access_key_id: credentials["access_key_id"].as_str().unwrap(),
                secret_access_key: credentials["secret_access_key"].as_str().unwrap(),
                session_token: credentials["token"].as_str(),
            },
            region: context["region"].as_str().unwrap(),
            service: context["service"].as_str().unwrap(),
            seconds: 1_440_938_160,
        };
        let (method, url, headers, body) = case.request();
        let payload = hex(&sha256(body.as_bytes()));
        let mut all = headers.clone();
        set_header(&mut all, "x-amz-date", "20150830T123600Z");
        if let Some(token) = with.keys.session_token {
            set_header(&mut all, "x-amz-security-token", token);
        }
        let (canonical, _) = with.canonical(&method, &Url::split(&url).unwrap(), &all, &payload);
        assert_eq!(canonical, case.text("header-canonical-request.txt"), "{name}");
        let signed = with
            .sign(&method, &url, &headers, Payload::Bytes(body.as_bytes()))
            .unwrap();
        let expected = format!("Signature={}", case.text("header-signature.txt").trim());
        let authorization = &signed.last().unwrap().1;
        assert!(authorization.ends_with(&expected), "{name}: {authorization}");
    }
}

fn s3(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<Field> {
    let signer = SigV4 {
        keys: Keys {
            access_key_id: "AKIAIOSFODNN7EXAMPLE",
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            session_token: None,
        },
        region: "us-east-1",
        service: "s3",
        seconds: 1_369_353_600,
    };
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let headers: Vec<Field> = headers.iter().map(owned).collect();
    let url = format!("https://examplebucket.s3.amazonaws.com{target}");
    signer.sign(method, &url, &headers, Payload::Bytes(body)).unwrap()
}

#[test]
fn the_signatures_are_those_of_s3s_documentation() {
    for (method, target, headers, body, expected) in [
        (
            "GET",
            "/test.txt",
            &[("Range", "bytes=0-9")][..],
            &b""[..],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            &[
                ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/?lifecycle",
            &[],
            b"",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/?max-keys=2&prefix=J",
            &[],
            b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let signed = s3(method, target, headers, body);
        let authorization = &signed.last().unwrap().1;
        assert!(
            authorization.ends_with(&format!("Signature={expected}")),
            "{target}: {authorization}"
        );
    }
}

fn service(service: &str) -> SigV4<'_> {
    SigV4 {
        keys: Keys {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: SECRET,
            session_token: None,
        },
        region: "us-east-1",
        service,
        seconds: 0,
    }
}

/// The example of the documentation: `documents and settings`, as a client sends it.
#[test]
fn s3_takes_the_path_as_it_is_sent_and_others_encode_it_again() {
    let path = "/documents%20and%20settings/a:b";
    assert_eq!(service("s3").path(path), "/documents%20and%20settings/a%3Ab");
    assert_eq!(service("iam").path(path), "/documents%2520and%2520settings/a%3Ab");
}

#[test]
fn s3_is_told_the_digest_of_the_body_or_that_it_is_not_signed() {
    let digest = |payload| {
        let signed = service("s3")
            .sign("PUT", "https://a.example/b", &[], payload)
            .unwrap();
        let header = signed
            .into_iter()
            .find(|(name, _)| name == "x-amz-content-sha256");
        header.unwrap().1
    };
    assert_eq!(digest(Payload::Unsigned), "UNSIGNED-PAYLOAD");
    assert_eq!(digest(Payload::Sha256("abc")), "abc");
    assert_eq!(digest(Payload::Bytes(b"")), hex(&sha256(b"")));
    let other = service("iam")
        .sign("GET", "https://a.example/", &[], Payload::Bytes(b""))
        .unwrap();
    assert!(!other.iter().any(|(name, _)| name == "x-amz-content-sha256"));
}

#[test]
fn an_old_signature_is_replaced() {
    let old = [
        ("Authorization".to_owned(), "old".to_owned()),
        ("X-Amz-Date".to_owned(), "old".to_owned()),
        ("user-agent".to_owned(), "node".to_owned()),
    ];
    let signed = service("iam")
        .sign("GET", "https://a.example/", &old, Payload::Bytes(b""))
        .unwrap();
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["user-agent", "x-amz-date", "authorization"]);
    assert!(
        signed
            .last()
            .unwrap()
            .1
            .contains("SignedHeaders=host;x-amz-date,")
    );
}

#[test]
fn what_cannot_be_signed_is_said_and_the_keys_are_not_shown() {
    for url in ["/things", "ftp://a.example/", "https:///a", ""] {
        assert_eq!(
            service("iam").sign("GET", url, &[], Payload::Unsigned),
            Err(SignError::Url),
            "{url}"
        );
    }
    let late = SigV4 {
        seconds: u64::MAX,
        ..service("iam")
    };
    assert_eq!(
        late.sign("GET", "https://a.example", &[], Payload::Unsigned),
        Err(SignError::Time)
    );
    assert!(!format!("{late:?}").contains(SECRET));
}
