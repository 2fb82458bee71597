//! A node's failures, and how they are shown: rows 72 and 73.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nodule::text::is_deceptive;
use nodule::{Failure, RunOptions};
use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, Setup, command, file, finished, kinds, target};
use crate::guests::COMPLAINS;
use crate::heap::in_use;
use crate::server::NOWHERE;

const MIB: usize = 1 << 20;

/// Runs the work, and measures the most heap bytes that it uses on top of those in use before.
async fn most_in_use<T>(work: impl Future<Output = T>) -> (T, usize) {
    let over = Arc::new(AtomicBool::new(false));
    let before = in_use();
    let watch = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let mut most = 0;
            while !over.load(Ordering::SeqCst) {
                most = most.max(in_use());
                std::thread::sleep(Duration::from_micros(200));
            }
            most
        }
    });
    let result = work.await;
    over.store(true, Ordering::SeqCst);
    (result, watch.join().unwrap().saturating_sub(before))
}

/// Eight megabytes that a parser expands to hundreds, or examines in vain.
fn details() -> [Value; 5] {
    let detail = |head: &str, text: &str, tail: &str| json!({"head": head, "text": text, "tail": tail, "times": 8 * MIB / text.len()});
    [
        detail("[", "0,", "0]"),
        detail("{", "\"a\":{},", "\"a\":0}"),
        detail("", "[", ""),
        detail("", "{\"a\":", ""),
        detail("\"", "a", "\""),
    ]
}

fn say(what: &str, mut item: Value) -> Value {
    item["say"] = what.into();
    item
}

pub async fn long_failures(bench: &Bench) {
    let setup = Setup::new(bench, COMPLAINS, NOWHERE).await;
    for detail in details() {
        let items = vec![say("detail", detail.clone()), json!({"n": 1})];
        let (results, most) = most_in_use(setup.run(items)).await;
        assert_eq!(kinds(&results), ["noisy", "ok"], "{}", detail["head"]);
        let Err(Failure::Other { detail: None, .. }) = &results[0] else {
            panic!("{:?}", detail["text"])
        };
        assert!(most < 64 * MIB, "{} took {} MiB", detail["text"], most / MIB);
    }
    // A document that is parsed stays small: 64 KiB could be 32,768 numbers.
    let within = say(
        "detail",
        json!({"head": "[", "text": "0,", "tail": "0]", "times": 30_000}),
    );
    let results = setup.run(vec![within]).await;
    assert!(matches!(results[0], Err(Failure::Other { detail: None, .. })));
    let small = say("detail", json!({"head": "{\"a\":", "text": "1", "tail": "}"}));
    let results = setup.run(vec![small]).await;
    assert!(matches!(&results[0], Err(Failure::Other { detail: Some(detail), .. }) if detail["a"] == 1));
    // A failure of the call becomes a failure of each item.
    let problems = json!({"problems": 1_000, "text": "p", "times": 4_000, "whole": true});
    let many: Vec<Value> = (0..64).map(|_| say("problems", problems.clone())).collect();
    let (results, most) = most_in_use(setup.run(many)).await;
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Err(Failure::InvalidParameters(_))))
    );
    assert!(most < 128 * MIB, "problems took {} MiB", most / MIB);
    // Of a failure of one megabyte, only a small part is kept, whichever field it is in.
    for what in ["rejected", "unavailable", "kind", "problems"] {
        let item = say(what, json!({"text": "w", "times": MIB}));
        let before = in_use();
        let results = setup.run((0..12).map(|_| item.clone()).collect()).await;
        let kept = in_use().saturating_sub(before);
        assert!(results.iter().all(Result::is_err), "{what}");
        assert!(kept < 4 * MIB, "{what}: kept {} KiB", kept / 1024);
    }
    let kind = setup.run(vec![say("kind", json!({"text": "Some kind\n"}))]).await;
    assert_eq!(kinds(&kind), ["other"]);
    // `authenticate` does not bypass this.
    for detail in details().into_iter().take(2) {
        let mode = format!("say {}", say("detail", detail));
        let telling = Setup::new(bench, COMPLAINS, NOWHERE).await.mode(&mode);
        let (results, most) = most_in_use(telling.run(vec![json!({})])).await;
        assert_eq!(kinds(&results), ["authentication"]);
        assert!(most < 128 * MIB, "authenticate took {} MiB", most / MIB);
    }
}

/// Clears the screen, sets colours and a title, changes the direction of writing, hides text, and starts a new line.
const CONTROLS: &str =
    "x\u{1b}[2J\u{1b}[31mred\u{1b}]0;t\u{7}\u{9b}31m\u{7f}\u{202e}\u{200b}\u{e0041}\r\nerror: forged";

/// A command that prints as in a terminal, with its styles.
fn nodule(folder: &Path) -> Command {
    let mut command = Command::new(command());
    command
        .env("NODULE_CACHE_DIR", folder.join("cache"))
        .env("CLICOLOR_FORCE", "1")
        .current_dir(folder);
    command
}

/// Asserts that the output has no terminal controls except the command's own styles, and no forged line. Returns the
/// plain text.
fn harmless(what: &str, printed: &[u8]) -> String {
    let text = String::from_utf8(printed.to_vec()).unwrap();
    assert!(!text.contains("\u{1b}[31mred"), "{what}: {text:?}");
    // A style is `ESC [ … m`.
    let mut plain = String::new();
    for (index, piece) in text.split("\u{1b}[").enumerate() {
        let (style, rest) = piece.split_once('m').filter(|_| index > 0).unwrap_or(("", piece));
        assert!(
            style.chars().all(|c| c.is_ascii_digit() || c == ';'),
            "{what}: {text:?}"
        );
        plain.push_str(rest);
    }
    let bad: Vec<char> = plain.chars().filter(|c| is_deceptive(*c) && *c != '\n').collect();
    assert!(bad.is_empty(), "{what}: {bad:?} in {plain:?}");
    assert!(
        !plain.lines().any(|line| line.starts_with("error: forged")),
        "{what}: {plain}"
    );
    plain
}

async fn shown(what: &str, command: Command) -> (Output, String) {
    let done = finished(command).await;
    harmless(what, &done.stdout);
    let told = harmless(what, &done.stderr);
    assert!(done.status.code().is_some(), "{what}: {told}");
    (done, told)
}

pub async fn terminal_controls(bench: &Bench) {
    library_errors(bench).await;
    // The command runs nodes in one way only.
    if !bench.turns {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let credential = at("credential.json");
    std::fs::write(
        &credential,
        json!({"baseUrl": NOWHERE, "secret": SECRET, "mode": "none"}).to_string(),
    )
    .unwrap();
    // Results, failures, notices, events and counts.
    let mut items: Vec<Value> = vec![
        say("output", json!({"text": CONTROLS})),
        say("rejected", json!({"text": CONTROLS})),
        say("kind", json!({"text": CONTROLS})),
        say("problems", json!({"text": CONTROLS})),
        say(
            "detail",
            json!({"head": "\"", "text": "\u{9b}\u{202e}", "tail": "\""}),
        ),
    ];
    // Enough failures that the service counts as down.
    items.extend((0..40).map(|_| say("unavailable", json!({"text": CONTROLS}))));
    let lines: Vec<String> = items.iter().map(Value::to_string).collect();
    std::fs::write(at("items.jsonl"), lines.join("\n")).unwrap();
    for format in ["text", "json"] {
        let mut run = nodule(folder.path());
        run.arg("run")
            .arg(file(COMPLAINS))
            .args(["things", "read", "--items", "items.jsonl"]);
        run.args([
            "--retries",
            "1",
            "--item-time",
            "2s",
            "--progress",
            "plain",
            "--log",
            format,
        ]);
        run.args(["--failed", "failed.jsonl", "--summary", "summary.json"]);
        run.arg("--credential").arg(&credential);
        let (done, told) = shown(&format!("run --log {format}"), run).await;
        // The service's text is for people; events contain none of it.
        let words = if format == "text" {
            ["forged", "does not answer"]
        } else {
            ["service-down", "summary"]
        };
        assert!(words.iter().all(|words| told.contains(words)), "{told}");
        assert_eq!(told.contains("forged"), format == "text", "{told}");
        let results: Vec<Value> = String::from_utf8(done.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // The values are unchanged.
        assert_eq!(results[0]["json"], CONTROLS);
        assert_eq!(results[1]["error"]["message"], CONTROLS);
        assert_eq!(results[3]["error"]["problems"][0]["label"], CONTROLS);
        assert_eq!(results[4]["error"]["detail"], "\u{9b}\u{202e}");
        harmless("the summary", &std::fs::read(at("summary.json")).unwrap());
        // The failed items are the user's own, unchanged for another run.
        let failed = std::fs::read_to_string(at("failed.jsonl")).unwrap();
        assert!(failed.lines().eq(lines.iter().skip(1).map(String::as_str)));
    }
    foreign_recordings(folder.path()).await;
    foreign_arguments(folder.path(), &credential).await;
}

/// A HAR by another author, in a folder by another author.
async fn foreign_recordings(folder: &Path) {
    let exchange = json!({
        "request": {"method": "GET", "url": "http://127.0.0.1/api/x\u{202e}", "headers": [{"name": CONTROLS, "value": CONTROLS}]},
        "response": {"status": 200, "headers": [], "content": {"text": CONTROLS}}, "_error": CONTROLS,
    });
    let case = |group: &str, path: &str, result: Value| {
        json!({"log": {"version": "1.2", "comment": CONTROLS, "entries": [exchange], "_case": {
            "group": group, "operation": "read", "baseUrl": "http://127.0.0.1/api",
            "declared": {"method": "GET", "path": path},
            "items": [say("output", json!({"text": CONTROLS}))], "results": [result],
        }}})
    };
    let cases = folder.join("cases");
    std::fs::create_dir_all(cases.join("things")).unwrap();
    let write = |name: &str, text: String| std::fs::write(cases.join(name), text).unwrap();
    let wrong = json!({"output": [CONTROLS, "another\u{9b}"]});
    write(
        "things/read.har",
        case("things", "/other", wrong.clone()).to_string(),
    );
    write(
        "things/read-path.har",
        case("things", CONTROLS, wrong.clone()).to_string(),
    );
    write(
        "things/read-group.har",
        case(CONTROLS, "/other", wrong).to_string(),
    );
    write(
        "things/read-url.har",
        json!({"log": {"entries": [{"request": {"method": CONTROLS}}]}}).to_string(),
    );
    write("things/read-json.har", format!("{{\"a\": {CONTROLS}"));
    write(
        &format!("things/read-{}.har", CONTROLS.replace('/', "")),
        "{}".to_owned(),
    );
    let mut check = nodule(folder);
    check.arg("check").arg(file(COMPLAINS)).arg(&cases);
    let done = finished(check).await;
    let told = harmless("check", &done.stdout);
    harmless("check", &done.stderr);
    assert!(
        told.matches("FAILED").count() == 6 && told.contains(r"\u{1b}[2J"),
        "{told}"
    );
    let mut run = nodule(folder);
    run.arg("run").arg(target().join("hostile/calls.wasm"));
    run.args([
        "things",
        "read",
        "--param",
        r#"requests:=[{"url": "http://127.0.0.1/api/other"}]"#,
    ]);
    run.arg("--replay").arg(cases.join("things/read.har"));
    let (_, told) = shown("replay", run).await;
    assert!(told.contains("recorded and never sent"), "{told}");
}

/// Arguments that a script builds from texts that it received, and files by other authors.
async fn foreign_arguments(folder: &Path, credential: &Path) {
    std::fs::write(
        folder.join("policy.toml"),
        format!(
            "\"{}\" = 1\n[limits]\n\"{}\" = 2\n",
            "a\\u001b[2J\\nerror: forged", "b\\u009b"
        ),
    )
    .unwrap();
    std::fs::write(folder.join("broken.toml"), "a = \u{202e}\u{9b}\n").unwrap();
    let guest = file(COMPLAINS);
    let guest = guest.to_str().unwrap();
    let run = ["run", guest, "things", "read"];
    let cases: Vec<Vec<&str>> = vec![
        vec![CONTROLS],
        vec!["run", guest, CONTROLS, "read"],
        vec!["run", guest, "things", CONTROLS],
        vec!["describe", CONTROLS],
        vec!["describe", guest, CONTROLS],
        vec!["describe", guest, "--digest", CONTROLS],
        vec!["describe", guest, "--format", CONTROLS],
        vec!["check", guest, CONTROLS],
        [&run[..], &["--param", CONTROLS]].concat(),
        [&run[..], &["--item-time", CONTROLS]].concat(),
        [&run[..], &["--rate", CONTROLS]].concat(),
        [&run[..], &["--allow", CONTROLS]].concat(),
        [&run[..], &["--policy", "policy.toml"]].concat(),
        [&run[..], &["--policy", "broken.toml"]].concat(),
        [&run[..], &["--policy", CONTROLS]].concat(),
        [&run[..], &["--credential", CONTROLS]].concat(),
        [&run[..], &["--replay", CONTROLS]].concat(),
    ];
    let with_credential = ["--credential", credential.to_str().unwrap()];
    let nowhere = format!("{CONTROLS}/none");
    let more = ["--items", "--output", "--failed", "--summary", "--journal"];
    let more = more.map(|flag| [&run[..], &with_credential, &[flag, &nowhere]].concat());
    for arguments in cases.into_iter().chain(more) {
        let mut command = nodule(folder);
        command.args(&arguments);
        let (done, told) = shown(&format!("{arguments:?}"), command).await;
        assert!(matches!(done.status.code(), Some(2 | 3)), "{arguments:?}: {told}");
        assert!(told.contains("error:"), "{arguments:?}: {told}");
    }
    // Not even valid Unicode.
    let mut command = nodule(folder);
    command
        .arg("describe")
        .arg(OsString::from_vec(b"\xff\x1b[2J\x9b".to_vec()));
    shown("other bytes", command).await;
}

/// Embedders print the library's errors.
async fn library_errors(bench: &Bench) {
    let policy = nodule::policy::Policy::from_toml("\"a\\u001b[2J\" = 1", CONTROLS).unwrap_err();
    let recording = nodule::recording::Recording::from_json(b"{}", CONTROLS).unwrap_err();
    let missing = nodule::recording::Recording::load(Path::new(CONTROLS)).unwrap_err();
    let file = bench.engine.load_file(CONTROLS).await.map(|_| ()).unwrap_err();
    let setup = Setup::new(bench, COMPLAINS, NOWHERE).await;
    let journal = nodule::journal::SqliteJournal::new(format!("{CONTROLS}/none"));
    let items = futures_util::stream::iter([Ok("{}".to_owned())]);
    let options = RunOptions::default().journal(journal);
    let journal = setup
        .runner()
        .run("things", "read", items, &options)
        .await
        .map(|_| ())
        .unwrap_err();
    let failures = setup.run(vec![say("rejected", json!({"text": CONTROLS}))]).await;
    let failure = failures[0].as_ref().unwrap_err();
    for text in [
        policy.to_string(),
        recording.to_string(),
        missing.to_string(),
        file.to_string(),
        journal.to_string(),
        failure.to_string(),
        format!("{failure:?}"),
    ] {
        assert!(!text.chars().any(is_deceptive), "{text:?}");
    }
}
