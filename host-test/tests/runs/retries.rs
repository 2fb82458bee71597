//! What is retried, and what is not.

use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use simulator::{Action, Config, Endpoint, Rule, Simulator};

use crate::support::{credential, credential_for, expect, items, lines, run, simulator, stderr};

fn status(code: u16, retry_after: Option<&str>) -> Action {
    Action::Status {
        code,
        retry_after: retry_after.map(str::to_owned),
        body: None,
    }
}

/// Runs one item against a service with this fault. Returns the printed line and the number of requests.
fn one(group: &str, operation: &str, item: &str, rule: Rule, code: i32) -> (Value, u64) {
    let simulator = simulator(Config::default());
    simulator.add_fault(rule).unwrap();
    let before = asked(&simulator);
    let file = items([item]);
    let mut command = run(group, operation);
    command
        .arg("--items")
        .arg(file.path())
        .env("NODULE_CREDENTIAL", credential(&simulator));
    let output = expect(&mut command, code);
    (lines(&output).remove(0), asked(&simulator) - before)
}

fn asked(simulator: &Simulator) -> u64 {
    let by_endpoint = simulator.stats().by_endpoint;
    by_endpoint
        .iter()
        .filter(|(endpoint, _)| **endpoint != Endpoint::Token)
        .map(|(_, count)| count)
        .sum()
}

const GET: [&str; 3] = ["member", "getMember", r#"{"cardNo":"M1"}"#];
const ADJUST: [&str; 3] = [
    "points",
    "adjustPoints",
    r#"{"accountCode":"M1","operationId":"x","pointValue":5,"effectiveEndTime":"2030-12-31"}"#,
];
const SAVE: [&str; 3] = [
    "masterdata",
    "saveStore",
    r#"{"organizationCode":"S1","organizationName":"One"}"#,
];

fn path([group, ..]: [&str; 3]) -> String {
    format!("/v1/{group}/")
}

#[test]
fn what_was_surely_not_done_is_tried_again_whatever_it_is() {
    for retry_after in [
        None,
        Some("0"),
        Some("1"),
        Some("-1"),
        Some("Thu, 01 Jan 1970 00:00:00 GMT"),
        Some("soon"),
    ] {
        for [group, operation, item] in [GET, ADJUST, SAVE] {
            let rule = Rule::new(status(429, retry_after))
                .path(path([group, "", ""]))
                .times(1);
            let (line, asked) = one(group, operation, item, rule, 0);
            assert!(line.get("json").is_some(), "{retry_after:?}: {line}");
            assert_eq!(asked, 2, "{operation} {retry_after:?}");
        }
    }
}

#[test]
fn what_may_have_been_done_is_tried_again_unless_it_is_a_plain_write() {
    for action in [
        status(503, None),
        status(503, Some("0")),
        Action::ResetAfterActing,
        Action::CloseMidAnswer,
    ] {
        for [group, operation, item] in [GET, ADJUST] {
            let rule = Rule::new(action.clone()).path(path([group, "", ""])).times(1);
            let (line, asked) = one(group, operation, item, rule, 0);
            assert!(line.get("json").is_some(), "{action:?}: {line}");
            assert_eq!(asked, 2, "{operation} {action:?}");
        }
        let [group, operation, item] = SAVE;
        let rule = Rule::new(action.clone()).path(path(SAVE)).times(1);
        let (line, asked) = one(group, operation, item, rule, 1);
        assert_eq!(line["error"]["kind"], "unavailable", "{action:?}");
        assert_eq!(line["error"]["certainty"], "unknown", "{action:?}");
        assert_eq!(asked, 1, "{action:?}");
    }
}

#[test]
fn an_unreadable_answer_to_a_plain_write_leaves_it_open_whether_it_was_done() {
    let [group, operation, item] = SAVE;
    let (line, asked) = one(
        group,
        operation,
        item,
        Rule::new(Action::TruncatedJson).path(path(SAVE)),
        1,
    );
    assert_eq!(line["error"]["kind"], "unintelligible");
    assert_eq!(line["error"]["certainty"], "unknown");
    assert_eq!(asked, 1);
}

/// A time in the format of `Retry-After`.
fn date(from_now: Duration) -> String {
    httpdate::fmt_http_date(SystemTime::now() + from_now)
}

#[test]
fn what_the_service_asks_to_wait_is_waited() {
    for code in [429, 503] {
        for is_date in [false, true] {
            let start = Instant::now();
            // A date has whole seconds, so this one is at least a second and a half away.
            let asked_for = if is_date {
                date(Duration::from_millis(2_500))
            } else {
                "1".to_owned()
            };
            let [group, operation, item] = GET;
            let rule = Rule::new(status(code, Some(&asked_for))).path(path(GET)).times(1);
            let (line, asked) = one(group, operation, item, rule, 0);
            assert!(line.get("json").is_some(), "{code} {asked_for}: {line}");
            assert_eq!(asked, 2, "{code} {asked_for}");
            assert!(
                start.elapsed() >= Duration::from_secs(1),
                "{code} {asked_for}: {:?}",
                start.elapsed()
            );
        }
    }
}

#[test]
fn a_wait_beyond_the_items_time_is_not_begun() {
    let far = date(Duration::from_hours(24));
    for (code, kind) in [(429, "throttled"), (503, "unavailable")] {
        for [group, operation, item] in [GET, ADJUST] {
            for (asked_for, least, most) in [
                ("1000000000", u64::from(u32::MAX), u64::from(u32::MAX)),
                ("121", 121_000, 121_000),
                (far.as_str(), 23 * 3_600_000, 24 * 3_600_000),
            ] {
                let rule = Rule::new(status(code, Some(asked_for)))
                    .path(path([group, "", ""]))
                    .times(1);
                let (line, asked) = one(group, operation, item, rule, 1);
                assert_eq!(line["error"]["kind"], kind, "{asked_for}");
                let told = line["error"]["retryAfterMs"].as_u64().unwrap();
                assert!((least..=most).contains(&told), "{asked_for}: {line}");
                assert_eq!(asked, 1, "{operation} {code} {asked_for}");
            }
        }
    }
}

#[test]
fn a_wait_beyond_the_runs_time_is_not_begun() {
    let simulator = simulator(Config::default());
    simulator
        .add_fault(Rule::new(status(429, Some("30"))).path(path(GET)))
        .unwrap();
    let file = items([GET[2]]);
    let mut command = run(GET[0], GET[1]);
    command
        .arg("--items")
        .arg(file.path())
        .args(["--run-time", "20s"])
        .env("NODULE_CREDENTIAL", credential(&simulator));
    let output = expect(&mut command, 1);
    assert_eq!(lines(&output)[0]["error"]["kind"], "throttled");
    assert_eq!(asked(&simulator), 1);
}

#[test]
fn what_somebody_has_to_act_on_is_not_tried_again() {
    for (action, kind) in [
        (status(400, None), "rejected"),
        (status(403, None), "rejected"),
        (status(404, None), "rejected"),
        (Action::TruncatedJson, "unintelligible"),
        (Action::Html { status: 200 }, "unintelligible"),
    ] {
        for [group, operation, item] in [GET, ADJUST, SAVE] {
            let rule = Rule::new(action.clone()).path(path([group, "", ""]));
            let (line, asked) = one(group, operation, item, rule, 1);
            assert_eq!(line["error"]["kind"], kind, "{operation} {action:?}: {line}");
            assert_eq!(asked, 1, "{operation} {action:?}");
        }
    }
}

#[test]
fn a_reset_before_the_request_is_read_is_repaired_for_everybody() {
    // A plain write uses a fresh connection: whether it arrived is unknown, so it is not repeated.
    for [group, operation, item] in [GET, ADJUST] {
        let rule = Rule::new(Action::ResetBeforeActing)
            .path(path([group, "", ""]))
            .times(1);
        let (line, asked) = one(group, operation, item, rule, 0);
        assert!(line.get("json").is_some(), "{operation}: {line}");
        assert_eq!(asked, 2, "{operation}");
    }
    let [group, operation, item] = SAVE;
    let rule = Rule::new(Action::ResetBeforeActing).path(path(SAVE)).times(1);
    let (line, asked) = one(group, operation, item, rule, 1);
    assert_eq!(line["error"]["certainty"], "unknown", "{line}");
    assert_eq!(asked, 1);
}

#[test]
fn tries_are_counted_and_end() {
    let simulator = simulator(Config::default());
    simulator
        .add_fault(Rule::new(status(500, None)).path("/v1/member/"))
        .unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let summary = folder.path().join("summary.json");
    let file = items([GET[2]]);
    let mut command = run(GET[0], GET[1]);
    command
        .arg("--items")
        .arg(file.path())
        .args(["--retries", "2", "--summary"])
        .arg(&summary)
        .env("NODULE_CREDENTIAL", credential(&simulator));
    expect(&mut command, 1);
    assert_eq!(asked(&simulator), 3);
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).unwrap()).unwrap();
    assert_eq!(summary["items"], 1);
    assert_eq!(summary["failed"], json!({"unavailable": 1}));
    assert_eq!(
        (&summary["retries"], &summary["requests"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(summary["ended"], "complete");
    for quantile in ["p50", "p95", "p99", "max"] {
        assert!(
            summary["latencyMs"][quantile].as_f64().unwrap() > 0.0,
            "{summary}"
        );
    }
}

#[test]
fn a_dead_service_is_not_hammered_and_every_item_has_its_result() {
    // A port on which nothing listens any more.
    let port = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let file = items(std::iter::repeat_n(GET[2], 500));
    let mut command = run(GET[0], GET[1]);
    command
        .arg("--items")
        .arg(file.path())
        .args(["--item-time", "2s"])
        .env(
            "NODULE_CREDENTIAL",
            credential_for(&format!("http://127.0.0.1:{port}")),
        );
    let output = expect(&mut command, 1);
    let lines = lines(&output);
    assert_eq!(lines.len(), 500);
    assert!(lines.iter().all(|line| line["error"]["certainty"] == "not-done"));
    let unsent = lines.iter().filter(|line| {
        line["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("not sent:")
    });
    assert!(unsent.count() > 250, "{}", lines[499]);
    assert!(
        stderr(&output).contains("the service does not answer"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("the service is given up"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn nothing_starts_after_the_runs_time() {
    let simulator = simulator(Config::default());
    let file = items(std::iter::repeat_n(GET[2], 40));
    let mut command = run(GET[0], GET[1]);
    command
        .arg("--items")
        .arg(file.path())
        .args(["--rate", "1/h", "--run-time", "1s", "--concurrency", "1"])
        .env("NODULE_CREDENTIAL", credential(&simulator));
    // The first request is sent at once; the second would be sent in an hour.
    let output = expect(&mut command, 3);
    let lines = lines(&output);
    assert_eq!(lines.len(), 40);
    assert!(lines[0].get("json").is_some(), "{}", lines[0]);
    assert!(
        lines[1..].iter().all(|line| line["error"]["kind"] == "limit"),
        "{}",
        lines[39]
    );
    assert!(
        stderr(&output).contains("the run's time is up"),
        "{}",
        stderr(&output)
    );
    assert_eq!(asked(&simulator), 1);
}

#[test]
fn a_slow_rate_makes_no_item_wait_in_vain() {
    let simulator = simulator(Config::default());
    let file = items(std::iter::repeat_n(GET[2], 13));
    let mut command = run(GET[0], GET[1]);
    command
        .arg("--items")
        .arg(file.path())
        .args(["--rate", "4/s", "--concurrency", "64"])
        .env("NODULE_CREDENTIAL", credential(&simulator));
    // The last send time is three seconds away, longer than a call may take.
    let policy = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(policy.path(), "[limits]\nrun-timeout-ms = 2000\n").unwrap();
    let start = Instant::now();
    let output = expect(command.arg("--policy").arg(policy.path()), 0);
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(lines(&output).len(), 13);
    assert_eq!(asked(&simulator), 13);
}

#[test]
fn the_second_item_with_a_key_is_named() {
    let simulator = simulator(Config::default());
    let file = items([ADJUST[2], GET[2], ADJUST[2]]);
    let folder = tempfile::TempDir::new().unwrap();
    let named = |journal: bool| {
        let mut command = run(ADJUST[0], ADJUST[1]);
        command
            .arg("--items")
            .arg(file.path())
            .env("NODULE_CREDENTIAL", credential(&simulator));
        if journal {
            command.arg("--journal").arg(folder.path().join("run.sqlite"));
        }
        let told = stderr(&expect(&mut command, 1));
        told.matches("item 2 has the key `x` of item 0").count()
    };
    assert_eq!(named(false), 1);
    assert_eq!(named(true), 1);
    // A resumed run does not repeat the warning of the first.
    assert_eq!(named(true), 0);
}
