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
mod redaction;
mod wait;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
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
use nodule_core::policy::{BaseUrl, Policy, Rule};
use nodule_core::recording::{Answer, Exchange, Outcome, Player, Recorder, Request, Role, Spelled};
use nodule_core::secret::Secret;
use nodule_core::text;

pub(crate) use check::{Content, RawRequest};
pub(crate) use held::{BufferReservation, Buffered};
pub use hook::{HookedRequest, RequestHook};
pub(crate) use observed::{Answered, LastAnswer, Observed, Redirect};

/// Rules by which a request below the base URL is refused for nothing that the node chose.
const OF_THE_BASE: [&str; 3] = ["address", "authentication-requests", "request-hook"];

/// Requests that one `authenticate` may send. A handshake of several steps takes five or six: finding the endpoints, a nonce,
/// a token, its exchange for another, a renewal that failed before. With no limit it could write the secret to as many places
/// of the service as it likes.
pub(crate) const AUTHENTICATION_REQUESTS: u32 = 16;

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
    pub(crate) lane: Mutex<Option<Arc<OriginClient>>>,
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

/// An answer, whole.
pub(crate) struct BufferedResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// For the body, for as long as the node has any of it.
    pub(crate) hold: BufferReservation,
}

/// What a request wanted, as far as it is known.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: Option<&'a Method>,
    pub(crate) url: Option<&'a CanonicalUrl>,
}

/// Why a node is given no answer.
struct Unanswered {
    error: HttpError,
    /// The answer, where there is one and only its body cannot be read; without that.
    undecoded: Option<Box<BufferedResponse>>,
}

impl From<HttpError> for Unanswered {
    fn from(error: HttpError) -> Self {
        Self {
            error,
            undecoded: None,
        }
    }
}

/// Why there is none: what the guest is told, and what the host says in its own words.
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
        wanted: RawRequest,
        options: Option<RequestOptions>,
    ) -> Result<BufferedResponse, HttpError> {
        let clock = events::wants_requests(&self.label).then(Instant::now);
        let mut checked = self.check(wanted).await?;
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
        asked: &ValidatedRequest,
        sent: usize,
        outcome: &Result<BufferedResponse, HttpError>,
        since: Instant,
    ) {
        let (status, received) = match outcome {
            Ok(answer) => (answer.status.as_u16(), answer.body.len()),
            Err(_) => (0, 0),
        };
        let seen = events::Request {
            method: &asked.method,
            // An authenticating node knows the secret, so what it chose is not shown.
            origin: (self.scope == Scope::Operation || asked.below_base).then(|| asked.url.origin()),
            path: self.shown_path(asked),
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
                .map_err(|unanswered| unanswered.error),
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
                        Err(Unanswered { error, undecoded }) => {
                            let error = error_name::of(error).to_owned();
                            match undecoded {
                                Some(answer) => Outcome::Answer(Answer {
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
                outcome.map_err(|unanswered| unanswered.error)
            }
        }
    }

    /// The policy's word, and how far the connection may go.
    fn permit(&self, request: &ValidatedRequest) -> Result<Permit, HttpError> {
        let ValidatedRequest {
            method,
            url,
            below_base,
            ..
        } = request;
        let decided = match (self.scope, below_base) {
            (Scope::Authentication, false) => {
                return Err(self.deny(request.asked(), "authentication", String::new(), None));
            }
            // By a rule, or by having given the credential, where the policy does not say otherwise.
            (_, true) => self.policy.decide_below_base(method, url),
            (Scope::Operation, false) => self.policy.decide(method, url).map(Rule::permit),
        };
        let permit = match decided {
            Ok(permit) => permit,
            Err(denial) => {
                let rule = match self.scope {
                    Scope::Operation => denial.why.rule(),
                    // Which of the rules it was is this node's choice.
                    Scope::Authentication => "authentication",
                };
                return Err(self.deny(request.asked(), rule, denial.to_string(), denial.hint()));
            }
        };
        if self.scope == Scope::Authentication && !self.may_authenticate_further() {
            let message = format!(
                "an authenticating node may send {} requests",
                AUTHENTICATION_REQUESTS
            );
            return Err(self.deny(request.asked(), "authentication-requests", message, None));
        }
        if self.write && self.scope == Scope::Operation && !is_safe(method) {
            let most = self.policy.write_requests();
            let mut notes = self.notes();
            if notes.allowed_changing >= most {
                drop(notes);
                let message =
                    format!("a call of a `write` operation may send {most} request that is not a GET");
                let hint = format!("in the policy file:\nwrite-requests = {}", most + 1);
                return Err(self.deny(request.asked(), "write-requests", message, Some(hint)));
            }
            notes.allowed_changing += 1;
        }
        Ok(permit)
    }

    fn recordable(&self, request: &ValidatedRequest) -> Result<Request, HttpError> {
        let message = || "the URL cannot be recorded".to_owned();
        request
            .recorded()
            .ok_or_else(|| self.deny(request.asked(), "recording", message(), None))
    }

    fn replay(&self, player: &Player, request: &ValidatedRequest) -> Result<BufferedResponse, HttpError> {
        let changing = u32::from(!is_safe(&request.method));
        self.sending(changing);
        let same = match self.role() {
            Role::Operation => player.serve_spelled(self.item, &request.spelled(&request.url.to_string())),
            Role::Authentication => None,
        };
        let served = match same {
            Some(served) => served,
            None => player.serve(self.role(), self.item, &self.recordable(request)?),
        };
        match served {
            Ok(Outcome::Answer(answer)) => match &answer.broken {
                None => {
                    let answer =
                        BufferedResponse::from_recorded(answer, BufferReservation::new(&self.buffered));
                    self.answered(&answer, changing);
                    Ok(answer)
                }
                Some(error) => {
                    let error = self.recorded_failure(error);
                    if matches!(error, HttpError::HttpResponseContentCoding(_)) {
                        self.note_undecoded(&BufferedResponse::from_recorded(
                            answer,
                            BufferReservation::new(&self.buffered),
                        ));
                    }
                    Err(error)
                }
            },
            Ok(Outcome::Failed { error }) => Err(self.recorded_failure(error)),
            Err(miss) => Err(self.deny(
                request.asked(),
                "replay",
                miss.to_string(),
                Some(miss.hint().to_owned()),
            )),
        }
    }

    /// A transport failure of a recording. What another tool says of it is told, since its name here says less.
    fn recorded_failure(&self, error: &str) -> HttpError {
        const SHOWN_CHARS: usize = 200;
        let known = error_name::parse(error);
        if known.is_none() {
            let told = format!("recorded as `{}`", text::shown(error, SHOWN_CHARS));
            self.notes().trouble.get_or_insert(told);
        }
        known.unwrap_or(HttpError::ConnectionTerminated)
    }

    async fn live(
        &self,
        clients: &Clients,
        request: &mut ValidatedRequest,
        permit: Permit,
        options: Option<&RequestOptions>,
    ) -> Result<BufferedResponse, Unanswered> {
        self.listen(request).await;
        self.add_hooked(request)?;
        let url = self.authorise(request)?;
        let lane = self.lane(clients, permit, &url);
        let changing = u32::from(!is_safe(&request.method));
        let clock = Instant::now();
        let outcome = exchange::send(self, &lane, request, url, options).await;
        self.ended(clock.elapsed(), outcome.as_ref().ok(), changing);
        let error = match outcome {
            Ok(answer) => return Ok(self.redacted(request, answer).await),
            Err(exchange::Stopped::Undecoded(answer)) => {
                self.note_undecoded(&answer);
                return Err(Unanswered {
                    error: HttpError::HttpResponseContentCoding(None),
                    undecoded: Some(Box::new(self.redacted(request, *answer).await)),
                });
            }
            Err(exchange::Stopped::Denied(denial)) => self.deny(
                request.asked(),
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
    fn lane(&self, clients: &Clients, permit: Permit, url: &Uri) -> Arc<OriginClient> {
        let mut last = self.lane.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = last.as_ref().filter(|lane| lane.leads_to(permit, url)) {
            return Arc::clone(lane);
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
        let lane = Arc::new(clients.lane(key, url));
        Arc::clone(last.insert(lane))
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

    fn role(&self) -> Role {
        match self.scope {
            Scope::Operation => Role::Operation,
            Scope::Authentication => Role::Authentication,
        }
    }

    /// Refuse a request: a failure for the node, an event for the operator, and the lines to paste for whoever has to act.
    pub(crate) fn deny(
        &self,
        asked: Asked<'_>,
        rule: &'static str,
        message: String,
        hint: Option<String>,
    ) -> HttpError {
        let below_base = asked
            .url
            .is_some_and(|url| self.base.as_ref().is_some_and(|base| base.covers(url)));
        let (asked, message, hint) = match self.scope {
            Scope::Authentication if self.is_live() && !(below_base && OF_THE_BASE.contains(&rule)) => {
                // This node knows the secret: where it wanted to go, in whatever words, may be the secret.
                let base = self
                    .base
                    .as_ref()
                    .map(|base| base.url().to_string())
                    .unwrap_or_default();
                let listed = match self.policy.base_url() {
                    BaseUrl::Granted => "",
                    BaseUrl::Listed => " that the policy lists (`base-url = \"listed\"`)",
                };
                let message = format!(
                    "an authenticating node may send plain requests below `{base}`{listed}, and tried another"
                );
                (
                    Asked {
                        method: None,
                        url: None,
                    },
                    message,
                    None,
                )
            }
            _ => (asked, message, hint),
        };
        let origin = asked.url.map(CanonicalUrl::origin);
        self.audit(|| events::denied(&self.label, asked.method, origin.as_deref(), rule));
        self.notes().denial.get_or_insert((message, hint));
        HttpError::HttpRequestDenied
    }
}

/// Methods that change nothing.
fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn header_list(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

impl ValidatedRequest {
    /// As a recording has it, or `None` for a URL that the recording's URL type does not take.
    fn recorded(&self) -> Option<Request> {
        Some(Request {
            method: self.method.clone(),
            url: url::Url::parse(&self.url.to_string()).ok()?,
            headers: header_list(&self.headers),
            body: self.body.clone(),
        })
    }

    /// As it is written; `url` is its own.
    fn spelled<'a>(&'a self, url: &'a str) -> Spelled<'a> {
        Spelled {
            method: &self.method,
            url,
            content_type: self
                .headers
                .get(CONTENT_TYPE)
                .map(HeaderValue::as_bytes)
                .unwrap_or_default(),
            body: &self.body,
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            method: Some(&self.method),
            url: Some(&self.url),
        }
    }

    fn planned(&self) -> Planned {
        Planned {
            method: self.method.clone(),
            url: self.url.to_string(),
            headers: header_list(&self.headers),
            body: self.body.clone(),
        }
    }
}

impl BufferedResponse {
    fn recorded(&self) -> Answer {
        Answer {
            status: self.status,
            headers: header_list(&self.headers),
            body: self.body.clone(),
            broken: None,
        }
    }

    fn from_recorded(answer: &Answer, hold: BufferReservation) -> Self {
        let headers = answer
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value.parse().ok()?))
            })
            .collect();
        Self {
            status: answer.status,
            headers,
            body: answer.body.clone(),
            hold,
        }
    }
}
