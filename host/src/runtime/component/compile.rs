//! From bytes to code: what is checked first, and where it is compiled.

use std::fmt::{Debug, Write as _};
use std::hash::{Hash as _, Hasher as _};

use super::{CONTRACT, bytes, contract, file, malformed};
use crate::error::Error;
use crate::runtime::bindings::NodePre;
use crate::runtime::engine::Engine;

/// Compiles a component ahead, in a place that bounds what compiling may take, into the cache of the engine.
///
/// An engine refuses components that are known to be dear to compile, from their bytes alone: too many functions, types, instances
/// or names, variables times branches, and so on. These bounds keep the usual attacks away. They are a model of the compiler,
/// though, and nothing interrupts it: who loads components of strangers, and cannot spare the memory and time that a case
/// outside of the model takes, compiles them in a process of its own, under the system's limits for memory and time. That
/// process makes an engine of the same configuration (without a precompiler) and the same
/// [`cache_dir`](crate::EngineConfig::cache_dir), and calls [`Engine::precompile`]; then this engine finds the code in the cache.
/// The command `nodule` does so.
pub trait Precompiler: Debug + Send + Sync {
    /// Compile the component into the engine's cache. Called before each load, on a thread that may block, after all
    /// that can be checked without compiling.
    ///
    /// # Errors
    ///
    /// It does not compile, or not within the bounds. The component is not loaded then.
    fn precompile(&self, component: &Uncompiled<'_>) -> Result<(), Error>;
}

/// A component whose names, costs, imports and exports were checked, and that was not compiled yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Uncompiled<'a> {
    /// The component.
    pub bytes: &'a [u8],
    /// `sha256:` and the digest of the bytes in lower-case hexadecimal.
    pub digest: &'a str,
    /// What compiled code depends on beside the bytes, the compiler's version and settings: 16 hexadecimal digits.
    pub settings: &'a str,
}

/// The digest of a component's bytes, which has to be the pinned one. Nothing of them is read, compiled or run before.
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

/// Compile the component, once it was checked, and see that it fits the contract. Blocks.
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

/// See that compiled code fits the contract.
pub(super) fn link(engine: &Engine, component: &wasmtime::component::Component) -> Result<NodePre, Error> {
    engine
        .linker()
        .instantiate_pre(component)
        .and_then(NodePre::new)
        .map_err(|error| contract::wrong(CONTRACT, &error))
}

/// `sha256:` and the digest in lower-case hexadecimal.
fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .fold(String::from("sha256:"), |mut text, byte| {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
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
