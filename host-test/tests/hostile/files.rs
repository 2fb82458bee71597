//! The command's files and its process on a machine with other users: rows 74, 80, 85 and 86.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, command, file, finished, target};
use crate::guests::{CALLS, COMPLAINS};
use crate::server::{NOWHERE, Server, ok};

/// A user ID that no machine running these tests uses.
const STRANGER: u32 = 65_533;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Only root can change a file's owner.
fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Everything in a folder, folders before their contents.
fn all(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        if path.is_dir() {
            found.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        next += 1;
    }
    found
}

/// A command's exit status and messages.
async fn told(command: Command) -> (Option<i32>, String) {
    let done = finished(command).await;
    (
        done.status.code(),
        String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap(),
    )
}

pub async fn cache_folder(_: &Bench) {
    let base = tempfile::tempdir().unwrap();
    let describe = |cache: &Path, component: &Path| {
        let mut describe = Command::new(command());
        describe
            .env("NODULE_CACHE_DIR", cache)
            .current_dir(base.path())
            .arg("describe")
            .arg(component);
        describe
    };
    let (calls, other) = (file(CALLS), target().join("socialhub.wasm"));
    let digest = {
        let (code, text) = told({
            let mut describe = describe(&base.path().join("first"), &calls);
            describe.args(["--format", "json"]);
            describe
        })
        .await;
        assert_eq!(code, Some(0), "{text}");
        base.path().join("first")
    };
    // The other component's compiled code replaces that of the pinned one.
    let others = base.path().join("others");
    assert_eq!(told(describe(&others, &other)).await.0, Some(0));
    let largest = |folder: &Path| {
        all(folder)
            .into_iter()
            .filter(|path| path.is_file())
            .max_by_key(|path| path.metadata().unwrap().len())
            .unwrap()
    };
    let (entry, foreign) = (largest(&digest), largest(&others));
    fs::write(&entry, fs::read(foreign).unwrap()).unwrap();
    let cache = base.path().join("above/cache");
    fs::create_dir(cache.parent().unwrap()).unwrap();
    fs::rename(&digest, &cache).unwrap();
    let entry = cache.join(entry.strip_prefix(&digest).unwrap());
    let refused = async |what: &str, path: &Path| {
        let (code, text) = told(describe(&cache, &calls)).await;
        assert_eq!(code, Some(0), "{what}: {text}");
        assert!(
            text.contains("Hostile") && !text.contains("SocialHub"),
            "{what}: the other node's code was run: {text}"
        );
        assert!(
            text.contains("compiled components are not kept") && text.contains(&*path.to_string_lossy()),
            "{what}: {text}"
        );
    };
    let subfolder = entry.parent().unwrap();
    for wrong in [0o777, 0o775, 0o722] {
        for path in [cache.parent().unwrap(), &cache, subfolder, &entry] {
            let right = mode(path);
            set_mode(path, wrong);
            refused(&format!("{wrong:o}"), path).await;
            set_mode(path, right);
        }
    }
    if is_root() {
        for path in [cache.parent().unwrap(), &cache, subfolder, &entry] {
            chown(path, Some(STRANGER), None).unwrap();
            refused("another user's", path).await;
            chown(path, Some(0), None).unwrap();
        }
    }
    let link = cache.join("link");
    symlink("/etc/passwd", &link).unwrap();
    refused("a link", &link).await;
    // A folder that depends on the working directory is not used, and nothing is created there.
    for (name, value) in [
        ("NODULE_CACHE_DIR", "relative"),
        ("NODULE_CACHE_DIR", ""),
        ("XDG_CACHE_HOME", "relative"),
        ("HOME", "relative"),
        ("HOME", ""),
    ] {
        let mut describe = describe(&cache, &calls);
        describe
            .env_remove("NODULE_CACHE_DIR")
            .env_remove("XDG_CACHE_HOME")
            .env(name, value);
        let (code, text) = told(describe).await;
        assert!(
            code == Some(0) && text.contains("not kept") && text.contains(name),
            "{name}={value}: {text}"
        );
    }
    assert!(!base.path().join("relative").exists());
    // Even if the umask lets others write, the command can reuse what it created.
    let own = base.path().join("own");
    for _ in 0..2 {
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 000; exec \"$@\"", "sh"]).arg(command());
        shell.env("NODULE_CACHE_DIR", &own).arg("describe").arg(&calls);
        let (code, text) = told(shell).await;
        assert!(code == Some(0) && !text.contains("not kept"), "{text}");
    }
    assert_eq!(mode(&own), 0o700);
}

/// A folder with a credential for a service, and a command that runs `calls` with it on one item.
struct Place {
    folder: tempfile::TempDir,
    server: Server,
}

impl Place {
    async fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            server: Server::start(|_| ok("{}")).await,
        };
        let credential =
            json!({"baseUrl": format!("{}/api", place.server.origin()), "secret": SECRET, "mode": "none"});
        fs::write(place.at("credential.json"), credential.to_string()).unwrap();
        set_mode(&place.at("credential.json"), 0o600);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 000; exec \"$@\"", "sh"]).arg(command());
        let task = json!([{"url": format!("{}/api/things", self.server.origin())}]);
        shell
            .env("NODULE_CACHE_DIR", self.at("cache"))
            .current_dir(self.folder.path())
            .arg("run")
            .arg(file(CALLS))
            .args(["things", "read", "--param", &format!("requests:={task}")])
            .args(["--credential", "credential.json"])
            .args(arguments);
        shell
    }
}

pub async fn modes_and_links(_: &Bench) {
    let place = Place::new().await;
    let files = ["out.jsonl", "failed.jsonl", "summary.json", "run.har"];
    let arguments = [
        "--output",
        "out.jsonl",
        "--failed",
        "failed.jsonl",
        "--summary",
        "summary.json",
        "--record",
        "run.har",
    ];
    let (code, text) = told(place.run(&arguments)).await;
    assert!(code == Some(0) && !text.contains("warning"), "{text}");
    for name in files {
        assert_eq!(mode(&place.at(name)), 0o600, "{name}");
        set_mode(&place.at(name), 0o640);
    }
    // Somebody opened an existing file to others on purpose, so it keeps its mode.
    assert_eq!(told(place.run(&arguments)).await.0, Some(0));
    for name in files {
        assert_eq!(mode(&place.at(name)), 0o640, "{name}");
    }
    // A name that the user chose may be a link, and stays one.
    for (flag, name) in [("--record", "run.har"), ("--output", "deliberate")] {
        fs::write(place.at("precious"), "precious").unwrap();
        let _ = fs::remove_file(place.at(name));
        symlink(place.at("precious"), place.at(name)).unwrap();
        assert_eq!(told(place.run(&[flag, name])).await.0, Some(0));
        assert!(place.at(name).is_symlink(), "{flag}");
        assert_ne!(fs::read(place.at("precious")).unwrap(), b"precious", "{flag}");
    }
    journals(&place).await;
    // The command warns if others may read or change a file that it relies on.
    fs::write(place.at("policy.toml"), "").unwrap();
    for (name, wrong, words) in [
        ("credential.json", 0o644, "may read the credential"),
        ("credential.json", 0o666, "may change the credential"),
        ("policy.toml", 0o666, "may change the policy"),
    ] {
        let right = mode(&place.at(name)) & 0o755;
        set_mode(&place.at(name), wrong);
        let (code, text) = told(place.run(&["--policy", "policy.toml"])).await;
        assert!(
            code == Some(0) && text.contains("warning:") && text.contains(words),
            "{name} {wrong:o}: {text}"
        );
        set_mode(&place.at(name), right);
    }
}

async fn journals(place: &Place) {
    let journal = place.at("run.sqlite");
    let run = || place.run(&["--journal", "run.sqlite"]);
    assert_eq!(told(run()).await.0, Some(0));
    let made: Vec<PathBuf> = all(place.folder.path())
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("run.sqlite"))
        .collect();
    assert!(made.len() >= 2, "{made:?}");
    for path in &made {
        assert_eq!(mode(path), 0o600, "{}", path.display());
        set_mode(path, 0o666);
    }
    // The files are restricted to their owner again before anything is written to them.
    assert_eq!(told(run()).await.0, Some(0));
    for path in made.iter().filter(|path| path.exists()) {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    let refused = async |what: &str, words: &str| {
        place.server.take();
        let (code, text) = told(run()).await;
        assert!(code == Some(2) && text.contains(words), "{what}: {text}");
        assert!(place.server.take().is_empty(), "{what}: and nothing is sent");
    };
    let beside = |end: &str| place.at(&format!("run.sqlite{end}"));
    for end in ["", "-lock", "-wal", "-shm", "-journal"] {
        let path = beside(end);
        let kept = path.exists().then(|| fs::read(&path).unwrap());
        if is_root() {
            fs::write(&path, kept.as_deref().unwrap_or_default()).unwrap();
            chown(&path, Some(STRANGER), None).unwrap();
            refused(&format!("another user's {end}"), "another user").await;
        }
        let _ = fs::remove_file(&path);
        let elsewhere = place.at("elsewhere");
        fs::write(&elsewhere, kept.as_deref().unwrap_or_default()).unwrap();
        set_mode(&elsewhere, 0o644);
        symlink(&elsewhere, &path).unwrap();
        refused(&format!("a link {end}"), "symbolic link").await;
        assert_eq!(mode(&elsewhere), 0o644, "{end}");
        // Opening a pipe without a writer would block for ever.
        fs::remove_file(&path).unwrap();
        pipe(&path);
        refused(&format!("a pipe {end}"), "run.sqlite").await;
        fs::remove_file(&path).unwrap();
        if let Some(bytes) = kept {
            fs::write(&path, bytes).unwrap();
            set_mode(&path, 0o600);
        }
    }
    assert_eq!(told(run()).await.0, Some(0));
    assert!(fs::metadata(&journal).unwrap().is_file());
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

pub async fn process(_: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    let mut run = Command::new(command());
    run.env("NODULE_CACHE_DIR", folder.path().join("cache"))
        .env(
            "NODULE_CREDENTIAL",
            json!({"baseUrl": NOWHERE, "secret": SECRET, "mode": "none"}).to_string(),
        )
        .arg("run")
        .arg(file(COMPLAINS))
        .args(["things", "read", "--items", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Root can read everything, so as root the command and its neighbour run as another user.
    let user = if is_root() {
        run.uid(STRANGER).gid(STRANGER);
        STRANGER
    } else {
        fs::metadata("/proc/self").unwrap().uid()
    };
    let mut child = run.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"n\":1}\n").unwrap();
    // Its first result shows that it is running.
    let (mut output, line) = tokio::task::spawn_blocking({
        let output = child.stdout.take().unwrap();
        move || {
            use std::io::BufRead as _;
            let mut output = std::io::BufReader::new(output);
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            (output, line)
        }
    })
    .await
    .unwrap();
    let of = |name: &str| PathBuf::from(format!("/proc/{}/{name}", child.id()));
    let status = fs::read_to_string(of("status")).unwrap();
    assert!(
        line.contains("\"item\":0") && status.contains(&format!("Uid:\t{user}\t")),
        "{line} {status}"
    );
    for name in ["environ", "mem", "maps"] {
        let mut neighbour = Command::new("cat");
        neighbour.arg(of(name));
        if is_root() {
            neighbour.uid(user).gid(user);
        }
        let read = finished(neighbour).await;
        assert!(
            !read.status.success() && read.stdout.is_empty(),
            "{name} is read by another process of the user"
        );
        assert_eq!(fs::metadata(of(name)).unwrap().uid(), 0, "{name}");
    }
    let limits = fs::read_to_string(of("limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(
        core.split_whitespace().filter(|word| *word == "0").count(),
        2,
        "{core}"
    );
    drop(input);
    let done = tokio::task::spawn_blocking(move || {
        let _ = std::io::copy(&mut output, &mut std::io::sink());
        child.wait().unwrap()
    });
    assert!(done.await.unwrap().success());
}

/// A command's exit status, messages and peak memory in bytes.
async fn measured(mut command: Command) -> (Option<i32>, String, u64) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::task::spawn_blocking(move || {
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut most = 0;
        loop {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let peak = text.lines().find_map(|line| {
                line.strip_prefix("VmHWM:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse::<u64>()
                    .ok()
            });
            most = most.max(peak.unwrap_or_default() * 1024);
            if let Some(ended) = child.try_wait().unwrap() {
                let mut told = String::new();
                std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut told).unwrap();
                return (ended.code(), told, most);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    })
    .await
    .unwrap()
}

pub async fn large_files(_: &Bench) {
    const MIB: u64 = 1 << 20;
    let place = Place::new().await;
    let run = |arguments: &[&str]| {
        let mut run = Command::new(command());
        run.env("NODULE_CACHE_DIR", place.at("cache"))
            .current_dir(place.folder.path())
            .args(arguments);
        run
    };
    let replay = |har: &str| {
        run(&[
            "run",
            file(CALLS).to_str().unwrap(),
            "things",
            "read",
            "--replay",
            har,
            "--param",
            "a=1",
        ])
    };
    let refused = async |what: &str, command: Command, words: &str, most: u64| {
        let (code, text, peak) = measured(command).await;
        assert!(
            matches!(code, Some(1 | 2)) && text.contains(words),
            "{what}: {code:?} {text}"
        );
        assert!(peak < most, "{what}: {} MiB", peak / MIB);
    };
    // Compiles beforehand, so that compiling is not measured.
    told(run(&["describe", file(CALLS).to_str().unwrap()])).await;
    let sized = |name: &str, bytes: u64| fs::File::create(place.at(name)).unwrap().set_len(bytes).unwrap();
    sized("large.har", 158 * MIB);
    refused(
        "a HAR of 158 MB",
        replay("large.har"),
        "at most 67108864 bytes",
        160 * MIB,
    )
    .await;
    sized("endless.har", 1 << 40);
    refused(
        "a HAR of a terabyte",
        replay("endless.har"),
        "at most 67108864 bytes",
        160 * MIB,
    )
    .await;
    refused(
        "a device",
        replay("/dev/zero"),
        "at most 67108864 bytes",
        320 * MIB,
    )
    .await;
    for (what, unit) in [("numbers", "0,"), ("objects", "{\"a\":{}},"), ("lists", "[],")] {
        let text = format!(
            "{{\"log\": {{\"entries\": [{}0]}}}}",
            unit.repeat((60 * MIB) as usize / unit.len())
        );
        fs::write(place.at("values.har"), text).unwrap();
        refused(what, replay("values.har"), "JSON values", 320 * MIB).await;
    }
    // The largest recordings that are read: one with a long response, and one with the most values.
    let entry = |body: &str, more: Value| json!({"request": {"method": "GET", "url": "http://127.0.0.1/"}, "response": {"status": 200, "content": {"text": body}}, "_more": more});
    let largest = [
        entry(&"a".repeat(60 * MIB as usize), Value::Null),
        entry(
            "",
            json!(
                (0..480_000)
                    .map(|_| json!({"name": "n", "v": [0]}))
                    .collect::<Vec<_>>()
            ),
        ),
    ];
    for entry in largest {
        fs::write(
            place.at("most.har"),
            json!({"log": {"entries": [entry]}}).to_string(),
        )
        .unwrap();
        let (_, text, peak) = measured(replay("most.har")).await;
        assert!(!text.contains("at most"), "{text}");
        assert!(peak < 768 * MIB, "{} MiB", peak / MIB);
    }
    // A folder of cases with a pipe without a writer, and two links that lead back along endlessly many paths.
    let cases = place.at("cases");
    fs::create_dir(&cases).unwrap();
    pipe(&cases.join("pipe.har"));
    for link in ["a", "b"] {
        symlink(&cases, cases.join(link)).unwrap();
    }
    let check = run(&["check", file(CALLS).to_str().unwrap(), "cases"]);
    let (code, text) = tokio::time::timeout(Duration::from_secs(120), told(check))
        .await
        .expect("it ends");
    assert!(code == Some(1) && text.contains("FAILED  pipe.har"), "{text}");
    // Policies and credentials are small.
    for name in ["policy", "credential"] {
        sized("small", 2 * MIB);
        for file_name in ["small", "/dev/zero"] {
            let flag = format!("--{name}");
            let command = run(&[
                "run",
                file(CALLS).to_str().unwrap(),
                "things",
                "read",
                "--param",
                "a=1",
                &flag,
                file_name,
            ]);
            refused(
                &format!("{name} {file_name}"),
                command,
                "at most 1048576 bytes",
                160 * MIB,
            )
            .await;
        }
    }
}
