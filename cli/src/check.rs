//! `nodule check`: replays every recorded case and compares the results with the recorded ones.

use std::collections::{BTreeSet, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use nodule::description::{Kind, Node, Operation, Parameter};
use nodule::json::Json;
use nodule::policy::{Policy, Rule};
use nodule::recording::check::{self, Fault, calls, load, succeeds, unused};
use nodule::recording::{Case, Recording};
use nodule::{Component, ItemError, RunOptions, text};

use crate::args::Check;
use crate::author::record::CaseFile;
use crate::exit::{Exit, Failed, hint, line};
use crate::folder::{self, Nowhere};
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
    let mut succeeding = HashSet::new();
    for file in &files {
        let name = file.strip_prefix(dir).unwrap_or(file);
        let shown = text::path(name);
        let faults = match load(file) {
            Ok(recording) => {
                let case = recording.case().filter(|case| succeeds(case));
                succeeding.extend(case.map(|case| (case.group.clone(), case.operation.clone())));
                one(component, recording, &name.to_string_lossy()).await
            }
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
    let missing = missing(component.node(), dir, &succeeding);
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

/// What is shown of a case that names something unknown.
const SHOWN_CHARS: usize = 300;

/// The extension of a recorded case.
pub const RECORDING: &str = "har";
/// The extension of what a case is recorded from, by `nodule record`.
pub const CASE: &str = "toml";

async fn one(component: &Component, recording: Recording, name: &str) -> Vec<Fault> {
    let (check, mut faults) = check::Check::new(&recording, name);
    let Some(case) = recording.case() else {
        return faults;
    };
    match component.node().operation(&case.group, &case.operation) {
        Ok(operation) => {
            let described = operation.request.as_ref();
            faults.extend(
                described
                    .into_iter()
                    .flat_map(|described| calls(&recording, described)),
            );
        }
        Err(unknown) => {
            let unknown = format!("{unknown}; {}", unknown.hint());
            faults.push(Fault::Setup(text::shown(&unknown, SHOWN_CHARS)));
            return faults;
        }
    }
    let Some(check) = check else {
        return faults;
    };
    let policy = policy_of(&recording, &check.case);
    let files = recording.files().map(Path::to_owned);
    let runner = match component.runner().policy(policy).replay(recording).build() {
        Ok(runner) => runner,
        Err(error) => {
            faults.push(Fault::Setup(error.to_string()));
            return faults;
        }
    };
    let case = &check.case;
    let options = RunOptions::default().on_failure(case.on_failure).files(Nowhere);
    let items: Vec<_> = case
        .items
        .iter()
        .map(|item| {
            let files = files.as_deref();
            folder::with_files(item.text(), |file| folder::of_recording(files, file)).map_err(ItemError::from)
        })
        .collect();
    let items = futures_util::stream::iter(items);
    match runner.run(&case.group, &case.operation, items, &options).await {
        Ok(mut running) => {
            let mut results = Vec::new();
            while let Some(completed) = running.next().await {
                match completed {
                    Ok(completed) => results.push(completed.result),
                    Err(error) => faults.push(Fault::Setup(error.to_string())),
                }
            }
            faults.extend(check.differences(&results));
        }
        Err(error) => faults.push(Fault::Setup(error.to_string())),
    }
    faults.extend(unused(&runner.unused()));
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

/// The operations that are not among those with a successful case, each with the file to write.
fn missing<'a>(
    node: &'a Node,
    dir: &Path,
    succeeding: &HashSet<(String, String)>,
) -> Vec<(&'a Operation, PathBuf)> {
    node.operations
        .iter()
        .filter(|operation| !succeeding.contains(&(operation.group.clone(), operation.name.clone())))
        .map(|operation| {
            (
                operation,
                dir.join(&operation.group).join(format!("{}.har", operation.name)),
            )
        })
        .collect()
}

/// All files below a folder that have this extension, sorted by path.
pub fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, Failed> {
    check::files(dir, extension)
        .map_err(|(path, error)| Failed::usage(format!("{}: {error}", text::path(&path))))
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
