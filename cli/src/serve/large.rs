//! Memory for what is large: items and components of many megabytes, of which some may be in memory at once, whoever sends
//! them. The others wait in their sockets.
//!
//! When the process has no memory left, it ends, and with it the runs of everybody: two dozen tenants with an item
//! of 60 MB each would be enough. So what is larger than [`SMALL`] waits for room before it is read.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What fits into this is read without asking.
pub const SMALL: usize = MIB;
/// The largest that anything may be: a component.
pub const MOST_BYTES: usize = 80 * MIB;

const MIB: usize = 1024 * 1024;
/// An item is in memory as a line, as text, and in its node; a part is left for all that is small.
const SHARE: u64 = 4;

/// Room for all that is large at once.
#[derive(Debug, Clone)]
pub struct Large {
    mebibytes: Arc<Semaphore>,
}

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub struct Room {
    /// `None` where the semaphore was closed, which nobody does.
    permit: Option<OwnedSemaphorePermit>,
}

impl Large {
    /// For a process of so many megabytes.
    pub fn new(memory_mb: u64) -> Self {
        let share = usize::try_from(memory_mb / SHARE).unwrap_or(Semaphore::MAX_PERMITS);
        let mebibytes = share.clamp(MOST_BYTES / MIB, Semaphore::MAX_PERMITS);
        Self {
            mebibytes: Arc::new(Semaphore::new(mebibytes)),
        }
    }

    /// Waits for room for so many bytes, in the order of those who ask.
    pub async fn room(self, bytes: usize) -> Room {
        let permits = u32::try_from(mebibytes(bytes.min(MOST_BYTES))).unwrap_or(u32::MAX);
        Room {
            permit: self.mebibytes.acquire_many_owned(permits).await.ok(),
        }
    }
}

impl Room {
    /// Gives back what is more than so many bytes need.
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
