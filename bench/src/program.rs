//! Programs that are measured or called, each in a process of its own that ends with its value.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// A program that goes on until this is dropped.
pub struct Program(Child);

impl Program {
    /// Start it, and wait for the line by which it says that it is ready.
    pub fn start(command: &mut Command) -> Result<(Self, String)> {
        let name = command.get_program().display().to_string();
        let process = command.stdout(Stdio::piped()).spawn();
        let mut program = Self(process.with_context(|| format!("{name} (`make build` leaves it)"))?);
        let mut ready = String::new();
        if let Some(output) = program.0.stdout.take() {
            BufReader::new(output).read_line(&mut ready)?;
        }
        ensure!(!ready.trim().is_empty(), "{name} ended before it listened");
        Ok((program, ready.trim().to_owned()))
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has nothing to save, and may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
