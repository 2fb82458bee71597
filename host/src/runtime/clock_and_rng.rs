//! The sources of an instance's time and randomness: the machine or a recording.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _, TryRng};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

/// The sources of an instance's time and randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockAndRng {
    /// The machine.
    Real,
    /// A fixed clock and a seeded generator, so that a recorded call can be repeated exactly.
    Virtual(ReplaySeed),
}

/// The time and the seed of one recorded call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplaySeed {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) clock_ms: u64,
    /// The seed of the random bytes.
    pub(crate) seed: u64,
}

impl ClockAndRng {
    /// A WASI context with these sources. If they are virtual, also the means to change them for the next recorded
    /// call.
    pub(super) fn wasi(self) -> (WasiCtx, Option<Staged>) {
        let mut builder = WasiCtx::builder();
        let staged = match self {
            ClockAndRng::Real => None,
            ClockAndRng::Virtual(moment) => {
                let clock = Standing(Arc::new(AtomicU64::new(moment.clock_ms)));
                let random = Seeded(Arc::new(Mutex::new(ChaCha20Rng::seed_from_u64(moment.seed))));
                builder
                    .wall_clock(clock.clone())
                    .monotonic_clock(clock.clone())
                    .secure_random(random.clone());
                Some(Staged { clock, random })
            }
        };
        (builder.build(), staged)
    }
}

/// The clock and the generator in the `WasiCtx` of a recorded call. Making a new context for each call takes longer
/// than many a call.
pub(super) struct Staged {
    clock: Standing,
    random: Seeded,
}

impl Staged {
    /// Sets the time and seed of another call.
    pub(super) fn set(&self, moment: ReplaySeed) {
        self.clock.0.store(moment.clock_ms, Ordering::Relaxed);
        *self.random.0.lock().unwrap_or_else(PoisonError::into_inner) =
            ChaCha20Rng::seed_from_u64(moment.seed);
    }
}

/// A fixed clock.
#[derive(Clone)]
struct Standing(Arc<AtomicU64>);

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl HostMonotonicClock for Standing {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        // Every call starts at zero, which a clock that only measures durations may do.
        0
    }
}

/// A generator that gives the same numbers for the same seed.
#[derive(Clone)]
struct Seeded(Arc<Mutex<ChaCha20Rng>>);

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(staged: &Staged) -> (u64, Duration) {
        (
            staged.random.clone().next_u64(),
            HostWallClock::now(&staged.clock),
        )
    }

    #[test]
    fn a_moment_gives_the_same_time_and_numbers_whatever_came_before() {
        let at = |clock_ms, seed| ReplaySeed { clock_ms, seed };
        let fresh = |moment| ClockAndRng::Virtual(moment).wasi().1.unwrap();
        let used = fresh(at(1, 7));
        let first = drawn(&used);
        assert_ne!(drawn(&used).0, first.0, "numbers go on within a call");
        used.set(at(2, 8));
        assert_eq!(drawn(&used), drawn(&fresh(at(2, 8))));
        used.set(at(1, 7));
        assert_eq!(drawn(&used), first);
        assert!(ClockAndRng::Real.wasi().1.is_none());
    }
}
