//! Load, constrain and run workflow nodes that nobody had to trust.
//!
//! A node is a WebAssembly component of the contract `workflow:node`. It describes itself, turns a credential into a
//! session, and runs operations on items. This library gives it outgoing HTTP to what was granted, a clock and random
//! numbers, within limits, and nothing else.
//!
//! ```no_run
//! use futures_util::StreamExt as _;
//! use nodule::policy::{Policy, Rule};
//! use nodule::{Credential, Engine, EngineConfig, Failure, RunOptions};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Once for a process: compiled code, connections and sessions are kept here.
//!     let engine = Engine::new(&EngineConfig::default().cache_dir("/var/cache/my-engine"))?;
//!
//!     // Once for a node: the one that was pinned, compiled, checked, described.
//!     let component = engine.load_file_pinned("library.wasm", "sha256:…").await?;
//!     for operation in &component.node().operations {
//!         println!("{} {}: {}", operation.group, operation.name, operation.summary);
//!     }
//!
//!     // Once for a tenant: what it may use. The credential's base URL is allowed by giving the credential.
//!     let mut policy = Policy::default();
//!     policy.allow(Rule::parse("https://images.example.com/public")?);
//!     let credential = Credential::from_json(component.node(), &std::fs::read_to_string("credential.json")?)?;
//!     let runner = component.runner().policy(policy).credential(credential).tenant("tenant-7").build()?;
//!
//!     // For each run: items in, results out, in the items' order. Dropping the results ends the run.
//!     let items = futures_util::stream::iter(["0198526636", "0262510871"]).map(|isbn| Ok(format!(r#"{{"isbn":"{isbn}"}}"#)));
//!     let mut results = runner.run("book", "getBook", items, &RunOptions::default().concurrency(64)).await?;
//!     while let Some(completed) = results.next().await {
//!         // An error says that the run broke: some items have no result.
//!         match completed?.result {
//!             Ok(output) => output.iter().for_each(|json| println!("{json}")),
//!             Err(Failure::Throttled { retry_after_ms, .. }) => println!("try again in {retry_after_ms:?} ms"),
//!             Err(failure) => println!("{}: {failure}", failure.kind()),
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What holds
//!
//! - A node reaches what the [policy] and its credential's base URL allow, over a connection to an
//!   [address] that was checked. The default allows nothing.
//! - The secret is shown to `authenticate` alone, in an instance that is dropped before its session is used. The session
//!   is added to requests outside the sandbox. What comes back is redacted ([redact]).
//! - Memory, time, answers and everything else that can grow have [limits].
//! - Every item has exactly one result, in order, whatever the node does.
//! - A replay of a [recording] opens no socket.
//!
//! Failures of items are [`Failure`]s, split by who has to act; what goes wrong beside a run is an [`Error`] with a
//! [hint](Error::hint).

mod error;
pub mod events;
mod gate;
mod run;
mod runtime;

// What is in this crate's API and comes from another, in the version that it is of.
#[doc(no_inline)]
pub use {bytes, http, jiff, serde_json, tokio, url};

pub use error::Error;
pub use events::Observer;
pub use gate::budget::Budget;
pub use gate::network;
pub use gate::pipeline::{HookedRequest, Planned, RequestHook};
pub use nodule_core::credential::{Credential, CredentialError};
pub use nodule_core::failure::{Answer, Certainty, Failure, ParameterProblem};
pub use nodule_core::outcome::ItemResult;
pub use nodule_core::{
    address, canonical, description, json, limits, path_template, policy, rate, recording, redact, retry,
    secret, text,
};
pub use run::journal;
pub use run::runner::{Runner, RunnerBuilder};
pub use run::{
    Completed, Control, DEFAULT_CONCURRENCY, Ended, ItemError, Latency, Notice, NoticeSender, OnFailure,
    OnUnknown, ResultOrder, Results, RunOptions, Summary, Watch,
};
pub use runtime::component::{ArtifactKey, CONTRACT, Component, Precompiler, Uncompiled};
pub use runtime::engine::{Engine, EngineConfig};
