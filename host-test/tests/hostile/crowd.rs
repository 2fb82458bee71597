//! A node that computes in many calls, each of which is short, or in many at once: row 97.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use nodule::RunOptions;
use serde_json::json;

use crate::bench::{Bench, Setup, output};
use crate::guests::COMPUTES;
use crate::server::NOWHERE;

/// The threads of the tests.
const THREADS: f64 = 2.0;
const WATCHED: Duration = Duration::from_secs(3);

/// All calls of a run together take a sixth of the threads, with some more at the beginning; on a machine that is busy with something
/// else they take less.
pub async fn many_calls(bench: &Bench) {
    const MOST: f64 = 0.5;
    let setup = Setup::new(bench, COMPUTES, NOWHERE).await;
    let rounds: u64 = 1 << 20;
    let item = |rounds: u64| json!({"rounds": rounds});
    let mut took = Vec::new();
    for _ in 0..5 {
        let results = setup.run(vec![item(rounds)]).await;
        took.extend(output(&results[0])[0].as_u64());
    }
    let took = *took.iter().min().unwrap();
    let lasting = |millis: u64| item(rounds * millis * 1_000_000 / took);
    for (name, operation, concurrency, millis) in [
        // Calls of four items, which end before they are interrupted for the first time.
        ("short calls", "read", 2, 2),
        // Calls of one item.
        ("many at once", "write", 64, 20),
    ] {
        let options = RunOptions::default().concurrency(concurrency);
        let endless = stream::repeat(Ok(lasting(millis).to_string()));
        let runner = setup.runner();
        let begin = Instant::now();
        let results = runner.run("things", operation, endless, &options).unwrap();
        let mut results = results.take_until(Box::pin(tokio::time::sleep(WATCHED)));
        let mut items = 0_u32;
        while let Some(result) = results.next().await {
            assert!(result.is_ok(), "{name}: {result:?}");
            items += 1;
        }
        let computed = f64::from(items) * Duration::from_millis(millis).as_secs_f64();
        let share = computed / (begin.elapsed().as_secs_f64() * THREADS);
        assert!(
            items > 0 && share < MOST,
            "{name}: {share:.2} of the threads, {items} items"
        );
    }
}
