//! Files that go with items and files that come out of them: by the command, and by the library.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use nodule::file::{FileBytes, FileReader, FileSource, FileStore, InputFile, NewFile, NewItem};
use nodule::retry::Retry;
use nodule::{Credential, Engine, EngineConfig, RunOptions, Runner};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::server::{Server, Step, answer, ok};
use crate::support::{expect, items, lines, nodule, root};

/// A node that moves files by turns, and one that does so by streams.
const NODES: [&str; 2] = ["moves", "pipes"];

fn component(node: &str) -> PathBuf {
    root().join(format!("target/hostile/{node}.wasm"))
}

fn credential(server: &Server) -> String {
    json!({"baseUrl": server.origin(), "secret": "0123456789abcdef"}).to_string()
}

fn run(server: &Server, operation: &str) -> Command {
    run_in(NODES[0], server, operation)
}

fn run_in(node: &str, server: &Server, operation: &str) -> Command {
    let mut command = nodule();
    command
        .arg("run")
        .arg(component(node))
        .args(["things", operation, "--progress", "off"])
        .env("NODULE_CREDENTIAL", credential(server));
    command
}

/// Reads items whose files are below a folder, and writes to another.
fn with_files(node: &str, server: &Server, items: &Path, folder: &Path, out: &Path) -> Command {
    let mut command = run_in(node, server, "read");
    for (flag, path) in [
        ("--items", items),
        ("--files-dir", folder),
        ("--output-files", out),
    ] {
        command.arg(flag).arg(path);
    }
    command
}

/// Runs the command on a thread of its own, since the server is on this one.
async fn done(command: Command, status: i32) -> Vec<Value> {
    let mut command = command;
    tokio::task::spawn_blocking(move || lines(&expect(&mut command, status)))
        .await
        .unwrap()
}

/// A service that keeps what it is sent by its path, and gives as many bytes as a path says.
async fn service() -> Server {
    Server::start(|request| {
        let target = request.target().to_owned();
        match target.rsplit_once("/give/") {
            Some((_, size)) => given(size.parse().unwrap()),
            None => ok(json!({"size": request.body.len()}).to_string()),
        }
    })
    .await
}

fn given(size: usize) -> Vec<Step> {
    let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
    answer("200 OK", &[("content-type", "image/png")], body)
}

fn upload(server: &Server, path: &str) -> Value {
    json!({"requests": [{"method": "PUT", "url": format!("{}{path}", server.origin()), "body": ["<", {"file": 0}, ">"]}]})
}

fn download(server: &Server, size: usize, name: &str) -> Value {
    json!({
        "requests": [{"url": format!("{}/give/{size}", server.origin()), "keep": true}],
        "give": [{"key": "data", "name": name, "type": "image/png", "kept": 0}],
    })
}

/// How many files a folder has that may not be there.
fn names_of(folder: &Path) -> usize {
    if folder.exists() { names(folder).len() } else { 0 }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_goes_up_and_another_comes_down() {
    for node in NODES {
        let server = service().await;
        let folder = tempfile::tempdir().unwrap();
        let photo = folder.path().join("photo.jpg");
        let bytes: Vec<u8> = (0..700_000_u32).map(|at| (at % 256) as u8).collect();
        std::fs::write(&photo, &bytes).unwrap();
        let out = folder.path().join("out");
        let mut task = download(&server, 300_000, "../../a b?.png");
        task["requests"]
            .as_array_mut()
            .unwrap()
            .push(upload(&server, "/up")["requests"][0].clone());
        task["requests"][1]["length"] = json!(700_002);
        let mut command = run_in(node, &server, "read");
        command
            .arg("--param")
            .arg(format!("task:={task}"))
            .args(["--param", "file=photo", "--file"])
            .arg(format!("photo={}", photo.display()))
            .arg("--output-files")
            .arg(&out);
        let lines = done(command, 0).await;
        let file = &lines[0]["files"]["data"];
        let path = out.join("0-a b_.png");
        assert_eq!(file["path"], path.to_str().unwrap());
        assert_eq!(
            (&file["size"], &file["mediaType"]),
            (&json!(300_000), &json!("image/png"))
        );
        let found = std::fs::read(&path).unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, &found);
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file["sha256"], hex);
        assert_eq!(found.len(), 300_000);
        let uploads = server.take();
        let upload = uploads.iter().find(|request| request.target() == "/up").unwrap();
        assert_eq!(upload.header("content-length"), ["700002"]);
        assert_eq!(upload.body, [b"<", &bytes[..], b">"].concat());
        assert_eq!(names(&out), ["0-a b_.png"]);
    }
}

#[tokio::test]
async fn items_name_files_below_one_folder_and_each_gets_its_own() {
    for node in NODES {
        let server = service().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("below")).unwrap();
        let mut texts = Vec::new();
        for number in 0..40 {
            let name = format!("below/{number}.txt");
            std::fs::write(folder.path().join(&name), "x".repeat(number * 1_000)).unwrap();
            let mut task = download(&server, number, "same.bin");
            let up = upload(&server, &format!("/up/{number}"))["requests"][0].clone();
            task["requests"].as_array_mut().unwrap().push(up);
            texts.push(json!({"task": task, "file": "f", "$files": {"f": {"path": name}}}).to_string());
        }
        let file = items(texts.iter().map(String::as_str));
        let out = folder.path().join("out");
        let mut command = with_files(node, &server, file.path(), folder.path(), &out);
        command.args(["--concurrency", "8"]);
        let lines = done(command, 0).await;
        assert_eq!(lines.len(), 40);
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(line["files"]["data"]["size"], number, "{line}");
            assert_eq!(
                line["files"]["data"]["path"],
                out.join(format!("{number}-same.bin")).to_str().unwrap()
            );
        }
        let sizes: HashMap<String, usize> = server
            .take()
            .into_iter()
            .map(|request| (request.target().to_owned(), request.body.len()))
            .collect();
        for number in 0..40 {
            assert_eq!(sizes[&format!("/up/{number}")], number * 1_000 + 2);
        }
    }
}

#[tokio::test]
async fn what_breaks_off_is_tried_again_and_leaves_nothing_behind() {
    for node in NODES {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let server = Server::start(move |_| {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
            match counted.fetch_add(1, Ordering::SeqCst) {
                0 => vec![Step::Write([&head[..], &[b'a'; 40_000]].concat()), Step::Close],
                _ => given(100_000),
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        for (retries, status) in [("0", 1), ("2", 0)] {
            tries.store(0, Ordering::SeqCst);
            let out = folder.path().join(retries);
            let mut command = run_in(node, &server, "read");
            command
                .arg("--param")
                .arg(format!("task:={}", download(&server, 1, "a.bin")));
            command
                .arg("--output-files")
                .arg(&out)
                .args(["--retries", retries]);
            let lines = done(command, status).await;
            if status == 0 {
                assert_eq!(lines[0]["files"]["data"]["size"], 100_000);
                assert_eq!(names(&out), ["0-a.bin"]);
            } else {
                let message = lines[0]["error"]["message"].as_str().unwrap();
                assert!(message.contains("the file broke off"), "{message}");
                assert_eq!(lines[0]["error"]["kind"], "unavailable");
                assert!(names(&out).is_empty(), "{:?}", names(&out));
            }
        }
    }
}

#[tokio::test]
async fn a_resumed_run_gives_the_same_files_and_asks_for_none_again() {
    let server = service().await;
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..3)
        .map(|number| json!({"task": download(&server, number + 10, "a.bin")}).to_string())
        .collect();
    let file = items(texts.iter().map(String::as_str));
    let out = folder.path().join("out");
    let mut printed = Vec::new();
    for _ in 0..2 {
        let mut command = run(&server, "read");
        command
            .arg("--items")
            .arg(file.path())
            .arg("--output-files")
            .arg(&out);
        command.arg("--journal").arg(folder.path().join("journal"));
        printed.push(done(command, 0).await);
    }
    assert_eq!(printed[0], printed[1]);
    assert_eq!(printed[0][2]["files"]["data"]["size"], 12);
    assert_eq!(server.take().len(), 3);
    assert_eq!(names(&out), ["0-a.bin", "1-a.bin", "2-a.bin"]);
    // A file of another run is not replaced.
    let mut command = run(&server, "read");
    command
        .arg("--items")
        .arg(file.path())
        .arg("--output-files")
        .arg(&out);
    let lines = done(command, 0).await;
    assert!(
        lines[0]["files"]["data"]["path"]
            .as_str()
            .unwrap()
            .ends_with("0.1-a.bin")
    );
    assert_eq!(names(&out).len(), 6);
}

#[tokio::test]
async fn a_recording_has_the_files_and_a_replay_gives_them_back() {
    for node in NODES {
        let server = service().await;
        let folder = tempfile::tempdir().unwrap();
        let cases = folder.path().join("cases/things");
        std::fs::create_dir_all(&cases).unwrap();
        let har = cases.join("read.har");
        // The second ones are too large for the recording, which has their digests: they are beside it.
        for (name, size, given, beside) in [
            ("small.bin", 5_000, 60_000, 0),
            ("large.bin", 2_000_000, 3_000_000, 2),
        ] {
            let bytes: Vec<u8> = (0..size).map(|at: u32| (at % 256) as u8).collect();
            std::fs::write(folder.path().join(name), bytes).unwrap();
            let mut task = download(&server, given, "b.png");
            task["requests"]
                .as_array_mut()
                .unwrap()
                .push(upload(&server, "/up")["requests"][0].clone());
            let item =
                json!({"task": task, "file": "f", "$files": {"f": {"path": name, "mediaType": "image/png"}}});
            let file = items([item.to_string().as_str()]);
            let again = |more: &[&str], out: &str| {
                let out = folder.path().join(out);
                let mut command = with_files(node, &server, file.path(), folder.path(), &out);
                command.args(more);
                command
            };
            let live = done(again(&["--record", har.to_str().unwrap()], "live"), 0).await;
            server.take();
            let replayed = done(again(&["--replay", har.to_str().unwrap()], "replayed"), 0).await;
            assert!(server.take().is_empty(), "a replay sends nothing");
            let (mut live, mut replayed) = (live[0].clone(), replayed[0].clone());
            for line in [&mut live, &mut replayed] {
                let path = line["files"]["data"]
                    .as_object_mut()
                    .unwrap()
                    .remove("path")
                    .unwrap();
                assert_eq!(std::fs::read(path.as_str().unwrap()).unwrap().len(), given);
            }
            assert_eq!(live, replayed, "{name}");
            // Another file is not what was recorded.
            std::fs::write(folder.path().join(name), "another").unwrap();
            let other = done(again(&["--replay", har.to_str().unwrap()], "other"), 0).await;
            assert!(
                other[0]["json"].to_string().contains("HttpRequestDenied"),
                "{other:?}"
            );
            let files = names_of(&folder.path().join("cases/things/read.har.files"));
            assert_eq!(files, beside, "{name}");
            assert!(std::fs::metadata(&har).unwrap().len() < 200_000);
            {
                let mut check = nodule();
                check
                    .arg("check")
                    .arg(component(node))
                    .arg(folder.path().join("cases"));
                let output = tokio::task::spawn_blocking(move || check.output().unwrap())
                    .await
                    .unwrap();
                let printed = String::from_utf8_lossy(&output.stdout);
                // The hostile node calls what it does not declare; its results are those that were recorded.
                assert!(
                    printed.contains("called `PUT /up`") && !printed.contains("item 0"),
                    "{printed}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_body_with_its_file() {
    for node in NODES {
        let server = service().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "hello").unwrap();
        let mut command = run_in(node, &server, "read");
        command
            .arg("--param")
            .arg(format!("task:={}", upload(&server, "/up")))
            .arg("--dry-run");
        command
            .args(["--param", "file=a", "--file"])
            .arg(format!("a={}", path.display()));
        let lines = done(command, 0).await;
        assert_eq!(lines[0]["request"]["body"], "<hello>");
        assert!(server.take().is_empty());
    }
}

#[tokio::test]
async fn what_is_wrong_with_files_is_said_before_anything_is_sent() {
    let server = service().await;
    let folder = tempfile::tempdir().unwrap();
    let task = json!({}).to_string();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let missing = folder.path().join("missing");
    for (arguments, words) in [
        (vec![], "--output-files DIR"),
        (vec!["--output-files", out, "--file", "a"], "expected `KEY=PATH`"),
        (
            vec![
                "--output-files",
                out,
                "--file",
                &format!("a={}", missing.display()),
            ],
            "No such file",
        ),
        (
            vec![
                "--output-files",
                out,
                "--file",
                &format!("a={}", folder.path().display()),
            ],
            "expected a file",
        ),
        (
            vec!["--output-files", out, "--files-dir", missing.to_str().unwrap()],
            "No such file",
        ),
    ] {
        let mut command = run(&server, "read");
        command
            .arg("--param")
            .arg(format!("task:={task}"))
            .args(&arguments);
        let output = tokio::task::spawn_blocking(move || expect(&mut command, 2))
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    // An operation without files takes none.
    let mut command = nodule();
    command
        .arg("run")
        .arg(root().join("target/hostile/calls.wasm"))
        .args(["things", "read"]);
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "hello").unwrap();
    command
        .arg("--file")
        .arg(format!("a={}", path.display()))
        .env("NODULE_CREDENTIAL", credential(&server));
    let lines = done(command, 1).await;
    assert!(
        lines[0]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("takes none"),
        "{lines:?}"
    );
    assert!(server.take().is_empty());
}

/// Keeps files in memory.
#[derive(Debug, Default, Clone)]
struct Memory(Arc<Mutex<HashMap<String, Vec<u8>>>>);

#[async_trait::async_trait]
impl FileStore for Memory {
    async fn keep(&self, file: NewFile<'_>, mut content: FileReader) -> io::Result<String> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).await?;
        let path = format!("{}/{}", file.item, file.key);
        self.0.lock().unwrap().insert(path.clone(), bytes);
        Ok(path)
    }

    async fn discard(&self, path: String) {
        self.0.lock().unwrap().remove(&path);
    }
}

/// A source that counts how often it is opened.
#[derive(Debug)]
struct Counting(FileBytes, AtomicUsize);

#[async_trait::async_trait]
impl FileSource for Counting {
    async fn open(&self, offset: u64) -> io::Result<FileReader> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.open(offset).await
    }
}

async fn runner(server: &Server) -> Runner {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let component = engine.load_file(component(NODES[0])).await.unwrap();
    let credential = Credential::from_json(component.node(), &credential(server)).unwrap();
    component.runner().credential(credential).build().unwrap()
}

#[tokio::test]
async fn an_embedder_gives_readers_and_gets_readers() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let server = Server::start(move |request| {
        if request.target() == "/up" && counted.fetch_add(1, Ordering::SeqCst) == 0 {
            return answer("503 Service Unavailable", &[], "");
        }
        match request.target() {
            "/up" => ok("{}"),
            _ => given(20_000),
        }
    })
    .await;
    let runner = runner(&server).await;
    let source = Arc::new(Counting(
        FileBytes(vec![b'z'; 100_000].into()),
        AtomicUsize::new(0),
    ));
    let mut task = download(&server, 20_000, "a");
    task["requests"]
        .as_array_mut()
        .unwrap()
        .push(upload(&server, "/up")["requests"][0].clone());
    let item = NewItem {
        parameters: json!({"task": task, "file": "f"}).to_string(),
        files: vec![InputFile {
            key: "f".to_owned(),
            name: Some("a.txt".to_owned()),
            media_type: None,
            // Without it the body is sent in chunks.
            size: None,
            source: source.clone(),
        }],
    };
    let store = Memory::default();
    let retry = Retry::default().tries(3).waits(
        std::time::Duration::from_millis(1),
        std::time::Duration::from_millis(9),
    );
    let options = RunOptions::default().files(store.clone()).retry(retry);
    let stream = futures_util::stream::iter([Ok(item)]);
    let mut results = runner.run("things", "read", stream, &options).await.unwrap();
    let completed = results.next().await.unwrap().unwrap();
    let output = completed.result.unwrap();
    let [file] = output[0].files() else {
        panic!("{output:?}")
    };
    assert_eq!(
        (file.key.as_str(), file.path.as_str(), file.size),
        ("data", "0/data", 20_000)
    );
    assert_eq!(store.0.lock().unwrap()["0/data"].len(), 20_000);
    assert_eq!((completed.tries, source.1.load(Ordering::SeqCst)), (2, 2));
    let ups: Vec<_> = server
        .take()
        .into_iter()
        .filter(|request| request.target() == "/up")
        .collect();
    assert_eq!(ups.len(), 2);
    assert_eq!(ups[1].header("transfer-encoding"), ["chunked"]);
    // Nothing says where files go.
    let stream = futures_util::stream::iter([Ok("{}".to_owned())]);
    let error = runner
        .run("things", "read", stream, &RunOptions::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("nothing says where they go"),
        "{error}"
    );
}
