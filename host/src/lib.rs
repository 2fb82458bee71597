//! Load, constrain and run workflow nodes that nobody had to trust.

pub mod address;
mod bindings;
mod call;
pub mod canonical;
mod client;
mod component;
mod credential;
pub mod description;
mod engine;
mod error;
mod failure;
mod instance;
pub mod journal;
pub mod limits;
mod outcome;
mod pipeline;
pub mod policy;
pub mod rate;
pub mod recording;
pub mod redact;
pub mod retry;
mod run;
mod runner;
pub mod secret;
mod session;

pub use component::Component;
pub use credential::Credential;
pub use engine::{Engine, EngineConfig};
pub use error::Error;
pub use failure::{Answer, Certainty, Failure, ParameterProblem};
pub use pipeline::Planned;
pub use run::{CONCURRENCY, Control, Ended, ItemResult, Latency, Notice, OnFailure, OnUnknown, Results, RunOptions, Summary, Watch};
pub use runner::{Runner, RunnerBuilder, declared};
