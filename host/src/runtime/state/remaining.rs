//! How much memory, how many table elements and how many core instances an instance may still take. Wasmtime asks
//! before each growth.

use nodule_core::limits::Limits;
use wasmtime::ResourceLimiter;

use crate::runtime::reached_limit::ReachedLimit;

/// The remaining memory, table elements and core instances.
pub(in crate::runtime) struct RemainingResources {
    memory: Remaining,
    tables: Remaining,
    instances: usize,
}

/// What is left of one limit.
struct Remaining {
    limit: usize,
    left: usize,
}

impl Remaining {
    fn all(limit: usize) -> Self {
        Self { limit, left: limit }
    }

    /// Takes a growth, and returns whether it is granted. `None` beyond the limit.
    fn grow(&mut self, current: usize, desired: usize, most: Option<usize>) -> Option<bool> {
        let left = self.left.checked_sub(desired.saturating_sub(current))?;
        // Nothing grows beyond its declared maximum, so such a growth uses up nothing.
        let is_declared = most.is_none_or(|most| desired <= most);
        if is_declared {
            self.left = left;
        }
        Some(is_declared)
    }
}

impl RemainingResources {
    pub(in crate::runtime) fn new(limits: &Limits) -> Self {
        Self {
            memory: Remaining::all(limits.memory_bytes),
            tables: Remaining::all(limits.table_elements),
            instances: limits.instances,
        }
    }

    /// Whether more than half of the memory is left.
    pub(in crate::runtime) fn has_memory_to_spare(&self) -> bool {
        self.memory.left > self.memory.limit / 2
    }
}

impl ResourceLimiter for RemainingResources {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // An error traps at once, so that the limit is what is reported, not what the guest does after a failed growth.
        let growth = self.memory.grow(current, desired, most);
        growth.ok_or_else(|| ReachedLimit::Memory(self.memory.limit).into())
    }

    /// The system has no more memory. The call stops instead of telling the node, whose behaviour must not depend on
    /// the machine.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = self.tables.grow(current, desired, most);
        growth.ok_or_else(|| ReachedLimit::Tables(self.tables.limit).into())
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growth_beyond_the_declared_end_uses_up_nothing_and_the_systems_refusal_ends_the_call() {
        let mut limits = Limits::default();
        (limits.memory_bytes, limits.table_elements) = (100, 10);
        let mut remaining = RemainingResources::new(&limits);
        assert!(!remaining.memory_growing(0, 90, Some(80)).unwrap());
        assert!(!remaining.table_growing(0, 9, Some(8)).unwrap());
        assert!(remaining.memory_growing(0, 80, Some(80)).unwrap());
        assert!(remaining.table_growing(0, 8, None).unwrap());
        assert!(remaining.memory_growing(80, 101, None).is_err());
        assert!(
            remaining
                .memory_grow_failed(wasmtime::Error::msg("no memory"))
                .is_err()
        );
        assert!(
            remaining
                .table_grow_failed(wasmtime::Error::msg("no memory"))
                .is_err()
        );
    }
}
