//! Sessions: what a credential becomes, kept outside the sandbox.
//!
//! `authenticate` runs in an instance of its own that may reach the credential's base URL and nothing else; the instance
//! is dropped, the session is kept here, and the [pipeline](crate::gate::pipeline) adds its headers to requests below that
//! URL. A session belongs to a component, a tenant and a credential, secret included. Whoever needs one while it is
//! being made waits for that one flight, and shares its failure too.
//!
//! The authenticating instance knows the secret, the executing one must not, and both may be of one mind. So nothing that
//! the first says may decide what the second sees of the host: a session has [fixed sizes](checked), its
//! [query](query) can be added to every URL, and a failure [says nothing](bare) but its kind in the node's words.

mod bare;
mod checked;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::Error;
use crate::events;
use crate::gate::access::Access;
use crate::gate::pipeline::Pipeline;
use crate::runtime::bindings::{authentication, types};
use crate::runtime::component::Component;
use crate::runtime::instance::{Account, ClockAndRng, InstanceStore, Stop};
use nodule_core::credential::Credential;
use nodule_core::failure::Failure;
use nodule_core::secret::Secret;

/// What `authenticate` gave. Its `Debug` shows nothing of it.
pub(crate) struct Session {
    generation: u64,
    access: Arc<Access>,
    renewal: Option<Secret>,
    ends: Option<End>,
}

/// When a session ends, by the clock of the call that it was made for: so that a replay makes sessions where its recording did.
#[derive(Clone, Copy)]
enum End {
    Real(Instant),
    /// In milliseconds since 1970.
    Virtual(u64),
}

impl End {
    fn after(lasts: Duration, clock_and_rng: ClockAndRng) -> Self {
        match clock_and_rng {
            ClockAndRng::Real => Self::Real(Instant::now() + lasts),
            ClockAndRng::Virtual(moment) => {
                let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
                Self::Virtual(moment.clock_ms.saturating_add(lasts))
            }
        }
    }
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

    /// What it adds to requests.
    pub(crate) fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Whether it has ended at the time of a call.
    fn has_ended(&self, clock_and_rng: ClockAndRng) -> bool {
        match (self.ends, clock_and_rng) {
            (Some(End::Real(end)), _) => end <= Instant::now(),
            (Some(End::Virtual(end)), ClockAndRng::Virtual(moment)) => end <= moment.clock_ms,
            (Some(End::Virtual(_)), ClockAndRng::Real) | (None, _) => false,
        }
    }

    /// Everything in it that must not be seen.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.access.secrets().chain(&self.renewal)
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
                    .access
                    .header_fields()
                    .iter()
                    .map(|(name, value)| field(name.as_str(), value))
                    .collect(),
                query: self
                    .access
                    .query()
                    .fields()
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
    cells: Mutex<HashMap<Key, Arc<SessionSlot>>>,
}

/// The place of one session.
#[derive(Default)]
pub(crate) struct SessionSlot {
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
    pub(crate) fn cell(
        &self,
        component: &Component,
        tenant: &str,
        credential: &Credential,
    ) -> Arc<SessionSlot> {
        self.place(&[component.digest(), tenant, credential.json().expose()])
    }

    fn place(&self, parts: &[&str]) -> Arc<SessionSlot> {
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

impl SessionSlot {
    /// A session that is not the refused one, nor one that has ended. Whoever comes while one is made waits for it.
    pub(crate) async fn get<'a>(
        &self,
        refused: Option<u64>,
        clock_and_rng: ClockAndRng,
        maker: impl FnOnce() -> Authenticator<'a>,
    ) -> Result<Arc<Session>, Failure> {
        use std::sync::atomic::Ordering::{AcqRel, Acquire};
        let seen = self.landed.load(Acquire);
        let mut flight = self.flight.lock().await;
        let last = flight.session.take();
        let was_refused = refused.is_some() && last.as_ref().map(|session| session.generation) == refused;
        if let Some(session) = &last
            && !was_refused
            && !session.has_ended(clock_and_rng)
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
pub(crate) struct Authenticator<'a> {
    pub(crate) component: &'a Component,
    pub(crate) credential: &'a Credential,
    /// What all calls of the runner have computed.
    pub(crate) account: &'a Arc<Account>,
    pub(crate) clock_and_rng: ClockAndRng,
    /// Reaches the credential's base URL and nothing else.
    pub(crate) pipeline: Arc<Pipeline>,
}

impl Authenticator<'_> {
    async fn make(&self, generation: u64, renew: Option<&Session>) -> Result<Session, Failure> {
        let clock = Instant::now();
        let mut renew = renew.map(Session::as_given);
        let mut guard = InstanceStore::new(
            self.component.engine(),
            self.account,
            Arc::clone(&self.pipeline),
            self.clock_and_rng,
        );
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
            Ok(Err(failure)) => Err(self.bare(&failure)),
            Err(Stop::Limit(limit)) => Err(Failure::Limit(format!("authenticate: {limit}"))),
            // Of what trapped it a number may be the node's, such as that of a handle that is none.
            Err(Stop::Trap(_)) => Err(Failure::Other {
                kind: "trap".into(),
                message: "authenticate: the node stopped".into(),
                detail: None,
            }),
        };
        if let Ok(session) = &session {
            self.pipeline.remember_secrets(session.secrets());
        }
        let outcome = match &session {
            Ok(_) => "done",
            Err(Failure::Other { .. }) => "other",
            Err(failure) => failure.kind(),
        };
        events::authentication(&self.pipeline.label, renewal, outcome, clock);
        session
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
