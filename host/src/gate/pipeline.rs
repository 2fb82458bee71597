//! The steps that a node's request passes through. Their order is the security argument:
//!
//! 1. The request's size and syntax are checked. No header may override the method, path or client. The URL becomes
//!    canonical: what is checked below is what is sent.
//! 2. The policy checks scheme, host, port, method and path; below the credential's base URL, its `base-url` rule
//!    applies, and at an origin that the node declares, the policy's grant. An authenticating instance reaches the base
//!    URL and granted origins that name its credential, and nothing else, whatever the policy lists. A question of a form
//!    sends GET and HEAD only; other requests of an item are counted.
//! 3. A replay or a dry run finishes the request here. No later step runs, so no socket is opened.
//! 4. The embedder's headers are added. Below the credential's base URL and at granted origins that name the credential,
//!    the session's headers and query parameters are added, and the node's own of the same names are removed. No later
//!    step refuses a request because of what the session contains. Where the credential signs requests instead, an
//!    instance that reaches nothing makes the signature, and what it returns passes the checks of steps 1 and 2 again.
//!    A request that cannot be signed ends its call, and the node does not learn of it ([`signing`]).
//! 5. The connection's manner of TLS is chosen: a client certificate is shown where the session goes, and nowhere else;
//!    certificates are unchecked at exactly the origins that the operator names. The host is looked up once, forbidden
//!    addresses are dropped, and the connection goes to exactly an address that
//!    was checked ([`crate::gate::client`]).
//! 6. The request is sent, within its deadlines.
//! 7. The response is read completely and decompressed, within its limits.
//! 8. Where the session goes, known secrets and what a signature added are redacted, except what the node's own request
//!    contained before step 4.
//! 9. The exchange is recorded: the request as before step 4, the response as after step 8.
//!
//! Bodies are buffered in memory, up to their limit: redaction and recording need the whole response, a node reads a
//! JSON document completely anyway, and a complete body costs the guest fewer calls than a stream. Files are not: [`upload`](crate::gate::upload)
//! reads those that are sent, and [`kept`] holds those that arrive. By turns the node sees neither, and no secret is looked for in
//! them. By streams it may write a large body while it is sent, and read a body that could become a file: then as any other response.

mod authorise;
mod check;
mod coding;
mod error_name;
mod exchange;
pub(crate) mod header;
mod held;
mod hook;
mod kept;
mod observed;
mod overlap;
mod permit;
mod printed;
mod recorded;
mod redaction;
mod signing;
#[cfg(test)]
mod tests;
mod token;
mod wait;

use std::future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions};

use crate::events::{self, Label};
use crate::gate::access::Access;
use crate::gate::budget::Pace;
use crate::gate::client::{self, Clients, Freshness, OriginClient, Owner, RunnerTls, TlsManner};
use crate::gate::upload::Upload;
use nodule_core::address::Permit;
use nodule_core::canonical::{Base, CanonicalUrl};
use nodule_core::failure::Failure;
use nodule_core::limits::Limits;
use nodule_core::policy::{Declaration, DeclaredOrigins, Policy, WriteBound};
use nodule_core::recording::{Exchange, Outcome, Player, RecordedResponse, Recorder};
use nodule_core::secret::Secret;

pub(crate) use check::{Content, Keep, RawRequest};
pub(crate) use held::{BufferReservation, Buffered};
pub use hook::{HookedRequest, RequestHook};
pub(crate) use kept::{KeptBody, Lost};
pub(crate) use observed::{Answered, LastAnswer, Observed, Redirect};
pub(crate) use overlap::Overlap;
pub(crate) use permit::AUTHENTICATION_REQUESTS;
pub(crate) use signing::{BadSignature, Draft, DraftBody, SignedRequest, Signer};

/// The rule by which a signing instance or a signed request is refused, the kind of that failure, and its name in a
/// recording.
const SIGNING: &str = "signing";

/// The kind of instance that sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// An executing instance. It has no secret, and reaches what the policy allows.
    Operation,
    /// An authenticating instance. It has seen the secret, and reaches only the base URL.
    Authentication,
    /// A signing instance. It has seen the secret, and reaches nothing.
    Signing,
}

/// Where requests go.
#[derive(Clone)]
pub(crate) enum Transport {
    /// To the service. A recorder, if any, records the exchanges.
    Live {
        /// The connections.
        clients: Arc<Clients>,
        /// Records requests and responses.
        recorder: Option<Arc<Recorder>>,
    },
    /// To a recording, which provides the responses.
    Replay(Arc<Player>),
    /// Nowhere. Requests are only collected.
    DryRun(Arc<Mutex<Vec<Planned>>>),
}

/// A request that a dry run would have sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The method.
    pub method: Method,
    /// The URL as it would be sent, without what a session adds.
    pub url: String,
    /// The headers by name, without those that the host and a session add.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What the requests of one call share.
pub(crate) struct Pipeline {
    pub(crate) scope: Scope,
    pub(crate) policy: Arc<Policy>,
    pub(crate) limits: Arc<Limits>,
    /// The credential's base URL.
    pub(crate) base: Option<Arc<Base>>,
    /// The origins that the node declares.
    pub(crate) origins: Arc<DeclaredOrigins>,
    /// The session's headers and query parameters.
    pub(crate) access: Option<Arc<Access>>,
    /// The owner of the connections.
    pub(crate) owner: Owner,
    /// How their TLS is set up.
    pub(crate) tls: Arc<RunnerTls>,
    pub(crate) transport: Transport,
    /// Signs requests with the credential, if its scheme says so.
    pub(crate) signer: Option<Arc<dyn Signer>>,
    /// Why the call ends without a result: a request could not be signed.
    pub(crate) cut: OnceLock<Failure>,
    /// Adds the embedder's headers.
    pub(crate) hook: Option<Arc<dyn RequestHook>>,
    /// Whether the operation's effect is `write`.
    pub(crate) write: bool,
    /// Whether only GET and HEAD may be sent: the call answers a question of a form.
    pub(crate) reads_only: bool,
    /// How many requests other than GET and HEAD the call may send; `None`: any number.
    pub(crate) bound: Option<WriteBound>,
    /// The index of the item, if the call has only one.
    pub(crate) item: Option<usize>,
    /// Permits for requests in flight, shared by all calls of a runner.
    pub(crate) slots: Arc<Semaphore>,
    /// The requests of this call that are under way.
    pub(crate) overlap: Overlap,
    /// The bodies of this call that the host buffers.
    pub(crate) buffered: Arc<Buffered>,
    /// For events.
    pub(crate) label: Arc<Label>,
    /// The rate of requests, and the budget shared with other runs.
    pub(crate) rate: Option<Arc<Pace>>,
    pub(crate) observed: Mutex<Observed>,
    /// The origin of the last request.
    pub(crate) origin_client: Mutex<Option<Arc<OriginClient>>>,
}

/// A request that passed step 1.
struct ValidatedRequest {
    method: Method,
    url: CanonicalUrl,
    /// Whether the URL is below the credential's base URL.
    below_base: bool,
    /// Whether the node declares its origin, and what follows from that.
    declaration: Declaration,
    headers: HeaderMap,
    /// What a recording has. Of an [`Upload`], only where there is a recording.
    body: Bytes,
    /// What is sent in the body's place.
    upload: Option<Upload>,
    keep: Keep,
}

impl ValidatedRequest {
    /// Bytes of the body, where known.
    fn size(&self) -> u64 {
        let upload = self.upload.as_ref().and_then(Upload::size);
        upload.unwrap_or_else(|| u64::try_from(self.body.len()).unwrap_or(u64::MAX))
    }

    /// Whether the credential's access may go there.
    fn may_have_access(&self) -> bool {
        self.below_base || self.declaration.has_access
    }

    fn line(&self) -> RequestLine<'_> {
        RequestLine {
            method: Some(&self.method),
            url: Some(&self.url),
        }
    }
}

/// A complete response.
pub(crate) struct BufferedResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Reserves memory for the body, for as long as the node may read it.
    pub(crate) hold: BufferReservation,
    /// The body, if it becomes a file. Most responses have none.
    pub(crate) kept: Option<Box<KeptBody>>,
}

impl BufferedResponse {
    /// How long the service asks to wait, in milliseconds.
    pub(crate) fn retry_after_ms(&self) -> Option<u32> {
        wait::ms(&self.headers)
    }
}

/// A request's method and URL, as far as they are known.
#[derive(Clone, Copy)]
pub(crate) struct RequestLine<'a> {
    pub(crate) method: Option<&'a Method>,
    pub(crate) url: Option<&'a CanonicalUrl>,
}

/// Why a node gets no response.
struct NoResponse {
    error: HttpError,
    /// The response without its body, if only the body could not be decoded.
    undecoded: Option<Box<BufferedResponse>>,
}

impl From<HttpError> for NoResponse {
    fn from(error: HttpError) -> Self {
        Self {
            error,
            undecoded: None,
        }
    }
}

/// Transport error: the guest's code and the host's detail.
struct TransportError {
    error: HttpError,
    detail: String,
}

impl Pipeline {
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether requests go to the service with a real credential; a replay has a dummy.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.transport, Transport::Live { .. })
    }

    /// Sends one request through the steps of the module documentation.
    pub(crate) async fn exchange(
        self: Arc<Self>,
        raw: RawRequest,
        options: Option<RequestOptions>,
    ) -> Result<BufferedResponse, HttpError> {
        let clock = events::wants_requests(&self.label).then(Instant::now);
        let mut checked = self.check(raw).await?;
        let _end = checked.upload.as_ref().and_then(Upload::end_of_request);
        // A replay and a dry run answer at once.
        let _under_way = if self.is_live() {
            Some(self.overlap.enter().await)
        } else {
            None
        };
        let _place = match &self.rate {
            Some(rate) if self.is_live() => rate.turn().await,
            _ => None,
        };
        let sent = usize::try_from(checked.size()).unwrap_or(usize::MAX);
        let outcome = self.carry_out(&mut checked, options.as_ref()).await;
        if self.scope == Scope::Authentication {
            self.note_answer(&outcome);
        }
        if let Some(clock) = clock {
            self.show(&checked, sent, &outcome, clock);
        }
        if self.is_cut() {
            // The node learns nothing any more, neither of this request nor of those beside it.
            return future::pending().await;
        }
        outcome
    }

    fn show(
        &self,
        request: &ValidatedRequest,
        sent: usize,
        outcome: &Result<BufferedResponse, HttpError>,
        since: Instant,
    ) {
        let (status, received) = match outcome {
            Ok(answer) => (answer.status.as_u16(), answer.body.len()),
            Err(_) => (0, 0),
        };
        let seen = events::Request {
            method: &request.method,
            // An authenticating node knows the secret and could encode it in what it chooses, so that is not shown.
            origin: (self.scope == Scope::Operation || request.below_base).then(|| request.url.origin()),
            path: self.shown_path(request),
            status,
            outcome: outcome.as_ref().map_or_else(error_name::of, |_| "answered"),
            since,
            // The size could encode the secret as well.
            sent: if self.scope == Scope::Operation { sent } else { 0 },
            received,
        };
        if matches!(outcome, Err(HttpError::HttpRequestDenied)) {
            self.audit(|| events::request(&self.label, &seen));
        } else {
            events::request(&self.label, &seen);
        }
    }

    /// The declared path, without values.
    fn shown_path(&self, asked: &ValidatedRequest) -> &str {
        let base = self.base.as_ref().filter(|_| asked.below_base);
        match self.scope {
            Scope::Operation => self.label.path(base.map(|base| base.url()), &asked.url),
            Scope::Authentication | Scope::Signing => "…",
        }
    }

    async fn carry_out(
        &self,
        checked: &mut ValidatedRequest,
        options: Option<&RequestOptions>,
    ) -> Result<BufferedResponse, HttpError> {
        let permit = self.permit(checked)?;
        match &self.transport {
            Transport::Replay(player) => self.replay(player, checked),
            Transport::DryRun(shown) => {
                shown
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(checked.planned());
                Err(HttpError::HttpRequestDenied)
            }
            Transport::Live {
                clients,
                recorder: None,
            } => self
                .live(clients, checked, permit, options)
                .await
                .map_err(|failed| failed.error),
            Transport::Live {
                clients,
                recorder: Some(recorder),
            } => {
                let (request, started) = (self.recordable(checked)?, Timestamp::now());
                let clock = Instant::now();
                let outcome = self.live(clients, checked, permit, options).await;
                let (outcome, kept, file) = self.recordable_file(recorder, checked.keep, outcome).await;
                recorder.push(Exchange {
                    role: self.role(),
                    item: self.item,
                    request,
                    outcome: match &outcome {
                        Ok(answer) => Outcome::Answer(RecordedResponse {
                            file,
                            ..answer.recorded()
                        }),
                        Err(NoResponse { error, undecoded }) => {
                            let error = if self.is_cut() {
                                SIGNING
                            } else {
                                error_name::of(error)
                            };
                            let error = error.to_owned();
                            match undecoded {
                                Some(answer) => Outcome::Answer(RecordedResponse {
                                    broken: Some(error),
                                    ..answer.recorded()
                                }),
                                None => Outcome::Failed { error },
                            }
                        }
                    },
                    started,
                    duration: clock.elapsed(),
                });
                let answer = outcome.map_err(|failed| failed.error)?;
                Ok(BufferedResponse { kept, ..answer })
            }
        }
    }

    async fn live(
        &self,
        clients: &Clients,
        request: &mut ValidatedRequest,
        permit: Permit,
        options: Option<&RequestOptions>,
    ) -> Result<BufferedResponse, NoResponse> {
        self.listen(request).await;
        self.add_hooked(request)?;
        let url = self.authorise(request)?;
        let signature = self.sign(request).await?;
        let (url, permit) = match &signature {
            Some(signature) => (signature.url.clone(), signature.permit),
            None => (url, permit),
        };
        let additions = signature.map(|signature| Arc::new(signature.additions));
        let manner = self.tls.manner(&request.url, request.may_have_access());
        let origin_client = self.origin_client(clients, permit, manner, &url);
        let changing = u32::from(!is_safe(&request.method));
        let clock = Instant::now();
        let outcome = exchange::send(self, &origin_client, request, url, options).await;
        self.ended(clock.elapsed(), outcome.as_ref().ok(), changing);
        if additions.is_some() && outcome.is_ok() {
            self.answered_signed();
        }
        let error = match outcome {
            Ok(answer) => return Ok(self.redacted(request, additions, answer).await),
            Err(exchange::Stopped::Undecoded(answer)) => {
                self.note_undecoded(&answer);
                return Err(NoResponse {
                    error: HttpError::HttpResponseContentCoding(None),
                    undecoded: Some(Box::new(self.redacted(request, additions, *answer).await)),
                });
            }
            Err(exchange::Stopped::Denied(denial)) => self.deny(
                request.line(),
                "address",
                denial.to_string(),
                denial.hint(&request.url),
            ),
            Err(exchange::Stopped::Limit(key, TransportError { error, detail })) => {
                self.limit(key, detail);
                error
            }
            Err(exchange::Stopped::Broken(TransportError { error, detail })) => {
                self.notes().trouble.get_or_insert(detail);
                error
            }
        };
        Err(error.into())
    }

    /// The way to this URL's origin. Nearly all requests of a call use the same one.
    fn origin_client(
        &self,
        clients: &Clients,
        permit: Permit,
        manner: TlsManner,
        url: &Uri,
    ) -> Arc<OriginClient> {
        let mut last = self.origin_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin_client) = last
            .as_ref()
            .filter(|origin_client| origin_client.leads_to(permit, manner, url))
        {
            return Arc::clone(origin_client);
        }
        let freshness = if self.write {
            Freshness::Recent
        } else {
            Freshness::Any
        };
        let key = client::Key {
            owner: self.owner,
            authenticates: self.scope == Scope::Authentication,
            permit,
            tls: manner,
            freshness,
            header_count: self.limits.header_count,
            header_bytes: self.limits.header_bytes,
        };
        let origin_client = Arc::new(clients.origin_client(key, &self.tls, url));
        Arc::clone(last.insert(origin_client))
    }

    /// Tells the recorder which secrets a recording must not contain.
    pub(crate) fn remember_secrets<'a>(&self, secrets: impl Iterator<Item = &'a Secret>) {
        if let Transport::Live {
            recorder: Some(recorder),
            ..
        } = &self.transport
        {
            recorder.add_secrets(secrets.map(Secret::expose));
        }
    }
}

/// Whether the method changes nothing.
fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}
