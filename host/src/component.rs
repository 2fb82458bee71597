//! A loaded node: compiled, checked, described.

mod body;
mod bytes;
mod compile;
mod contract;
mod cost;
mod custom;
mod file;
mod module;
mod names;
mod sizes;
#[cfg(test)]
mod tests;
mod types;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::bindings::{self, NodePre};
use crate::description::Node;
use crate::engine::Engine;
use crate::error::Error;
use crate::instance::{Guard, Stop};
use crate::limits::Limits;
use crate::text::shown;

pub use compile::{Precompiler, Uncompiled};
pub(crate) use file::{read, refuse_large};

use compile::compile;

/// The interface that makes a component a node of this host's contract.
const CONTRACT: &str = "workflow:node/execution@0.1.0";

/// The interface of nodes that can be run by turns.
const TURNS: &str = "workflow:node/turns@0.1.0";

/// Each is looked for in every answer.
const MOST_HEADERS: usize = 64;

/// A description is made of constants; whoever needs longer for it is in a loop, and somebody waits for the node to load.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A node that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    inner: Arc<Inner>,
}

struct Inner {
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
        let (mut pre, digest) = {
            let engine = engine.clone();
            // Hashing, checking and compiling take up to seconds, in which a thread of the runtime does nothing else.
            let compiled = tokio::task::spawn_blocking(move || compile(&engine, &bytes, pinned.as_deref()));
            compiled.await.unwrap_or_else(|_| {
                Err(Error::Compile {
                    message: "the compiler gave up".to_owned(),
                })
            })?
        };
        let node = describe(engine, &pre).await?;
        if engine.turns() && pre.has(TURNS) {
            let looked_at = looked_at(engine, &pre).await?;
            pre.by_turns(looked_at)
                .map_err(|error| contract::wrong(TURNS, &error))?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                engine: engine.clone(),
                pre,
                node,
                digest,
            }),
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
        compile(engine, bytes, None).map(|_| ())
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

async fn describe(engine: &Engine, pre: &NodePre) -> Result<Node, Error> {
    let node = offline(engine)
        .describe(pre)
        .await
        .map_err(|stop| not_described(&stop))?;
    bindings::describe(node)
        .and_then(Node::check)
        .map_err(|problems| Error::Description { problems })
}

/// The headers of answers that the node is handed when it is run by turns.
async fn looked_at(engine: &Engine, pre: &NodePre) -> Result<Arc<[HeaderName]>, Error> {
    let names = offline(engine)
        .looked_at(pre)
        .await
        .map_err(|stop| not_described(&stop))?;
    let wrong = |found: String| Error::Describe {
        message: format!("`headers` of `{TURNS}`: {found}"),
    };
    if names.len() > MOST_HEADERS {
        return Err(wrong(format!(
            "expected at most {MOST_HEADERS} names, found {}",
            names.len()
        )));
    }
    names
        .iter()
        .map(|name| {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong(format!("expected names of headers, found {name:?}")))
        })
        .collect()
}

/// An instance that only says what it is.
fn offline(engine: &Engine) -> Guard {
    let limits = Limits {
        run_timeout: DESCRIBE_TIMEOUT,
        ..Limits::default()
    };
    Guard::offline(engine, &limits)
}

fn not_described(stop: &Stop) -> Error {
    Error::Describe {
        message: stop.to_string(),
    }
}
