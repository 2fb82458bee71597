//! Items replayed from a recording: what the sandbox costs when no request is sent.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use nodule::recording::{Meta, Outcome, Recording, Role};
use nodule::{Component, EngineConfig};

use crate::bench::{Bench, on_one_thread, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::meter::{Cost, Meter};
use crate::plain::{self, Operation};
use crate::service::{Service, credential};
use crate::work;

/// Enough for all instances that the host makes by default.
const CONCURRENCY: usize = 64;
/// Target: at most this many microseconds per item more than plain Rust.
const MORE: f64 = 12.0;

/// CPU time per item.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let count = bench.choose(5_000, 500);
    on_one_thread(async {
        let service = bench.service(0)?;
        let component = bench.component(&EngineConfig::default()).await?;
        let mut figures = Vec::new();
        for operation in Operation::ALL {
            says("replay", operation.name());
            let items = operation.items(count);
            let recording = record(bench, &component, &service, operation, &items).await?;
            let answers = answers(&recording, count)?;
            let (mut node, mut yardstick) = (Vec::new(), Vec::new());
            for _ in 0..bench.rounds() {
                let runner = component.runner().replay(recording.clone()).build()?;
                node.push(work::node(&runner, operation, items.clone(), CONCURRENCY).await?);
                ensure!(
                    runner.unused().operation.is_empty(),
                    "every recorded exchange is asked for"
                );
                yardstick.push(plain_work(operation, &items, &answers)?);
            }
            let per_item =
                |costs: &[Cost]| -> Vec<f64> { costs.iter().map(|cost| cost.cpu_per(count)).collect() };
            figures.push(
                Figure::new(
                    "replay",
                    format!("{}: CPU per item", operation.name()),
                    Unit::Micros,
                    per_item(&node),
                )
                .beside("plain Rust's checks and JSON", &per_item(&yardstick))
                .target(Target::at_most(Of::Difference, MORE)),
            );
        }
        Ok(figures)
    })
}

/// Records the items against the simulator, like `nodule run --record`.
async fn record(
    bench: &Bench,
    component: &Component,
    service: &Service,
    operation: Operation,
    items: &[String],
) -> Result<Recording> {
    let (group, name) = operation.names();
    let mut meta = Meta::new(group, name, service.base().parse()?);
    meta.declared
        .clone_from(&component.node().operation(group, name)?.request);
    meta.recorded_against = Some("simulator".to_owned());
    let recorder = component
        .runner()
        .credential(credential(component, service.base())?)
        .record(meta)
        .build()?;
    work::node(&recorder, operation, items.to_vec(), 1).await?;
    let path = bench.folder.path().join(format!("{name}.har"));
    recorder.save_recording(&path)?;
    Ok(Recording::load(&path)?)
}

/// The bodies of the responses, in the items' order.
fn answers(recording: &Recording, count: usize) -> Result<Vec<Bytes>> {
    let answers: Vec<Bytes> = recording
        .exchanges()
        .iter()
        .filter(|exchange| exchange.role == Role::Operation)
        .filter_map(|exchange| match &exchange.outcome {
            Outcome::Answer(answer) => Some(answer.body.clone()),
            Outcome::Failed { .. } => None,
        })
        .collect();
    ensure!(
        answers.len() == count,
        "expected {count} recorded answers, found {}",
        answers.len()
    );
    Ok(answers)
}

/// The same work without a sandbox: checks each item, builds its request and reads its response.
fn plain_work(operation: Operation, items: &[String], answers: &[Bytes]) -> Result<Cost> {
    let meter = Meter::start();
    for (item, answer) in items.iter().zip(answers) {
        let prepared = plain::prepare(operation, item).context("a recorded item")?;
        std::hint::black_box(prepared);
        std::hint::black_box(plain::read(answer.clone())?);
    }
    Ok(meter.stop())
}
