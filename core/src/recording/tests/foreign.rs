//! HARs of browsers, proxies and careless authors, and files that are not HARs.

use super::{super::Player, *};

/// As Chrome's network panel saves it: HTTP/2 pseudo-headers, initiator, priority, a blocked request, base64.
const CHROME: &str = r#"{
  "log": {
    "version": "1.2",
    "creator": {"name": "WebInspector", "version": "537.36"},
    "pages": [{"startedDateTime": "2026-01-05T09:00:00.000Z", "id": "page_1", "title": "CRM", "pageTimings": {"onContentLoad": 1, "onLoad": null}}],
    "entries": [
      {
        "_initiator": {"type": "script", "stack": {"callFrames": []}},
        "_priority": "High",
        "_resourceType": "fetch",
        "cache": {},
        "connection": "443",
        "pageref": "page_1",
        "request": {
          "method": "POST",
          "url": "https://crm.example.com/api/v1/points?dry=1#top",
          "httpVersion": "http2.0",
          "headers": [{"name": ":method", "value": "POST"}, {"name": "content-type", "value": "application/json"}, {"name": "cookie", "value": "s=1"}],
          "queryString": [{"name": "dry", "value": "1"}],
          "cookies": [],
          "headersSize": -1,
          "bodySize": 9,
          "postData": {"mimeType": "application/json", "text": "{\"qty\":10}"}
        },
        "response": {
          "status": 200,
          "statusText": "",
          "httpVersion": "http2.0",
          "headers": [{"name": ":status", "value": "200"}, {"name": "Content-Encoding", "value": "br"}, {"name": "content-length", "value": "7"}, {"name": "x-id", "value": "q"}],
          "cookies": [],
          "content": {"size": 11, "mimeType": "application/json", "text": "eyJvayI6dHJ1ZX0=", "encoding": "base64"},
          "redirectURL": "",
          "headersSize": -1,
          "bodySize": -1,
          "_transferSize": 200,
          "_error": null,
          "_fetchedViaServiceWorker": false
        },
        "serverIPAddress": "192.0.2.7",
        "startedDateTime": "2026-01-05T09:00:02.000Z",
        "time": 84.62699999999913,
        "timings": {"blocked": 1.5, "dns": -1, "ssl": -1, "connect": -1, "send": 0.2, "wait": 80.1, "receive": 2.8, "_blocked_queueing": 1.1}
      },
      {
        "request": {"method": "GET", "url": "https://ads.example.net/x", "httpVersion": "", "headers": [], "queryString": [], "cookies": [], "headersSize": -1, "bodySize": 0},
        "response": {"status": 0, "statusText": "", "httpVersion": "", "headers": [], "cookies": [], "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "", "headersSize": -1, "bodySize": -1, "_transferSize": 0, "_error": "net::ERR_BLOCKED_BY_CLIENT"},
        "startedDateTime": "2026-01-05T09:00:01.000Z", "time": -1, "cache": {}, "timings": {"send": 0, "wait": 0, "receive": 0}
      }
    ]
  }
}"#;

/// As Firefox saves it: offsets in times, a form as `params`, a large body left out, `null` in places.
const FIREFOX: &str = r#"{"log": {"version": "1.2", "creator": {"name": "Firefox", "version": "140.0"}, "browser": {"name": "Firefox", "version": "140.0"}, "pages": [], "entries": [
  {"startedDateTime": "2026-01-05T10:00:00.000+01:00", "request": {"bodySize": 12, "method": "POST", "url": "https://crm.example.com/api/login", "httpVersion": "HTTP/2", "headers": [{"name": "Content-Type", "value": "application/x-www-form-urlencoded"}], "cookies": [], "queryString": [], "headersSize": 300, "postData": {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a", "value": "1 2"}, {"name": "b", "value": "中"}], "text": ""}}, "response": {"status": 302, "statusText": "Found", "httpVersion": "HTTP/2", "headers": [{"name": "Location", "value": "/home"}], "cookies": [], "content": {"mimeType": "text/plain", "size": 0, "text": ""}, "redirectURL": "/home", "headersSize": 0, "bodySize": 0}, "cache": {}, "timings": {"blocked": 0, "dns": 0, "connect": 0, "ssl": 0, "send": 0, "wait": 5, "receive": 0}, "time": 5, "_securityState": "secure", "pageref": null},
  {"startedDateTime": "2026-01-05T10:00:01.000+01:00", "request": {"bodySize": 0, "method": "GET", "url": "https://crm.example.com/api/export", "httpVersion": "HTTP/2", "headers": [], "cookies": [], "queryString": [], "headersSize": 0}, "response": {"status": 200, "statusText": "OK", "httpVersion": "HTTP/2", "headers": [], "cookies": [], "content": {"mimeType": "application/zip", "size": 50000000}, "redirectURL": "", "headersSize": 0, "bodySize": 50000000}, "cache": {}, "timings": {"send": 0, "wait": 0, "receive": 0}, "time": null}
]}}"#;

fn load(text: &str) -> Recording {
    Recording::from_json(text.as_bytes(), "browser.har").unwrap()
}

fn refused(text: &[u8]) -> String {
    Recording::from_json(text, "browser.har").unwrap_err().to_string()
}

#[test]
fn chromes_har_is_read() {
    let recording = load(CHROME);
    assert_eq!(recording.case(), None);
    let [points, blocked] = recording.exchanges() else {
        panic!("two")
    };
    assert_eq!(
        points.request.url.as_str(),
        "https://crm.example.com/api/v1/points?dry=1"
    );
    assert_eq!(points.request.headers.len(), 2, "no pseudo-headers");
    assert_eq!(points.duration.as_micros(), 84_627);
    let Outcome::Answer(answer) = &points.outcome else {
        panic!("answer")
    };
    assert_eq!(answer.body, "{\"ok\":true}");
    let headers: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        headers,
        ["x-id", "content-type"],
        "nothing about the bytes on the wire, and the type of the content"
    );
    assert_eq!(answer.broken, None);
    assert_eq!(
        blocked.outcome,
        Outcome::Failed {
            error: "net::ERR_BLOCKED_BY_CLIENT".to_owned()
        }
    );
}

#[test]
fn firefoxs_har_is_read() {
    let recording = load(FIREFOX);
    let [login, export] = recording.exchanges() else {
        panic!("two")
    };
    assert_eq!(login.request.body, "a=1+2&b=%E4%B8%AD");
    assert_eq!(login.started.to_string(), "2026-01-05T09:00:00Z");
    assert_eq!(
        export.outcome,
        Outcome::Failed {
            error: Outcome::NO_BODY.to_owned()
        }
    );
}

#[test]
fn what_others_wrote_is_not_lost() {
    for text in [CHROME, FIREFOX] {
        let after = Json::parse(&load(text).to_json()).unwrap();
        assert_eq!(after, Json::parse(text).unwrap());
    }
}

#[test]
fn a_browsers_har_replays_below_the_base_url_of_the_run() {
    let base_url = Url::parse("https://crm.example.com/api").unwrap();
    let player = Player::new(load(CHROME), &base_url);
    let mut sent = request("POST", "", "{ \"qty\" : 10 }");
    sent.url = Url::parse("https://crm.example.com/api/v1/points?dry=1").unwrap();
    assert_eq!(
        body(player.serve(Role::Operation, Some(0), &sent).unwrap()),
        "{\"ok\":true}"
    );
}

#[test]
fn equals_of_a_har_in_any_order_are_served_by_their_times() {
    let entry = |time: &str, text: &str| {
        json!({"startedDateTime": time, "request": {"method": "get", "url": "http://127.0.0.1:8080/crm/a"},
               "response": {"status": 200, "content": {"text": text}}})
    };
    let entries = [
        entry("2026-01-05T09:00:03Z", "third"),
        entry("2026-01-05T10:00:01+0100", "first"),
        entry("2026-01-05T09:00:02", "second"),
    ];
    let player = Player::new(load(&json!({"log": {"entries": entries}}).to_string()), &base());
    for expected in ["first", "second", "third"] {
        assert_eq!(
            body(
                player
                    .serve(Role::Operation, None, &request("GET", "a", ""))
                    .unwrap()
            ),
            expected
        );
    }
}

#[test]
fn a_query_may_stand_beside_the_address_only() {
    let text = json!({"log": {"entries": [{
        "request": {"method": "GET", "url": "http://a.example/b", "queryString": [{"name": "x y", "value": "&"}]},
        "response": {"status": 204},
    }]}});
    assert_eq!(
        load(&text.to_string()).exchanges()[0].request.url.as_str(),
        "http://a.example/b?x+y=%26"
    );
}

#[test]
fn a_byte_order_mark_is_no_matter() {
    let text = format!("\u{feff}{FIREFOX}");
    assert_eq!(load(&text).exchanges().len(), 2);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let ours = |case: &str, rest: &str| format!(r#"{{"log": {{"entries": [], "_case": {case}{rest}}}}}"#);
    let case = r#"{"group": "g", "operation": "o", "baseUrl": "http://a.example", "items": [{}, {}]"#;
    let rows = [
        (
            "[1]".to_owned(),
            "`the document`: expected an object, found a list",
        ),
        ("{}".to_owned(), "`log`: expected a HAR log, found nothing"),
        (
            r#"{"log": {}}"#.to_owned(),
            "`log.entries`: expected a list of exchanges, found nothing",
        ),
        (
            r#"{"log": {"entries": {}}}"#.to_owned(),
            "`log.entries`: expected a list, found an object",
        ),
        (
            ours(&format!(r#"{case}, "results": [null]}}"#), ""),
            "`log._case.results`: expected 2 results, one for each item, found 1",
        ),
        (
            ours(
                &format!(r#"{case}, "results": [null, {{"output": [], "error": {{}}}}]}}"#),
                "",
            ),
            "`log._case.results[1]`: expected an object with either `output` or `error`, found an object",
        ),
        (
            ours(&format!(r#"{case}, "onFailure": "retry"}}"#), ""),
            "`log._case.onFailure`: expected `stop` or `continue`, found \"retry\"",
        ),
        (
            ours(
                &format!("{case}}}"),
                r#", "_calls": [null, {"clock": "2026-01-05T09:00:00Z", "seed": 7}]"#,
            ),
            "`log._calls[1].seed`: expected a text, found the number 7",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(
            refused(text.as_bytes()),
            format!("`browser.har`: {expected}"),
            "{text}"
        );
    }
}

#[test]
fn a_file_that_is_no_har_is_told_by_its_fault() {
    let whole = recorded([operation(request("GET", "a", ""), "x")]).to_json();
    for end in [1, whole.len() / 2, whole.len() - 3] {
        let error = refused(&whole.as_bytes()[..end]);
        assert!(
            error.contains("expected a whole HAR document, found its end in the middle of line"),
            "{error}"
        );
    }
    for garbage in [&b""[..], b"  ", b"<html>", b"{\"log\": \xff}", b"{}{}"] {
        let error = refused(garbage);
        assert!(
            error.starts_with("`browser.har`: expected a HAR document, found text that is not JSON: "),
            "{error}"
        );
    }
}

#[test]
fn deep_nesting_is_refused_and_overflows_nothing() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let text = format!("{{\"log\": {}1{}}}", open.repeat(10_000), close.repeat(10_000));
        assert_eq!(
            refused(text.as_bytes()),
            "`browser.har`: expected nesting of at most 120 levels, found more"
        );
    }
    let brackets = "[{\\\"".repeat(10_000);
    let text = format!(r#"{{"log": {{"entries": [], "comment": "{brackets}"}}}}"#);
    assert_eq!(
        load(&text).comment().unwrap().len(),
        30_000,
        "brackets in a text are no nesting"
    );
}
