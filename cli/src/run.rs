//! `nodule run`: an operation on items, results as JSON lines in the items' order.

use std::collections::VecDeque;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, future};
use nodule::policy::Policy;
use nodule::recording::{self, Meta, Recording};
use nodule::{Component, Credential, Failure, RunOptions, Runner};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::args::Run;
use crate::exit::{Exit, Failed, hint, is_refusal, line, warning};
use crate::items::{self, Items};
use crate::output::{Lost, Output};
use crate::progress::Progress;
use crate::setup;

/// How long items that are under way may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);

/// Items that are under way, as they were read, for `--failed`.
type Texts = Arc<Mutex<VecDeque<Option<String>>>>;

pub async fn run(args: Run) -> Result<Exit, Failed> {
    let policy = setup::policy(&args.grants)?;
    let component = setup::component(&args.component, args.digest.as_deref(), Some(&policy)).await?;
    // Asked for here, so that a wrong name is told before the items are opened.
    component
        .node()
        .operation(&args.group, &args.operation)
        .map_err(nodule::Error::from)?;
    let runner = runner(&args, &component, policy)?;
    let (items, total) = items::open(args.items.as_deref(), &args.params).await?;
    if args.dry_run {
        return dry_run(&args, &runner, items).await;
    }
    let exit = stream(&args, &runner, items, total).await?;
    if let Some(path) = &args.record {
        runner.save_recording(path)?;
    }
    for unused in runner.unused().operation {
        warning(&unused.to_string());
    }
    Ok(exit)
}

/// The component, bound to what the flags say.
fn runner(args: &Run, component: &Component, policy: Policy) -> Result<Runner, Failed> {
    let builder = component.runner().policy(policy);
    if let Some(path) = &args.replay {
        let recording = Recording::load(path).map_err(nodule::Error::from)?;
        return Ok(builder.replay(recording).build()?);
    }
    let credential = setup::credential(component.node(), args.credential.as_deref())?;
    if let Some(credential) = &credential {
        // Whose server gets the secret is said before it does.
        line(&format!("credential: bound to {}", credential.base_url()));
    }
    let builder = match (&args.record, &credential) {
        (Some(_), None) => {
            return Err(Failed::usage("--record: a recording needs a base URL".to_owned())
                .hint(setup::CREDENTIAL_HINT.to_owned()));
        }
        (Some(_), Some(credential)) => builder.record(meta(args, component, credential)?),
        (None, _) if args.dry_run => builder.dry_run(),
        (None, _) => builder,
    };
    Ok(match credential {
        Some(credential) => builder.credential(credential),
        None => builder,
    }
    .build()?)
}

fn meta(args: &Run, component: &Component, credential: &Credential) -> Result<Meta, Failed> {
    let node = component.node();
    let operation = node
        .operation(&args.group, &args.operation)
        .map_err(nodule::Error::from)?;
    let base_url = credential.base_url().to_string();
    Ok(Meta {
        group: args.group.clone(),
        operation: args.operation.clone(),
        on_failure: match args.on_failure {
            crate::args::OnFailure::Stop => recording::OnFailure::Stop,
            crate::args::OnFailure::Continue => recording::OnFailure::Continue,
        },
        base_url: base_url.parse().map_err(|error| {
            Failed::usage(format!("the base URL `{base_url}` cannot be recorded: {error}"))
        })?,
        declared: nodule::declared(operation),
        component: Some(recording::Component {
            name: node.name.clone(),
            version: node.version.to_string(),
            digest: component.digest().to_owned(),
        }),
        recorded_against: args.recorded_against.clone(),
        comment: None,
    })
}

/// Run the items and write their results; says how the command ends.
async fn stream(args: &Run, runner: &Runner, items: Items, total: Option<u64>) -> Result<Exit, Failed> {
    let mut output = Output::open(&args.output)?;
    let mut failed = args.failed.as_deref().map(Output::create).transpose()?;
    let texts: Texts = Arc::default();
    let (items, kept) = kept(items, failed.is_some().then(|| Arc::clone(&texts)));
    let interrupted = interruption();
    let mut stopping = interrupted.clone();
    let items = items.take_until(async move {
        // An error says that there will be no interruption.
        if stopping.wait_for(|interrupted| *interrupted).await.is_err() {
            future::pending::<()>().await;
        }
    });
    let options = RunOptions::default()
        .concurrency(args.concurrency.get())
        .on_failure(args.on_failure.into());
    let mut results = runner.run(&args.group, &args.operation, items, &options)?;
    let mut progress = Progress::new(args.progress, total);
    let mut tally = Tally::default();
    let mut out_of_patience = pin!(patience(interrupted.clone()));
    let mut index = 0;
    let ended = loop {
        let next = if let Some(next) = futures_util::FutureExt::now_or_never(results.next()) {
            next
        } else {
            // Nothing is ready: what is known is shown before waiting.
            if let Err(lost) = output.flush() {
                break Err(lost);
            }
            tokio::select! {
                next = results.next() => next,
                () = &mut out_of_patience => break Ok(()),
            }
        };
        let Some(result) = next else { break Ok(()) };
        if let Err(lost) = output.result(index, &result) {
            break Err(lost);
        }
        let text = kept
            .then(|| texts.lock().unwrap_or_else(PoisonError::into_inner).pop_front())
            .flatten()
            .flatten();
        match &result {
            Ok(_) => progress.done(),
            Err(failure) => {
                tally.count(failure);
                progress.failed(failure);
                if let (Some(failed), Some(text)) = (&mut failed, text)
                    && let Err(lost) = failed.line(&text)
                {
                    break Err(lost);
                }
            }
        }
        index += 1;
    };
    drop(results);
    let ended = ended
        .and_then(|()| output.flush())
        .and_then(|()| failed.as_mut().map_or(Ok(()), Output::flush));
    progress.end();
    match ended {
        Err(Lost::Broken(broken)) => return Err(broken),
        // Whoever read the results has seen enough.
        Err(Lost::Closed) => return Ok(Exit::Done),
        Ok(()) => {}
    }
    tally.explain(args.failed.as_deref());
    if *interrupted.borrow() {
        warning("interrupted: items after these were not run");
        return Ok(Exit::Interrupted);
    }
    Ok(tally.exit())
}

/// The items, remembered while they are under way if somebody wants them back.
fn kept(items: Items, texts: Option<Texts>) -> (Items, bool) {
    match texts {
        None => (items, false),
        Some(texts) => {
            let items = items.inspect(move |item| {
                texts
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_back(item.as_ref().ok().cloned());
            });
            (Box::pin(items), true)
        }
    }
}

/// Becomes true at the first Ctrl-C. The second one ends the process.
fn interruption() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            line("interrupted: waiting for the items under way; again to end at once");
            // Nobody may be left to tell.
            let _ = sender.send(true);
            let _ = tokio::signal::ctrl_c().await;
            std::process::exit(130);
        }
        future::pending::<()>().await;
    });
    receiver
}

/// Ends some time after the interruption.
async fn patience(mut interrupted: watch::Receiver<bool>) {
    if interrupted.wait_for(|interrupted| *interrupted).await.is_err() {
        future::pending::<()>().await;
    }
    tokio::time::sleep(GRACE).await;
}

/// What failed, as far as the exit status and the hints need it.
#[derive(Default)]
struct Tally {
    failures: u64,
    refusals: u64,
    hint: Option<String>,
}

impl Tally {
    fn count(&mut self, failure: &Failure) {
        self.failures += 1;
        self.refusals += u64::from(is_refusal(failure));
        if let Failure::Denied { hint: Some(hint), .. } = failure {
            self.hint.get_or_insert_with(|| hint.clone());
        }
    }

    /// What to do about the failures.
    fn explain(&self, failed: Option<&Path>) {
        if let Some(text) = &self.hint {
            line("");
            hint(text);
        }
        if let (true, Some(path)) = (self.failures > 0, failed) {
            line("");
            hint(&format!("the items that failed are in {}", path.display()));
        }
    }

    /// A run whose every failure is a refusal was refused; otherwise items failed.
    fn exit(&self) -> Exit {
        match (self.failures, self.refusals) {
            (0, _) => Exit::Done,
            (failures, refusals) if failures == refusals => Exit::Refused,
            _ => Exit::ItemFailed,
        }
    }
}

/// Print what would be sent. One item after the other, since requests do not say which item they belong to.
async fn dry_run(args: &Run, runner: &Runner, mut items: Items) -> Result<Exit, Failed> {
    let mut output = Output::open(&args.output)?;
    let mut tally = Tally::default();
    let mut index = 0_u64;
    while let Some(item) = items.next().await {
        let planned = match item {
            Ok(item) => runner.plan(&args.group, &args.operation, &item).await?,
            Err(failure) => Err(failure),
        };
        let lines: Vec<Value> = match planned {
            Ok(requests) => requests
                .iter()
                .map(|request| json!({"item": index, "request": shown(request)}))
                .collect(),
            Err(failure) => {
                tally.count(&failure);
                vec![json!({"item": index, "error": failure.to_json()})]
            }
        };
        for line in lines {
            match output.line(&line.to_string()) {
                Ok(()) => {}
                Err(Lost::Closed) => return Ok(Exit::Done),
                Err(Lost::Broken(broken)) => return Err(broken),
            }
        }
        index += 1;
    }
    if let Err(Lost::Broken(broken)) = output.flush() {
        return Err(broken);
    }
    tally.explain(None);
    Ok(tally.exit())
}

fn shown(request: &nodule::Planned) -> Value {
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let mut shown = json!({"method": request.method.as_str(), "url": request.url, "headers": headers});
    if !request.body.is_empty() {
        // JSON as JSON, anything else as the text that it is.
        let body = serde_json::from_slice(&request.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&request.body).into_owned()));
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("body".to_owned(), body);
        }
    }
    shown
}
