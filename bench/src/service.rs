//! The service that is called: the simulator, in a process of its own, so that what it spends is not counted.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use nodule::{Component, Credential};

use crate::program::Program;

/// The credential that it accepts.
pub const APP_ID: &str = "demo";
/// Its secret: of the simulator, not of anybody.
pub const APP_SECRET: &str = "demo-secret-0123456789";

/// A simulator that ends with this value.
pub struct Service {
    base: String,
    _process: Program,
}

impl Service {
    /// Start one that waits so long before each request.
    pub fn start(simulator: &Path, latency_ms: u64) -> Result<Self> {
        let latency = latency_ms.to_string();
        let (process, base) = Program::start(Command::new(simulator).args(["--latency-ms", &latency]))?;
        Ok(Self {
            base,
            _process: process,
        })
    }

    /// Where it listens.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The credential for it, as the node wants it.
    pub fn credential(&self, component: &Component) -> Result<Credential> {
        credential(component, &self.base)
    }
}

/// The credential for a service at `base`, as the node wants it.
pub fn credential(component: &Component, base: &str) -> Result<Credential> {
    Ok(Credential::from_json(component.node(), &credential_json(base))?)
}

/// The same as a JSON text.
pub fn credential_json(base: &str) -> String {
    serde_json::json!({ "baseUrl": base, "appId": APP_ID, "appSecret": APP_SECRET }).to_string()
}
