//! The service that is called: the simulator, in a process of its own, so that what it spends is not counted.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nodule::{Component, Credential};

/// The credential that it accepts.
pub const APP_ID: &str = "demo";
/// Its secret: of the simulator, not of anybody.
pub const APP_SECRET: &str = "demo-secret-0123456789";

/// A simulator that ends with this value.
pub struct Service {
    process: Child,
    base: String,
}

impl Service {
    /// Start one that waits so long before each request.
    pub fn start(simulator: &Path, latency_ms: u64) -> Result<Self> {
        let mut process = Command::new(simulator)
            .args(["--latency-ms", &latency_ms.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("the simulator {} (`make build` leaves it)", simulator.display()))?;
        let mut base = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut base)?;
        }
        let service = Self {
            process,
            base: base.trim().to_owned(),
        };
        ensure!(!service.base.is_empty(), "the simulator ended before it listened");
        Ok(service)
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

impl Drop for Service {
    fn drop(&mut self) {
        // It has nothing to save, and may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
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
