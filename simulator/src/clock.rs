//! Time, identifiers and randomness: everything that would otherwise differ between two runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock for generated times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    fixed_ms: Option<i64>,
}

impl Clock {
    pub(crate) fn new(epoch: Option<i64>) -> Self {
        Self {
            fixed_ms: epoch.map(|seconds| seconds.saturating_mul(1000)),
        }
    }

    /// The current time in Unix milliseconds.
    pub(crate) fn now_ms(self) -> i64 {
        self.fixed_ms.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

/// Numbers API requests in order of arrival; request IDs derive from these numbers.
#[derive(Debug)]
pub(crate) struct RequestIds {
    seed: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("sim-{:x}-{number}", self.seed)
    }
}

/// The `n`th 64-bit value of the sequence that `seed` starts (`SplitMix64`, by Steele, Lea and Flood). The values are
/// well distributed, not cryptographically secure.
pub(crate) fn scramble(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
