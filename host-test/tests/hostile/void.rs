//! What the runtimes of languages import, in void versions: row 150.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodule::policy::Policy;
use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, Setup, kinds, output};
use crate::guests::{CALLS, USES_VOID};
use crate::server::NOWHERE;

/// What the log may grow by for what one call prints: 64 KiB of it, 64 bytes less for each line, and the event around each.
pub const LOGGED_BYTES: usize = 600_000;

/// What may be shown.
pub const PLAIN: &str = "plain words";

/// Every function that needs a descriptor.
const OF_DESCRIPTORS: [&str; 29] = [
    "read",
    "write",
    "read-via-stream",
    "write-via-stream",
    "append-via-stream",
    "advise",
    "sync-data",
    "sync",
    "get-flags",
    "get-type",
    "set-size",
    "set-times",
    "read-directory",
    "create-directory-at",
    "stat",
    "stat-at",
    "set-times-at",
    "link-at",
    "open-at",
    "open-at-read",
    "readlink-at",
    "remove-directory-at",
    "rename-at",
    "symlink-at",
    "unlink-file-at",
    "is-same-object",
    "metadata-hash",
    "metadata-hash-at",
    "read-directory-entry",
];

pub async fn void_wasi(bench: &Bench) {
    let before = bench.log.text().len();
    let setup = Setup::new(bench, USES_VOID, NOWHERE).await;
    let told = bench.log.text().split_off(before);
    assert!(
        !told.contains("printed while"),
        "a description's prints are not shown"
    );
    nothing_is_granted(&setup).await;
    nothing_can_be_opened(&setup).await;
    exit_ends_the_call(&setup).await;
    prints_are_bounded(bench, &setup).await;
    prints_are_safe_to_show(bench, &setup).await;
    secrets_are_not_printed(bench, setup).await;
    a_policy_refuses(bench).await;
}

async fn nothing_is_granted(setup: &Setup) {
    assert!(std::env::vars().next().is_some(), "the host itself has variables");
    let sockets = json!({"void": "sockets", "text": "localhost"});
    let results = setup.run(vec![json!({"void": "environment"}), sockets]).await;
    let environment = json!({
        "variables": [],
        "arguments": [],
        "folder": null,
        "opened": 0,
        "terminals": [false, false, false],
        "input": "Err(StreamError::Closed)",
    });
    assert_eq!(output(&results[0]), [environment]);
    let answers = output(&results[1]).remove(0);
    let answers = answers.as_array().unwrap();
    let denied = "access-denied";
    let expected = ["permanent-resolver-failure", denied, denied, denied, denied];
    assert_eq!(answers.len(), expected.len());
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.as_str().unwrap().contains(expected), "{answer}");
    }
}

async fn nothing_can_be_opened(setup: &Setup) {
    // A few handles exist in any instance; none of them is a descriptor.
    for handle in [0, 1, 2, 3, u32::MAX >> 2] {
        let items =
            OF_DESCRIPTORS.map(|function| json!({"void": "descriptor", "text": function, "handle": handle}));
        let results = setup.run(items.into()).await;
        assert_eq!(
            kinds(&results),
            ["trap"; OF_DESCRIPTORS.len()],
            "{handle}: {results:?}"
        );
        for (result, function) in results.iter().zip(OF_DESCRIPTORS) {
            let words = result.as_ref().unwrap_err().to_string();
            assert!(words.contains("handle"), "{function}: {words}");
        }
    }
}

async fn exit_ends_the_call(setup: &Setup) {
    for what in ["exits", "fails"] {
        let results = setup
            .run(vec![json!({"void": what}), json!({"void": "none"})])
            .await;
        assert_eq!(kinds(&results), ["trap", "ok"], "{what}");
        let words = results[0].as_ref().unwrap_err().to_string();
        assert!(words.contains("`exit`"), "{words}");
    }
}

/// The events of what is printed, and what else the log says meanwhile.
pub async fn printed(bench: &Bench, setup: &Setup, item: Value) -> (Vec<Value>, String) {
    let before = bench.log.text().len();
    setup.run(vec![item]).await;
    let text = bench.log.text().split_off(before);
    let events = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let printed = events.filter(|event| event["target"] == "nodule::node");
    (printed.map(|mut event| event["fields"].take()).collect(), text)
}

async fn prints_are_bounded(bench: &Bench, setup: &Setup) {
    let prints = |text: &str, times: u64| json!({"void": "prints", "text": text, "times": times});
    // One line without an end; long lines; short ones; empty ones.
    for (text, times, fewest) in [
        ("x".repeat(1 << 20), 10, 1),
        (format!("{}\n", "x".repeat(4000)), 1000, 10),
        ("y\n".repeat(1000), 100, 500),
        ("\n".repeat(1000), 100, 0),
    ] {
        let (events, log) = printed(bench, setup, prints(&text, times)).await;
        assert!((fewest..1100).contains(&events.len()), "{} events", events.len());
        assert!(log.len() < LOGGED_BYTES, "{} bytes", log.len());
        let is_silenced = log.contains("\"silence\"");
        assert_eq!(is_silenced, events.len() > 1, "{} events", events.len());
        for event in &events {
            assert!(event["text"].as_str().unwrap().chars().count() <= 2001);
        }
    }
    // The next call is shown again.
    let (events, _) = printed(bench, setup, prints("once more\n", 1)).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["text"], "once more");
    assert_eq!(events[0]["stream"], "stdout");
    assert_eq!(events[0]["operation"], "things.read");
}

async fn prints_are_safe_to_show(bench: &Bench, setup: &Setup) {
    let text = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}0m\u{202e}gpj.exe\r\u{0}";
    let item = json!({"void": "prints", "text": format!("{text}\n")});
    let (events, log) = printed(bench, setup, item).await;
    let shown = r"\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}0m\u{202e}gpj.exe\r\u{0}";
    assert_eq!(events[0]["text"], shown);
    assert!(!log.contains("\\u001b") && !log.contains('\u{202e}'), "{log}");
    // What the node complains of reaches its item's failure and stays on one line there.
    let item = json!({"void": "complains", "text": "Traceback\n  app.py, line 3\nTypeError: \u{1b}[2J\n"});
    let failure = setup.run(vec![item]).await.remove(0).unwrap_err();
    let words = failure.to_string();
    let complaint = r"; it printed: Traceback / app.py, line 3 / TypeError: \u{1b}[2J";
    assert!(words.ends_with(complaint), "{words}");
    let long = json!({"void": "complains", "text": format!("{}\n", "x".repeat(3000)), "times": 100});
    let failure = setup.run(vec![long]).await.remove(0).unwrap_err();
    assert!(failure.to_string().len() < 6000, "{}", failure.to_string().len());
}

async fn secrets_are_not_printed(bench: &Bench, mut setup: Setup) {
    // The executing instance knows no secret. A service may have told it all the same, or whoever made the items.
    let token: String = SECRET.chars().rev().collect();
    let written = |secret: &str| {
        let json = serde_json::to_string(secret).unwrap();
        format!("{PLAIN} {secret} {} {json}\n", STANDARD.encode(secret))
    };
    for secret in [SECRET, &token] {
        let item = json!({"void": "prints", "text": written(secret)});
        let (events, log) = printed(bench, &setup, item).await;
        let shown = events[0]["text"].as_str().unwrap();
        assert_eq!(shown.matches("[redacted]").count(), 3, "{shown}");
        assert!(
            shown.starts_with(PLAIN),
            "what it was given it may print: {shown}"
        );
        for form in [secret.to_owned(), STANDARD.encode(secret)] {
            assert!(!log.contains(&form), "{log}");
        }
        let item = json!({"void": "complains", "text": written(secret)});
        let words = setup.run(vec![item]).await.remove(0).unwrap_err().to_string();
        assert!(words.contains("[redacted]") && !words.contains(secret), "{words}");
    }
    // The authenticating one knows it.
    setup = setup.mode("prints");
    let (events, log) = printed(bench, &setup, json!({"void": "none"})).await;
    assert!(events.is_empty(), "{events:?}");
    assert!(log.contains("\"authentication\""), "a session was made");
}

async fn a_policy_refuses(bench: &Bench) {
    let refusal = async |guest: &str, policy: &str| {
        let setup = Setup::new(bench, guest, NOWHERE).await;
        let policy = Policy::from_toml(policy, "policy.toml").unwrap();
        let built = setup
            .component
            .runner()
            .policy(policy)
            .credential(setup.credential())
            .build();
        built.err()
    };
    let minimal = "imports = \"minimal\"";
    let error = refusal(USES_VOID, minimal).await.expect("a refusal");
    let words = error.to_string();
    for named in ["wasi:cli/environment@0.2.12", "wasi:cli/exit@0.2.12", minimal] {
        assert!(words.contains(named), "{words}");
    }
    let hint = error.hint().unwrap();
    assert!(hint.ends_with("\nimports = \"void\""), "{hint}");
    assert!(refusal(USES_VOID, "imports = \"void\"").await.is_none());
    assert!(refusal(CALLS, minimal).await.is_none());
}
