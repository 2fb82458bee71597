//! Repeats one side of the live section, for a profiler.

use std::io::Write as _;

use anyhow::Result;
use clap::ValueEnum;

use crate::bench::{Bench, on_one_thread};
use crate::plain::{Operation, Plain};
use crate::work;

/// Items per round.
const ITEMS: usize = 40_000;

/// What to repeat.
#[derive(Debug, clap::Args)]
pub struct Repeat {
    /// The side to repeat
    side: Side,
    /// The operation
    operation: Operation,
    /// How many items are in flight at once
    #[arg(long, default_value_t = 64)]
    under_way: usize,
    /// How many rounds
    #[arg(long, default_value_t = 12)]
    rounds: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Side {
    Node,
    Plain,
}

impl Repeat {
    /// Prints the microseconds of CPU time per item for each round.
    pub fn run(&self, bench: &Bench) -> Result<()> {
        on_one_thread(async {
            let service = bench.service(0)?;
            let runner = bench.runner(&service).await?;
            let plain = Plain::connect(service.base()).await?;
            for _ in 0..self.rounds {
                let items = self.operation.items(ITEMS);
                let cost = match self.side {
                    Side::Node => work::node(&runner, self.operation, items, self.under_way).await?,
                    Side::Plain => work::plain(&plain, self.operation, items, self.under_way).await?,
                };
                writeln!(std::io::stdout(), "{:.2}", cost.cpu_per(ITEMS))?;
            }
            Ok(())
        })
    }
}
