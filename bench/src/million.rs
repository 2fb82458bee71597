//! Peak memory of `nodule run`, by number of items.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::bench::{Bench, says};
use crate::figure::{Digits, Figure, Of, Target, Unit};
use crate::kernel;
use crate::meter::float;
use crate::plain::Operation;
use crate::service::{Service, credential_json};

/// Number of items of the yardstick.
const FEW: usize = 1_000;
/// Target: at most this many megabytes more.
const MORE: f64 = 20.0;
const CONCURRENCY: &str = "64";
/// Sampling interval. The peak only rises, so only growth after the last sample is missed.
const LOOKS: Duration = Duration::from_millis(5);

/// Peak memory over many items and over few.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let many = bench.choose(1_000_000, 20_000);
    let service = bench.service(0)?;
    let operation: [&str; 2] = Operation::GetMember.names().into();
    let (many_items, few_items) = (items(bench, many)?, items(bench, FEW)?);
    let (mut over_many, mut over_few) = (Vec::new(), Vec::new());
    let rounds = bench.choose(3, 2);
    for round in 0..rounds {
        says(
            "million",
            &format!("{} items, round {} of {rounds}", Digits(float(many)), round + 1),
        );
        over_many.push(peak(bench, &service, operation, &many_items)?);
        over_few.push(peak(bench, &service, operation, &few_items)?);
    }
    Ok(vec![
        Figure::new(
            "million",
            format!("peak of `nodule run` over {} items", Digits(float(many))),
            Unit::Megabytes,
            over_many,
        )
        .beside(&format!("over {} items", Digits(float(FEW))), &over_few)
        .target(Target::at_most(Of::Difference, MORE)),
    ])
}

fn items(bench: &Bench, count: usize) -> Result<PathBuf> {
    let path = bench.folder.path().join(format!("{count}.jsonl"));
    let mut file = BufWriter::new(File::create(&path)?);
    for n in 0..count {
        writeln!(file, "{}", Operation::GetMember.item(0, n))?;
    }
    file.flush()?;
    Ok(path)
}

/// Peak memory of one run, in megabytes.
pub fn peak(bench: &Bench, service: &Service, [group, name]: [&str; 2], items: &Path) -> Result<f64> {
    let mut run = Command::new(bench.program("nodule"))
        .arg("run")
        .arg(bench.node())
        .args([group, name, "--progress", "off", "--concurrency", CONCURRENCY])
        .arg("--items")
        .arg(items)
        .args(["--output", "/dev/null"])
        .env("NODULE_CREDENTIAL", credential_json(service.base()))
        .env("NODULE_CACHE_DIR", bench.folder.path().join("cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start `nodule run`")?;
    let mut peak = 0;
    let status = loop {
        peak = kernel::peak(run.id()).unwrap_or_default().max(peak);
        if let Some(status) = run.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOKS);
    };
    let mut said = String::new();
    if let Some(mut errors) = run.stderr.take() {
        std::io::Read::read_to_string(&mut errors, &mut said)?;
    }
    ensure!(status.success(), "`nodule run`: {status}: {}", said.trim());
    ensure!(peak > 0, "`nodule run` ended before its memory could be seen");
    Ok(float(usize::try_from(peak)?) / 1e6)
}
