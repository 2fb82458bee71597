//! `nodule check`: replays every recorded case and compares the results with the recorded ones.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use nodule::description::{Kind, Node, Operation, Parameter};
use nodule::json::Json;
use nodule::policy::{Policy, Rule};
use nodule::recording::{self, Case, Outcome, Recording, Role};
use nodule::{Component, ItemResult, RunOptions, text};

use crate::args::Check;
use crate::author::record::CaseFile;
use crate::exit::{Exit, Failed, hint, line};
use crate::output;
use crate::setup;

pub async fn check(args: &Check) -> Result<Exit, Failed> {
    let component = setup::component(&args.component, None, None, None).await?;
    cases(&component, &args.cases, args.write_skeletons).await
}

/// Replays the cases of a folder, prints how each goes, and which operations have none.
pub async fn cases(component: &Component, dir: &Path, write_skeletons: bool) -> Result<Exit, Failed> {
    let files = files(dir, RECORDING)?;
    let (mut passed, mut failed) = (0_u64, 0_u64);
    for file in &files {
        let name = file.strip_prefix(dir).unwrap_or(file);
        let shown = text::path(name);
        let faults = match load(file) {
            Ok(recording) => one(component, recording, &name.to_string_lossy()).await,
            Err(fault) => vec![fault],
        };
        if faults.is_empty() {
            passed += 1;
            output::print(&format!("ok      {shown}\n"))?;
        } else {
            failed += 1;
            output::print(&format!("FAILED  {shown}\n"))?;
            for fault in faults {
                output::print(&format!("        {fault}\n"))?;
            }
        }
    }
    let missing = missing(component.node(), dir, &files);
    failed += u64::try_from(missing.len()).unwrap_or(u64::MAX);
    for (operation, file) in &missing {
        output::print(&format!(
            "MISSING {} {}: no case that succeeds\n",
            operation.group, operation.name
        ))?;
        if write_skeletons {
            let file = file.with_extension(CASE);
            skeleton(component.node(), operation, dir, &file)?;
            output::print(&format!(
                "        wrote {}: fill in its items and record it by `nodule record`\n",
                text::path(&file)
            ))?;
        } else {
            output::print(&format!("        expected {}\n", text::path(file)))?;
        }
    }
    output::print(&format!("{passed} passed, {failed} failed\n"))?;
    if !missing.is_empty() && !write_skeletons {
        line("");
        hint("record a case by `nodule run … --record FILE`, or let --write-skeletons write one to fill in");
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::ItemFailed })
}

/// The extension of a recorded case.
pub const RECORDING: &str = "har";
/// The extension of what a case is recorded from, by `nodule record`.
pub const CASE: &str = "toml";

/// Loads the recording of a case. Refuses anything but a regular file: opening a pipe could block forever.
fn load(file: &Path) -> Result<Recording, Fault> {
    if !file.is_file() {
        return Err(Fault::Unreadable(
            "expected a file, found something else".to_owned(),
        ));
    }
    Recording::load(file).map_err(|error| Fault::Unreadable(error.to_string()))
}

/// What is wrong with a case.
enum Fault {
    Unreadable(String),
    NoCase,
    NotRecorded,
    Setup(String),
    Place {
        expected: String,
    },
    Declared {
        recorded: String,
        described: String,
    },
    Called {
        declared: String,
        called: String,
    },
    Result {
        item: usize,
        expected: String,
        found: String,
    },
    Unused(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unreadable(error) | Fault::Setup(error) => f.write_str(error),
            Fault::NoCase => {
                f.write_str("no `log._case`: expected a recording made by `nodule run --record`")
            }
            Fault::NotRecorded => {
                f.write_str("it has no results yet: record it by `nodule run … --record FILE`")
            }
            Fault::Place { expected } => {
                write!(f, "expected a file name that begins with `{}`", shown(expected))
            }
            Fault::Declared { recorded, described } => {
                write!(
                    f,
                    "recorded when the operation declared `{}`; it declares `{}` now",
                    shown(recorded),
                    shown(described)
                )
            }
            Fault::Called { declared, called } => {
                write!(f, "declared `{}`, called `{}`", shown(declared), shown(called))
            }
            Fault::Result {
                item,
                expected,
                found,
            } => {
                write!(
                    f,
                    "item {item}: expected {expected}\n                found    {found}"
                )
            }
            Fault::Unused(exchange) => f.write_str(exchange),
        }
    }
}

/// Foreign text of a case, shortened to one line.
fn shown(text: &str) -> String {
    const SHOWN_CHARS: usize = 300;
    text::shown(text, SHOWN_CHARS)
}

async fn one(component: &Component, recording: Recording, name: &str) -> Vec<Fault> {
    let Some(case) = recording.case().cloned() else {
        return vec![Fault::NoCase];
    };
    let mut faults: Vec<Fault> = recording.warnings().into_iter().map(Fault::Unreadable).collect();
    let place = format!("{}/{}", case.group, case.operation);
    if !name
        .replace('\\', "/")
        .strip_suffix(".har")
        .is_some_and(|name| is_case_of(name, &place))
    {
        faults.push(Fault::Place { expected: place });
    }
    match component.node().operation(&case.group, &case.operation) {
        Ok(operation) => faults.extend(calls(&recording, &case, operation)),
        Err(unknown) => {
            faults.push(Fault::Setup(shown(&format!("{unknown}; {}", unknown.hint()))));
            return faults;
        }
    }
    if case.items.iter().any(|item| item.result.is_none()) {
        faults.push(Fault::NotRecorded);
        return faults;
    }
    let broken = Broken::of(&recording);
    let policy = policy_of(&recording, &case);
    let runner = match component.runner().policy(policy).replay(recording).build() {
        Ok(runner) => runner,
        Err(error) => {
            faults.push(Fault::Setup(error.to_string()));
            return faults;
        }
    };
    let options = RunOptions::default().on_failure(case.on_failure);
    let items: Vec<String> = case.items.iter().map(recording::Item::text).collect();
    let items = futures_util::stream::iter(items).map(Ok);
    match runner.run(&case.group, &case.operation, items, &options).await {
        Ok(mut running) => {
            let mut results = Vec::new();
            while let Some(completed) = running.next().await {
                match completed {
                    Ok(completed) => results.push(completed.result),
                    Err(error) => faults.push(Fault::Setup(error.to_string())),
                }
            }
            faults.extend(differences(&case, &results, &broken));
        }
        Err(error) => faults.push(Fault::Setup(error.to_string())),
    }
    let unused = runner.unused();
    if !unused.operation.is_empty() {
        faults.push(Fault::Unused(unused.to_string()));
    }
    let unused = unused.authentication.iter();
    faults.extend(unused.map(|exchange| Fault::Unused(exchange.to_string())));
    faults
}

/// Nothing is sent, so that neither what the node declares nor what it was allowed when it was recorded needs a grant.
fn policy_of(recording: &Recording, case: &Case) -> Policy {
    let mut policy = Policy::default();
    policy.allow_declared();
    let origins = recording
        .exchanges()
        .iter()
        .map(|exchange| exchange.request.url.origin());
    let others = origins.filter(|origin| *origin != case.base_url.origin());
    let others: BTreeSet<String> = others.map(|origin| origin.ascii_serialization()).collect();
    for rule in others.iter().filter_map(|origin| Rule::parse(origin).ok()) {
        policy.allow(rule.with_private(true));
    }
    policy
}

/// `points/adjustPoints` and `points/adjustPoints-twice` are cases of `points/adjustPoints`.
pub fn is_case_of(name: &str, place: &str) -> bool {
    name.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Checks that the recorded requests match the request that the operation describes.
fn calls(recording: &Recording, case: &Case, operation: &Operation) -> Vec<Fault> {
    let Some(described) = &operation.request else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if let Some(recorded) = &case.declared
        && recorded != described
    {
        faults.push(Fault::Declared {
            recorded: recorded.to_string(),
            described: described.to_string(),
        });
    }
    let base = case.base_url.path().trim_end_matches('/');
    for exchange in recording
        .exchanges()
        .iter()
        .filter(|exchange| exchange.role == Role::Operation)
    {
        let method = exchange.request.method.as_str();
        let path = exchange.request.url.path();
        let below = path.strip_prefix(base).unwrap_or(path);
        if method != described.method() || !described.path().matches(below) {
            faults.push(Fault::Called {
                declared: described.to_string(),
                called: format!("{method} {below}"),
            });
        }
    }
    faults
}

/// The items with a transport failure in the recording.
struct Broken {
    items: HashSet<usize>,
    /// A request of `authenticate` failed, which affects every item.
    is_any: bool,
}

impl Broken {
    fn of(recording: &Recording) -> Self {
        let exchanges = recording.exchanges().iter();
        let broken = exchanges.filter(|exchange| match &exchange.outcome {
            Outcome::Failed { .. } => true,
            Outcome::Answer(answer) => answer.broken.is_some(),
        });
        let items: Vec<Option<usize>> = broken.map(|exchange| exchange.item).collect();
        Self {
            is_any: items.contains(&None),
            items: items.into_iter().flatten().collect(),
        }
    }

    /// Whether an item failed for the same reason as in the recording. Two kinds of failure are compared by kind only:
    /// a transport failure, whose wording depends on the operating system, and an item that was not an object, which a
    /// recording does not keep exactly.
    fn is_same(&self, index: usize, item: &recording::Item, recorded: &Json, found: &Json) -> bool {
        let is_by_kind = self.is_any || self.items.contains(&index) || !item.parameters.is_object();
        recorded == found || is_by_kind && recorded.get("kind") == found.get("kind")
    }
}

fn differences(case: &Case, results: &[ItemResult], broken: &Broken) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (item, (recorded, result)) in case.items.iter().zip(results).enumerate() {
        let found = match result {
            Ok(output) => output.iter().map(|json| recording::held(json.get())).collect(),
            Err(failure) => failure.to_json(),
        };
        let (expected, is_same) = match (&recorded.result, result) {
            (Some(recording::RecordedResult::Output(output)), result) => {
                let expected = Json::Array(output.clone());
                let is_same = result.is_ok() && expected == found;
                (expected, is_same)
            }
            (Some(recording::RecordedResult::Error(error)), result) => {
                let is_same = broken.is_same(item, recorded, error, &found);
                (error.clone(), result.is_err() && is_same)
            }
            (None, _) => (Json::Null, false),
        };
        if !is_same {
            faults.push(Fault::Result {
                item,
                expected: cut(&expected),
                found: cut(&found),
            });
        }
    }
    faults
}

fn cut(value: &Json) -> String {
    const CHARS: usize = 300;
    // Escaped as JSON, so that invisible differences show.
    text::shown(&text::json(&value.to_string()), CHARS)
}

/// The operations without a successful case, each with the file to write.
fn missing<'a>(node: &'a Node, dir: &Path, files: &[PathBuf]) -> Vec<(&'a Operation, PathBuf)> {
    let succeed: Vec<(String, String)> = files
        .iter()
        .filter_map(|file| {
            let recording = load(file).ok()?;
            let case = recording.case()?;
            let succeeds = case
                .items
                .iter()
                .any(|item| matches!(item.result, Some(recording::RecordedResult::Output(_))));
            succeeds.then(|| (case.group.clone(), case.operation.clone()))
        })
        .collect();
    node.operations
        .iter()
        .filter(|operation| {
            !succeed
                .iter()
                .any(|(group, name)| *group == operation.group && *name == operation.name)
        })
        .map(|operation| {
            (
                operation,
                dir.join(&operation.group).join(format!("{}.har", operation.name)),
            )
        })
        .collect()
}

/// All files below a folder that have this extension, sorted by path. Links to folders are not followed.
pub fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, Failed> {
    let broken =
        |path: &Path, error: &std::io::Error| Failed::usage(format!("{}: {error}", text::path(path)));
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|error| broken(&dir, &error))? {
            let entry = entry.map_err(|error| broken(&dir, &error))?;
            let (path, kind) = (entry.path(), entry.file_type());
            // Links to folders may form cycles.
            if kind.is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What a case is recorded from, to be filled in: one item with the required parameters.
fn skeleton(node: &Node, operation: &Operation, cases: &Path, file: &Path) -> Result<(), Failed> {
    let broken = |error: std::io::Error| Failed::usage(format!("{}: {error}", text::path(file)));
    if file.exists() {
        return Ok(());
    }
    let group = cases.join(&operation.group);
    match std::fs::create_dir_all(cases).and_then(|()| std::fs::create_dir(&group)) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(broken(error)),
        _ => {}
    }
    // The folder of cases may come from a stranger: through a link, the skeleton would be written elsewhere.
    if !group.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Err(Failed::usage(format!(
            "{}: expected a folder, found a link or something else",
            text::path(&group)
        )));
    }
    let item: toml::Table = node
        .parameters_by_id(&operation.parameters)
        .filter(|parameter| parameter.required)
        .map(|parameter| (parameter.name.clone(), to_fill_in(parameter)))
        .collect();
    let text = toml::to_string(&CaseFile {
        fails: false,
        items: vec![item],
    })
    .map_err(|error| Failed::usage(format!("{}: {error}", text::path(file))))?;
    // `create_new` does not follow a dangling link, for the same reason.
    let mut file = std::fs::File::create_new(file).map_err(broken)?;
    file.write_all(text.as_bytes()).map_err(broken)
}

/// A parameter's default, or a value of its kind.
fn to_fill_in(parameter: &Parameter) -> toml::Value {
    let default = parameter.default.as_ref().map(Json::to_string);
    let default = default.and_then(|default| serde_json::from_str(&default).ok());
    default.unwrap_or_else(|| match parameter.kind {
        Kind::Integer(_) | Kind::Number(_) => toml::Value::Integer(0),
        Kind::Boolean => toml::Value::Boolean(false),
        Kind::Rows(_) | Kind::Group(_) | Kind::AnyJson => toml::Value::Table(toml::Table::new()),
        _ => toml::Value::String(String::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_belongs_to_its_operation_and_a_longer_name_does_not() {
        assert!(is_case_of("points/adjustPoints", "points/adjustPoints"));
        assert!(is_case_of("points/adjustPoints-twice", "points/adjustPoints"));
        assert!(!is_case_of("points/adjustPointsTwice", "points/adjustPoints"));
        assert!(!is_case_of("member/adjustPoints", "points/adjustPoints"));
    }
}
