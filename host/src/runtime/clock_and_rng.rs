//! The sources of an instance's time and randomness: the machine or a recording.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nodule_core::recording::random::{INSECURE, SECURE, SEED, generator};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, TryRng};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use super::printed::{Printed, Stream};

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
    /// A WASI context with these sources, in which nothing is granted: no variables, arguments, folders, sockets or
    /// names, and a standard input that is closed. If the sources are virtual, also the means to change them for the next
    /// recorded call.
    pub(super) fn wasi(self, printed: &Printed) -> (WasiCtx, Option<Staged>) {
        let mut builder = WasiCtx::builder();
        builder
            .stdout(printed.stream(Stream::Output))
            .stderr(printed.stream(Stream::Error))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        let staged = match self {
            ClockAndRng::Real => None,
            ClockAndRng::Virtual(moment) => {
                let clock = Standing(Arc::new(AtomicU64::new(moment.clock_ms)));
                let random = Seeded::new(moment.seed, SECURE);
                let insecure = Seeded::new(moment.seed, INSECURE);
                let seed = AtomicU64::new(moment.seed);
                builder
                    .wall_clock(clock.clone())
                    .monotonic_clock(clock.clone())
                    .secure_random(random.clone())
                    .insecure_random(insecure.clone());
                Some(Staged {
                    clock,
                    random,
                    insecure,
                    seed,
                })
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
    insecure: Seeded,
    seed: AtomicU64,
}

impl Staged {
    /// Sets the time and seed of another call.
    pub(super) fn set(&self, moment: ReplaySeed) {
        self.clock.0.store(moment.clock_ms, Ordering::Relaxed);
        self.random.set(moment.seed, SECURE);
        self.insecure.set(moment.seed, INSECURE);
        self.seed.store(moment.seed, Ordering::Relaxed);
    }

    /// The seed for hash maps. It does not depend on what was drawn before, since a runtime asks for it once for each
    /// instance, and an instance may run several calls.
    pub(super) fn insecure_seed(&self) -> (u64, u64) {
        let mut random = generator(self.seed.load(Ordering::Relaxed), SEED);
        (random.next_u64(), random.next_u64())
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

impl Seeded {
    fn new(seed: u64, stream: u64) -> Self {
        Self(Arc::new(Mutex::new(generator(seed, stream))))
    }

    fn set(&self, seed: u64, stream: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = generator(seed, stream);
    }
}

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

    fn drawn(staged: &Staged) -> ([u64; 2], (u64, u64), Duration) {
        (
            [
                staged.random.clone().next_u64(),
                staged.insecure.clone().next_u64(),
            ],
            staged.insecure_seed(),
            HostWallClock::now(&staged.clock),
        )
    }

    #[test]
    fn a_moment_gives_the_same_time_and_numbers_whatever_came_before() {
        let at = |clock_ms, seed| ReplaySeed { clock_ms, seed };
        let fresh = |moment| ClockAndRng::Virtual(moment).wasi(&Printed::default()).1.unwrap();
        let used = fresh(at(1, 7));
        let first = drawn(&used);
        assert_ne!(drawn(&used).0, first.0, "numbers go on within a call");
        used.set(at(2, 8));
        assert_eq!(drawn(&used), drawn(&fresh(at(2, 8))));
        used.set(at(1, 7));
        assert_eq!(drawn(&used), first);
        assert!(ClockAndRng::Real.wasi(&Printed::default()).1.is_none());
    }
}
