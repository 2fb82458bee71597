//! Texts that never reach a file.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{super::Error, *};

const SECRET: &str = "demo-secret-0123456789";
const TOKEN: &str = "eyJhbGciOi.token.0123456789";

fn authentication(body: &str, content_type: &str) -> Exchange {
    let mut request = request(
        "POST",
        "v1/token?appid=a1&secret=hush",
        &format!("{{\"appSecret\":\"{SECRET}\"}}"),
    );
    request
        .headers
        .push(("authorization".to_owned(), format!("Basic {SECRET}")));
    request
        .headers
        .push(("x-note".to_owned(), format!("with {SECRET} in it")));
    let mut outcome = answer(body.to_owned());
    if let Outcome::Answer(answer) = &mut outcome {
        answer.headers = vec![
            ("content-type".to_owned(), content_type.to_owned()),
            ("Set-Cookie".to_owned(), format!("s={TOKEN}")),
            ("X-Session".to_owned(), TOKEN.to_owned()),
        ];
    }
    exchange(Role::Authentication, None, request, outcome)
}

fn concealed(body: &str, content_type: &str, secrets: &[&str]) -> String {
    let recorder = Recorder::new(meta(), ["X-Session"]);
    recorder.push(authentication(body, content_type));
    recorder.add_secrets(secrets.iter().copied());
    let recording = recorder.finish(Vec::new()).unwrap();
    super::body(&recording.exchanges()[0].outcome).to_owned()
}

#[test]
fn headers_with_credentials_are_never_kept() {
    let recorder = Recorder::new(meta(), ["X-Session"]);
    let mut operation = authentication("{}", "application/json");
    operation.role = Role::Operation;
    for name in ["Cookie", "Proxy-Authorization", "X-API-Key"] {
        operation
            .request
            .headers
            .push((name.to_owned(), SECRET.to_owned()));
    }
    recorder.push(operation);
    let recording = recorder.finish(Vec::new()).unwrap();
    let exchange = &recording.exchanges()[0];
    let names: Vec<&str> = exchange
        .request
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["content-type", "x-note"]);
    let Outcome::Answer(answer) = &exchange.outcome else {
        panic!("answer")
    };
    assert_eq!(answer.headers.len(), 1);
}

#[test]
fn an_authentication_is_recorded_with_placeholders() {
    let recorder = Recorder::new(meta(), ["X-Session"]);
    let answer = format!(
        r#"{{"code":"200","data":{{"accessToken":"{TOKEN}","refreshToken":"r-1","tokenType":"Bearer","expiresTime":"1767229200","greeting":"use {TOKEN} now"}}}}"#
    );
    recorder.push(authentication(&answer, "application/json"));
    recorder.push(authentication(&answer.replace("r-1", "r-2"), "application/json"));
    recorder.add_secrets([SECRET.to_owned(), format!("Bearer {TOKEN}"), String::new()]);
    assert!(!format!("{recorder:?}").contains(SECRET));

    let recording = recorder.finish(Vec::new()).unwrap();
    let [first, second] = recording.exchanges() else {
        panic!("two")
    };
    assert_eq!(first.request.body, "redacted");
    assert_eq!(first.request.url.query(), Some("appid=redacted&secret=redacted"));
    assert_eq!(
        super::body(&first.outcome),
        r#"{"code":"200","data":{"accessToken":"redacted-3","refreshToken":"redacted-4","tokenType":"Bearer","expiresTime":"1767229200","greeting":"use redacted-3 now"}}"#
            .replace("redacted-3", "redacted-2")
            .replace("redacted-4", "redacted-3")
    );
    assert!(
        super::body(&second.outcome).contains(r#""accessToken":"redacted-2","refreshToken":"redacted-4""#)
    );
    for secret in [SECRET, TOKEN, "hush", "r-1"] {
        assert!(!recording.contains(|text| text.contains(secret)), "{secret}");
    }
}

#[test]
fn answers_of_any_shape_lose_their_secrets_and_keep_the_rest() {
    let rows = [
        // Named by the caller: a short secret as a whole value, a long one also as a part, within a JSON renewal, as
        // digits.
        (
            r#"{"a":"k1","b":"say k1"}"#,
            "application/json",
            "k1",
            r#"{"a":"redacted-1","b":"say k1"}"#,
        ),
        (
            r#"["x-demo-secret-0123456789-y"]"#,
            "application/json",
            SECRET,
            r#"["x-redacted-1-y"]"#,
        ),
        (
            r#"{"a":"refresh-me-please"}"#,
            "",
            r#"{"r":"refresh-me-please","at":"2026-01-05T09:00:00Z"}"#,
            r#"{"a":"redacted-1"}"#,
        ),
        (
            r#"{"at":"2026-01-05T09:00:00Z"}"#,
            "",
            r#"{"at":"2026-01-05T09:00:00Z"}"#,
            r#"{"at":"2026-01-05T09:00:00Z"}"#,
        ),
        (r#"{"pin":12345678}"#, "", "12345678", r#"{"pin":0}"#),
        // Named by the response.
        (
            r#"{"id_token":"a.b","n":1.0}"#,
            "",
            "",
            r#"{"id_token":"redacted-1","n":1.0}"#,
        ),
        (
            r#"{"token":{"value":"v","type":"Bearer","list":["w"]}}"#,
            "",
            "",
            r#"{"token":{"value":"redacted-1","type":"Bearer","list":["redacted-2"]}}"#,
        ),
        (
            r#"{"tokenExpireTime":"2026-01-05 09:00","token_type":"mac"}"#,
            "",
            "",
            r#"{"tokenExpireTime":"2026-01-05 09:00","token_type":"mac"}"#,
        ),
        // Unchanged to the byte if there is nothing to hide.
        ("{ \"code\" : \"401\" }", "", SECRET, "{ \"code\" : \"401\" }"),
        // A form, and a body that cannot be judged.
        (
            "access_token=abc&token_type=bearer",
            "application/x-www-form-urlencoded",
            "",
            "access_token=redacted-1&token_type=bearer",
        ),
        ("anything at all", "text/plain", "", "redacted"),
        ("{\"accessToken\":\"cut o", "application/json", "", "redacted"),
    ];
    for (body, content_type, secret, expected) in rows {
        assert_eq!(concealed(body, content_type, &[secret]), expected, "{body}");
    }
}

#[test]
fn an_error_page_of_an_authentication_stays_readable() {
    let mut failed = authentication(&format!("<p>no such app: {SECRET}</p>"), "text/html");
    if let Outcome::Answer(answer) = &mut failed.outcome {
        answer.status = StatusCode::BAD_GATEWAY;
    }
    let recorder = Recorder::new(meta(), []);
    recorder.add_secrets([SECRET]);
    recorder.push(failed);
    let recording = recorder.finish(Vec::new()).unwrap();
    assert!(super::body(&recording.exchanges()[0].outcome).starts_with("<p>no such app: redacted-"));
}

#[test]
fn the_user_in_an_address_is_not_written() {
    let mut with_user = request("GET", "a", "");
    with_user.url = Url::parse("http://me:hush@127.0.0.1:8080/crm/a").unwrap();
    let mut meta = meta();
    meta.base_url = Url::parse("http://me:hush@127.0.0.1:8080/crm/").unwrap();
    let recorder = Recorder::new(meta, []);
    recorder.push(operation(with_user, ""));
    let recording = recorder.finish(vec![item(json!({}))]).unwrap();
    assert!(!recording.to_json().contains("hush"));
}

/// A recording with a secret in every position.
fn leaky() -> Recording {
    let mut request = request(
        "POST",
        &format!("v1/{SECRET}?q={SECRET}"),
        &format!("{{\"a\":\"{SECRET}\"}}"),
    );
    request.headers.push(("x-echo".to_owned(), SECRET.to_owned()));
    let recorder = Recorder::new(meta(), []);
    recorder.push(exchange(Role::Operation, Some(0), request, answer(SECRET)));
    let mut binary = vec![0xff, 0xfe];
    binary.extend_from_slice(SECRET.as_bytes());
    recorder.push(exchange(
        Role::Operation,
        Some(0),
        self::request("GET", "b", ""),
        answer(binary),
    ));
    let mut parameters = json!({"a": [SECRET], "n": 424_242});
    parameters.as_object_mut().unwrap().insert(SECRET, 1);
    recorder.finish(vec![item(parameters)]).unwrap()
}

#[test]
fn every_text_can_be_redacted() {
    let mut recording = leaky();
    let is_secret = |text: &str| text.contains(SECRET) || text == "424242";
    assert!(recording.contains(is_secret));
    recording
        .map_strings(|text| match text {
            "424242" => Cow::Borrowed("[redacted]"),
            _ if text.contains(SECRET) => Cow::Owned(text.replace(SECRET, "[redacted]")),
            _ => Cow::Borrowed(text),
        })
        .unwrap();
    assert!(!recording.contains(is_secret));
    assert!(!recording.to_json().contains(SECRET));
    let base64 = STANDARD.encode(&SECRET[1..]);
    assert!(!recording.to_json().contains(&base64[..16]));
    assert_eq!(
        recording.case().unwrap().items[0].parameters["a"],
        json!(["[redacted]"])
    );
    assert_eq!(recording.exchanges()[0].request.url.query(), Some("q=[redacted]"));
    assert!(
        super::body(&recording.exchanges()[1].outcome).ends_with("[redacted]"),
        "also within base64"
    );
}

#[test]
fn each_place_of_a_secret_alone_is_found() {
    let text = leaky().to_json();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    for pointer in [
        "/log/entries/0/request/url",
        "/log/entries/0/request/headers/1/value",
        "/log/entries/0/request/queryString/0/value",
        "/log/entries/0/request/postData/text",
        "/log/entries/0/response/content/text",
        "/log/entries/1/response/content/text",
        "/log/_case/items/0/a/0",
    ] {
        let value = document.pointer(pointer).unwrap().as_str().unwrap();
        let only =
            json!({"log": {"entries": [], "_x": {"text": value, "encoding": "base64", "plain": value}}});
        let recording = Recording::from_json(only.to_string().as_bytes(), "x").unwrap();
        assert!(recording.contains(|text| text.contains(SECRET)), "{pointer}");
    }
}

#[test]
fn what_still_holds_a_secret_is_not_saved() {
    let path = std::env::temp_dir().join(format!("nodule-recording-leak-{}.har", std::process::id()));
    let error = leaky().save(&path, |text| text.contains(SECRET)).unwrap_err();
    assert!(matches!(error, Error::Secret { .. }));
    assert!(error.hint().is_some());
    assert!(!path.exists());
}

#[test]
fn a_redaction_that_breaks_the_recording_changes_nothing() {
    let mut recording = leaky();
    let before = recording.to_json();
    let error = recording.map_strings(|text| Cow::Owned(text.replace("http://", "")));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("expected an absolute URL")
    );
    assert_eq!(recording.to_json(), before);
}
