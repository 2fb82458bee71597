//! Calls of the interface `choices`: the questions of a form.

use std::pin::pin;

use super::{InstanceStore, Stop, bounded};
use crate::runtime::bindings::{NodePre, choices, description, types};

impl InstanceStore {
    /// Calls `values`.
    pub(crate) async fn values(
        &mut self,
        pre: &NodePre,
        question: choices::Question<'_>,
    ) -> Result<Result<choices::Page, types::Failure>, Stop> {
        let bounds = self.bounds();
        let store = &mut self.store;
        let result = {
            let call = pin!(async { pre.answering(store).await?.call_values(store, question).await });
            bounded(bounds, call).await
        };
        self.settle(result)
    }

    /// Calls `fields`.
    pub(crate) async fn fields(
        &mut self,
        pre: &NodePre,
        question: choices::Question<'_>,
    ) -> Result<Result<Vec<description::Parameter>, types::Failure>, Stop> {
        let bounds = self.bounds();
        let store = &mut self.store;
        let result = {
            let call = pin!(async { pre.answering(store).await?.call_fields(store, question).await });
            bounded(bounds, call).await
        };
        self.settle(result)
    }
}
