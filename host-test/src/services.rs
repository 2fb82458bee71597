//! The raw server as a program, for tests in other languages. Prints a line of JSON for each scenario, with its base
//! URL and the expected outcome. Runs until standard input closes.

use std::io::{self, Read as _, Write as _};

use host_test::raw::{self, Server};
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let server = Server::start(raw::scenarios());
    let mut stdout = io::stdout().lock();
    for scenario in raw::scenarios() {
        let line = json!({
            "name": scenario.name,
            "base": server.base(scenario.name),
            "policy": scenario.policy,
            "read": scenario.read,
            "write": scenario.write,
        });
        writeln!(stdout, "{line}")?;
    }
    writeln!(stdout)?;
    stdout.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
