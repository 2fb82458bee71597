//! One instance: create, call, drop, by either allocator.

use anyhow::Result;
use nodule::EngineConfig;

use crate::bench::{Bench, on_one_thread, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::meter::Meter;

/// Microseconds.
const MOST: f64 = 15.0;
/// One is in use at a time.
const INSTANCES: u32 = 16;

/// CPU of a call without items, in an instance of its own and in one that is there.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let count: usize = bench.choose(20_000, 2_000);
    let rounds = bench.choose(9, 5);
    on_one_thread(async {
        let service = bench.service(0)?;
        let mut figures = Vec::new();
        for (name, config) in [
            ("on demand", EngineConfig::default()),
            ("pooling", EngineConfig::default().pooling(INSTANCES)),
        ] {
            says("instance", name);
            let component = bench.component(&config).await?;
            let runner = component
                .runner()
                .credential(service.credential(&component)?)
                .build()?;
            let (mut whole, mut calls) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                let meter = Meter::start();
                runner.empty_calls(count, true).await?;
                whole.push(meter.stop().cpu_per(count));
                let meter = Meter::start();
                runner.empty_calls(count, false).await?;
                calls.push(meter.stop().cpu_per(count));
            }
            let name = format!("create, call, drop, {name}: CPU");
            let figure = Figure::new("instance", name, Unit::Micros, whole).beside("an empty call", &calls);
            figures.push(if config.pooling.is_some() {
                figure.target(Target::at_most(Of::Value, MOST))
            } else {
                // Mapping and unmapping memory is the system's price for not reserving any.
                figure
            });
        }
        Ok(figures)
    })
}
