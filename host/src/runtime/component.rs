//! A loaded node: compiled, checked, described.

mod body;
mod bytes;
mod compile;
mod contract;
mod cost;
mod custom;
mod described;
mod file;
mod module;
mod names;
mod sizes;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::error::Error;
use crate::runtime::bindings::NodePre;
use crate::runtime::engine::Engine;
use nodule_core::description::Node;
use nodule_core::text::shown;

pub use compile::{Precompiler, Uncompiled};
pub(crate) use file::{read, refuse_large};

use compile::{compile, identify};

/// The interface that makes a component a node of this host's contract.
pub const CONTRACT: &str = "workflow:node/execution@0.1.0";

/// The interface of nodes that can be run by turns.
const TURNS: &str = "workflow:node/turns@0.1.0";

/// A node that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    engine: Engine,
    pre: NodePre,
    node: Node,
    digest: String,
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component")
            .field("node", &self.inner.node.name)
            .field("digest", &self.inner.digest)
            .finish_non_exhaustive()
    }
}

impl Component {
    pub(crate) async fn load(engine: &Engine, bytes: Vec<u8>, pinned: Option<String>) -> Result<Self, Error> {
        let checked = {
            let engine = engine.clone();
            // Hashing, checking and compiling take up to seconds, in which a thread of the runtime does nothing else.
            let checked = tokio::task::spawn_blocking(move || {
                let digest = identify(&bytes, pinned.as_deref())?;
                if let Some(loaded) = engine.loaded().get(&digest) {
                    return Ok(ValidatedRequest::Loaded(loaded));
                }
                let pre = compile(&engine, &bytes, &digest)?;
                Ok(ValidatedRequest::Compiled(Box::new(pre), digest))
            });
            checked.await.unwrap_or_else(|_| {
                Err(Error::Compile {
                    message: "the compiler gave up".to_owned(),
                })
            })?
        };
        let (mut pre, digest) = match checked {
            ValidatedRequest::Loaded(inner) => return Ok(Self { inner }),
            ValidatedRequest::Compiled(pre, digest) => (*pre, digest),
        };
        let node = described::describe(engine, &pre).await?;
        if engine.turns() && pre.has(TURNS) {
            let looked_at = described::looked_at(engine, &pre).await?;
            pre.by_turns(looked_at)
                .map_err(|error| contract::wrong(TURNS, &error))?;
        }
        let inner = Inner {
            engine: engine.clone(),
            pre,
            node,
            digest,
        };
        Ok(Self {
            inner: engine.loaded().keep(inner),
        })
    }

    /// What the node says about itself, checked.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.inner.node
    }

    /// `sha256:` and the digest of the component's bytes, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Check and compile, run nothing: into the engine's cache.
    pub(crate) fn precompile(engine: &Engine, bytes: &[u8]) -> Result<(), Error> {
        compile(engine, bytes, &identify(bytes, None)?).map(|_| ())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn pre(&self) -> &NodePre {
        &self.inner.pre
    }
}

/// What the parser or Wasmtime say of a component that is none, which holds names of it.
fn malformed(error: impl Into<wasmtime::Error>) -> Error {
    const SHOWN: usize = 400;
    Error::NotAComponent {
        found: format!("something else: {}", shown(&format!("{:#}", error.into()), SHOWN)),
    }
}

/// What the bytes are.
enum ValidatedRequest {
    /// A component that somebody holds.
    Loaded(Arc<Inner>),
    Compiled(Box<NodePre>, String),
}

/// The components of an engine by digest, for as long as somebody holds them: what is loaded twice is compiled and described
/// once.
#[derive(Default)]
pub(crate) struct Loaded(Mutex<HashMap<String, Weak<Inner>>>);

impl Loaded {
    fn get(&self, digest: &str) -> Option<Arc<Inner>> {
        self.lock().get(digest)?.upgrade()
    }

    /// Keep a component. It is the one that was loaded first, where the same bytes were loaded at once.
    fn keep(&self, inner: Inner) -> Arc<Inner> {
        let mut all = self.lock();
        all.retain(|_, loaded| loaded.strong_count() > 0);
        if let Some(first) = all.get(&inner.digest).and_then(Weak::upgrade) {
            return first;
        }
        let inner = Arc::new(inner);
        all.insert(inner.digest.clone(), Arc::downgrade(&inner));
        inner
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Inner>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
