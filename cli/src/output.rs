//! Results as JSON lines, on standard output or in a file.
//!
//! A result holds what a service or a node said. Characters in it that would act on a terminal are written as JSON's escapes, which
//! changes no value.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use nodule::{ItemResult, text};

use crate::exit::{Failed, styled};

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

    /// A file, empty: a new one is its owner's alone, one that is there keeps its mode. A link is followed, since a name that is
    /// given here was chosen by who gives it.
    pub fn create(path: &Path) -> Result<Self, Failed> {
        let name = text::path(path);
        let mut options = std::fs::File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
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
            Ok(output) => output.iter().try_for_each(|json| {
                writeln!(
                    self.writer,
                    "{{\"item\":{item},\"json\":{}}}",
                    text::json(json.get())
                )
            }),
            Err(failure) => {
                let error = failure.to_json().to_string();
                writeln!(
                    self.writer,
                    "{{\"item\":{item},\"error\":{}}}",
                    text::json(&error)
                )
            }
        };
        written.map_err(|error| self.lost(&error))
    }

    /// A JSON document, on a line.
    pub fn json(&mut self, json: &str) -> Result<(), Lost> {
        self.line(&text::json(json))
    }

    /// A line as it is: an item of the user's own, which is to be run again as it was.
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

/// Print a text on standard output, in colour where it is a terminal. Its styles stay, and nothing else that acts on a terminal.
pub fn print(text: &str) -> Result<(), Failed> {
    match write!(anstream::stdout(), "{}", styled(text)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failed::usage(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
