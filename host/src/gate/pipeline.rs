//! What happens to a request of a node. The order is the security argument:
//!
//! 1. size and syntax limits, no header that speaks of another method, path or client, and the URL in its canonical form:
//!    what is checked below is what is sent
//! 2. policy: scheme, host, port, method, path; below the credential's base URL as its `base-url` says; an authenticating instance
//!    reaches the base URL and nothing else, whatever the policy lists
//! 3. a replay or a dry run answers here: nothing below runs, so no socket is opened
//! 4. headers that the embedder adds; session headers and query, only below the credential's base URL, every copy the node set removed; nothing from here on
//!    refuses a request for what the session holds
//! 5. one look-up, forbidden addresses dropped, a connection to exactly an address that was checked ([`crate::gate::client`])
//! 6. the request leaves, within its deadlines
//! 7. the answer is read to its end, decompressed, within its limits
//! 8. known secrets are redacted, below the credential's base URL, but for those that the node wrote itself before step 4
//! 9. the exchange is recorded: the request as it was before step 4, the answer as it is after step 8
//!
//! Bodies are whole in memory, up to their limit: redaction and recording need all of an answer, a node reads a JSON
//! document to its end anyway, and a complete body costs the guest fewer calls than a stream.

mod authorise;
mod check;
mod coding;
mod error_name;
mod exchange;
pub(crate) mod header;
mod held;
mod hook;
mod observed;
mod permit;
mod recorded;
mod redaction;
#[cfg(test)]
mod tests;
mod wait;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions};

use crate::events::{self, Label};
use crate::gate::access::Access;
use crate::gate::budget::Pace;
use crate::gate::client::{self, Clients, Freshness, OriginClient, Owner};
use nodule_core::address::Permit;
use nodule_core::canonical::{Base, CanonicalUrl};
use nodule_core::limits::Limits;
use nodule_core::policy::Policy;
use nodule_core::recording::{Exchange, Outcome, Player, RecordedResponse, Recorder};
use nodule_core::secret::Secret;

pub(crate) use check::{Content, RawRequest};
pub(crate) use held::{BufferReservation, Buffered};
pub use hook::{HookedRequest, RequestHook};
pub(crate) use observed::{Answered, LastAnswer, Observed, Redirect};
pub(crate) use permit::AUTHENTICATION_REQUESTS;

/// Who is behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// An executing instance: it has no secret, and what it reaches is the policy's to say.
    Operation,
    /// An authenticating instance: it was shown the secret, and reaches the base URL only.
    Authentication,
}

/// Where requests go.
#[derive(Clone)]
pub(crate) enum Transport {
    /// To the service, and onto a recording where one is made.
    Live {
        /// Has the connections.
        clients: Arc<Clients>,
        /// Keeps what is sent and answered.
        recorder: Option<Arc<Recorder>>,
    },
    /// To a recording.
    Replay(Arc<Player>),
    /// Nowhere; they are only shown.
    DryRun(Arc<Mutex<Vec<Planned>>>),
}

/// A request that a dry run would have sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The method.
    pub method: Method,
    /// The URL, as it would be sent, without what a session adds.
    pub url: String,
    /// Names and values, without what the host and a session add.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What the requests of one call have in common.
pub(crate) struct Pipeline {
    pub(crate) scope: Scope,
    pub(crate) policy: Arc<Policy>,
    pub(crate) limits: Arc<Limits>,
    /// The credential's base URL.
    pub(crate) base: Option<Arc<Base>>,
    /// What makes them authorised ones.
    pub(crate) access: Option<Arc<Access>>,
    /// Whose connections they use.
    pub(crate) owner: Owner,
    pub(crate) transport: Transport,
    /// Adds headers of the embedder's own.
    pub(crate) hook: Option<Arc<dyn RequestHook>>,
    /// Whether the operation's effect is `write`.
    pub(crate) write: bool,
    /// The item that the call is for, where it is for one.
    pub(crate) item: Option<usize>,
    /// Places for requests in flight, shared by all calls of a runner.
    pub(crate) slots: Arc<Semaphore>,
    /// What the host holds of this call's bodies.
    pub(crate) buffered: Arc<Buffered>,
    /// Whose requests these are, for events.
    pub(crate) label: Arc<Label>,
    /// How fast requests may follow each other, and what they share with those of other runs.
    pub(crate) rate: Option<Arc<Pace>>,
    pub(crate) observed: Mutex<Observed>,
    /// Where the last request went.
    pub(crate) origin_client: Mutex<Option<Arc<OriginClient>>>,
}

/// A request that passed the first step.
struct ValidatedRequest {
    method: Method,
    url: CanonicalUrl,
    /// Whether the credential's base URL covers it.
    below_base: bool,
    headers: HeaderMap,
    body: Bytes,
}

impl ValidatedRequest {
    fn line(&self) -> RequestLine<'_> {
        RequestLine {
            method: Some(&self.method),
            url: Some(&self.url),
        }
    }
}

/// An answer, whole.
pub(crate) struct BufferedResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// For the body, for as long as the node has any of it.
    pub(crate) hold: BufferReservation,
}

/// A request's method and URL, as far as they are known.
#[derive(Clone, Copy)]
pub(crate) struct RequestLine<'a> {
    pub(crate) method: Option<&'a Method>,
    pub(crate) url: Option<&'a CanonicalUrl>,
}

/// Why a node is given no answer.
struct NoResponse {
    error: HttpError,
    /// The answer, where there is one and only its body cannot be read; without that.
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

    /// Whether requests go to the service, with a real credential; a replay has a dummy.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.transport, Transport::Live { .. })
    }

    /// Carry out one request; the module says in which order.
    pub(crate) async fn exchange(
        self: Arc<Self>,
        raw: RawRequest,
        options: Option<RequestOptions>,
    ) -> Result<BufferedResponse, HttpError> {
        let clock = events::wants_requests(&self.label).then(Instant::now);
        let mut checked = self.check(raw).await?;
        let _place = match &self.rate {
            Some(rate) if self.is_live() => rate.turn().await,
            _ => None,
        };
        let sent = checked.body.len();
        let outcome = self.carry_out(&mut checked, options.as_ref()).await;
        if self.scope == Scope::Authentication {
            self.note_answer(&outcome);
        }
        if let Some(clock) = clock {
            self.show(&checked, sent, &outcome, clock);
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
            // An authenticating node knows the secret, so what it chose is not shown.
            origin: (self.scope == Scope::Operation || request.below_base).then(|| request.url.origin()),
            path: self.shown_path(request),
            status,
            outcome: outcome.as_ref().map_or_else(error_name::of, |_| "answered"),
            since,
            // How much it sent, too.
            sent: if self.scope == Scope::Operation { sent } else { 0 },
            received,
        };
        if matches!(outcome, Err(HttpError::HttpRequestDenied)) {
            self.audit(|| events::request(&self.label, &seen));
        } else {
            events::request(&self.label, &seen);
        }
    }

    /// The path as it was declared, without its values.
    fn shown_path(&self, asked: &ValidatedRequest) -> &str {
        let base = self.base.as_ref().filter(|_| asked.below_base);
        match self.scope {
            Scope::Operation => self.label.path(base.map(|base| base.url()), &asked.url),
            Scope::Authentication => "…",
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
                recorder.push(Exchange {
                    role: self.role(),
                    item: self.item,
                    request,
                    outcome: match &outcome {
                        Ok(answer) => Outcome::Answer(answer.recorded()),
                        Err(NoResponse { error, undecoded }) => {
                            let error = error_name::of(error).to_owned();
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
                outcome.map_err(|failed| failed.error)
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
        let origin_client = self.origin_client(clients, permit, &url);
        let changing = u32::from(!is_safe(&request.method));
        let clock = Instant::now();
        let outcome = exchange::send(self, &origin_client, request, url, options).await;
        self.ended(clock.elapsed(), outcome.as_ref().ok(), changing);
        let error = match outcome {
            Ok(answer) => return Ok(self.redacted(request, answer).await),
            Err(exchange::Stopped::Undecoded(answer)) => {
                self.note_undecoded(&answer);
                return Err(NoResponse {
                    error: HttpError::HttpResponseContentCoding(None),
                    undecoded: Some(Box::new(self.redacted(request, *answer).await)),
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

    /// The way to this URL's origin: the same for nearly all requests of a call.
    fn origin_client(&self, clients: &Clients, permit: Permit, url: &Uri) -> Arc<OriginClient> {
        let mut last = self.origin_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin_client) = last
            .as_ref()
            .filter(|origin_client| origin_client.leads_to(permit, url))
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
            freshness,
            header_count: self.limits.header_count,
            header_bytes: self.limits.header_bytes,
        };
        let origin_client = Arc::new(clients.origin_client(key, url));
        Arc::clone(last.insert(origin_client))
    }

    /// Name to the recording what it must not show.
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

/// Methods that change nothing.
fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}
