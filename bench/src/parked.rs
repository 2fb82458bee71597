//! Memory of a run that waits for a slow response, compared with a plain Rust task that waits for the same.
//!
//! Each side parks in a process of its own (this program with the hidden command `parked`), so that no earlier work
//! left memory behind. The process reports its resident memory before the first run starts, and again once the service
//! holds the last run's request.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use futures_util::{StreamExt as _, stream};
use nodule::{Engine, EngineConfig, RunOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use crate::bench::{Bench, limits, on_one_thread, says};
use crate::figure::{Digits, Figure, Of, Target, Unit};
use crate::holder::Holder;
use crate::kernel::Resident;
use crate::meter::float;
use crate::plain::{Operation, Plain};
use crate::service::credential;

/// Target in kilobytes per parked run, at the larger number of runs.
const MOST: f64 = 100.0;
/// Longer than the measurement, so that no deadline ends a parked run.
const PATIENCE: Duration = Duration::from_mins(10);

/// Additional instances, for authentication.
const SPARE: usize = 16;

/// The arguments of the hidden command.
#[derive(Debug, Args)]
pub struct Parked {
    /// The side that parks
    #[arg(long)]
    side: Side,
    /// How many runs
    #[arg(long)]
    runs: usize,
    /// The service's base URL
    #[arg(long)]
    base: String,
    /// The node
    #[arg(long)]
    node: PathBuf,
}

/// The side that parks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// Runs of the node, instances on demand.
    OnDemand,
    /// Runs of the node, instances from a pool.
    Pooling,
    /// Tasks of plain Rust.
    Plain,
}

/// A process's resident memory before and after.
#[derive(Serialize, Deserialize)]
struct Grown {
    before: Resident,
    after: Resident,
}

/// Kilobytes per run.
#[derive(Default)]
struct PerRun {
    mapped: Vec<f64>,
    share: Vec<f64>,
}

impl PerRun {
    fn push(&mut self, grown: &Grown, runs: usize) -> Result<()> {
        let of = |of: fn(&Resident) -> u64| -> Result<f64> {
            let more = of(&grown.after).saturating_sub(of(&grown.before));
            Ok(float(usize::try_from(more)?) / 1e3 / float(runs))
        };
        self.mapped.push(of(|resident| resident.mapped)?);
        self.share.push(of(|resident| resident.share)?);
        Ok(())
    }
}

/// Each instance outside a pool takes about seven of a process's mappings, of which Linux allows 65,530
/// (`vm.max_map_count`): ten thousand instances fail with `Cannot allocate memory`. A pool is mapped once.
const MOST_ON_DEMAND: usize = 5_000;

/// Kilobytes per run, for each side.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    raise_descriptors()?;
    let counts = bench.choose([1_000, 10_000], [100, 1_000]);
    on_one_thread(async {
        let mut figures = Vec::new();
        for runs in counts {
            for (side, name) in [(Side::OnDemand, "on demand"), (Side::Pooling, "pooling")] {
                if matches!(side, Side::OnDemand) && runs > MOST_ON_DEMAND {
                    continue;
                }
                let name = format!("one of {} parked runs, {name}", Digits(float(runs)));
                match compare(bench, side, &name, runs).await {
                    Ok([share, mapped]) if counts.last() == Some(&runs) => {
                        figures.push(share.target(Target::at_most(Of::Value, MOST)));
                        figures.push(mapped);
                    }
                    Ok(both) => figures.extend(both),
                    // If one allocator cannot park that many, the other is still measured.
                    Err(error) => bench.fails("parked", format!("{name}: {error:#}")),
                }
            }
        }
        Ok(figures)
    })
}

async fn compare(bench: &Bench, side: Side, name: &str, runs: usize) -> Result<[Figure; 2]> {
    let rounds = bench.choose(3, 2);
    let (mut node, mut plain) = (PerRun::default(), PerRun::default());
    for round in 0..rounds {
        says("parked", &format!("{name}, round {} of {rounds}", round + 1));
        node.push(&park(bench, side, runs).await?, runs)?;
        plain.push(&park(bench, Side::Plain, runs).await?, runs)?;
    }
    let figure = |name: String, node: Vec<f64>, plain: &[f64]| {
        Figure::new("parked", name, Unit::Kilobytes, node).beside("a parked task of plain Rust", plain)
    };
    Ok([
        figure(name.to_owned(), node.share, &plain.share),
        figure(format!("{name}, with what all share"), node.mapped, &plain.mapped),
    ])
}

/// Parks this many runs in a new process.
async fn park(bench: &Bench, side: Side, runs: usize) -> Result<Grown> {
    // A new port: thousands of connections that have just closed block their ports for a while.
    let holder = Holder::start()?;
    let name = side.to_possible_value().context("a side that can be named")?;
    let mut process = Command::new(std::env::current_exe()?)
        .args(["parked", "--side", name.get_name(), "--runs", &runs.to_string()])
        .args(["--base", holder.base()])
        .arg("--node")
        .arg(bench.node())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut word = process.stdin.take().context("its standard input is a pipe")?;
    let mut ended = tokio::task::spawn_blocking(move || wait(process));
    let output = tokio::select! {
        held = holder.holds(runs) => {
            held?;
            word.write_all(b"parked\n")?;
            ended.await??
        }
        output = &mut ended => output??,
    };
    Ok(serde_json::from_slice(&output)?)
}

fn wait(process: Child) -> Result<Vec<u8>> {
    let output = process.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "parking ended early: {}",
        said.lines().next().unwrap_or("without a word")
    );
    Ok(output.stdout)
}

/// The hidden command: parks the runs, waits for the other process, and prints the resident memory.
pub fn child(parked: &Parked) -> Result<()> {
    raise_descriptors()?;
    let grown = on_one_thread(async {
        match parked.side {
            Side::Plain => park_tasks(parked).await,
            Side::OnDemand => park_runs(parked, EngineConfig::default()).await,
            Side::Pooling => {
                let instances = u32::try_from(parked.runs + SPARE)?;
                park_runs(parked, EngineConfig::default().pooling(instances)).await
            }
        }
    })?;
    serde_json::to_writer(std::io::stdout(), &grown)?;
    Ok(())
}

async fn park_runs(parked: &Parked, config: EngineConfig) -> Result<Grown> {
    let component = Engine::new(&config)?.load_file(&parked.node).await?;
    let mut limits = limits(parked.runs);
    limits.connect_timeout = PATIENCE;
    limits.first_byte_timeout = PATIENCE;
    limits.request_timeout = PATIENCE;
    limits.run_timeout = PATIENCE;
    let runner = component
        .runner()
        .credential(credential(&component, &parked.base)?)
        .limits(limits)
        .build()?;
    runner
        .check_credential()
        .await
        .map_err(|failure| anyhow!("log in: {failure}"))?;
    let operation = Operation::GetMember;
    let (group, name) = operation.names();
    let before = Resident::now()?;
    let mut runs = Vec::with_capacity(parked.runs);
    for n in 0..parked.runs {
        let item = stream::iter([Ok(operation.item(0, n))]);
        runs.push(runner.run(group, name, item, &RunOptions::default()).await?);
    }
    let mut results = stream::select_all(runs);
    tokio::select! {
        word = word() => word?,
        result = results.next() => match result {
            Some(completed) => bail!("a run ended: {:?}", completed?.result),
            None => bail!("the runs ended"),
        },
    }
    let after = Resident::now()?;
    Ok(Grown { before, after })
}

async fn park_tasks(parked: &Parked) -> Result<Grown> {
    let plain = Arc::new(Plain::connect(&parked.base).await?);
    let operation = Operation::GetMember;
    let before = Resident::now()?;
    let mut tasks = JoinSet::new();
    for n in 0..parked.runs {
        let (plain, item) = (Arc::clone(&plain), operation.item(0, n));
        tasks.spawn(async move { plain.item(operation, &item).await });
    }
    tokio::select! {
        word = word() => word?,
        result = tasks.join_next() => match result {
            Some(result) => bail!("a task ended: {:?}", result?),
            None => bail!("there is no task"),
        },
    }
    let after = Resident::now()?;
    Ok(Grown { before, after })
}

/// Waits until the other process reports that all runs are parked.
async fn word() -> Result<()> {
    let mut word = [0; 1];
    tokio::io::stdin().read_exact(&mut word).await?;
    Ok(())
}

/// Each connection takes a descriptor; the usual soft limit is a thousand.
fn raise_descriptors() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )?;
    Ok(())
}
