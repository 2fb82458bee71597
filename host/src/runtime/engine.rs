//! The engine that compiles and runs components. A process has one, shared by all nodes, runs and tenants.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Enabled, PoolingAllocationConfig};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p2::bindings::{clocks, random};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi_http::WasiHttp;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings as http_bindings;

use crate::error::Error;
use crate::events::Observer;
use crate::gate::client::{Clients, Outbound};
use crate::gate::network::{Network, Proxy, System};
use crate::gate::tls::trusted_certificates;
use crate::runtime::answers::Answers;
use crate::runtime::cache_dir;
use crate::runtime::http::{handler, polling, telling};
use crate::runtime::loaded::Loaded;
use crate::runtime::precompiler::Precompiler;
use crate::runtime::session::Sessions;
use crate::runtime::state::State;
use crate::runtime::{void_wasi, waiting};
use nodule_core::address::AddressLists;
use nodule_core::limits::{DEFAULT_MEMORY_BYTES, DEFAULT_STACK_BYTES, DEFAULT_TABLE_ELEMENTS};

/// How often running code is interrupted, so that deadlines are checked and other tasks of the thread run. A hundredth
/// of a second is short compared with every deadline, and long compared with the microseconds that an interruption
/// takes.
pub(crate) const EPOCH: Duration = Duration::from_millis(10);

/// The host's own code also runs on the guest's fibre, in addition to what the guest may use.
const HOST_STACK_BYTES: usize = 512 * 1024;

/// Wasmtime's subfolder of the folder of compiled components.
const COMPILED_CODE: &str = "code";

/// The module, the two that `wit-component` adds to link its functions, and one more for an adapter.
const CORE_INSTANCES: u32 = 4;
/// The module's own table and that of the shim.
const TABLES: u32 = 2;
/// Up to this size, an instance's memory is zeroed when it is dropped. Beyond it, memory is returned to the system,
/// which costs more.
const KEPT_MEMORY_BYTES: usize = 256 * 1024;
/// The same for tables.
const KEPT_TABLE_BYTES: usize = 16 * 1024;
/// The same for stacks.
const KEPT_STACK_BYTES: usize = 64 * 1024;

/// The configuration of an engine. The default compiles every component at every start; set a `cache_dir` to avoid
/// that.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineConfig {
    /// The folder in which compiled components are cached between runs: an absolute path. Its files run as machine
    /// code, so [`Engine::new`] refuses a folder if anyone but this user and root may write to it, to its parents or to
    /// anything in it. A missing folder is created for this user alone. Wasmtime's files in it get the modes that the
    /// process's umask allows: with one that lets the group write (002), the next start refuses the folder. On systems
    /// other than Unix nothing is checked.
    pub cache_dir: Option<PathBuf>,
    /// Certificates (DER) to trust in addition to the public web's, for services of your own.
    pub extra_roots: Vec<Vec<u8>>,
    /// Addresses that are allowed or blocked for all nodes, whatever their policies say.
    pub addresses: AddressLists,
    /// The proxy for requests. By default there is no proxy, whatever the environment says.
    pub proxy: Option<Proxy>,
    /// How names are resolved and connections opened. The default is the system's resolver and sockets.
    pub network: Arc<dyn Network>,
    /// The stack for a node's calls, in bytes. An engine has one stack size, so a runner with another `stack-bytes` is
    /// refused.
    pub stack_bytes: usize,
    /// The maximum number of instances, if their memory is reserved in advance. `None`: as many as the machine allows,
    /// each mapped when it is made.
    pub pooling: Option<NonZeroU32>,
    /// Whether nodes that can run by turns do so.
    pub turns: bool,
    /// Compiles components within bounds before the engine takes their code from the cache. Without it, the engine
    /// compiles them itself.
    pub precompiler: Option<Arc<dyn Precompiler>>,
    /// Counts and measures what happens.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            extra_roots: Vec::new(),
            addresses: AddressLists::default(),
            proxy: None,
            network: Arc::new(System),
            stack_bytes: DEFAULT_STACK_BYTES,
            pooling: None,
            turns: true,
            precompiler: None,
            observer: None,
        }
    }
}

impl EngineConfig {
    /// Caches compiled components in `dir`.
    #[must_use]
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(dir.into());
        self
    }

    /// Allows and blocks these addresses for all nodes.
    #[must_use]
    pub fn addresses(mut self, lists: AddressLists) -> Self {
        self.addresses = lists;
        self
    }

    /// Sends requests through this proxy. The proxy resolves names itself, without the address rules: see [`Proxy`].
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Resolves names and opens connections with this network.
    #[must_use]
    pub fn network(mut self, network: impl Network + 'static) -> Self {
        self.network = Arc::new(network);
        self
    }

    /// Sets the stack for a node's calls, in bytes.
    #[must_use]
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = bytes;
        self
    }

    /// Reserves address space for this many instances and reuses it: instances are made faster, and thousands of them
    /// do not exhaust the system's mappings. 0 reserves none. A call that finds no free instance fails with `limit`,
    /// and no node gets more memory than [`DEFAULT_MEMORY_BYTES`](nodule_core::limits::DEFAULT_MEMORY_BYTES), whatever
    /// its limit says.
    #[must_use]
    pub fn pooling(mut self, instances: u32) -> Self {
        self.pooling = NonZeroU32::new(instances);
        self
    }

    /// Whether to run nodes by turns if they can, which is faster, or through `wasi:http` as other hosts do. Nothing
    /// else differs.
    #[must_use]
    pub fn turns(mut self, turns: bool) -> Self {
        self.turns = turns;
        self
    }

    /// Compiles components with this precompiler before they are loaded. It requires a [`cache_dir`](Self::cache_dir).
    #[must_use]
    pub fn precompiler(mut self, precompiler: impl Precompiler + 'static) -> Self {
        self.precompiler = Some(Arc::new(precompiler));
        self
    }

    /// Counts and measures what happens with this observer.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Trusts this certificate (DER) in addition to the public web's.
    #[must_use]
    pub fn extra_root(mut self, certificate: Vec<u8>) -> Self {
        self.extra_roots.push(certificate);
        self
    }

    /// Trusts every certificate in this text (PEM), which may be a bundle, in addition to the public web's. Everything
    /// else in the text, such as comments, is ignored.
    ///
    /// # Errors
    ///
    /// The text contains no certificate, or an invalid one.
    pub fn extra_roots_pem(mut self, pem: &str) -> Result<Self, Error> {
        let found = trusted_certificates(pem)?;
        self.extra_roots
            .extend(found.iter().map(|certificate| certificate.to_vec()));
        Ok(self)
    }
}

/// Compiles and runs components. Cheap to clone. Clones share the caches of compiled code, connections and sessions,
/// which keep the data of different owners apart.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    clients: Arc<Clients>,
    sessions: Sessions,
    answers: Answers,
    loaded: Loaded,
    precompiler: Option<Arc<dyn Precompiler>>,
    observer: Option<Arc<dyn Observer>>,
    stack_bytes: usize,
    turns: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Sets up an engine.
    ///
    /// # Errors
    ///
    /// The cache's folder cannot be used ([`Error::CacheDir`] if others could write to it), a certificate is invalid,
    /// or the machine is not supported.
    pub fn new(config: &EngineConfig) -> Result<Self, Error> {
        let broken = |error: wasmtime::Error| Error::Engine {
            message: format!("{error:#}"),
        };
        let mut settings = wasmtime::Config::new();
        settings
            .epoch_interruption(true)
            // Nodes are plain WASI 0.2 components. Without the machinery of component-model-async, calls are cheaper.
            .concurrency_support(false)
            .max_wasm_stack(config.stack_bytes)
            .async_stack_size(config.stack_bytes.saturating_add(HOST_STACK_BYTES))
            // A node's description must be a function of its bytes on every machine. NaN bits and relaxed SIMD could
            // tell machines apart.
            .cranelift_nan_canonicalization(true)
            .relaxed_simd_deterministic(true)
            // The languages that nodes are compiled from need no garbage collector. Leaving it out also avoids
            // RUSTSEC-2026-0570.
            .gc_support(false)
            // A module may declare exceptions without this; the languages that nodes are compiled from throw none.
            .wasm_exceptions(false)
            // Backtraces of guests help only their authors, and cost time if a hostile node traps on purpose.
            .wasm_backtrace_max_frames(None);
        if let Some(instances) = config.pooling {
            settings.allocation_strategy(pool(instances.get()));
        }
        if let Some(dir) = &config.cache_dir {
            let mut cache = wasmtime::CacheConfig::new();
            // Wasmtime removes files that it does not know from its folder.
            cache.with_directory(cache_dir::prepare(dir)?.join(COMPILED_CODE));
            settings.cache(Some(wasmtime::Cache::new(cache).map_err(broken)?));
        }
        let outbound = Outbound::new(
            Arc::clone(&config.network),
            config.addresses.clone(),
            config.proxy.clone(),
        );
        let wasmtime = wasmtime::Engine::new(&settings).map_err(broken)?;
        tick(&wasmtime)?;
        Ok(Self {
            inner: Arc::new(Inner {
                linker: linker(&wasmtime).map_err(broken)?,
                wasmtime,
                clients: Arc::new(Clients::new(&config.extra_roots, outbound)?),
                sessions: Sessions::new()?,
                answers: Answers::new()?,
                loaded: Loaded::default(),
                precompiler: config.precompiler.clone(),
                observer: config.observer.clone(),
                stack_bytes: config.stack_bytes,
                turns: config.turns,
            }),
        })
    }

    /// Forgets the sessions of a tenant, in all runners: those that are kept and those that are being made. Kept answers to
    /// the questions of forms are forgotten with them. No later
    /// call starts with one of them; a call in flight keeps the session that it has. A runner that still exists makes a
    /// new session when it needs one, since it has the credential. If that must not happen, drop the tenant's runs and
    /// runners first.
    pub fn forget_sessions(&self, tenant: &str) {
        self.inner.sessions.forget(tenant);
        self.inner.answers.forget_tenant(tenant);
    }

    /// The precompiler, if there is one.
    pub(crate) fn precompiler(&self) -> Option<&dyn Precompiler> {
        self.inner.precompiler.as_deref()
    }

    /// The observer, if there is one.
    pub(crate) fn observer(&self) -> Option<&Arc<dyn Observer>> {
        self.inner.observer.as_ref()
    }

    /// Whether nodes that can run by turns do so.
    pub(crate) fn turns(&self) -> bool {
        self.inner.turns
    }

    /// The stack size of every node's calls, in bytes.
    pub(crate) fn stack_bytes(&self) -> usize {
        self.inner.stack_bytes
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner.wasmtime
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.inner.linker
    }

    pub(crate) fn clients(&self) -> &Arc<Clients> {
        &self.inner.clients
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// The answers to questions of forms that are kept.
    pub(crate) fn answers(&self) -> &Answers {
        &self.inner.answers
    }

    /// The components in use.
    pub(super) fn loaded(&self) -> &Loaded {
        &self.inner.loaded
    }
}

/// The interfaces that a node may import: those of the contract's world, and [void versions](void_wasi) of what the runtimes
/// of languages import.
fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    wasmtime_wasi_io::add_to_linker_async(l)?;
    polling::add_to_linker(l)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    waiting::add_to_linker(l)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    random::random::add_to_linker::<State, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    let options = http_bindings::LinkOptions::default();
    http_bindings::http::types::add_to_linker::<State, WasiHttp>(l, &(&options).into(), State::http)?;
    handler::add_to_linker(l)?;
    telling::add_to_linker(l)?;
    void_wasi::add_to_linker(l)?;
    Ok(linker)
}

/// A pool for this many instances of components as `wit-component` makes them.
fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .total_tables(instances.saturating_mul(TABLES))
        .total_memories(instances)
        .total_stacks(instances)
        .max_memory_size(DEFAULT_MEMORY_BYTES)
        .table_elements(DEFAULT_TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEPT_MEMORY_BYTES)
        .table_keep_resident(KEPT_TABLE_BYTES)
        .async_stack_keep_resident(KEPT_STACK_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Increments the engine's epoch for as long as the engine lives.
fn tick(engine: &wasmtime::Engine) -> Result<(), Error> {
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("nodule-epoch".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(EPOCH);
            }
        })
        .map(|_| ())
        .map_err(|error| Error::Engine {
            message: format!("no thread for the deadlines: {error}"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tls::tests::pem as labelled;

    fn pem(der: &[u8]) -> String {
        labelled("CERTIFICATE", der)
    }

    fn certificate(name: &str) -> Vec<u8> {
        let signed = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        signed.cert.der().to_vec()
    }

    #[test]
    fn every_certificate_of_a_bundle_is_trusted() {
        let (one, two) = (certificate("one.example"), certificate("two.example"));
        let bundle = format!("# Our own\n{}\r\n# The other\n{}", pem(&one), pem(&two));
        let config = EngineConfig::default()
            .extra_root(vec![1])
            .extra_roots_pem(&bundle)
            .unwrap();
        assert_eq!(config.extra_roots, [vec![1], one, two]);
    }

    #[test]
    fn a_text_without_certificates_is_refused() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for text in ["", "a certificate", key] {
            let error = EngineConfig::default().extra_roots_pem(text).unwrap_err();
            assert!(error.to_string().ends_with("found none"), "{error}");
        }
    }

    #[test]
    fn a_broken_certificate_is_named_by_its_number() {
        let whole = pem(&certificate("one.example"));
        let cut_off = whole.replace("-----END CERTIFICATE-----", "");
        let no_base64 = whole.replacen("MII", "M#I", 1);
        for broken in [cut_off, no_base64, pem(b"no certificate")] {
            let error = EngineConfig::default()
                .extra_roots_pem(&format!("{whole}{broken}"))
                .unwrap_err();
            let said = "trusted certificates: certificate 2: ";
            assert!(error.to_string().starts_with(said), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
