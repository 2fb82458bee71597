//! HARs as other tools write them: one recording, changed in each way that was seen, and what a replay does with it.

use serde_json::{Value, json};

use super::{super::Player, *};

/// A log as a browser saves it: a token exchange and an operation.
fn log() -> Value {
    json!({"log": {"version": "1.2", "creator": {"name": "Browser", "version": "1"}, "pages": [], "entries": [
        {
            "startedDateTime": "2026-01-05T09:00:00.000Z", "time": 5, "cache": {}, "timings": {"send": 0, "wait": 5, "receive": 0},
            "request": {"method": "POST", "url": format!("{BASE}token"), "httpVersion": "HTTP/2", "headers": [], "queryString": [],
                "cookies": [], "headersSize": -1, "bodySize": 12, "postData": {"mimeType": "application/json", "text": "{\"secret\":1}"}},
            "response": {"status": 200, "statusText": "", "headers": [], "content": {"size": 5, "mimeType": "application/json",
                "text": "token"}, "bodySize": 5},
        },
        {
            "startedDateTime": "2026-01-05T09:00:01.000Z", "time": 5, "cache": {}, "timings": {"send": 0, "wait": 5, "receive": 0},
            "request": {"method": "POST", "url": format!("{BASE}v1/points?b=2&a=1"), "headers": [
                {"name": ":method", "value": "POST"}, {"name": "Content-Type", "value": "application/json; charset=utf-8"},
                {"name": "sec-ch-ua", "value": "\"Browser\""}, {"name": "cookie", "value": "a=b"},
            ], "queryString": [{"name": "b", "value": "2"}, {"name": "a", "value": "1"}], "cookies": [], "headersSize": -1, "bodySize": 9,
                "postData": {"mimeType": "application/json", "text": "{\"qty\":1}"}},
            "response": {"status": 200, "statusText": "OK", "headers": [{"name": "Content-Type", "value": "application/json"},
                {"name": "Content-Length", "value": "12"}], "content": {"size": 12, "mimeType": "application/json",
                "text": "{\"ok\":\"yes\"}"}, "bodySize": 12},
        },
    ]}})
}

/// The operation's entry.
fn own(log: &mut Value) -> &mut Value {
    &mut log["log"]["entries"][1]
}

/// An additional first entry: another tool's request to another service.
fn other(log: &mut Value) -> &mut Value {
    let mut entry = own(log).clone();
    entry["request"]["method"] = json!("GET");
    entry["request"]["url"] = json!("http://other.example/x");
    entry["request"].as_object_mut().unwrap().remove("postData");
    let entries = log["log"]["entries"].as_array_mut().unwrap();
    entries.insert(0, entry);
    &mut entries[0]
}

fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}

/// Whether the token and the operation are served, and how many entries could not be read.
fn replayed(text: &[u8]) -> Result<(String, usize), String> {
    let recording = Recording::from_json(text, "browser.har").map_err(|error| error.to_string())?;
    let unreadable = recording.unreadable().len();
    let player = Player::new(recording, &base());
    let token = player.serve(
        Role::Authentication,
        None,
        &request("POST", "token", "{\"secret\":2}"),
    );
    assert_eq!(token.map(body).map_err(|miss| miss.to_string()), Ok("token"));
    let sent = request("POST", "v1/points?a=1&b=2", "{ \"qty\" : 1 }");
    let served = player.serve(Role::Operation, Some(0), &sent);
    served
        .map(|outcome| (body(outcome).to_owned(), unreadable))
        .map_err(|miss| format!("{miss}; {}", miss.hint()))
}

/// Its headers are all that a HEAD is asked for.
#[test]
fn the_length_that_a_head_says_is_kept() {
    let mut log = log();
    let entry = own(&mut log);
    entry["request"]["method"] = json!("HEAD");
    remove(&mut entry["request"], "postData");
    entry["response"]["content"] = json!({"size": 0, "mimeType": "", "text": ""});
    let recording = Recording::from_json(log.to_string().as_bytes(), "browser.har").unwrap();
    let player = Player::new(recording, &base());
    let sent = request("HEAD", "v1/points?a=1&b=2", "");
    let Ok(Outcome::Answer(answer)) = player.serve(Role::Operation, Some(0), &sent) else {
        panic!("no answer");
    };
    let length = answer
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    assert_eq!(length.map(|(_, value)| value.as_str()), Some("12"));
}

type Change = fn(&mut Value);

/// Changes that are read.
const READ: &[(&str, Change)] = &[
    ("nothing", |_| {}),
    ("status: text", |log| {
        own(log)["response"]["status"] = json!(" 200 ");
    }),
    ("status: float", |log| {
        own(log)["response"]["status"] = json!(200.0);
    }),
    ("started: empty", |log| own(log)["startedDateTime"] = json!("")),
    ("started: null", |log| own(log)["startedDateTime"] = Value::Null),
    ("started: object", |log| own(log)["startedDateTime"] = json!({})),
    ("started: epoch", |log| {
        own(log)["startedDateTime"] = json!(1_574_159_234_000_i64);
    }),
    ("started: local", |log| {
        own(log)["startedDateTime"] = json!("2026-01-13T15:41:11.497000");
    }),
    ("started: mail", |log| {
        own(log)["startedDateTime"] = json!("Tue, 19 Nov 2019 10:27:14 GMT");
    }),
    ("started: 24 h", |log| {
        own(log)["startedDateTime"] = json!("2016-12-31T24:00:00Z");
    }),
    ("started: year 1", |log| {
        own(log)["startedDateTime"] = json!("0001-01-01T00:00:00.0000000-05:00");
    }),
    ("started: absent", |log| remove(own(log), "startedDateTime")),
    ("time: text", |log| own(log)["time"] = json!("12ms")),
    ("url: blank behind", |log| {
        own(log)["request"]["url"] = json!(format!("{BASE}v1/points?a=1&b=2 "));
    }),
    ("url: upper case", |log| {
        own(log)["request"]["url"] = json!("HTTP://127.0.0.1:8080/crm/v1/points?a=1&b=2#top");
    }),
    ("url: query apart", |log| {
        own(log)["request"]["url"] = json!(format!("{BASE}v1/points"));
    }),
    ("query: object", |log| {
        own(log)["request"]["url"] = json!(format!("{BASE}v1/points"));
        own(log)["request"]["queryString"] = json!({"a": 1, "b": "2"});
    }),
    ("method: lower case", |log| {
        own(log)["request"]["method"] = json!("post");
    }),
    ("headers: object", |log| {
        own(log)["response"]["headers"] = json!({"content-type": "a/b", "x": ["1", "2"]});
    }),
    ("headers: pairs", |log| {
        own(log)["response"]["headers"] = json!([["content-type", "a/b"]]);
    }),
    ("headers: number", |log| {
        own(log)["response"]["headers"] = json!([{"name": "content-length", "value": 12}]);
    }),
    ("headers: no name", |log| {
        own(log)["response"]["headers"] = json!([{"value": "x"}, {"name": null, "value": "x"}, 7, null]);
    }),
    ("headers: line break", |log| {
        own(log)["response"]["headers"] = json!([{"name": "x\r\ny", "value": "a\r\nb"}]);
    }),
    ("headers: none", |log| {
        remove(&mut own(log)["request"], "headers");
        remove(&mut own(log)["response"], "headers");
    }),
    ("type: plain text", |log| {
        own(log)["request"]["headers"] =
            json!([{"name": "content-type", "value": "text/plain;charset=UTF-8"}]);
    }),
    ("body: a text alone", |log| {
        own(log)["request"]["postData"] = json!("{\"qty\":1}");
    }),
    ("body: JSON", |log| {
        own(log)["request"]["postData"]["text"] = json!({"qty": 1});
    }),
    ("body: as content", |log| {
        let data = own(log)["request"]["postData"].take();
        own(log)["request"]["content"] = data;
    }),
    ("body: fields, too", |log| {
        own(log)["request"]["postData"]["params"] = json!([{"name": "x", "value": {"y": 1}}]);
    }),
    ("answer: base64", |log| {
        own(log)["response"]["content"] = json!({"encoding": "base64", "text": "eyJvayI6InllcyJ9"});
    }),
    ("answer: base64 in lines", |log| {
        own(log)["response"]["content"] = json!({"encoding": "Base64", "text": "eyJvayI6\r\nInllcyJ9\n"});
    }),
    ("answer: a character set", |log| {
        own(log)["response"]["content"]["encoding"] = json!("UTF-8");
    }),
    ("answer: a text alone", |log| {
        own(log)["response"]["content"] = json!("{\"ok\":\"yes\"}");
    }),
    ("answer: JSON", |log| {
        own(log)["response"]["content"]["text"] = json!({"ok": "yes"});
    }),
    ("error: null", |log| own(log)["response"]["_error"] = Value::Null),
    ("error: object", |log| {
        own(log)["_error"] = json!({"message": "x"});
    }),
    ("comment: object", |log| log["log"]["comment"] = json!({})),
    ("remarks of another tool", |log| {
        own(log)["_role"] = json!("fetch");
        own(log)["_item"] = json!("x");
        log["log"]["_recordedAgainst"] = json!(7);
    }),
    ("the other way round", |log| {
        log["log"]["entries"].as_array_mut().unwrap().reverse();
    }),
];

#[test]
fn whatever_a_tool_writes_of_the_exchange_itself_is_read_where_it_has_one_meaning() {
    for (name, change) in READ {
        let mut log = log();
        change(&mut log);
        let expected = Ok(("{\"ok\":\"yes\"}".to_owned(), 0));
        assert_eq!(replayed(log.to_string().as_bytes()), expected, "{name}");
    }
}

/// Changes that cannot be read, and why.
const UNREAD: &[(&str, Change, &str)] = &[
    (
        "entry: null",
        |log| *other(log) = Value::Null,
        "`log.entries[0]`: expected an object, found null",
    ),
    (
        "no response",
        |log| remove(other(log), "response"),
        "response`: expected a response, found nothing",
    ),
    (
        "response: null",
        |log| other(log)["response"] = Value::Null,
        "expected a response, found nothing",
    ),
    (
        "response: empty",
        |log| other(log)["response"] = json!({}),
        "status`: expected an HTTP status, or 0",
    ),
    (
        "status: empty",
        |log| other(log)["response"]["status"] = json!(""),
        "expected an HTTP status from 100",
    ),
    (
        "status: Windows",
        |log| other(log)["response"]["status"] = json!(12030),
        "found the number 12030",
    ),
    (
        "url: empty",
        |log| other(log)["request"]["url"] = json!(""),
        "expected an absolute URL",
    ),
    (
        "url: relative",
        |log| other(log)["request"]["url"] = json!("/foo?token=hush"),
        "expected an absolute URL",
    ),
    (
        "url: template",
        |log| other(log)["request"]["url"] = json!("{{baseUrl}}/x"),
        "expected an absolute URL",
    ),
    (
        "url: star",
        |log| other(log)["request"]["url"] = json!("*"),
        "expected an absolute URL",
    ),
    (
        "url: port",
        |log| other(log)["request"]["url"] = json!("http://a.example:99999/"),
        "invalid port number",
    ),
    (
        "method: empty",
        |log| other(log)["request"]["method"] = json!(""),
        "expected an HTTP method",
    ),
    (
        "method: null",
        |log| other(log)["request"]["method"] = Value::Null,
        "expected a method, found nothing",
    ),
    (
        "headers: text",
        |log| other(log)["request"]["headers"] = json!("a: b"),
        "expected a list of names and values",
    ),
    (
        "answer: packed",
        |log| other(log)["response"]["content"]["encoding"] = json!("gzip"),
        "found \"gzip\"",
    ),
    (
        "answer: no base64",
        |log| other(log)["response"]["content"] = json!({"encoding": "base64", "text": "REMOVED BY HAND"}),
        "expected base64, found other text",
    ),
];

#[test]
fn an_entry_that_cannot_be_read_hinders_no_other() {
    for (name, change, why) in UNREAD {
        let mut log = log();
        change(&mut log);
        let text = log.to_string();
        assert_eq!(
            replayed(text.as_bytes()),
            Ok(("{\"ok\":\"yes\"}".to_owned(), 1)),
            "{name}"
        );
        let [warning] = &load(&text).warnings()[..] else {
            panic!("{name}")
        };
        assert!(
            warning.starts_with(
                "`browser.har`: 1 of 3 entries could not be read: the first, entry 0: `log.entries[0]"
            ),
            "{warning}"
        );
        assert!(
            warning.contains(why) && !warning.contains("hush"),
            "{name}: {warning}"
        );
    }
}

#[test]
fn what_is_unrelated_and_odd_is_read() {
    let rows: &[(&str, Change)] = &[
        ("status: none", |log| other(log)["response"]["status"] = json!(-1)),
        ("tunnel", |log| {
            other(log)["request"]["url"] = json!("other.example:443");
        }),
        ("about", |log| other(log)["request"]["url"] = json!("about:blank")),
        ("data", |log| {
            other(log)["request"]["url"] = json!("data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP");
        }),
        ("blob", |log| {
            other(log)["request"]["url"] = json!("blob:https://a.example/2a4c");
        }),
        ("socket", |log| {
            other(log)["request"]["url"] = json!("wss://a.example/sock");
        }),
        ("fields: object", |log| {
            other(log)["request"]["postData"] = json!({"params": {"a": 1}});
        }),
        ("fields: no name", |log| {
            other(log)["request"]["postData"] = json!({"params": [{"value": 1}]});
        }),
        ("body: a number", |log| {
            other(log)["request"]["postData"] = json!({"text": 7});
        }),
        ("started: cut", |log| {
            other(log)["startedDateTime"] = json!("+03:002021-11-23T17:34:45.082");
        }),
    ];
    for (name, change) in rows {
        let mut log = log();
        change(&mut log);
        let expected = Ok(("{\"ok\":\"yes\"}".to_owned(), 0));
        assert_eq!(replayed(log.to_string().as_bytes()), expected, "{name}");
    }
}

#[test]
fn an_answer_whose_body_was_not_saved_says_so() {
    let rows: &[(&str, Change)] = &[
        ("no text", |log| {
            remove(&mut own(log)["response"]["content"], "text");
        }),
        ("a file beside", |log| {
            own(log)["response"]["content"] = json!({"size": 12, "_file": "abc.json"});
        }),
        ("text: null", |log| {
            own(log)["response"]["content"] = json!({"size": 0, "text": null});
        }),
        ("no content", |log| remove(&mut own(log)["response"], "content")),
    ];
    for (name, change) in rows {
        let mut log = log();
        change(&mut log);
        let error = replayed(log.to_string().as_bytes()).unwrap_err();
        assert!(
            error.starts_with("`POST /v1/points?a=1&b=2`: body-not-recorded: `log.entries[1]` says that the answer had a body"),
            "{name}: {error}"
        );
        assert!(
            error.contains("save the HAR with the contents"),
            "{name}: {error}"
        );
    }
    // These responses have no body.
    for (status, content) in [
        (204, json!(null)),
        (302, json!({"size": 0})),
        (200, json!({"size": 0})),
    ] {
        let mut log = log();
        let response = &mut own(&mut log)["response"];
        response["status"] = json!(status);
        response["content"] = content;
        if status == 200 {
            response["headers"] = json!([]);
            response["bodySize"] = json!(-1);
        }
        assert_eq!(
            replayed(log.to_string().as_bytes()),
            Ok((String::new(), 0)),
            "{status}"
        );
    }
}

#[test]
fn a_request_whose_entry_could_not_be_read_is_told_why() {
    let mut log = log();
    own(&mut log)["response"]["status"] = json!("ok");
    let error = replayed(log.to_string().as_bytes()).unwrap_err();
    assert!(
        error.contains(
            "; entry 1, of this method and path, could not be read: `log.entries[1].response.status`: expected an HTTP status from \
             100 to 999, or 0 for none, found \"ok\"; put that entry right"
        ),
        "{error}"
    );
}

#[test]
fn a_text_that_is_nearly_json_is_read() {
    let mut log = log();
    other(&mut log)["response"]["content"]["text"] = json!("@@");
    other(&mut log)["time"] = json!("%%");
    let text = log.to_string();
    let with = |content: &[u8], rest: &[u8]| -> Vec<u8> {
        let mut out = Vec::new();
        for (index, part) in text.split("@@").enumerate() {
            out.extend_from_slice(if index == 0 { b"" } else { content });
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(rest);
        out
    };
    let utf16 = |to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(to_bytes)
            .collect()
    };
    let rows = [
        ("high surrogate", with(br"a\ud83d", b""), 1),
        ("low surrogate", with(br"\udc00 x", b""), 1),
        ("a pair", with(br"\ud83d\ude00", b""), 0),
        ("pair of another kind", with(br"\ud83d\u0041", b""), 1),
        ("no UTF-8", with(b"\xff\xfe", b""), 2),
        ("controls", with(b"a\tb\0\n", b""), 0),
        ("escapes", with(br#"\\ud83d \" \\"#, b""), 0),
        ("zeros at the end", with(b"", &[0; 300]), 0),
        ("no number", text.replace("\"%%\"", "NaN").into_bytes(), 0),
        ("no end", text.replace("\"%%\"", "-Infinity").into_bytes(), 0),
        ("a mark", format!("\u{feff}{text}").into_bytes(), 0),
        ("UTF-16", utf16(u16::to_le_bytes), 0),
        ("UTF-16, the other", utf16(u16::to_be_bytes), 0),
    ];
    for (name, text, lost) in rows {
        assert_eq!(replayed(&text), Ok(("{\"ok\":\"yes\"}".to_owned(), 0)), "{name}");
        let warnings = Recording::from_json(&text, "browser.har").unwrap().warnings();
        let expected = (lost > 0)
            .then(|| format!("`browser.har`: {lost} characters are not Unicode and are read as U+FFFD"));
        assert_eq!(warnings, Vec::from_iter(expected), "{name}");
    }
    for (name, text) in [
        ("a comment", format!("/* by x */{text}")),
        ("a comma", text.replacen(']', ",]", 1)),
        ("twice", format!("{text}{text}")),
        ("nothing", " \n".to_owned()),
    ] {
        let error = replayed(text.as_bytes()).unwrap_err();
        assert!(error.contains("found text that is not JSON"), "{name}: {error}");
    }
    for (text, what) in [(&b"\x1f\x8b\x08"[..], "gzip"), (b"PK\x03\x04", "ZIP")] {
        assert_eq!(
            replayed(text).unwrap_err(),
            format!("`browser.har`: expected a HAR document, found a {what} file")
        );
    }
}

#[test]
fn twenty_thousand_foreign_entries_give_one_warning() {
    let mut log = log();
    let mut unread = other(&mut log).clone();
    unread["response"] = Value::Null;
    let entries = log["log"]["entries"].as_array_mut().unwrap();
    entries.extend((0..20_000).map(|_| unread.clone()));
    let recording = load(&log.to_string());
    let [warning] = &recording.warnings()[..] else {
        panic!("one")
    };
    assert!(
        warning.starts_with("`browser.har`: 20000 of 20003 entries could not be read"),
        "{warning}"
    );
    let player = Player::new(recording, &base());
    assert_eq!(
        player.unused().to_string(),
        "`log.entries[0]`: recorded and never sent: `GET http://other.example/x?a=1&b=2`, and 2 more"
    );
}

/// A page retries, and both responses are saved.
#[test]
fn a_token_exchange_is_the_first_of_its_method_and_path() {
    let mut log = log();
    let entries = log["log"]["entries"].as_array_mut().unwrap();
    let mut later = entries[0].clone();
    later["startedDateTime"] = json!("2026-01-05T10:00:00.000Z");
    later["response"]["content"]["text"] = json!("later");
    entries.insert(0, later);
    let player = Player::new(load(&log.to_string()), &base());
    let sent = request("POST", "token", "");
    for expected in ["token", "later"] {
        assert_eq!(
            body(player.serve(Role::Authentication, None, &sent).unwrap()),
            expected
        );
    }
    let miss = player.serve(Role::Authentication, None, &sent).unwrap_err();
    assert!(miss.hint().contains("method and path"), "{miss}");
    // A request of an operation is compared completely.
    let player = Player::new(load(&log.to_string()), &base());
    assert!(player.serve(Role::Operation, None, &sent).is_err());
}

fn load(text: &str) -> Recording {
    Recording::from_json(text.as_bytes(), "browser.har").unwrap()
}
