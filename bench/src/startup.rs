//! From file to description, and from the start of a process to its output.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nodule::{Engine, EngineConfig};

use crate::bench::{Bench, on_one_thread, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::meter::millis;

/// Target: at most this many milliseconds more than a process whose output is ready.
const MORE: f64 = 10.0;
/// Starting a process takes a millisecond or two, and varies as much, so many starts are needed.
const STARTS: usize = 30;

/// Loading cold and warm, and `nodule describe` compared with a process that prints the same bytes.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let cache = bench.folder.path().join("cache");
    Ok(vec![load(bench, &cache)?, describe(bench, &cache)?])
}

/// Loading compiles the component or takes it from the cache, and includes the first description.
fn load(bench: &Bench, cache: &Path) -> Result<Figure> {
    says("startup", "load and describe, cold and warm");
    let rounds = bench.choose(9, 3);
    on_one_thread(async {
        let load = async |config: EngineConfig| -> Result<f64> {
            let begin = Instant::now();
            Engine::new(&config)?.load_file(bench.node()).await?;
            Ok(millis(begin.elapsed()))
        };
        let warm_config = || EngineConfig::default().cache_dir(cache);
        load(warm_config()).await?;
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            cold.push(load(EngineConfig::default()).await?);
            warm.push(load(warm_config()).await?);
        }
        Ok(Figure::new(
            "startup",
            "engine, load, first describe, from the cache",
            Unit::Millis,
            warm,
        )
        .beside("without a cache (compile)", &cold))
    })
}

fn describe(bench: &Bench, cache: &Path) -> Result<Figure> {
    says("startup", "`nodule describe`");
    let mut describe = Command::new(bench.program("nodule"));
    describe
        .arg("describe")
        .arg(bench.node())
        .env("NODULE_CACHE_DIR", cache);
    // The first start compiles; its output is what the yardstick has to print.
    let (_, bytes) = run(&mut describe)?;
    let file = bench.folder.path().join("description");
    std::fs::write(&file, &bytes)?;
    let mut print = Command::new(bench.program("print"));
    print.arg(&file);
    let (mut node, mut yardstick) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        for (command, times) in [(&mut describe, &mut node), (&mut print, &mut yardstick)] {
            let (time, output) = run(command)?;
            ensure!(output == bytes, "expected the same output every time");
            times.push(millis(time));
        }
    }
    Ok(
        Figure::new("startup", "`nodule describe`, warm", Unit::Millis, node)
            .beside("a process that prints the same bytes", &yardstick)
            .target(Target::at_most(Of::Difference, MORE)),
    )
}

/// Runs the command; returns the time until its output is read and it has exited.
fn run(command: &mut Command) -> Result<(Duration, Vec<u8>)> {
    let begin = Instant::now();
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("run {}", command.get_program().display()))?;
    let time = begin.elapsed();
    ensure!(
        output.status.success(),
        "{}: {}",
        command.get_program().display(),
        output.status
    );
    Ok((time, output.stdout))
}
