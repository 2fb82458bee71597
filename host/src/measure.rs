//! For benchmarks: what a protection costs, and what an instance does. The feature `measure` is for nothing else: no engine
//! that runs nodes turns it on.

pub use crate::guards::Guard;

use crate::call;
use crate::error::Error;
use crate::guards::Guards;
use crate::pipeline::Scope;
use crate::runner::{BoundOperation, Runner, RunnerBuilder};

impl RunnerBuilder {
    /// Leave protections out.
    pub fn without(mut self, guards: impl IntoIterator<Item = Guard>) -> Self {
        self.guards = Guards::without(guards);
        self
    }
}

impl crate::EngineConfig {
    /// Leave out the interruptions by which deadlines are noticed in code that makes no host call.
    #[must_use]
    pub fn without_epochs(mut self) -> Self {
        self.epochs = false;
        self
    }
}

impl Runner {
    /// Call an instance so many times with no items; with `each_alone` each time another, which is made for the call and
    /// dropped after it.
    ///
    /// # Errors
    ///
    /// The node has no operation, or a call of it ends badly.
    pub async fn empty_calls(&self, calls: usize, each_alone: bool) -> Result<(), Error> {
        let inner = &self.inner;
        let operation = inner.component.node().operations.first();
        let operation = operation.ok_or_else(|| Error::Engine {
            message: "the node has no operation".to_owned(),
        })?;
        let operation = BoundOperation::new(inner, &operation.group, &operation.name)?;
        let pipeline = inner.pipeline(Scope::Operation, None, Some(&operation), None);
        for _ in 0..calls {
            call::alone(inner, &operation, &pipeline, &[])
                .await
                .map_err(|stop| Error::Engine {
                    message: stop.to_string(),
                })?;
            // Nothing but computing, it would rest most of the time.
            pipeline.account.clear();
            if each_alone {
                operation.idle.clear();
            }
        }
        Ok(())
    }
}
