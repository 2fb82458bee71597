//! `nodule serve` on a machine with other users: rows 89 and 90.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{Bench, command, file};
use crate::guests::CALLS;

/// A user ID that no machine running these tests uses.
const STRANGER: u32 = 65_533;
const TOKEN: &str = "a-token-that-nobody-guesses-0123456789";
/// Turns protections off for the mutation tests; a server must not inherit it.
const MUTATION: &str = "NODULE_MUTATION";

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A server with a socket in `run`, permitted to read `read`. Its parent has a secret in its environment and an open
/// file.
struct Serving {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec 7</etc/passwd; exec \"$@\"", "sh"])
        .arg(command())
        .args(["serve", "--stdio-lifetime", "--settings", "-", "--socket"])
        .arg(folder.join("run/s"))
        .arg("--read")
        .arg(folder.join("read"))
        .env_clear()
        .env("SECRET", "of-the-engine")
        .env("LD_PRELOAD_NONE", "x")
        .env("NODULE_CACHE_DIR", folder.join("cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(mutation) = std::env::var_os(MUTATION) {
        shell.env(MUTATION, mutation);
    }
    shell
}

impl Serving {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("read")).unwrap();
        fs::copy(file(CALLS), folder.path().join("read/node.wasm")).unwrap();
        let mut child = serve(folder.path()).spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{}", json!({"token": TOKEN})).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).expect("a ready line");
        assert_eq!(ready["ready"]["pid"], child.id(), "the same process");
        Self { child, folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The complete response.
    fn send(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(self.at("run/s")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // A server that refuses need not read everything.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    fn load(&self, path: &Path) -> String {
        let body = json!({ "path": path }).to_string();
        self.send(&format!(
            "POST /v1/components HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }
}

pub async fn process(_: &Bench) {
    tokio::task::spawn_blocking(|| {
        let serving = Serving::start();
        inherits_nothing(&serving);
        may_gain_nothing(&serving);
        // The permission belongs to the folder, not to its name: another folder with that name is refused. No path in a
        // request and no link leads outside.
        let loaded = serving.load(&serving.at("read/node.wasm"));
        assert!(
            loaded.contains("200 OK") && loaded.contains("sha256:"),
            "{loaded}"
        );
        fs::rename(serving.at("read"), serving.at("before")).unwrap();
        fs::create_dir(serving.at("read")).unwrap();
        fs::copy(serving.at("before/node.wasm"), serving.at("read/node.wasm")).unwrap();
        let refused = serving.load(&serving.at("read/node.wasm"));
        assert!(
            refused.contains("400 Bad Request") && refused.contains("Permission denied"),
            "{refused}"
        );
        for path in ["/etc/passwd", "/proc/self/environ", "before/node.wasm", "run/s"] {
            let refused = serving.load(&serving.at(path));
            assert!(
                refused.contains("400 Bad Request") && !refused.contains("root:"),
                "{refused}"
            );
        }
    })
    .await
    .unwrap();
}

fn inherits_nothing(serving: &Serving) {
    if !is_root() {
        // Another process of the same user cannot even see it.
        assert!(fs::read(serving.proc("environ")).is_err());
        return;
    }
    let environment = fs::read(serving.proc("environ")).unwrap();
    let own = |variable: &&[u8]| {
        *variable == b"MIMALLOC_ARENA_EAGER_COMMIT=0" || variable.starts_with(MUTATION.as_bytes())
    };
    let mut variables = environment
        .split(|byte| *byte == 0)
        .filter(|variable| !variable.is_empty());
    assert!(
        variables.all(|variable| own(&variable)),
        "{}",
        String::from_utf8_lossy(&environment)
    );
    for entry in fs::read_dir(serving.proc("fd")).unwrap() {
        let descriptor = entry.unwrap().path();
        // The descriptor may be closed by now.
        let Ok(leads_to) = fs::read_link(&descriptor) else {
            continue;
        };
        let is_own = ["anon_inode:", "socket:", "pipe:"]
            .iter()
            .any(|kind| leads_to.to_string_lossy().starts_with(kind));
        assert!(is_own, "{} is {}", descriptor.display(), leads_to.display());
    }
}

fn may_gain_nothing(serving: &Serving) {
    let limits = fs::read_to_string(serving.proc("limits")).unwrap();
    for (name, most) in [("Max data size", "2048000000"), ("Max core file size", "0")] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        assert_eq!(
            line.split_whitespace().filter(|word| *word == most).count(),
            2,
            "{line}"
        );
    }
    let mut threads = 0;
    for thread in fs::read_dir(serving.proc("task")).unwrap() {
        let Ok(status) = fs::read_to_string(thread.unwrap().path().join("status")) else {
            continue;
        };
        threads += 1;
        assert!(
            status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"),
            "{status}"
        );
    }
    assert!(threads > 1);
}

pub async fn strangers(_: &Bench) {
    tokio::task::spawn_blocking(|| {
        let serving = Serving::start();
        without_the_token(&serving);
        if is_root() {
            of_another_user(&serving);
        }
        in_a_foreign_folder();
    })
    .await
    .unwrap();
}

fn without_the_token(serving: &Serving) {
    let with = |authorization: &str, path: &str, method: &str| {
        serving.send(&format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{authorization}connection: close\r\ncontent-length: 0\r\n\r\n"))
    };
    let right = format!("authorization: Bearer {TOKEN}\r\n");
    assert!(with(&right, "/v1", "GET").starts_with("HTTP/1.1 200 OK"));
    let wrong = [
        String::new(),
        "authorization: \r\n".to_owned(),
        "authorization: Bearer\r\n".to_owned(),
        "authorization: Bearer \r\n".to_owned(),
        format!("authorization: {TOKEN}\r\n"),
        format!("authorization: Basic {TOKEN}\r\n"),
        format!("authorization: Bearer {TOKEN}0\r\n"),
        format!("authorization: Bearer {}\r\n", &TOKEN[..TOKEN.len() - 1]),
        format!("authorization: Bearer {}\r\n", TOKEN.to_uppercase()),
        format!("proxy-authorization: Bearer {TOKEN}\r\n"),
        format!("cookie: token={TOKEN}\r\n"),
    ];
    let requests = [
        ("GET", "/v1"),
        ("GET", "/openapi.json"),
        ("GET", "/v1?token=a-token-that-nobody-guesses-0123456789"),
        ("POST", "/v1/components"),
        ("POST", "/v1/runs"),
        ("POST", "/v1/plan"),
        ("POST", "/v1/check-credential"),
        ("GET", "/v1/runs/0"),
        ("POST", "/v1/runs/0/abandon"),
        ("DELETE", "/v1/components/sha256:0"),
        ("GET", "/nothing"),
        ("OPTIONS", "/v1"),
        ("PATCH", "/v1"),
    ];
    for authorization in &wrong {
        for (method, path) in requests {
            let answer = with(authorization, path, method);
            assert!(
                answer.starts_with("HTTP/1.1 401 Unauthorized"),
                "{method} {path} {authorization}: {answer}"
            );
            assert!(
                !answer.contains(TOKEN) && !answer.contains("openapi\""),
                "{answer}"
            );
        }
    }
    // The body of an unauthorised request is not read.
    let answer = serving.send("POST /v1/components HTTP/1.1\r\nhost: x\r\ncontent-length: 80000000\r\n\r\nx");
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized"), "{answer}");
}

/// Also if folder and socket are open to everybody, as on systems that ignore a socket's mode.
fn of_another_user(serving: &Serving) {
    const ASK: &str = "
import socket, sys
try:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[1])
    s.sendall(sys.argv[2].encode())
    print('answered' if s.recv(1) else 'closed')
except PermissionError:
    print('kept out')
except OSError:
    print('closed')
";
    let ask = || {
        let system = Path::new("/usr/bin/python3");
        let python = if system.exists() {
            system
        } else {
            Path::new("python3")
        };
        let asked = Command::new(python)
            .args(["-I", "-c", ASK])
            .arg(serving.at("run/s"))
            .arg(format!(
                "GET /v1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
            ))
            .current_dir("/")
            .uid(STRANGER)
            .gid(STRANGER)
            .output()
            .unwrap();
        String::from_utf8(asked.stdout).unwrap() + &String::from_utf8(asked.stderr).unwrap()
    };
    assert_eq!(ask(), "kept out\n");
    for (name, open) in [("", 0o755), ("run", 0o755), ("run/s", 0o666)] {
        set_mode(&serving.at(name), open);
    }
    assert_eq!(ask(), "closed\n");
}

fn in_a_foreign_folder() {
    let refused = |prepare: &dyn Fn(&Path), words: &str| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["read", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        set_mode(&folder.path().join("run"), 0o700);
        prepare(folder.path());
        let mut child = serve(folder.path()).spawn().unwrap();
        // The child may exit before it reads.
        let _ = writeln!(child.stdin.take().unwrap(), "{}", json!({"token": TOKEN}));
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{words}: {said}");
        assert!(said.contains(words) && done.stdout.is_empty(), "{said}");
    };
    for wrong in [0o755, 0o777, 0o750, 0o701] {
        refused(&|folder| set_mode(&folder.join("run"), wrong), "chmod 700");
    }
    refused(&|folder| set_mode(folder, 0o777), "others may write to");
    refused(
        &|folder| {
            fs::write(folder.join("run/s"), "").unwrap();
        },
        "is no socket",
    );
    if is_root() {
        refused(
            &|folder| chown(folder.join("run"), Some(STRANGER), None).unwrap(),
            "another user",
        );
        refused(
            &|folder| chown(folder, Some(STRANGER), None).unwrap(),
            "another user",
        );
    }
}
