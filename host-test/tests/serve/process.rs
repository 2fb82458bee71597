//! What the process does not reveal, and that it works all the same.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Server, TOKEN, command, component, hostile};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn limit(server: &Server, name: &str) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
    line[name.len()..].split_whitespace().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_is_compiled_without_any_folder_but_the_socket_s() {
    let folder = tempfile::tempdir().unwrap();
    let mut start = Command::new(command(folder.path()).get_program());
    start
        .args(["serve", "--settings", "-", "--socket"])
        .arg(folder.path().join("run/s"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let server = Server::spawn(start, folder, &json!({"token": TOKEN}));
    let bytes = fs::read(hostile("calls")).unwrap();
    let (status, loaded) = server
        .send(Method::POST, "/v1/components", "application/wasm", bytes)
        .await;
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&loaded));
    let path = json!({"path": component()});
    let (status, refused) = server.json(Method::POST, "/v1/components", &path).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_end_it_leaves_nothing_in_the_socket_s_folder() {
    let mut server = Server::with(&json!({}));
    let run = server.folder.path().join("run");
    assert_eq!(names(&run), ["s", "s.token"]);
    for name in ["s", "s.token"] {
        let mode = fs::metadata(run.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let told = Command::new("kill").arg(server.child.id().to_string()).status();
    assert!(told.unwrap().success());
    let ended = tokio::task::block_in_place(|| server.child.wait()).unwrap();
    assert!(ended.success(), "{ended}");
    assert!(names(&run).is_empty(), "{:?}", names(&run));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_open_to_others_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, Permissions::from_mode(0o755)).unwrap();
    let refused = Command::new(command(folder.path()).get_program())
        .args(["serve", "--socket"])
        .arg(run.join("s"))
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("0755") && said.contains("chmod 700"), "{said}");
    assert!(refused.stdout.is_empty() && names(&run).is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_memory_is_bounded_and_large_bodies_wait_for_each_other() {
    let server = Server::start();
    assert_eq!(
        limit(&server, "Max data size"),
        ["2048000000", "2048000000", "bytes"]
    );
    // Together more than the memory limit. None is a component, and each request gets its error.
    let body = bytes::Bytes::from(vec![b'x'; 64 << 20]);
    let refused =
        (0..30).map(|_| server.send(Method::POST, "/v1/components", "application/wasm", body.clone()));
    for (status, refused) in futures_util::future::join_all(refused).await {
        let refused: Value = serde_json::from_slice(&refused).unwrap();
        assert!(status.is_client_error(), "{status} {refused}");
    }
}
