//! How much memory, how many table elements and how many core instances an instance may still take. Wasmtime asks
//! before each growth.

use nodule_core::limits::Limits;
use wasmtime::ResourceLimiter;

use crate::runtime::reached_limit::ReachedLimit;

/// The remaining memory, table elements and core instances.
pub(in crate::runtime) struct RemainingResources {
    memory_limit: usize,
    memory_left: usize,
    tables_limit: usize,
    tables_left: usize,
    instances: usize,
}

impl RemainingResources {
    pub(in crate::runtime) fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory_bytes,
            memory_left: limits.memory_bytes,
            tables_limit: limits.table_elements,
            tables_left: limits.table_elements,
            instances: limits.instances,
        }
    }

    /// Whether more than half of the memory is left.
    pub(in crate::runtime) fn has_memory_to_spare(&self) -> bool {
        self.memory_left > self.memory_limit / 2
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
        match self.memory_left.checked_sub(desired.saturating_sub(current)) {
            // A memory cannot grow beyond its declared maximum, so this uses up nothing.
            Some(_) if most.is_some_and(|most| desired > most) => Ok(false),
            Some(left) => {
                self.memory_left = left;
                Ok(true)
            }
            None => Err(ReachedLimit::Memory(self.memory_limit).into()),
        }
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
        match self.tables_left.checked_sub(desired.saturating_sub(current)) {
            Some(_) if most.is_some_and(|most| desired > most) => Ok(false),
            Some(left) => {
                self.tables_left = left;
                Ok(true)
            }
            None => Err(ReachedLimit::Tables(self.tables_limit).into()),
        }
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
