//! A component bound to what it may use: policy, credential, limits, and the destination of its requests.

mod builder;
mod operation;
mod question;
mod tokens;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::events::{self, Label};
use crate::gate::budget::{Budget, Pace};
use crate::gate::client::{Owner, RunnerTls};
use crate::gate::pipeline::{Buffered, Observed, Overlap, Pipeline, RequestHook, Scope, Signer, Transport};
use crate::runtime::answers::AnswerOwner;
use crate::runtime::authenticator::Authenticator;
use crate::runtime::clock_and_rng::{ClockAndRng, ReplaySeed};
use crate::runtime::component::Component;
use crate::runtime::oauth2::{Renewal, TokenSessions};
use crate::runtime::session::Session;
use crate::runtime::session_source::SessionSource;
use crate::runtime::share::Account;
use crate::runtime::signer::NodeSigner;
use nodule_core::canonical::Base;
use nodule_core::credential::Credential;
use nodule_core::description::BodyNeed;
use nodule_core::failure::Failure;
use nodule_core::limits::Limits;
use nodule_core::outcome::ItemResult;
use nodule_core::policy::{DeclaredOrigins, InsecureOrigin, Policy, WriteBound};
use nodule_core::recording::{self, Call, Item, Player, RecordedResult, Recorder, Recording, Unused};
use nodule_core::redact::Redactor;
use nodule_core::secret::Secret;

pub use builder::RunnerBuilder;
pub(crate) use operation::BoundOperation;

/// A component bound to what it may use. Cheap to clone; made by [`Component::runner`].
#[derive(Clone)]
pub struct Runner {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) component: Component,
    policy: Arc<Policy>,
    limits: Arc<Limits>,
    credential: Option<Credential>,
    base: Option<Arc<Base>>,
    /// Whose answers to the questions of a form may be kept; `None` if none are.
    answers: Option<AnswerOwner>,
    /// The number of questions so far, locked while one is asked that is numbered.
    questions: Arc<tokio::sync::Mutex<usize>>,
    session: Option<SessionSource>,
    /// How much of a body signatures need, if the credential signs requests.
    signs: Option<BodyNeed>,
    /// What keeps the tokens of a log-in, if the credential needs one.
    pub(crate) renewal: Option<Renewal>,
    /// The origins that the node declares, with what the policy grants.
    origins: Arc<DeclaredOrigins>,
    /// Whose connections the requests may use.
    owner: Owner,
    /// How the TLS of these connections is set up.
    tls: Arc<RunnerTls>,
    /// Where no certificate is checked, for events.
    insecure: Vec<InsecureOrigin>,
    slots: Arc<Semaphore>,
    /// The budget that this runner's runs share with other runners' runs.
    pub(crate) budget: Option<Budget>,
    hook: Option<Arc<dyn RequestHook>>,
    pub(crate) account: Arc<Account>,
    target: Target,
    /// For the events of an authentication.
    label: Arc<Label>,
}

/// Where requests go, and what a run records.
enum Target {
    Live,
    Record {
        recorder: Arc<Recorder>,
        tape: Mutex<RecordedItems>,
    },
    Replay {
        player: Arc<Player>,
        moments: Vec<Option<ReplaySeed>>,
        /// The items of the recording as texts, to find where a question was recorded.
        items: Vec<String>,
    },
    DryRun,
}

impl Target {
    /// Keeps a session's secrets out of the recording, if there is one.
    fn remember(&self, session: &Session) {
        if let Self::Record { recorder, tape } = self {
            recorder.add_secrets(session.secrets().map(Secret::expose));
            let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
            tape.secrets.extend(session.secrets().cloned());
        }
    }
}

/// What a recording contains beside the exchanges.
#[derive(Default)]
struct RecordedItems {
    /// By index, because an item that could not be read gets here before the items in front of it.
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

    /// The limits, those of the policy included.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Forgets the session of this component, tenant and credential, and one that is still being made. The next call
    /// makes a new session; calls in flight keep the session that they have. Kept answers to the questions of forms are
    /// forgotten with it. See
    /// [`Engine::forget_sessions`](crate::Engine::forget_sessions).
    pub fn forget_session(&self) {
        match &self.inner.session {
            Some(SessionSource::Made(slot) | SessionSource::Tokens(TokenSessions { slot, .. })) => {
                slot.forget();
            }
            Some(SessionSource::Fixed(_)) | None => {}
        }
        if let Some(owner) = self.inner.answers {
            self.inner.component.engine().answers().forget(owner);
        }
    }

    /// Takes the recording as the text of a file, without secrets. `None` unless the runner was made with
    /// [`RunnerBuilder::record`]. Afterwards the recording is empty. Errors use `file` as its name.
    ///
    /// # Errors
    ///
    /// A secret could not be kept out of the recording, or the recording is too large.
    pub fn recording(&self, file: &str) -> Result<Option<String>, Error> {
        let Some((recording, redactor)) = self.recorded()? else {
            return Ok(None);
        };
        Ok(Some(recording.to_text(file, |text| redactor.knows(text))?))
    }

    /// Writes the text of [`Runner::recording`] to a file beside `path`, and then renames it.
    ///
    /// # Errors
    ///
    /// Those of [`Runner::recording`]; also if the runner does not record or the file cannot be written. No file is
    /// written in any of these cases.
    pub fn save_recording(&self, path: &Path) -> Result<(), Error> {
        let (recording, redactor) = self.recorded()?.ok_or(Error::NotRecorded)?;
        recording.save(path, |text| redactor.knows(text))?;
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

    /// The replay's exchanges that no request used; empty without a replay.
    #[must_use]
    pub fn unused(&self) -> Unused {
        match &self.inner.target {
            Target::Replay { player, .. } => player.unused(),
            _ => Unused::default(),
        }
    }
}

impl Inner {
    /// Whether a call takes only one item, because the host has to know which item a request belongs to.
    pub(crate) fn is_one_item_per_call(&self, operation: &BoundOperation) -> bool {
        operation.is_write() || !matches!(self.target, Target::Live)
    }

    /// Whether the node runs by turns.
    pub(crate) fn runs_by_turns(&self) -> bool {
        self.component.pre().runs_by_turns()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether requests go to the service. Only then does a run retry or keep a journal: a recording with retries would
    /// not replay, and a replay or a dry run has nothing to wait for.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.target, Target::Live)
    }

    /// Whether the replay's recording was written by another tool.
    fn is_foreign_replay(&self) -> bool {
        matches!(&self.target, Target::Replay { player, .. } if player.is_foreign())
    }

    /// The credential, if there is one.
    pub(crate) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Where large files of a recording go.
    pub(crate) fn recorded_files(&self) -> Option<&Path> {
        match &self.target {
            Target::Record { recorder, .. } => recorder.files(),
            _ => None,
        }
    }

    /// Whether items have to run one after the other.
    pub(crate) fn is_sequential(&self) -> bool {
        matches!(self.target, Target::Record { .. })
    }

    /// The clock and randomness of an item's call.
    pub(crate) fn clock_and_rng(&self, item: usize) -> ClockAndRng {
        match &self.target {
            Target::Live | Target::DryRun => ClockAndRng::Real,
            Target::Record { .. } => {
                let clock_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
                ClockAndRng::Virtual(ReplaySeed {
                    clock_ms,
                    seed: random_seed(),
                })
            }
            // Items beyond those of the recording get the last recorded time.
            Target::Replay { moments, .. } => match moments.get(item).copied().flatten().or(moments
                .iter()
                .rev()
                .flatten()
                .next()
                .copied())
            {
                Some(moment) => ClockAndRng::Virtual(moment),
                None => ClockAndRng::Real,
            },
        }
    }

    /// Adds an item to the recording, if there is one.
    pub(crate) fn keep(
        &self,
        index: usize,
        parameters: &str,
        clock_and_rng: ClockAndRng,
        result: &ItemResult,
    ) {
        let Target::Record { tape, .. } = &self.target else {
            return;
        };
        let result = match result {
            Ok(output) => RecordedResult::Output(
                output
                    .iter()
                    .map(|output| recording::held(&output.recorded()))
                    .collect(),
            ),
            Err(failure) => RecordedResult::Error(failure.to_json()),
        };
        let call = match clock_and_rng {
            ClockAndRng::Virtual(moment) => i64::try_from(moment.clock_ms)
                .ok()
                .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                .map(|clock| Call {
                    clock,
                    seed: moment.seed,
                }),
            ClockAndRng::Real => None,
        };
        let item = Item {
            parameters: recording::held(parameters),
            result: Some(result),
            call,
        };
        let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
        tape.items.insert(index, item);
    }

    /// The session, made if necessary; `None` if the node needs none. `refused` is the generation that the service
    /// rejected.
    pub(crate) async fn session(
        &self,
        refused: Option<u64>,
        clock_and_rng: ClockAndRng,
        run: Option<&Arc<str>>,
    ) -> Result<Option<Arc<Session>>, Failure> {
        let (cell, credential) = match (&self.session, &self.credential) {
            (Some(SessionSource::Made(cell)), Some(credential)) => (cell, credential),
            (Some(SessionSource::Fixed(session)), _) => return Ok(Some(Arc::clone(session))),
            (Some(SessionSource::Tokens(tokens)), Some(credential)) => {
                let mut label = (*self.label).clone();
                label.run = run.cloned();
                let maker = || tokens.maker(credential, &label);
                let session = tokens.slot.get(refused, clock_and_rng, maker).await?;
                self.target.remember(&session);
                return Ok(Some(session));
            }
            _ => return Ok(None),
        };
        // Only called if a session has to be made.
        let maker = || Authenticator {
            component: &self.component,
            credential,
            account: &self.account,
            // A response may say when the session expires, so a recorded response is read at its recorded time.
            clock_and_rng,
            pipeline: {
                let mut pipeline = self.unshared_pipeline(Scope::Authentication, None, None, None);
                Arc::make_mut(&mut pipeline.label).run = run.cloned();
                Arc::new(pipeline)
            },
        };
        let session = match cell.get(refused, clock_and_rng, maker).await {
            // A browser logged in before its HAR began, and a replay sends nothing that needs a session.
            Err(Failure::Denied { .. }) if refused.is_none() && self.is_foreign_replay() => return Ok(None),
            made => made?,
        };
        self.target.remember(&session);
        Ok(Some(session))
    }

    /// Whether a refused session can be replaced by a new one.
    pub(crate) fn renews_sessions(&self) -> bool {
        matches!(
            self.session,
            Some(SessionSource::Made(_) | SessionSource::Tokens(_))
        )
    }

    /// Whether a session that could be made shows that the credential is right.
    pub(crate) fn proves_credential(&self) -> bool {
        match &self.session {
            Some(SessionSource::Made(_)) | None => true,
            Some(SessionSource::Fixed(_)) => false,
            Some(SessionSource::Tokens(tokens)) => tokens.proves_credential,
        }
    }

    /// Reports where no certificate is checked, once for each run, question and test of a credential.
    pub(crate) fn report_insecure(&self, label: &Label) {
        let sends = matches!(self.target, Target::Live | Target::Record { .. });
        for origin in self.insecure.iter().filter(|_| sends) {
            events::insecure(label, &origin.to_string());
        }
    }

    /// The label of what belongs to no run.
    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    /// The pipeline of a call with these items, and with this many requests under way at once. It may send as many
    /// requests as all of the items together.
    pub(crate) fn call_pipeline(
        &self,
        session: Option<Arc<Session>>,
        operation: &BoundOperation,
        items: usize,
        item: Option<usize>,
        in_flight: u32,
    ) -> Arc<Pipeline> {
        let mut pipeline = self.unshared_pipeline(Scope::Operation, session, Some(operation), item);
        pipeline.overlap = Overlap::at_most(in_flight);
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        pipeline.bound = operation.write_bound.map(|bound| WriteBound {
            most: bound.most.saturating_mul(items),
            ..bound
        });
        Arc::new(pipeline)
    }

    /// The pipeline of one call.
    pub(crate) fn pipeline(
        &self,
        scope: Scope,
        session: Option<Arc<Session>>,
        operation: Option<&BoundOperation>,
        item: Option<usize>,
    ) -> Arc<Pipeline> {
        Arc::new(self.unshared_pipeline(scope, session, operation, item))
    }

    fn unshared_pipeline(
        &self,
        scope: Scope,
        session: Option<Arc<Session>>,
        operation: Option<&BoundOperation>,
        item: Option<usize>,
    ) -> Pipeline {
        let clients = || Arc::clone(self.component.engine().clients());
        let transport = match &self.target {
            Target::Live => Transport::Live {
                clients: clients(),
                recorder: None,
            },
            Target::Record { recorder, .. } => Transport::Live {
                clients: clients(),
                recorder: Some(Arc::clone(recorder)),
            },
            Target::Replay { player, .. } => Transport::Replay(Arc::clone(player)),
            Target::DryRun => Transport::DryRun(Arc::default()),
        };
        let signer = match (scope, &self.credential, self.signs) {
            (Scope::Operation, Some(credential), Some(needs)) => Some(Arc::new(NodeSigner {
                component: self.component.clone(),
                credential: credential.clone(),
                needs,
                pipeline: self.pipeline(Scope::Signing, None, operation, item),
                turn: tokio::sync::Mutex::default(),
            }) as Arc<dyn Signer>),
            _ => None,
        };
        Pipeline {
            scope,
            policy: Arc::clone(&self.policy),
            limits: Arc::clone(&self.limits),
            base: self.base.clone(),
            origins: Arc::clone(&self.origins),
            access: session.map(|session| Arc::clone(session.access())),
            owner: self.owner,
            tls: Arc::clone(&self.tls),
            transport,
            signer,
            cut: OnceLock::new(),
            hook: self.hook.clone(),
            write: operation.is_some_and(BoundOperation::is_write),
            reads_only: false,
            bound: operation.and_then(|operation| operation.write_bound),
            item,
            slots: Arc::clone(&self.slots),
            overlap: Overlap::unlimited(),
            buffered: Buffered::new(self.limits.buffered_bytes),
            label: Arc::clone(operation.map_or(&self.label, |operation| &operation.label)),
            rate: operation.map_or_else(
                || Pace::of_session(self.budget.as_ref()),
                |operation| operation.rate.clone(),
            ),
            observed: Mutex::new(Observed::default()),
            origin_client: Mutex::default(),
        }
    }

    /// `call.service.settings`.
    pub(crate) fn settings(&self) -> String {
        let settings = self.credential.as_ref().map(Credential::settings);
        settings.unwrap_or("{}").to_owned()
    }

    /// `call.service.base-url`.
    pub(crate) fn base_text(&self) -> String {
        self.credential
            .as_ref()
            .map(Credential::base_text)
            .unwrap_or_default()
    }
}

fn random_seed() -> u64 {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 8];
    match ring::rand::SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // The recording keeps the seed: it has to be new, not secret.
        Err(_) => u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default(),
    }
}
