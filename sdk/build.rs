//! Encodes what `export!` writes into a component about its world: one section for each interface that a node can choose.
//!
//! `wit-bindgen` writes such a section for one world, which a crate must choose for all its users. A component may have several
//! sections; what makes it a component unites them.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use wit_component::StringEncoding;
use wit_parser::{Resolve, UnresolvedPackageGroup};

/// The interfaces that a node has only where its table needs them.
const CHOSEN: [&str; 5] = [
    "authentication",
    "choices",
    "files-by-streams",
    "files-by-turns",
    "signing",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=wit");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("Cargo sets OUT_DIR")?);
    section(&out, "node", "")?;
    for interface in CHOSEN {
        section(
            &out,
            interface,
            &format!("export workflow:node/{interface}@0.2.0;"),
        )?;
    }
    Ok(())
}

/// The section of a node that has these exports beside those that every node has.
fn section(out: &Path, name: &str, exports: &str) -> Result<(), Box<dyn Error>> {
    let world = format!(
        "package nodule:sdk;\nworld {name} {{ include workflow:node/node-by-turns@0.2.0; {exports} }}"
    );
    let mut resolve = Resolve::default();
    resolve.push_path("wit")?;
    let group = UnresolvedPackageGroup::parse("sdk.wit", &world).map_err(|(_, error)| error)?;
    let package = resolve.push_group(group)?;
    let world = resolve.select_world(&[package], Some(name))?;
    let section = wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None, false)?;
    fs::write(out.join(name), section)?;
    Ok(())
}
