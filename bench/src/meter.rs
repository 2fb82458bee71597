//! Wall time and this process's own CPU time, side by side.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Started when it is made.
pub struct Meter {
    wall: Instant,
    cpu: Duration,
}

/// What some work took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// By the clock.
    pub wall: Duration,
    /// By all threads of this process; what the service spends in its own process is not in it.
    pub cpu: Duration,
}

impl Meter {
    /// Begin.
    pub fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu(),
        }
    }

    /// What has been spent since.
    pub fn stop(&self) -> Cost {
        Cost {
            wall: self.wall.elapsed(),
            cpu: cpu().saturating_sub(self.cpu),
        }
    }
}

impl Cost {
    /// Each of several runs over so many items.
    pub fn all(costs: &[Self], of: fn(&Self, usize) -> f64, items: usize) -> Vec<f64> {
        costs.iter().map(|cost| of(cost, items)).collect()
    }

    /// Items a second.
    pub fn rate(&self, items: usize) -> f64 {
        float(items) / self.wall.as_secs_f64()
    }

    /// Microseconds of CPU for one item.
    pub fn cpu_per(&self, items: usize) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / float(items)
    }
}

/// A count to calculate with.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and sizes here are far below 2^52"
)]
pub fn float(count: usize) -> f64 {
    count as f64
}

/// Milliseconds of a duration.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
