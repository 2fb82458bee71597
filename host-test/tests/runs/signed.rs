//! Signatures of AWS, checked by a service of the test's own from what arrives on the wire: what is sent is to the byte what was
//! signed.

use nodule::{Credential, Engine, EngineConfig, RunOptions};
use ring::{digest, hmac};
use serde_json::{Value, json};

use crate::hostile;
use crate::server::{Request, Server, answer, ok};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hmac_sha256(key: &[u8], message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

/// Percent-encodes all but the unreserved characters, as AWS says.
fn encoded(bytes: &[u8]) -> String {
    let byte = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    bytes.iter().map(byte).collect()
}

fn decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, more @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(&more[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &more[2..];
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    bytes
}

/// What is between `name=` and the next comma.
fn part<'h>(header: &'h str, name: &str) -> &'h str {
    let rest = header.split_once(&format!("{name}=")).unwrap().1;
    rest.split(',').next().unwrap()
}

/// The signature that a request has to have.
fn expected(request: &Request, service: &str) -> String {
    let method = request.head.split(' ').next().unwrap();
    let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
    let path: Vec<String> = path
        .split('/')
        .map(|segment| match service {
            "s3" => encoded(&decoded(segment)),
            _ => encoded(segment.as_bytes()),
        })
        .collect();
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            format!("{}={}", encoded(&decoded(name)), encoded(&decoded(value)))
        })
        .collect();
    parameters.sort();
    let [authorization] = request.header("authorization")[..] else {
        panic!("expected one signature: {}", request.head);
    };
    let signed = part(authorization, "SignedHeaders");
    let headers: String = signed
        .split(';')
        .map(|name| {
            let values = request.header(name).into_iter();
            let values: Vec<String> = values
                .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            format!("{name}:{}\n", values.join(","))
        })
        .collect();
    let canonical = [
        method,
        &path.join("/"),
        &parameters.join("&"),
        &headers,
        signed,
        &sha256(&request.body),
    ]
    .join("\n");
    let time = request.header("x-amz-date")[0];
    let scope = format!("{}/eu-central-1/{service}/aws4_request", &time[..8]);
    assert!(
        authorization.contains(&format!("Credential=AKIDEXAMPLE/{scope},")),
        "{authorization}"
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        sha256(canonical.as_bytes())
    );
    let key = scope
        .split('/')
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, part| {
            hmac_sha256(&key, part)
        });
    hex(&hmac_sha256(&key, &to_sign))
}

async fn service(name: &'static str) -> Server {
    Server::start(move |request| {
        let [authorization] = request.header("authorization")[..] else {
            return answer("403 Forbidden", &[], "no signature");
        };
        if part(authorization, "Signature") == expected(request, name) {
            ok("signed")
        } else {
            answer("403 Forbidden", &[], "another signature")
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_is_to_the_byte_what_was_signed() {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let component = engine.load_file(hostile("signs")).await.unwrap();
    for name in ["s3", "execute-api"] {
        let server = service(name).await;
        let base = server.origin();
        let mode = json!({"how": "sigv4", "service": name}).to_string();
        let credential = json!({"baseUrl": base, "secret": SECRET, "mode": mode}).to_string();
        let credential = Credential::from_json(component.node(), &credential).unwrap();
        let runner = component.runner().credential(credential).build().unwrap();
        let requests = [
            json!({"url": format!("{base}/")}),
            json!({"url": format!("{base}/a%20b/c%2Fd/%E4%BD%A0:@$&'()*+,;=!")}),
            json!({"url": format!("{base}/list?prefix=b&prefix=a&empty=&none&q=%20%2F%2B+x:y&A=1&a=2")}),
            json!({"url": format!("{base}/things"), "method": "POST", "body": "{\"a\": 1.50}",
                "headers": [["content-type", "application/json"], ["x-two", "b", 2], ["x-amz-meta-b", "a   b"], ["x-two", "a"]]}),
        ];
        let sent = requests.len();
        let results = runner
            .execute(
                "things",
                "read",
                vec![json!({"requests": requests})],
                &RunOptions::default(),
            )
            .await
            .unwrap();
        for output in results.into_iter().next().unwrap().unwrap() {
            let output: Value = serde_json::from_str(output.get()).unwrap();
            assert_eq!(output["body"], "signed", "{name}: {output}");
        }
        assert_eq!(server.take().len(), sent);
        // The test of the credential is signed as well.
        runner.check_credential().await.unwrap();
        assert_eq!(server.take()[0].target(), "/test");
    }
}
