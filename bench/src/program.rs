//! Programs that are measured or called, each in a process that is killed when its value is dropped.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// A running program; dropping it kills the process.
pub struct Program(Child);

impl Program {
    /// Starts the program, and waits for the line that reports it ready.
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

    /// The process ID.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has nothing to save, and may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
