//! Vendors WASI's interfaces.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The crate that implements the interfaces for the host also ships them. So both have the same version, and vendoring
/// needs only the crate registry.
const SOURCE: &str = "wasmtime-wasi-http";

/// Copies the interfaces from the sources of the version in Cargo.lock.
pub fn vendor(target: &Path) -> Result<()> {
    let deps = source()?.join("wit/deps");
    std::fs::create_dir_all(target).with_context(|| format!("make {}", target.display()))?;
    for entry in std::fs::read_dir(&deps).with_context(|| format!("read {}", deps.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        // Written, not copied: the registry's files are read-only, and a copy would be too.
        let target = target.join(name);
        std::fs::write(&target, text).with_context(|| format!("write {}", target.display()))?;
    }
    Ok(())
}

fn source() -> Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let manifest = packages
        .iter()
        .find(|package| package.get("name").and_then(Value::as_str) == Some(SOURCE))
        .and_then(|package| package.get("manifest_path")?.as_str())
        .with_context(|| format!("no package `{SOURCE}` in Cargo.lock"))?;
    Path::new(manifest)
        .parent()
        .map(Path::to_owned)
        .context("a manifest without a folder")
}
