//! Loads components into an engine: from bytes, from a file, or as compiled code.

use std::borrow::Cow;
use std::path::PathBuf;

use super::file::{read, refuse_large};
use super::{ArtifactKey, Component};
use crate::error::Error;
use crate::runtime::engine::Engine;

impl Engine {
    /// Checks that a component is a node of this contract's version, compiles it (or takes it from the cache), and asks
    /// for its description. A component that is already loaded and in use is neither compiled nor described again;
    /// concurrent loads of the same component wait. Must be called within a Tokio runtime, like everything that runs a
    /// node.
    ///
    /// Names, sizes, imports and exports are checked in the bytes, before anything is compiled; see
    /// [`Precompiler`](crate::Precompiler) for what bounds the compiler itself. The work is done on Tokio's blocking
    /// threads, and continues there if the future is dropped. A `Vec` is taken as it is; borrowed bytes are copied.
    ///
    /// # Errors
    ///
    /// The bytes are not a component, have names or sizes that are refused, are a node for another version of the
    /// contract, import more than a node may, or do not compile, or the description is invalid or hostile.
    pub async fn load<'b>(&self, bytes: impl Into<Cow<'b, [u8]>>) -> Result<Component, Error> {
        Component::load(self, owned(bytes.into())?, None).await
    }

    /// [`Engine::load`] for a component that must have this digest, `sha256:` and 64 hexadecimal digits. A component
    /// with another digest is refused before any of it is compiled or run.
    ///
    /// # Errors
    ///
    /// As for [`Engine::load`], or the digest differs; the error has both digests.
    pub async fn load_pinned<'b>(
        &self,
        bytes: impl Into<Cow<'b, [u8]>>,
        digest: &str,
    ) -> Result<Component, Error> {
        Component::load(self, owned(bytes.into())?, Some(digest.to_owned())).await
    }

    /// [`Engine::load`] for a regular file. Devices and pipes are refused, since they may never end.
    ///
    /// # Errors
    ///
    /// As for [`Engine::load`], or the file cannot be read or is not a regular one.
    pub async fn load_file(&self, path: impl Into<PathBuf>) -> Result<Component, Error> {
        Component::load(self, read(path.into()).await?, None).await
    }

    /// [`Engine::load_pinned`] for a file.
    ///
    /// # Errors
    ///
    /// As for [`Engine::load_pinned`], or the file cannot be read.
    pub async fn load_file_pinned(&self, path: impl Into<PathBuf>, digest: &str) -> Result<Component, Error> {
        Component::load(self, read(path.into()).await?, Some(digest.to_owned())).await
    }

    /// Loads the result of [`Component::serialize`] without compiling anything. The code runs as it is, so its key is
    /// checked first: see [`ArtifactKey`]. If you expect a certain component, compare [`Component::digest`].
    ///
    /// # Errors
    ///
    /// The artefact was made with another key, was changed, or belongs to another version of this library, to an engine
    /// with other settings or to another machine.
    pub async fn load_serialized(&self, artifact: &[u8], key: &ArtifactKey) -> Result<Component, Error> {
        Component::load_serialized(self, artifact.to_vec(), key.clone()).await
    }

    /// Checks and compiles a component into the engine's cache without running it: the other side of a
    /// [`Precompiler`](crate::Precompiler). Blocks while it compiles.
    ///
    /// # Errors
    ///
    /// As for [`Engine::load`], except for the description.
    pub fn precompile(&self, bytes: &[u8]) -> Result<(), Error> {
        Component::precompile(self, bytes)
    }
}

/// The bytes of a component, copied only if they are borrowed and not too many.
fn owned(bytes: Cow<'_, [u8]>) -> Result<Vec<u8>, Error> {
    refuse_large(bytes.len() as u64)?;
    Ok(bytes.into_owned())
}
