//! Inputs of a run: rows 94 to 96.

use std::process::Command;
use std::time::Duration;

use nodule::RunOptions;
use nodule::rate::Rate;
use nodule::retry::Retry;
use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, Setup, command, file, finished, kinds};
use crate::guests::{CALLS, COMPLAINS};
use crate::server::{NOWHERE, Server, ok, within};

/// An item whose line never finishes fails alone, and is not kept in memory.
pub async fn endless_items(bench: &Bench) {
    // The command runs nodes in one way only.
    if !bench.turns {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let credential = json!({"baseUrl": NOWHERE, "secret": SECRET, "mode": "none"});
    std::fs::write(at("credential.json"), credential.to_string()).unwrap();
    let long = format!("{{\"n\":2,\"text\":\"{}\"}}", "a".repeat(17 << 20));
    std::fs::write(at("items.jsonl"), format!("{{\"n\":1}}\n{long}\n{{\"n\":3}}\n")).unwrap();
    let mut run = Command::new(command());
    run.env("NODULE_CACHE_DIR", at("cache"))
        .current_dir(folder.path());
    run.arg("run")
        .arg(file(COMPLAINS))
        .args(["things", "read", "--items", "items.jsonl"]);
    run.args(["--credential", "credential.json"]);
    let done = finished(run).await;
    let results: Vec<Value> = String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(
        (&results[0]["json"]["n"], &results[2]["json"]["n"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(
        results[1]["error"]["kind"], "invalid-input",
        "{}",
        results[1]["item"]
    );
}

/// A folder of cases that came with a node: no case is written through a link in it.
pub async fn linked_cases(bench: &Bench) {
    if !bench.turns {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let check = |cases: &str| {
        let mut check = Command::new(command());
        check.env("NODULE_CACHE_DIR", folder.path().join("cache"));
        check
            .arg("check")
            .arg(file(COMPLAINS))
            .arg(folder.path().join(cases));
        check.arg("--write-skeletons");
        finished(check)
    };
    let linked_folder = folder.path().join("folder");
    std::fs::create_dir(&linked_folder).unwrap();
    std::os::unix::fs::symlink(&outside, linked_folder.join("things")).unwrap();
    let linked_file = folder.path().join("file/things");
    std::fs::create_dir_all(&linked_file).unwrap();
    std::os::unix::fs::symlink(outside.join("profile"), linked_file.join("read.toml")).unwrap();
    for cases in ["folder", "file"] {
        let done = check(cases).await;
        assert_eq!(done.status.code(), Some(2), "{cases}");
        let written = std::fs::read_dir(&outside).unwrap().count();
        assert_eq!(written, 0, "{cases}: written outside");
    }
    std::fs::create_dir(folder.path().join("honest")).unwrap();
    check("honest").await;
    assert!(folder.path().join("honest/things/read.toml").is_file());
}

/// Huge times, rates and slot counts: an engine passes on what its user wrote.
pub async fn numbers(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CALLS, server.origin()).await;
    let ever = Duration::MAX;
    let patient = Retry::default().tries(u32::MAX).item_time(ever).waits(ever, ever);
    let slow = Rate::new(1, ever).unwrap();
    let item = json!({"requests": [{"url": server.origin()}]});
    for options in [
        RunOptions::default().retry(patient),
        RunOptions::default().run_time(ever),
        RunOptions::default().rate(slow),
        RunOptions::default().concurrency(usize::MAX),
        // Eight times this number overflows to zero.
        RunOptions::default().concurrency(1 << 61),
    ] {
        let runner = setup.runner();
        let run = runner.execute("things", "read", vec![item.clone()], &options);
        let results = within(&format!("{options:?}"), run).await.unwrap();
        assert_eq!(kinds(&results), ["ok"], "{options:?}");
    }
}
