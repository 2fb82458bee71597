//! What operators see: `--log json` and `--log text`, with every kind of event, and never a secret or an item's data.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use simulator::{Action, Config, DEMO_APP_ID, DEMO_APP_SECRET, Rule, Simulator};

use crate::support::{credential, expect, items, run, simulator, stderr, stdout};

/// Texts that occur only in items.
const CARD: &str = "M4242";
const NAME: &str = "Zebulon-of-the-items";
const PHONE: &str = "13987654321";

/// Two calls of a plain write, each with one item.
fn admissions() -> tempfile::NamedTempFile {
    let item = json!({
        "loyaltyCode": "L1", "phonePrefCode": "+86", "mobilePhone": PHONE, "memberName": NAME, "storeCode": "S1",
        "sourceCode": "10140001",
    })
    .to_string();
    items([item.as_str(), item.as_str()])
}

fn admit(simulator: &Simulator, log: &[&str]) -> Command {
    let mut command = run("member", "memberAdmission");
    command.args(["--concurrency", "1"]).args(log);
    command.env("NODULE_CREDENTIAL", credential(simulator));
    command
}

fn read(simulator: &Simulator, log: &[&str]) -> Command {
    let mut command = run("member", "getMember");
    command.args(["--param", &format!("cardNo={CARD}")]).args(log);
    command.env("NODULE_CREDENTIAL", credential(simulator));
    command
}

/// The first access token of a simulator, which depends only on its seed.
fn token() -> String {
    let twin = simulator(Config::default());
    let body = json!({"appId": DEMO_APP_ID, "appSecret": DEMO_APP_SECRET}).to_string();
    let authority = twin.base_url().replace("http://", "");
    let mut stream = TcpStream::connect(&authority).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /v1/auth/token HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let token = answer.split("\"accessToken\":\"").nth(1).unwrap();
    token.split('"').next().unwrap().to_owned()
}

/// Asserts that `what` does not occur in any form from which it could be recovered.
fn is_not_in(text: &str, what: &str) {
    let percent: Vec<String> = what.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped: Vec<String> = what.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let (percent, escaped) = (percent.concat(), escaped.concat());
    let mut forms = vec![what.to_owned(), percent.to_lowercase(), percent, escaped];
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        forms.push(engine.encode(what));
    }
    for form in forms {
        assert!(!text.contains(&form), "`{form}` is in\n{text}");
    }
}

fn is_clean(text: &str) {
    for what in [
        DEMO_APP_SECRET,
        &token(),
        "sim-access-",
        "sim-refresh-",
        CARD,
        NAME,
        PHONE,
    ] {
        is_not_in(text, what);
    }
}

/// Parses one JSON object per line and nothing else. Returns the fields of each event, by message.
fn events(text: &str) -> BTreeMap<String, Vec<Value>> {
    let mut events = BTreeMap::<_, Vec<Value>>::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let mut event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            event["timestamp"].is_string() && event["level"].is_string(),
            "{event}"
        );
        assert!(
            event["target"].as_str().unwrap().starts_with("nodule::"),
            "{event}"
        );
        let message = event["fields"]["message"].as_str().unwrap().to_owned();
        events.entry(message).or_default().push(event["fields"].take());
    }
    events
}

/// Runs one of each: successful and refused requests, a denial, both kinds of retry, a renewal, a limit. Returns the
/// output.
fn everything(log: &[&str]) -> String {
    let mut all = String::new();
    let mut keep = |output: std::process::Output| {
        assert!(
            !stdout(&output).contains("nodule::"),
            "standard output is for data"
        );
        all.push_str(&stderr(&output));
    };
    // Succeeds; then is refused once, so that a new session is made.
    let service = simulator(Config::default());
    let refusal = Action::Status {
        code: 401,
        retry_after: None,
        body: None,
    };
    service
        .add_fault(Rule::new(refusal).path("/v1/member/").times(1))
        .unwrap();
    keep(expect(&mut read(&service, log), 0));
    // Busy once, so that the item is retried.
    let busy = Action::Status {
        code: 429,
        retry_after: Some("0".to_owned()),
        body: None,
    };
    service
        .add_fault(Rule::new(busy).path("/v1/member/").times(1))
        .unwrap();
    keep(expect(&mut read(&service, log), 0));
    service.stop();
    // A session that expires while the first of two items is in flight.
    let service = simulator(Config {
        token_lifetime: std::time::Duration::from_secs(1),
        ..Config::default()
    });
    service
        .add_fault(
            Rule::new(Action::Latency { ms: 1200 })
                .path("/v1/member/")
                .times(1)
                .act(true),
        )
        .unwrap();
    let file = admissions();
    keep(expect(admit(&service, log).arg("--items").arg(file.path()), 0));
    service.stop();
    // Denied, and stopped by a limit.
    let service = simulator(Config::default());
    let file = admissions();
    for lines in ["write-requests = 0", "[limits]\nrequest-body-bytes = 100"] {
        let mut policy = tempfile::NamedTempFile::new().unwrap();
        writeln!(policy, "{lines}").unwrap();
        let mut refused = admit(&service, log);
        refused
            .arg("--items")
            .arg(file.path())
            .arg("--policy")
            .arg(policy.path());
        keep(expect(&mut refused, 3));
    }
    service.stop();
    all
}

#[test]
fn json_has_one_object_for_each_event_with_its_fields_and_no_data() {
    let text = everything(&["--log", "json"]);
    is_clean(&text);
    let events = events(&text);
    let of = |message: &str| {
        events
            .get(message)
            .unwrap_or_else(|| panic!("no `{message}` in\n{text}"))
    };
    for (message, fields) in [
        (
            "request",
            &[
                "method", "origin", "path", "status", "outcome", "ms", "sent", "received",
            ][..],
        ),
        ("denied", &["method", "origin", "rule"]),
        ("limit", &["key"]),
        ("authentication", &["renewal", "outcome", "ms"]),
        ("retry", &["items", "reason"]),
    ] {
        for event in of(message) {
            for field in fields.iter().chain(&["node", "digest", "operation"]) {
                assert!(!event[*field].is_null(), "{message}, {field}: {event}");
            }
        }
    }
    let request = |path: &str, status: u16| {
        of("request")
            .iter()
            .any(|event| event["path"] == path && event["status"] == status)
    };
    assert!(request("/v1/member/{cardNo}", 200), "{text}");
    assert!(
        request("/v1/member/{cardNo}", 401) && request("/v1/member/{cardNo}", 429),
        "{text}"
    );
    let answered = of("request")
        .iter()
        .find(|event| event["path"] == "/v1/member/{cardNo}")
        .unwrap();
    assert_eq!(answered["method"], "GET");
    assert!(
        answered["origin"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    assert!(answered["received"].as_u64().unwrap() > 0 && answered["ms"].is_u64());
    assert!(
        of("denied").iter().any(|event| event["rule"] == "write-requests"),
        "{text}"
    );
    assert!(
        of("limit")
            .iter()
            .any(|event| event["key"] == "request-body-bytes"),
        "{text}"
    );
    for renewal in [true, false] {
        assert!(
            of("authentication")
                .iter()
                .any(|event| event["renewal"] == renewal),
            "{text}"
        );
    }
    for reason in ["unauthenticated", "throttled"] {
        assert!(
            of("retry").iter().any(|event| event["reason"] == reason),
            "{text}"
        );
    }
}

#[test]
fn text_shows_the_same_events_and_no_data() {
    let text = everything(&["--log", "text"]);
    is_clean(&text);
    for event in [
        "INFO nodule::request: request node=",
        "WARN nodule::audit: denied node=",
        "WARN nodule::audit: limit node=",
        "INFO nodule::session: authentication node=",
        "INFO nodule::run: retry node=",
    ] {
        assert!(text.contains(event), "no `{event}` in\n{text}");
    }
    assert!(text.contains("path=\"/v1/member/{cardNo}\" status=200"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where nobody sees them");
}

#[test]
fn the_level_leaves_out_what_is_less_important() {
    let messages = |log: &[&str]| events(&everything(log)).into_keys().collect::<Vec<_>>();
    assert_eq!(
        messages(&["--log", "json", "--log-level", "warn"]),
        ["denied", "limit"]
    );
    assert!(messages(&["--log", "json", "--log-level", "error"]).is_empty());
    let silent = everything(&[]);
    assert!(
        !silent.contains("nodule::"),
        "nothing unless it is asked for: {silent}"
    );
}
