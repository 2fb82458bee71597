//! A loaded node: compiled, checked, described.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use wasmtime::component::types::ComponentItem;

use crate::bindings::{self, NodePre};
use crate::description::Node;
use crate::engine::{Engine, GIVEN};
use crate::error::Error;
use crate::instance::{Guard, Stop};
use crate::limits::Limits;

/// The interface that makes a component a node of this host's contract.
const CONTRACT: &str = "workflow:node/execution@0.1.0";

/// The interface of nodes that can be run by turns.
const TURNS: &str = "workflow:node/turns@0.1.0";

/// Each is looked for in every answer.
const MOST_HEADERS: usize = 64;

/// A node of a quarter megabyte compiles in a fifth of a second, and nothing interrupts the compiler.
const COMPONENT_BYTES: usize = 64 * 1024 * 1024;

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
        let node = describe(engine, &pre).await?;
        if engine.turns() && pre.has(TURNS) {
            let looked_at = looked_at(engine, &pre).await?;
            pre.by_turns(looked_at).map_err(|error| Error::WrongContract {
                expected: TURNS,
                found: format!("{error:#}"),
            })?;
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

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn pre(&self) -> &NodePre {
        &self.inner.pre
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
