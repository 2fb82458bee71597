//! Limits the memory for large items and components, across all clients. What does not fit yet waits in its socket.
//!
//! When the process runs out of memory, it dies, and all runs with it: two dozen tenants with a 60 MB item each would
//! be enough. So anything larger than [`SMALL`] waits for memory before it is read.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Up to this size, nothing is reserved.
pub const SMALL: usize = MIB;
/// The largest size of anything: a component.
pub const MOST_BYTES: usize = 80 * MIB;

const MIB: usize = 1024 * 1024;
/// Large data may use one part in four: an item is in memory as a line, as text, and in its node, and the rest is for
/// small data.
const SHARE: u64 = 4;

/// The memory that all large data shares.
#[derive(Debug, Clone)]
pub struct Large {
    mebibytes: Arc<Semaphore>,
}

/// Reserved memory, released on drop.
#[derive(Debug)]
pub struct Room {
    /// `None` if the semaphore is closed, which never happens.
    permit: Option<OwnedSemaphorePermit>,
}

impl Large {
    /// For a process with this memory limit, in megabytes.
    pub fn new(memory_mb: u64) -> Self {
        let share = usize::try_from(memory_mb / SHARE).unwrap_or(Semaphore::MAX_PERMITS);
        let mebibytes = share.clamp(MOST_BYTES / MIB, Semaphore::MAX_PERMITS);
        Self {
            mebibytes: Arc::new(Semaphore::new(mebibytes)),
        }
    }

    /// Waits until this many bytes are free, first come, first served.
    pub async fn room(self, bytes: usize) -> Room {
        let permits = u32::try_from(mebibytes(bytes.min(MOST_BYTES))).unwrap_or(u32::MAX);
        Room {
            permit: self.mebibytes.acquire_many_owned(permits).await.ok(),
        }
    }
}

impl Room {
    /// Releases what this many bytes do not need.
    pub fn shrink(&mut self, bytes: usize) {
        if let Some(permit) = &mut self.permit {
            let rest = permit.num_permits().saturating_sub(mebibytes(bytes));
            drop(permit.split(rest));
        }
    }
}

fn mebibytes(bytes: usize) -> usize {
    bytes.div_ceil(MIB)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_largest_always_fits_and_the_rest_waits_until_there_is_room() {
        for (memory_mb, at_once) in [(256, 1), (1, 1), (2048, 6)] {
            let large = Large::new(memory_mb);
            let room = || large.clone().room(usize::MAX).now_or_never();
            let mut rooms: Vec<Room> = std::iter::from_fn(room).collect();
            assert_eq!(rooms.len(), at_once, "{memory_mb} MB");
            rooms.pop();
            assert!(room().is_some(), "it is given back");
        }
    }

    #[test]
    fn what_turned_out_to_be_smaller_leaves_room() {
        let large = Large::new(256);
        let mut room = large.clone().room(MOST_BYTES).now_or_never().unwrap();
        assert!(large.clone().room(SMALL + 1).now_or_never().is_none());
        room.shrink(78 * MIB);
        assert!(large.clone().room(SMALL + 1).now_or_never().is_some());
        room.shrink(MOST_BYTES);
        assert!(large.room(2 * MIB + 1).now_or_never().is_none());
    }
}
