//! Turns a core module into a component.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use wasmparser::{Parser, Payload};

/// Encodes `module` as a component. It imports exactly what its code uses, so a node cannot even ask for an environment
/// or a file; `--target wasm32-wasip2` would add those imports for the standard library. Names and other custom
/// sections are removed: only `size` needs them, and they are a fifth of the file.
pub fn make(module: &Path, output: &Path) -> Result<()> {
    let bytes = std::fs::read(module).with_context(|| format!("read {}", module.display()))?;
    let component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .with_context(|| format!("{} holds no component interface", module.display()))?
        .encode()
        .with_context(|| format!("encode {}", module.display()))?;
    let component = without_custom_sections(&component)?;
    if let Some(dir) = output.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    }
    // Rename, so that a program that is reading the old file reads all of it.
    let part = output.with_extension("part");
    std::fs::write(&part, component)
        .and_then(|()| std::fs::rename(&part, output))
        .with_context(|| format!("write {}", output.display()))
}

/// Calls [`make`] for every module that Cargo names after its source; those with a hash in their names are duplicates.
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

/// Removes the names and producers sections at any depth.
fn without_custom_sections(component: &[u8]) -> Result<Vec<u8>> {
    let mut stack = Vec::new();
    let mut output = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match &payload {
            Payload::Version { encoding, .. } => output.extend_from_slice(match encoding {
                wasmparser::Encoding::Module => b"\0asm\x01\0\0\0",
                wasmparser::Encoding::Component => b"\0asm\x0d\0\x01\0",
            }),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                stack.push((
                    std::mem::take(&mut output),
                    payload.as_section().map(|(id, _)| id),
                ));
                continue;
            }
            Payload::End(_) => {
                let Some((outer, id)) = stack.pop() else { break };
                let inner = std::mem::replace(&mut output, outer);
                section(&mut output, id.unwrap_or_default(), &inner);
                continue;
            }
            _ => {}
        }
        if matches!(payload, Payload::CustomSection(_)) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            section(&mut output, id, bytes(component, &range)?);
        }
    }
    Ok(output)
}

fn bytes<'a>(component: &'a [u8], range: &Range<u64>) -> Result<&'a [u8]> {
    let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
    component.get(range).context("a section beyond the end")
}

fn section(output: &mut Vec<u8>, id: u8, bytes: &[u8]) {
    output.push(id);
    let mut length = bytes.len();
    // LEB128, like every length in WebAssembly.
    loop {
        let byte = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            output.push(byte);
            break;
        }
        output.push(byte | 0x80);
    }
    output.extend_from_slice(bytes);
}
