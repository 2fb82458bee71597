//! Compiles components in advance, within bounds that the embedder sets.

use std::fmt::Debug;

use crate::error::Error;

/// Compiles a component in advance into the engine's cache, within bounds that the library cannot enforce.
///
/// An engine refuses components whose bytes show that they are expensive to compile: too many functions, types,
/// instances or names, variables times branches, and so on. This stops the usual attacks. It is only a model of the
/// compiler, however, and nothing interrupts the compiler: a case outside the model may take more memory and time. An
/// embedder that loads strangers' components and cannot afford that compiles them in a separate process, under the
/// system's limits for memory and time. That process makes an engine with the same configuration (without a
/// precompiler) and the same [`cache_dir`](crate::EngineConfig::cache_dir), and calls
/// [`Engine::precompile`](crate::Engine::precompile); then this engine finds the code in the cache. The command
/// `nodule` does so.
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
