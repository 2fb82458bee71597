//! `nodule run`: an operation on items, results as JSON lines in the items' order.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, future};
use nodule::description::Effect;
use nodule::journal::JournalOptions;
use nodule::policy::Policy;
use nodule::recording::{self, Meta, Recording};
use nodule::retry::Retry;
use nodule::{Component, Control, Credential, Ended, Failure, Notice, RunOptions, Runner, text};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::args::Run;
use crate::exit::{Exit, Failed, hint, is_refusal, line, warning};
use crate::items::{self, Items};
use crate::output::{Lost, Output};
use crate::progress::{Progress, counted};
use crate::setup;
use crate::signals::Signals;

/// How often progress is shown while no result comes.
const TICK: Duration = Duration::from_secs(1);
/// Items that a message names one by one.
const NAMED: usize = 20;

/// Items that are under way, as they were read, for `--failed`.
type Texts = Arc<Mutex<VecDeque<Option<String>>>>;

pub async fn run(args: Run) -> Result<Exit, Failed> {
    let policy = setup::policy(&args.grants)?;
    // Nothing else leaves.
    let is_live = args.replay.is_none() && !args.dry_run;
    let (digest, outbound) = (args.digest.as_deref(), is_live.then_some(&args.outbound));
    let component = setup::component(&args.component, digest, Some(&policy), outbound).await?;
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
    let unused = runner.unused();
    if !unused.operation.is_empty() {
        warning(&unused.to_string());
    }
    Ok(exit)
}

/// The component, bound to what the flags say.
fn runner(args: &Run, component: &Component, policy: Policy) -> Result<Runner, Failed> {
    let mut builder = component.runner().policy(policy);
    let credential = || setup::credential(component.node(), args.credential.as_deref());
    if let Some(path) = &args.replay {
        let recording = Recording::load(path).map_err(nodule::Error::from)?;
        for trouble in recording.warnings() {
            warning(&trouble);
        }
        // A recording of this command says itself where the service was.
        if recording.case().is_none()
            && let Some(credential) = credential()?
        {
            builder = builder.credential(credential);
        }
        return Ok(builder.replay(recording).build()?);
    }
    let credential = credential()?;
    if let Some(credential) = &credential {
        // Whose server gets the secret is said before it does.
        line(&format!("credential: bound to {}", credential.base_url()));
    }
    let builder = match (&args.record, &credential) {
        (Some(_), None) => {
            return Err(Failed::usage("--record: a recording needs a base URL".to_owned())
                .hint(setup::CREDENTIAL_HINT.to_owned()));
        }
        (Some(_), Some(credential)) => builder.record(meta(
            component,
            credential,
            (&args.group, &args.operation),
            args.on_failure == crate::args::OnFailure::Stop,
            args.recorded_against.clone(),
        )?),
        (None, _) if args.dry_run => builder.dry_run(),
        (None, _) => builder,
    };
    Ok(match credential {
        Some(credential) => builder.credential(credential),
        None => builder,
    }
    .build()?)
}

/// What a recording says of its run.
pub fn meta(
    component: &Component,
    credential: &Credential,
    (group, operation): (&str, &str),
    stops: bool,
    recorded_against: Option<String>,
) -> Result<Meta, Failed> {
    let node = component.node();
    let described = node.operation(group, operation).map_err(nodule::Error::from)?;
    let base_url = credential.base_url().to_string();
    Ok(Meta {
        group: group.to_owned(),
        operation: operation.to_owned(),
        on_failure: if stops {
            recording::OnFailure::Stop
        } else {
            recording::OnFailure::Continue
        },
        base_url: base_url.parse().map_err(|error| {
            Failed::usage(format!("the base URL `{base_url}` cannot be recorded: {error}"))
        })?,
        declared: nodule::declared(described),
        component: Some(recording::Component {
            name: node.name.clone(),
            version: node.version.to_string(),
            digest: component.digest().to_owned(),
        }),
        recorded_against,
        comment: None,
    })
}

/// Run the items and write their results; says how the command ends.
async fn stream(args: &Run, runner: &Runner, items: Items, total: Option<u64>) -> Result<Exit, Failed> {
    let mut output = Output::open(&args.output)?;
    let mut failed = args.failed.as_deref().map(Output::create).transpose()?;
    // Made before anything is sent, so that a name that cannot be written to is told in time.
    let summary = args.summary.as_deref().map(Output::create).transpose()?;
    let texts: Texts = Arc::default();
    let (items, kept) = kept(items, failed.is_some().then(|| Arc::clone(&texts)));
    // Before anything is sent, so that no signal ends the command in the middle of it.
    let signals = Signals::listen();
    let mut results = runner.run(&args.group, &args.operation, items, &options(args))?;
    let interrupted = interruption(signals, results.control(), args.grace);
    let mut progress = Progress::new(args.progress, total, results.watch());
    let mut notices = results.notices();
    let mut tally = Tally {
        is_write: *results.effect() == Effect::Write,
        ..Tally::default()
    };
    let mut ticks = tokio::time::interval(TICK);
    let mut index = 0;
    let ended = loop {
        let next = if let Some(next) = results.next().now_or_never() {
            next
        } else {
            // Nothing is ready: what is known is shown before waiting.
            if let Err(lost) = output.flush() {
                break Err(lost);
            }
            tokio::select! {
                next = results.next() => next,
                Some(notice) = next_notice(&mut notices) => {
                    progress.suspend(|| warning(&notice.to_string()));
                    continue;
                }
                _ = ticks.tick() => {
                    progress.show();
                    continue;
                }
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
        if let Err(failure) = &result {
            tally.count(index, failure);
            if let (Some(failed), Some(text)) = (&mut failed, text)
                && !tally.is_unknown(failure)
                && let Err(lost) = failed.line(&text)
            {
                break Err(lost);
            }
        }
        progress.result();
        print_notices(&mut notices, &progress);
        index += 1;
    };
    let ended = ended
        .and_then(|()| output.flush())
        .and_then(|()| failed.as_mut().map_or(Ok(()), Output::flush));
    let finished = results.finish().await;
    print_notices(&mut notices, &progress);
    match &finished {
        Ok(summary) => progress.end(summary),
        Err(_) => progress.clear(),
    }
    match ended {
        Err(Lost::Broken(broken)) => return Err(broken),
        // Whoever read the results has seen enough.
        Err(Lost::Closed) => return Ok(Exit::Done),
        Ok(()) => {}
    }
    tally.explain(args.failed.as_deref(), args.journal.is_some());
    let finished = finished?;
    if let Some(mut file) = summary {
        let written = file
            .json(&finished.to_json().to_string())
            .and_then(|()| file.flush());
        if let Err(Lost::Broken(broken)) = written {
            return Err(broken);
        }
    }
    if *interrupted.borrow() {
        warning(&format!(
            "interrupted after {}: those behind were not run",
            counted(index, "item", "items")
        ));
        hint(&how_to_go_on(args));
        return Ok(Exit::Interrupted);
    }
    if finished.ended == Ended::OutOfTime && args.journal.is_some() {
        hint(&how_to_go_on(args));
    }
    Ok(tally.exit())
}

fn options(args: &Run) -> RunOptions {
    let retry = Retry::default()
        .tries(args.retries.saturating_add(1))
        .item_time(args.item_time);
    let mut options = RunOptions::default()
        .concurrency(args.concurrency.get())
        .on_failure(args.on_failure.into())
        .on_unknown(args.unknown.into())
        .retry(retry);
    options.rate = args.rate;
    options.run_time = args.run_time;
    if let Some(path) = &args.journal {
        options = options.journal(JournalOptions::new(path).accept_component(args.accept_component));
    }
    options
}

/// What continues a run that was cut short.
fn how_to_go_on(args: &Run) -> String {
    match &args.journal {
        Some(journal) => format!(
            "run the same command again to go on: what is done is in {} and is not sent again",
            text::path(journal)
        ),
        None => "with `--journal FILE` a run goes on where it was interrupted".to_owned(),
    }
}

/// Print the notices that are there.
fn print_notices(notices: &mut Option<mpsc::Receiver<Notice>>, progress: &Progress) {
    while let Some(notice) = notices.as_mut().and_then(|notices| notices.try_recv().ok()) {
        progress.suspend(|| warning(&notice.to_string()));
    }
}

/// The next notice; never, where none comes any more.
async fn next_notice(notices: &mut Option<mpsc::Receiver<Notice>>) -> Option<Notice> {
    match notices {
        Some(receiver) => {
            let notice = receiver.recv().await;
            if notice.is_none() {
                *notices = None;
            }
            notice
        }
        None => future::pending().await,
    }
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

/// Becomes true at the first signal to end, which lets the items under way end for some time. The second one ends the process.
fn interruption(mut signals: Signals, control: Control, grace: Duration) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signals.first().await;
        line(&format!(
            "interrupted: waiting up to {} s for the items under way; again to end at once",
            grace.as_secs_f64()
        ));
        // Nobody may be left to tell.
        let _ = sender.send(true);
        control.stop();
        tokio::select! {
            () = signals.again() => std::process::exit(130),
            () = tokio::time::sleep(grace) => control.abandon(),
        }
        signals.again().await;
        std::process::exit(130);
    });
    receiver
}

/// What failed, as far as the exit status and the hints need it.
#[derive(Default)]
struct Tally {
    is_write: bool,
    failures: u64,
    refusals: u64,
    hint: Option<String>,
    unknown: u64,
    /// The first items that may have been done.
    unknown_items: Vec<String>,
}

impl Tally {
    fn count(&mut self, item: u64, failure: &Failure) {
        self.failures += 1;
        self.refusals += u64::from(is_refusal(failure));
        if let Failure::Denied { hint: Some(hint), .. } = failure {
            self.hint.get_or_insert_with(|| hint.clone());
        }
        if self.is_unknown(failure) {
            self.unknown += 1;
            if self.unknown_items.len() < NAMED {
                self.unknown_items.push(item.to_string());
            }
        }
    }

    /// Whether a plain write may have been done: running it again might do it twice.
    fn is_unknown(&self, failure: &Failure) -> bool {
        self.is_write && failure.is_unknown()
    }

    /// What to do about the failures.
    fn explain(&self, failed: Option<&Path>, has_journal: bool) {
        if let Some(text) = &self.hint {
            line("");
            hint(text);
        }
        if self.unknown > 0 {
            let more = self.unknown - self.unknown_items.len() as u64;
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let items = self.unknown_items.join(", ");
            line("");
            warning(&if self.unknown == 1 {
                format!("item {items}: nobody knows whether it was done, so it was not tried again")
            } else {
                format!(
                    "items {items}{more}: nobody knows whether they were done, so they were not tried again"
                )
            });
            hint(if has_journal {
                "look there; then `--unknown retry` runs what was not done again, and `--unknown skip` leaves it out"
            } else {
                "look there, and run what was not done again; with `--journal FILE` a run keeps account of such items"
            });
        }
        if let (true, Some(path)) = (self.failures > self.unknown, failed) {
            line("");
            hint(&format!("the items that failed are in {}", text::path(path)));
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
                tally.count(index, &failure);
                vec![json!({"item": index, "error": failure.to_json()})]
            }
        };
        for line in lines {
            match output.json(&line.to_string()) {
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
    tally.explain(None, false);
    Ok(tally.exit())
}

/// A request that would be sent, as JSON.
pub fn shown(request: &nodule::Planned) -> Value {
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
