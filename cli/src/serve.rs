//! `nodule serve`: the library for engines in any language, over a Unix socket.
//!
//! Requests load and bind components; what the process itself may do is fixed before it listens. docs/serve.md
//! documents the API for people, `/openapi.json` for programs.

mod api;
mod ask;
mod files;
mod folders;
mod large;
mod lines;
mod listen;
mod problem;
mod protect;
mod run;
mod settings;
mod tls;
mod token;
mod tokens;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodule::canonical::PathPrefix;
use nodule::policy::{InsecureOrigin, Policy, Rule};
use nodule::{Component, Control, Credential, Engine, EngineConfig, Results, RunnerBuilder, Watch};
use serde_json::json;
use serde_json::value::RawValue;

use crate::args::Serve;
use crate::exit::{Exit, Failed, line, warning};
use crate::setup;
use crate::signals::Signals;
use files::Files;
use folders::Folders;
use large::{Large, Room};
use problem::Answered;
use settings::Settings;
use token::Token;
use tokens::ClientTokens;
use wire::{Allow, Bound};

/// Limit on loaded components, whose compiled code stays in memory. An engine has a few hundred nodes.
const MOST_COMPONENTS: usize = 1_024;
/// How long items in flight may run on after the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long clients may then read the last results.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs until the server is told to stop.
pub fn serve(args: &Serve) -> Result<Exit, Failed> {
    start_clean(args)?;
    let settings = Settings::load(args.settings.as_deref())?;
    let policy = settings.policy()?;
    let insecure = settings.insecure_origins(&policy)?;
    let config = settings.configure(EngineConfig::default())?;
    let prepared = listen::prepare(&args.socket).map_err(Failed::usage)?;
    let token = Token::new(settings.token.as_ref(), &args.socket)?;
    let folders = Folders::new(&args.read, &args.write)?;
    // Before any other thread exists: the limits apply to this thread and the threads it starts.
    let missing = protect::confine(&protect::Bounds {
        memory_mb: args.memory_mb,
        read: folders.read(),
        write: folders.write(),
        cache: args.cache.as_deref(),
        socket_dir: prepared.folder(),
    })?;
    for what in &missing {
        warning(what);
    }
    let (engine, _temporary) = setup::engine(&config, args.cache.as_deref(), Some(prepared.folder()))?;
    let server = Arc::new(Server {
        engine,
        policy,
        insecure,
        folders,
        files: Files::new(prepared.folder()),
        large: Large::new(args.memory_mb),
        token,
        components: Mutex::default(),
        runs: Mutex::default(),
        next_run: AtomicU64::default(),
    });
    setup::multi_threaded(answer(args, server, prepared))
}

/// Starts the program again without its environment. The cache's folder is passed as an argument.
fn start_clean(args: &Serve) -> Result<(), Failed> {
    let mut extra: Vec<OsString> = Vec::new();
    if args.cache.is_none() {
        match setup::cache_dir(|name| std::env::var_os(name)) {
            Ok(Some(dir)) => extra.extend(["--cache".into(), dir.into_os_string()]),
            Ok(None) => {}
            Err(why) => return Err(Failed::usage(why)),
        }
    }
    protect::start_clean(&extra).map_err(|error| {
        Failed::usage(format!(
            "the program cannot be started without its environment: {error}"
        ))
    })
}

async fn answer(args: &Serve, server: Arc<Server>, prepared: listen::Prepared) -> Result<Exit, Failed> {
    let socket = args.socket.clone();
    let broken = |error: std::io::Error| Failed::usage(format!("{}: {error}", nodule::text::path(&socket)));
    let mut signals = Signals::listen();
    let listener = prepared.bind().map_err(broken)?;
    let ready =
        json!({"ready": {"socket": socket, "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id()}});
    crate::output::print(&format!("{ready}\n"))?;
    let (close, closed) = tokio::sync::oneshot::channel::<()>();
    let service = axum::serve(listener, api::router(Arc::clone(&server))).with_graceful_shutdown(async {
        let _ = closed.await;
    });
    let mut serving = std::pin::pin!(service.into_future());
    let why = tokio::select! {
        result = &mut serving => return result.map(|()| Exit::Done).map_err(broken),
        _ = signals.first() => Why::Told,
        () = alone(args.stdio_lifetime) => Why::Alone,
    };
    let _ = close.send(());
    if why == Why::Told {
        let controls = server.controls();
        controls.iter().for_each(Control::stop);
        if !controls.is_empty() {
            line(&format!(
                "told to end: waiting up to {} s for the items under way",
                GRACE.as_secs()
            ));
        }
        let grace = async {
            tokio::time::sleep(GRACE).await;
            controls.iter().for_each(Control::abandon);
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            _ = &mut serving => {}
            () = grace => {}
            // A second signal means: do not wait.
            () = signals.again() => {}
            () = alone(args.stdio_lifetime) => {}
        }
    }
    Ok(Exit::Done)
}

/// Why the server stops.
#[derive(PartialEq, Eq)]
enum Why {
    /// A signal.
    Told,
    /// The parent process is gone, so nobody reads responses.
    Alone,
}

/// Completes when the parent process is gone, if the server's life is tied to it; otherwise never.
async fn alone(stdio_lifetime: bool) {
    if stdio_lifetime {
        listen::stdin_closed().await;
    } else {
        std::future::pending::<()>().await;
    }
}

/// The loaded components and the runs.
pub(crate) struct Server {
    engine: Engine,
    /// For runs without a policy of their own.
    policy: Policy,
    /// Where runs may leave certificates unchecked.
    insecure: Vec<InsecureOrigin>,
    folders: Folders,
    files: Files,
    large: Large,
    token: Token,
    components: Mutex<HashMap<String, Component>>,
    runs: Mutex<BTreeMap<u64, UnderWay>>,
    next_run: AtomicU64,
}

impl Server {
    fn components(&self) -> MutexGuard<'_, HashMap<String, Component>> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn component(&self, digest: &str) -> Result<Component, Answered> {
        let loaded = self.components().get(digest).cloned();
        loaded.ok_or_else(|| not_loaded(digest))
    }

    fn digests(&self) -> Vec<String> {
        let mut digests: Vec<String> = self.components().keys().cloned().collect();
        digests.sort_unstable();
        digests
    }

    fn forget(&self, digest: &str) -> Result<(), Answered> {
        let forgotten = self.components().remove(digest);
        forgotten.map(drop).ok_or_else(|| not_loaded(digest))
    }

    /// Reserves memory for a large component; `None` for a small one.
    async fn room(&self, bytes: usize) -> Option<Room> {
        if bytes > large::SMALL {
            Some(self.large.clone().room(bytes).await)
        } else {
            None
        }
    }

    async fn load(&self, bytes: Vec<u8>, digest: Option<&str>) -> Result<Component, Answered> {
        let loaded = match digest {
            Some(digest) => self.engine.load_pinned(bytes, digest).await,
            None => self.engine.load(bytes).await,
        };
        self.keep(loaded)
    }

    async fn load_file(&self, path: PathBuf, digest: Option<String>) -> Result<Component, Answered> {
        let loaded = match digest {
            Some(digest) => self.engine.load_file_pinned(path, &digest).await,
            None => self.engine.load_file(path).await,
        };
        self.keep(loaded)
    }

    fn keep(&self, loaded: Result<Component, nodule::Error>) -> Result<Component, Answered> {
        let loaded = loaded.map_err(|error| Answered::library(&error))?;
        let mut components = self.components();
        if components.len() >= MOST_COMPONENTS && !components.contains_key(loaded.digest()) {
            return Err(Answered::request(format!(
                "{MOST_COMPONENTS} components are loaded, and there may be no more"
            ))
            .hint("forget some by DELETE /v1/components/{digest}"));
        }
        components.insert(loaded.digest().to_owned(), loaded.clone());
        Ok(loaded)
    }

    fn credential(component: &Component, fields: Option<&RawValue>) -> Result<Option<Credential>, Answered> {
        fields
            .map(|fields| Credential::from_json(component.node(), fields.get()))
            .transpose()
            .map_err(|error| Answered::library(&error.into()))
    }

    /// Binds a component to a tenant, a credential, certificates, and a policy with additional rules.
    fn bind(&self, bound: &Bound<'_>) -> Result<RunnerBuilder, Answered> {
        let component = self.component(bound.component)?;
        let mut policy = match bound.policy {
            None => self.policy.clone(),
            Some(text) => Policy::from_toml(text, "policy")
                .map_err(|error| Answered::request(error.to_string()).hinted(error.hint()))?,
        };
        for entry in bound.allow {
            policy.allow(rule(entry)?);
        }
        if bound.allow_declared {
            policy.allow_declared();
        }
        let tls = tls::of(&policy, bound.tls, &self.insecure)?;
        let credential = Self::credential(&component, bound.credential)?;
        let builder = component.runner().policy(policy).tenant(bound.tenant).tls(tls);
        Ok(match credential {
            Some(credential) => builder.credential(credential),
            None => builder,
        })
    }

    fn runs_under_way(&self) -> MutexGuard<'_, BTreeMap<u64, UnderWay>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runs(&self) -> Vec<String> {
        self.runs_under_way().keys().map(u64::to_string).collect()
    }

    fn controls(&self) -> Vec<Control> {
        self.runs_under_way()
            .values()
            .map(|run| run.control.clone())
            .collect()
    }

    fn run(&self, id: &str) -> Result<UnderWay, Answered> {
        let known = id
            .parse()
            .ok()
            .and_then(|id: u64| self.runs_under_way().get(&id).cloned());
        known.ok_or_else(|| {
            Answered::not_found(format!("no run `{}` is under way", nodule::text::shown(id, 100)))
        })
    }

    fn register(self: &Arc<Self>, results: &Results, tokens: Option<ClientTokens>) -> Registered {
        let id = self.next_run.fetch_add(1, Ordering::Relaxed);
        let watch = results.watch();
        let run = UnderWay {
            control: results.control(),
            watch: watch.clone(),
            tokens,
        };
        self.runs_under_way().insert(id, run);
        Registered {
            server: Arc::clone(self),
            id,
            watch,
        }
    }
}

/// What requests about a run need of it.
#[derive(Clone)]
struct UnderWay {
    control: Control,
    watch: Watch,
    /// `None` if it began without a token.
    tokens: Option<ClientTokens>,
}

/// A run that can be found by its name until this is dropped.
pub(crate) struct Registered {
    server: Arc<Server>,
    id: u64,
    watch: Watch,
}

impl Registered {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.server.runs_under_way().remove(&self.id);
    }
}

fn not_loaded(digest: &str) -> Answered {
    let shown = nodule::text::shown(digest, 100);
    Answered::not_found(format!("no component with the digest `{shown}` is loaded"))
        .hint("load it by POST /v1/components")
}

fn rule(entry: &Allow) -> Result<Rule, Answered> {
    let wrong = |error: &dyn std::fmt::Display, hint: Option<String>| {
        Answered::request(format!("`allow`: {error}")).hinted(hint)
    };
    let parse = |text: &str| Rule::parse(text).map_err(|error| wrong(&error, error.hint()));
    let entry = match entry {
        Allow::Short(text) => return parse(text),
        Allow::Long(entry) => entry,
    };
    let mut rule = parse(&entry.origin)?.with_private(entry.private);
    if let Some(path) = &entry.path {
        rule = rule.with_path(PathPrefix::parse(path).map_err(|error| wrong(&error, None))?);
    }
    if let Some(methods) = &entry.methods {
        let methods: Result<Vec<http::Method>, _> = methods.iter().map(|method| method.parse()).collect();
        let methods = methods.map_err(|error| wrong(&error, None))?;
        rule = rule
            .with_methods(methods)
            .map_err(|error| wrong(&error, error.hint()))?;
    }
    Ok(rule)
}
