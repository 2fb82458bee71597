//! Makes sessions, each in an instance of its own.

mod bare;
mod checked;
mod fixed;

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Instant;

use zeroize::{Zeroize as _, Zeroizing};

use crate::events;
use crate::gate::pipeline::Pipeline;
use crate::runtime::bindings::{authentication, types};
use crate::runtime::clock_and_rng::ClockAndRng;
use crate::runtime::component::Component;
use crate::runtime::instance::{InstanceStore, Stop};
use crate::runtime::session::{MakesSessions, Previous, Session, SessionSlot};
use crate::runtime::share::Account;
use nodule_core::credential::Credential;
use nodule_core::failure::Failure;

pub(crate) use bare::bare_problem;
pub(crate) use fixed::{fixed_session, signed_session};

/// Everything that is needed to make a session.
pub(crate) struct Authenticator<'a> {
    pub(crate) component: &'a Component,
    pub(crate) credential: &'a Credential,
    /// The CPU time of all calls of the runner.
    pub(crate) account: &'a Arc<Account>,
    pub(crate) clock_and_rng: ClockAndRng,
    /// Reaches the credential's base URL and nothing else.
    pub(crate) pipeline: Arc<Pipeline>,
}

impl MakesSessions for Authenticator<'_> {
    async fn make(&self, generation: u64, previous: Previous<'_>) -> Result<Session, Failure> {
        let clock = Instant::now();
        // After a refusal the node authenticates anew instead of renewing the refused session.
        let renew = previous.session.filter(|_| !previous.was_refused);
        let renew = renew.filter(|session| session.renewal.is_some());
        let mut renew = renew.map(Session::as_given);
        let mut guard = InstanceStore::new(
            self.component.engine(),
            self.account,
            Arc::clone(&self.pipeline),
            self.clock_and_rng,
        );
        // The bindings need a `String`. This copy is zeroized; the copies that the bindings make are out of reach.
        let (name, fields) = (
            self.credential.name().to_owned(),
            Zeroizing::new(self.credential.json().expose().to_owned()),
        );
        let credential = authentication::BoundCredential {
            name: &name,
            fields: &fields,
        };
        let answer = guard
            .authenticate(self.component.pre(), credential, renew.as_ref())
            .await;
        // The instance knows the secret, so it is dropped before anything else happens.
        drop(guard);
        let renewal = renew.is_some();
        renew.iter_mut().for_each(wipe);
        let session = match answer {
            Ok(Ok(session)) => self.checked(generation, session),
            Ok(Err(failure)) => Err(self.bare(&failure)),
            Err(Stop::Limit(limit)) => Err(Failure::Limit(format!("authenticate: {limit}"))),
            // A trap's message may contain a number that the node chose, such as an invalid handle.
            Err(Stop::Trap(_) | Stop::Cut(_)) => Err(Failure::Other {
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

impl SessionSlot {
    /// Returns a session that was neither refused nor has expired, and makes one if necessary. Callers that arrive
    /// meanwhile wait for it.
    pub(crate) async fn get<M: MakesSessions>(
        &self,
        refused: Option<u64>,
        clock_and_rng: ClockAndRng,
        maker: impl Fn() -> M,
    ) -> Result<Arc<Session>, Failure> {
        let seen = self.landed.load(Acquire);
        let mut failed = self.flight.lock().await;
        loop {
            let (last, forgotten) = self.take();
            let was_refused = refused.is_some() && last.as_ref().map(|session| session.generation) == refused;
            if let Some(session) = &last
                && !was_refused
                && !session.has_ended(clock_and_rng)
                && self.keep(session, forgotten)
            {
                return Ok(Arc::clone(session));
            }
            let landed = self.landed.load(Acquire);
            if landed != seen
                && let Some(failure) = &*failed
            {
                // That attempt was in progress when this caller arrived, so its failure is this caller's too.
                return Err(failure.clone());
            }
            let previous = Previous {
                session: last.as_deref(),
                was_refused,
            };
            let outcome = maker().make(landed + 1, previous).await;
            self.landed.fetch_add(1, AcqRel);
            match outcome {
                Ok(session) => {
                    *failed = None;
                    let session = Arc::new(session);
                    if self.keep(&session, forgotten) {
                        return Ok(session);
                    }
                    // The session was forgotten while it was being made, so another one is made.
                }
                Err(failure) => {
                    *failed = Some(failure.clone());
                    return Err(failure);
                }
            }
        }
    }
}

/// Zeroizes the copies that were made for the bindings.
fn wipe(session: &mut authentication::Session) {
    let types::Access { headers, query } = &mut session.access;
    headers
        .iter_mut()
        .chain(query)
        .for_each(|field| field.value.zeroize());
    session.renewal.zeroize();
}
