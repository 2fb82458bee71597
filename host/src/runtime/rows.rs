//! The rows that items give while they go on.

use std::ops::ControlFlow;

use crate::runtime::bindings::turns::Emitted;

/// Takes the rows of one call.
#[async_trait::async_trait]
pub(crate) trait Rows: Send + Sync {
    /// Takes rows. `Break`: the call ends here, and the node is not asked any further.
    fn take(&self, emitted: Emitted) -> ControlFlow<()>;

    /// Gives what was taken, and waits until there is room for more. `Break` as above.
    async fn give(&self) -> ControlFlow<()>;
}
