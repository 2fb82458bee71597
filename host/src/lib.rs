//! Load, constrain and run workflow nodes that run untrusted.
//!
//! A node is a WebAssembly component that exports the contract `workflow:node`. It describes itself, turns a credential
//! into a session, and runs operations on items. This library gives a node outgoing HTTP to the origins that were
//! granted, a clock and random numbers, within limits, and nothing else.
//!
//! ```no_run
//! use futures_util::StreamExt as _;
//! use nodule::policy::{Policy, Rule};
//! use nodule::{Credential, Engine, EngineConfig, Failure, RunOptions};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Once per process: the engine keeps compiled code, connections and sessions.
//!     let engine = Engine::new(&EngineConfig::default().cache_dir("/var/cache/my-engine"))?;
//!
//!     // Once per node: check the pinned digest, compile, check the imports, let the node describe itself.
//!     let component = engine.load_file_pinned("library.wasm", "sha256:…").await?;
//!     for operation in &component.node().operations {
//!         println!("{} {}: {}", operation.group, operation.name, operation.summary);
//!     }
//!
//!     // Once per tenant: what the node may use. The policy need not list the credential's base URL.
//!     let mut policy = Policy::default();
//!     policy.allow(Rule::parse("https://images.example.com/public")?);
//!     let credential = Credential::from_json(component.node(), &std::fs::read_to_string("credential.json")?)?;
//!     let runner = component.runner().policy(policy).credential(credential).tenant("tenant-7").build()?;
//!
//!     // For each run: items in, results out, in the items' order. Dropping `results` cancels the run.
//!     let items = futures_util::stream::iter(["0198526636", "0262510871"]).map(|isbn| Ok(format!(r#"{{"isbn":"{isbn}"}}"#)));
//!     let mut results = runner.run("book", "getBook", items, &RunOptions::default().concurrency(64)).await?;
//!     while let Some(completed) = results.next().await {
//!         // An error means that the run broke: some items have no result.
//!         match completed?.result {
//!             Ok(outputs) => outputs.iter().for_each(|output| println!("{}", output.json())),
//!             Err(Failure::Throttled { retry_after_ms, .. }) => println!("try again in {retry_after_ms:?} ms"),
//!             Err(failure) => println!("{}: {failure}", failure.kind()),
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Guarantees
//!
//! - A node reaches only what the [policy] and its credential's base URL allow, over a connection to a checked
//!   [address]. The default policy allows nothing.
//! - Only `authenticate` sees the secret, in an instance that is dropped before its session is used. The host adds the
//!   session to requests outside the sandbox, and redacts responses ([redact]).
//! - Memory, time, responses and everything else that can grow have [limits].
//! - Every item has exactly one result, in order, whatever the node does.
//! - A replay of a [recording] opens no socket.
//!
//! A failed item has a [`Failure`], whose variant says who has to act. Everything that goes wrong outside of an item is
//! an [`Error`] with a [hint](Error::hint).

mod error;
pub mod events;
mod gate;
mod run;
mod runtime;

// Crates whose types appear in this crate's API, re-exported in the matching version.
#[doc(no_inline)]
pub use {bytes, http, jiff, serde_json, tokio, url};

/// Files that go with items, and files that come out of them.
pub mod file {
    pub use crate::gate::file::{FileBytes, FileReader, FileSource, InputFile};
    pub use crate::run::{FileStore, NewFile, NewItem};
    pub use nodule_core::file::{FileContent, FileRef, safe_name, take_files};
}

pub use error::Error;
pub use events::Observer;
pub use gate::budget::Budget;
pub use gate::network;
pub use gate::pipeline::{HookedRequest, Planned, RequestHook};
pub use gate::tls::Tls;
pub use nodule_core::credential::{Credential, CredentialError};
pub use nodule_core::failure::{Answer, Certainty, Failure, LOGIN_REQUIRED, ParameterProblem, TOKEN_STORE};
pub use nodule_core::outcome::{ItemResult, Output, OutputFile};
pub use nodule_core::{
    address, canonical, description, json, limits, path_template, policy, question, rate, recording, redact,
    retry, secret, text,
};
pub use run::journal;
pub use run::runner::{Runner, RunnerBuilder};
pub use run::{
    Completed, Control, DEFAULT_CONCURRENCY, Ended, ItemError, Latency, Login, LoginError, Notice,
    NoticeSender, OnFailure, OnUnknown, Part, ResultOrder, Results, RunOptions, Summary, Watch,
};
pub use runtime::component::{ArtifactKey, CONTRACT, Component};
pub use runtime::engine::{Engine, EngineConfig};
pub use runtime::oauth2;
pub use runtime::precompiler::{Precompiler, Uncompiled};
pub use runtime::wit::WIT;
