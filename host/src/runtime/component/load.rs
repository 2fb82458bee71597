//! The engine's side of loading.

use std::path::PathBuf;

use super::file::{read, refuse_large};
use super::{ArtifactKey, Component};
use crate::error::Error;
use crate::runtime::engine::Engine;

impl Engine {
    /// Check that a component is a node of this contract's version, compile it (or take it from the cache), and let
    /// it describe itself. Bytes that are loaded already, and held by somebody, are not compiled or described again; who loads them
    /// while somebody else does waits for that. Must be called within a Tokio runtime, as everything that runs a node.
    ///
    /// Names, sizes, imports and exports are checked from the bytes, before anything is compiled; see [`Precompiler`](crate::Precompiler) for
    /// what bounds the compiler itself. All of it is done on tokio's threads for blocking work, and goes on there
    /// when the future is dropped.
    ///
    /// # Errors
    ///
    /// It is no component, has names or sizes that components do not have, is a node for another version, asks for more than
    /// a node is given, does not compile, or describes itself in a way that is broken or hostile.
    pub async fn load(&self, bytes: &[u8]) -> Result<Component, Error> {
        refuse_large(bytes.len() as u64)?;
        Component::load(self, bytes.to_vec(), None).await
    }

    /// [`Engine::load`] of a component that has to have this digest, `sha256:` and 64 hexadecimal digits. Another one is
    /// refused before any of it is compiled or run.
    ///
    /// # Errors
    ///
    /// As [`Engine::load`], or the digest is another one; both are named.
    pub async fn load_pinned(&self, bytes: &[u8], digest: &str) -> Result<Component, Error> {
        refuse_large(bytes.len() as u64)?;
        Component::load(self, bytes.to_vec(), Some(digest.to_owned())).await
    }

    /// [`Engine::load`] of a file, which has to be a regular one: devices and pipes may have no end.
    ///
    /// # Errors
    ///
    /// As [`Engine::load`], or the file cannot be read or is no regular one.
    pub async fn load_file(&self, path: impl Into<PathBuf>) -> Result<Component, Error> {
        Component::load(self, read(path.into()).await?, None).await
    }

    /// [`Engine::load_pinned`] of a file.
    ///
    /// # Errors
    ///
    /// As [`Engine::load_pinned`], or the file cannot be read.
    pub async fn load_file_pinned(&self, path: impl Into<PathBuf>, digest: &str) -> Result<Component, Error> {
        Component::load(self, read(path.into()).await?, Some(digest.to_owned())).await
    }

    /// Load what [`Component::serialize`] gave, which compiles nothing. Its code is run as it is, so its key is checked first: see
    /// [`ArtifactKey`]. Look at [`Component::digest`] where it has to be a certain one.
    ///
    /// # Errors
    ///
    /// It was made with another key, was changed, is of another version of this library, or of an engine with other settings or
    /// for another machine.
    pub async fn load_serialized(&self, artifact: &[u8], key: &ArtifactKey) -> Result<Component, Error> {
        Component::load_serialized(self, artifact.to_vec(), key.clone()).await
    }

    /// Check and compile a component into the engine's cache, and run nothing of it: the other side of a
    /// [`Precompiler`](crate::Precompiler). Blocks for as long as compiling takes.
    ///
    /// # Errors
    ///
    /// As [`Engine::load`], but for the description.
    pub fn precompile(&self, bytes: &[u8]) -> Result<(), Error> {
        Component::precompile(self, bytes)
    }
}
