//! Compiling ahead, in a place that bounds what compiling may take.

use std::fmt::Debug;

use crate::error::Error;

/// Compiles a component ahead, in a place that bounds what compiling may take, into the cache of the engine.
///
/// An engine refuses components that are known to be dear to compile, from their bytes alone: too many functions, types, instances
/// or names, variables times branches, and so on. These bounds keep the usual attacks away. They are a model of the compiler,
/// though, and nothing interrupts it: who loads components of strangers, and cannot spare the memory and time that a case
/// outside of the model takes, compiles them in a process of its own, under the system's limits for memory and time. That
/// process makes an engine of the same configuration (without a precompiler) and the same
/// [`cache_dir`](crate::EngineConfig::cache_dir), and calls [`Engine::precompile`](crate::Engine::precompile); then this engine finds the code in the cache.
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
