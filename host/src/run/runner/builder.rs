//! Builds a runner, and checks that its parts go together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::tokens::{Given, Parts, Tokens};
use super::{Inner, RecordedItems, Runner, Target};
use crate::error::Error;
use crate::events::Label;
use crate::gate::budget::Budget;
use crate::gate::pipeline::RequestHook;
use crate::gate::tls::Tls;
use crate::runtime::authenticator::{fixed_session, signed_session};
use crate::runtime::clock_and_rng::ReplaySeed;
use crate::runtime::component::Component;
use crate::runtime::oauth2::{TokenSource, TokenStore};
use crate::runtime::session_source::SessionSource;
use nodule_core::canonical::{Base, CanonicalUrl};
use nodule_core::credential::{Credential, CredentialError};
use nodule_core::description::{BodyNeed, Scheme};
use nodule_core::limits::Limits;
use nodule_core::policy::{DeclaredOrigins, Imports, Policy};
use nodule_core::recording::{self, Meta, Player, Recorder, Recording};
use nodule_core::secret::Secret;

/// Configures what a component may use. By default it may use nothing. [`RunnerBuilder::build`] makes the runner.
#[derive(Debug)]
#[must_use]
pub struct RunnerBuilder {
    component: Component,
    policy: Policy,
    limits: Limits,
    credential: Option<Credential>,
    tenant: String,
    own_session: bool,
    keep_answers: bool,
    budget: Option<Budget>,
    hook: Option<Arc<dyn RequestHook>>,
    tokens: Given,
    tls: Option<Tls>,
    mode: Mode,
    /// Where large files of a recording go.
    record_files: Option<PathBuf>,
}

#[derive(Debug)]
enum Mode {
    Live,
    Record(Box<Meta>),
    Replay(Box<Recording>),
    DryRun,
}

impl Component {
    /// Starts to configure a runner for this component.
    pub fn runner(&self) -> RunnerBuilder {
        RunnerBuilder {
            component: self.clone(),
            policy: Policy::default(),
            limits: Limits::default(),
            credential: None,
            tenant: String::new(),
            own_session: false,
            keep_answers: false,
            budget: None,
            hook: None,
            tokens: Given::default(),
            tls: None,
            mode: Mode::Live,
            record_files: None,
        }
    }
}

impl RunnerBuilder {
    /// Sets the origins that the component may reach, beside the credential's base URL. The policy's `[limits]`
    /// override the limits set here.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the limits of the component.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the credential. Its base URL is thereby allowed, if its address is. Of the schemes of credentials, this host
    /// has `session`, `fixed`, `signed` and `oauth2`.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Sets where the tokens of a log-in are kept, for a credential of the scheme `oauth2` with the grant
    /// `authorizationCode`. The host renews them there. See [`Runner::begin_login`].
    pub fn token_store(mut self, store: impl TokenStore + 'static) -> Self {
        self.tokens.store = Some(Arc::new(store));
        self
    }

    /// Sets where access tokens come from, for a credential of the scheme `oauth2`: the host then asks no token endpoint
    /// itself.
    pub fn token_source(mut self, source: impl TokenSource + 'static) -> Self {
        self.tokens.source = Some(Arc::new(source));
        self
    }

    /// Sets the tenant, in an engine that serves several. Tenants share neither sessions nor connections.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Gives the runner a session of its own, instead of the one that all runners of the same component, tenant and
    /// credential share: a test of the credential must not rely on an earlier session.
    pub fn own_session(mut self) -> Self {
        self.own_session = true;
        self
    }

    /// Keeps answers to the questions of forms for a minute, for all runners of the same component, tenant, credential and
    /// policy that keep answers too. They are forgotten with the session. Neither a recording nor a replay keeps any.
    pub fn keep_answers(mut self) -> Self {
        self.keep_answers = true;
        self
    }

    /// Counts the runner's requests against a budget that other runners share. Rates of runs and the runner's own
    /// `requests-in-flight` apply as well.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Adds headers to requests, such as `traceparent`; also to the requests that make a session.
    pub fn request_hook(mut self, hook: impl RequestHook + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// Sets which certificates the runner trusts beside the engine's, which one it shows, and where it checks none. The
    /// policy's `[tls]` adds origins to the last; the files that it names are the caller's to read.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sends requests and records them with their responses; [`Runner::save_recording`] writes the recording. Items run
    /// one at a time, each with a fixed clock and its own random numbers, which are recorded too.
    pub fn record(mut self, meta: Meta) -> Self {
        self.mode = Mode::Record(Box::new(meta));
        self
    }

    /// Files that are too large for the recording go to this folder, each by its digest: [`Recording::files_of`] the recording's
    /// own. Without it, such a file cannot be recorded.
    pub fn record_files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.record_files = Some(folder.into());
        self
    }

    /// Takes responses from a recording and sends nothing. A recording by another tool does not say where the service
    /// was: if the node needs a credential, such a replay needs one too.
    pub fn replay(mut self, recording: Recording) -> Self {
        self.mode = Mode::Replay(Box::new(recording));
        self
    }

    /// Sends nothing; [`Runner::plan`] returns the requests of an item.
    pub fn dry_run(mut self) -> Self {
        self.mode = Mode::DryRun;
        self
    }

    /// Makes the runner.
    ///
    /// # Errors
    ///
    /// A limit is out of range, the node needs a credential and has none, the credential needs a log-in and there is no place
    /// for its tokens, one of its fields cannot be where the description puts it, the policy names files of TLS that nobody
    /// read, or the recording does not say which base URL it was made with.
    pub fn build(self) -> Result<Runner, Error> {
        let Self {
            component,
            policy,
            limits,
            credential,
            tenant,
            own_session,
            keep_answers,
            budget,
            hook,
            tokens: given,
            tls,
            mode,
            record_files,
        } = self;
        let limits = limits_of(&component, &policy, limits)?;
        let credential = credential_of(&component, credential, &mode)?;
        let origins = DeclaredOrigins::new(component.node(), credential.as_ref(), &policy)?;
        let target = target(mode, credential.as_ref(), record_files)?;
        let tls = match &target {
            Target::Live | Target::Record { .. } => tls_of(tls, &policy, credential.as_ref())?,
            // They open no connection.
            Target::Replay { .. } | Target::DryRun => Tls::default(),
        };
        // What is kept for other runners, connections and sessions alike, must not come from settings that differ.
        let bound = tls.bound_to(component.digest());
        let insecure = tls.insecure_origins().to_vec();
        let clients = component.engine().clients();
        let owner = clients.owner(&bound, &tenant, credential.as_ref());
        let tls = clients.tls(&tls)?;
        let (policy, limits) = (Arc::new(policy), Arc::new(limits));
        let label = Arc::new(Label {
            node: component.node().name.clone(),
            digest: component.digest().to_owned(),
            operation: "authenticate".to_owned(),
            path: None,
            tenant: tenant.clone(),
            run: None,
            observer: component.engine().observer().cloned(),
        });
        let mut tokens = Tokens::default();
        let session = match &credential {
            Some(credential) => {
                let parts = Parts {
                    component: &component,
                    bound: &bound,
                    credential,
                    policy: &policy,
                    limits: &limits,
                    budget: &budget,
                    label: &label,
                    owner,
                    tls: &tls,
                    target: &target,
                };
                tokens = Tokens::new(given, &parts, own_session)?;
                match tokens.sessions.take() {
                    Some(sessions) => Some(SessionSource::Tokens(sessions)),
                    None => session(&component, (&bound, &tenant), credential, &target, own_session)?,
                }
            }
            None => None,
        };
        let signs = credential
            .as_ref()
            .and_then(|credential| signs(&component, credential));
        let answers = keep_answers.then(|| {
            let credential = credential
                .as_ref()
                .map(|credential| [credential.name(), credential.json().expose()]);
            let answers = component.engine().answers();
            answers.owner(&bound, &tenant, credential)
        });
        Ok(Runner {
            inner: Arc::new(Inner {
                owner,
                tls,
                insecure,
                slots: Arc::new(Semaphore::new(limits.requests_in_flight)),
                budget,
                hook,
                account: Arc::default(),
                label,
                component,
                policy,
                limits,
                base: credential
                    .as_ref()
                    .map(|credential| Arc::new(Base::new(credential.base_url().clone()))),
                credential,
                session,
                signs,
                renewal: tokens.renewal,
                answers,
                questions: Arc::default(),
                origins: Arc::new(origins),
                target,
            }),
        })
    }
}

/// The limits, those of the policy included.
fn limits_of(component: &Component, policy: &Policy, limits: Limits) -> Result<Limits, Error> {
    let imports = &component.node().imports;
    if policy.imports() == Imports::Minimal && !imports.is_empty() {
        return Err(Error::ImportsNotMinimal {
            imports: imports.clone(),
        });
    }
    let limits = policy.limits_over(limits);
    limits.check()?;
    let stack = component.engine().stack_bytes();
    if limits.stack_bytes != stack {
        return Err(Error::StackSize {
            engine: stack,
            wanted: limits.stack_bytes,
        });
    }
    if let Some(operation) = policy.operations().find(|name| !has_operation(component, name)) {
        return Err(Error::UnknownEffect {
            operation: operation.to_owned(),
        });
    }
    Ok(limits)
}

/// The credential that the runner is bound to.
fn credential_of(
    component: &Component,
    mut credential: Option<Credential>,
    mode: &Mode,
) -> Result<Option<Credential>, Error> {
    let needs = component.node().credentials.first();
    if let Mode::Replay(recording) = mode {
        // A replay sends nothing and needs no real credential, unless only the credential says where the service
        // was.
        credential = match (needs, recording.case()) {
            (Some(_), Some(case)) => Some(Credential::dummy(
                component.node(),
                case.credential.as_deref(),
                case.base_url.as_str(),
            )?),
            (Some(_), None) => credential,
            (None, _) => None,
        };
    }
    if let (Some(needs), None) = (needs, &credential) {
        return Err(Error::CredentialMissing {
            name: needs.name.clone(),
            recording: match mode {
                Mode::Replay(recording) => Some(recording.name().to_owned()),
                _ => None,
            },
        });
    }
    Ok(credential)
}

/// How much of a body signatures need, if the credential signs requests.
fn signs(component: &Component, credential: &Credential) -> Option<BodyNeed> {
    match component.node().credential(credential.name())?.scheme {
        Scheme::Signed(needs) => Some(needs),
        _ => None,
    }
}

/// The TLS settings, with what the policy adds.
fn tls_of(tls: Option<Tls>, policy: &Policy, credential: Option<&Credential>) -> Result<Tls, Error> {
    if tls.is_none() && policy.tls().names_files() {
        return Err(Error::TlsFiles);
    }
    let tls = tls.unwrap_or_default();
    if credential.is_none() && tls.has_client_certificate() {
        return Err(Error::ClientCertificate {
            message: "it is shown only where the credential's access goes, and there is no credential"
                .to_owned(),
        });
    }
    let named = policy.tls().insecure_origins.iter().cloned();
    Ok(named.fold(tls, Tls::insecure_origin))
}

/// Where the credential's sessions come from; `None` if none are needed.
fn session(
    component: &Component,
    (bound, tenant): (&str, &str),
    credential: &Credential,
    target: &Target,
    own: bool,
) -> Result<Option<SessionSource>, Error> {
    let sessions = component.engine().sessions();
    let described = component.node().credential(credential.name());
    Ok(match described.map(|described| &described.scheme) {
        Some(Scheme::Session) => Some(SessionSource::Made(match target {
            Target::Live if !own => sessions.shared(bound, tenant, credential),
            // Neither a replay nor a recording shares a session: the first takes its session from the recording, and the
            // second has to contain how the session was made.
            _ => sessions.own(tenant),
        })),
        // A dry run and a replay need no session, but a value that cannot be sent should be known before it is.
        Some(Scheme::Fixed(_)) => fixed_session(component.node(), credential)?.map(|session| {
            target.remember(&session);
            SessionSource::Fixed(Arc::new(session))
        }),
        Some(Scheme::Signed(_)) => Some(SessionSource::Fixed(Arc::new(signed_session(credential)))),
        Some(Scheme::Oauth2(_)) | None => None,
    })
}

/// Where requests go.
fn target(mode: Mode, credential: Option<&Credential>, files: Option<PathBuf>) -> Result<Target, Error> {
    Ok(match mode {
        Mode::Live => Target::Live,
        Mode::DryRun => Target::DryRun,
        Mode::Record(mut meta) => {
            meta.credential = credential.map(|credential| credential.name().to_owned());
            let recorder = Recorder::new(*meta, []).files_in(files);
            let secrets: Vec<Secret> = credential
                .into_iter()
                .flat_map(Credential::secrets)
                .cloned()
                .collect();
            recorder.add_secrets(secrets.iter().map(Secret::expose));
            let tape = Mutex::new(RecordedItems {
                items: BTreeMap::new(),
                secrets,
            });
            Target::Record {
                recorder: Arc::new(recorder),
                tape,
            }
        }
        Mode::Replay(recording) => {
            let moments = moments(&recording);
            let items = recording
                .case()
                .map(|case| case.items.as_slice())
                .unwrap_or_default();
            let items = items.iter().map(recording::Item::text).collect();
            let base = credential.map(Credential::base_url);
            Target::Replay {
                player: Arc::new(player(*recording, base)?),
                moments,
                items,
            }
        }
    })
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
    let recorded = recording.case().map(|case| case.base_url.to_string());
    // A node without a credential has no base URL and requests absolute URLs. None of them is below this one.
    let base = base
        .map(ToString::to_string)
        .or(recorded)
        .unwrap_or_else(|| recording::NO_BASE_URL.to_owned());
    let base = url::Url::parse(&base).map_err(|error| CredentialError {
        message: format!("the base URL: {error}"),
    })?;
    Ok(Player::new(recording, &base))
}

/// The clock and the seed of the random numbers, for each item.
fn moments(recording: &Recording) -> Vec<Option<ReplaySeed>> {
    let items = recording
        .case()
        .map(|case| case.items.as_slice())
        .unwrap_or_default();
    items
        .iter()
        .map(|item| {
            let call = item.call?;
            let clock_ms = u64::try_from(call.clock.as_millisecond()).ok()?;
            Some(ReplaySeed {
                clock_ms,
                seed: call.seed,
            })
        })
        .collect()
}
