//! A component bound to what it may use: policy, credential, limits, and where its requests go.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::canonical::{Base, CanonicalUrl};
use crate::component::Component;
use crate::credential::Credential;
use crate::description::{Effect, Operation};
use crate::error::Error;
use crate::events::Label;
use crate::failure::Failure;
use crate::guards::Guards;
use crate::instance::{Environs, Idle, Moment};
use crate::limits::Limits;
use crate::pipeline::{Buffered, Observed, Pipeline, Planned, Scope, Transport};
use crate::policy::Policy;
use crate::rate::Bucket;
use crate::recording::{
    Call, Declared, Item, ItemResult as RecordedResult, Meta, Player, Recorder, Recording, Unused,
};
use crate::redact::Redactor;
use crate::run::{ItemResult, Stats};
use crate::secret::Secret;
use crate::session::{Cell, Maker, Session};

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
    slots: Arc<Semaphore>,
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
    items: Vec<Item>,
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

/// Says what a component may use; [`RunnerBuilder::build`] makes the runner. Without a word more, nothing is allowed.
#[derive(Debug)]
#[must_use]
pub struct RunnerBuilder {
    component: Component,
    policy: Policy,
    limits: Limits,
    credential: Option<Credential>,
    tenant: String,
    mode: Mode,
    pub(crate) guards: Guards,
}

#[derive(Debug)]
enum Mode {
    Live,
    Record(Box<Meta>),
    Replay(Box<Recording>),
    DryRun,
}

impl Component {
    /// Bind the component to what it may use.
    pub fn runner(&self) -> RunnerBuilder {
        RunnerBuilder {
            component: self.clone(),
            policy: Policy::default(),
            limits: Limits::default(),
            credential: None,
            tenant: String::new(),
            mode: Mode::Live,
            guards: Guards::default(),
        }
    }
}

impl RunnerBuilder {
    /// What it may reach beside the credential's base URL. Its `[limits]` lie over those given here.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What it may use up.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Who it acts for. Its base URL is allowed by giving it, subject to the rules about addresses.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Whose run it is, in an engine that serves several: sessions are not shared between tenants.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Send requests and keep what was sent and answered; [`Runner::save_recording`] writes it. Items run one at a time, each
    /// with a clock that stands still and random numbers of its own, which are kept too.
    pub fn record(mut self, meta: Meta) -> Self {
        self.mode = Mode::Record(Box::new(meta));
        self
    }

    /// Answer from a recording; nothing is sent, and no credential is needed.
    pub fn replay(mut self, recording: Recording) -> Self {
        self.mode = Mode::Replay(Box::new(recording));
        self
    }

    /// Send nothing; [`Runner::plan`] gives the requests of an item.
    pub fn dry_run(mut self) -> Self {
        self.mode = Mode::DryRun;
        self
    }

    /// Make the runner.
    ///
    /// # Errors
    ///
    /// A limit is out of range, the node needs a credential and none was given, or the recording does not say which
    /// base URL it was made with.
    pub fn build(self) -> Result<Runner, Error> {
        let Self {
            component,
            policy,
            limits,
            mut credential,
            tenant,
            mode,
            guards,
        } = self;
        let limits = policy.limits_over(limits);
        limits.check()?;
        let stack = component.engine().stack_bytes();
        if limits.stack_bytes != stack {
            return Err(Error::StackSize {
                engine: stack,
                wanted: limits.stack_bytes,
            });
        }
        if let Some(operation) = policy.lowered().find(|name| !has_operation(&component, name)) {
            return Err(Error::UnknownEffect {
                operation: operation.to_owned(),
            });
        }
        let needs = component.node().credential.as_ref();
        if let Mode::Replay(recording) = &mode {
            // Nothing is sent, so whatever credential there is stays out of it.
            credential = match (needs, recording.case()) {
                (Some(_), Some(case)) => Some(Credential::dummy(component.node(), case.base_url.as_str())?),
                (Some(_), None) => credential,
                (None, _) => None,
            };
        }
        if let (Some(needs), None) = (needs, &credential) {
            return Err(Error::CredentialMissing {
                name: needs.name.clone(),
            });
        }
        let target = match mode {
            Mode::Live => Target::Live,
            Mode::DryRun => Target::DryRun,
            Mode::Record(meta) => {
                let recorder = Recorder::new(*meta, []);
                let secrets: Vec<Secret> = credential.iter().flat_map(Credential::secrets).cloned().collect();
                recorder.add_secrets(secrets.iter().map(Secret::expose));
                let tape = Mutex::new(Tape {
                    items: Vec::new(),
                    secrets,
                });
                Target::Record {
                    recorder: Arc::new(recorder),
                    tape,
                }
            }
            Mode::Replay(recording) => {
                let moments = moments(&recording);
                let base = credential.as_ref().map(Credential::base_url);
                Target::Replay {
                    player: Arc::new(player(*recording, base)?),
                    moments,
                }
            }
        };
        // A replay's session comes from its recording, and a recording holds how its session was made: neither shares.
        let session = credential.as_ref().map(|credential| match target {
            Target::Live => component
                .engine()
                .sessions()
                .cell(&component, &tenant, credential),
            _ => Arc::default(),
        });
        Ok(Runner {
            inner: Arc::new(Inner {
                slots: Arc::new(Semaphore::new(limits.requests_in_flight)),
                label: Arc::new(Label {
                    node: component.node().name.clone(),
                    digest: component.digest().to_owned(),
                    operation: "authenticate".to_owned(),
                    path: None,
                }),
                component,
                policy: Arc::new(policy),
                limits: Arc::new(limits),
                guards: Arc::new(guards),
                base: credential
                    .as_ref()
                    .map(|credential| Arc::new(Base::new(credential.base_url().clone()))),
                credential,
                session,
                target,
            }),
        })
    }
}

/// Whether the node has the operation `group.name`.
fn has_operation(component: &Component, name: &str) -> bool {
    let operations = &component.node().operations;
    name.split_once('.').is_some_and(|(group, name)| {
        operations
            .iter()
            .any(|operation| operation.group == group && operation.name == name)
    })
}

fn player(recording: Recording, base: Option<&CanonicalUrl>) -> Result<Player, Error> {
    let base = match (base, recording.case()) {
        (Some(base), _) => url::Url::parse(&base.to_string()).map_err(|error| Error::Credential {
            message: format!("the base URL: {error}"),
        })?,
        (None, Some(case)) => case.base_url.clone(),
        (None, None) => {
            return Err(Error::Credential {
                message: format!(
                    "the recording {} does not say its base URL; give a credential",
                    recording.name()
                ),
            });
        }
    };
    Ok(Player::new(recording, &base))
}

/// Where the clock stood and what the random numbers were made from, item by item.
fn moments(recording: &Recording) -> Vec<Option<Moment>> {
    let items = recording
        .case()
        .map(|case| case.items.as_slice())
        .unwrap_or_default();
    items
        .iter()
        .map(|item| {
            let call = item.call?;
            let clock_ms = u64::try_from(call.clock.as_millisecond()).ok()?;
            Some(Moment {
                clock_ms,
                seed: call.seed,
            })
        })
        .collect()
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

    /// Save what was recorded, without secrets. Only a runner made with [`RunnerBuilder::record`] has anything, and it
    /// is empty afterwards.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or a secret could not be kept out of it; then nothing is written.
    pub fn save_recording(&self, path: &Path) -> Result<(), Error> {
        let Target::Record { recorder, tape } = &self.inner.target else {
            return Ok(());
        };
        let (items, secrets) = {
            let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut tape.items), tape.secrets.clone())
        };
        let redactor = Redactor::new(&secrets);
        let mut recording = recorder.finish(items)?;
        recording.map_strings(|text| redactor.value(text))?;
        recording.save(path, |text| redactor.knows(text))?;
        Ok(())
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

/// An operation, and what the host makes of it.
pub(crate) struct BoundOperation {
    pub(crate) group: String,
    pub(crate) name: String,
    /// As the node claims it, lowered where the policy says so.
    pub(crate) effect: Effect,
    /// The parameters that stand in the path: they name the thing that is changed.
    pub(crate) path_parameters: Vec<String>,
    /// For events.
    pub(crate) label: Arc<Label>,
    /// The parameter that makes a repetition harmless, by the name that items use.
    pub(crate) key_parameter: Option<String>,
    /// What its run counts.
    pub(crate) stats: Arc<Stats>,
    /// How fast its requests may follow each other.
    pub(crate) rate: Option<Arc<Bucket>>,
    /// Instances that its run uses again.
    pub(crate) idle: Idle,
}

impl BoundOperation {
    pub(crate) fn new(inner: &Inner, group: &str, name: &str) -> Result<Self, Error> {
        let operation = inner.component.node().operation(group, name)?;
        let lowered = inner.policy.lowers_to_write(&format!("{group}.{name}"));
        let key_parameter = match &operation.effect {
            Effect::Keyed(id) => inner
                .component
                .node()
                .parameters_by_id(std::slice::from_ref(id))
                .next(),
            _ => None,
        };
        Ok(Self {
            group: group.to_owned(),
            name: name.to_owned(),
            effect: if lowered {
                Effect::Write
            } else {
                operation.effect.clone()
            },
            label: Arc::new(Label {
                node: inner.label.node.clone(),
                digest: inner.label.digest.clone(),
                operation: format!("{group}.{name}"),
                path: declared(operation).map(|declared| declared.path),
            }),
            path_parameters: declared(operation)
                .map(|declared| path_parameters(&declared.path))
                .unwrap_or_default(),
            key_parameter: key_parameter.map(|parameter| parameter.name.clone()),
            stats: Arc::new(Stats::new()),
            rate: None,
            idle: Idle::default(),
        })
    }

    pub(crate) fn is_write(&self) -> bool {
        self.effect == Effect::Write
    }
}

/// The request that an operation says it makes, in its hints: `{"request": {"method": "GET", "path": "/v1/a/{b}"}}`.
#[must_use]
pub fn declared(operation: &Operation) -> Option<Declared> {
    let request = operation.hints.as_ref()?.get("request")?;
    Some(Declared {
        method: request.get("method")?.as_str()?.to_owned(),
        path: request.get("path")?.as_str()?.to_owned(),
    })
}

fn path_parameters(path: &str) -> Vec<String> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(ToOwned::to_owned)
        .collect()
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
            Ok(output) => RecordedResult::Output(
                output
                    .iter()
                    .map(|json| serde_json::from_str(json.get()).unwrap_or(Value::Null))
                    .collect(),
            ),
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
            parameters: serde_json::from_str(parameters)
                .unwrap_or_else(|_| Value::String(parameters.to_owned())),
            result: Some(result),
            call,
        };
        let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
        // Items are recorded one after the other, so each belongs at the end.
        debug_assert_eq!(tape.items.len(), index);
        tape.items.push(item);
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
        let maker = Maker {
            component: &self.component,
            credential,
            // An answer may name the instant when the session ends, so a recorded one is read at its own time.
            environs: if matches!(self.target, Target::Replay { .. }) {
                environs
            } else {
                Environs::Real
            },
            pipeline: self.pipeline(Scope::Authentication, None, None, None),
        };
        let session = cell.get(refused, &maker).await?;
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
            transport,
            write: operation.is_some_and(BoundOperation::is_write),
            item,
            slots: Arc::clone(&self.slots),
            buffered: Buffered::new(self.limits.buffered_bytes),
            label: Arc::clone(operation.map_or(&self.label, |operation| &operation.label)),
            rate: operation.and_then(|operation| operation.rate.clone()),
            observed: Mutex::new(Observed::default()),
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
        let outcome = crate::call::alone(self, operation, &pipeline, vec![item.to_owned()]).await;
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
