//! What an item would send, without sending it.

use std::sync::PoisonError;

use super::call::alone;
use super::runner::{BoundOperation, Inner, Runner};
use crate::error::Error;
use crate::gate::pipeline::{Planned, Scope, Transport};
use crate::runtime::component::Component;
use nodule_core::credential::Credential;
use nodule_core::failure::Failure;
use nodule_core::limits::Limits;

impl Runner {
    /// The requests that an item would send, as far as they can be known without an answer, and what the node says of
    /// the item when it sends none. Only a runner made with [`RunnerBuilder::dry_run`](crate::RunnerBuilder::dry_run) has any.
    ///
    /// # Errors
    ///
    /// The operation is unknown.
    pub async fn plan(
        &self,
        group: &str,
        operation: &str,
        item: &str,
    ) -> Result<Result<Vec<Planned>, Failure>, Error> {
        let operation = BoundOperation::new(&self.inner, group, operation)?;
        Ok(self.inner.plan(&operation, item).await)
    }
}

impl Component {
    /// What the node has against an item before it sends anything, such as missing or malformed parameters: for a form, or for a workflow that
    /// is checked before anybody has a credential. Nothing is sent; the node is told that its service is at a name that does not exist. What the
    /// service would say of the item is not known.
    ///
    /// # Errors
    ///
    /// The outer one: the operation is unknown. The inner one: what is wrong with the item.
    pub async fn validate(
        &self,
        group: &str,
        operation: &str,
        item: &str,
    ) -> Result<Result<(), Failure>, Error> {
        /// Reserved by RFC 2606 for names that never resolve.
        const NOWHERE: &str = "https://validation.invalid/";
        let mut limits = Limits::default();
        limits.stack_bytes = self.engine().stack_bytes();
        let mut builder = self.runner().dry_run().limits(limits);
        if self.node().credential.is_some() {
            builder = builder.credential(Credential::dummy(self.node(), NOWHERE)?);
        }
        let planned = builder.build()?.plan(group, operation, item).await?;
        Ok(match planned {
            // It came as far as a request, to a place that only a policy can allow.
            Ok(_) | Err(Failure::Denied { .. }) => Ok(()),
            Err(failure) => Err(failure),
        })
    }
}

impl Inner {
    async fn plan(&self, operation: &BoundOperation, item: &str) -> Result<Vec<Planned>, Failure> {
        let pipeline = self.pipeline(Scope::Operation, None, Some(operation), Some(0));
        let outcome = alone(self, operation, &pipeline, &[&item.to_owned()]).await;
        let planned = match &pipeline.transport {
            Transport::DryRun(planned) => {
                std::mem::take(&mut *planned.lock().unwrap_or_else(PoisonError::into_inner))
            }
            _ => Vec::new(),
        };
        match outcome {
            // The request was refused because this is a dry run: that is the plan, not a failure.
            Ok(results) if planned.is_empty() => match results.into_iter().next() {
                Some(Err(failure)) => Err(failure),
                _ => Ok(planned),
            },
            Err(stop) if planned.is_empty() => Err(stop.into_failure()),
            _ => Ok(planned),
        }
    }
}
