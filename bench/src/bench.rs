//! What the sections have in common: where things are, how long to measure, and word of how far it is.

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

/// What every section is given.
pub struct Bench {
    /// Cargo's target folder, where `make build` left what is measured.
    pub target: PathBuf,
    /// Whether to be quick: fewer items and runs, figures that say little.
    pub is_quick: bool,
    /// For files, and the cache of compiled components; gone afterwards.
    pub folder: TempDir,
    failures: RefCell<Vec<Failure>>,
}

impl Bench {
    /// Measure what is in `target`.
    pub fn new(target: PathBuf, is_quick: bool) -> Result<Self> {
        Ok(Self {
            target,
            is_quick,
            folder: tempfile::tempdir().context("a folder for files that are not kept")?,
            failures: RefCell::default(),
        })
    }

    /// Something could not be measured; everything else still is.
    pub fn fails(&self, section: &str, error: String) {
        says(section, &error);
        self.failures.borrow_mut().push(Failure {
            section: section.to_owned(),
            error,
        });
    }

    /// What could not be measured.
    pub fn into_failures(self) -> Vec<Failure> {
        self.failures.into_inner()
    }

    /// A program that was built beside this one.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// The node.
    pub fn node(&self) -> PathBuf {
        self.target.join("socialhub.wasm")
    }

    /// One number in a full run, another in a quick one.
    pub fn choose<T>(&self, full: T, quick: T) -> T {
        if self.is_quick { quick } else { full }
    }

    /// How often each side of a pair runs.
    pub fn rounds(&self) -> usize {
        self.choose(5, 3)
    }

    /// Measure two sides of a comparison in turn. Who begins changes, so that a machine that becomes slower favours neither.
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

    /// Start a simulator that waits so long before each request.
    pub fn service(&self, latency_ms: u64) -> Result<Service> {
        Service::start(&self.program("simulator"), latency_ms)
    }

    /// Load the node into an engine that is set up like this.
    pub async fn component(&self, config: &EngineConfig) -> Result<Component> {
        Ok(Engine::new(config)?.load_file(self.node()).await?)
    }

    /// The node, bound to the simulator; everything else as it is by default, but for the number of requests in flight,
    /// which is that of the items.
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

/// Say on standard error what is being measured: there are minutes between two figures.
pub fn says(section: &str, what: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{section}: {what}");
}

/// The highest concurrency that is measured.
pub const MOST_UNDER_WAY: usize = 256;

/// The default limits, but with room for so many requests in flight.
pub fn limits(requests: usize) -> Limits {
    let mut limits = Limits::default();
    limits.requests_in_flight = requests;
    limits
}

/// Run on one thread: both sides of a comparison have the same CPU.
pub fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    on(&mut tokio::runtime::Builder::new_current_thread(), work)
}

/// Run on as many threads as there are processors, as the command does.
pub fn on_all_threads<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    on(&mut tokio::runtime::Builder::new_multi_thread(), work)
}

fn on<T>(threads: &mut tokio::runtime::Builder, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = threads.enable_all().build()?;
    let result = runtime.block_on(work);
    // A thread that reads a standard input that nobody closes would be waited for without end.
    runtime.shutdown_background();
    result
}
