//! The sections of the table; each can be measured alone.

use anyhow::Result;
use clap::ValueEnum;

use crate::bench::Bench;
use crate::figure::Figure;

/// The sections, in the table's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Items over loopback
    Live,
    /// Items from a recording
    Replay,
    /// Searching responses for secrets
    Redaction,
    /// From the file to the description, and `nodule describe`
    Startup,
    /// Create, call and drop an instance
    Instance,
    /// Memory of runs that wait
    Parked,
    /// Memory over a million items
    Million,
    /// Rows of one long listing
    Rows,
    /// One large file, up and down
    Files,
    /// Size of the component
    Size,
    /// Items behind latency
    Latency,
    /// Runs beside a hostile one
    Neighbours,
    /// Items over the socket of `nodule serve`
    Serve,
}

impl Section {
    /// The section's name in the table and in `--only`.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Measures the section.
    pub fn measure(self, bench: &Bench) -> Result<Vec<Figure>> {
        match self {
            Self::Live => crate::live::measure(bench),
            Self::Replay => crate::replay::measure(bench),
            Self::Redaction => Ok(crate::redaction::measure(bench)),
            Self::Startup => crate::startup::measure(bench),
            Self::Instance => crate::instance::measure(bench),
            Self::Parked => crate::parked::measure(bench),
            Self::Million => crate::million::measure(bench),
            Self::Rows => crate::rows::measure(bench),
            Self::Files => crate::files::measure(bench),
            Self::Size => crate::size::measure(bench),
            Self::Latency => crate::latency::measure(bench),
            Self::Neighbours => crate::neighbours::measure(bench),
            Self::Serve => crate::serve::measure(bench),
        }
    }
}
