//! The service under the benchmark: the simulator, in its own process, so that its CPU time is not counted.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use nodule::{Component, Credential};

use crate::program::Program;

/// The app ID that the simulator accepts.
pub const APP_ID: &str = "demo";
/// Its secret; it protects nothing.
pub const APP_SECRET: &str = "demo-secret-0123456789";

/// A simulator that stops when this is dropped.
pub struct Service {
    base: String,
    _process: Program,
}

impl Service {
    /// Starts a simulator that delays each response by this long.
    pub fn start(simulator: &Path, latency_ms: u64) -> Result<Self> {
        let latency = latency_ms.to_string();
        let (process, base) = Program::start(Command::new(simulator).args(["--latency-ms", &latency]))?;
        Ok(Self {
            base,
            _process: process,
        })
    }

    /// The simulator's base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The node's credential for this simulator.
    pub fn credential(&self, component: &Component) -> Result<Credential> {
        credential(component, &self.base)
    }
}

/// The node's credential for a service at `base`.
pub fn credential(component: &Component, base: &str) -> Result<Credential> {
    Ok(Credential::from_json(component.node(), &credential_json(base))?)
}

/// The same credential as JSON text.
pub fn credential_json(base: &str) -> String {
    serde_json::json!({ "baseUrl": base, "appId": APP_ID, "appSecret": APP_SECRET }).to_string()
}
