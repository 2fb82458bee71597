//! Creates, calls and drops an instance, with each instance allocator.

use anyhow::{Result, ensure};
use nodule::EngineConfig;

use crate::bench::{Bench, on_one_thread, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::meter::Meter;
use crate::plain::Operation;

/// Target in microseconds, for creating an instance and a call that refuses its item.
const MOST: f64 = 25.0;
/// Size of the pool; one instance is in use at a time.
const INSTANCES: u32 = 16;
/// The host finds nothing wrong with it. The node does, so no request is sent.
const REFUSED: &str = r#"{"cardNo":".."}"#;

/// CPU time of a call without requests, in an instance of its own.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let count: usize = bench.choose(20_000, 2_000);
    let rounds = bench.choose(9, 5);
    let (group, name) = Operation::GetMember.names();
    on_one_thread(async {
        let service = bench.service(0)?;
        let mut costs = Vec::new();
        for config in [
            EngineConfig::default(),
            EngineConfig::default().pooling(INSTANCES),
        ] {
            says(
                "instance",
                if config.pooling.is_some() {
                    "pooling"
                } else {
                    "on demand"
                },
            );
            let component = bench.component(&config).await?;
            // Each plan runs in a new instance.
            let runner = component
                .runner()
                .credential(service.credential(&component)?)
                .dry_run()
                .build()?;
            let mut calls = Vec::new();
            for _ in 0..rounds {
                let meter = Meter::start();
                for _ in 0..count {
                    let planned = runner.plan(group, name, REFUSED).await?;
                    ensure!(planned.is_err(), "expected a refused item, found {planned:?}");
                }
                calls.push(meter.stop().cpu_per(count));
            }
            costs.push(calls);
        }
        let [on_demand, pooling] = &costs[..] else {
            return Ok(Vec::new());
        };
        let figure = Figure::new(
            "instance",
            "create, call, drop, pooling: CPU".to_owned(),
            Unit::Micros,
            pooling.clone(),
        );
        Ok(vec![
            figure
                .beside("on demand", on_demand)
                .target(Target::at_most(Of::Value, MOST)),
        ])
    })
}
