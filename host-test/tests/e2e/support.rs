//! What the end-to-end tests share.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

use nodule::description::Node;
use serde_json::{Value, json};
use simulator::{Config, DEMO_APP_ID, DEMO_APP_SECRET, Simulator};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub fn component() -> PathBuf {
    let path = root().join("target/socialhub.wasm");
    assert!(path.exists(), "{} is missing: run `make build`", path.display());
    path
}

/// The folder of recorded cases. With `UPDATE=1`, missing ones are recorded first.
pub fn cases() -> PathBuf {
    static RECORDED: Once = Once::new();
    if std::env::var_os("UPDATE").is_some() {
        RECORDED.call_once(|| {
            let mut record = Command::new(env!("CARGO_BIN_EXE_record"));
            expect(record.arg("--missing").current_dir(root()), 0);
        });
    }
    root().join("host-test/cases")
}

/// The node's description.
pub fn described() -> Node {
    let mut describe = nodule();
    describe
        .arg("describe")
        .arg(component())
        .args(["--format", "json"]);
    serde_json::from_slice(&expect(&mut describe, 0).stdout).unwrap()
}

/// The recordings of all cases.
pub fn recordings() -> Vec<PathBuf> {
    files(cases(), "har")
}

/// The files of a folder and the folders in it that have this extension.
pub fn files(folder: PathBuf, extension: &str) -> Vec<PathBuf> {
    let mut all = all_files(folder);
    all.retain(|path| path.extension().is_some_and(|it| it == extension));
    all
}

/// The files of a folder and the folders in it.
pub fn all_files(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// Fails unless `seen`, a list of group and name, contains every operation. The message names the file to write.
pub fn assert_every_operation(seen: &HashSet<(String, String)>) {
    let missing: Vec<PathBuf> = described()
        .operations
        .into_iter()
        .map(|operation| (operation.group, operation.name))
        .filter(|operation| !seen.contains(operation))
        .map(|(group, name)| cases().join(group).join(format!("{name}.har")))
        .collect();
    assert!(missing.is_empty(), "no case that succeeds: expected {missing:?}");
}

/// The command, unaffected by this machine's environment.
pub fn nodule() -> Command {
    let path = root().join("target/release/nodule");
    assert!(path.exists(), "{} is missing: run `make build`", path.display());
    let mut command = Command::new(path);
    command
        .env_remove("NODULE_CREDENTIAL")
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .current_dir(root());
    command.stdin(Stdio::null());
    command
}

/// A command that builds an author's crate: what such crates depend on is compiled once.
pub fn author_s(command: &mut Command) -> &mut Command {
    command.env("CARGO_TARGET_DIR", root().join("target/author"))
}

/// `nodule run COMPONENT GROUP OPERATION`
pub fn run(group: &str, operation: &str) -> Command {
    let mut command = nodule();
    command
        .arg("run")
        .arg(component())
        .args([group, operation, "--progress", "off"]);
    command
}

pub fn simulator(config: Config) -> Simulator {
    Simulator::start(config).unwrap()
}

pub fn logging() -> Config {
    Config {
        log_requests: true,
        ..Config::default()
    }
}

/// A credential for the simulator, as the environment variable contains it.
pub fn credential(simulator: &Simulator) -> String {
    credential_for(&simulator.base_url())
}

pub fn credential_for(base_url: &str) -> String {
    json!({"baseUrl": base_url, "appId": DEMO_APP_ID, "appSecret": DEMO_APP_SECRET}).to_string()
}

/// A file of JSON lines.
pub fn items<'a>(lines: impl IntoIterator<Item = &'a str>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
    file
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The lines of standard output as JSON.
pub fn lines(output: &Output) -> Vec<Value> {
    stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The command's output; asserts the exit status.
pub fn expect(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}\n{}",
        stdout(&output),
        stderr(&output)
    );
    output
}
