//! The components that an engine has loaded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::bindings::NodePre;
use nodule_core::description::Node;

/// A loaded component, shared by everyone who uses it.
pub(super) struct LoadedNode {
    pub(super) pre: NodePre,
    pub(super) node: Node,
    pub(super) digest: String,
}

/// A loaded component, if it is still in use. The lock is taken while it is being loaded.
type Slot = Arc<tokio::sync::Mutex<Weak<LoadedNode>>>;

/// The components in use of an engine, by digest. A component that is loaded twice is compiled and described once.
#[derive(Default)]
pub(super) struct Loaded(Mutex<HashMap<String, Slot>>);

impl Loaded {
    pub(super) fn slot(&self, digest: &str) -> Slot {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = all.get(digest) {
            return Arc::clone(slot);
        }
        all.retain(|_, slot| {
            let is_held = |loaded: &Weak<LoadedNode>| loaded.strong_count() > 0;
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|loaded| is_held(&loaded))
        });
        Arc::clone(all.entry(digest.to_owned()).or_default())
    }
}
