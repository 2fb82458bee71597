//! Compiles bytes into code, and does the checks before that.

use std::fmt::{Debug, Write as _};
use std::hash::{Hash as _, Hasher as _};

use super::{CONTRACT, bytes, contract, file, malformed};
use crate::error::Error;
use crate::runtime::bindings::NodePre;
use crate::runtime::engine::Engine;

/// Compiles a component in advance into the engine's cache, within bounds that the library cannot enforce.
///
/// An engine refuses components whose bytes show that they are expensive to compile: too many functions, types,
/// instances or names, variables times branches, and so on. This stops the usual attacks. It is only a model of the
/// compiler, however, and nothing interrupts the compiler: a case outside the model may take more memory and time. An
/// embedder that loads strangers' components and cannot afford that compiles them in a separate process, under the
/// system's limits for memory and time. That process makes an engine with the same configuration (without a
/// precompiler) and the same [`cache_dir`](crate::EngineConfig::cache_dir), and calls [`Engine::precompile`]; then this
/// engine finds the code in the cache. The command `nodule` does so.
pub trait Precompiler: Debug + Send + Sync {
    /// Compiles the component into the engine's cache. It is called before each load, on a thread that may block, after
    /// all checks that need no compilation.
    ///
    /// # Errors
    ///
    /// The component does not compile, or not within the bounds. It is not loaded then.
    fn precompile(&self, component: &Uncompiled<'_>) -> Result<(), Error>;
}

/// A component that passed the checks of its names, costs, imports and exports, but is not compiled yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Uncompiled<'a> {
    /// The component.
    pub bytes: &'a [u8],
    /// `sha256:` and the digest of the bytes in lower-case hexadecimal.
    pub digest: &'a str,
    /// The compiler's version and settings, which compiled code depends on: 16 hexadecimal digits.
    pub settings: &'a str,
}

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
