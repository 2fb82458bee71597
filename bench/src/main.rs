//! Measures what a sandboxed node costs: each figure beside a yardstick that is measured alternately with it.
//!
//! `make bench` runs it; `docs/bench.md` explains the figures. Nothing here is a test, and `make test` depends on no
//! clock.

mod agree;
mod bench;
mod chart;
mod figure;
mod files;
mod holder;
mod instance;
mod items;
mod kernel;
mod latency;
mod live;
mod meter;
mod million;
mod neighbours;
mod parked;
mod plain;
mod program;
mod publish;
mod redaction;
mod repeat;
mod replay;
mod report;
mod rows;
mod section;
mod serve;
mod service;
mod size;
mod spread;
mod startup;
mod table;
mod work;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum as _};

use crate::bench::Bench;
use crate::parked::Parked;
use crate::repeat::Repeat;
use crate::report::Report;
use crate::section::Section;

/// Measure what a node in a sandbox costs, beside the same work in plain Rust
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, print the table, and write the results
    Run(Run),
    /// Put results into the documentation: table, chart, and three ratios in the README
    Publish {
        /// The results of a full run
        results: PathBuf,
        /// The repository
        #[arg(long, default_value = ".")]
        root: PathBuf,
    },
    /// Draw the live figures
    Chart {
        /// The results
        results: PathBuf,
        /// Where the SVG goes
        output: PathBuf,
    },
    /// Do one side of a live figure over and over, for a profiler (`make profile`)
    Repeat(Repeat),
    #[command(hide = true)]
    Parked(Parked),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Measure this section alone; may be given several times
    #[arg(long, value_name = "SECTION")]
    only: Vec<Section>,
    /// Fewer items and runs: it says whether everything works, the figures say little
    #[arg(long)]
    quick: bool,
    /// Where the results go; without it they are only printed
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Cargo's target folder, with what `make build` left there
    #[arg(long, default_value = "target")]
    target: PathBuf,
}

/// The command's allocator; both sides of a comparison use it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<ExitCode> {
    match Args::parse().command {
        Command::Run(args) => run(args),
        Command::Publish { results, root } => done(publish::publish(&Report::load(&results)?, &root)),
        Command::Chart { results, output } => done(chart::draw(&Report::load(&results)?, &output)),
        Command::Repeat(repeat) => done(repeat.run(&Bench::new(PathBuf::from("target"), false)?)),
        Command::Parked(parked) => done(parked::child(&parked)),
    }
}

fn done(result: Result<()>) -> Result<ExitCode> {
    result.map(|()| ExitCode::SUCCESS)
}

/// A failing section does not stop the others; the exit status reports it.
fn run(args: Run) -> Result<ExitCode> {
    let bench = Bench::new(args.target, args.quick)?;
    let mut report = Report::new(args.quick)?;
    let sections = if args.only.is_empty() {
        Section::value_variants()
    } else {
        &args.only
    };
    for section in sections {
        match section.measure(&bench) {
            Ok(figures) => report.figures.extend(figures),
            Err(error) => bench.fails(&section.name(), format!("{error:#}")),
        }
    }
    report.failures = bench.into_failures();
    print(&report)?;
    if let Some(path) = &args.output {
        save(&report, path)?;
    }
    Ok(if report.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(report: &Report) -> Result<()> {
    writeln!(
        std::io::stdout(),
        "{}\n\n{}",
        table::text(report),
        report.origin()
    )?;
    Ok(())
}

fn save(report: &Report, path: &Path) -> Result<()> {
    report.save(path)?;
    bench::says("results", &path.display().to_string());
    Ok(())
}
