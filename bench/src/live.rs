//! Items over loopback, in the node and in plain Rust alternately, on one thread each.

use anyhow::Result;

use crate::agree;
use crate::bench::{Bench, on_one_thread, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::meter::Cost;
use crate::plain::{Operation, Plain};
use crate::work;

/// Numbers of items in flight.
pub const CONCURRENCIES: [usize; 4] = [1, 16, 64, 256];
/// Concurrencies with a target.
const JUDGED: [usize; 2] = [16, 64];
/// Target, as a share of plain Rust's rate.
const SHARE: f64 = 0.75;

/// Items per second, and CPU time per item.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let count = bench.choose(20_000, 1_500);
    on_one_thread(async {
        let service = bench.service(0)?;
        let runner = bench.runner(&service).await?;
        let plain = Plain::connect(service.base()).await?;
        agree::check(runner.component(), &service).await?;
        agree::check_output(runner.component(), &service, &plain).await?;
        let mut figures = Vec::new();
        for operation in Operation::ALL {
            for concurrency in CONCURRENCIES {
                let name = format!("{}, {concurrency} under way", operation.name());
                says("live", &name);
                // Open the connections and warm up the code first.
                let warm_up = concurrency * 2;
                work::node(&runner, operation, operation.items(warm_up), concurrency).await?;
                work::plain(&plain, operation, operation.items(warm_up), concurrency).await?;
                let items = || operation.items(count);
                let node = async || work::node(&runner, operation, items(), concurrency).await;
                let yardstick = async || work::plain(&plain, operation, items(), concurrency).await;
                let (node, yardstick) = bench.in_turn(node, yardstick).await?;
                figures.extend(figures_of(operation, concurrency, count, &node, &yardstick));
            }
        }
        Ok(figures)
    })
}

fn figures_of(
    operation: Operation,
    concurrency: usize,
    count: usize,
    node: &[Cost],
    plain: &[Cost],
) -> [Figure; 2] {
    let name = |what: &str| format!("{}, {concurrency} under way: {what}", operation.name());
    let all = |costs: &[Cost], of| Cost::all(costs, of, count);
    let rate = Figure::new("live", name("items"), Unit::PerSecond, all(node, Cost::rate))
        .beside("plain Rust", &all(plain, Cost::rate))
        .live(operation, concurrency);
    let cpu = Figure::new(
        "live",
        name("CPU per item"),
        Unit::Micros,
        all(node, Cost::cpu_per),
    )
    .beside("plain Rust", &all(plain, Cost::cpu_per))
    .live(operation, concurrency);
    if JUDGED.contains(&concurrency) {
        // The service runs on another processor and could limit both rates; it cannot affect the CPU time per item.
        [
            rate.target(Target::at_least(Of::Ratio, SHARE)),
            cpu.target(Target::at_most(Of::Ratio, SHARE.recip())),
        ]
    } else {
        [rate, cpu]
    }
}
