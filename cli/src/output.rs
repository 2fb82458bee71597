//! Writes results as JSON lines, and documents, to standard output or files.
//!
//! A file is written under a temporary name and renamed when complete, so that the old content survives a run that is
//! refused or killed. Anything that is not a regular file (a device, a pipe) is written directly.
//!
//! A result contains a service's or a node's text. Characters in it that would act on a terminal are written as JSON
//! escapes, which changes no value.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};

use nodule::{ItemResult, Part, text};
use tempfile::NamedTempFile;

use crate::exit::{Exit, Failed, line, styled};
use crate::places::{Places, Target};
use crate::stream::{self, Stream};

/// File names have at most 255 bytes; this leaves room for the suffix.
const MOST_NAME_BYTES: usize = 200;
const PART: &str = ".part";

/// One output of the command.
pub struct Output {
    sink: Sink,
    name: String,
}

enum Sink {
    /// Standard output: the shell opened it, so its content is not truncated.
    Standard(BufWriter<Stream>),
    /// Not a regular file, or in a folder where no temporary file can be created.
    Direct(BufWriter<Stream>),
    Beside(Box<Beside>),
}

/// A file that is written under a temporary name.
struct Beside {
    part: BufWriter<NamedTempFile>,
    target: PathBuf,
    /// The existing file. It is opened for writing, since its mode may forbid that.
    old: Option<(File, Metadata)>,
}

/// Why the output can no longer be written.
#[derive(Debug)]
pub enum Lost {
    /// The reader is gone: `nodule … | head`.
    Closed(String),
    /// A write failed.
    Broken(Failed),
}

impl From<Lost> for Failed {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Closed(name) => {
                Failed::unwritten(format!("{name}: nobody reads it any more")).ended(Exit::Closed)
            }
            Lost::Broken(failed) => failed,
        }
    }
}

impl Output {
    /// Opens an output and reports every error that can be detected before anything is overwritten. A new file is
    /// private to its owner; an existing file keeps its mode. Links are followed: the user chose the path.
    pub fn open(places: &mut Places, flag: &str, path: &Path) -> Result<Self, Failed> {
        let Some(target) = places.write(flag, path)? else {
            let name = "standard output".to_owned();
            let stream =
                stream::standard_output().map_err(|error| Failed::unwritten(format!("{name}: {error}")))?;
            return Ok(Self {
                sink: Sink::Standard(BufWriter::new(stream)),
                name,
            });
        };
        let name = text::path(path);
        let sink = sink(target).map_err(|error| Failed::usage(format!("{flag}: {name}: {error}")))?;
        Ok(Self { sink, name })
    }

    /// Called when the run is certain to start: files that are written in place are truncated, and from here on what is
    /// written is kept, however the run ends.
    pub fn begin(&mut self) -> Result<(), Lost> {
        match &mut self.sink {
            Sink::Standard(_) => Ok(()),
            Sink::Direct(writer) => {
                emptied(writer.get_ref().file()).map_err(|error| lost(&self.name, &error))
            }
            Sink::Beside(beside) => {
                beside.part.get_mut().disable_cleanup(true);
                Ok(())
            }
        }
    }

    /// Writes one line for each output item, or one for the failure; and one for the end of an item whose rows came in parts
    /// or were cut.
    pub fn result(&mut self, item: u64, result: &ItemResult, part: Part) -> Result<(), Lost> {
        match result {
            Ok(output) => output.iter().try_for_each(|json| {
                let files = json
                    .files_json("path")
                    .map(|files| format!(",\"files\":{}", text::json(&files)));
                let (json, files) = (text::json(json.get()), files.unwrap_or_default());
                self.written(|writer| writeln!(writer, "{{\"item\":{item},\"json\":{json}{files}}}"))
            }),
            Err(failure) => {
                let error = failure.to_json().to_string();
                let error = text::json(&error);
                self.written(|writer| writeln!(writer, "{{\"item\":{item},\"error\":{error}}}"))
            }
        }?;
        match (result, end(part)) {
            (Ok(_), Some(end)) => {
                self.written(|writer| writeln!(writer, "{{\"item\":{item},\"end\":{end}}}"))
            }
            _ => Ok(()),
        }
    }

    /// Writes a JSON document on one line.
    pub fn json(&mut self, json: &str) -> Result<(), Lost> {
        self.line(&text::json(json))
    }

    /// Writes a line unchanged: the user's own item, to be run again as it was.
    pub fn line(&mut self, line: &str) -> Result<(), Lost> {
        self.written(|writer| writeln!(writer, "{line}"))
    }

    /// Writes a text unchanged.
    pub fn text(&mut self, text: &str) -> Result<(), Lost> {
        self.written(|writer| writer.write_all(text.as_bytes()))
    }

    /// Shows what was written so far.
    pub fn flush(&mut self) -> Result<(), Lost> {
        self.written(|writer| writer.flush())
    }

    /// The output is complete: gives the file its name.
    pub fn finish(mut self) -> Result<(), Lost> {
        self.flush()?;
        match self.sink {
            Sink::Beside(beside) => beside.finish().map_err(|error| lost(&self.name, &error)),
            _ => Ok(()),
        }
    }

    fn written(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Lost> {
        let written = match &mut self.sink {
            Sink::Standard(writer) | Sink::Direct(writer) => write(writer),
            Sink::Beside(beside) => write(&mut beside.part),
        };
        written.map_err(|error| match &self.sink {
            Sink::Beside(beside) => lost(&self.name, &kept(beside.part.get_ref(), &error)),
            _ => lost(&self.name, &error),
        })
    }
}

/// What is said at the end of an item whose rows came in parts or were cut: `{"rows":500000}`.
pub fn end(part: Part) -> Option<String> {
    let Part::End { rows, is_complete } = part else {
        return None;
    };
    let complete = if is_complete { "" } else { ",\"complete\":false" };
    Some(format!("{{\"rows\":{rows}{complete}}}"))
}

fn sink(Target { path, found }: Target) -> io::Result<Sink> {
    let old = if found.is_some() {
        let file = opened(&path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Ok(Sink::Direct(BufWriter::new(Stream::new(file))));
        }
        Some((file, found))
    } else {
        None
    };
    match (part(&path), old) {
        (Ok(part), old) => Ok(Sink::Beside(Box::new(Beside {
            part: BufWriter::new(part),
            target: path,
            old,
        }))),
        // The file is writable, but its folder is not.
        (Err(error), Some((file, _))) if is_forbidden(&error) => {
            Ok(Sink::Direct(BufWriter::new(Stream::new(file))))
        }
        (Err(error), _) => Err(error),
    }
}

fn is_forbidden(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Opens an existing file for writing. Opening a pipe waits until it has a reader.
#[cfg(unix)]
fn opened(path: &Path) -> io::Result<File> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
    let mut options = File::options();
    options.write(true);
    if !path.metadata()?.file_type().is_fifo() {
        return options.open(path);
    }
    let at_once = OFlags::NONBLOCK;
    let flags = at_once.bits().try_into().unwrap_or_default();
    if let Ok(file) = options.clone().custom_flags(flags).open(path) {
        // Clear `O_NONBLOCK` again: writes have to wait for the reader, and processes that share the pipe's file see
        // the flag.
        fcntl_setfl(&file, fcntl_getfl(&file)? - at_once)?;
        return Ok(file);
    }
    line(&format!(
        "{}: waiting for somebody who reads the pipe",
        text::path(path)
    ));
    options.open(path)
}

#[cfg(not(unix))]
fn opened(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

/// Creates the temporary file. It is in the target's folder, since a rename cannot cross file systems, and its name
/// begins with the target's.
fn part(target: &Path) -> io::Result<NamedTempFile> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let name = target.file_name().filter(|name| name.len() <= MOST_NAME_BYTES);
    let mut begin = name.map_or_else(|| OsString::from("nodule"), ToOwned::to_owned);
    begin.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&begin).suffix(PART);
    #[cfg(unix)]
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    #[cfg(unix)]
    builder.permissions(permissions);
    builder.tempfile_in(folder)
}

/// Only regular files can be truncated.
fn emptied(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}

impl Beside {
    fn finish(self) -> io::Result<()> {
        let Self { part, target, old } = self;
        let part = part.into_inner().map_err(io::IntoInnerError::into_error)?;
        let may_be_renamed = old.as_ref().is_none_or(|(_, old)| is_like(part.as_file(), old));
        part.as_file().sync_data()?;
        let part = if may_be_renamed {
            match part.persist(&target) {
                Ok(_) => return Ok(()),
                Err(error) if old.is_none() => return Err(kept(&error.file, &error.error)),
                Err(error) => error.file,
            }
        } else {
            part
        };
        // The file has other links, has another owner, or is a mount point: its content is replaced, not the file.
        let Some((mut old, _)) = old else { return Ok(()) };
        let copied = part.reopen().and_then(|mut new| {
            old.set_len(0)?;
            old.rewind()?;
            io::copy(&mut new, &mut old)?;
            old.sync_data()
        });
        match copied {
            Ok(()) => part.close(),
            Err(error) => Err(kept(&part, &error)),
        }
    }
}

/// Keeps the incomplete output under its temporary name, since its requests were sent, and names it in the error.
fn kept(part: &NamedTempFile, error: &io::Error) -> io::Error {
    let message = format!("{error}; what was written is in {}", text::path(part.path()));
    io::Error::new(error.kind(), message)
}

/// Gives the new file the old one's owner and mode, if possible.
#[cfg(unix)]
fn is_like(new: &File, old: &Metadata) -> bool {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    if old.nlink() > 1 {
        return false;
    }
    let has_owner = new
        .metadata()
        .is_ok_and(|new| (new.uid(), new.gid()) == (old.uid(), old.gid()));
    let has_owner = has_owner || fchown(new, Some(old.uid()), Some(old.gid())).is_ok();
    let mode = std::fs::Permissions::from_mode(old.mode() & 0o7777);
    has_owner && new.set_permissions(mode).is_ok()
}

#[cfg(not(unix))]
fn is_like(new: &File, old: &Metadata) -> bool {
    new.set_permissions(old.permissions()).is_ok()
}

fn lost(name: &str, error: &io::Error) -> Lost {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Lost::Closed(name.to_owned())
    } else {
        Lost::Broken(Failed::unwritten(format!("{name}: {error}")))
    }
}

/// Prints a text to standard output, coloured on a terminal. Styles are kept, and everything else that acts on a
/// terminal is escaped. A closed pipe is not an error: its reader has seen enough.
pub fn print(text: &str) -> Result<(), Failed> {
    let mut stdout = anstream::stdout();
    let written = write!(stdout, "{}", styled(text)).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failed::unwritten(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn open(path: &Path) -> Result<Output, Failed> {
        Output::open(&mut Places::default(), "--output", path)
    }

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<OsString> = entries.map(|entry| entry.file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_there_is_there_until_all_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "old").unwrap();
        for is_finished in [false, true] {
            let mut output = open(&path).unwrap();
            if is_finished {
                output.begin().unwrap();
            }
            output.text("new").unwrap();
            output.flush().unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"old");
            if is_finished {
                output.finish().unwrap();
                assert_eq!(std::fs::read(&path).unwrap(), b"new");
            }
        }
        assert_eq!(names(folder.path()), ["file"]);
        // After `begin`, the output is kept.
        let mut output = open(&path).unwrap();
        output.begin().unwrap();
        output.text("newer").unwrap();
        drop(output);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn modes_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            let mut output = open(&at(name)).unwrap();
            output.begin().unwrap();
            output.text(text).unwrap();
            output.finish().unwrap();
        };
        let mode = |name: &str| at(name).metadata().unwrap().mode() & 0o7777;
        write("file", "first");
        assert_eq!(mode("file"), 0o600);
        std::fs::set_permissions(at("file"), std::fs::Permissions::from_mode(0o644)).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("new", at("dangling")).unwrap();
        write("link", "second");
        assert!(at("link").is_symlink());
        assert_eq!(
            (std::fs::read(at("file")).unwrap(), mode("file")),
            (b"second".into(), 0o644)
        );
        write("dangling", "third");
        assert!(at("dangling").is_symlink());
        assert_eq!(std::fs::read(at("new")).unwrap(), b"third");
        std::fs::hard_link(at("file"), at("hard")).unwrap();
        write("hard", "4");
        assert_eq!(std::fs::read(at("file")).unwrap(), b"4");
        assert_eq!(at("file").metadata().unwrap().nlink(), 2);
        assert_eq!(names(folder.path()), ["dangling", "file", "hard", "link", "new"]);
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["none/file", "new/", "."] {
            let refused = open(&folder.path().join(name)).err().unwrap();
            assert_eq!(refused.exit, Exit::Usage, "{name}: {refused}");
        }
        assert!(names(folder.path()).is_empty());
        // The longest possible name.
        let long = folder.path().join("x".repeat(255));
        open(&long).unwrap().finish().unwrap();
        assert!(long.is_file());
    }

    #[test]
    fn a_device_stays_one() {
        use std::os::unix::fs::FileTypeExt as _;
        let null = Path::new("/dev/null");
        let mut output = open(null).unwrap();
        output.begin().unwrap();
        output.text("nothing").unwrap();
        output.finish().unwrap();
        assert!(null.metadata().unwrap().file_type().is_char_device());
        let mut output = open(Path::new("/dev/full")).unwrap();
        output.begin().unwrap();
        output.text("too much").unwrap();
        assert!(matches!(output.flush(), Err(Lost::Broken(failed)) if failed.exit == Exit::Unwritten));
    }
}
