//! Behind latency, only the number of items in flight limits the rate.

use anyhow::Result;

use crate::bench::{Bench, MOST_UNDER_WAY as CONCURRENCY, on_one_thread, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::meter::float;
use crate::plain::{Operation, Plain};
use crate::work;

const LATENCY_MS: u64 = 50;
/// Target, as a share of the theoretical rate.
const SHARE: f64 = 0.95;

/// Items per second of the node and of plain Rust, compared with the limit.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    // Enough items that the ramp at the beginning and the end hardly matters: the steady rate is measured.
    let count = CONCURRENCY * bench.choose(80, 10);
    let operation = Operation::GetMember;
    on_one_thread(async {
        let service = bench.service(LATENCY_MS)?;
        let runner = bench.runner(&service).await?;
        let plain = Plain::connect(service.base()).await?;
        work::node(&runner, operation, operation.items(CONCURRENCY), CONCURRENCY).await?;
        work::plain(&plain, operation, operation.items(CONCURRENCY), CONCURRENCY).await?;
        let (mut node, mut by_plain) = (Vec::new(), Vec::new());
        for round in 0..bench.rounds() {
            says("latency", &format!("round {} of {}", round + 1, bench.rounds()));
            let cost = work::node(&runner, operation, operation.items(count), CONCURRENCY).await?;
            node.push(cost.rate(count));
            let cost = work::plain(&plain, operation, operation.items(count), CONCURRENCY).await?;
            by_plain.push(cost.rate(count));
        }
        let limit = vec![float(CONCURRENCY) / 0.050; node.len()];
        let figure = |name: &str, rates: Vec<f64>| {
            let name = format!("{name}, {LATENCY_MS} ms, {CONCURRENCY} under way: items");
            Figure::new("latency", name, Unit::PerSecond, rates).beside("256 / 50 ms", &limit)
        };
        Ok(vec![
            figure("getMember", node).target(Target::at_least(Of::Ratio, SHARE)),
            figure("getMember in plain Rust", by_plain),
        ])
    })
}
