//! From an answer to a result, row by row of the table in `answer`.

use super::script::{BASE, Reply, broken, reply, run};
use nodule_sdk::http::Broken;
use nodule_sdk::{Certainty, Failure};

/// The outcome of one exchange in one line.
fn outcome(reply: Reply) -> String {
    match run("member.getMember", r#"{"cardNo":"M"}"#, [reply]) {
        Ok(items) => items.join("\n"),
        Err(failure) => told(&failure),
    }
}

/// A failure in one line.
fn told(failure: &Failure) -> String {
    let wait = |ms: Option<u32>| ms.map(|ms| format!(", wait {ms}")).unwrap_or_default();
    match failure {
        Failure::Unauthenticated(answer) => format!("unauthenticated {}: {}", answer.status, answer.message),
        Failure::Rejected(answer) => format!("rejected {}: {}", answer.status, answer.message),
        Failure::Unintelligible(answer) => format!("unintelligible {}: {}", answer.status, answer.message),
        Failure::Throttled(t) => format!(
            "throttled {}: {}{}",
            t.answer.status,
            t.answer.message,
            wait(t.retry_after_ms)
        ),
        Failure::Unavailable(outage) => {
            let certainty = match outage.certainty {
                Certainty::NotDone => "not done",
                Certainty::Unknown => "unknown",
            };
            let status = outage
                .answer
                .as_ref()
                .map(|answer| format!(" {}", answer.status))
                .unwrap_or_default();
            format!(
                "unavailable{status}, {certainty}: {}{}",
                outage.message,
                wait(outage.retry_after_ms)
            )
        }
        Failure::Denied(why) => format!("denied: {why}"),
        Failure::Limit(why) => format!("limit: {why}"),
        failure => format!("{failure:?}"),
    }
}

#[test]
fn an_envelope_decides_where_http_says_that_all_is_well() {
    for (body, expected) in [
        (r#"{"code":200}"#, r#"{"code":200}"#),
        (r#"{"code":"200"}"#, r#"{"code":"200"}"#),
        (r#"{"code":" 200 "}"#, r#"{"code":" 200 "}"#),
        (r#"{"code":200.0}"#, r#"{"code":200.0}"#),
        (
            r#"{"resultCode":"200","status":500}"#,
            r#"{"resultCode":"200","status":500}"#,
        ),
        (r#"{"data":{"code":500}}"#, r#"{"data":{"code":500}}"#),
        (r#"{"code":null,"status":[]}"#, r#"{"code":null,"status":[]}"#),
        (r#"{"code":500,"code":200}"#, r#"{"code":500,"code":200}"#),
        (r#"{"code":"401","msg":"m"}"#, "unauthenticated 200: m"),
        (r#"{"code":429,"msg":"m"}"#, "throttled 200: m, wait 7000"),
        (
            r#"{"code":500,"msg":"m"}"#,
            "unavailable 200, unknown: https://api.example/openapi-prod failed: m, wait 7000",
        ),
        (
            r#"{"code":"599","msg":"m"}"#,
            "unavailable 200, unknown: https://api.example/openapi-prod failed: m, wait 7000",
        ),
        (r#"{"code":600,"msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":403,"msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":408,"msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":302,"msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":0,"msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":"2000","msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":"","msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":-1,"msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":"OK","msg":"m"}"#, "rejected 200: m"),
        (r#"{"code":true,"msg":"m"}"#, "rejected 200: m"),
        (r#"{"\ud800":1,"code":"E","msg":"m"}"#, "rejected 200: m"),
    ] {
        assert_eq!(
            outcome(reply(200, body).header("retry-after", "7")),
            expected,
            "{body}"
        );
    }
}

#[test]
fn a_document_goes_on_as_it_came() {
    for (body, expected) in [
        ("", "{}"),
        ("  ", "{}"),
        ("\u{feff}{\"a\": 1}", "{\"a\": 1}"),
        (" {\"a\" : 1.50}\r\n", "{\"a\" : 1.50}"),
        (" [1] ", "{\"data\":[1]}"),
        (r#"{"a\n":"\ud83d\ude00"}"#, r#"{"a\n":"\ud83d\ude00"}"#),
        (r#"{"a":[{"b":"x\ud83d"}]}"#, r#"{"a":[{"b":"x\ufffd"}]}"#),
        (r#"{"\ud83d":"x"}"#, r#"{"\ufffd":"x"}"#),
        (r#" ["\ude00"]"#, r#"{"data":["\ufffd"]}"#),
    ] {
        assert_eq!(outcome(reply(200, body)), expected, "{body:?}");
    }
}

#[test]
fn the_status_decides_otherwise() {
    let body = r#"{"code":200,"msg":"m"}"#;
    for (status, expected) in [
        (201, r#"{"code":200,"msg":"m"}"#),
        (
            301,
            "rejected 301: redirected to `https://evil.example/`, which is not followed: m",
        ),
        (
            307,
            "rejected 307: redirected to `https://evil.example/`, which is not followed: m",
        ),
        (400, "rejected 400: m"),
        (401, "unauthenticated 401: m"),
        (403, "throttled 403: m, wait 2000"),
        (404, "rejected 404: m"),
        (
            408,
            "unavailable 408, unknown: https://api.example/openapi-prod failed: m, wait 2000",
        ),
        (409, "throttled 409: m, wait 2000"),
        (420, "throttled 420: m, wait 2000"),
        (429, "throttled 429: m, wait 2000"),
        (
            500,
            "unavailable 500, unknown: https://api.example/openapi-prod failed: m, wait 2000",
        ),
        (
            503,
            "unavailable 503, unknown: https://api.example/openapi-prod failed: m, wait 2000",
        ),
        (
            999,
            "unavailable 999, unknown: https://api.example/openapi-prod failed: m, wait 2000",
        ),
        (101, "unintelligible 101: m"),
        (
            304,
            "rejected 304: not modified, though there is nothing that it could be compared with: m",
        ),
    ] {
        let reply = reply(status, body)
            .header("retry-after", "2")
            .header("location", "https://evil.example/");
        assert_eq!(outcome(reply), expected, "{status}");
    }
    assert_eq!(outcome(reply(302, "")), "rejected 302: HTTP 302");
    assert_eq!(
        outcome(reply(403, body)),
        "rejected 403: the credential may lack the permission: m"
    );
    assert_eq!(
        outcome(reply(403, body).header("x-ratelimit-remaining", "0")),
        "throttled 403: m"
    );
    assert_eq!(outcome(reply(409, body)), "rejected 409: m");
    // The last request of a window was refused for another reason.
    assert_eq!(
        outcome(reply(404, body).header("x-ratelimit-remaining", "0")),
        "rejected 404: m"
    );
    assert_eq!(
        outcome(reply(404, "<p>no  such\npath</p>")),
        "rejected 404: HTTP 404: <p>no such path</p>"
    );
    assert_eq!(outcome(reply(401, "")), "unauthenticated 401: HTTP 401");
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    for (value, ms) in [
        ("0", Some(0)),
        (" 120 ", Some(120_000)),
        ("1000000000", Some(u32::MAX)),
        ("99999999999999999999999", Some(u32::MAX)),
        ("Mon, 30 Jun 2025 12:00:10 GMT", Some(9_877)),
        ("Mon, 30 Jun 2025 11:00:00 GMT", Some(0)),
        ("-1", None),
        ("1e9", None),
        ("soon", None),
        ("", None),
    ] {
        let wait = ms.map(|ms: u32| format!(", wait {ms}")).unwrap_or_default();
        let expected = format!("throttled 429: m{wait}");
        assert_eq!(
            outcome(reply(429, r#"{"msg":"m"}"#).header("retry-after", value)),
            expected,
            "{value:?}"
        );
    }
}

#[test]
fn what_is_no_json_is_told_by_its_first_words() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, expected) in [
        (&b"OK"[..], "expected JSON, found `OK`: "),
        (b"null", "expected a JSON object or array, found `null`"),
        (b"\"text\"", "expected a JSON object or array, found `\"text\"`"),
        (b"12", "expected a JSON object or array, found `12`"),
        (
            b"{\"code\":\"200\",\"data\":{\"na",
            "expected JSON, found `{\"code\":\"200\",\"data\":{\"na`: unexpected end",
        ),
        (
            b"{} trailing",
            "expected JSON, found `{} trailing`: unexpected text at line 1 column 4",
        ),
        (
            b"{\"name\":\"\xc4\xe3\xba\xc3\"}",
            "expected JSON in UTF-8, found bytes of another charset: `{\"name\":\"",
        ),
        (
            b"\xff\xfe{\0}\0",
            "expected JSON in UTF-8, found bytes of another charset: `",
        ),
        (deep.as_bytes(), "expected JSON, found `[[["),
    ] {
        let outcome = outcome(reply(200, body));
        assert!(
            outcome.starts_with(&format!("unintelligible 200: {expected}")),
            "{outcome}"
        );
        assert!(outcome.chars().count() < 400, "{outcome}");
    }
    assert!(outcome(reply(200, &deep)).ends_with("nested deeper than 128 levels"));
}

#[test]
fn a_broken_exchange_says_what_is_known() {
    let outcome = |cause: fn(String) -> Broken| outcome(broken(cause("why".into())));
    assert_eq!(
        outcome(Broken::NotDone),
        format!("unavailable, not done: no complete answer from {BASE}: why")
    );
    assert_eq!(
        outcome(Broken::Unknown),
        format!("unavailable, unknown: no complete answer from {BASE}: why")
    );
    assert_eq!(outcome(Broken::Denied), "denied: why");
    assert_eq!(outcome(Broken::Limit), "limit: why");
    assert!(outcome(Broken::Unsendable).starts_with("Failure::InvalidInput"));
}
