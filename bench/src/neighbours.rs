//! Honest runs beside another tenant's hostile nodes: how much longer do they take?

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{StreamExt as _, stream};
use nodule::{Credential, Engine, EngineConfig, RunOptions, Runner};
use serde_json::json;
use tokio::task::JoinSet;

use crate::bench::{Bench, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::meter::millis;
use crate::plain::Operation;
use crate::service::Service;

/// Number of honest runs.
const HONEST: usize = 63;
/// Number of hostile nodes: one per thread of the machines that the published figures come from.
const HOSTILE: usize = 2;
/// Target: at most this many times as long as alone.
const LONGER: f64 = 1.5;

/// The endless loops of a hostile node, with their names in `host-test/guests/examples/loops.rs`.
const LOOPS: [(&str, &str); 4] = [
    ("that loop", "nothing"),
    ("whose requests are denied", "handle, denied and dropped"),
    ("that drop their requests", "handle, begun and given time"),
    ("whose requests are answered", "handle, ended"),
];

/// Time of the honest runs beside hostile ones, compared with alone.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    // One thread per processor, like the command.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(compare(bench));
    // A thread may still be in a loop, until its next interruption.
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
    let hostile = hostile(bench, &engine, &service).await?;
    let url = format!("{}/v1/member/M1", service.base());
    together(&honest, each).await?;
    let mut alone = Vec::new();
    let mut beside: [Vec<f64>; LOOPS.len()] = Default::default();
    for round in 0..bench.rounds() {
        says(
            "neighbours",
            &format!("round {} of {}", round + 1, bench.rounds()),
        );
        alone.push(together(&honest, each).await?);
        for ((_, what), beside) in LOOPS.iter().zip(&mut beside) {
            let item = json!({"what": what, "url": url}).to_string();
            let mut looping = Vec::new();
            for _ in 0..HOSTILE {
                let items = stream::iter([Ok(item.clone())]);
                looping.push(
                    hostile
                        .run("things", "read", items, &RunOptions::default())
                        .await?,
                );
            }
            beside.push(together(&honest, each).await?);
            for run in &mut looping {
                let ended = tokio::time::timeout(std::time::Duration::ZERO, run.next()).await;
                ensure!(
                    ended.is_err(),
                    "{what}: the hostile run ended before the honest ones"
                );
            }
        }
    }
    let figures = LOOPS.iter().zip(beside).map(|((loops, _), beside)| {
        let name = format!("{HONEST} runs beside {HOSTILE} {loops}");
        Figure::new("neighbours", name, Unit::Millis, beside)
            .beside("alone", &alone)
            .target(Target::at_most(Of::Ratio, LONGER))
    });
    Ok(figures.collect())
}

/// A node whose calls never return.
async fn hostile(bench: &Bench, engine: &Engine, service: &Service) -> Result<Runner> {
    let path = bench.target.join("hostile/loops.wasm");
    let component = engine
        .load_file(&path)
        .await
        .with_context(|| format!("{} (`make hostile-guests` leaves it)", path.display()))?;
    // In this mode it authenticates without a request.
    let json = json!({"baseUrl": service.base(), "secret": "not-a-secret-of-anybody", "mode": "none"});
    let credential = Credential::from_json(component.node(), &json.to_string())?;
    Ok(component
        .runner()
        .credential(credential)
        .tenant("hostile")
        .build()?)
}

/// Milliseconds until all honest runs, started together, have ended.
async fn together(runner: &Runner, each: usize) -> Result<f64> {
    let operation = Operation::GetMember;
    let (group, name) = operation.names();
    let begin = Instant::now();
    let mut runs = JoinSet::new();
    for _ in 0..HONEST {
        let items = stream::iter(operation.items(each).into_iter().map(Ok));
        let mut results = runner
            .run(group, name, items, &RunOptions::default().concurrency(1))
            .await?;
        runs.spawn(async move {
            while let Some(completed) = results.next().await {
                if let Err(failure) = completed?.result {
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
