//! A hostile node beside honest runs: how much longer they take.

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{StreamExt as _, stream};
use nodule::{Credential, Engine, EngineConfig, RunOptions, Runner};
use tokio::task::JoinSet;

use crate::bench::{Bench, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::meter::millis;
use crate::plain::Operation;

/// Of 64 runs, one is hostile.
const HONEST: usize = 63;
/// Times their time alone.
const LONGER: f64 = 1.5;

/// Time of the honest runs beside one that loops without end, and alone.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    // As the command does it: a thread for each processor.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(compare(bench));
    // A thread may be in the loop still, until its next interruption.
    runtime.shutdown_background();
    figures
}

async fn compare(bench: &Bench) -> Result<Vec<Figure>> {
    let each = bench.choose(300, 50);
    let service = bench.service(0)?;
    let engine = Engine::new(&EngineConfig::default())?;
    let component = engine.load_file(bench.node()).await?;
    let honest = component
        .runner()
        .credential(service.credential(&component)?)
        .build()?;
    let hostile = hostile(bench, &engine).await?;
    together(&honest, each).await?;
    let (mut beside, mut alone) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds() {
        says(
            "neighbours",
            &format!("round {} of {}", round + 1, bench.rounds()),
        );
        alone.push(together(&honest, each).await?);
        let items = stream::iter([Ok(r#"{"hostile": true}"#.to_owned())]);
        let mut spinning = hostile.run("things", "read", items, &RunOptions::default())?;
        beside.push(together(&honest, each).await?);
        let ended = tokio::time::timeout(std::time::Duration::ZERO, spinning.next()).await;
        ensure!(ended.is_err(), "the hostile run ended before the honest ones");
    }
    Ok(vec![
        Figure::new(
            "neighbours",
            format!("{HONEST} runs beside an endless loop"),
            Unit::Millis,
            beside,
        )
        .beside("alone", &alone)
        .target(Target::at_most(Of::Ratio, LONGER)),
    ])
}

/// A node that never comes back from a call.
async fn hostile(bench: &Bench, engine: &Engine) -> Result<Runner> {
    let path = bench.target.join("hostile/spins.wasm");
    let component = engine
        .load_file(&path)
        .await
        .with_context(|| format!("{} (`make hostile-nodes` leaves it)", path.display()))?;
    // It authenticates without a request.
    let json = r#"{"baseUrl": "http://127.0.0.1:9", "secret": "not-a-secret-of-anybody", "mode": "none"}"#;
    let credential = Credential::from_json(component.node(), json)?;
    Ok(component.runner().credential(credential).build()?)
}

/// Milliseconds until all of the honest runs, which begin together, have ended.
async fn together(runner: &Runner, each: usize) -> Result<f64> {
    let operation = Operation::GetMember;
    let (group, name) = operation.names();
    let begin = Instant::now();
    let mut runs = JoinSet::new();
    for _ in 0..HONEST {
        let items = stream::iter(operation.items(each).into_iter().map(Ok));
        let mut results = runner.run(group, name, items, &RunOptions::default().concurrency(1))?;
        runs.spawn(async move {
            while let Some(result) = results.next().await {
                if let Err(failure) = result {
                    bail!("an honest run: {failure}");
                }
            }
            Ok(())
        });
    }
    while let Some(run) = runs.join_next().await {
        run??;
    }
    Ok(millis(begin.elapsed()))
}
