//! A run: items as lines of the request's body and results as lines of the response's, both at the same time.

use std::collections::VecDeque;
use std::future;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use http::header::CONTENT_TYPE;
use nodule::file::{FileContent, InputFile, NewItem};
use nodule::json::Json;
use nodule::recording::{Meta, Recording};
use nodule::{Completed, Failure, ItemError, Notice, Part, Results, Runner};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use super::files::Files;
use super::large::Room;
use super::lines::{Line, Lines};
use super::problem::Answered;
use super::tokens::{ClientTokens, WantedToken, Why};
use super::wire::{Begun, Item, Problem, Run, Told};
use super::{Registered, Server};
use crate::exit::Failed;
use crate::folder;
use crate::output::{Output, end};
use crate::places::Places;

/// Lines are sent together up to this size, or as soon as no further line is ready.
const FRAME_BYTES: usize = 64 * 1024;
/// The caller's ID of an item is kept until its result, which repeats it.
const MOST_ID_BYTES: usize = 256;

/// Run an operation on items.
#[utoipa::path(
    post, path = "/v1/runs", tag = "runs",
    request_body(content = Run, content_type = "application/x-ndjson", description = "The run; then a line for each item."),
    responses(
        (status = 200, body = super::wire::Line, content_type = "application/x-ndjson", description = "Lines, as they come."),
        (status = "4XX", body = super::wire::ProblemBody, description = "The run did not begin."),
    ),
)]
pub async fn run(State(server): State<Arc<Server>>, body: Body) -> Result<Response, Answered> {
    let (mut run, items) = opened(&server, body).await?;
    let options = run.options().map_err(Answered::request)?;
    let options = options.files(server.files.clone());
    let asking = run.token.take().map(ClientTokens::asking).transpose()?;
    let (tokens, wanted) = asking.unzip();
    let runner = server.runner(&run, tokens.as_ref())?;
    let record = recorded(&run)?;
    let ids = Arc::clone(&items.ids);
    let files = server.files.clone();
    let items = items.map(move |item| {
        let item = item.and_then(|item| with_files(&files, item));
        item.map_err(ItemError::from)
    });
    let begun = runner.run(&run.group, &run.operation, items, &options).await;
    let mut results = begun.map_err(|error| Answered::library(&error))?;
    let registered = server.register(&results, tokens);
    let first = json!({"run": Begun { id: registered.id(), effect: results.effect().name() }});
    let answer = Answer {
        lines: Vec::new(),
        notices: results.notices(),
        wanted,
        progress: run.progress_ms.map(|ms| {
            let mut ticks = tokio::time::interval(Duration::from_millis(ms.get()));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }),
        results: Some(results),
        ids,
        record: record.map(|(file, name)| Recorded { runner, file, name }),
        registered,
    };
    let lines = futures_util::stream::unfold(Some(answer), async |answer| {
        let mut answer = answer?;
        let frame = answer.frame().await;
        let is_over = answer.results.is_none();
        Some((frame, (!is_over).then_some(answer)))
    });
    let first = Bytes::from(format!("{first}\n"));
    Ok(ndjson(futures_util::stream::iter([first]).chain(lines)))
}

/// Opens a recording's file, which must not be the journal. Fails before anything is sent if it cannot be written.
fn recorded(run: &Run) -> Result<Option<(Output, String)>, Answered> {
    let Some(record) = &run.record else {
        return Ok(None);
    };
    let mut places = Places::default();
    let journal = run
        .journal
        .as_ref()
        .map_or(Ok(()), |journal| places.journal("journal", &journal.path));
    let opened = journal.and_then(|()| Output::open(&mut places, "record", &record.path));
    let file = opened.map_err(|failed| Answered::request(failed.to_string()))?;
    Ok(Some((file, nodule::text::path(&record.path))))
}

/// Report the requests that each item would send, without sending them.
#[utoipa::path(
    post, path = "/v1/plan", tag = "runs",
    request_body(content = Run, content_type = "application/x-ndjson", description = "As of a run."),
    responses(
        (status = 200, body = super::wire::PlanLine, content_type = "application/x-ndjson", description = "A line for each item."),
        (status = "4XX", body = super::wire::ProblemBody, description = "There is nothing to plan."),
    ),
)]
pub async fn plan(State(server): State<Arc<Server>>, body: Body) -> Result<Response, Answered> {
    let (run, items) = opened(&server, body).await?;
    // It sends nothing, and needs no token.
    let runner = server.bind(&run.bound())?.dry_run().build();
    let runner = runner.map_err(|error| Answered::library(&error))?;
    let known = runner.component().node().operation(&run.group, &run.operation);
    known.map_err(|unknown| Answered::library(&unknown.into()))?;
    let ids = Arc::clone(&items.ids);
    let planned = items.enumerate().then(move |(index, item)| {
        let id = take(&ids, index);
        let (runner, group, operation) = (runner.clone(), run.group.clone(), run.operation.clone());
        let files = server.files.clone();
        async move {
            let planned = match item.and_then(|item| with_files(&files, item)) {
                Ok(item) => match runner.plan(&group, &operation, item).await {
                    Ok(planned) => planned,
                    Err(error) => Err(Failure::InvalidInput(error.to_string())),
                },
                Err(failure) => Err(failure),
            };
            let line = match planned {
                Ok(requests) => {
                    let requests: Vec<_> = requests.iter().map(crate::run::shown).collect();
                    format!("{{\"item\":{id},\"requests\":{}}}\n", Json::from(requests))
                }
                Err(failure) => format!("{{\"item\":{id},\"error\":{}}}\n", failure.to_json()),
            };
            Bytes::from(line)
        }
    });
    Ok(ndjson(planned))
}

/// An item with the files that it names by their IDs.
fn with_files(files: &Files, item: String) -> Result<NewItem, Failure> {
    folder::with_files(item, |file| {
        let FileContent::Id(id) = &file.content else {
            return folder::of_item(None, file);
        };
        let source = files.source(id).ok_or_else(|| {
            Failure::InvalidInput(format!(
                "the item: no file `{}` is kept",
                nodule::text::shown(id, 100)
            ))
        })?;
        Ok(InputFile {
            key: file.key,
            name: file.file_name,
            media_type: file.media_type,
            size: Some(source.size()),
            source: Arc::new(source),
        })
    })
}

fn ndjson(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let body = Body::from_stream(lines.map(Ok::<_, std::convert::Infallible>));
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// Reads the first line; the items follow.
async fn opened(server: &Server, body: Body) -> Result<(Run, Items), Answered> {
    let mut lines = Lines::new(body, &server.large);
    let run = match lines.first().await {
        None => return Err(Answered::request("expected a run, a line of JSON, found nothing")),
        Some(Err(problem)) => return Err(Answered::request(problem)),
        Some(Ok(line)) => super::problem::parse(&line.bytes, "a run")?,
    };
    let ids = Arc::default();
    Ok((run, Items { lines, ids }))
}

/// Builds the runner for a run, with its recording or replay.
impl Server {
    fn runner(&self, run: &Run, tokens: Option<&ClientTokens>) -> Result<Runner, Answered> {
        let mut builder = self.bind(&run.bound())?;
        if let Some(tokens) = tokens {
            builder = builder.token_source(tokens.clone());
        }
        if let Some(journal) = &run.journal {
            self.folders.writable(&journal.path)?;
        }
        match (&run.record, &run.replay) {
            (Some(_), Some(_)) => return Err(Answered::request("`record` and `replay` do not go together")),
            (Some(record), None) => {
                self.folders.writable(&record.path)?;
                builder = builder.record(self.meta(run, record.against.clone())?);
            }
            (None, Some(replay)) => {
                let path = self.folders.readable(&replay.path)?;
                let recording = Recording::load(&path).map_err(|error| Answered::library(&error.into()))?;
                builder = builder.replay(recording);
            }
            (None, None) => {}
        }
        builder.build().map_err(|error| Answered::library(&error))
    }

    fn meta(&self, run: &Run, against: Option<String>) -> Result<Meta, Answered> {
        let component = self.component(&run.component)?;
        let credential = Self::credential(&component, run.credential.as_deref())?;
        crate::run::meta(
            &component,
            credential.as_ref(),
            (&run.group, &run.operation),
            run.on_failure,
            against,
        )
        .map_err(|failed| Answered::request(failed.to_string()))
    }
}

/// The caller's ID of an item, as JSON.
#[derive(Debug, Clone)]
enum Id {
    /// The usual form; it allocates nothing.
    Number(u64),
    Text(Box<str>),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Id::Number(number) => number.fmt(f),
            Id::Text(text) => f.write_str(text),
        }
    }
}

/// The IDs of the items without a result, and their reservations of memory.
#[derive(Default)]
struct Ids {
    names: VecDeque<Option<(Id, Option<Room>)>>,
    /// The position of the first ID.
    first: usize,
}

impl Ids {
    fn next(&self) -> usize {
        self.first + self.names.len()
    }

    fn take(&mut self, index: usize) -> Option<Id> {
        let place = self.names.get_mut(index.checked_sub(self.first)?)?;
        let id = place.take().map(|(id, _)| id);
        while let Some(None) = self.names.front() {
            self.names.pop_front();
            self.first += 1;
        }
        id
    }
}

fn take(ids: &Mutex<Ids>, index: usize) -> Id {
    let id = ids.lock().unwrap_or_else(PoisonError::into_inner).take(index);
    id.unwrap_or(Id::Number(index as u64))
}

/// The ID of an item that goes on.
fn name(ids: &Mutex<Ids>, index: usize) -> Id {
    let ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
    let place = index
        .checked_sub(ids.first)
        .and_then(|place| ids.names.get(place));
    match place {
        Some(Some((id, _))) => id.clone(),
        _ => Id::Number(index as u64),
    }
}

/// The items of a run.
struct Items {
    lines: Lines,
    ids: Arc<Mutex<Ids>>,
}

impl Stream for Items {
    type Item = Result<String, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(line) = std::task::ready!(Pin::new(&mut self.lines).poll_next(context)) else {
            return Poll::Ready(None);
        };
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let position = Id::Number(ids.next() as u64);
        let (read, room) = match line {
            Ok(Line { bytes, room }) => (item(&bytes), room),
            Err(problem) => (Err(Failure::InvalidInput(problem)), None),
        };
        let (id, item) = match read {
            Ok((id, parameters)) => (id.unwrap_or(position), Ok(parameters)),
            Err(failure) => (position, Err(failure)),
        };
        ids.names.push_back(Some((id, room)));
        Poll::Ready(Some(item))
    }
}

fn item(line: &[u8]) -> Result<(Option<Id>, String), Failure> {
    let invalid = |message: String| Failure::InvalidInput(format!("the item's line: {message}"));
    let Item { id, parameters } = serde_json::from_slice(line).map_err(|error| invalid(error.to_string()))?;
    let id = id.map(|id| {
        read_id(id.get()).ok_or_else(|| {
            invalid(format!(
                "`id`: expected a number or a text of at most {MOST_ID_BYTES} bytes, found something else"
            ))
        })
    });
    Ok((id.transpose()?, parameters.get().to_owned()))
}

fn read_id(id: &str) -> Option<Id> {
    if id.len() > MOST_ID_BYTES {
        return None;
    }
    match id.as_bytes().first()? {
        // An unpaired surrogate is not valid text: the client would reject the whole line of the response.
        b'"' if id.contains('\\') && serde_json::from_str::<String>(id).is_err() => None,
        b'"' => Some(Id::Text(id.into())),
        b'0'..=b'9' | b'-' => Some(id.parse().map_or_else(|_| Id::Text(id.into()), Id::Number)),
        _ => None,
    }
}

/// The response to a run. Dropping it ends the run, since the client is gone.
struct Answer {
    /// Lines to send next.
    lines: Vec<u8>,
    /// `None` once they have ended.
    results: Option<Results>,
    notices: Option<mpsc::Receiver<Notice>>,
    /// Why the run waits for an access token.
    wanted: Option<mpsc::Receiver<Why>>,
    progress: Option<Interval>,
    ids: Arc<Mutex<Ids>>,
    record: Option<Recorded>,
    registered: Registered,
}

/// The recording, saved when the run ends.
struct Recorded {
    runner: Runner,
    file: Output,
    name: String,
}

impl Recorded {
    fn save(mut self) -> Result<(), Problem> {
        let text = self
            .runner
            .recording(&self.name)
            .map_err(|error| Problem::from(&error))?;
        let written = self
            .file
            .begin()
            .and_then(|()| self.file.text(&text.unwrap_or_default()));
        let written = written.and_then(|()| self.file.finish());
        written.map_err(|lost| Problem {
            kind: "recording",
            message: Failed::from(lost).to_string(),
            hint: None,
        })
    }
}

/// The next event of a run.
enum Next {
    Result(Option<Result<Completed, nodule::Error>>),
    Notice(Option<Notice>),
    Token(Option<Why>),
    Tick,
}

impl Answer {
    /// All lines that are ready, at least one.
    async fn frame(&mut self) -> Bytes {
        while self.lines.len() < FRAME_BYTES {
            let next = match self.next().now_or_never() {
                Some(next) => next,
                None if self.lines.is_empty() => self.next().await,
                None => break,
            };
            match next {
                Next::Result(Some(Ok(completed))) => self.result(&completed),
                Next::Result(ended) => {
                    self.end(ended.and_then(Result::err)).await;
                    break;
                }
                Next::Notice(Some(notice)) => self.line("notice", &json!(Told::from(&notice))),
                Next::Notice(None) => self.notices = None,
                Next::Token(Some(why)) => self.line("token", &json!(WantedToken { why })),
                Next::Token(None) => self.wanted = None,
                Next::Tick => {
                    let summary = self.registered.watch().summary().to_json();
                    self.line("progress", &summary);
                }
            }
        }
        Bytes::from(std::mem::take(&mut self.lines))
    }

    async fn next(&mut self) -> Next {
        let Self {
            results,
            notices,
            wanted,
            progress,
            ..
        } = self;
        tokio::select! {
            biased;
            notice = async { match notices {
                Some(notices) => notices.recv().await,
                None => future::pending().await,
            } } => Next::Notice(notice),
            why = async { match wanted {
                Some(wanted) => wanted.recv().await,
                None => future::pending().await,
            } } => Next::Token(why),
            _ = async { match progress {
                Some(progress) => progress.tick().await,
                None => future::pending().await,
            } } => Next::Tick,
            result = async { match results {
                Some(results) => results.next().await,
                None => None,
            } } => Next::Result(result),
        }
    }

    fn result(&mut self, completed: &Completed) {
        let Completed {
            index, result, part, ..
        } = completed;
        let (id, key) = match part {
            Part::Rows => (name(&self.ids, *index), "rows"),
            _ => (take(&self.ids, *index), "output"),
        };
        // Writing to a vector cannot fail.
        let _ = match result {
            Ok(output) => {
                let _ = write!(self.lines, "{{\"item\":{id},\"{key}\":[");
                for (position, json) in output.iter().enumerate() {
                    if position > 0 {
                        self.lines.push(b',');
                    }
                    self.lines.extend_from_slice(json.get().as_bytes());
                }
                self.lines.push(b']');
                if output.iter().any(|output| !output.files().is_empty()) {
                    let files = output.iter().map(|output| output.files_json("id"));
                    let files: Vec<String> = files
                        .map(|files| files.unwrap_or_else(|| "{}".to_owned()))
                        .collect();
                    let _ = write!(self.lines, ",\"files\":[{}]", files.join(","));
                }
                match end(*part) {
                    Some(end) => writeln!(self.lines, ",\"end\":{end}}}"),
                    None => self.lines.write_all(b"}\n"),
                }
            }
            Err(failure) => writeln!(self.lines, "{{\"item\":{id},\"error\":{}}}", failure.to_json()),
        };
    }

    fn line(&mut self, key: &str, value: &serde_json::Value) {
        let _ = writeln!(self.lines, "{{\"{key}\":{value}}}");
    }

    /// Writes the last line. `broken` is the error that cut the results short.
    async fn end(&mut self, broken: Option<nodule::Error>) {
        drop(self.results.take());
        let mut problem = broken.map(|error| Problem::from(&error));
        let mut summary = self.registered.watch().summary().to_json();
        if let Some(record) = self.record.take() {
            let saved = tokio::task::spawn_blocking(move || record.save()).await;
            if let Ok(Err(unsaved)) = saved {
                problem.get_or_insert(unsaved);
            }
        }
        if let (Some(problem), Some(fields)) = (problem, summary.as_object_mut()) {
            fields.insert("error".to_owned(), json!(problem));
        }
        self.line("end", &summary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_named_as_its_caller_does() {
        for (line, name) in [
            (r#"{"id":7,"parameters":{}}"#, Some("7")),
            (r#"{"parameters":{},"id":"a\"b"}"#, Some(r#""a\"b""#)),
            (r#"{"id":-1.50,"parameters":{}}"#, Some("-1.50")),
            (
                r#"{"id":18446744073709551616,"parameters":{}}"#,
                Some("18446744073709551616"),
            ),
            (r#"{"parameters":{}}"#, None),
        ] {
            let (id, parameters) = item(line.as_bytes()).unwrap();
            assert_eq!(id.map(|id| id.to_string()).as_deref(), name, "{line}");
            assert_eq!(parameters, "{}");
        }
        let long = format!(r#"{{"id":"{}","parameters":{{}}}}"#, "x".repeat(300));
        for line in [
            r#"{"id":[],"parameters":{}}"#,
            r#"{"id":"\ud800","parameters":{}}"#,
            r#"{"id":null}"#,
            r#"{"parameter":{}}"#,
            "7",
            &long,
        ] {
            assert!(item(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn names_are_forgotten_when_they_were_given_back_in_any_order() {
        let mut ids = Ids::default();
        for number in 0..5 {
            ids.names.push_back(Some((Id::Number(number * 10), None)));
        }
        for index in [3, 0, 4, 1, 2] {
            assert_eq!(ids.take(index).unwrap().to_string(), (index * 10).to_string());
            assert!(ids.take(index).is_none());
        }
        assert_eq!((ids.first, ids.names.len(), ids.next()), (5, 0, 5));
    }
}
