//! What remains after ten thousand runs: row 35.

use nodule::RunOptions;
use serde_json::json;

use crate::bench::{Bench, Setup, finished};
use crate::guests::{
    ASKS_THE_CLOCK, CALLS, GROWS, HANDS_OVER, HOARDS_ANSWERS, HOARDS_HANDLES, MISCOUNTS, PANICS, RECURSES,
    RETURNS_MUCH, SPINS, WAITS, WANTS_RANDOM,
};
use crate::heap::{in_use, resident};
use crate::server::{Server, ok};

/// Set in a process that runs one row and nothing else.
pub const ALONE: &str = "HOSTILE_ALONE";

/// Runs in its own process, because it measures the process: other rows' large allocations make glibc keep up to 64 MB
/// of freed memory in each thread's arena, intermittently. The environment variable fixes the threshold for that.
pub async fn many_runs(bench: &Bench) {
    if std::env::var_os(ALONE).is_some() {
        return ten_thousand(bench).await;
    }
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    alone
        .arg("35")
        .env(ALONE, "1")
        .env("MALLOC_MMAP_THRESHOLD_", (128 << 10).to_string());
    let done = finished(alone).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

async fn ten_thousand(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let base = format!("{}/api", server.origin());
    let small = "memory-bytes = 4194304\nrun-timeout-ms = 20\nhost-resources = 256\noutput-bytes = 1048576\nbuffered-bytes = 1048576";
    let slow = [SPINS, WAITS, ASKS_THE_CLOCK];
    let mut mix = Vec::new();
    for guest in [
        PANICS,
        MISCOUNTS,
        GROWS,
        HOARDS_HANDLES,
        HANDS_OVER,
        RETURNS_MUCH,
        RECURSES,
        WANTS_RANDOM,
        CALLS,
        HOARDS_ANSWERS,
    ]
    .into_iter()
    .chain(slow)
    {
        mix.push((
            Setup::new(bench, guest, base.clone())
                .await
                .limits(small)
                .runner(),
            guest,
        ));
    }
    let item = json!({
        "hostile": true, "panic": true, "url": base,
        "requests": [{"url": "https://169.254.169.254/"}, {"url": base}],
    });
    bench.log.pause(true);
    let mut baseline = Use::default();
    let options = RunOptions::default();
    for run in 0..10_000_usize {
        // Guests that use up their time run once in fifty runs.
        let choice = if run % 50 == 0 {
            10 + run / 50 % slow.len()
        } else {
            run % 10
        };
        let (runner, guest) = &mix[choice];
        let results = runner
            .execute("things", "read", vec![item.clone()], &options)
            .await
            .unwrap();
        assert_eq!(results.len(), 1, "{guest}");
        // The server's log is the test's memory, not the host's.
        server.take();
        if run == 1000 {
            baseline = Use::now();
        }
    }
    bench.log.pause(false);
    let after = Use::now();
    let within_a_tenth = |before: usize, after: usize| after <= before + before / 10;
    assert!(
        within_a_tenth(baseline.heap, after.heap),
        "{baseline:?}, then {after:?}"
    );
    assert!(
        within_a_tenth(baseline.resident, after.resident),
        "{baseline:?}, then {after:?}"
    );
    assert!(after.threads <= baseline.threads, "{baseline:?}, then {after:?}");
    // A pooled connection may be open at one time and not at the other.
    assert!(after.files <= baseline.files + 2, "{baseline:?}, then {after:?}");
}

/// The resources of the process.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    /// Bytes allocated and not freed.
    heap: usize,
    /// Bytes of memory from the system.
    resident: usize,
    threads: usize,
    /// Including sockets.
    files: usize,
}

impl Use {
    fn now() -> Self {
        Self {
            heap: in_use(),
            resident: resident(),
            threads: threads(),
            files: files(),
        }
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
