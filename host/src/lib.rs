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
mod events;
mod failure;
mod instance;
pub mod limits;
pub mod network;
mod pipeline;
pub mod policy;
pub mod recording;
pub mod redact;
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
pub use run::{CONCURRENCY, ItemResult, OnFailure, Results, RunOptions};
pub use runner::{Runner, RunnerBuilder, declared};
