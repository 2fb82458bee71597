//! The rows of one long listing: their rate beside plain Rust that turns the pages the same way, and the memory of `nodule run`.

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, stream};
use nodule::{RunOptions, Runner};

use crate::bench::{Bench, on_one_thread, says};
use crate::figure::{Digits, Figure, Of, Target, Unit};
use crate::meter::{Cost, Meter, float};
use crate::million::peak;
use crate::plain::Plain;

const OPERATION: [&str; 2] = ["points", "getPointsRecords"];
/// Target: at least this share of plain Rust's rate.
const SHARE: f64 = 0.75;
/// Target: at most this many megabytes.
const MOST: f64 = 80.0;

/// Rows per second, CPU time per row, and peak memory.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let count = bench.choose(1_000_000, 50_000);
    let service = bench.service(0)?;
    let mut figures = on_one_thread(async {
        let runner = bench.runner(&service).await?;
        let plain = Plain::connect(service.base()).await?;
        says("rows", &format!("{} rows of one item", Digits(float(count))));
        let warm_up = 5_000;
        node(&runner, warm_up).await?;
        yardstick(&plain, warm_up).await?;
        let (node, plain) = bench
            .in_turn(
                async || node(&runner, count).await,
                async || yardstick(&plain, count).await,
            )
            .await?;
        let figure = |what: &str, unit, of: fn(&Cost, usize) -> f64| {
            let all = |costs: &[Cost]| Cost::all(costs, of, count);
            Figure::new(
                "rows",
                format!("one item of {} rows: {what}", Digits(float(count))),
                unit,
                all(&node),
            )
            .beside("plain Rust", &all(&plain))
        };
        anyhow::Ok(vec![
            figure("rows", Unit::PerSecond, Cost::rate).target(Target::at_least(Of::Ratio, SHARE)),
            figure("CPU per row", Unit::Micros, Cost::cpu_per),
        ])
    })?;
    let items = bench.folder.path().join("listing.jsonl");
    std::fs::write(&items, item(count) + "\n")?;
    let rounds = bench.choose(3, 1);
    let mut peaks = Vec::new();
    for round in 0..rounds {
        says("rows", &format!("memory, round {} of {rounds}", round + 1));
        peaks.push(peak(bench, &service, OPERATION, &items)?);
    }
    let name = format!(
        "peak of `nodule run` over one item of {} rows",
        Digits(float(count))
    );
    figures.push(Figure::new("rows", name, Unit::Megabytes, peaks).target(Target::at_most(Of::Value, MOST)));
    Ok(figures)
}

/// An item that lists this many rows.
fn item(count: usize) -> String {
    serde_json::json!({"accountCode": format!("F{count}"), "returnAll": true}).to_string()
}

async fn node(runner: &Runner, count: usize) -> Result<Cost> {
    let options = RunOptions::default().stream_rows(true);
    let [group, name] = OPERATION;
    let meter = Meter::start();
    let items = stream::iter([Ok(item(count))]);
    let mut results = runner.run(group, name, items, &options).await?;
    let mut rows = 0;
    while let Some(completed) = results.next().await {
        let output = completed?
            .result
            .map_err(|failure| anyhow::anyhow!("{failure}"))?;
        rows += std::hint::black_box(output).len();
    }
    let cost = meter.stop();
    ensure!(rows == count, "expected {count} rows, found {rows}");
    Ok(cost)
}

async fn yardstick(plain: &Plain, count: usize) -> Result<Cost> {
    let meter = Meter::start();
    let mut rows = 0;
    for page in 1.. {
        let found = plain
            .records(&format!("F{count}"), page)
            .await
            .context("a page")?;
        if found.is_empty() {
            break;
        }
        rows += std::hint::black_box(found).len();
    }
    let cost = meter.stop();
    ensure!(rows == count, "expected {count} rows, found {rows}");
    Ok(cost)
}
