//! Recorded HTTP exchanges: written while a case runs live, read to run it again without a network.
//!
//! The file is a HAR 1.2 log, so that browsers, proxies and viewers read it and can write it. What HAR has no place for
//! stands beside it in fields that begin with `_`, as HAR allows:
//!
//! | field | holds |
//! | --- | --- |
//! | `log._component` | `{name, version, digest}` of the component that was run |
//! | `log._recordedAgainst` | what answered, in words: `simulator` |
//! | `log._case` | `{group, operation, onFailure, baseUrl, declared: {method, path}, items, results}`; a result is `{"output": […]}` or `{"error": {…}}` |
//! | `log._calls` | `{clock, seed}` for each item, `null` for one that was never called: RFC 3339 and 16 hexadecimal digits |
//! | `entry._role` | `authentication` or `operation`; absent is `operation` |
//! | `entry._item` | the index of the item that it belongs to |
//! | `entry._error` | the transport failure; with status 0 instead of an answer, otherwise in the middle of its body |
//! | `postData._encoding` | `base64` for a request body that is not UTF-8 |
//!
//! Reading is liberal: fields of other tools are kept and written back as they were, an answer without headers is an
//! answer. It is strict where a replay would otherwise quietly be wrong, and then names file, place and what was expected.
//! A body that a browser did not save is a failed exchange, not an empty answer.
//!
//! What is refused: a file that is no HAR log, that is larger than [`MAX_BYTES`] or nested deeper than [`MAX_DEPTH`], and
//! one of ours that contradicts itself (two results for three items).
//!
//! Secrets: [`Recorder`] never keeps the headers that carry credentials and hides what an authentication exchange is made of;
//! [`Recording::map_strings`] lets the host redact what it knows, and [`Recording::save`] refuses what is left.

mod canonical;
mod case;
mod conceal;
mod error;
mod exchange;
mod miss;
mod place;
mod player;
mod read;
mod recorder;
mod strings;
#[cfg(test)]
mod tests;
mod write;

use std::{
    borrow::Cow,
    fs, io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::Value;

pub(crate) use canonical::Spelled;
pub use case::{Call, Case, Component, Declared, Item, ItemResult, OnFailure};
pub use error::Error;
pub use exchange::{Answer, Exchange, Outcome, Request, Role};
pub use miss::{Difference, Miss, Nearest};
pub use player::{Player, Unused, UnusedExchange};
pub use recorder::{Meta, Recorder};

/// The largest recording that is read or written: far above any case, far below what would exhaust a machine.
pub const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// How deep a recording may be nested. The JSON reader stops at 128, so what is written stays below.
pub const MAX_DEPTH: usize = 120;

/// A HAR log, with what Nodule needs of it already read.
///
/// The document is the truth: whatever was loaded is written back, in its order and with its digits.
#[derive(Clone)]
pub struct Recording {
    name: String,
    document: Value,
    view: read::View,
}

impl Recording {
    /// Read a HAR document. `name` stands in errors for the file.
    ///
    /// # Errors
    /// The text is not JSON, is nested too deep, or is not a HAR log that can be relied on.
    pub fn from_json(text: &[u8], name: &str) -> Result<Self, Error> {
        let file = || name.to_owned();
        // Proxies on Windows begin a HAR with a byte order mark, which JSON does not allow.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if !strings::within_depth(text, MAX_DEPTH) {
            return Err(Error::TooDeep {
                file: file(),
                limit: MAX_DEPTH,
            });
        }
        let document = serde_json::from_slice(text).map_err(|source| {
            if source.is_eof() && !text.trim_ascii().is_empty() {
                Error::Truncated {
                    file: file(),
                    line: source.line(),
                }
            } else {
                Error::NotJson { file: file(), source }
            }
        })?;
        Self::from_document(document, file())
    }

    /// Read a HAR file.
    ///
    /// # Errors
    /// The file cannot be read or is larger than [`MAX_BYTES`], and everything that [`Recording::from_json`] refuses.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = || path.display().to_string();
        let mut text = Vec::new();
        fs::File::open(path)
            .and_then(|opened| opened.take(MAX_BYTES + 1).read_to_end(&mut text))
            .map_err(|source| Error::Read { file: file(), source })?;
        if text.len() as u64 > MAX_BYTES {
            return Err(Error::TooLarge {
                file: file(),
                limit: MAX_BYTES,
            });
        }
        Self::from_json(&text, &file())
    }

    fn from_document(document: Value, name: String) -> Result<Self, Error> {
        match read::view(&document) {
            Ok(view) => Ok(Self { name, document, view }),
            Err(fault) => Err(fault.in_file(name)),
        }
    }

    /// The document as text: indented, a line feed at the end, the same bytes for the same recording.
    #[must_use]
    pub fn to_json(&self) -> String {
        // The alternate form of a `Value` is its pretty text and, unlike the serializer's, cannot fail.
        format!("{:#}\n", self.document)
    }

    /// Write the document beside `path` and rename it there, so that `path` never holds half a recording. A recording of
    /// which [`Recording::contains`] says that it holds what `is_secret` knows is not written at all.
    ///
    /// # Errors
    /// It holds a secret, the file cannot be written, or it is one that [`Recording::load`] would refuse.
    pub fn save(&self, path: &Path, is_secret: impl FnMut(&str) -> bool) -> Result<(), Error> {
        let file = || path.display().to_string();
        if self.contains(is_secret) {
            return Err(Error::Secret { file: file() });
        }
        let text = self.to_json();
        if text.len() as u64 > MAX_BYTES {
            return Err(Error::TooLarge {
                file: file(),
                limit: MAX_BYTES,
            });
        }
        if !strings::within_depth(text.as_bytes(), MAX_DEPTH) {
            return Err(Error::TooDeep {
                file: file(),
                limit: MAX_DEPTH,
            });
        }
        write_whole(path, text.as_bytes()).map_err(|source| Error::Write { file: file(), source })
    }

    /// Pass every text through `map`: values, keys, numbers by their digits, and bodies in base64 as what they decode to (a
    /// body that is changed becomes text).
    ///
    /// # Errors
    /// What came out is no longer a recording, for example because an address was replaced by something that is none.
    /// The recording is then unchanged and must not be saved.
    pub fn map_strings(&mut self, mut map: impl for<'a> FnMut(&'a str) -> Cow<'a, str>) -> Result<(), Error> {
        let mut document = self.document.clone();
        strings::map(&mut document, &mut map);
        *self = Self::from_document(document, self.name.clone())?;
        Ok(())
    }

    /// Whether any text of the recording, as [`Recording::map_strings`] sees them, is one that `found` knows.
    pub fn contains(&self, mut found: impl FnMut(&str) -> bool) -> bool {
        strings::any(&self.document, &mut found)
    }

    /// What errors call the recording: its file, or what [`Recording::from_json`] was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The exchanges, in the file's order.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.view.exchanges
    }

    /// The case that was recorded; absent in a HAR of another tool.
    #[must_use]
    pub fn case(&self) -> Option<&Case> {
        self.view.case.as_ref()
    }

    /// The component that was run.
    #[must_use]
    pub fn component(&self) -> Option<&Component> {
        self.view.component.as_ref()
    }

    /// What answered, for example `simulator`.
    #[must_use]
    pub fn recorded_against(&self) -> Option<&str> {
        self.view.recorded_against.as_deref()
    }

    /// The HAR log's comment.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.view.comment.as_deref()
    }
}

/// Shows sizes only: a recording that is not redacted yet holds secrets.
impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("name", &self.name)
            .field("exchanges", &self.view.exchanges.len())
            .finish_non_exhaustive()
    }
}

fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = beside(path)?;
    // `create_new` follows no link that somebody has put there.
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()
        });
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        // The first failure is the one to tell; a leftover is only untidy.
        let _ = fs::remove_file(&beside);
    }
    renamed
}

/// A name in the same folder, since a rename is atomic within one file system only.
fn beside(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("expected the name of a file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(
        ".{}-{}.tmp",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    Ok(path.with_file_name(hidden))
}
