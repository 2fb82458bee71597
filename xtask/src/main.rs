//! Build steps that Cargo cannot express. `make` calls them; `cargo run -p xtask -- help` lists them.

mod advisories;
mod component;
mod every_import;
mod size;
mod wit;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
enum Task {
    /// Turn each core module of a folder into a component, and check it
    Components {
        /// The folder that holds the modules
        modules: PathBuf,
        /// The folder that the components go to
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Make a component that imports everything that a node may import
    EveryImport {
        /// The folder of the contract
        contract: PathBuf,
        /// Where the component goes
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Print the size of a component and what it is made of, by crate
    Size {
        /// The core module, which still has its names
        module: PathBuf,
        /// The component that was made of it
        component: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look for versions with known security advisories in the lock files, by the list of advisories.toml
    Advisories,
    /// Copy WASI's interfaces from the crate that implements them, in the version of Cargo.lock
    VendorWit {
        /// The folder to fill
        target: PathBuf,
    },
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Components { modules, output } => component::make_all(&modules, &output),
        Task::EveryImport { contract, output } => every_import::make(&contract, &output),
        Task::Size {
            module,
            component,
            json,
        } => size::print(&module, &component, json),
        Task::Advisories => advisories::check(),
        Task::VendorWit { target } => wit::vendor(&target),
    }
}
