//! Sessions: what `authenticate` makes of a credential, kept outside the sandbox.
//!
//! `authenticate` runs in its own instance, which may reach the credential's base URL and nothing else. The instance is
//! dropped, the session is kept here, and the [pipeline](crate::gate::pipeline) adds its headers to requests below that
//! URL. A session belongs to a component, a tenant and a credential, secret included. Callers that need a session while
//! one is being made wait for it, and share its failure.
//!
//! The authenticating instance knows the secret, the executing one must not, and the two may collude. Nothing that the
//! first returns may therefore change what the second observes of the host: a session has
//! [fixed sizes](super::authenticator::checked), its [query](crate::gate::access::Query) can be added to every URL, and
//! a failure [says nothing](super::authenticator::bare) but its kind in the node's words.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::gate::access::Access;
use crate::gate::keyed_digest::{KeyedDigest, KeyedDigests};
use crate::runtime::bindings::{authentication, types};
use crate::runtime::clock_and_rng::ClockAndRng;
use nodule_core::credential::Credential;
use nodule_core::failure::Failure;
use nodule_core::secret::Secret;

/// The result of `authenticate`. Its `Debug` shows none of it.
pub(crate) struct Session {
    pub(super) generation: u64,
    pub(super) access: Arc<Access>,
    pub(super) renewal: Option<Secret>,
    pub(super) ends: Option<End>,
}

/// The session that a new one replaces.
#[derive(Clone, Copy)]
pub(crate) struct Previous<'a> {
    /// `None` if there was none.
    pub(super) session: Option<&'a Session>,
    /// Whether the service refused it; otherwise it has expired.
    pub(super) was_refused: bool,
}

/// Makes a session.
pub(crate) trait MakesSessions {
    /// Makes one with the given generation.
    fn make(
        &self,
        generation: u64,
        previous: Previous<'_>,
    ) -> impl Future<Output = Result<Session, Failure>> + Send;
}

/// When a session expires, by the clock of the call that it was made for, so that a replay makes sessions where its
/// recording did.
#[derive(Clone, Copy)]
pub(super) enum End {
    Real(Instant),
    /// In milliseconds since 1970.
    Virtual(u64),
}

impl End {
    pub(super) fn after(lasts: Duration, clock_and_rng: ClockAndRng) -> Self {
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
    /// The number of the renewal that made it. A refused session of an earlier generation causes no renewal.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The headers and query parameters that it adds to requests.
    pub(crate) fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Whether it has expired at the time of a call.
    pub(super) fn has_ended(&self, clock_and_rng: ClockAndRng) -> bool {
        match (self.ends, clock_and_rng) {
            (Some(End::Real(end)), _) => end <= Instant::now(),
            (Some(End::Virtual(end)), ClockAndRng::Virtual(moment)) => end <= moment.clock_ms,
            (Some(End::Virtual(_)), ClockAndRng::Real) | (None, _) => false,
        }
    }

    /// All its secrets.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.access.secrets().chain(&self.renewal)
    }

    /// As the node's `authenticate` returned it, for a renewal.
    pub(super) fn as_given(&self) -> authentication::Session {
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

/// The maximum number of sessions kept for later runs; sessions in use are kept in any case.
const KEPT: usize = 1024;

/// The sessions of an engine.
pub(crate) struct Sessions {
    digests: KeyedDigests,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    /// Slots that runners with the same component, tenant and credential share.
    shared: HashMap<KeyedDigest, Kept>,
    /// Slots of single runners; each lives as long as its runner.
    own: Vec<(KeyedDigest, Weak<SessionSlot>)>,
}

/// A slot, and the digest of its tenant.
struct Kept {
    tenant: KeyedDigest,
    slot: Arc<SessionSlot>,
}

/// A slot for one session.
#[derive(Default)]
pub(crate) struct SessionSlot {
    /// Locked while a session is being made. Contains the failure of the last attempt, if it failed.
    pub(super) flight: tokio::sync::Mutex<Option<Failure>>,
    /// The number of the last finished attempt, readable while another one is in progress.
    pub(super) landed: AtomicU64,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    session: Option<Arc<Session>>,
    /// How often the slot was told to forget its session: a session that was being made meanwhile is not kept.
    forgotten: u64,
}

impl Sessions {
    /// # Errors
    ///
    /// The system provides no randomness.
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            digests: KeyedDigests::new()?,
            slots: Mutex::default(),
        })
    }

    /// The slot for this component, tenant and credential.
    pub(crate) fn shared(&self, digest: &str, tenant: &str, credential: &Credential) -> Arc<SessionSlot> {
        // Two of a node's credentials may have the same fields.
        let (name, fields) = (credential.name(), credential.json().expose());
        self.slot(tenant, &[digest, tenant, name, fields])
    }

    /// A slot for one runner only.
    pub(crate) fn own(&self, tenant: &str) -> Arc<SessionSlot> {
        let (tenant, slot) = (self.digests.of([tenant]), Arc::default());
        let mut slots = self.slots();
        if slots.own.len() == slots.own.capacity() {
            slots.own.retain(|(_, slot)| slot.strong_count() > 0);
        }
        slots.own.push((tenant, Arc::downgrade(&slot)));
        slot
    }

    /// Forgets all sessions of a tenant, shared or not.
    pub(crate) fn forget(&self, tenant: &str) {
        let tenant = self.digests.of([tenant]);
        let mut slots = self.slots();
        slots.shared.retain(|_, kept| {
            if kept.tenant != tenant {
                return true;
            }
            kept.slot.forget();
            kept.is_used()
        });
        for (_, slot) in slots.own.iter().filter(|(owner, _)| *owner == tenant) {
            if let Some(slot) = slot.upgrade() {
                slot.forget();
            }
        }
    }

    fn slot(&self, tenant: &str, parts: &[&str]) -> Arc<SessionSlot> {
        let (tenant, key) = (self.digests.of([tenant]), self.digests.of(parts.iter().copied()));
        let mut slots = self.slots();
        if slots.shared.len() >= KEPT && !slots.shared.contains_key(&key) {
            // Without a runner, a session is only a credential at rest.
            slots.shared.retain(|_, kept| kept.is_used());
        }
        let kept = slots.shared.entry(key).or_insert_with(|| Kept {
            tenant,
            slot: Arc::default(),
        });
        Arc::clone(&kept.slot)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Whether a runner uses it.
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.slot) > 1
    }
}

impl SessionSlot {
    /// Forgets the session, and one that is being made.
    pub(crate) fn forget(&self) {
        let mut current = self.current();
        current.forgotten += 1;
        current.session = None;
    }

    /// Takes the session out. It is gone unless it is put back.
    pub(super) fn take(&self) -> (Option<Arc<Session>>, u64) {
        let mut current = self.current();
        (current.session.take(), current.forgotten)
    }

    /// Keeps a session, unless the slot was told to forget meanwhile.
    pub(super) fn keep(&self, session: &Arc<Session>, forgotten: u64) -> bool {
        let mut current = self.current();
        let is_kept = current.forgotten == forgotten;
        if is_kept {
            current.session = Some(Arc::clone(session));
        }
        is_kept
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::access::Query;

    fn session(generation: u64) -> Arc<Session> {
        let access = Access::new(Vec::new(), Query::new(Vec::new()), std::iter::empty());
        Arc::new(Session {
            generation,
            access: Arc::new(access),
            renewal: None,
            ends: None,
        })
    }

    #[test]
    fn a_slot_belongs_to_a_component_a_tenant_and_a_credential() {
        let sessions = Sessions::new().unwrap();
        let slot = |parts: &[&str]| sessions.slot(parts[1], parts);
        let mine = slot(&["sha256:1", "tenant", "{}"]);
        assert!(Arc::ptr_eq(&mine, &slot(&["sha256:1", "tenant", "{}"])));
        for other in [
            ["sha256:2", "tenant", "{}"],
            ["sha256:1", "tenan", "t{}"],
            ["sha256:1", "tenant", "{ }"],
        ] {
            assert!(!Arc::ptr_eq(&mine, &slot(&other)), "{other:?}");
        }
    }

    #[test]
    fn sessions_that_nobody_uses_do_not_pile_up() {
        let sessions = Sessions::new().unwrap();
        let used = sessions.slot("", &["used"]);
        for index in 0..3 * KEPT {
            sessions.slot("", &[&index.to_string()]);
            drop(sessions.own(""));
        }
        assert!(sessions.slots().shared.len() <= KEPT);
        assert!(sessions.slots().own.len() <= KEPT);
        assert!(Arc::ptr_eq(&used, &sessions.slot("", &["used"])));
    }

    #[test]
    fn the_sessions_of_one_tenant_are_forgotten_and_those_of_others_are_kept() {
        let sessions = Sessions::new().unwrap();
        let mine = [sessions.slot("one", &["a"]), sessions.own("one")];
        let others = [sessions.slot("two", &["b"]), sessions.own("two")];
        for slot in mine.iter().chain(&others) {
            assert!(slot.keep(&session(1), 0));
        }
        drop(sessions.slot("one", &["nobody's"]));
        sessions.forget("one");
        assert!(mine.iter().all(|slot| slot.take().0.is_none()));
        assert!(others.iter().all(|slot| slot.take().0.is_some()));
        // Slots that runners use stay shared; the unused one is gone.
        assert!(Arc::ptr_eq(&mine[0], &sessions.slot("one", &["a"])));
        assert_eq!(sessions.slots().shared.len(), 2);
    }

    #[test]
    fn a_session_that_is_forgotten_while_it_is_made_or_handed_out_is_not_kept() {
        let slot = SessionSlot::default();
        let (_, forgotten) = slot.take();
        slot.forget();
        assert!(!slot.keep(&session(1), forgotten));
        let (none, forgotten) = slot.take();
        assert!(none.is_none());
        assert!(slot.keep(&session(2), forgotten));
        assert_eq!(slot.take().0.unwrap().generation(), 2);
    }
}
