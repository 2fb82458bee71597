//! A written recording can be read, and a recording that was read is written back, to the byte.

use std::{fs, path::PathBuf};

use super::{super::Error, *};

/// One exchange of every kind.
fn everything() -> Vec<Exchange> {
    let mut binary = request("PUT", "v1/picture", "");
    binary.body = Bytes::from_static(&[0, 0xff, 0xfe, b'"']);
    let mut cut_off = answer("{\"half\":");
    if let Outcome::Answer(answer) = &mut cut_off {
        answer.broken = Some("connection-reset".to_owned());
    }
    vec![
        exchange(
            Role::Authentication,
            None,
            request("POST", "v1/auth/token", "{}"),
            answer("{\"code\":\"200\"}"),
        ),
        operation(
            request(
                "POST",
                "v1/points/%E4%BC%9A?名=值 1&emoji=🎉",
                "{\"n\":12345678901234567890,\"d\":1.0}",
            ),
            "{\"余额\":98765432109876543210}",
        ),
        exchange(
            Role::Operation,
            Some(1),
            binary,
            answer(Bytes::from_static(&[0x1f, 0x8b, 0xff, 0])),
        ),
        exchange(
            Role::Operation,
            Some(1),
            request("GET", "v1/reset", ""),
            Outcome::Failed {
                error: "connection-reset".to_owned(),
            },
        ),
        exchange(Role::Operation, None, request("GET", "v1/half", ""), cut_off),
        exchange(
            Role::Operation,
            None,
            request("DELETE", "v1/nothing", ""),
            answer(""),
        ),
    ]
}

/// A temporary folder, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nodule-recording-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_was_recorded_is_what_is_read() {
    let recording = recorded(everything());
    let mut expected = everything();
    expected[0].request.body = Bytes::from_static(b"redacted");
    assert_eq!(recording.exchanges(), expected);

    let read = Recording::from_json(recording.to_json().as_bytes(), "a.har").unwrap();
    assert_eq!(read.exchanges(), expected);
    assert_eq!(read.case(), recording.case());
    let case = read.case().unwrap();
    assert_eq!(
        (case.group.as_str(), case.operation.as_str()),
        ("points", "adjustPoints")
    );
    assert_eq!(case.on_failure, OnFailure::Continue);
    assert_eq!(case.base_url, base());
    assert_eq!(case.credential.as_deref(), Some("crmApi"));
    assert_eq!(
        case.items,
        [item(json!({"account": "A1"})), item(json!({"account": "A2"}))]
    );
    assert_eq!(read.component().unwrap(), &meta().component.unwrap());
    assert_eq!(read.recorded_against(), Some("simulator"));
    assert_eq!(read.comment(), Some("三项，第二项失败 🎉"));
}

#[test]
fn the_bytes_are_the_same_every_time() {
    let text = recorded(everything()).to_json();
    assert_eq!(recorded(everything()).to_json(), text);
    assert_eq!(
        Recording::from_json(text.as_bytes(), "a.har").unwrap().to_json(),
        text
    );
}

#[test]
fn the_document_is_har_with_ours_beside_it() {
    let document = Json::parse(&recorded(everything()).to_json()).unwrap();
    let log = &document["log"];
    assert_eq!(log["version"], "1.2");
    assert_eq!(log["creator"]["name"], "nodule");
    assert_eq!(log["_case"]["results"][0], json!({"output": [{"ok": true}]}));
    assert_eq!(
        log["_calls"][0],
        json!({"clock": "2026-01-01T00:00:00.123456789Z", "seed": "fffffffffffffffe"})
    );
    let entry = &log["entries"][1];
    assert_eq!(entry["startedDateTime"], "2026-01-01T00:00:00.123Z");
    assert_eq!(entry["time"].to_string(), "12.345");
    assert_eq!(entry["timings"]["wait"].to_string(), "12.345");
    assert_eq!(
        entry["request"]["queryString"][1],
        json!({"name": "emoji", "value": "🎉"})
    );
    assert_eq!(
        entry["request"]["postData"]["text"],
        "{\"n\":12345678901234567890,\"d\":1.0}"
    );
    assert_eq!(
        entry["response"]["content"]["text"],
        "{\"余额\":98765432109876543210}"
    );
    assert_eq!(log["entries"][2]["response"]["content"]["encoding"], "base64");
    assert_eq!(log["entries"][3]["response"]["status"], 0);
    assert_eq!(log["entries"][3]["_error"], "connection-reset");
}

#[test]
fn entries_stand_in_the_order_in_which_they_were_sent() {
    let mut late = operation(request("GET", "late", ""), "");
    late.started = "2026-01-02T00:00:00Z".parse().unwrap();
    let recording = recorded([late, operation(request("GET", "early", ""), "")]);
    let paths: Vec<&str> = recording
        .exchanges()
        .iter()
        .map(|exchange| exchange.request.url.path())
        .collect();
    assert_eq!(paths, ["/crm/early", "/crm/late"]);
}

#[test]
fn saving_replaces_the_file_whole() {
    let folder = Folder::new("save");
    let path = folder.0.join("a.har");
    fs::write(&path, "old").unwrap();
    let recording = recorded(everything());
    recording.save(&path, |_| false).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), recording.to_json());
    assert_eq!(Recording::load(&path).unwrap().exchanges(), recording.exchanges());
    assert_eq!(
        fs::read_dir(&folder.0).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn a_failed_save_leaves_nothing_behind() {
    let folder = Folder::new("fail");
    let taken = folder.0.join("a.har");
    fs::create_dir_all(taken.join("inside")).unwrap();
    let error = recorded([]).save(&taken, |_| false).unwrap_err();
    assert!(matches!(error, Error::Write { .. }), "{error}");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    let missing = Recording::load(&folder.0.join("none.har"))
        .unwrap_err()
        .to_string();
    assert!(missing.contains("none.har`: cannot be read"), "{missing}");
}

#[test]
fn a_case_that_could_not_be_read_again_is_not_saved() {
    let folder = Folder::new("deep");
    let deep = Json::parse(&format!("{}{}", "[".repeat(125), "]".repeat(125))).unwrap();
    let recording = Recorder::new(meta(), []).finish(vec![item(deep)]).unwrap();
    let error = recording.save(&folder.0.join("a.har"), |_| false).unwrap_err();
    assert!(matches!(error, Error::TooDeep { .. }), "{error}");
}

#[test]
fn an_item_without_result_or_call_stays_without() {
    let bare = Item {
        parameters: json!({}),
        result: None,
        call: None,
    };
    let failed = Item {
        result: Some(RecordedResult::Error(json!({"kind": "not-run"}))),
        ..bare.clone()
    };
    for items in [vec![bare.clone()], vec![bare, failed, item(json!({}))]] {
        let recording = Recorder::new(meta(), []).finish(items.clone()).unwrap();
        let read = Recording::from_json(recording.to_json().as_bytes(), "a.har").unwrap();
        assert_eq!(read.case().unwrap().items, items);
    }
}

#[test]
fn an_exchange_of_an_item_that_is_not_there_is_refused() {
    let recorder = Recorder::new(meta(), []);
    recorder.push(operation(request("GET", "a", ""), ""));
    let error = recorder.finish(Vec::new()).unwrap_err().to_string();
    assert_eq!(
        error,
        "`the new recording`: `log.entries[0]._item`: expected the index of one of 0 items, found the number 0"
    );
}

#[test]
fn a_thousand_exchanges_recorded_at_once_are_all_kept() {
    let recorder = Recorder::new(meta(), []);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..250).for_each(|_| recorder.push(operation(request("GET", "a", ""), ""))));
        }
    });
    assert_eq!(recorder.len(), 1000);
    assert_eq!(
        recorder.finish(vec![item(json!({}))]).unwrap().exchanges().len(),
        1000
    );
    assert!(recorder.is_empty());
}
