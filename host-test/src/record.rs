//! `make record`: records the cases of `cases.json` again, each by `nodule run --record` against its own simulator.
//!
//! A recording says that it was made against the simulator. It does not say what the fields of a case did: `before`
//! runs operations that the case builds on, `faults` makes the simulator misbehave, `secret` is a wrong secret, and
//! `answer` is the body of every response, for an operation that the simulator does not know or refuses.
//!
//! `record --missing` records only cases without a recording, and adds a case for each operation that has none, with
//! the items of `node/tests/wire.txt`. `UPDATE=1 make test` runs it.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use simulator::{Action, Config, DEMO_APP_ID, DEMO_APP_SECRET, Rule, Simulator};

const NODULE: &str = "target/release/nodule";
const COMPONENT: &str = "target/socialhub.wasm";
const CASES: &str = "host-test/cases.json";
const RECORDINGS: &str = "host-test/cases";
const WIRE: &str = "node/tests/wire.txt";
/// 2026-01-01T00:00:00Z: every recording has the same times in the simulator's responses.
const EPOCH: i64 = 1_767_225_600;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    /// `group/operation` or `group/operation-variant`, which names the file.
    #[serde(rename = "case")]
    name: String,
    items: Vec<Value>,
    on_failure: Option<String>,
    #[serde(default)]
    before: Vec<Before>,
    #[serde(default)]
    faults: Vec<Rule>,
    secret: Option<String>,
    answer: Option<Value>,
}

impl Case {
    fn recording(&self) -> PathBuf {
        Path::new(RECORDINGS).join(format!("{}.har", self.name))
    }
}

/// An operation to run first, without recording it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    operation: String,
    items: Vec<Value>,
}

fn main() -> Result<()> {
    let text = std::fs::read_to_string(CASES).context("run it from the top of the repository")?;
    let cases: Vec<Case> = serde_json::from_str(&text).context(CASES)?;
    let only: Vec<String> = std::env::args().skip(1).collect();
    let is_missing = only == ["--missing"];
    for case in &cases {
        let is_wanted = if is_missing {
            !case.recording().exists()
        } else {
            only.is_empty() || only.contains(&case.name)
        };
        if is_wanted {
            record(case).with_context(|| case.name.clone())?;
            writeln!(std::io::stdout(), "recorded {}", case.name)?;
        }
    }
    if is_missing {
        add_cases(&cases, text)?;
    }
    Ok(())
}

/// Records a case for each operation that has none, and adds it to the list.
fn add_cases(cases: &[Case], mut text: String) -> Result<()> {
    let described = Command::new(NODULE)
        .args(["describe", COMPONENT, "--format", "json"])
        .output()
        .with_context(|| format!("start {NODULE}"))?;
    let described: Value = serde_json::from_slice(&described.stdout).context("nodule describe")?;
    let operations = described.get("operations").and_then(Value::as_array);
    for operation in operations.context("expected a list of operations")? {
        let [group, name] = ["group", "name"].map(|field| operation.get(field).and_then(Value::as_str));
        let (group, name) = group
            .zip(name)
            .context("expected an operation's group and name")?;
        let mut case = Case {
            name: format!("{group}/{name}"),
            ..Case::default()
        };
        if cases.iter().any(|known| known.name == case.name) {
            continue;
        }
        case.items = items(group, name)?;
        let is_answered = match record(&case) {
            Ok(()) => has_output(&case)?,
            Err(error) if error.is::<Unknown>() => false,
            Err(error) => return Err(error.context(case.name)),
        };
        if !is_answered {
            case.answer = Some(json!({"code": "200", "msg": "success", "data": {}}));
            record(&case).with_context(|| case.name.clone())?;
        }
        let Some(list) = text.strip_suffix("\n]\n") else {
            bail!("{CASES}: expected a list that ends with `]` on a line of its own");
        };
        let mut line = format!(
            r#"{{"case": {}, "items": {}"#,
            json!(case.name),
            json!(case.items)
        );
        if let Some(answer) = &case.answer {
            line = format!(r#"{line}, "answer": {answer}"#);
        }
        text = format!("{list},\n  {line}}}\n]\n");
        std::fs::write(CASES, &text)?;
        writeln!(std::io::stdout(), "added and recorded {}", case.name)?;
    }
    Ok(())
}

/// Whether an item of the recording succeeded.
fn has_output(case: &Case) -> Result<bool> {
    let recording: Value = serde_json::from_slice(&std::fs::read(case.recording())?)?;
    let results = recording.pointer("/log/_case/results").and_then(Value::as_array);
    Ok(results.is_some_and(|results| results.iter().any(|result| result.get("output").is_some())))
}

/// The items from the node's own tests of the operation.
fn items(group: &str, operation: &str) -> Result<Vec<Value>> {
    let wire = std::fs::read_to_string(WIRE).context(WIRE)?;
    let given = format!("{group}.{operation} ");
    let items = wire.lines().filter_map(|line| line.strip_prefix(&given));
    let items: Vec<Value> = items
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context(WIRE)?;
    if items.is_empty() {
        bail!("{WIRE}: expected an item of {given}; `UPDATE=1 make test-node` writes one");
    }
    Ok(items)
}

/// The simulator does not know the operation.
#[derive(Debug)]
struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulator does not know this operation: say in `answer` what the service answers")
    }
}

impl std::error::Error for Unknown {}

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
    if let Some(answer) = &case.answer {
        let answer = Action::Status {
            code: 200,
            retry_after: None,
            body: Some(answer.to_string()),
        };
        simulator.add_fault(Rule::new(answer).except("/v1/auth/"))?;
    }
    let file = case.recording();
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
    // Some cases are about items that fail.
    match nodule(&simulator, place, &case.items, secret, &record)? {
        Some(0 | 1) => {}
        status => bail!("nodule run ended with {status:?}"),
    }
    if case.answer.is_none() && simulator.stats().unrouted > 0 {
        return Err(Unknown.into());
    }
    Ok(())
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
