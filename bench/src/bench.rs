//! What the sections share: paths, how long to measure, and progress messages.

use std::cell::RefCell;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use nodule::limits::Limits;
use nodule::{Component, Engine, EngineConfig, Runner};
use tempfile::TempDir;

use crate::meter::Cost;
use crate::report::Failure;
use crate::service::Service;

/// The context of every section.
pub struct Bench {
    /// Cargo's target folder, with the programs that `make build` built.
    pub target: PathBuf,
    /// A quick run: fewer items and rounds, and imprecise figures.
    pub is_quick: bool,
    /// Temporary files and the compilation cache; removed on drop.
    pub folder: TempDir,
    failures: RefCell<Vec<Failure>>,
}

impl Bench {
    /// Measures the programs in `target`.
    pub fn new(target: PathBuf, is_quick: bool) -> Result<Self> {
        Ok(Self {
            target,
            is_quick,
            folder: tempfile::tempdir().context("a folder for files that are not kept")?,
            failures: RefCell::default(),
        })
    }

    /// Records that a section failed; the others are still measured.
    pub fn fails(&self, section: &str, error: String) {
        says(section, &error);
        self.failures.borrow_mut().push(Failure {
            section: section.to_owned(),
            error,
        });
    }

    /// The failures so far.
    pub fn into_failures(self) -> Vec<Failure> {
        self.failures.into_inner()
    }

    /// A program that was built beside this one.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// The node's component.
    pub fn node(&self) -> PathBuf {
        self.target.join("socialhub.wasm")
    }

    /// Chooses between a value for full runs and one for quick runs.
    pub fn choose<T>(&self, full: T, quick: T) -> T {
        if self.is_quick { quick } else { full }
    }

    /// Number of rounds for each side of a comparison.
    pub fn rounds(&self) -> usize {
        self.choose(5, 3)
    }

    /// Measures two sides alternately. The side that goes first changes, so that a machine that slows down favours
    /// neither.
    pub async fn in_turn(
        &self,
        one: impl AsyncFn() -> Result<Cost>,
        other: impl AsyncFn() -> Result<Cost>,
    ) -> Result<(Vec<Cost>, Vec<Cost>)> {
        let (mut ones, mut others) = (Vec::new(), Vec::new());
        for round in 0..self.rounds() {
            for side in [round % 2, (round + 1) % 2] {
                if side == 0 {
                    ones.push(one().await?);
                } else {
                    others.push(other().await?);
                }
            }
        }
        Ok((ones, others))
    }

    /// Starts a simulator that delays each response by this long.
    pub fn service(&self, latency_ms: u64) -> Result<Service> {
        Service::start(&self.program("simulator"), latency_ms)
    }

    /// Loads the node into an engine with this configuration.
    pub async fn component(&self, config: &EngineConfig) -> Result<Component> {
        Ok(Engine::new(config)?.load_file(self.node()).await?)
    }

    /// Binds the node to the simulator with default settings, except that as many requests as items may be in flight.
    pub async fn runner(&self, service: &Service) -> Result<Runner> {
        let component = self.component(&EngineConfig::default()).await?;
        let credential = service.credential(&component)?;
        Ok(component
            .runner()
            .credential(credential)
            .limits(limits(MOST_UNDER_WAY))
            .build()?)
    }
}

/// Prints to standard error what is being measured: a figure can take minutes.
pub fn says(section: &str, what: &str) {
    // The benchmark goes on if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{section}: {what}");
}

/// The highest concurrency measured.
pub const MOST_UNDER_WAY: usize = 256;

/// The default limits, with room for this many requests in flight.
pub fn limits(requests: usize) -> Limits {
    let mut limits = Limits::default();
    limits.requests_in_flight = requests;
    limits
}

/// Runs on one thread, so that both sides of a comparison have the same CPU.
pub fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    on(&mut tokio::runtime::Builder::new_current_thread(), work)
}

/// Runs on one thread per processor, like the command.
pub fn on_all_threads<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    on(&mut tokio::runtime::Builder::new_multi_thread(), work)
}

fn on<T>(threads: &mut tokio::runtime::Builder, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = threads.enable_all().build()?;
    let result = runtime.block_on(work);
    // Dropping the runtime would wait, possibly forever, for a thread that blocks on standard input.
    runtime.shutdown_background();
    result
}
