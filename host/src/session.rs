//! Sessions: what a credential becomes, kept outside the sandbox.
//!
//! `authenticate` runs in an instance of its own that may reach the credential's base URL and nothing else; the instance
//! is dropped, the session is kept here, and the [pipeline](crate::pipeline) adds its headers to requests below that
//! URL. A session belongs to a component, a tenant and a credential, secret included. Whoever needs one while it is
//! being made waits for that one flight, and shares its failure too.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use ring::hmac;
use zeroize::{Zeroize as _, Zeroizing};

use crate::bindings::{authentication, types};
use crate::component::Component;
use crate::credential::Credential;
use crate::error::Error;
use crate::events;
use crate::failure::{Answer, Failure, ParameterProblem};
use crate::instance::{Environs, Guard, Stop};
use crate::pipeline::Pipeline;
use crate::pipeline::header::is_forbidden_in_session;
use crate::redact::Redactor;
use crate::secret::Secret;

/// A session that claims to last longer is asked for again after this: a day is what a token's owner may take to
/// notice that it should be revoked.
const LONGEST: Duration = Duration::from_hours(24);
/// A session that claims to end at once would be renewed for every request; this is one renewal a second at the most.
const SHORTEST: Duration = Duration::from_secs(1);
/// More headers or query parameters than any scheme of authentication sets.
const FIELDS: usize = 16;
/// A header line that most servers still take.
const FIELD_BYTES: usize = 8 * 1024;
/// A renewal is a token or a small document.
const RENEWAL_BYTES: usize = 64 * 1024;

/// What makes a request an authorised one. Its `Debug` shows nothing of it.
pub(crate) struct Session {
    generation: u64,
    headers: Vec<(HeaderName, Secret)>,
    query: Vec<(String, Secret)>,
    renewal: Option<Secret>,
    ends: Option<Instant>,
    redactor: Redactor,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Which renewal made it; a refusal of an older one renews nothing.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The headers, as they are set on a request; marked sensitive, so that nothing prints them.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&HeaderName, HeaderValue)> {
        self.headers.iter().filter_map(|(name, value)| {
            let mut value = HeaderValue::from_str(value.expose()).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        })
    }

    /// The names of the headers that it sets.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|(name, _)| name)
    }

    /// The query parameters that it adds.
    pub(crate) fn query(&self) -> &[(String, Secret)] {
        &self.query
    }

    /// Finds the session's and the credential's secrets in what comes back.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn has_ended(&self) -> bool {
        self.ends.is_some_and(|ends| ends <= Instant::now())
    }

    /// Everything in it that must not be seen.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let fields = self
            .headers
            .iter()
            .map(|(_, value)| value)
            .chain(self.query.iter().map(|(_, value)| value));
        fields.chain(&self.renewal)
    }

    /// As the node's own `authenticate` gave it, for its renewal.
    fn as_given(&self) -> authentication::Session {
        let field = |name: &str, value: &Secret| types::Field {
            name: name.to_owned(),
            value: value.expose().to_owned(),
        };
        authentication::Session {
            access: types::Access {
                headers: self
                    .headers
                    .iter()
                    .map(|(name, value)| field(name.as_str(), value))
                    .collect(),
                query: self
                    .query
                    .iter()
                    .map(|(name, value)| field(name, value))
                    .collect(),
            },
            expires_in_s: None,
            renewal: self.renewal.as_ref().map(|renewal| renewal.expose().to_owned()),
        }
    }
}

/// Whose session it is: a keyed digest of component, tenant and credential, so that what is kept of them says nothing.
type Key = [u8; 32];

/// More sessions than this are not kept for later runs; those that a run uses are kept in any case.
const KEPT: usize = 1024;

/// The sessions of an engine.
pub(crate) struct Sessions {
    /// Of this engine alone.
    key: hmac::Key,
    cells: Mutex<HashMap<Key, Arc<Cell>>>,
}

/// The place of one session.
#[derive(Default)]
pub(crate) struct Cell {
    flight: tokio::sync::Mutex<Flight>,
    /// The number of the newest flight that ended, readable while one is under way.
    landed: std::sync::atomic::AtomicU64,
}

#[derive(Default)]
struct Flight {
    session: Option<Arc<Session>>,
    failure: Option<Failure>,
}

impl Sessions {
    /// # Errors
    ///
    /// The machine has no randomness.
    pub(crate) fn new() -> Result<Self, Error> {
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).map_err(|_| Error::Engine {
            message: "the system has no random numbers".to_owned(),
        })?;
        Ok(Self {
            key,
            cells: Mutex::default(),
        })
    }

    /// The place where this component's session for this credential is kept.
    pub(crate) fn cell(&self, component: &Component, tenant: &str, credential: &Credential) -> Arc<Cell> {
        self.place(&[component.digest(), tenant, credential.json().expose()])
    }

    fn place(&self, parts: &[&str]) -> Arc<Cell> {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            // Without the lengths, two different lists of parts could be one text.
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut key = Key::default();
        key.copy_from_slice(context.sign().as_ref());
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.len() >= KEPT && !cells.contains_key(&key) {
            // A session that no runner uses is only a credential at rest.
            cells.retain(|_, cell| Arc::strong_count(cell) > 1);
        }
        Arc::clone(cells.entry(key).or_default())
    }
}

impl Cell {
    /// A session that is not the refused one, nor one that has ended. Whoever comes while one is made waits for it.
    pub(crate) async fn get<'a>(
        &self,
        refused: Option<u64>,
        maker: impl FnOnce() -> Maker<'a>,
    ) -> Result<Arc<Session>, Failure> {
        use std::sync::atomic::Ordering::{AcqRel, Acquire};
        let seen = self.landed.load(Acquire);
        let mut flight = self.flight.lock().await;
        let last = flight.session.take();
        let was_refused = refused.is_some() && last.as_ref().map(|session| session.generation) == refused;
        if let Some(session) = &last
            && !was_refused
            && !session.has_ended()
        {
            flight.session.clone_from(&last);
            return Ok(Arc::clone(session));
        }
        let landed = self.landed.load(Acquire);
        if landed != seen
            && let Some(failure) = &flight.failure
        {
            // That flight was under way when this caller came: its failure is this caller's too.
            return Err(failure.clone());
        }
        // After a refusal a new session is asked for, not a renewal of what was refused.
        let renew = last.filter(|session| !was_refused && session.renewal.is_some());
        let outcome = maker().make(landed + 1, renew.as_deref()).await;
        self.landed.fetch_add(1, AcqRel);
        match outcome {
            Ok(session) => {
                let session = Arc::new(session);
                *flight = Flight {
                    session: Some(Arc::clone(&session)),
                    failure: None,
                };
                Ok(session)
            }
            Err(failure) => {
                *flight = Flight {
                    session: None,
                    failure: Some(failure.clone()),
                };
                Err(failure)
            }
        }
    }
}

/// Everything that making a session takes.
pub(crate) struct Maker<'a> {
    pub(crate) component: &'a Component,
    pub(crate) credential: &'a Credential,
    pub(crate) environs: Environs,
    /// Reaches the credential's base URL and nothing else.
    pub(crate) pipeline: Arc<Pipeline>,
}

impl Maker<'_> {
    async fn make(&self, generation: u64, renew: Option<&Session>) -> Result<Session, Failure> {
        let clock = Instant::now();
        let mut renew = renew.map(Session::as_given);
        let mut guard = Guard::new(self.component.engine(), Arc::clone(&self.pipeline), self.environs);
        // The bindings want a `String`; this copy is wiped, those that they make of it are not ours to wipe.
        let credential = Zeroizing::new(self.credential.json().expose().to_owned());
        let answer = guard
            .authenticate(self.component.pre(), &credential, renew.as_ref())
            .await;
        // The instance held the secret: it goes before anything else happens.
        drop(guard);
        let renewal = renew.is_some();
        renew.iter_mut().for_each(wipe);
        let session = match answer {
            Ok(Ok(session)) => self.checked(generation, session),
            Ok(Err(failure)) => Err(self.bare(failure.into())),
            Err(Stop::Limit(limit)) => Err(Failure::Limit(format!("authenticate: {limit}"))),
            Err(stop @ Stop::Trap(_)) => Err(Failure::Other {
                kind: "trap".into(),
                message: format!("authenticate: {stop}"),
                detail: None,
            }),
        };
        if let Ok(session) = &session {
            self.pipeline.remember_secrets(session.secrets());
        }
        // A kind of the node's own making is its word, and the node knows the secret.
        let outcome = match &session {
            Ok(_) => "done",
            Err(Failure::Other { .. }) => "other",
            Err(failure) => failure.kind(),
        };
        events::authentication(&self.pipeline.label, renewal, outcome, clock);
        session
    }

    /// A session comes out of the sandbox: its headers are checked like those of any request.
    fn checked(&self, generation: u64, session: authentication::Session) -> Result<Session, Failure> {
        let refuse = |what: String| Failure::Other {
            kind: "bad-session".into(),
            message: what,
            detail: None,
        };
        let authentication::Session {
            access,
            expires_in_s,
            renewal,
        } = session;
        if access.headers.len() + access.query.len() > FIELDS {
            return Err(refuse(format!(
                "the node's session has more than {FIELDS} fields"
            )));
        }
        let mut headers = Vec::new();
        for field in access.headers {
            let value = Secret::new(field.value);
            let name = HeaderName::from_bytes(field.name.as_bytes())
                .ok()
                .filter(|name| !is_forbidden_in_session(name))
                .ok_or_else(|| refuse("the node's session sets a header that may not be set".to_owned()))?;
            if value.expose().len() > FIELD_BYTES || HeaderValue::from_str(value.expose()).is_err() {
                return Err(refuse(format!(
                    "the node's session sets `{name}` to a value that is no header value"
                )));
            }
            headers.push((name, value));
        }
        let mut query = Vec::new();
        for field in access.query {
            let value = Secret::new(field.value);
            if field.name.is_empty() || field.name.len() + value.expose().len() > FIELD_BYTES {
                return Err(refuse(
                    "the node's session sets a query parameter that may not be set".to_owned(),
                ));
            }
            query.push((field.name, value));
        }
        let renewal = renewal.map(Secret::new);
        if renewal
            .as_ref()
            .is_some_and(|renewal| renewal.expose().len() > RENEWAL_BYTES)
        {
            return Err(refuse(format!(
                "the node's session has a renewal of more than {RENEWAL_BYTES} bytes"
            )));
        }
        let ends = expires_in_s
            .map(|seconds| Instant::now() + Duration::from_secs(seconds.into()).clamp(SHORTEST, LONGEST));
        let mut session = Session {
            generation,
            headers,
            query,
            renewal,
            ends,
            redactor: Redactor::default(),
        };
        let known: Vec<Secret> = session
            .secrets()
            .chain(self.credential.secrets())
            .cloned()
            .collect();
        session.redactor = Redactor::new(&known);
        Ok(session)
    }
}

impl Maker<'_> {
    /// Of a failed `authenticate` only kind, status and code go on: the node was shown the secret, so its words may hold
    /// it. What the host itself saw, it says itself.
    fn bare(&self, failure: Failure) -> Failure {
        const NO: &str = "the service did not accept the credential";
        if let (Failure::Denied { .. } | Failure::Limit(_), Some(refusal)) =
            (&failure, self.pipeline.refusal())
        {
            return refusal;
        }
        let cleaned = |answer: &Answer, message: &str| Answer {
            status: answer.status,
            code: answer
                .code
                .as_deref()
                .filter(|code| self.is_code(code))
                .map(ToOwned::to_owned),
            message: message.to_owned(),
            request_id: None,
        };
        match failure {
            Failure::Unauthenticated(answer) | Failure::Rejected(answer) => {
                Failure::Unauthenticated(cleaned(&answer, NO))
            }
            Failure::Throttled {
                answer,
                retry_after_ms,
            } => Failure::Throttled {
                answer: cleaned(&answer, "the service asks to wait before authenticating again"),
                retry_after_ms,
            },
            Failure::Unavailable {
                answer,
                retry_after_ms,
                ..
            } => Failure::Unavailable {
                // What the item asks for has not been sent yet.
                certainty: crate::failure::Certainty::NotDone,
                message: match (&answer, self.pipeline.trouble()) {
                    (Some(answer), _) => {
                        format!("authentication failed: the service answered {}", answer.status)
                    }
                    (None, Some(trouble)) => format!("authentication failed: {trouble}"),
                    (None, None) => "authentication failed: the service could not be reached".to_owned(),
                },
                answer: answer.map(|answer| cleaned(&answer, "")),
                retry_after_ms,
            },
            Failure::Unintelligible(answer) => Failure::Unintelligible(cleaned(
                &answer,
                "the service's answer to the authentication could not be understood",
            )),
            Failure::InvalidParameters(problems) => Failure::InvalidParameters(
                problems
                    .iter()
                    .map(|problem| self.bare_problem(problem))
                    .collect(),
            ),
            failure => {
                let kind = Some(failure.kind())
                    .filter(|kind| self.is_code(kind))
                    .unwrap_or("other");
                Failure::Other {
                    kind: "authentication".into(),
                    message: format!("authentication failed (`{kind}`)"),
                    detail: None,
                }
            }
        }
    }

    /// Which field it is, in the description's words.
    fn bare_problem(&self, problem: &ParameterProblem) -> ParameterProblem {
        let node = self.component.node();
        let fields = node
            .credential
            .iter()
            .flat_map(|described| node.parameters_by_id(&described.fields));
        let named = problem.pointer.strip_prefix('/').unwrap_or(&problem.pointer);
        let field = fields.into_iter().find(|field| field.name == named);
        ParameterProblem {
            pointer: field.map(|field| format!("/{}", field.name)).unwrap_or_default(),
            label: field.map(|field| field.display_name.clone()).unwrap_or_default(),
            message: "the credential's field cannot be used".to_owned(),
        }
    }

    /// Codes are short and plain; a secret in a code's place, or a piece of one, is not passed on.
    fn is_code(&self, text: &str) -> bool {
        const LONGEST_CODE: usize = 15;
        const SHORTEST_PIECE: usize = 4;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let mut secrets = self.credential.secrets().iter().map(Secret::expose);
        text.len() <= LONGEST_CODE
            && text.bytes().all(is_plain)
            && !secrets
                .any(|secret| text.contains(secret) || text.len() >= SHORTEST_PIECE && secret.contains(text))
    }
}

/// The bindings want their own copies; these are ours to wipe.
fn wipe(session: &mut authentication::Session) {
    let types::Access { headers, query } = &mut session.access;
    headers
        .iter_mut()
        .chain(query)
        .for_each(|field| field.value.zeroize());
    session.renewal.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_belongs_to_a_component_a_tenant_and_a_credential() {
        let sessions = Sessions::new().unwrap();
        let place = |parts: &[&str]| sessions.place(parts);
        let mine = place(&["sha256:1", "tenant", "{}"]);
        assert!(Arc::ptr_eq(&mine, &place(&["sha256:1", "tenant", "{}"])));
        for other in [
            ["sha256:2", "tenant", "{}"],
            ["sha256:1", "tenan", "t{}"],
            ["sha256:1", "tenant", "{ }"],
        ] {
            assert!(!Arc::ptr_eq(&mine, &place(&other)), "{other:?}");
        }
    }

    #[test]
    fn sessions_that_nobody_uses_do_not_pile_up() {
        let sessions = Sessions::new().unwrap();
        let used = sessions.place(&["used"]);
        for index in 0..3 * KEPT {
            sessions.place(&[&index.to_string()]);
        }
        assert!(sessions.cells.lock().unwrap().len() <= KEPT);
        assert!(Arc::ptr_eq(&used, &sessions.place(&["used"])));
    }
}
