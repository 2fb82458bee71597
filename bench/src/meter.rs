//! Measures wall time and this process's CPU time together.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A running measurement.
pub struct Meter {
    wall: Instant,
    cpu: Duration,
}

/// The time that some work took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Wall time.
    pub wall: Duration,
    /// CPU time of all threads of this process; the service runs in its own process and is not included.
    pub cpu: Duration,
}

impl Meter {
    /// Starts measuring.
    pub fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu(),
        }
    }

    /// The time since the start.
    pub fn stop(&self) -> Cost {
        Cost {
            wall: self.wall.elapsed(),
            cpu: cpu().saturating_sub(self.cpu),
        }
    }
}

impl Cost {
    /// Computes a value for each of several runs over this many items.
    pub fn all(costs: &[Self], of: fn(&Self, usize) -> f64, items: usize) -> Vec<f64> {
        costs.iter().map(|cost| of(cost, items)).collect()
    }

    /// Items per second.
    pub fn rate(&self, items: usize) -> f64 {
        float(items) / self.wall.as_secs_f64()
    }

    /// Microseconds of CPU time per item.
    pub fn cpu_per(&self, items: usize) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / float(items)
    }
}

/// A count as a float.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and sizes here are far below 2^52"
)]
pub fn float(count: usize) -> f64 {
    count as f64
}

/// A duration in milliseconds.
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
