//! Prints a file: the yardstick for a process whose output is ready. Usage: `print FILE`

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or_else(|| io::Error::other("usage: print FILE"))?;
    io::stdout().write_all(&std::fs::read(path)?)
}
