//! The recorded cases, and what `nodule check` reports about broken ones.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{
    assert_every_operation, cases, component, described, expect, nodule, recordings, root, stderr, stdout,
};

fn check(dir: &Path, code: i32) -> (String, String) {
    let output = expect(nodule().arg("check").arg(component()).arg(dir), code);
    (stdout(&output), stderr(&output))
}

/// A folder with this case only, changed.
fn changed(case: &str, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(case);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut recording: Value = serde_json::from_slice(&std::fs::read(cases().join(case)).unwrap()).unwrap();
    change(&mut recording);
    std::fs::write(path, recording.to_string()).unwrap();
    dir
}

#[test]
fn every_operation_has_a_case_and_every_case_passes() {
    let (out, _) = check(&cases(), 0);
    let all = recordings().len();
    assert!(
        out.ends_with(&format!("\n{all} passed, 0 failed\n")),
        "{out}\n`UPDATE=1 make test` records cases that are missing"
    );
}

#[test]
fn every_recording_is_of_a_case_in_the_list_and_every_case_has_one() {
    let text = std::fs::read(root().join("host-test/cases.json")).unwrap();
    let listed: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let of = |case: &Value| cases().join(format!("{}.har", case["case"].as_str().unwrap()));
    let mut listed: Vec<_> = listed.iter().map(of).collect();
    let mut recorded = recordings();
    listed.sort();
    recorded.sort();
    assert_eq!(recorded, listed);
}

/// The operations that the simulator supports, and one whose item it does not know.
#[test]
fn a_case_is_added_and_recorded_for_each_operation_that_has_none() {
    let without = ["consumer/createConsumer", "order/getTransactionDetail"];
    let top = tempfile::tempdir().unwrap();
    for name in ["target", "node"] {
        std::os::unix::fs::symlink(root().join(name), top.path().join(name)).unwrap();
    }
    let listed = std::fs::read_to_string(root().join("host-test/cases.json")).unwrap();
    let is_kept = |line: &&str| !without.iter().any(|name| line.contains(&format!("\"{name}\"")));
    let kept: Vec<&str> = listed.lines().filter(is_kept).collect();
    let file = top.path().join("host-test/cases.json");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, kept.join("\n") + "\n").unwrap();
    for path in recordings() {
        let name = path.strip_prefix(cases()).unwrap();
        if !without.contains(&name.with_extension("").to_str().unwrap()) {
            let copy = top.path().join("host-test/cases").join(name);
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::copy(path, copy).unwrap();
        }
    }

    let mut record = Command::new(env!("CARGO_BIN_EXE_record"));
    expect(record.arg("--missing").current_dir(top.path()), 0);

    let (out, _) = check(&top.path().join("host-test/cases"), 0);
    assert!(out.ends_with(" passed, 0 failed\n"), "{out}");
    let listed: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let added = listed.iter().rev().take(2).rev();
    let added: Vec<_> = added
        .map(|case| (case["case"].as_str().unwrap(), case.get("answer").is_some()))
        .collect();
    assert_eq!(added, [(without[0], false), (without[1], true)]);
}

#[test]
fn an_operation_without_a_case_fails_with_the_name_of_the_file_to_write() {
    let dir = changed("points/adjustPoints.har", |_| {});
    let (out, err) = check(dir.path(), 1);
    let file = dir.path().join("member/getMember.har");
    assert!(
        out.contains(&format!(
            "MISSING member getMember: no case that succeeds\n        expected {}",
            file.display()
        )),
        "{out}"
    );
    assert!(!out.contains("MISSING points adjustPoints"), "{out}");
    let others = described().operations.len() - 1;
    assert!(out.ends_with(&format!("1 passed, {others} failed\n")), "{out}");
    assert!(err.contains("hint:"), "{err}");
}

#[test]
fn a_skeleton_is_what_a_case_is_recorded_from() {
    let dir = changed("points/adjustPoints.har", |_| {});
    let mut check = nodule();
    check.arg("check").arg(component()).arg(dir.path());
    let out = stdout(&expect(check.arg("--write-skeletons"), 1));
    let file = dir.path().join("member/getMember.toml");
    let wrote = format!(
        "wrote {}: fill in its items and record it by `nodule record`",
        file.display()
    );
    assert!(out.contains(&wrote), "{out}");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "[[items]]\ncardNo = \"\"\n"
    );
}

#[test]
fn a_case_whose_declared_request_is_not_what_was_called_fails() {
    let dir = changed("member/getMember.har", |recording| {
        let entry = &mut recording["log"]["entries"][1]["request"];
        let url = entry["url"]
            .as_str()
            .unwrap()
            .replace("/v1/member/", "/v1/consumer/");
        entry["url"] = url.into();
    });
    let (out, _) = check(dir.path(), 1);
    assert!(
        out.contains("declared `GET /v1/member/{cardNo}`, called `GET /v1/consumer/M17`"),
        "{out}"
    );

    let dir = changed("member/getMember.har", |recording| {
        recording["log"]["_case"]["declared"]["path"] = "/v1/members/{cardNo}".into();
    });
    let (out, _) = check(dir.path(), 1);
    assert!(
        out.contains("recorded when the operation declared `GET /v1/members/{cardNo}`"),
        "{out}"
    );
}

#[test]
fn another_result_another_request_and_a_request_too_many_each_fail() {
    let dir = changed("member/getMember.har", |recording| {
        recording["log"]["_case"]["results"][1]["output"][0]["data"]["name"] = "Nobody".into();
    });
    let (out, _) = check(dir.path(), 1);
    assert!(out.contains("item 1: expected"), "{out}");

    let dir = changed("points/adjustPoints.har", |recording| {
        let text = &mut recording["log"]["entries"][1]["request"]["postData"]["text"];
        *text = text
            .as_str()
            .unwrap()
            .replace("\"pointValue\":50", "\"pointValue\":51")
            .into();
    });
    let (out, _) = check(dir.path(), 1);
    assert!(
        out.contains("/pointValue"),
        "the first difference is named: {out}"
    );
    assert!(out.contains("recorded and never sent"), "{out}");

    let dir = changed("member/getMember.har", |recording| {
        let entries = recording["log"]["entries"].as_array_mut().unwrap();
        entries.push(entries[2].clone());
    });
    let (out, _) = check(dir.path(), 1);
    assert!(out.contains("`log.entries[3]`: recorded and never sent"), "{out}");
}

#[test]
fn a_file_that_is_no_recording_is_named_and_does_not_hide_the_others() {
    let dir = changed("member/getMember.har", |_| {});
    std::fs::write(dir.path().join("member/getMember-broken.har"), "{\"log\":").unwrap();
    let (out, _) = check(dir.path(), 1);
    assert!(out.contains("FAILED  member/getMember-broken.har"), "{out}");
    assert!(out.contains("ok      member/getMember.har"), "{out}");
}

#[test]
fn recordings_say_that_they_were_made_against_the_simulator_and_hold_no_secret() {
    let mut seen = HashSet::new();
    for path in recordings() {
        let text = std::fs::read_to_string(&path).unwrap();
        let recording: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            recording["log"]["_recordedAgainst"],
            "simulator",
            "{}",
            path.display()
        );
        for secret in [simulator::DEMO_APP_SECRET, "not-the-demo-secret"] {
            assert!(!text.contains(secret), "{}", path.display());
        }
        let [group, operation] = ["group", "operation"].map(|name| &recording["log"]["_case"][name]);
        seen.insert((
            group.as_str().unwrap().to_owned(),
            operation.as_str().unwrap().to_owned(),
        ));
    }
    assert_every_operation(&seen);
}
