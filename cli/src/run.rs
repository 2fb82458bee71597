//! `nodule run`: runs an operation on items and writes results as JSON lines, in the items' order.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, future};
use nodule::description::Effect;
use nodule::file::{InputFile, NewItem};
use nodule::journal::{JournalError, SqliteJournal};
use nodule::json;
use nodule::json::{Json, Object};
use nodule::policy::Policy;
use nodule::recording::{self, Meta, Recording};
use nodule::retry::Retry;
use nodule::{
    Completed, Component, Credential, Ended, Failure, ItemError, Notice, OnFailure, Part, RunOptions, Runner,
    Summary, text,
};
use tokio::sync::mpsc;

use crate::args::Run;
use crate::ending::Endings;
use crate::exit::{self, Exit, Failed, hint, line, warning};
use crate::folder::{self, Readable, Writable};
use crate::items::{self, Items};
use crate::output::{Lost, Output};
use crate::places::Places;
use crate::progress::{Progress, counted};
use crate::setup;
use crate::signals::Signals;
use crate::tally::Tally;

/// How often the progress is refreshed when there are no results.
const TICK: Duration = Duration::from_secs(1);

/// Texts of the items in flight, as they were read, for `--failed`.
type Texts = Arc<Mutex<VecDeque<Option<String>>>>;

pub async fn run(args: Run) -> Result<Exit, Failed> {
    let named = [
        ("--items", args.items.as_ref()),
        ("--credential", args.credential.as_ref()),
        ("--replay", args.replay.as_ref()),
    ];
    let mut places = setup::inputs(&args.component, &named, &args.grants, &args.outbound)?;
    let policy = setup::policy(&args.grants)?;
    // Only a live run sends requests.
    let is_live = args.replay.is_none() && !args.dry_run;
    let (digest, outbound) = (args.digest.as_deref(), is_live.then_some(&args.outbound));
    let component = setup::component(&args.component, digest, Some(&policy), outbound).await?;
    // Checked here, so that a wrong name is reported before the items are opened.
    component
        .node()
        .operation(&args.group, &args.operation)
        .map_err(nodule::Error::from)?;
    let runner = runner(&args, &component, policy, &mut places)?;
    let files = InputFiles::open(&args)?;
    let gives_files = component
        .node()
        .operation(&args.group, &args.operation)
        .is_ok_and(|operation| operation.gives_files);
    if gives_files && args.output_files.is_none() && !args.dry_run {
        return Err(
            Failed::usage("the operation gives files, and nothing says where they go".to_owned())
                .hint("`--output-files DIR` writes them to a folder".to_owned()),
        );
    }
    let (items, total) = items::open(args.items.as_deref(), &args.params).await?;
    if args.dry_run {
        return dry_run(&args, places, &runner, items, &files).await;
    }
    let exit = stream(&args, places, &runner, items, total, files).await?;
    let unused = runner.unused();
    if !unused.operation.is_empty() {
        warning(&unused.to_string());
    }
    Ok(exit)
}

/// The files that go with items.
struct InputFiles {
    /// Those of `--file`.
    named: Vec<InputFile>,
    folder: Option<Arc<Readable>>,
}

impl InputFiles {
    fn open(args: &Run) -> Result<Self, Failed> {
        let mut named: Vec<InputFile> = Vec::new();
        for file in &args.files {
            let (key, path) = file
                .split_once('=')
                .filter(|(key, path)| !key.is_empty() && !path.is_empty())
                .ok_or_else(|| Failed::usage("--file: expected `KEY=PATH`".to_owned()))?;
            if named.iter().any(|known| known.key == key) {
                return Err(Failed::usage(format!(
                    "--file: `{}` is given twice",
                    text::shown(key, SHOWN_CHARS)
                )));
            }
            let path = Path::new(path);
            let file = folder::named(key, path);
            named
                .push(file.map_err(|error| Failed::usage(format!("--file: {}: {error}", text::path(path))))?);
        }
        let folder = args.files_dir.as_deref().map(|path| {
            Readable::new(path)
                .map_err(|error| Failed::usage(format!("--files-dir: {}: {error}", text::path(path))))
        });
        Ok(Self {
            named,
            folder: folder.transpose()?,
        })
    }

    /// An item with its files.
    fn item(&self, item: String) -> Result<NewItem, Failure> {
        let folder = self.folder.as_ref();
        let mut item = folder::with_files(item, |file| folder::of_item(folder, file))?;
        item.files.extend(self.named.iter().cloned());
        Ok(item)
    }
}

/// A text of the command line is shown up to this many characters.
const SHOWN_CHARS: usize = 200;

/// Binds the component to what the flags give.
fn runner(args: &Run, component: &Component, policy: Policy, places: &mut Places) -> Result<Runner, Failed> {
    // Neither a replay nor a dry run opens a connection.
    let is_live = args.replay.is_none() && !args.dry_run;
    let tls = is_live.then(|| setup::tls(&policy, &args.grants, &args.outbound, places));
    let builder = component.runner().policy(policy);
    let mut builder = setup::with_tokens(builder, args.credential.as_deref());
    if let Some(tls) = tls.transpose()? {
        builder = builder.tls(tls);
    }
    let credential = || setup::credential(component.node(), args.credential.as_deref());
    if let Some(path) = &args.replay {
        let recording = Recording::load(path).map_err(nodule::Error::from)?;
        for trouble in recording.warnings() {
            warning(&trouble);
        }
        // This command's own recordings contain the base URL.
        if recording.case().is_none()
            && let Some(credential) = credential()?
        {
            builder = builder.credential(credential);
        }
        return Ok(builder.replay(recording).build()?);
    }
    let credential = credential()?;
    if let Some(credential) = &credential {
        // Tell the user which server gets the secret before it does.
        line(&format!("credential: bound to {}", credential.base_url()));
    }
    let builder = match &args.record {
        Some(path) => builder
            .record(meta(
                component,
                credential.as_ref(),
                (&args.group, &args.operation),
                args.on_failure,
                args.recorded_against.clone(),
            )?)
            .record_files(Recording::files_of(path)),
        None if args.dry_run => builder.dry_run(),
        None => builder,
    };
    Ok(match credential {
        Some(credential) => builder.credential(credential),
        None => builder,
    }
    .build()?)
}

/// The metadata that a recording stores about its run.
pub fn meta(
    component: &Component,
    credential: Option<&Credential>,
    (group, operation): (&str, &str),
    on_failure: OnFailure,
    recorded_against: Option<String>,
) -> Result<Meta, Failed> {
    let node = component.node();
    let described = node.operation(group, operation).map_err(nodule::Error::from)?;
    let base_url = credential.map_or_else(
        || recording::NO_BASE_URL.to_owned(),
        |credential| credential.base_url().to_string(),
    );
    let base_url = base_url
        .parse()
        .map_err(|error| Failed::usage(format!("the base URL `{base_url}` cannot be recorded: {error}")))?;
    let mut meta = Meta::new(group, operation, base_url);
    meta.on_failure = on_failure;
    meta.declared.clone_from(&described.request);
    meta.component = Some(recording::RecordedComponent {
        name: node.name.clone(),
        version: node.version.to_string(),
        digest: component.digest().to_owned(),
    });
    meta.recorded_against = recorded_against;
    Ok(meta)
}

/// The command's outputs; `None` for one that can no longer be written.
struct Files {
    output: Option<Output>,
    failed: Option<Output>,
    summary: Option<Output>,
    record: Option<Output>,
}

impl Files {
    /// Opens all outputs; whatever can fail fails here, before anything is sent.
    fn open(args: &Run, mut places: Places) -> Result<Self, Failed> {
        if let Some(path) = &args.journal {
            places.journal("--journal", path)?;
        }
        let mut open = |flag: &str, path: Option<&PathBuf>| {
            path.map(|path| Output::open(&mut places, flag, path)).transpose()
        };
        Ok(Self {
            output: open("--output", Some(&args.output))?,
            failed: open("--failed", args.failed.as_ref())?,
            summary: open("--summary", args.summary.as_ref())?,
            record: open("--record", args.record.as_ref())?,
        })
    }

    fn begin(&mut self) -> Result<(), Lost> {
        let Self {
            output,
            failed,
            summary,
            record,
        } = self;
        for file in [output, failed, summary, record].into_iter().flatten() {
            file.begin()?;
        }
        Ok(())
    }
}

/// Writes to an output. If that fails, gives the output up and ends the run.
fn write(file: &mut Option<Output>, endings: &Endings, work: impl FnOnce(&mut Output) -> Result<(), Lost>) {
    if let Some(output) = file
        && let Err(lost) = work(output)
    {
        *file = None;
        endings.end(lost.into());
    }
}

/// Runs the items and writes their results; returns the exit status.
async fn stream(
    args: &Run,
    places: Places,
    runner: &Runner,
    items: Items,
    total: Option<u64>,
    input_files: InputFiles,
) -> Result<Exit, Failed> {
    let options = options(args)?;
    let mut files = Files::open(args, places)?;
    let texts: Texts = Arc::default();
    let (items, kept) = kept(items, files.failed.is_some().then(|| Arc::clone(&texts)));
    // Signals are handled before anything is sent, so that none kills the command in the middle of a write.
    let signals = Signals::listen();
    let items = items.map(move |item| {
        item.and_then(|item| input_files.item(item))
            .map_err(ItemError::from)
    });
    let mut results = runner.run(&args.group, &args.operation, items, &options).await?;
    let endings = Endings::listen(signals, results.control(), args.grace);
    if let Err(lost) = files.begin() {
        endings.end(lost.into());
    }
    let watch = results.watch();
    let mut progress = Progress::new(args.progress, total, results.watch());
    let mut notices = results.notices();
    let mut tally = Tally::new(*results.effect() == Effect::Write);
    let mut ticks = tokio::time::interval(TICK);
    let mut index = 0;
    let mut broken = None;
    loop {
        let next = if let Some(next) = results.next().now_or_never() {
            next
        } else {
            // No result is ready: show what there is before waiting.
            write(&mut files.output, &endings, Output::flush);
            tokio::select! {
                next = results.next() => next,
                Some(notice) = next_notice(&mut notices) => {
                    progress.suspend(|| exit::notice(&notice));
                    continue;
                }
                _ = ticks.tick() => {
                    progress.show();
                    continue;
                }
                () = endings.at_once() => break,
            }
        };
        let Completed { result, part, .. } = match next {
            Some(Ok(completed)) => completed,
            Some(Err(error)) => {
                broken = Some(broke(error));
                break;
            }
            None => break,
        };
        write(&mut files.output, &endings, |output| {
            output.result(index, &result, part)
        });
        if part == Part::Rows {
            continue;
        }
        let text = kept
            .then(|| texts.lock().unwrap_or_else(PoisonError::into_inner).pop_front())
            .flatten()
            .flatten();
        if let Err(failure) = &result {
            tally.count(index, failure);
            if let Some(text) = text
                && !tally.is_unknown(failure)
            {
                write(&mut files.failed, &endings, |failed| failed.line(&text));
            }
        }
        progress.result();
        print_notices(&mut notices, &progress);
        index += 1;
    }
    endings.over();
    drop(results);
    print_notices(&mut notices, &progress);
    let summary = watch.summary();
    progress.end(&summary);
    tally.explain(
        files.failed.as_ref().and(args.failed.as_deref()),
        args.journal.is_some(),
    );
    let mut failures = broken
        .into_iter()
        .chain(finish(files, runner, args.record.as_deref(), &summary));
    if let Some(ending) = endings.first() {
        failures.for_each(|failed| failed.print());
        warning(&format!(
            "interrupted after {}: those behind were not run",
            counted(index, "item", "items")
        ));
        hint(&how_to_go_on(args));
        // The reason was printed when the run began to end.
        return Ok(ending.exit());
    }
    if let Some(first) = failures.next() {
        failures.for_each(|failed| failed.print());
        return Err(first);
    }
    if summary.ended == Ended::OutOfTime && args.journal.is_some() {
        hint(&how_to_go_on(args));
    }
    Ok(tally.exit())
}

/// Writes the final outputs and gives all files their names; returns what could not be written.
fn finish(
    files: Files,
    runner: &Runner,
    record: Option<&Path>,
    summary: &Summary,
) -> impl Iterator<Item = Failed> + use<> {
    let Files {
        output,
        failed,
        summary: summaries,
        record: recordings,
    } = files;
    let summarised = summaries.map(|mut file| {
        file.json(&summary.to_json().to_string())?;
        Ok(file.finish()?)
    });
    let recorded = recordings.map(|mut file| {
        let name = record.map(text::path).unwrap_or_default();
        let text = runner
            .recording(&name)
            .map_err(|error| Failed::from(error).ended(Exit::Unwritten))?;
        file.text(&text.unwrap_or_default())?;
        Ok(file.finish()?)
    });
    let named = |file: Option<Output>| file.map(|file| file.finish().map_err(Failed::from));
    let written = [named(output), named(failed), summarised, recorded];
    written.into_iter().flatten().filter_map(Result::err)
}

/// The run broke. A journal on a full disk counts as a file that cannot be written.
fn broke(error: nodule::Error) -> Failed {
    let is_full =
        matches!(&error, nodule::Error::Journal(error) if matches!(**error, JournalError::Full { .. }));
    let failed = Failed::from(error);
    if is_full {
        failed.ended(Exit::Unwritten)
    } else {
        failed
    }
}

fn options(args: &Run) -> Result<RunOptions, Failed> {
    let retry = Retry::default()
        .tries(args.retries.saturating_add(1))
        .item_time(args.item_time);
    let mut options = RunOptions::default()
        .concurrency(args.concurrency.get())
        .on_failure(args.on_failure)
        .on_unknown(args.unknown)
        .stream_rows(true)
        .retry(retry);
    options.rate = args.rate;
    options.run_time = args.run_time;
    options.limit = args.limit.map(NonZeroU64::get);
    if let Some(path) = &args.journal {
        options = options.journal(SqliteJournal::new(path).accept_component(args.accept_component));
    }
    if let Some(path) = &args.output_files {
        let broken = |error| Failed::usage(format!("--output-files: {}: {error}", text::path(path)));
        options = options.files(Writable::new(path, args.journal.is_some()).map_err(broken)?);
    }
    Ok(options)
}

/// Tells how to continue a run that was cut short.
fn how_to_go_on(args: &Run) -> String {
    match &args.journal {
        Some(journal) => format!(
            "run the same command again to go on: what is done is in {} and is not sent again",
            text::path(journal)
        ),
        None => "with `--journal FILE` a run goes on where it was interrupted".to_owned(),
    }
}

/// Prints the pending notices.
fn print_notices(notices: &mut Option<mpsc::Receiver<Notice>>, progress: &Progress) {
    while let Some(notice) = notices.as_mut().and_then(|notices| notices.try_recv().ok()) {
        progress.suspend(|| exit::notice(&notice));
    }
}

/// The next notice; waits forever once the channel is closed.
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

/// Passes the items through, and remembers those in flight for `--failed`.
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

/// Prints the requests that would be sent. Runs one item at a time, since requests do not say which item they belong
/// to.
async fn dry_run(
    args: &Run,
    mut places: Places,
    runner: &Runner,
    mut items: Items,
    files: &InputFiles,
) -> Result<Exit, Failed> {
    let mut output = Output::open(&mut places, "--output", &args.output)?;
    output.begin()?;
    let mut tally = Tally::new(false);
    let mut index = 0_u64;
    while let Some(item) = items.next().await {
        let planned = match item {
            Ok(item) => match files.item(item) {
                Ok(item) => runner.plan(&args.group, &args.operation, item).await?,
                Err(failure) => Err(failure),
            },
            Err(failure) => Err(failure),
        };
        let lines: Vec<Json> = match planned {
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
            output.json(&line.to_string())?;
        }
        index += 1;
    }
    output.finish()?;
    tally.explain(None, false);
    Ok(tally.exit())
}

/// A planned request as JSON.
pub fn shown(request: &nodule::Planned) -> Json {
    let headers: Object = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let mut shown = json!({"method": request.method.as_str(), "url": request.url, "headers": headers});
    if !request.body.is_empty() {
        // A JSON body is embedded as JSON, anything else as text.
        let body = Json::from_slice(&request.body)
            .unwrap_or_else(|_| Json::from(String::from_utf8_lossy(&request.body).into_owned()));
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("body", body);
        }
    }
    shown
}
