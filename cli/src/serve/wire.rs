//! What goes over the socket, as types: requests and lines are read into them, and the document is made from them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use nodule::{Notice, OnFailure, OnUnknown, ResultOrder, RunOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Each has its request and its answer in memory.
const MOST_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(10_000).expect("10,000 is not zero");

/// A component that the server reads from a file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentFile {
    /// An absolute path below one of the server's folders.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// Refuses another component: `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
}

/// A component that is loaded.
#[derive(Serialize, ToSchema)]
pub struct Loaded {
    /// By which runs name it.
    pub digest: String,
    /// The node's name.
    pub name: String,
    /// The node's version.
    pub version: String,
}

/// The server, and what it does.
#[derive(Serialize, ToSchema)]
pub struct About {
    /// The server's version.
    pub version: &'static str,
    /// The contract of the nodes that it runs.
    pub contract: &'static str,
    /// The digests of the components that are loaded.
    pub components: Vec<String>,
    /// The runs that are under way.
    pub runs: Vec<String>,
}

/// What a component is bound to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The digest of a loaded component.
    pub component: String,
    /// Whose run it is. Tenants share neither sessions nor connections.
    #[serde(default)]
    pub tenant: String,
    /// The credential's fields.
    #[schema(value_type = Option<Object>)]
    pub credential: Option<Box<RawValue>>,
    /// The text of a policy file, in the place of the one in the settings.
    pub policy: Option<String>,
    /// Rules beside those of the policy.
    #[serde(default)]
    pub allow: Vec<Allow>,
}

/// A rule: what a node may reach.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Allow {
    /// An origin, with a path or without: `https://api.example.com/v1`.
    Short(String),
    /// An entry as in a policy file.
    Long(AllowEntry),
}

/// An entry as in a policy file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowEntry {
    /// Scheme, host and port.
    pub origin: String,
    /// And below; absent: every path.
    pub path: Option<String>,
    /// Absent: every method but CONNECT and TRACE.
    pub methods: Option<Vec<String>>,
    /// Whether the name may resolve to a private address.
    #[serde(default)]
    pub private: bool,
}

/// The first line of a run. Each line after it is an [`Item`].
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "a field is named after its key")]
pub struct Run {
    /// The digest of a loaded component.
    pub component: String,
    /// Whose run it is. Tenants share neither sessions nor connections.
    #[serde(default)]
    pub tenant: String,
    /// The credential's fields.
    #[schema(value_type = Option<Object>)]
    pub credential: Option<Box<RawValue>>,
    /// The text of a policy file, in the place of the one in the settings.
    pub policy: Option<String>,
    /// Rules beside those of the policy.
    #[serde(default)]
    pub allow: Vec<Allow>,
    /// The operation's group.
    pub group: String,
    /// The operation.
    pub operation: String,
    /// How many items may be under way at once.
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub concurrency: Option<NonZeroUsize>,
    /// What a failed item does to those after it.
    #[serde(default)]
    #[schema(schema_with = on_failure)]
    pub on_failure: OnFailure,
    /// In which order results come.
    #[serde(default)]
    #[schema(schema_with = order)]
    pub order: ResultOrder,
    /// How often an item is tried again.
    #[serde(default)]
    pub retries: u32,
    /// How long an item is tried, in milliseconds.
    pub item_time_ms: Option<u64>,
    /// How long the run may take, in milliseconds.
    pub run_time_ms: Option<u64>,
    /// How fast requests may follow each other: `50/s`.
    pub rate: Option<String>,
    /// How often a line says how far the run is, in milliseconds.
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub progress_ms: Option<std::num::NonZeroU64>,
    /// Where the run's progress is kept, so that it can be resumed.
    pub journal: Option<Journal>,
    /// Where a recording is written.
    pub record: Option<Record>,
    /// The recording that answers.
    pub replay: Option<Replay>,
}

/// Where a run's progress is kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Journal {
    /// An absolute path below one of the folders that the server may write to.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// Goes on with another build of the component.
    #[serde(default)]
    pub accept_component: bool,
    /// What becomes of a plain write of which the journal does not know whether it was done.
    #[serde(default)]
    #[schema(schema_with = unknown)]
    pub unknown: OnUnknown,
}

/// Where a recording is written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// An absolute path below one of the folders that the server may write to.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// What answers, in words, for readers of the recording.
    pub against: Option<String>,
}

/// The recording that answers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// An absolute path below one of the server's folders.
    #[schema(value_type = String)]
    pub path: PathBuf,
}

/// An item, a line after the first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item<'a> {
    /// The caller's name for it, given back with its result; absent: its position, from 0.
    #[serde(borrow)]
    #[schema(value_type = Option<Id>)]
    pub id: Option<&'a RawValue>,
    /// By name.
    #[serde(borrow)]
    #[schema(value_type = Object)]
    pub parameters: &'a RawValue,
}

/// A number or a text of the caller's, of at most 256 bytes.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document alone: it is given back as it came")]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// A line of the answer to a run; each has exactly one key, but for `item`, beside which stands `output` or `error`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document alone: lines are written as texts")]
pub enum Line {
    /// The first line.
    Run {
        /// The run.
        run: Begun,
    },
    /// An item's result: its output items.
    Output {
        /// The item.
        item: Id,
        /// JSON documents.
        output: Vec<Value>,
    },
    /// An item's result: why there is no output.
    Error {
        /// The item.
        item: Id,
        /// As `nodule run` prints it.
        error: ItemFailure,
    },
    /// What a person who watches should hear at once.
    Notice {
        /// It.
        notice: Told,
    },
    /// How far the run is.
    Progress {
        /// The summary so far.
        progress: RunSummary,
    },
    /// The last line.
    End {
        /// The summary.
        end: RunSummary,
    },
}

/// A run that has begun.
#[derive(Serialize, ToSchema)]
pub struct Begun {
    /// Its name for `/v1/runs/{id}`.
    pub id: String,
    /// What running the operation twice does: `read`, `idempotent`, `keyed` or `write`.
    pub effect: &'static str,
}

/// What a person who watches a run should hear at once.
#[derive(Serialize, ToSchema)]
pub struct Told {
    /// `same-key`, `service-down`, `service-back`, `given-up`, `throttled` or `out-of-time`.
    pub kind: &'static str,
    /// One line.
    pub message: String,
}

impl From<&Notice> for Told {
    fn from(notice: &Notice) -> Self {
        Self {
            kind: notice.kind(),
            message: notice.to_string(),
        }
    }
}

/// Why an item has no output.
#[derive(ToSchema)]
#[schema(as = Failure)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "for the document alone: the library writes it")]
pub struct ItemFailure {
    /// The contract's name for it, such as `invalid-parameters`.
    kind: String,
    /// What happened.
    message: String,
    /// The HTTP status.
    status: Option<u16>,
    /// The service's own code.
    code: Option<String>,
    /// The service's name for the exchange.
    request_id: Option<String>,
    /// How long the service asks to wait.
    retry_after_ms: Option<u32>,
    /// Whether it may have been done: `not-done` or `unknown`.
    certainty: Option<String>,
    /// What is wrong with the parameters.
    problems: Option<Vec<ParameterProblem>>,
    /// Lines that would allow what was refused.
    hint: Option<String>,
    /// More, for people.
    detail: Option<Value>,
}

/// One thing that is wrong with an item's parameters.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document alone: the library writes it")]
pub struct ParameterProblem {
    /// JSON pointer into the parameters.
    pointer: String,
    /// The name that the user sees.
    label: String,
    /// What was expected and what was found.
    message: String,
}

/// What a run did, as `nodule run --summary` writes it.
#[derive(ToSchema)]
#[schema(as = Summary)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "for the document alone: the library writes it")]
pub struct RunSummary {
    /// Items with a result.
    items: u64,
    /// Of these, those that are done.
    done: u64,
    /// Of the done ones, those that an earlier run had done.
    again: u64,
    /// Of the done ones, those that were left out as asked for.
    skipped: u64,
    /// The others, by the failure's kind.
    failed: std::collections::BTreeMap<String, u64>,
    /// Of the failed items of a plain write, those that may have been done.
    unknown: u64,
    /// Tries after the first one of an item.
    retries: u64,
    /// Sessions that were made in the place of an older one.
    renewals: u64,
    /// Requests that left, authentication not included.
    requests: u64,
    /// Items with the key of an earlier one.
    same_key: u64,
    /// How long requests took, in milliseconds: `p50`, `p95`, `p99`, `max`.
    latency_ms: std::collections::BTreeMap<String, f64>,
    /// Since the start, in milliseconds.
    elapsed_ms: f64,
    /// `complete`, `stopped` or `out-of-time`.
    ended: String,
    /// Where the run itself broke.
    error: Option<Problem>,
}

/// A line of the answer to a plan.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    clippy::large_enum_variant,
    reason = "for the document alone: lines are written as texts"
)]
pub enum PlanLine {
    /// What the item would send.
    Requests {
        /// The item.
        item: Id,
        /// The requests, as far as they can be known without an answer.
        requests: Vec<PlannedRequest>,
    },
    /// What is wrong with it.
    Error {
        /// The item.
        item: Id,
        /// As of a run.
        error: ItemFailure,
    },
}

/// A request that would be sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document alone: as of `nodule run --dry-run`")]
pub struct PlannedRequest {
    method: String,
    url: String,
    headers: std::collections::BTreeMap<String, String>,
    /// JSON as it is, anything else as a text.
    body: Option<Value>,
}

/// Whether a credential works.
#[derive(Serialize, ToSchema)]
pub struct CredentialCheck {
    /// Whether it does.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ItemFailure>)]
    pub error: Option<nodule::json::Json>,
}

/// A problem of the request itself.
#[derive(Serialize, ToSchema)]
pub struct ProblemBody {
    /// It.
    pub error: Problem,
}

/// What is wrong, and what to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A name for it.
    pub kind: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Run {
    /// The library's options; a journal's file is the caller's to check.
    pub fn options(&self) -> Result<RunOptions, String> {
        use nodule::retry::Retry;
        use std::time::Duration;
        let mut retry = Retry::default().tries(self.retries.saturating_add(1));
        if let Some(ms) = self.item_time_ms {
            retry = retry.item_time(Duration::from_millis(ms));
        }
        let mut options = RunOptions::default()
            .retry(retry)
            .on_failure(self.on_failure)
            .order(self.order);
        if let Some(concurrency) = self.concurrency {
            if concurrency > MOST_CONCURRENCY {
                return Err(format!(
                    "`concurrency`: expected at most {MOST_CONCURRENCY}, found {concurrency}"
                ));
            }
            options = options.concurrency(concurrency.get());
        }
        if let Some(ms) = self.run_time_ms {
            options = options.run_time(Duration::from_millis(ms));
        }
        if let Some(rate) = &self.rate {
            options = options.rate(rate.parse().map_err(|error| format!("`rate`: {error}"))?);
        }
        if let Some(journal) = &self.journal {
            let opened = nodule::journal::SqliteJournal::new(&journal.path);
            options = options
                .journal(opened.accept_component(journal.accept_component))
                .on_unknown(journal.unknown);
        }
        Ok(options)
    }
}

fn on_failure() -> Object {
    modes(
        OnFailure::ALL.map(OnFailure::name),
        OnFailure::default().name(),
        "What a failed item does to those after it.",
    )
}

fn order() -> Object {
    modes(
        ResultOrder::ALL.map(ResultOrder::name),
        ResultOrder::default().name(),
        "In which order results come.",
    )
}

fn unknown() -> Object {
    modes(
        OnUnknown::ALL.map(OnUnknown::name),
        OnUnknown::default().name(),
        "What becomes of a plain write of which the journal does not know whether it was done.",
    )
}

/// One of some words, as the document describes it.
fn modes<const N: usize>(words: [&'static str; N], default: &'static str, about: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .default(Some(default.into()))
        .description(Some(about))
        .build()
}
