//! What a node tells its operator by its log and its panics: row 152.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, Setup, kinds, output};
use crate::guests::SAYS;
use crate::server::NOWHERE;
use crate::void::{LOGGED_BYTES, PLAIN, printed};

/// What of a panic a failure shows at most, with what the host says beside it.
const FAILURE_CHARS: usize = 4_300;

pub async fn logs_and_panics(bench: &Bench) {
    let setup = Setup::new(bench, SAYS, NOWHERE).await;
    logs_are_bounded(bench, &setup).await;
    panics_are_bounded(bench, &setup).await;
    texts_are_safe_to_show(bench, &setup).await;
    secrets_are_not_told(bench, &setup).await;
    other_headers_are_headers(bench, &setup).await;
    a_log_in_tells_nothing(bench, setup).await;
}

fn log(text: &str, times: u64) -> Value {
    json!({"task": {"log": text, "times": times}})
}

fn panics(text: &str, times: u64) -> Value {
    json!({"task": {"panic": text, "times": times}})
}

/// The failure of an item that panics. The item beside it is done.
async fn failure(setup: &Setup, item: Value) -> String {
    let results = setup.run(vec![item, log("well", 1)]).await;
    assert_eq!(kinds(&results), ["trap", "ok"], "{results:?}");
    results[0].as_ref().unwrap_err().to_string()
}

async fn logs_are_bounded(bench: &Bench, setup: &Setup) {
    for (text, times, fewest) in [
        ("y".to_owned(), 200_000, 500),
        ("x".repeat(4_000), 10_000, 10),
        ("z\n".repeat(100_000), 1, 500),
        ("\n".repeat(100_000), 10, 10),
    ] {
        let (events, log) = printed(bench, setup, log(&text, times)).await;
        assert!((fewest..1_100).contains(&events.len()), "{} events", events.len());
        assert!(log.len() < LOGGED_BYTES, "{} bytes", log.len());
        let is_silenced = log.contains("\"silence\"");
        assert_eq!(is_silenced, events.len() > 10, "{} events", events.len());
    }
    let (events, _) = printed(bench, setup, log("once more", 1)).await;
    assert_eq!(events.len(), 1, "the next call is shown again");
    assert_eq!(events[0]["stream"], "log");
    let text = events[0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("examples/says.rs:") && text.ends_with(": once more"),
        "{text}"
    );
}

async fn panics_are_bounded(bench: &Bench, setup: &Setup) {
    for (text, times) in [("x", 1 << 20), ("y\n", 1 << 20), ("é", 1 << 19)] {
        let words = failure(setup, panics(text, times)).await;
        assert!(words.contains("; it panicked at examples/says.rs:"), "{words}");
        assert!(words.chars().count() < FAILURE_CHARS, "{}", words.chars().count());
        let (events, log) = printed(bench, setup, panics(text, times)).await;
        assert!(
            (1..5_000).contains(&events.len()) && log.len() < 2 * LOGGED_BYTES,
            "{}",
            log.len()
        );
        assert!(
            events.iter().all(|event| event["stream"] == "panic"),
            "{events:?}"
        );
    }
}

async fn texts_are_safe_to_show(bench: &Bench, setup: &Setup) {
    let text = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}0m\u{202e}gpj.exe\r\u{0}";
    let shown = r"\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}0m\u{202e}gpj.exe\r\u{0}";
    for item in [log(text, 1), panics(text, 1)] {
        let (events, log) = printed(bench, setup, item).await;
        let text = events[0]["text"].as_str().unwrap();
        assert!(text.ends_with(&format!(": {shown}")), "{text}");
        assert!(!log.contains("\\u001b") && !log.contains('\u{202e}'), "{log}");
    }
    let words = failure(setup, panics(text, 1)).await;
    assert!(words.ends_with(shown), "{words}");
}

async fn secrets_are_not_told(bench: &Bench, setup: &Setup) {
    let token: String = SECRET.chars().rev().collect();
    for secret in [SECRET, &token] {
        let text = format!("{PLAIN} {secret} {}", STANDARD.encode(secret));
        // At every place where a bound could leave a part of it.
        let padded =
            |pad: &str| [1_960, 3_960, 8_160].map(|padding| format!("{}{secret}", pad.repeat(padding)));
        for text in padded("x").iter().chain(&padded(" ")).chain([&text]) {
            let told = failure(setup, panics(text, 1)).await;
            for item in [log(text, 1), panics(text, 1)] {
                let (events, log) = printed(bench, setup, item).await;
                for (index, part) in secret.as_bytes().windows(8).enumerate() {
                    let part = String::from_utf8_lossy(part);
                    let place = format!(
                        "part {index} of a secret after {} bytes",
                        text.len() - secret.len()
                    );
                    assert!(
                        !events
                            .iter()
                            .any(|event| event["text"].to_string().contains(&*part)),
                        "{place}"
                    );
                    assert!(!log.contains(&*part) && !told.contains(&*part), "{place}");
                }
                assert!(!log.contains(&STANDARD.encode(secret)) && !told.contains(&STANDARD.encode(secret)));
            }
        }
        let words = failure(setup, panics(&text, 1)).await;
        assert!(words.contains(PLAIN) && words.contains("[redacted]"), "{words}");
    }
}

async fn other_headers_are_headers(bench: &Bench, setup: &Setup) {
    let header = |name: &str| json!({"task": {"header": name, "value": "v"}});
    for (name, fields, events) in [
        ("nodule-log", 0, 1),
        ("nodule-panic", 0, 1),
        ("x-nodule-log", 1, 0),
        ("connection", -1, 0),
    ] {
        let results = setup.run(vec![header(name)]).await;
        assert_eq!(output(&results[0]), [json!({"fields": fields})], "{name}");
        assert_eq!(
            printed(bench, setup, header(name)).await.0.len(),
            events,
            "{name}"
        );
    }
}

async fn a_log_in_tells_nothing(bench: &Bench, mut setup: Setup) {
    // Each mode is another credential, which has to be logged in with.
    setup = setup.mode("logs");
    let (events, log) = printed(bench, &setup, json!({})).await;
    assert!(events.is_empty() && log.contains("\"authentication\""), "{log}");
    setup = setup.mode("panics");
    let before = bench.log.text().len();
    let results = setup.run(vec![json!({})]).await;
    let log = bench.log.text().split_off(before);
    assert_eq!(kinds(&results), ["trap"], "{results:?}");
    let words = results[0].as_ref().unwrap_err().to_string();
    assert!(log.contains("\"trap\"") && !log.contains("nodule::node"), "{log}");
    let token: String = SECRET.chars().rev().collect();
    for text in [SECRET, &token, "says.rs", "panicked"] {
        assert!(!words.contains(text) && !log.contains(text), "{words}\n{log}");
    }
}
