//! What the runtimes of languages import and nodes do not need: `wasi:cli`, `wasi:filesystem`, `wasi:sockets`, and random
//! numbers that need not be secret.
//!
//! The interfaces are wasmtime-wasi's, with nothing granted. There are no variables, no arguments and no folder, standard
//! input is closed, no stream is a terminal, and `exit` traps. No socket can be made and no name looked up. A function that
//! needs a folder, a file or a socket cannot be called: without a handle of one, the call traps. What is printed becomes
//! [events](super::printed).

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::random::insecure_seed::Host as _;
use wasmtime_wasi::p2::bindings::{cli, filesystem, random, sockets};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};

use super::state::State;

/// The interfaces that every node may import: those of the contract's world.
pub(super) const MINIMAL: [&str; 8] = [
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
];

/// The interfaces that are given in a void version.
pub(super) const VOID: [&str; 21] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// The name in wasmtime-wasi. A component built with another 0.2 version finds it too.
const INSECURE_SEED: &str = "wasi:random/insecure-seed@0.2.12";

/// How the host answers an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// As every node needs it.
    Fully,
    /// As a void version.
    Void,
    /// Not at all.
    Not,
}

impl Given {
    /// How the host answers the import of this name.
    pub(super) fn of(import: &str) -> Self {
        let (interface, version) = import.split_once('@').unwrap_or((import, ""));
        if !version.starts_with("0.2.") {
            Self::Not
        } else if MINIMAL.contains(&interface) {
            Self::Fully
        } else if VOID.contains(&interface) {
            Self::Void
        } else {
            Self::Not
        }
    }
}

/// Adds the void versions.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let l = linker;
    cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    random::insecure::add_to_linker::<State, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    l.instance(INSECURE_SEED)?.func_wrap(
        "insecure-seed",
        |mut store: StoreContextMut<'_, State>, (): ()| {
            let state = store.data_mut();
            let seed = state.staged.as_ref().map(|staged| Ok(staged.insecure_seed()));
            Ok((seed.unwrap_or_else(|| state.wasi.random().insecure_seed())?,))
        },
    )?;
    sockets::instance_network::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<State, WasiSockets>(l, &options, State::sockets)?;
    sockets::tcp::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    sockets::udp::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    sockets::udp_create_socket::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimal_imports_are_those_of_the_contracts_world() {
        let world = include_str!("../../wit/world.wit");
        let imports = world
            .lines()
            .filter_map(|line| line.trim().strip_prefix("import "))
            .filter_map(|import| import.split_once('@'))
            .map(|(interface, _)| interface);
        assert_eq!(imports.collect::<Vec<_>>(), MINIMAL);
    }

    #[test]
    fn an_import_of_another_version_or_interface_is_not_given() {
        for (import, given) in [
            ("wasi:io/poll@0.2.12", Given::Fully),
            ("wasi:cli/stdout@0.2.9", Given::Void),
            ("wasi:cli/stdout@0.3.0", Given::Not),
            ("wasi:cli/stdout", Given::Not),
            ("wasi:cli/run@0.2.0", Given::Not),
            ("wasi:http/incoming-handler@0.2.0", Given::Not),
            ("example:secrets/store@0.2.0", Given::Not),
        ] {
            assert_eq!(Given::of(import), given, "{import}");
        }
    }
}
