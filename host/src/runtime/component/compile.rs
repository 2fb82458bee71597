//! Compiles bytes into code, and does the checks before that.

use std::hash::{Hash as _, Hasher as _};

use super::{CONTRACT, bytes, contract, file, malformed};
use crate::error::Error;
use crate::gate::sha256::sha256;
use crate::runtime::bindings::NodePre;
use crate::runtime::engine::Engine;
use crate::runtime::precompiler::Uncompiled;

/// Computes the digest of a component's bytes, and compares it with the pinned one before anything else looks at them.
pub(super) fn identify(bytes: &[u8], pinned: Option<&str>) -> Result<String, Error> {
    file::refuse_large(bytes.len() as u64)?;
    let digest = digest(bytes);
    match pinned {
        Some(expected) if !expected.eq_ignore_ascii_case(&digest) => Err(Error::Digest {
            expected: expected.to_owned(),
            found: digest,
        }),
        _ => Ok(digest),
    }
}

/// Checks and compiles a component, and checks that it fits the contract. Blocks.
pub(super) fn compile(engine: &Engine, bytes: &[u8], digest: &str) -> Result<NodePre, Error> {
    bytes::refuse_foreign(bytes)?;
    contract::refuse_foreign(&bytes::inspect(bytes)?)?;
    if let Some(precompiler) = engine.precompiler() {
        precompiler.precompile(&Uncompiled {
            bytes,
            digest,
            settings: &settings(engine),
        })?;
    }
    link(
        engine,
        &wasmtime::component::Component::new(engine.wasmtime(), bytes).map_err(malformed)?,
    )
}

/// Checks that compiled code fits the contract.
pub(super) fn link(engine: &Engine, component: &wasmtime::component::Component) -> Result<NodePre, Error> {
    let linked = engine.linker().instantiate_pre(component);
    NodePre::new(linked.map_err(|error| contract::does_not_fit(&error))?)
        .map_err(|error| contract::wrong(CONTRACT, &error))
}

/// `sha256:` and the digest in lower-case hexadecimal.
fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

fn settings(engine: &Engine) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    engine
        .wasmtime()
        .precompile_compatibility_hash()
        .hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
