//! Results as JSON lines, on standard output or in a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use nodule::ItemResult;

use crate::exit::Failed;

/// Where results go.
pub struct Output {
    writer: Box<dyn Write>,
    name: String,
}

/// Why results can go no further.
pub enum Lost {
    /// Nobody reads them any more: `nodule … | head`.
    Closed,
    /// They cannot be written.
    Broken(Failed),
}

impl Output {
    /// `-` is standard output.
    pub fn open(path: &Path) -> Result<Self, Failed> {
        if path == Path::new("-") {
            return Ok(Self {
                writer: Box::new(BufWriter::new(io::stdout())),
                name: "standard output".to_owned(),
            });
        }
        Self::create(path)
    }

    /// A new file, in the place of an old one.
    pub fn create(path: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Self {
                writer: Box::new(BufWriter::new(file)),
                name,
            }),
            Err(error) => Err(Failed::usage(format!("{name}: {error}"))),
        }
    }

    /// One line for each output item, or one for the failure.
    pub fn result(&mut self, item: u64, result: &ItemResult) -> Result<(), Lost> {
        let written = match result {
            Ok(output) => output
                .iter()
                .try_for_each(|json| writeln!(self.writer, "{{\"item\":{item},\"json\":{}}}", json.get())),
            Err(failure) => writeln!(self.writer, "{{\"item\":{item},\"error\":{}}}", failure.to_json()),
        };
        written.map_err(|error| self.lost(&error))
    }

    /// A line.
    pub fn line(&mut self, line: &str) -> Result<(), Lost> {
        writeln!(self.writer, "{line}").map_err(|error| self.lost(&error))
    }

    /// Show what was written so far.
    pub fn flush(&mut self) -> Result<(), Lost> {
        self.writer.flush().map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &io::Error) -> Lost {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Lost::Closed
        } else {
            Lost::Broken(Failed::usage(format!("{}: {error}", self.name)))
        }
    }
}

/// Print a text on standard output, in colour where it is a terminal.
pub fn print(text: &str) -> Result<(), Failed> {
    match write!(anstream::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failed::usage(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
