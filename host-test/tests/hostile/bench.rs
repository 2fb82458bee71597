//! What the rows share: an engine with its own network, the guests, the log.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nodule::policy::Policy;
use nodule::{Component, Credential, Engine, EngineConfig, Failure, ItemResult, RunOptions, Runner};
use serde_json::{Value, json};
use tracing_subscriber::Layer as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::network::Fake;

/// The secret of every credential. The token of a session is the secret backwards.
pub const SECRET: &str = "s3cr3t/value+0123456789\"abcdef";

/// A text that occurs only in items; no event may show it.
pub const ITEM_DATA: &str = "item-data-7f3a9";

pub struct Bench {
    pub engine: Engine,
    /// Whether nodes run by turns.
    pub turns: bool,
    pub network: Fake,
    pub log: Log,
    components: Mutex<HashMap<String, Component>>,
}

impl Bench {
    pub fn new() -> Self {
        let network = Fake::default();
        let log = Log::default();
        // The same filter as the command's: events of other libraries may contain anything.
        let ours = tracing_subscriber::filter::Targets::new()
            .with_target("nodule", tracing_subscriber::filter::LevelFilter::TRACE);
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .with_writer(log.clone())
            .with_filter(ours);
        tracing_subscriber::registry().with(lines).init();
        let engine = Engine::new(&EngineConfig::default().network(network.clone())).unwrap();
        Self {
            engine,
            turns: true,
            network,
            log,
            components: Mutex::default(),
        }
    }

    /// The same bench with an engine that does not run nodes by turns.
    pub fn through_wasi(&self) -> Self {
        Self {
            turns: false,
            ..self.with(|config| config.turns(false))
        }
    }

    /// The same bench with a differently configured engine.
    pub fn with(&self, change: impl FnOnce(EngineConfig) -> EngineConfig) -> Self {
        let config = EngineConfig::default().network(self.network.clone());
        Self {
            engine: Engine::new(&change(config.turns(self.turns))).unwrap(),
            turns: self.turns,
            network: self.network.clone(),
            log: self.log.clone(),
            components: Mutex::default(),
        }
    }

    pub async fn guest(&self, name: &str) -> Component {
        let loaded = self.components.lock().unwrap().get(name).cloned();
        match loaded {
            Some(component) => component,
            None => {
                let component = self.engine.load_file(file(name)).await.unwrap();
                self.components
                    .lock()
                    .unwrap()
                    .insert(name.to_owned(), component.clone());
                component
            }
        }
    }

    /// This repository's node, for the rows about services.
    pub async fn socialhub(&self) -> Component {
        self.engine
            .load_file(target().join("socialhub.wasm"))
            .await
            .unwrap()
    }
}

/// A guest, its limits, and its service.
pub struct Setup {
    pub component: Component,
    pub base: String,
    pub policy: String,
    pub mode: String,
}

impl Setup {
    pub async fn new(bench: &Bench, guest: &str, base: impl Into<String>) -> Self {
        Self {
            component: bench.guest(guest).await,
            base: base.into(),
            policy: String::new(),
            mode: String::new(),
        }
    }

    /// Lines of a policy file.
    pub fn policy(mut self, lines: impl AsRef<str>) -> Self {
        self.policy.push_str(lines.as_ref());
        self.policy.push('\n');
        self
    }

    /// An allow entry.
    pub fn allow(self, origin: &str) -> Self {
        self.policy(format!("[[allow]]\norigin = \"{origin}\""))
    }

    pub fn limits(self, lines: &str) -> Self {
        self.policy(format!("[limits]\n{lines}"))
    }

    pub fn mode(mut self, mode: &str) -> Self {
        mode.clone_into(&mut self.mode);
        self
    }

    pub fn credential(&self) -> Credential {
        let mode = if self.mode.is_empty() { "none" } else { &self.mode };
        let json = json!({"baseUrl": self.base, "secret": SECRET, "mode": mode});
        Credential::from_json(self.component.node(), &json.to_string()).unwrap()
    }

    pub fn runner(&self) -> Runner {
        self.builder().build().unwrap()
    }

    pub fn builder(&self) -> nodule::RunnerBuilder {
        let policy = Policy::from_toml(&self.policy, "policy.toml").unwrap();
        self.component
            .runner()
            .policy(policy)
            .credential(self.credential())
    }

    /// Runs items of `things.read`.
    pub async fn run(&self, items: Vec<Value>) -> Vec<ItemResult> {
        let options = RunOptions::default();
        self.runner()
            .execute("things", "read", items, &options)
            .await
            .unwrap()
    }

    /// Runs one request with the guest `calls`, then an honest request, which has to succeed.
    pub async fn call(&self, request: Value) -> Result<Value, Failure> {
        let honest = json!({"requests": [{"url": format!("{}/things/1", self.base)}]});
        let results = self.run(vec![json!({"requests": [request]}), honest]).await;
        let [first, second] = <[ItemResult; 2]>::try_from(results).unwrap();
        assert_eq!(output(&second)[0]["status"], 200, "the next item runs");
        first.map(|output| serde_json::from_str(output[0].get()).unwrap())
    }

    /// The same with a plain GET of a URL.
    pub async fn get(&self, url: &str) -> Result<Value, Failure> {
        self.call(json!({"url": url})).await
    }
}

pub fn output(result: &ItemResult) -> Vec<Value> {
    match result {
        Ok(output) => output
            .iter()
            .map(|json| serde_json::from_str(json.get()).unwrap())
            .collect(),
        Err(failure) => panic!("expected output, found {failure:?}"),
    }
}

pub fn kinds(results: &[ItemResult]) -> Vec<String> {
    results
        .iter()
        .map(|result| match result {
            Ok(_) => "ok".to_owned(),
            Err(failure) => failure.kind().to_owned(),
        })
        .collect()
}

/// The folder of the built files.
pub fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// A guest's file.
pub fn file(guest: &str) -> PathBuf {
    target().join("hostile").join(guest).with_extension("wasm")
}

/// The command, next to this test's own executable.
pub fn command() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent().unwrap().parent().unwrap().join("nodule")
}

/// Runs a command and returns its output and status.
pub async fn finished(mut command: std::process::Command) -> std::process::Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// A log of every event, as JSON lines.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>, Arc<AtomicBool>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
    }

    /// Stops or resumes logging, because the log itself uses memory.
    pub fn pause(&self, paused: bool) {
        self.1.store(paused, Ordering::SeqCst);
    }

    /// Stops logging until the guard is dropped, even if the row fails.
    pub fn quiet(&self) -> impl Drop + use<> {
        struct Quiet(Log);
        impl Drop for Quiet {
            fn drop(&mut self) {
                self.0.pause(false);
            }
        }
        self.pause(true);
        Quiet(self.clone())
    }

    /// The fields of the newest event with this message.
    pub fn last(&self, message: &str) -> Value {
        let text = self.text();
        let mut events = text
            .lines()
            .rev()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let event = events.find(|event| event["fields"]["message"] == message);
        event.unwrap_or_else(|| panic!("no event `{message}`"))["fields"].take()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.1.load(Ordering::SeqCst) {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
