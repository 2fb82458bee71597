//! What the tests have in common.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use simulator::{Config, DEMO_APP_ID, DEMO_APP_SECRET, Simulator};

/// The top of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub fn component() -> PathBuf {
    let path = root().join("target/socialhub.wasm");
    assert!(path.exists(), "{} is missing: run `make build`", path.display());
    path
}

pub fn cases() -> PathBuf {
    root().join("host-test/cases")
}

/// The command, without what this machine's environment would add to it.
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

/// A credential for the simulator, as the variable has it.
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

/// The command's output, which has to end with this status.
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
