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
//! answer, and each [entry](Unreadable) is read by itself: one that cannot be read is counted and named, and hinders no other.
//! Reading is strict where a replay would otherwise quietly be wrong: a body that a browser did not save is no empty answer, and
//! a request for it fails with [`Outcome::NO_BODY`].
//!
//! What is refused: a file that is no HAR log, that is larger than [`MAX_BYTES`], has more than [`MAX_VALUES`] or is nested deeper
//! than [`MAX_DEPTH`], and one of ours that contradicts itself (two results for three items).
//!
//! A HAR of another tool has no case. It is replayed with the items, the operation and the credential of whoever replays it: the
//! credential says where the service was, and the exchange that makes a session is the one with that method and path.
//!
//! Secrets: [`Recorder`] never keeps the headers that carry credentials and hides what an authentication exchange is made of;
//! [`Recording::map_strings`] lets the host redact what it knows, and [`Recording::save`] refuses what is left.

mod case;
mod conceal;
mod entry;
mod error;
mod exchange;
mod foreign;
mod miss;
mod place;
mod player;
mod read;
mod recorder;
mod repair;
mod request_key;
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

use crate::json::Json;

use crate::json_size::{Excess, Most, within};
use crate::{own_file, text};

pub use case::{Call, Case, Item, RecordedComponent, RecordedResult, held};
pub use entry::Unreadable;
pub use error::Error;
pub use exchange::{Exchange, Outcome, RecordedResponse, Request, Role};
pub use miss::{Difference, Miss, Nearest};
pub use player::{Player, Unused, UnusedExchange};
pub use recorder::{Meta, Recorder};
pub use request_key::Spelled;

/// The largest recording that is read or written. A replay holds a recording as text, as values and as exchanges: one of this
/// size takes some 300 MB, a usual case of a few hundred exchanges is smaller by a hundred times.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The most JSON values (texts, numbers, lists, objects …) that a recording may have. Each takes some hundred bytes once it is
/// read, however short its text is; an exchange has about a hundred.
pub const MAX_VALUES: usize = 2_000_000;

/// How deep a recording may be nested. The JSON reader stops at 128, so what is written stays below.
pub const MAX_DEPTH: usize = 120;

/// A HAR log, with what Nodule needs of it already read.
///
/// The document is the truth: whatever was loaded is written back, in its order and with its digits.
#[derive(Clone)]
pub struct Recording {
    name: String,
    document: Json,
    view: read::View,
    /// Characters that could not be read.
    lost: usize,
}

impl Recording {
    /// Read a HAR document. `name` stands in errors for the file.
    ///
    /// # Errors
    /// The text is not JSON, is larger than [`MAX_BYTES`], has more than [`MAX_VALUES`], is nested too deep, or is not a HAR log
    /// that can be relied on.
    pub fn from_json(text: &[u8], name: &str) -> Result<Self, Error> {
        let (document, lost) = Self::parse(text.to_vec(), name)?;
        let recording = Self::from_document(document, name.to_owned())?;
        Ok(Self { lost, ..recording })
    }

    /// The document, and how many of its characters could not be read.
    fn parse(text: Vec<u8>, name: &str) -> Result<(Json, usize), Error> {
        let file = || name.to_owned();
        let packed = match &*text {
            [0x1f, 0x8b, ..] => Some("gzip"),
            [b'P', b'K', 3, 4, ..] => Some("ZIP"),
            _ => None,
        };
        if let Some(what) = packed {
            return Err(Error::Packed { file: file(), what });
        }
        // Proxies on Windows begin a HAR with a byte order mark, and shells there write UTF-16.
        let text = text::utf8(text);
        bounded(&text, name)?;
        if let Ok(document) = Json::from_slice(&text) {
            return Ok((document, 0));
        }
        let repaired = repair::repaired(&text, usize::try_from(MAX_BYTES).unwrap_or(usize::MAX));
        Json::from_slice(&repaired.text)
            .map(|document| (document, repaired.lost))
            .map_err(|source| {
                if source.is_eof() && !text.trim_ascii().is_empty() {
                    Error::Truncated {
                        file: file(),
                        line: source.line(),
                    }
                } else {
                    Error::NotJson { file: file(), source }
                }
            })
    }

    /// Read a HAR file.
    ///
    /// # Errors
    /// The file cannot be read, and everything that [`Recording::from_json`] refuses. Of a file that is larger than
    /// [`MAX_BYTES`] nothing is read; of what has no size (a pipe, a device), or grows meanwhile, so much and one byte more.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let unreadable = |source| Error::Read {
            file: name.clone(),
            source,
        };
        let opened = fs::File::open(path).map_err(unreadable)?;
        let size = opened.metadata().map_err(unreadable)?.len();
        if size > MAX_BYTES {
            return Err(Error::TooLarge {
                file: name,
                limit: MAX_BYTES,
            });
        }
        let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or_default().saturating_add(1));
        opened
            .take(MAX_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(unreadable)?;
        // The text is as large as what is made of it, and not kept.
        let (document, lost) = Self::parse(text, &name)?;
        let recording = Self::from_document(document, name)?;
        Ok(Self { lost, ..recording })
    }

    fn from_document(document: Json, name: String) -> Result<Self, Error> {
        match read::view(&document) {
            Ok(view) => Ok(Self {
                name,
                document,
                view,
                lost: 0,
            }),
            Err(fault) => Err(fault.in_file(name)),
        }
    }

    /// The document as text: indented, a line feed at the end, the same bytes for the same recording.
    #[must_use]
    pub fn to_json(&self) -> String {
        // The alternate form of a `Json` is its indented text.
        format!("{:#}\n", self.document)
    }

    /// The document as a file shows it. A recording of which [`Recording::contains`] says that it holds what `is_secret` knows has none.
    ///
    /// # Errors
    /// It holds a secret, or is one that [`Recording::load`] would refuse. `file` is what the error calls it.
    pub fn to_text(&self, file: &str, is_secret: impl FnMut(&str) -> bool) -> Result<String, Error> {
        if self.contains(is_secret) {
            return Err(Error::Secret {
                file: file.to_owned(),
            });
        }
        let text = self.to_json();
        let text = text::json(&text);
        bounded(text.as_bytes(), file)?;
        Ok(text.into_owned())
    }

    /// Write the document beside `path` and rename it there, so that `path` never holds half a recording. A new file is its
    /// owner's alone; one that takes the place of an older file of the same owner has that one's mode. A recording that
    /// [`Recording::to_text`] refuses is not written at all.
    ///
    /// # Errors
    /// As [`Recording::to_text`], or the file cannot be written, or `path` is a folder, device or pipe.
    pub fn save(&self, path: &Path, is_secret: impl FnMut(&str) -> bool) -> Result<(), Error> {
        let file = path.display().to_string();
        let text = self.to_text(&file, is_secret)?;
        write_whole(path, text.as_bytes()).map_err(|source| Error::Write { file, source })
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
        let changed = Self::from_document(document, self.name.clone())?;
        let mut unreadable = changed.view.unreadable.iter();
        let known = &self.view.unreadable;
        if let Some(broken) = unreadable.find(|new| !known.iter().any(|old| old.entry == new.entry)) {
            return Err(broken.fault.clone().in_file(changed.name));
        }
        *self = changed;
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

    /// The entries that could not be read, in the file's order.
    #[must_use]
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.view.unreadable
    }

    /// What of the file could not be read, in sentences for whoever replays it.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let name = error::shown(&self.name);
        let unreadable = self.view.unreadable.first().map(|first| {
            let (count, all) = (
                self.view.unreadable.len(),
                self.view.unreadable.len() + self.view.exchanges.len(),
            );
            format!(
                "`{name}`: {count} of {all} entries could not be read: the first, entry {}: {first}",
                first.entry
            )
        });
        let lost = (self.lost > 0).then(|| {
            format!(
                "`{name}`: {} characters are not Unicode and are read as U+FFFD",
                self.lost
            )
        });
        unreadable.into_iter().chain(lost).collect()
    }

    /// The case that was recorded; absent in a HAR of another tool.
    #[must_use]
    pub fn case(&self) -> Option<&Case> {
        self.view.case.as_ref()
    }

    /// The component that was run.
    #[must_use]
    pub fn component(&self) -> Option<&RecordedComponent> {
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

/// Refuse what is too much, before any of it is parsed.
fn bounded(text: &[u8], name: &str) -> Result<(), Error> {
    let file = name.to_owned();
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::TooLarge {
            file,
            limit: MAX_BYTES,
        });
    }
    let most = Most {
        depth: MAX_DEPTH,
        values: MAX_VALUES,
    };
    within(text, most).map_err(|excess| match excess {
        Excess::Depth => Error::TooDeep {
            file,
            limit: MAX_DEPTH,
        },
        Excess::Values => Error::TooMany {
            file,
            limit: MAX_VALUES,
        },
    })
}

fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    // A rename would put a file in its place. A link is replaced.
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
        return Err(io::Error::other(
            "expected a file or no file, found something else",
        ));
    }
    let beside = beside(path)?;
    // `create_new` follows no link that somebody has put there.
    let written = own_file::options()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| {
            own_file::keep_mode(path, &file)?;
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
