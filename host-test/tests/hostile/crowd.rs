//! A node that computes in many short calls, or in many calls at once, or sends many requests at once: rows 97 and 151.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use nodule::{ResultOrder, RunOptions};
use serde_json::json;
use tokio::task::JoinSet;

use crate::bench::{Bench, Setup, kinds, output};
use crate::guests::{COMPUTES, FLOODS, TAKES_TURNS};
use crate::server::{NOWHERE, Server, Step, within};

/// The seconds of processor time that are watched. The 64 items under way at once need 1.3 of them. If they get on evenly,
/// none ends before a sixth of all has gone to them.
const WATCHED: f64 = 10.0;

/// While others keep all threads busy, the calls of one run together get a sixth of the threads, and slightly more at
/// the start. Both are measured in processor time of this process, of which a busy machine gives little.
pub async fn many_calls(bench: &Bench) {
    const MOST: f64 = 0.4;
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
    let mut neighbours = JoinSet::new();
    for _ in 0..tokio::runtime::Handle::current().metrics().num_workers() {
        neighbours.spawn(works());
    }
    for (name, operation, concurrency, millis) in [
        // Calls of four items, which finish before their first interruption.
        ("short calls", "read", 2, 2),
        // Calls of one item.
        ("many at once", "write", 64, 20),
    ] {
        let options = RunOptions::default().concurrency(concurrency);
        let endless = stream::repeat(lasting(millis).to_string()).map(Ok);
        let runner = setup.runner();
        let before = worked();
        let results = runner.run("things", operation, endless, &options).await.unwrap();
        let mut results = results.take_until(Box::pin(has_worked(before + WATCHED)));
        let mut items = 0_u32;
        while let Some(completed) = results.next().await {
            let result = completed.unwrap().result;
            assert!(result.is_ok(), "{name}: {result:?}");
            items += 1;
        }
        let computed = f64::from(items) * Duration::from_millis(millis).as_secs_f64();
        let share = computed / (worked() - before);
        assert!(
            items > 0 && share < MOST,
            "{name}: {share:.2} of the work, {items} items"
        );
    }
}

/// Each call may have one request under way (`call.in-flight`), and its node starts fifty or more.
pub async fn more_than_allowed(bench: &Bench) {
    for calls in [1, 3] {
        let server = Server::start(|_| vec![Step::Silence]).await;
        let url = format!("{}/api", server.origin());
        let guest = if bench.turns { TAKES_TURNS } else { FLOODS };
        let setup = Setup::new(bench, guest, url.clone())
            .await
            .limits("host-resources = 1000000\nrun-timeout-ms = 1000");
        let item = json!({"url": url, "turns": "asks for many", "times": 50});
        // In this order a call has one item.
        let options = RunOptions::default()
            .concurrency(calls)
            .order(ResultOrder::Completion);
        let runner = setup.runner();
        let run = runner.execute("things", "read", vec![item; calls], &options);
        let results = within("the calls", run).await.unwrap();
        assert_eq!(kinds(&results), vec!["limit"; calls]);
        assert_eq!(server.most_open(), calls, "requests at once");
    }
}

/// An honest task with endless work, which yields after each millisecond.
async fn works() {
    loop {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until this process has used so much processor time, however busy the machine is with others.
async fn has_worked(seconds: f64) {
    while worked() < seconds {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Processor seconds that this process has used.
fn worked() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the process name, which may contain anything: fields 14 and 15, in hundredths of a second.
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: u32 = fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>().unwrap())
        .sum();
    f64::from(ticks) / 100.0
}
