//! The types of requests and lines on the socket. The `OpenAPI` document is generated from them.

use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use nodule::secret::Secret;
use nodule::{Notice, OnFailure, OnUnknown, ResultOrder, RunOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::tokens::{GivenToken, WantedToken};

/// Limit on items in flight, whose requests and responses stay in memory.
const MOST_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(10_000).expect("10,000 is not zero");

/// A component that the server reads from a file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentFile {
    /// An absolute path below one of the server's folders.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// Refuses a component with another digest: `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
}

/// A loaded component.
#[derive(Serialize, ToSchema)]
pub struct Loaded {
    /// The digest that identifies the component in runs.
    pub digest: String,
    /// The node's name.
    pub name: String,
    /// The node's version.
    pub version: String,
}

/// The server's version, its components and its runs.
#[derive(Serialize, ToSchema)]
pub struct About {
    /// The server's version.
    pub version: &'static str,
    /// The contract that nodes must implement.
    pub contract: &'static str,
    /// The digests of the loaded components.
    pub components: Vec<String>,
    /// The runs in progress.
    pub runs: Vec<String>,
}

/// TLS of a run, beside the server's settings. The texts are PEM.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TlsSettings {
    /// Certificates to trust as well.
    pub ca: Option<String>,
    /// The client certificate, with those between it and its authority. It is shown where the credential's access goes, and
    /// nowhere else.
    pub client_certificate: Option<String>,
    /// Its private key, unencrypted.
    #[schema(value_type = Option<String>)]
    pub client_key: Option<Secret>,
    /// Origins whose certificate is not checked. Each has to be among the `insecureOrigins` of the server's settings, or in
    /// the `[tls]` of their policy.
    #[serde(default)]
    pub insecure_origins: Vec<String>,
}

/// A component with what it may use.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Binding {
    /// The digest of a loaded component.
    pub component: String,
    /// The tenant that owns the run. Tenants share neither sessions nor connections.
    #[serde(default)]
    pub tenant: String,
    /// The credential's fields.
    #[schema(value_type = Option<Object>)]
    pub credential: Option<Box<RawValue>>,
    /// An access token of the client's own log-in, for a credential of the scheme `oauth2`.
    pub token: Option<GivenToken>,
    /// The text of a policy file; it replaces the one in the settings.
    pub policy: Option<String>,
    /// Rules to add to the policy's.
    #[serde(default)]
    pub allow: Vec<Allow>,
    /// Whether every origin that the node's description declares is granted.
    #[serde(default)]
    pub allow_declared: bool,
    /// Certificates.
    pub tls: Option<TlsSettings>,
}

/// What a request binds a component to. All requests that bind one have these fields.
pub struct Bound<'a> {
    pub component: &'a str,
    pub tenant: &'a str,
    pub credential: Option<&'a RawValue>,
    pub policy: Option<&'a str>,
    pub allow: &'a [Allow],
    pub allow_declared: bool,
    pub tls: Option<&'a TlsSettings>,
}

/// Takes the fields of [`Bound`] from a request's type.
macro_rules! bound {
    ($type:ty) => {
        impl $type {
            pub fn bound(&self) -> $crate::serve::wire::Bound<'_> {
                $crate::serve::wire::Bound {
                    component: &self.component,
                    tenant: &self.tenant,
                    credential: self.credential.as_deref(),
                    policy: self.policy.as_deref(),
                    allow: &self.allow,
                    allow_declared: self.allow_declared,
                    tls: self.tls.as_ref(),
                }
            }
        }
    };
}
pub(super) use bound;

bound!(Binding);
bound!(Run);

/// A rule: what a node may reach.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Allow {
    /// An origin, with or without a path: `https://api.example.com/v1`.
    Short(String),
    /// An entry, as in a policy file.
    Long(AllowEntry),
}

/// An entry, as in a policy file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowEntry {
    /// Scheme, host and port.
    pub origin: String,
    /// Allows this path and everything below it; absent: every path.
    pub path: Option<String>,
    /// The allowed methods; absent: all but CONNECT and TRACE.
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
    /// The tenant that owns the run. Tenants share neither sessions nor connections.
    #[serde(default)]
    pub tenant: String,
    /// The credential's fields.
    #[schema(value_type = Option<Object>)]
    pub credential: Option<Box<RawValue>>,
    /// An access token of the client's own log-in, for a credential of the scheme `oauth2`.
    pub token: Option<GivenToken>,
    /// The text of a policy file; it replaces the one in the settings.
    pub policy: Option<String>,
    /// Rules to add to the policy's.
    #[serde(default)]
    pub allow: Vec<Allow>,
    /// Whether every origin that the node's description declares is granted.
    #[serde(default)]
    pub allow_declared: bool,
    /// Certificates.
    pub tls: Option<TlsSettings>,
    /// The operation's group.
    pub group: String,
    /// The operation.
    pub operation: String,
    /// How many items may be in flight.
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub concurrency: Option<NonZeroUsize>,
    /// What happens to the remaining items after a failure.
    #[serde(default)]
    #[schema(schema_with = on_failure)]
    pub on_failure: OnFailure,
    /// The order of the results.
    #[serde(default)]
    #[schema(schema_with = order)]
    pub order: ResultOrder,
    /// How often an item is retried.
    #[serde(default)]
    pub retries: u32,
    /// The time limit of an item with its retries, in milliseconds.
    pub item_time_ms: Option<u64>,
    /// The time limit of the run, in milliseconds.
    pub run_time_ms: Option<u64>,
    /// Whether rows are sent while their item goes on, in lines of their own.
    #[serde(default)]
    pub stream_rows: bool,
    /// The most rows of each item; the service is asked for no more.
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub limit: Option<NonZeroU64>,
    /// The rate of requests: `50/s`.
    pub rate: Option<String>,
    /// The interval of progress lines, in milliseconds.
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub progress_ms: Option<std::num::NonZeroU64>,
    /// The journal that makes the run resumable.
    pub journal: Option<Journal>,
    /// The recording to write.
    pub record: Option<Record>,
    /// The recording to replay.
    pub replay: Option<Replay>,
}

/// A run's journal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Journal {
    /// An absolute path below one of the folders that the server may write to.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// Resumes the run with another build of the component.
    #[serde(default)]
    pub accept_component: bool,
    /// What to do with a plain write if the journal does not know whether it was done.
    #[serde(default)]
    #[schema(schema_with = unknown)]
    pub unknown: OnUnknown,
}

/// A recording to write.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// An absolute path below one of the folders that the server may write to.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// What the requests were sent to, in words, for readers of the recording.
    pub against: Option<String>,
}

/// A recording to replay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// An absolute path below one of the server's folders.
    #[schema(value_type = String)]
    pub path: PathBuf,
}

/// An item: one line after the first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item<'a> {
    /// The caller's ID, repeated in the result; absent: the item's position, from 0.
    #[serde(borrow)]
    #[schema(value_type = Option<Id>)]
    pub id: Option<&'a RawValue>,
    /// The parameters by name.
    #[serde(borrow)]
    #[schema(value_type = Object)]
    pub parameters: &'a RawValue,
}

/// The caller's ID of an item: a number or a text of at most 256 bytes.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document alone: it is given back as it came")]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// A line of a run's response. It has one key, except that `item` has `rows`, `output` or `error` beside it, and `output` may
/// have `end`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document alone: lines are written as texts")]
pub enum Line {
    /// The first line.
    Run {
        /// The run.
        run: Begun,
    },
    /// Output items of an item that goes on: only with `streamRows`.
    Rows {
        /// The item's ID.
        item: Id,
        /// The output items, as JSON documents.
        rows: Vec<Value>,
    },
    /// An item's result: its output items, or those after its `rows`.
    Output {
        /// The item's ID.
        item: Id,
        /// The output items, as JSON documents.
        output: Vec<Value>,
        /// The files of each output item, by their keys. Absent if none has any.
        files: Option<Vec<BTreeMap<String, OutputFile>>>,
        /// Present if the item had `rows`, or as many output items as `limit`.
        end: Option<RowsEnd>,
    },
    /// An item's result: its failure.
    Error {
        /// The item's ID.
        item: Id,
        /// The failure, as `nodule run` prints it.
        error: ItemFailure,
    },
    /// Something that a person who watches should know at once.
    Notice {
        /// The notice.
        notice: Told,
    },
    /// The run waits for `POST /v1/runs/{id}/token`.
    Token {
        /// Why.
        token: WantedToken,
    },
    /// The run's progress.
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

/// A file that came out of an item.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "for the document alone: the library writes it")]
pub struct OutputFile {
    /// For `/v1/files/{id}`.
    pub id: String,
    /// A name that is safe on every system.
    pub file_name: Option<String>,
    /// `image/png`
    pub media_type: Option<String>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// The end of an item's rows.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document alone: lines are written as texts")]
pub struct RowsEnd {
    /// How many output items the item has in all.
    pub rows: u64,
    /// `false` if the item gave as many as `limit`, so that there may be more.
    pub complete: Option<bool>,
}

/// A run that has started.
#[derive(Serialize, ToSchema)]
pub struct Begun {
    /// The ID for `/v1/runs/{id}`.
    pub id: String,
    /// The operation's effect: `read`, `idempotent`, `keyed` or `write`.
    pub effect: &'static str,
}

/// Something that a person who watches a run should know at once.
#[derive(Serialize, ToSchema)]
pub struct Told {
    /// `same-key`, `service-down`, `service-back`, `given-up`, `throttled` or `out-of-time`.
    pub kind: &'static str,
    /// The notice's text, one line.
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
    /// The contract's name of the failure, such as `invalid-parameters`.
    kind: String,
    /// What happened.
    message: String,
    /// The response's HTTP status.
    status: Option<u16>,
    /// The service's error code.
    code: Option<String>,
    /// The service's ID of the request.
    request_id: Option<String>,
    /// The delay that the service asks for.
    retry_after_ms: Option<u32>,
    /// Whether the operation may have taken effect: `not-done` or `unknown`.
    certainty: Option<String>,
    /// The problems of the parameters.
    problems: Option<Vec<ParameterProblem>>,
    /// Policy lines that would allow a denied request.
    hint: Option<String>,
    /// Further detail for people.
    detail: Option<Value>,
}

/// One problem of an item's parameters.
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

/// A run's counts, as `nodule run --summary` writes them.
#[derive(ToSchema)]
#[schema(as = Summary)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "for the document alone: the library writes it")]
pub struct RunSummary {
    /// Items with a result.
    items: u64,
    /// Items that succeeded.
    done: u64,
    /// Of these, items that an earlier run did.
    again: u64,
    /// Of these, items that were skipped as requested.
    skipped: u64,
    /// Items that failed, by the failure's kind.
    failed: std::collections::BTreeMap<String, u64>,
    /// Of the failed items of a plain write, those that may have taken effect.
    unknown: u64,
    /// Retries of items.
    retries: u64,
    /// Sessions that replaced an older one.
    renewals: u64,
    /// Requests sent, without authentication.
    requests: u64,
    /// Output items that were sent as `rows`.
    rows: u64,
    /// Items with the key of an earlier item.
    same_key: u64,
    /// Latency of the requests, in milliseconds: `p50`, `p95`, `p99`, `max`.
    latency_ms: std::collections::BTreeMap<String, f64>,
    /// Time since the start, in milliseconds.
    elapsed_ms: f64,
    /// `complete`, `stopped` or `out-of-time`.
    ended: String,
    /// The error that broke the run.
    error: Option<Problem>,
}

/// A line of a plan's response.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    clippy::large_enum_variant,
    reason = "for the document alone: lines are written as texts"
)]
pub enum PlanLine {
    /// The requests that the item would send.
    Requests {
        /// The item's ID.
        item: Id,
        /// The requests, as far as they are known without a response.
        requests: Vec<PlannedRequest>,
    },
    /// The item's failure.
    Error {
        /// The item's ID.
        item: Id,
        /// The failure, as in a run.
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
    /// A JSON body as JSON, anything else as text.
    body: Option<Value>,
}

/// The result of a credential check.
#[derive(Serialize, ToSchema)]
pub struct CredentialCheck {
    /// Whether the credential works.
    pub ok: bool,
    /// Why it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ItemFailure>)]
    pub error: Option<nodule::json::Json>,
}

/// A problem with the request itself.
#[derive(Serialize, ToSchema)]
pub struct ProblemBody {
    /// The problem.
    pub error: Problem,
}

/// A problem, and what to do about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The problem's name.
    pub kind: &'static str,
    /// The problem's message.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Run {
    /// The library's options. The caller has to check the journal's path.
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
            .order(self.order)
            .stream_rows(self.stream_rows);
        options.limit = self.limit.map(NonZeroU64::get);
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

/// A schema of several fixed words.
fn modes<const N: usize>(words: [&'static str; N], default: &'static str, about: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .default(Some(default.into()))
        .description(Some(about))
        .build()
}
