//! A loaded node: compiled, checked, described.

mod described;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasmtime::component::types::ComponentItem;

use crate::bindings::NodePre;
use crate::description::Node;
use crate::engine::{Engine, GIVEN};
use crate::error::Error;

/// The interface that makes a component a node of this host's contract.
const CONTRACT: &str = "workflow:node/execution@0.1.0";

/// The interface of nodes that can be run by turns.
const TURNS: &str = "workflow:node/turns@0.1.0";

/// A node of a quarter megabyte compiles in a fifth of a second, and nothing interrupts the compiler.
const COMPONENT_BYTES: usize = 64 * 1024 * 1024;

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
    pub(crate) async fn load(engine: &Engine, bytes: &[u8], pinned: Option<&str>) -> Result<Self, Error> {
        let digest = digest(bytes);
        // Before anything of it is compiled, and before its `describe` runs.
        if let Some(expected) = pinned
            && !expected.eq_ignore_ascii_case(&digest)
        {
            return Err(Error::Digest {
                expected: expected.to_owned(),
                found: digest,
            });
        }
        if let Some(loaded) = engine.loaded().get(&digest) {
            return Ok(Self { inner: loaded });
        }
        refuse_foreign_bytes(bytes)?;
        let component = wasmtime::component::Component::new(engine.wasmtime(), bytes).map_err(|error| {
            Error::NotAComponent {
                found: format!("something else: {error:#}"),
            }
        })?;
        refuse_foreign_contract(engine, &component)?;
        let mut pre = engine
            .linker()
            .instantiate_pre(&component)
            .and_then(NodePre::new)
            .map_err(|error| Error::WrongContract {
                expected: CONTRACT,
                found: format!("{error:#}"),
            })?;
        let node = described::describe(engine, &pre).await?;
        if engine.turns() && pre.has(TURNS) {
            let looked_at = described::looked_at(engine, &pre).await?;
            pre.by_turns(looked_at).map_err(|error| Error::WrongContract {
                expected: TURNS,
                found: format!("{error:#}"),
            })?;
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

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn pre(&self) -> &NodePre {
        &self.inner.pre
    }
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

/// Say what a file is that is no component, before the compiler says it in its own words.
fn refuse_foreign_bytes(bytes: &[u8]) -> Result<(), Error> {
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    let found = if bytes.is_empty() {
        "an empty file"
    } else if bytes.starts_with(MODULE) {
        "a core module"
    } else if !bytes.starts_with(b"\0asm") {
        "a file that is not WebAssembly"
    } else if bytes.len() > COMPONENT_BYTES {
        "one of more than 64 MiB"
    } else {
        return Ok(());
    };
    Err(Error::NotAComponent {
        found: found.to_owned(),
    })
}

fn refuse_foreign_contract(engine: &Engine, component: &wasmtime::component::Component) -> Result<(), Error> {
    let component = component.component_type();
    let exports: Vec<&str> = component
        .exports(engine.wasmtime())
        .map(|(name, _)| name)
        .collect();
    if !exports.contains(&CONTRACT) {
        let near = exports
            .iter()
            .find(|name| name.starts_with("workflow:node/execution"));
        let found = match near.or(exports.first()) {
            Some(name) => format!("`{name}`"),
            None => "no exports at all".to_owned(),
        };
        return Err(Error::WrongContract {
            expected: CONTRACT,
            found,
        });
    }
    let foreign: Vec<String> = component
        .imports(engine.wasmtime())
        .filter(|(name, item)| !is_given(name) && !is_types_only(engine, &item.ty))
        .map(|(name, _)| name.to_owned())
        .collect();
    if foreign.is_empty() {
        Ok(())
    } else {
        Err(Error::Imports { imports: foreign })
    }
}

/// Whether an import belongs to a package that nodes are given, in a version that is compatible with ours.
fn is_given(import: &str) -> bool {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let package = interface.split('/').next().unwrap_or(interface);
    GIVEN.contains(&package) && version.starts_with("0.2.")
}

/// An interface without functions or resources asks for nothing.
fn is_types_only(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine.wasmtime())
            .all(|(_, item)| matches!(item.ty, ComponentItem::Type(_))),
        ComponentItem::Type(_) => true,
        _ => false,
    }
}
