//! Policy, injection, redaction and limits: each left out beside all of them, and all of them beside none.

use anyhow::Result;
use nodule::measure::Guard;
use nodule::{EngineConfig, Runner};

use crate::bench::{Bench, limits, on_one_thread, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::plain::Operation;
use crate::work;

/// Where connections are never waited for.
const CONCURRENCY: usize = 64;
/// All guards together may make an item this many times as expensive.
const TOGETHER: f64 = 1.15;

/// What is left out, and how the table calls it.
const VARIANTS: [(&str, &[Guard]); 6] = [
    ("all", &[]),
    ("policy", &[Guard::Policy]),
    ("injection", &[Guard::Injection]),
    ("redaction", &[Guard::Redaction]),
    ("limits", &[Guard::Limits]),
    (
        "nothing",
        &[Guard::Policy, Guard::Injection, Guard::Redaction, Guard::Limits],
    ),
];

/// CPU per item.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let count = bench.choose(20_000, 1_500);
    let rounds = bench.choose(7, 3);
    let operation = Operation::GetMember;
    on_one_thread(async {
        let service = bench.service(0)?;
        // Limits of time are checks in the compiled code, so that leaving them out takes another engine.
        let with_limits = bench.component(&EngineConfig::default()).await?;
        let without_limits = bench.component(&EngineConfig::default().without_epochs()).await?;
        let mut runners: Vec<Runner> = Vec::new();
        for (_, left_out) in VARIANTS {
            let component = if left_out.contains(&Guard::Limits) {
                &without_limits
            } else {
                &with_limits
            };
            let runner = component
                .runner()
                .credential(service.credential(component)?)
                .limits(limits(CONCURRENCY))
                .without(left_out.iter().copied())
                .build()?;
            work::node(&runner, operation, operation.items(CONCURRENCY * 2), CONCURRENCY).await?;
            runners.push(runner);
        }
        let mut costs: Vec<Vec<f64>> = vec![Vec::new(); runners.len()];
        for round in 0..rounds {
            says("guards", &format!("round {} of {rounds}", round + 1));
            let mut pairs: Vec<_> = runners.iter().zip(&mut costs).collect();
            // There and back, so that a machine that becomes slower favours nobody.
            if round % 2 == 1 {
                pairs.reverse();
            }
            for (runner, costs) in pairs {
                let cost = work::node(runner, operation, operation.items(count), CONCURRENCY).await?;
                costs.push(cost.cpu_per(count));
            }
        }
        let Some((all, others)) = costs.split_first() else {
            return Ok(Vec::new());
        };
        Ok(VARIANTS
            .iter()
            .skip(1)
            .zip(others)
            .map(|((name, left_out), cost)| figure(name, left_out.len(), all, cost))
            .collect())
    })
}

fn figure(name: &str, left_out: usize, all: &[f64], without: &[f64]) -> Figure {
    let figure = |name: String| Figure::new("guards", name, Unit::Micros, all.to_vec());
    if left_out > 1 {
        figure("all guards: CPU per item".to_owned())
            .beside("none of them", without)
            .target(Target::at_most(Of::Ratio, TOGETHER))
    } else {
        figure(format!("{name}: CPU per item")).beside(&format!("all but {name}"), without)
    }
}
