//! Turns core modules into components.

use std::path::Path;

use anyhow::{Context as _, Result};
use nodule_core::encode;

/// Encodes `module` as a component in `output`.
fn make(module: &Path, output: &Path) -> Result<()> {
    let bytes = std::fs::read(module).with_context(|| format!("read {}", module.display()))?;
    let component = encode::component(&bytes).with_context(|| format!("encode {}", module.display()))?;
    if let Some(dir) = output.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    }
    // Rename, so that a program that is reading the old file reads all of it.
    let part = output.with_extension("part");
    std::fs::write(&part, component)
        .and_then(|()| std::fs::rename(&part, output))
        .with_context(|| format!("write {}", output.display()))
}

/// Encodes every module that Cargo names after its source; those with a hash in their names are duplicates.
pub fn make_all(modules: &Path, output: &Path) -> Result<()> {
    for entry in std::fs::read_dir(modules).with_context(|| format!("read {}", modules.display()))? {
        let path = entry?.path();
        let is_module = path.extension().is_some_and(|extension| extension == "wasm");
        if let (true, Some(name)) = (is_module, path.file_name())
            && !name.to_string_lossy().contains('-')
        {
            make(&path, &output.join(name))?;
        }
    }
    Ok(())
}
