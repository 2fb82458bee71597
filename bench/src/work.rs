//! Runs items through the node and through plain Rust, and measures the cost.

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{StreamExt as _, stream};
use nodule::{RunOptions, Runner};

use crate::meter::{Cost, Meter};
use crate::plain::{Operation, Plain};

/// Runs items through the node; all must succeed.
pub async fn node(
    runner: &Runner,
    operation: Operation,
    items: Vec<String>,
    concurrency: usize,
) -> Result<Cost> {
    let (group, name) = operation.names();
    let options = RunOptions::default().concurrency(concurrency);
    let count = items.len();
    let meter = Meter::start();
    let mut results = runner
        .run(group, name, stream::iter(items.into_iter().map(Ok)), &options)
        .await?;
    let mut given = 0;
    while let Some(completed) = results.next().await {
        if let Err(failure) = completed?.result {
            bail!("{group}.{name} in the node, item {given}: {failure}");
        }
        given += 1;
    }
    let cost = meter.stop();
    ensure!(given == count, "expected {count} results, found {given}");
    Ok(cost)
}

/// Runs items through plain Rust; all must succeed.
pub async fn plain(
    plain: &Plain,
    operation: Operation,
    items: Vec<String>,
    concurrency: usize,
) -> Result<Cost> {
    let count = items.len();
    let meter = Meter::start();
    let mut results = stream::iter(items)
        .map(async |item| plain.item(operation, &item).await)
        .buffered(concurrency);
    let mut given = 0;
    while let Some(result) = results.next().await {
        let output = result.with_context(|| format!("{} in plain Rust, item {given}", operation.name()))?;
        std::hint::black_box(output);
        given += 1;
    }
    let cost = meter.stop();
    ensure!(given == count, "expected {count} results, found {given}");
    Ok(cost)
}
