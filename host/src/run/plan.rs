//! Plans the requests of an item without sending them, and checks items without the service.

use std::sync::PoisonError;

use super::call::alone;
use super::files::NewItem;
use super::item::{Item, check};
use super::runner::{BoundOperation, Inner, Runner};
use crate::error::Error;
use crate::gate::pipeline::{Planned, Scope, Transport};
use crate::runtime::component::Component;
use nodule_core::credential::Credential;
use nodule_core::failure::Failure;
use nodule_core::limits::Limits;

impl Runner {
    /// The requests that an item would send, as far as they are known without a response. If it would send none, this
    /// is the node's failure, if any. Only a runner made with
    /// [`RunnerBuilder::dry_run`](crate::RunnerBuilder::dry_run) plans requests.
    ///
    /// # Errors
    ///
    /// The operation is unknown.
    pub async fn plan(
        &self,
        group: &str,
        operation: &str,
        item: impl Into<NewItem>,
    ) -> Result<Result<Vec<Planned>, Failure>, Error> {
        let operation = BoundOperation::new(&self.inner, group, operation)?;
        Ok(self.inner.plan(&operation, item.into()).await)
    }
}

impl Component {
    /// Checks an item as far as the node can without the service, such as for missing or malformed parameters. A form
    /// can use it, or a workflow that is checked before anyone has a credential. No request is sent: the node gets a
    /// base URL whose name does not exist. Whether the service would accept the item is unknown.
    ///
    /// # Errors
    ///
    /// The outer error: the operation is unknown. The inner one: what is wrong with the item.
    pub async fn validate(
        &self,
        group: &str,
        operation: &str,
        item: &str,
    ) -> Result<Result<(), Failure>, Error> {
        /// RFC 2606 reserves this name, so that it never resolves.
        const NOWHERE: &str = "https://validation.invalid/";
        let mut limits = Limits::default();
        limits.stack_bytes = self.engine().stack_bytes();
        let mut builder = self.runner().dry_run().limits(limits);
        if !self.node().credentials.is_empty() {
            builder = builder.credential(Credential::dummy(self.node(), None, NOWHERE)?);
        }
        let planned = builder.build()?.plan(group, operation, item).await?;
        Ok(match planned {
            // The item passed the node's checks: the node sent a request, which the empty policy denied.
            Ok(_) | Err(Failure::Denied { .. }) => Ok(()),
            Err(failure) => Err(failure),
        })
    }
}

impl Inner {
    async fn plan(&self, operation: &BoundOperation, item: NewItem) -> Result<Vec<Planned>, Failure> {
        let NewItem { parameters, files } = item;
        let (parameters, problems) = check(operation, parameters, &files);
        if !problems.is_empty() {
            return Err(Failure::InvalidParameters(problems));
        }
        let item = Item {
            index: 0,
            parameters,
            files: files.into(),
            problems,
            given: None,
        };
        let pipeline = self.pipeline(Scope::Operation, None, Some(operation), Some(0));
        let outcome = alone(self, operation, &pipeline, &[&item]).await;
        let planned = match &pipeline.transport {
            Transport::DryRun(planned) => {
                std::mem::take(&mut *planned.lock().unwrap_or_else(PoisonError::into_inner))
            }
            _ => Vec::new(),
        };
        match outcome {
            // A dry run refuses the request: that is the plan, not a failure.
            Ok(results) if planned.is_empty() => match results.into_iter().next() {
                Some(Err(failure)) => Err(failure),
                _ => Ok(planned),
            },
            Err(stop) if planned.is_empty() => Err(stop.into_failure()),
            _ => Ok(planned),
        }
    }
}
