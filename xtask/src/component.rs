//! A core module becomes a component.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use wasmparser::{Parser, Payload};

/// Encode `module` as a component. The imports that it has are exactly those that its code uses, so a node cannot even
/// ask for an environment or a file; `--target wasm32-wasip2` would add them for the sake of the standard library.
/// Names and other custom sections are left out of the component: they are for `size`, and a fifth of the file.
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
    // Whoever reads the old one meanwhile reads it whole.
    let part = output.with_extension("part");
    std::fs::write(&part, component)
        .and_then(|()| std::fs::rename(&part, output))
        .with_context(|| format!("write {}", output.display()))
}

/// [`make`] of every module that Cargo names after its source; those with a hash in their names are the same ones.
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

/// The component without names and producers, at any depth.
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
    // LEB128, as every length in WebAssembly.
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
