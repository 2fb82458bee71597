//! Files that go with items and come out of them: rows 154 to 156.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream;
use nodule::file::{FileBytes, FileReader, FileStore, InputFile, NewFile, NewItem};
use nodule::{Failure, ItemResult, RunOptions};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::bench::{Bench, Setup, command, file, finished};
use crate::guests::MOVES;
use crate::heap::resident;
use crate::server::{Server, Step, ok, soon, within};

fn upload(origin: &str) -> Value {
    json!({"requests": [{"method": "PUT", "url": format!("{origin}/api/up"), "body": [{"file": 0}]}]})
}

/// Runs an item by the command, with its files below a folder; gives its line.
async fn by_command(origin: &str, item: &Value, folder: &Path, out: &Path) -> Value {
    let items = folder.join("..").join("items.jsonl");
    fs::write(&items, item.to_string()).unwrap();
    let mut run = Command::new(command());
    let credential = json!({"baseUrl": format!("{origin}/api"), "secret": "0123456789abcdef"});
    run.arg("run")
        .arg(file(MOVES))
        .args(["things", "read", "--retries", "0", "--items"])
        .arg(&items);
    run.arg("--files-dir").arg(folder).arg("--output-files").arg(out);
    run.env("NODULE_CREDENTIAL", credential.to_string());
    let done = within("the command", finished(run)).await;
    let printed = String::from_utf8(done.stdout).unwrap();
    let line = printed
        .lines()
        .next()
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&done.stderr)));
    serde_json::from_str(line).unwrap()
}

pub async fn files_of_items(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let base = tempfile::tempdir().unwrap();
    let (folder, out) = (base.path().join("files"), base.path().join("out"));
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(base.path().join("outside.txt"), "outside").unwrap();
    fs::write(folder.join("sub/good.txt"), "good").unwrap();
    symlink(base.path().join("outside.txt"), folder.join("link")).unwrap();
    symlink(base.path(), folder.join("linked")).unwrap();
    Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap();
    let item =
        |path: &str| json!({"task": upload(&server.origin()), "file": "f", "$files": {"f": {"path": path}}});
    let absolute = base.path().join("outside.txt");
    for path in [
        "../outside.txt",
        "sub/../../outside.txt",
        absolute.to_str().unwrap(),
        "link",
        "linked/outside.txt",
        "linked/files/sub/good.txt",
        "pipe",
        "sub",
        ".",
        "/dev/zero",
        "missing",
        "sub/good.txt/x",
    ] {
        let line = by_command(&server.origin(), &item(path), &folder, &out).await;
        assert_eq!(line["error"]["kind"], "invalid-input", "{path}: {line}");
    }
    assert!(server.take().is_empty(), "nothing was sent");
    let line = by_command(&server.origin(), &item("sub/good.txt"), &folder, &out).await;
    assert!(line["json"].is_object(), "{line}");
    assert_eq!(server.take()[0].body, b"good");
    // A file that is not as long as it said breaks its request: no service takes a part of it for the whole.
    let setup = Setup::new(bench, MOVES, format!("{}/api", server.origin())).await;
    let runner = setup.runner();
    for (said, words) in [(5, "longer than it said"), (500_000, "shorter than it said")] {
        let given = InputFile {
            key: "f".to_owned(),
            name: None,
            media_type: None,
            size: Some(said),
            source: Arc::new(FileBytes(vec![b'x'; 300_000].into())),
        };
        let results = run(
            &runner,
            upload(&server.origin()),
            vec![given],
            &RunOptions::default().files(Sink),
        )
        .await;
        let told = output(&results[0]);
        assert_eq!(
            told["answers"][1]["error"], "ErrorCode::ConnectionTerminated",
            "{words}: {told}"
        );
        assert!(server.take().is_empty(), "{words}");
    }
    // Larger than the limit, whether it says so or not.
    let small = Setup::new(bench, MOVES, format!("{}/api", server.origin()))
        .await
        .limits("file-bytes = 1000");
    for size in [Some(2_000), None] {
        let given = InputFile {
            key: "f".to_owned(),
            name: None,
            media_type: None,
            size,
            source: Arc::new(FileBytes(vec![b'x'; 2_000].into())),
        };
        let options = RunOptions::default().files(Sink);
        let results = run(&small.runner(), upload(&server.origin()), vec![given], &options).await;
        let told = output(&results[0]);
        assert_eq!(
            told["answers"][1]["error"], "ErrorCode::HttpRequestBodySize",
            "{size:?}: {told}"
        );
        assert!(server.take().is_empty());
    }
}

pub async fn names_of_files(_: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let base = tempfile::tempdir().unwrap();
    let (folder, out) = (base.path().join("files"), base.path().join("out"));
    fs::create_dir_all(&folder).unwrap();
    let names = [
        "../../escaped.txt",
        "/etc/escaped",
        "..",
        "",
        "CON",
        "aux.txt",
        "a\0b",
        "\u{1b}[2Jcleared",
        "right\u{202e}txt.exe",
        "line\r\nbreak",
        "..\\..\\windows.txt",
        ".hidden",
    ];
    let long = "ä".repeat(4_000);
    let names: Vec<&str> = names
        .iter()
        .copied()
        .chain([long.as_str(), "same", "same"])
        .collect();
    let give: Vec<Value> = (0..)
        .zip(&names)
        .map(|(number, name)| json!({"key": number.to_string(), "name": name, "type": "image/png\r\nx: y", "bytes": "b"}))
        .collect();
    let line = by_command(&server.origin(), &json!({"task": {"give": give}}), &folder, &out).await;
    let files = line["files"].as_object().unwrap_or_else(|| panic!("{line}"));
    assert_eq!(files.len(), names.len());
    let mut paths = std::collections::HashSet::new();
    for (key, file) in files {
        let path = Path::new(file["path"].as_str().unwrap());
        assert_eq!(path.parent(), Some(out.as_path()), "{key}: {file}");
        assert!(paths.insert(path.to_owned()), "{key}: {file}");
        assert_eq!(fs::read(path).unwrap(), b"b");
        assert!(file.get("mediaType").is_none(), "{key}: {file}");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            name.len() < 200 && !name.chars().any(|it| it.is_control() || it == '\u{202e}'),
            "{name:?}"
        );
    }
    assert_eq!(
        fs::read_dir(&out).unwrap().count(),
        names.len(),
        "nothing half-written, nothing elsewhere"
    );
    let beside: Vec<_> = fs::read_dir(base.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(beside.len(), 3, "{beside:?}");
}

/// Reads files and keeps nothing.
#[derive(Debug)]
pub struct Sink;

#[async_trait::async_trait]
impl FileStore for Sink {
    async fn keep(&self, _: NewFile<'_>, mut content: FileReader) -> io::Result<String> {
        tokio::io::copy(&mut content, &mut tokio::io::sink()).await?;
        Ok(String::new())
    }

    async fn discard(&self, _: String) {}
}

/// A disk that is full after some files.
#[derive(Debug, Default, Clone)]
struct Full {
    room: usize,
    kept: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl FileStore for Full {
    async fn keep(&self, _: NewFile<'_>, mut content: FileReader) -> io::Result<String> {
        if self.kept.load(Ordering::SeqCst) >= self.room {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        content.read_to_end(&mut Vec::new()).await?;
        self.kept.fetch_add(1, Ordering::SeqCst);
        Ok("kept".to_owned())
    }

    async fn discard(&self, _: String) {
        self.kept.fetch_sub(1, Ordering::SeqCst);
    }
}

pub async fn run(
    runner: &nodule::Runner,
    task: Value,
    files: Vec<InputFile>,
    options: &RunOptions,
) -> Vec<ItemResult> {
    use futures_util::StreamExt as _;
    let mut item = json!({"task": task});
    if !files.is_empty() {
        item["file"] = json!(files[0].key);
    }
    let item = NewItem {
        parameters: item.to_string(),
        files,
    };
    let results = runner
        .run("things", "read", stream::iter([Ok(item)]), options)
        .await
        .unwrap();
    within(
        "the item",
        results.map(|completed| completed.unwrap().result).collect(),
    )
    .await
}

pub fn output(result: &ItemResult) -> Value {
    let output = result.as_ref().unwrap_or_else(|failure| panic!("{failure}"));
    serde_json::from_str(output[0].get()).unwrap()
}

pub fn failure(results: &[ItemResult]) -> &Failure {
    results[0].as_ref().unwrap_err()
}

pub async fn files_that_come_out(bench: &Bench) {
    let server = Server::start(|request| match request.target() {
        "/api/endless" => vec![
            Step::Write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
            Step::Endless([b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat()),
        ],
        "/api/stalls" => vec![
            Step::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx".to_vec()),
            Step::Silence,
        ],
        _ => ok("{}"),
    })
    .await;
    let url = |path: &str| format!("{}/api/{path}", server.origin());
    let kept = |path: &str| json!({"requests": [{"url": url(path), "keep": true}], "give": [{"key": "data", "kept": 0}]});
    let setup = Setup::new(bench, MOVES, format!("{}/api", server.origin())).await;
    let limits =
        "file-bytes = 100000000\nfiles = 100\nbetween-bytes-timeout-ms = 300\nrequests-in-flight = 4";
    let runner = setup.limits(limits).runner();
    let options = RunOptions::default().files(Sink);
    let before = resident();
    for (task, kind, words) in [
        (
            kept("endless"),
            "limit",
            "a file of more than 100000000 bytes (`file-bytes`)",
        ),
        (
            kept("stalls"),
            "unavailable",
            "nothing more of the file within 0.3 seconds",
        ),
        (
            json!({"give": [{"bytes": "x"}], "gives": 1_000}),
            "limit",
            "more than 100 files of one item (`files`)",
        ),
        (
            json!({"give": [{"key": "data", "kept": 7}]}),
            "bad-output",
            "not kept",
        ),
        (
            json!({"requests": [{"url": url("a"), "keep": true}], "give": [{"key": "a", "kept": 0}, {"key": "b", "kept": 0}]}),
            "bad-output",
            "not kept",
        ),
        (
            json!({"give": [{"key": "a", "bytes": "x"}, {"key": "a", "bytes": "y"}]}),
            "bad-output",
            "the same key",
        ),
    ] {
        let results = run(&runner, task.clone(), vec![], &options).await;
        let failure = failure(&results);
        assert_eq!(failure.kind(), kind, "{task}: {failure}");
        assert!(failure.to_string().contains(words), "{task}: {failure}");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 50 << 20, "{} MB of a file that never ends", grown >> 20);
    // Another item's file, and one that there is not.
    for part in [json!({"file": 1}), json!({"file": u32::MAX})] {
        let task = json!({"requests": [{"method": "PUT", "url": url("up"), "body": [part]}], "reads": [{"file": 5, "length": 1}]});
        let told = output(&run(&runner, task, vec![], &options).await[0]);
        assert!(told["answers"].to_string().contains("no such file"), "{told}");
        assert!(told["answers"].to_string().contains("InternalError"), "{told}");
    }
    // What is kept and never given out is let go, and its connection with it: more of them than may be in flight, run after run.
    for _ in 0..3 {
        let requests: Vec<Value> = (0..3)
            .map(|_| json!({"url": url("endless"), "keep": true}))
            .collect();
        let told = output(&run(&runner, json!({"requests": requests}), vec![], &options).await[0]);
        assert_eq!(told["answers"].as_array().unwrap().len(), 4, "{told}");
    }
    soon("connections stay open", || server.open() <= 1).await;
    // All files of a run together.
    let setup = Setup::new(bench, MOVES, format!("{}/api", server.origin()))
        .await
        .limits("run-file-bytes = 150");
    let runner = setup.runner();
    let give = json!({"give": [{"key": "a", "bytes": "x".repeat(100)}]});
    assert!(run(&runner, give.clone(), vec![], &options).await[0].is_ok());
    let twice =
        json!({"give": [{"key": "a", "bytes": "x".repeat(100)}, {"key": "b", "bytes": "y".repeat(100)}]});
    let words = failure(&run(&runner, twice, vec![], &options).await).to_string();
    assert!(
        words.contains("files of one run of more than 150 bytes (`run-file-bytes`)"),
        "{words}"
    );
    // A full disk: the item says so, and what was kept of it is gone.
    let full = Full {
        room: 1,
        ..Full::default()
    };
    let task = json!({"give": [{"key": "a", "bytes": "x"}, {"key": "b", "bytes": "y"}]});
    let results = run(&runner, task, vec![], &RunOptions::default().files(full.clone())).await;
    let words = failure(&results).to_string();
    assert!(words.contains("the file `b` cannot be kept"), "{words}");
    soon("what was kept stays", || full.kept.load(Ordering::SeqCst) == 0).await;
}
