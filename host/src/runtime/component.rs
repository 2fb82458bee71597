//! A loaded node: compiled, checked and described.

mod artifact;
mod body;
mod bytes;
mod compile;
mod contract;
mod cost;
mod custom;
mod described;
mod file;
mod load;
mod module;
mod names;
mod sizes;
#[cfg(test)]
mod tests;
mod types;

use std::sync::Arc;

use crate::error::Error;
use crate::runtime::bindings::{AUTHENTICATION, CHOICES, FILES, NodePre, SIGNING, STREAMS};
use crate::runtime::engine::Engine;
use crate::runtime::loaded::LoadedNode;
use nodule_core::description::Node;
use nodule_core::text::shown;

pub use artifact::ArtifactKey;

use compile::{compile, identify};

/// The interface that a component has to export to be a node of this host's contract.
pub const CONTRACT: &str = "workflow:node/execution@0.2.0";

/// The interface of nodes that can run by turns.
const TURNS: &str = "workflow:node/turns@0.2.0";

/// A node that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    engine: Engine,
    loaded: Arc<LoadedNode>,
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component")
            .field("node", &self.loaded.node.name)
            .field("digest", &self.loaded.digest)
            .finish_non_exhaustive()
    }
}

impl Component {
    pub(crate) async fn load(engine: &Engine, bytes: Vec<u8>, pinned: Option<String>) -> Result<Self, Error> {
        let (digest, bytes) =
            blocking(move || identify(&bytes, pinned.as_deref()).map(|digest| (digest, bytes))).await?;
        Self::load_once(engine, digest, move |engine, digest| {
            compile(engine, &bytes, digest)
        })
        .await
    }

    /// Loads the result of [`Component::serialize`].
    pub(crate) async fn load_serialized(
        engine: &Engine,
        artifact: Vec<u8>,
        key: ArtifactKey,
    ) -> Result<Self, Error> {
        let (digest, artifact) =
            blocking(move || artifact::open(artifact, &key).map(|opened| (opened.digest.clone(), opened)))
                .await?;
        Self::load_once(engine, digest, move |engine, _| artifact.link(engine)).await
    }

    /// Loads the component with this digest, unless it is loaded already. Concurrent loads of the same component wait.
    async fn load_once(
        engine: &Engine,
        digest: String,
        make: impl FnOnce(&Engine, &str) -> Result<NodePre, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let loading = engine.loaded().slot(&digest).lock_owned().await;
        if let Some(loaded) = loading.upgrade() {
            return Ok(Self {
                engine: engine.clone(),
                loaded,
            });
        }
        let (mut pre, mut loading) = {
            let (engine, digest) = (engine.clone(), digest.clone());
            // The lock moves along: if this future is dropped, the thread finishes compiling, and no other thread
            // starts meanwhile.
            blocking(move || make(&engine, &digest).map(|pre| (pre, loading))).await?
        };
        let mut node = described::describe(engine, &pre).await?;
        node.imports = contract::void_imports(pre.component());
        described::refuse_mute(&node, pre.has(CHOICES))?;
        described::refuse_sessionless(&node, pre.has(AUTHENTICATION), pre.has(SIGNING))?;
        let moves_files = pre.has(FILES) && pre.has(TURNS);
        described::refuse_fileless(&node, moves_files || pre.has(STREAMS))?;
        // Without turns, a node that can move its files by streams does so.
        let moves_files = moves_files && (engine.turns() || !pre.has(STREAMS));
        if pre.has(TURNS) && (engine.turns() || moves_files) {
            let looked_at = described::looked_at(engine, &pre).await?;
            if moves_files {
                pre.with_files(Arc::clone(&looked_at))
                    .map_err(|error| contract::wrong(FILES, &error))?;
            }
            if engine.turns() {
                pre.by_turns(looked_at)
                    .map_err(|error| contract::wrong(TURNS, &error))?;
            }
        }
        let loaded = Arc::new(LoadedNode { pre, node, digest });
        *loading = Arc::downgrade(&loaded);
        Ok(Self {
            engine: engine.clone(),
            loaded,
        })
    }

    /// The compiled component, for [`Engine::load_serialized`] in the same version of the library, in engines with the
    /// same settings, on machines of the same kind. It takes some megabytes and is not encrypted. The key signs it: the
    /// machine code runs as it is, so an engine accepts artefacts only from holders of the key.
    ///
    /// # Errors
    ///
    /// The system has no memory for it.
    pub fn serialize(&self, key: &ArtifactKey) -> Result<Vec<u8>, Error> {
        artifact::seal(&self.loaded.pre, &self.loaded.digest, key)
    }

    /// The node's checked description.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.loaded.node
    }

    /// `sha256:` and the digest of the component's bytes, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.loaded.digest
    }

    /// Checks and compiles a component into the engine's cache without running it.
    pub(crate) fn precompile(engine: &Engine, bytes: &[u8]) -> Result<(), Error> {
        compile(engine, bytes, &identify(bytes, None)?).map(|_| ())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn pre(&self) -> &NodePre {
        &self.loaded.pre
    }
}

/// The error of the parser or of Wasmtime about bytes that are not a component. Its text may contain names from the
/// bytes.
fn malformed(error: impl Into<wasmtime::Error>) -> Error {
    const SHOWN: usize = 400;
    Error::NotAComponent {
        found: format!("something else: {}", shown(&format!("{:#}", error.into()), SHOWN)),
    }
}

/// Runs work that may take seconds on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Error::Compile {
            message: "the compiler gave up".to_owned(),
        })
    })
}
