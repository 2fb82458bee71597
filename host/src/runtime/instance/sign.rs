//! The call of the interface `signing`.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Ended, InstanceStore, Stop, bounded};
use crate::gate::pipeline::Pipeline;
use crate::runtime::bindings::{NodePre, signing, types};
use crate::runtime::clock_and_rng::ClockAndRng;
use crate::runtime::engine::Engine;

/// Signing a megabyte takes hundredths of a second, and a request waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

impl InstanceStore {
    /// An instance for one signature. It runs in the task of the call whose request it signs, which its CPU time is
    /// counted for. The clock is the machine's, also while the call's is a recorded one: a service compares the time of
    /// a signature with its own.
    pub(crate) fn for_signature(engine: &Engine, pipeline: Arc<Pipeline>) -> Self {
        let mut limits = pipeline.limits().clone();
        limits.run_timeout = limits.run_timeout.min(TIMEOUT);
        Self::build(engine, &limits, Some(pipeline), None, ClockAndRng::Real)
    }

    /// Calls `sign`.
    pub(crate) async fn sign(
        &mut self,
        pre: &NodePre,
        credential: signing::BoundCredential<'_>,
        draft: signing::Draft<'_>,
    ) -> Result<Result<signing::SignedRequest, types::Failure>, Stop> {
        let bounds = self.bounds();
        let store = &mut self.store;
        let result = {
            let call = pin!(async {
                let node = pre.signing(store).await?;
                node.call_sign(store, credential, draft).await
            });
            bounded(bounds, call).await
        };
        match result {
            // No key of the policy says so.
            Err(Ended::Late) if self.run_timeout == TIMEOUT => Err(Stop::Limit(format!(
                "the signature took longer than {} seconds",
                TIMEOUT.as_secs()
            ))),
            result => self.settle(result),
        }
    }
}
