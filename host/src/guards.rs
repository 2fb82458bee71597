//! Which protections are on.
//!
//! All of them, always, but in a build with the feature `measure`, where a benchmark leaves one out to see what it costs.

/// A protection that has a price for every item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Where a request may go is looked up.
    Policy,
    /// The session is added outside of the sandbox; without it the node is given the session, and adds it.
    Injection,
    /// Secrets are taken out of answers.
    Redaction,
    /// Memory, time, places and bytes are counted. The engine's interruptions are left out by
    /// [`EngineConfig::without_epochs`](crate::EngineConfig::without_epochs).
    Limits,
}

/// The protections of a runner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guards {
    #[cfg(feature = "measure")]
    off: Vec<Guard>,
}

impl Guards {
    #[cfg(feature = "measure")]
    pub(crate) fn without(off: impl IntoIterator<Item = Guard>) -> Self {
        Self {
            off: off.into_iter().collect(),
        }
    }

    #[cfg(feature = "measure")]
    pub(crate) fn has(&self, guard: Guard) -> bool {
        !self.off.contains(&guard)
    }

    #[cfg(not(feature = "measure"))]
    #[expect(clippy::unused_self, reason = "a build without the feature has all of them")]
    pub(crate) const fn has(&self, _: Guard) -> bool {
        true
    }
}
