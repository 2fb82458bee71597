//! Build steps that Cargo has no words for. `make` calls them; `cargo run -p xtask -- help` lists them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

#[derive(Parser)]
enum Task {
    /// Turn a core module for wasm32-unknown-unknown into a component, and check it
    Component {
        /// The module that `cargo build --target wasm32-unknown-unknown` left
        module: PathBuf,
        /// Where the component goes
        #[arg(short, long)]
        output: PathBuf,
    },
    /// The same for every module of a folder
    Components {
        /// The folder that holds the modules
        modules: PathBuf,
        /// The folder that the components go to
        #[arg(short, long)]
        output: PathBuf,
    },
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Component { module, output } => component(&module, &output),
        Task::Components { modules, output } => components(&modules, &output),
    }
}

/// Encode the modules that Cargo names after their source; those with a hash in their name are the same ones.
fn components(modules: &std::path::Path, output: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(output).with_context(|| format!("make {}", output.display()))?;
    for entry in std::fs::read_dir(modules).with_context(|| format!("read {}", modules.display()))? {
        let path = entry?.path();
        let is_module = path.extension().is_some_and(|extension| extension == "wasm");
        if let (true, Some(name)) = (is_module, path.file_name())
            && !name.to_string_lossy().contains('-')
        {
            component(&path, &output.join(name))?;
        }
    }
    Ok(())
}

/// Encode `module` as a component. The imports that it has are exactly those that its code uses, so a node cannot even
/// ask for an environment or a file; `--target wasm32-wasip2` would add them for the sake of the standard library.
fn component(module: &std::path::Path, output: &std::path::Path) -> Result<()> {
    let bytes = std::fs::read(module).with_context(|| format!("read {}", module.display()))?;
    let component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .with_context(|| format!("{} holds no component interface", module.display()))?
        .encode()
        .with_context(|| format!("encode {}", module.display()))?;
    std::fs::write(output, component).with_context(|| format!("write {}", output.display()))
}
