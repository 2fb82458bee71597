//! The package's file, as `npm pack` writes it: the same bytes of the same files, on every machine.

use std::fs;
use std::io::{self, BufWriter, Read, Write as _};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use nodule::text;
use tar::{Builder, EntryType, Header};

use super::{Content, File};
use crate::exit::Failed;

/// The time that npm gives every file, so that a package does not depend on its making: 1985-10-26T08:15:00Z.
const NPM_TIME: u64 = 499_162_500;
/// The folder that npm puts everything into.
const FOLDER: &str = "package";

/// Writes the files, compressed.
pub fn write(to: &fs::File, files: &[File]) -> Result<(), Failed> {
    let packed = |error: io::Error| Failed::unwritten(format!("the package cannot be written: {error}"));
    let compressed = GzBuilder::new().write(BufWriter::new(to), Compression::default());
    let mut archive = Builder::new(compressed);
    for file in files {
        match &file.content {
            Content::Text(text) => append(&mut archive, file, 0o644, text.len() as u64, text.as_bytes()),
            Content::Bytes(bytes) => append(&mut archive, file, 0o644, bytes.len() as u64, bytes.as_slice()),
            Content::Copy(path) => copy(&mut archive, file, 0o644, path)?,
            Content::Program(path) => copy(&mut archive, file, 0o755, path)?,
        }
        .map_err(packed)?;
    }
    let written = archive.into_inner().and_then(flate2::write::GzEncoder::finish);
    written.and_then(|mut out| out.flush()).map_err(packed)
}

/// Appends a file of this machine. The outer error is about reading it.
fn copy<W: io::Write>(
    archive: &mut Builder<W>,
    file: &File,
    mode: u32,
    path: &Path,
) -> Result<io::Result<()>, Failed> {
    let unread = |error: io::Error| Failed::usage(format!("{}: {error}", text::path(path)));
    let content = fs::File::open(path).map_err(unread)?;
    let size = content.metadata().map_err(unread)?.len();
    Ok(append(archive, file, mode, size, content))
}

fn append<W: io::Write>(
    archive: &mut Builder<W>,
    file: &File,
    mode: u32,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_mtime(NPM_TIME);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    archive.append_data(&mut header, format!("{FOLDER}/{}", file.path), content.take(size))
}
