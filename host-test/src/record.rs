//! `make record`: record the cases of `cases.json` again, each by `nodule run --record` against a simulator of its own.
//!
//! A recording says in itself that it was made against the simulator. What is not said there: `before` runs operations
//! that a case builds on, `faults` makes the simulator misbehave, `secret` is a wrong one.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use simulator::{Config, DEMO_APP_ID, DEMO_APP_SECRET, Rule, Simulator};

const NODULE: &str = "target/release/nodule";
const COMPONENT: &str = "target/socialhub.wasm";
/// 2026-01-01T00:00:00Z: what the simulator writes into its answers is the same at every recording.
const EPOCH: i64 = 1_767_225_600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    /// `group/operation` or `group/operation-variant`: the file's name.
    #[serde(rename = "case")]
    name: String,
    items: Vec<Value>,
    on_failure: Option<String>,
    #[serde(default)]
    before: Vec<Before>,
    #[serde(default)]
    faults: Vec<Rule>,
    secret: Option<String>,
}

/// Something that is done first and not recorded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    operation: String,
    items: Vec<Value>,
}

fn main() -> Result<()> {
    let text =
        std::fs::read_to_string("host-test/cases.json").context("run it from the top of the repository")?;
    let cases: Vec<Case> = serde_json::from_str(&text).context("host-test/cases.json")?;
    let only: Vec<String> = std::env::args().skip(1).collect();
    for case in cases
        .iter()
        .filter(|case| only.is_empty() || only.contains(&case.name))
    {
        record(case).with_context(|| case.name.clone())?;
        writeln!(std::io::stdout(), "recorded {}", case.name)?;
    }
    Ok(())
}

fn record(case: &Case) -> Result<()> {
    let simulator = Simulator::start(Config {
        epoch: Some(EPOCH),
        ..Config::default()
    })?;
    let place = case.name.split('-').next().unwrap_or(&case.name);
    for before in &case.before {
        let status = nodule(&simulator, &before.operation, &before.items, DEMO_APP_SECRET, &[])?;
        if status != Some(0) {
            bail!("{} failed, with {status:?}", before.operation);
        }
    }
    for fault in &case.faults {
        simulator.add_fault(fault.clone())?;
    }
    let file = Path::new("host-test/cases").join(format!("{}.har", case.name));
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let file = file.display().to_string();
    let mode = case.on_failure.as_deref().unwrap_or("continue");
    let secret = case.secret.as_deref().unwrap_or(DEMO_APP_SECRET);
    let record = [
        "--record",
        &file,
        "--recorded-against",
        "simulator",
        "--on-failure",
        mode,
    ];
    // Items that fail are what some cases are about.
    match nodule(&simulator, place, &case.items, secret, &record)? {
        Some(0 | 1) => Ok(()),
        status => bail!("nodule run ended with {status:?}"),
    }
}

fn nodule(
    simulator: &Simulator,
    place: &str,
    items: &[Value],
    secret: &str,
    more: &[&str],
) -> Result<Option<i32>> {
    let (group, operation) = place.split_once('/').context("expected `group/operation`")?;
    let credential = json!({
        "baseUrl": format!("{}/openapi-prod/", simulator.base_url()),
        "appId": DEMO_APP_ID,
        "appSecret": secret,
    });
    let mut file = tempfile::NamedTempFile::new()?;
    for item in items {
        writeln!(file, "{item}")?;
    }
    let status = Command::new(NODULE)
        .args(["run", COMPONENT, group, operation, "--progress", "off"])
        .arg("--items")
        .arg(file.path())
        .args(more)
        .env("NODULE_CREDENTIAL", credential.to_string())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("start {NODULE}"))?;
    Ok(status.code())
}
