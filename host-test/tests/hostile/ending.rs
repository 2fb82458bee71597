//! How the command stops on a signal, and when nobody reads its output: rows 91, 92 and 100.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, command, file};
use crate::guests::CALLS;
use crate::server::{Server, Step, ok, soon};

/// A running command, killed when the test drops it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args([name, &self.0.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    async fn ended(&mut self, what: &str) -> ExitStatus {
        let mut status = None;
        soon(what, || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// The results in its output file.
    fn results(folder: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join("results.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A run of this many items, with results in a file.
fn run(folder: &Path, server: &Server, items: usize) -> Command {
    let mut command = printing(folder, server, "read", items);
    command.args(["--output", "results.jsonl"]);
    command
}

/// The same, with results on standard output.
fn printing(folder: &Path, server: &Server, operation: &str, items: usize) -> Command {
    let base = format!("{}/api", server.origin());
    let credential = json!({"baseUrl": base, "secret": SECRET, "mode": "none"});
    std::fs::write(folder.join("credential.json"), credential.to_string()).unwrap();
    let item = json!({"requests": [{"url": format!("{base}/things")}]}).to_string();
    std::fs::write(folder.join("items.jsonl"), format!("{item}\n").repeat(items)).unwrap();
    let mut command = Command::new(command());
    command
        .env("NODULE_CACHE_DIR", folder.join("cache"))
        .current_dir(folder)
        .arg("run")
        .arg(file(CALLS))
        .args(["things", operation, "--items", "items.jsonl"])
        .args(["--credential", "credential.json", "--retries", "0"]);
    command
}

/// Service managers and containers stop a process with `SIGTERM`, terminals and sessions with `SIGHUP`. The command
/// reports the items in flight.
pub async fn signals(bench: &Bench) {
    // The command runs nodes in one way only.
    if !bench.turns {
        return;
    }
    for (signals, expected) in [
        (&["-TERM"][..], 143),
        (&["-HUP"], 129),
        (&["-TERM", "-HUP"], 143),
        (&["-INT"], 130),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|_| vec![Step::Silence]).await;
        let inner = run(folder.path(), &server, 1);
        // Resets signals that the test's own parent (`nohup`) ignores.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=HUP")
            .arg(inner.get_program())
            .args(inner.get_args())
            .args(["--grace", "300ms"])
            .env("NODULE_CACHE_DIR", folder.path().join("cache"))
            .current_dir(folder.path())
            .stderr(Stdio::null());
        let mut running = Running(command.spawn().unwrap());
        soon("it sends", || server.open() > 0).await;
        for signal in signals {
            running.signal(signal);
        }
        let status = running.ended("it ends within its grace").await;
        assert_eq!(status.code(), Some(expected), "{signals:?}");
        let results = Running::results(folder.path());
        assert_eq!(
            results[0]["error"]["kind"], "interrupted",
            "{signals:?}: {results:?}"
        );
    }
    // `nohup`: the terminal may close.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| vec![Step::Silence]).await;
    let inner = run(folder.path(), &server, 1);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(inner.get_program());
    command.args(inner.get_args()).args(["--grace", "300ms"]);
    command
        .current_dir(folder.path())
        .env("NODULE_CACHE_DIR", folder.path().join("cache"));
    let mut running = Running(command.stderr(Stdio::null()).spawn().unwrap());
    soon("it sends", || server.open() > 0).await;
    running.signal("-HUP");
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), running.ended("never"));
    assert!(early.await.is_err(), "it ended");
    running.signal("-TERM");
    assert_eq!(running.ended("it ends").await.code(), Some(143));
}

/// A standard error that nobody reads does not delay a run, and one that accepts nothing does not stop it.
pub async fn unread_events(bench: &Bench) {
    if !bench.turns {
        return;
    }
    const ITEMS: usize = 1_000;
    let server = Server::start(|_| ok("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    // Several times the capacity of a pipe.
    let mut command = run(folder.path(), &server, ITEMS);
    command.args(["--log", "json"]).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let status = running.ended("it ends though nobody reads").await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(Running::results(folder.path()).len(), ITEMS);
    let mut told = Vec::new();
    running.0.stderr.take().unwrap().read_to_end(&mut told).unwrap();
    assert!(told.len() > 4096, "what the pipe holds is there: {}", told.len());
    // A full disk, and no standard error at all.
    for redirected in ["2>/dev/full", "2>&-"] {
        let inner = run(folder.path(), &server, ITEMS);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$0\" \"$@\" {redirected}")]);
        command
            .arg(inner.get_program())
            .args(inner.get_args())
            .args(["--log", "text"]);
        command
            .current_dir(folder.path())
            .env("NODULE_CACHE_DIR", folder.path().join("cache"));
        let mut running = Running(command.spawn().unwrap());
        let status = running.ended(redirected).await;
        assert_eq!(status.code(), Some(0), "{redirected}");
        assert_eq!(Running::results(folder.path()).len(), ITEMS, "{redirected}");
    }
}

/// A reader of the results may stop reading, or never read: the run stops anyway, and every response is accounted for.
pub async fn unread_results(bench: &Bench) {
    if !bench.turns {
        return;
    }
    const ITEMS: usize = 20_000;
    let summary = |folder: &Path| -> Value {
        let text = std::fs::read_to_string(folder.join("summary.json"));
        serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default()
    };
    let server = Server::start(|_| ok("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = printing(folder.path(), &server, "read", ITEMS);
    command
        .args(["--summary", "summary.json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    let mut stdout = BufReader::new(running.0.stdout.take().unwrap());
    // On another thread, because the server runs on this one.
    let first = tokio::task::spawn_blocking(move || stdout.read_line(&mut String::new()).unwrap());
    assert!(first.await.unwrap() > 0);
    let status = running.ended("its reader has seen enough").await;
    assert_eq!(status.code(), Some(141));
    assert_eq!(summary(folder.path())["ended"], "stopped");

    let folder = tempfile::tempdir().unwrap();
    let mut command = printing(folder.path(), &server, "write", ITEMS);
    command
        .args([
            "--summary",
            "summary.json",
            "--journal",
            "run.sqlite",
            "--grace",
            "100ms",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    // Its reader takes nothing, so the run comes to a halt.
    let states = || states(&folder.path().join("run.sqlite"));
    let mut before = None;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let now = states();
        if now.is_some() && now == before {
            break;
        }
        before = now;
    }
    running.signal("-TERM");
    let status = running.ended("nobody reads what it prints").await;
    assert_eq!(status.code(), Some(143));
    assert_eq!(summary(folder.path())["ended"], "stopped");
    assert_eq!(states().unwrap().1, 0, "what was answered is known");
}

/// How many items the journal lists as done, and as started.
fn states(journal: &Path) -> Option<(u32, u32)> {
    let journal = rusqlite::Connection::open(journal).ok()?;
    let count = |state: &str| {
        let query = "SELECT count(*) FROM items WHERE state = ?1";
        journal.query_row(query, [state], |row| row.get(0)).ok()
    };
    let found = (count("done")?, count("started")?);
    (found.0 > 0).then_some(found)
}
