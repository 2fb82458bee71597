//! Breaks a component's size down by crate.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// Crates with a smaller share of the code are combined.
const SMALL: f64 = 0.01;

/// A component's size, in bytes.
#[derive(serde::Serialize)]
struct Sizes {
    component: u64,
    code: usize,
    data: usize,
    /// The code by crate, largest first; small crates are one entry.
    crates: Vec<Crate>,
}

#[derive(serde::Serialize)]
struct Crate {
    name: String,
    bytes: usize,
}

/// Prints the component's size, its sections, and its code by the crate in each function's name.
#[expect(clippy::print_stdout, reason = "what this task is for")]
pub fn print(module: &Path, component: &Path, as_json: bool) -> Result<()> {
    let sizes = sizes(module, component)?;
    if as_json {
        println!("{}", serde_json::to_string(&sizes)?);
        return Ok(());
    }
    println!("{:>8}  {}", sizes.component, component.display());
    println!("{:>8}  code", sizes.code);
    println!("{:>8}  data", sizes.data);
    println!("\ncode by crate (a generic function counts for the crate that it is defined in)");
    for Crate { name, bytes } in sizes.crates {
        println!("{bytes:>8}  {:>4.1} %  {name}", share(bytes, sizes.code) * 100.0);
    }
    Ok(())
}

fn sizes(module: &Path, component: &Path) -> Result<Sizes> {
    let size = std::fs::metadata(component)
        .with_context(|| format!("read {}", component.display()))?
        .len();
    let module = std::fs::read(module).with_context(|| format!("read {}", module.display()))?;
    let parts = parts(&module)?;
    let mut crates: BTreeMap<String, usize> = BTreeMap::new();
    for (name, bytes) in &parts.code {
        *crates.entry(crate_of(name)).or_default() += bytes;
    }
    let code: usize = crates.values().sum();
    let mut rows: Vec<Crate> = crates
        .into_iter()
        .map(|(name, bytes)| Crate { name, bytes })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.bytes));
    let (mut crates, small): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| share(row.bytes, code) >= SMALL);
    if !small.is_empty() {
        crates.push(Crate {
            name: "all others".to_owned(),
            bytes: small.iter().map(|row| row.bytes).sum(),
        });
    }
    Ok(Sizes {
        component: size,
        code,
        data: parts.data,
        crates,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(bytes: usize, total: usize) -> f64 {
    bytes as f64 / total.max(1) as f64
}

struct Parts {
    /// Name and size of each function with a body.
    code: Vec<(String, usize)>,
    data: usize,
}

fn parts(module: &[u8]) -> Result<Parts> {
    let mut imported = 0_u32;
    let mut sizes = Vec::new();
    let mut data = 0;
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if matches!(import?.ty, wasmparser::TypeRef::Func(_)) {
                        imported += 1;
                    }
                }
            }
            Payload::CodeSectionEntry(body) => sizes.push(length(&body.range())?),
            Payload::DataSection(section) => data = length(&section.range())?,
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(section) = section.as_known() {
                    for name in section {
                        if let Name::Function(functions) = name? {
                            for function in functions {
                                let function = function?;
                                names.insert(function.index, function.name.to_owned());
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let code = sizes
        .into_iter()
        .zip(imported..)
        .map(|(size, index)| (names.remove(&index).unwrap_or_else(|| "unnamed".to_owned()), size))
        .collect();
    Ok(Parts { code, data })
}

fn length(range: &Range<u64>) -> Result<usize> {
    Ok(usize::try_from(range.end - range.start)?)
}

/// The crate in a mangled name. For `<a::B as c::D>::e` that is `a`, unless the type is a primitive.
fn crate_of(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let path = name
        .trim_start_matches(['<', '&', '*', '(', '[', ' '])
        .trim_start_matches("mut ")
        .trim_start_matches("dyn ");
    let first = path.split("::").next().unwrap_or(path);
    let is_crate = path.contains("::") && first.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (is_crate, name.split_once(" as ")) {
        (true, _) => first.to_owned(),
        (false, Some((_, of))) => of.split("::").next().unwrap_or(of).to_owned(),
        (false, None) if name.contains('#') || name.starts_with("cabi_") => {
            "the contract's exports".to_owned()
        }
        (false, None) => "no crate's (memcpy and the like)".to_owned(),
    }
}
