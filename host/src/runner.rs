//! A component bound to what it may use: policy, credential, limits, and where its requests go.

mod builder;
mod operation;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::canonical::Base;
use crate::client::Owner;
use crate::component::Component;
use crate::credential::Credential;
use crate::error::Error;
use crate::events::Label;
use crate::failure::Failure;
use crate::guards::Guards;
use crate::instance::{Account, Environs, Moment};
use crate::limits::Limits;
use crate::pipeline::{Buffered, Observed, Pipeline, Planned, Scope, Transport};
use crate::policy::Policy;
use crate::recording::{self, Call, Item, ItemResult as RecordedResult, Player, Recorder, Recording, Unused};
use crate::redact::Redactor;
use crate::run::ItemResult;
use crate::secret::Secret;
use crate::session::{Cell, Maker, Session};

pub use builder::RunnerBuilder;
pub(crate) use operation::BoundOperation;
pub use operation::declared;

/// A component bound to what it may use. Cheap to clone; made by [`Component::runner`].
#[derive(Clone)]
pub struct Runner {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) component: Component,
    policy: Arc<Policy>,
    limits: Arc<Limits>,
    guards: Arc<Guards>,
    credential: Option<Credential>,
    base: Option<Arc<Base>>,
    session: Option<Arc<Cell>>,
    /// Whose connections the requests use.
    owner: Owner,
    slots: Arc<Semaphore>,
    account: Arc<Account>,
    target: Target,
    /// For the events of an authentication.
    label: Arc<Label>,
}

/// Where requests go, and what is kept of a run.
enum Target {
    Live,
    Record {
        recorder: Arc<Recorder>,
        tape: Mutex<Tape>,
    },
    Replay {
        player: Arc<Player>,
        moments: Vec<Option<Moment>>,
    },
    DryRun,
}

/// What a recording holds beside the exchanges.
#[derive(Default)]
struct Tape {
    /// By index: an item that could not be read is known before those in front of it are.
    items: BTreeMap<usize, Item>,
    secrets: Vec<Secret>,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("component", &self.inner.component)
            .field("credential", &self.inner.credential)
            .field("policy", &self.inner.policy)
            .finish_non_exhaustive()
    }
}

impl Runner {
    /// The component.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.inner.component
    }

    /// What it may use up, the policy's limits included.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Turn the credential into a session, or say why it cannot be: the credential's test.
    ///
    /// # Errors
    ///
    /// What the service, the policy or the network had against it.
    pub async fn check_credential(&self) -> Result<(), Failure> {
        self.inner.session(None, Environs::Real).await.map(|_| ())
    }

    /// The requests that an item would send, as far as they can be known without an answer, and what the node says of
    /// the item when it sends none. Only a runner made with [`RunnerBuilder::dry_run`] has any.
    ///
    /// # Errors
    ///
    /// The operation is unknown.
    pub async fn plan(
        &self,
        group: &str,
        operation: &str,
        item: &str,
    ) -> Result<Result<Vec<Planned>, Failure>, Error> {
        let operation = BoundOperation::new(&self.inner, group, operation)?;
        Ok(self.inner.plan(&operation, item).await)
    }

    /// What was recorded, without secrets, as the text of a file; `None` but for a runner made with [`RunnerBuilder::record`]. It is
    /// empty afterwards.
    ///
    /// # Errors
    ///
    /// A secret could not be kept out of it, or it is larger than a recording may be. `file` is what the error calls it.
    pub fn recording(&self, file: &str) -> Result<Option<String>, Error> {
        let Some((recording, redactor)) = self.recorded()? else {
            return Ok(None);
        };
        Ok(Some(recording.to_text(file, |text| redactor.knows(text))?))
    }

    /// Save what [`Runner::recording`] gives, beside `path` and then renamed.
    ///
    /// # Errors
    ///
    /// As there, or the file cannot be written; then nothing is written.
    pub fn save_recording(&self, path: &Path) -> Result<(), Error> {
        if let Some((recording, redactor)) = self.recorded()? {
            recording.save(path, |text| redactor.knows(text))?;
        }
        Ok(())
    }

    fn recorded(&self) -> Result<Option<(Recording, Redactor)>, Error> {
        let Target::Record { recorder, tape } = &self.inner.target else {
            return Ok(None);
        };
        let (items, secrets) = {
            let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut tape.items), tape.secrets.clone())
        };
        let redactor = Redactor::new(&secrets);
        let mut recording = recorder.finish(items.into_values().collect())?;
        recording.map_strings(|text| redactor.value(text))?;
        Ok(Some((recording, redactor)))
    }

    /// The exchanges of a replay that were never asked for; none without a replay.
    #[must_use]
    pub fn unused(&self) -> Unused {
        match &self.inner.target {
            Target::Replay { player, .. } => player.unused(),
            _ => Unused::default(),
        }
    }
}

impl Inner {
    /// How many items one call may hold: one, where the host has to know which item a request belongs to.
    pub(crate) fn is_one_item_per_call(&self, operation: &BoundOperation) -> bool {
        operation.is_write() || !matches!(self.target, Target::Live)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether requests go to the service and nowhere else; only then is anything tried again or kept in a journal. A
    /// recording that held second tries would not replay, and a replay or a dry run has nothing to wait for.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.target, Target::Live)
    }

    /// Whether another tool wrote the recording that answers.
    fn is_foreign_replay(&self) -> bool {
        matches!(&self.target, Target::Replay { player, .. } if player.is_foreign())
    }

    /// The credential, where there is one.
    pub(crate) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Whether items have to run one after the other.
    pub(crate) fn is_sequential(&self) -> bool {
        matches!(self.target, Target::Record { .. })
    }

    /// Time and randomness of the call for an item.
    pub(crate) fn environs(&self, item: usize) -> Environs {
        match &self.target {
            Target::Live | Target::DryRun => Environs::Real,
            Target::Record { .. } => {
                let clock_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
                Environs::Virtual(Moment {
                    clock_ms,
                    seed: random_seed(),
                })
            }
            // Items beyond those of the recording have the time of the last one.
            Target::Replay { moments, .. } => match moments.get(item).copied().flatten().or(moments
                .iter()
                .rev()
                .flatten()
                .next()
                .copied())
            {
                Some(moment) => Environs::Virtual(moment),
                None => Environs::Real,
            },
        }
    }

    /// Keep an item for the recording, where one is made.
    pub(crate) fn keep(&self, index: usize, parameters: &str, environs: Environs, result: &ItemResult) {
        let Target::Record { tape, .. } = &self.target else {
            return;
        };
        let result = match result {
            Ok(output) => {
                RecordedResult::Output(output.iter().map(|json| recording::held(json.get())).collect())
            }
            Err(failure) => RecordedResult::Error(failure.to_json()),
        };
        let call = match environs {
            Environs::Virtual(moment) => i64::try_from(moment.clock_ms)
                .ok()
                .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                .map(|clock| Call {
                    clock,
                    seed: moment.seed,
                }),
            Environs::Real => None,
        };
        let item = Item {
            parameters: Item::held(parameters),
            result: Some(result),
            call,
        };
        let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
        tape.items.insert(index, item);
    }

    /// A session, where the node needs one. `refused` is the generation that the service did not accept.
    pub(crate) async fn session(
        &self,
        refused: Option<u64>,
        environs: Environs,
    ) -> Result<Option<Arc<Session>>, Failure> {
        let (Some(cell), Some(credential)) = (&self.session, &self.credential) else {
            return Ok(None);
        };
        // Only for who has to make one.
        let maker = || Maker {
            component: &self.component,
            credential,
            // An answer may name the instant when the session ends, so a recorded one is read at its own time.
            environs,
            pipeline: self.pipeline(Scope::Authentication, None, None, None),
        };
        let session = match cell.get(refused, environs, maker).await {
            // A browser was logged in before its HAR began, and nothing that is sent has to be authorised.
            Err(Failure::Denied { .. }) if refused.is_none() && self.is_foreign_replay() => return Ok(None),
            made => made?,
        };
        if let Target::Record { tape, .. } = &self.target {
            let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
            tape.secrets.extend(session.secrets().cloned());
        }
        Ok(Some(session))
    }

    /// The pipeline of one call.
    pub(crate) fn pipeline(
        &self,
        scope: Scope,
        session: Option<Arc<Session>>,
        operation: Option<&BoundOperation>,
        item: Option<usize>,
    ) -> Arc<Pipeline> {
        let engine = self.component.engine().clone();
        let transport = match &self.target {
            Target::Live => Transport::Live {
                engine,
                recorder: None,
            },
            Target::Record { recorder, .. } => Transport::Live {
                engine,
                recorder: Some(Arc::clone(recorder)),
            },
            Target::Replay { player, .. } => Transport::Replay(Arc::clone(player)),
            Target::DryRun => Transport::DryRun(Arc::default()),
        };
        Arc::new(Pipeline {
            scope,
            policy: Arc::clone(&self.policy),
            limits: Arc::clone(&self.limits),
            guards: Arc::clone(&self.guards),
            base: self.base.clone(),
            session,
            owner: self.owner,
            transport,
            write: operation.is_some_and(BoundOperation::is_write),
            item,
            slots: Arc::clone(&self.slots),
            account: Arc::clone(&self.account),
            buffered: Buffered::new(self.limits.buffered_bytes),
            label: Arc::clone(operation.map_or(&self.label, |operation| &operation.label)),
            rate: operation.and_then(|operation| operation.rate.clone()),
            observed: Mutex::new(Observed::default()),
            lane: Mutex::default(),
        })
    }

    /// `call.base-url`.
    pub(crate) fn base_text(&self) -> String {
        self.credential
            .as_ref()
            .map(Credential::base_text)
            .unwrap_or_default()
    }

    async fn plan(&self, operation: &BoundOperation, item: &str) -> Result<Vec<Planned>, Failure> {
        let pipeline = self.pipeline(Scope::Operation, None, Some(operation), Some(0));
        let outcome = crate::call::alone(self, operation, &pipeline, &[&item.to_owned()]).await;
        let planned = match &pipeline.transport {
            Transport::DryRun(planned) => {
                std::mem::take(&mut *planned.lock().unwrap_or_else(PoisonError::into_inner))
            }
            _ => Vec::new(),
        };
        match outcome {
            // The request was refused because this is a dry run: that is the plan, not a failure.
            Ok(results) if planned.is_empty() => match results.into_iter().next() {
                Some(Err(failure)) => Err(failure),
                _ => Ok(planned),
            },
            Err(stop) if planned.is_empty() => Err(stop.into_failure()),
            _ => Ok(planned),
        }
    }
}

fn random_seed() -> u64 {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 8];
    match ring::rand::SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // The seed is kept in the recording: it has to be new, not secret.
        Err(_) => u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default(),
    }
}
