//! What happens to a request of a node. The order is the security argument:
//!
//! 1. size and syntax limits, and the URL in its canonical form: what is checked below is what is sent
//! 2. policy: scheme, host, port, method, path; an authenticating instance reaches the credential's base URL and
//!    nothing else, whatever the policy lists
//! 3. a replay or a dry run answers here: nothing below runs, so no socket is opened
//! 4. session headers and query, only below the credential's base URL, every copy the node set removed
//! 5. one look-up, forbidden addresses dropped, a connection to exactly an address that was checked ([`crate::client`])
//! 6. the request leaves, within its deadlines
//! 7. the answer is read to its end, decompressed, within its limits
//! 8. known secrets are redacted
//! 9. the exchange is recorded: the request as it was before step 4, the answer as it is after step 8
//!
//! Bodies are whole in memory, up to their limit: redaction and recording need all of an answer, a node reads a JSON
//! document to its end anyway, and a complete body costs the guest fewer calls than a stream.

mod held;
mod hooks;
mod name;
mod send;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error as HttpError, RequestOptions, WasiBody};

use crate::address::Permit;
use crate::canonical::{CanonicalUrl, Host};
use crate::client::Freshness;
use crate::engine::Engine;
use crate::events::{self, Label};
use crate::failure::{Certainty, Failure};
use crate::limits::Limits;
use crate::policy::{FORBIDDEN_METHODS, Policy};
use crate::rate::Bucket;
use crate::recording::{Answer, Exchange, Outcome, Player, Recorder, Request, Role};
use crate::secret::Secret;
use crate::session::Session;

pub(crate) use held::Buffered;
use held::Hold;
pub(crate) use hooks::Hooks;

/// Headers of one connection, or of the host's own making: a node sets none of them.
const HOST_HEADERS: [&str; 4] = ["te", "trailer", "expect", "proxy-authentication-info"];

/// Whether a node, or its session, may not set this header.
pub(crate) fn is_forbidden_header(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || HOST_HEADERS.contains(&name.as_str())
        || name.as_str().starts_with("proxy-")
}

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
        engine: Engine,
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
    pub(crate) base: Option<CanonicalUrl>,
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) transport: Transport,
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
    /// How fast requests may follow each other, shared by all calls of a run.
    pub(crate) rate: Option<Arc<Bucket>>,
    pub(crate) observed: Mutex<Observed>,
}

/// What the host saw of a call's requests; it trusts this more than what the node says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Requests that began to leave.
    pub(crate) sent: u32,
    /// Of these, those that are not GET or HEAD.
    changing: u32,
    /// Requests that were answered to the end.
    pub(crate) answered: u32,
    /// Of those sent, the ones that are not GET or HEAD.
    pub(crate) changing_sent: u32,
    /// Of those answered to the end, the ones that are not GET or HEAD.
    pub(crate) changing_answered: u32,
    /// How long each request took that was sent to the service, in the order of their ends.
    pub(crate) took: Vec<Duration>,
    denial: Option<(String, Option<String>)>,
    limit: Option<String>,
    trouble: Option<String>,
}

/// A request that passed the first step.
struct Checked {
    method: Method,
    url: CanonicalUrl,
    headers: HeaderMap,
    body: Bytes,
    /// For the body; it ends with the exchange.
    _hold: Hold,
}

/// An answer, whole.
struct Whole {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// For the body, for as long as the node has any of it.
    hold: Hold,
}

/// What a request wanted, as far as it is known.
#[derive(Clone, Copy)]
struct Asked<'a> {
    method: Option<&'a Method>,
    url: Option<&'a CanonicalUrl>,
}

/// Why there is none: what the guest is told, and what the host says in its own words.
struct Trouble {
    error: HttpError,
    detail: String,
}

type Response = http::Response<WasiBody>;

impl Pipeline {
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What the host saw of this call's requests so far.
    pub(crate) fn observed(&self) -> Observed {
        self.notes().clone()
    }

    fn notes(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carry out one request; the module says in which order.
    async fn exchange(
        &self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response, HttpError> {
        let clock = Instant::now();
        let checked = self.check(request).await?;
        if let (Some(rate), Transport::Live { .. }) = (&self.rate, &self.transport) {
            rate.take().await;
        }
        let (method, url, sent) = (checked.method.clone(), checked.url.clone(), checked.body.len());
        let outcome = self.carry_out(checked, options).await;
        let (status, received) = match &outcome {
            Ok(answer) => (answer.status.as_u16(), answer.body.len()),
            Err(_) => (0, 0),
        };
        let base = self.base.as_ref().filter(|base| url.is_below(base));
        let seen = events::Request {
            method: &method,
            // An authenticating node knows the secret, so what it chose is not shown.
            origin: (self.scope == Scope::Operation || base.is_some()).then(|| url.origin()),
            path: if self.scope == Scope::Operation {
                self.label.path(base, &url)
            } else {
                "…"
            },
            status,
            outcome: outcome.as_ref().map_or_else(name::of, |_| "answered"),
            since: clock,
            sent,
            received,
        };
        events::request(&self.label, &seen);
        outcome.map(Whole::into_response)
    }

    async fn carry_out(&self, checked: Checked, options: Option<RequestOptions>) -> Result<Whole, HttpError> {
        let permit = self.permit(&checked)?;
        match &self.transport {
            Transport::Replay(player) => self.replay(player, &checked),
            Transport::DryRun(shown) => {
                shown
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(checked.planned());
                Err(HttpError::HttpRequestDenied)
            }
            Transport::Live { engine, recorder } => {
                let recorded = match recorder {
                    Some(recorder) => Some((recorder, self.recordable(&checked)?, Timestamp::now())),
                    None => None,
                };
                let clock = Instant::now();
                let outcome = self.live(engine, checked, permit, options).await;
                if let Some((recorder, request, started)) = recorded {
                    let outcome = match &outcome {
                        Ok(answer) => Outcome::Answer(answer.recorded()),
                        Err(error) => Outcome::Failed {
                            error: name::of(error).to_owned(),
                        },
                    };
                    let (role, item) = (self.role(), self.item);
                    recorder.push(Exchange {
                        role,
                        item,
                        request,
                        outcome,
                        started,
                        duration: clock.elapsed(),
                    });
                }
                outcome
            }
        }
    }

    /// Size and syntax.
    async fn check(&self, request: http::Request<WasiBody>) -> Result<Checked, HttpError> {
        let (parts, body) = request.into_parts();
        // The body is read in any case, since a node that writes to a stream that nobody reads sees it break, and not
        // why the request was refused.
        let body = self.whole_body(body).await;
        let url = CanonicalUrl::from_uri(&parts.uri).map_err(|error| {
            self.deny(
                Asked {
                    method: Some(&parts.method),
                    url: None,
                },
                "url",
                error.to_string(),
                error.hint(),
            )
        })?;
        let mut headers = parts.headers;
        let asked = Asked {
            method: Some(&parts.method),
            url: Some(&url),
        };
        let declared = headers
            .get(http::header::CONTENT_LENGTH)
            .map(|length| length.to_str().ok()?.parse().ok());
        if let (Some(declared), Ok((body, _))) = (declared, &body)
            && declared != Some(body.len())
        {
            let message = format!(
                "expected a `content-length` of {}, as the body has, found another",
                body.len()
            );
            return Err(self.deny(asked, "content-length", message, None));
        }
        // Set from the URL and the body by the HTTP client; how answers are encoded is the host's affair.
        for name in [
            http::header::HOST,
            http::header::CONTENT_LENGTH,
            http::header::ACCEPT_ENCODING,
        ] {
            headers.remove(name);
        }
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if headers.len() > self.limits.header_count {
            let limit = self.limits.header_count;
            self.limit(
                "header-count",
                format!("a request with more than {limit} headers (`header-count`)"),
            );
            return Err(HttpError::HttpRequestHeaderSectionSize(None));
        }
        if bytes > self.limits.header_bytes {
            let limit = self.limits.header_bytes;
            self.limit(
                "header-bytes",
                format!("a request with more than {limit} bytes of headers (`header-bytes`)"),
            );
            return Err(HttpError::HttpRequestHeaderSectionSize(None));
        }
        let (body, hold) = body?;
        Ok(Checked {
            method: parts.method,
            url,
            headers,
            body,
            _hold: hold,
        })
    }

    async fn whole_body(&self, mut body: WasiBody) -> Result<(Bytes, Hold), HttpError> {
        let limit = self.limits.request_body_bytes;
        let mut hold = Hold::new(&self.buffered);
        let mut fits = true;
        let mut first = Bytes::new();
        let mut more = Vec::new();
        let mut length = 0_usize;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            length = length.saturating_add(data.len());
            fits = fits && length <= limit && hold.add(data.len());
            if !fits {
                // Read to its end, so that the node sees why and not a broken stream; kept no longer.
                (first, more) = (Bytes::new(), Vec::new());
                hold.set(0);
                continue;
            }
            if first.is_empty() {
                first = data;
            } else {
                if more.is_empty() {
                    more.extend_from_slice(&first);
                }
                more.extend_from_slice(&data);
            }
        }
        if length > limit {
            self.limit(
                "request-body-bytes",
                format!("a request body of more than {limit} bytes (`request-body-bytes`)"),
            );
            return Err(HttpError::HttpRequestBodySize(u64::try_from(length).ok()));
        }
        if !fits {
            let limit = self.limits.buffered_bytes;
            self.limit(
                "buffered-bytes",
                format!("bodies of more than {limit} bytes at once (`buffered-bytes`)"),
            );
            return Err(HttpError::HttpRequestBodySize(None));
        }
        Ok((if more.is_empty() { first } else { more.into() }, hold))
    }

    /// The policy's word, and how far the connection may go.
    fn permit(&self, request: &Checked) -> Result<Permit, HttpError> {
        let Checked { method, url, .. } = request;
        let asked = Asked {
            method: Some(method),
            url: Some(url),
        };
        let below_base = self.base.as_ref().is_some_and(|base| url.is_below(base));
        let ruled = self.policy.decide(method, url);
        let permit = match (self.scope, below_base, ruled) {
            (Scope::Authentication, false, _) => {
                return Err(self.deny(asked, "authentication", String::new(), None));
            }
            (_, true, Ok(rule)) | (Scope::Operation, false, Ok(rule)) => rule.permit(),
            // The credential's base URL is allowed by giving the credential, subject to the address rules.
            (_, true, Err(_)) if !FORBIDDEN_METHODS.contains(method) => match url.host() {
                Host::Address(address) => Permit::Literal(*address),
                Host::Name(_) => Permit::PublicOnly,
            },
            (_, _, Err(denial)) => {
                return Err(self.deny(asked, denial.why.rule(), denial.to_string(), denial.hint()));
            }
        };
        if self.write && self.scope == Scope::Operation && !is_safe(method) {
            let most = self.policy.write_requests();
            let mut notes = self.notes();
            if notes.changing >= most {
                drop(notes);
                let message =
                    format!("a call of a `write` operation may send {most} request that is not a GET");
                let hint = format!("in the policy file:\nwrite-requests = {}", most + 1);
                return Err(self.deny(asked, "write-requests", message, Some(hint)));
            }
            notes.changing += 1;
        }
        Ok(permit)
    }

    fn recordable(&self, request: &Checked) -> Result<Request, HttpError> {
        let message = || "the URL cannot be recorded".to_owned();
        request
            .recorded()
            .ok_or_else(|| self.deny(request.asked(), "recording", message(), None))
    }

    fn replay(&self, player: &Player, request: &Checked) -> Result<Whole, HttpError> {
        let changing = u32::from(!is_safe(&request.method));
        self.sending(changing);
        match player.serve(self.role(), self.item, &self.recordable(request)?) {
            Ok(Outcome::Answer(answer)) => match answer.broken {
                None => {
                    self.answered(changing);
                    Ok(Whole::from_recorded(answer, Hold::new(&self.buffered)))
                }
                Some(error) => Err(name::parse(&error)),
            },
            Ok(Outcome::Failed { error }) => Err(name::parse(&error)),
            Err(miss) => Err(self.deny(
                request.asked(),
                "replay",
                miss.to_string(),
                Some(miss.hint().to_owned()),
            )),
        }
    }

    async fn live(
        &self,
        engine: &Engine,
        request: Checked,
        permit: Permit,
        options: Option<RequestOptions>,
    ) -> Result<Whole, HttpError> {
        let (method, asked_url) = (request.method.clone(), request.url.clone());
        let request = self.authorise(request)?;
        let freshness = if self.write {
            Freshness::Recent
        } else {
            Freshness::Any
        };
        let client = engine.clients().get(permit, freshness, &self.limits);
        let (changing, clock) = (u32::from(!is_safe(&request.method)), Instant::now());
        let outcome = send::send(self, &client, request, options).await;
        self.notes().took.push(clock.elapsed());
        let answer = outcome.map_err(|trouble| match trouble {
            send::Stopped::Denied(denial) => self.deny(
                Asked {
                    method: Some(&method),
                    url: Some(&asked_url),
                },
                "address",
                denial.to_string(),
                denial.hint(&asked_url),
            ),
            send::Stopped::Limit(key, Trouble { error, detail }) => {
                self.limit(key, detail);
                error
            }
            send::Stopped::Broken(Trouble { error, detail }) => {
                self.notes().trouble.get_or_insert(detail);
                error
            }
        })?;
        self.answered(changing);
        Ok(self.redacted(answer))
    }

    /// Add the session, below the credential's base URL and nowhere else.
    fn authorise(&self, mut request: Checked) -> Result<Checked, HttpError> {
        let (Some(session), Some(base)) = (&self.session, &self.base) else {
            return Ok(request);
        };
        if self.scope == Scope::Authentication || !request.url.is_below(base) {
            return Ok(request);
        }
        for name in session.header_names() {
            request.headers.remove(name);
        }
        for (name, value) in session.headers() {
            request.headers.append(name.clone(), value);
        }
        if !session.query().is_empty() {
            let mut url = request.url.to_string();
            let mut separator = if request.url.query().is_some() { '&' } else { '?' };
            for (name, value) in session.query() {
                url.push(separator);
                url.extend(percent_encoding::utf8_percent_encode(
                    name,
                    percent_encoding::NON_ALPHANUMERIC,
                ));
                url.push('=');
                url.extend(percent_encoding::utf8_percent_encode(
                    value.expose(),
                    percent_encoding::NON_ALPHANUMERIC,
                ));
                separator = '&';
            }
            // The error names the part that is wrong, which may be the secret.
            let message = || "the session's query cannot be added to the URL".to_owned();
            request.url = CanonicalUrl::parse(&url)
                .map_err(|_| self.deny(request.asked(), "session-query", message(), None))?;
        }
        Ok(request)
    }

    /// An authenticating instance knows the secrets anyway, and has to read its token.
    fn redacted(&self, mut answer: Whole) -> Whole {
        if let (Scope::Operation, Some(session)) = (self.scope, &self.session) {
            let redactor = session.redactor();
            answer.body = redactor.body(answer.body);
            redactor.headers(&mut answer.headers);
        }
        answer
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
    fn deny(&self, asked: Asked<'_>, rule: &'static str, message: String, hint: Option<String>) -> HttpError {
        let below_base = asked
            .url
            .is_some_and(|url| self.base.as_ref().is_some_and(|base| url.is_below(base)));
        let (asked, message, hint) = match self.scope {
            Scope::Authentication if self.is_live() && (!below_base || rule != "address") => {
                // This node knows the secret: where it wanted to go, in whatever words, may be the secret.
                let base = self.base.as_ref().map(ToString::to_string).unwrap_or_default();
                let message = format!(
                    "an authenticating node may send plain requests below `{base}`, and tried another"
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
        events::denied(&self.label, asked.method, origin.as_deref(), rule);
        self.notes().denial.get_or_insert((message, hint));
        HttpError::HttpRequestDenied
    }

    /// Whether the credential is a real one; a replay has a dummy.
    fn is_live(&self) -> bool {
        matches!(self.transport, Transport::Live { .. })
    }

    fn limit(&self, key: &'static str, message: String) {
        self.note_limit(key);
        self.notes().limit.get_or_insert(message);
    }

    /// A limit that is not the node's failure, or not by itself.
    pub(crate) fn note_limit(&self, key: &str) {
        events::limit(&self.label, key);
    }

    /// Note that a request begins to leave; `changing` is 1 for one that is not GET or HEAD.
    fn sending(&self, changing: u32) {
        let mut notes = self.notes();
        notes.sent += 1;
        notes.changing_sent += changing;
    }

    /// Note that it did not leave after all: there was no connection.
    fn not_sent(&self, changing: u32) {
        let mut notes = self.notes();
        notes.sent = notes.sent.saturating_sub(1);
        notes.changing_sent = notes.changing_sent.saturating_sub(changing);
    }

    /// Note that an answer was read to its end.
    fn answered(&self, changing: u32) {
        let mut notes = self.notes();
        notes.answered += 1;
        notes.changing_answered += changing;
    }

    /// Why a request of this call was denied, or which limit it reached, in the host's own words.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        let Observed { denial, limit, .. } = self.observed();
        let denied = denial.map(|(message, hint)| Failure::Denied { message, hint });
        denied.or_else(|| limit.map(Failure::Limit))
    }

    /// What the network said, where a request got no answer.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.notes().trouble.clone()
    }

    /// A node's failure in the host's own words, where the host knows more: which rule denied, which limit was reached,
    /// what the network said, and whether anything was sent at all.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        let observed = self.observed();
        match failure {
            Failure::Denied { message, hint } => match observed.denial {
                Some((message, hint)) => Failure::Denied { message, hint },
                None => Failure::Denied { message, hint },
            },
            Failure::Limit(message) => Failure::Limit(observed.limit.unwrap_or(message)),
            Failure::Unavailable {
                certainty,
                mut message,
                answer,
                retry_after_ms,
            } => {
                if let (Some(trouble), None) = (observed.trouble, &answer) {
                    message = format!("{message} ({trouble})");
                }
                let certainty = if observed.sent == 0 {
                    Certainty::NotDone
                } else {
                    certainty
                };
                Failure::Unavailable {
                    certainty,
                    message,
                    answer,
                    retry_after_ms,
                }
            }
            failure => failure,
        }
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

impl Checked {
    /// As a recording has it, or `None` for a URL that the recording's URL type does not take.
    fn recorded(&self) -> Option<Request> {
        Some(Request {
            method: self.method.clone(),
            url: url::Url::parse(&self.url.to_string()).ok()?,
            headers: header_list(&self.headers),
            body: self.body.clone(),
        })
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

impl Whole {
    fn recorded(&self) -> Answer {
        Answer {
            status: self.status,
            headers: header_list(&self.headers),
            body: self.body.clone(),
            broken: None,
        }
    }

    fn from_recorded(answer: Answer, hold: Hold) -> Self {
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
            body: answer.body,
            hold,
        }
    }

    fn into_response(self) -> Response {
        let body = self.hold.bind(self.body);
        let mut response =
            http::Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
