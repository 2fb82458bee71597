//! Makes sessions, each in an instance of its own.

mod bare;
mod checked;

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
use crate::runtime::session::{Session, SessionSlot};
use crate::runtime::share::Account;
use nodule_core::credential::Credential;
use nodule_core::failure::Failure;

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

impl SessionSlot {
    /// A session that is not the refused one, nor one that has ended. Whoever comes while one is made waits for it.
    pub(crate) async fn get<'a>(
        &self,
        refused: Option<u64>,
        clock_and_rng: ClockAndRng,
        maker: impl Fn() -> Authenticator<'a>,
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
                // That flight was under way when this caller came: its failure is this caller's too.
                return Err(failure.clone());
            }
            // After a refusal a new session is asked for, not a renewal of what was refused.
            let renew = last.filter(|session| !was_refused && session.renewal.is_some());
            let outcome = maker().make(landed + 1, renew.as_deref()).await;
            self.landed.fetch_add(1, AcqRel);
            match outcome {
                Ok(session) => {
                    *failed = None;
                    let session = Arc::new(session);
                    if self.keep(&session, forgotten) {
                        return Ok(session);
                    }
                    // It was forgotten while it was made: another takes its place.
                }
                Err(failure) => {
                    *failed = Some(failure.clone());
                    return Err(failure);
                }
            }
        }
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
