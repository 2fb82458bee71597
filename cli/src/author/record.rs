//! `nodule record`: records cases again, each from a file of its items.
//!
//! ```toml
//! # cases/customer/create.toml: recorded into cases/customer/create.har, item after item
//! [[items]]
//! email = "ada@example.com"
//! ```
//!
//! A case in which an item fails says `fails = true`. Without it, a service that is not there would replace each recording by
//! its failure.

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use nodule::recording::check;
use nodule::{Component, Credential, Failure, OnFailure, RunOptions, text};
use serde::{Deserialize, Serialize};

use super::project::Project;
use crate::args;
use crate::check::{CASE, RECORDING, files};
use crate::exit::{Exit, Failed, hint, line};
use crate::files::{POLICY, read};
use crate::output;
use crate::places::Places;
use crate::run::meta;
use crate::setup;

/// What a case is recorded from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// At least one item is to fail, and no failure is a surprise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fails: bool,
    pub items: Vec<toml::Table>,
}

pub async fn record(args: &args::Record) -> Result<Exit, Failed> {
    let policy = setup::policy(&args.grants)?;
    let file = match &args.component {
        Some(file) => file.clone(),
        None => Project::open(Path::new("."))?.component()?,
    };
    let component = setup::component(&file, None, Some(&policy), Some(&args.outbound)).await?;
    let cases = if args.all {
        files(&args.cases, CASE)?
    } else {
        args.files.clone()
    };
    if cases.is_empty() {
        return Err(
            Failed::usage(format!("{}: no case to record", text::path(&args.cases))).hint(
                "`nodule check COMPONENT CASES --write-skeletons` writes one for each operation".to_owned(),
            ),
        );
    }
    let cases: Vec<Case> = cases
        .into_iter()
        .map(|file| Case::open(&component, &args.cases, &file))
        .collect::<Result<_, _>>()?;
    let credential = credential(args, &component)?;
    if let Some(credential) = &credential {
        // Tell the user which server gets the secret before it does.
        line(&format!("credential: bound to {}", credential.base_url()));
    }
    let tls = setup::tls(&policy, &args.grants, &args.outbound, &mut Places::default())?;
    let mut exit = Exit::Done;
    for case in &cases {
        let builder = component
            .runner()
            .policy(policy.clone())
            .tls(tls.clone())
            .own_session();
        let mut builder = setup::with_tokens(builder, args.credential.as_deref()).record(meta(
            &component,
            credential.as_ref(),
            (&case.group, &case.operation),
            OnFailure::Continue,
            args.recorded_against.clone(),
        )?);
        if let Some(credential) = &credential {
            builder = builder.credential(credential.clone());
        }
        let runner = builder.build()?;
        let failures = case.run(&runner).await?;
        let shown = text::path(&case.recording);
        if failures.is_empty() == case.fails {
            exit = Exit::ItemFailed;
            output::print(&format!("FAILED  {shown}\n"))?;
            for (item, failure) in &failures {
                output::print(&format!("        item {item}: {failure}\n"))?;
            }
            line("");
            hint(if case.fails {
                "no item failed: take `fails = true` out of the case"
            } else {
                "the recording is as it was; a case whose items are to fail says `fails = true`"
            });
        } else {
            runner.save_recording(&case.recording)?;
            output::print(&format!("recorded {shown}\n"))?;
        }
    }
    Ok(exit)
}

fn credential(args: &args::Record, component: &Component) -> Result<Option<Credential>, Failed> {
    let node = component.node();
    let text = setup::credential_text(node, args.credential.as_deref())?;
    let credential = match (&text, &args.base_url) {
        (Some(text), Some(url)) => Credential::from_json_at(node, text, url),
        (Some(text), None) => Credential::from_json(node, text),
        (None, Some(_)) => {
            let why = "--base-url: there is no credential to use it with";
            return Err(Failed::usage(why.to_owned()).hint(setup::CREDENTIAL_HINT.to_owned()));
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(credential.map_err(nodule::Error::from)?))
}

struct Case {
    group: String,
    operation: String,
    fails: bool,
    items: Vec<String>,
    recording: PathBuf,
}

impl Case {
    /// Reads a case; its place names the operation.
    fn open(component: &Component, cases: &Path, file: &Path) -> Result<Self, Failed> {
        let wrong = |why: &str| Failed::usage(format!("{}: {why}", text::path(file)));
        let text = read(file, &POLICY)?;
        let read: CaseFile = toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            wrong(&format!("line {line}: {}", error.message()))
        })?;
        let place = file.strip_prefix(cases).unwrap_or(file).with_extension("");
        let place = place.to_string_lossy().replace('\\', "/");
        let operations = component.node().operations.iter();
        // Of `create` and `create-many`, the longer name that fits.
        let operation = operations
            .filter(|operation| check::is_case_of(&place, &format!("{}/{}", operation.group, operation.name)))
            .max_by_key(|operation| operation.name.len())
            .ok_or_else(|| {
                wrong(&format!(
                    "no operation of the node fits `{}`",
                    text::shown(&place, 200)
                ))
                .hint(
                    "a case is GROUP/OPERATION.toml or GROUP/OPERATION-VARIANT.toml below --cases".to_owned(),
                )
            })?;
        let recording = file.with_extension(RECORDING);
        // The folder of cases may come from a stranger.
        if recording.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Err(wrong(
                "expected a file as its recording, found a link or something else",
            ));
        }
        let items = read
            .items
            .into_iter()
            .map(|item| json(toml::Value::Table(item)).to_string());
        Ok(Self {
            group: operation.group.clone(),
            operation: operation.name.clone(),
            fails: read.fails,
            items: items.collect(),
            recording,
        })
    }

    async fn run(&self, runner: &nodule::Runner) -> Result<Vec<(usize, Failure)>, Failed> {
        let options = RunOptions::default().on_failure(OnFailure::Continue);
        let items = futures_util::stream::iter(self.items.clone()).map(Ok);
        let mut results = runner.run(&self.group, &self.operation, items, &options).await?;
        let mut failures = Vec::new();
        while let Some(completed) = results.next().await {
            let completed = completed?;
            if let Err(failure) = completed.result {
                failures.push((completed.index, failure));
            }
        }
        Ok(failures)
    }
}

/// An item's value as JSON; a date is a text.
fn json(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(values) => values
            .into_iter()
            .map(|(name, value)| (name, json(value)))
            .collect(),
    }
}
