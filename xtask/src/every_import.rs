//! Makes a component that imports every function of every interface that a node may import, as the runtimes of JavaScript and
//! Python do. It traps whatever is called: whether it links is what tests look at.

use std::path::Path;

use anyhow::{Context as _, Result};
use wit_dummy::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// What componentize-js 0.23 and componentize-py 0.25 import together, and the rest of these packages.
const WORLD: &str = "
package nodule:imports;

world node {
  include wasi:cli/imports@0.2.12;
  import wasi:http/types@0.2.12;
  import wasi:http/outgoing-handler@0.2.12;
  export workflow:node/types@0.2.0;
  export workflow:node/description@0.2.0;
  export workflow:node/execution@0.2.0;
}
";

/// Writes the component.
pub fn make(contract: &Path, output: &Path) -> Result<()> {
    let mut resolve = Resolve::default();
    resolve
        .push_path(contract)
        .with_context(|| format!("read {}", contract.display()))?;
    let package = resolve.push_str("every.wit", WORLD)?;
    let world = resolve.select_world(&[package], Some("node"))?;
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)?
        .encode()?;
    std::fs::write(output, component).with_context(|| format!("write {}", output.display()))
}
