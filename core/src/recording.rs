//! Recorded HTTP exchanges: written while a case runs live, read to replay it without a network.
//!
//! The file is a HAR 1.2 log, so browsers, proxies and viewers can read and write it. Facts for which HAR has no fields
//! are in fields that begin with `_`, as HAR allows:
//!
//! | field | holds |
//! | --- | --- |
//! | `log._component` | `{name, version, digest}` of the component that was run |
//! | `log._recordedAgainst` | what responded, in words: `simulator` |
//! | `log._case` | `{group, operation, onFailure, baseUrl, credential, declared: {method, path}, items, results}`; `credential` names the one of the node's that was bound; a result is `{"output": […]}` or `{"error": {…}}` |
//! | `log._calls` | `{clock, seed}` for each item, `null` for one that was never called: RFC 3339 and 16 hexadecimal digits |
//! | `entry._role` | `authentication` or `operation`; absent is `operation` |
//! | `entry._item` | the index of its item |
//! | `entry._error` | the transport failure: with status 0 if there was no response, otherwise in the middle of the body |
//! | `postData._encoding` | `base64` for a request body that is not UTF-8 |
//!
//! Reading is liberal: other tools' fields are kept and written back unchanged, a response needs no headers, and each
//! [entry](Unreadable) is read separately. An entry that cannot be read is counted and named, and does not affect the
//! others. Reading is strict where a replay would otherwise be silently wrong: a body that a browser did not save is
//! not an empty response, and a request for it fails with [`Outcome::NO_BODY`].
//!
//! Refused are files that are not HAR logs, are larger than [`MAX_BYTES`], have more values than [`MAX_VALUES`] or nest
//! deeper than [`MAX_DEPTH`], and Nodule's own files that contradict themselves (two results for three items).
//!
//! A HAR of another tool has no case. Whoever replays it supplies the items, the operation and the credential. The
//! credential says where the service was. Of the entries with the method and path of the node's authentication request,
//! the first makes the session.
//!
//! Secrets: [`Recorder`] never keeps the headers that carry credentials, and it hides the secrets of authentication
//! exchanges. [`Recording::map_strings`] lets the host redact the secrets that it knows, and [`Recording::save`]
//! refuses a recording in which one is left.

mod case;
pub mod check;
mod conceal;
mod entry;
mod error;
mod exchange;
mod foreign;
mod miss;
mod place;
mod player;
pub mod random;
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

pub use case::{Call, Case, Item, NO_BASE_URL, RecordedComponent, RecordedResult, held};
pub use entry::Unreadable;
pub use error::Error;
pub use exchange::{Exchange, Outcome, RecordedFile, RecordedResponse, Request, Role};
pub use miss::{Difference, Miss, Nearest};
pub use player::{Player, Unused, UnusedExchange};
pub use recorder::{Meta, Recorder};
pub use request_key::Spelled;

/// The largest recording that is read or written. A replay keeps a recording as text, as values and as exchanges, so
/// one of this size takes about 300 MB. A usual case of a few hundred exchanges is a hundred times smaller.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The most JSON values (texts, numbers, lists, objects and so on) in a recording. Each takes about a hundred bytes in
/// memory, however short its text is; an exchange has about a hundred values.
pub const MAX_VALUES: usize = 2_000_000;

/// How deep a recording may nest. The JSON reader stops at 128 levels, so written recordings stay below.
pub const MAX_DEPTH: usize = 120;

/// A HAR log, with the parts that Nodule needs already extracted.
///
/// The document is authoritative: a loaded document is written back in its order and with its digits.
#[derive(Clone)]
pub struct Recording {
    name: String,
    document: Json,
    view: read::View,
    /// Characters that could not be read.
    lost: usize,
    /// Where the files beside it are.
    files: Option<PathBuf>,
}

impl Recording {
    /// Reads a HAR document. `name` represents the file in errors.
    ///
    /// # Errors
    /// The text is not JSON, is larger than [`MAX_BYTES`], has more values than [`MAX_VALUES`], nests too deep, or is
    /// not a valid HAR log.
    pub fn from_json(text: &[u8], name: &str) -> Result<Self, Error> {
        let (document, lost) = Self::parse(text.to_vec(), name)?;
        let recording = Self::from_document(document, name.to_owned())?;
        Ok(Self { lost, ..recording })
    }

    /// Parses the document. Also returns how many characters could not be read.
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
        // Proxies on Windows start a HAR with a byte order mark, and shells there write UTF-16.
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

    /// The folder of the files beside a recording: `case.har.files`. Each is named by its digest.
    #[must_use]
    pub fn files_of(path: &Path) -> PathBuf {
        let mut folder = path.as_os_str().to_owned();
        folder.push(".files");
        folder.into()
    }

    /// Where the files beside it are; `None` if it was not read from a file.
    #[must_use]
    pub fn files(&self) -> Option<&Path> {
        self.files.as_deref()
    }

    /// Reads a HAR file.
    ///
    /// # Errors
    /// The file cannot be read, or [`Recording::from_json`] refuses it. A file larger than [`MAX_BYTES`] is not read at
    /// all. A file without a size (a pipe, a device), or one that grows meanwhile, is read up to one byte more than
    /// that.
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
        // The text is as large as the document built from it, so it is dropped.
        let (document, lost) = Self::parse(text, &name)?;
        let recording = Self::from_document(document, name)?;
        Ok(Self {
            lost,
            files: Some(Self::files_of(path)),
            ..recording
        })
    }

    fn from_document(document: Json, name: String) -> Result<Self, Error> {
        match read::view(&document) {
            Ok(view) => Ok(Self {
                name,
                document,
                view,
                lost: 0,
                files: None,
            }),
            Err(fault) => Err(fault.in_file(name)),
        }
    }

    /// The document as indented text with a line feed after it; the same recording gives the same bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        // The alternate form of `Json` is indented text.
        format!("{:#}\n", self.document)
    }

    /// The document as a file contains it. Refuses a recording that [`contains`](Recording::contains) a text for which
    /// `is_secret` is true.
    ///
    /// # Errors
    /// The recording contains a secret, or [`Recording::load`] would refuse it. `file` names it in the error.
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

    /// Writes the document beside `path` and renames it to `path`, so that `path` never contains half a recording. A
    /// new file is accessible to its owner only; a file that replaces an older file of the same owner keeps that file's
    /// mode. A recording that [`Recording::to_text`] refuses is not written at all.
    ///
    /// # Errors
    /// As [`Recording::to_text`]; or the file cannot be written; or `path` is a folder, device or pipe.
    pub fn save(&self, path: &Path, is_secret: impl FnMut(&str) -> bool) -> Result<(), Error> {
        let file = path.display().to_string();
        let text = self.to_text(&file, is_secret)?;
        write_whole(path, text.as_bytes()).map_err(|source| Error::Write { file, source })
    }

    /// Passes every text through `map`: values, keys, the digits of numbers, and the decoded content of base64 bodies
    /// (a changed body becomes plain text).
    ///
    /// # Errors
    /// The result is no longer a recording, for example because a URL was replaced by something else. The recording is
    /// then unchanged and must not be saved.
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

    /// Whether `found` is true for any text of the recording, as [`Recording::map_strings`] visits them.
    pub fn contains(&self, mut found: impl FnMut(&str) -> bool) -> bool {
        strings::any(&self.document, &mut found)
    }

    /// The recording's name in errors: its file, or the name given to [`Recording::from_json`].
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

    /// What could not be read in the file, in sentences for the person who replays it.
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

    /// The recorded case; absent in a HAR of another tool.
    #[must_use]
    pub fn case(&self) -> Option<&Case> {
        self.view.case.as_ref()
    }

    /// The component that was run.
    #[must_use]
    pub fn component(&self) -> Option<&RecordedComponent> {
        self.view.component.as_ref()
    }

    /// What responded, for example `simulator`.
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

/// Shows sizes only: a recording that is not yet redacted contains secrets.
impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("name", &self.name)
            .field("exchanges", &self.view.exchanges.len())
            .finish_non_exhaustive()
    }
}

/// Refuses a text with too much content, before parsing it.
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
    // A rename would replace such a thing with a file. A symbolic link is replaced.
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
        return Err(io::Error::other(
            "expected a file or no file, found something else",
        ));
    }
    let beside = beside(path)?;
    // `create_new` follows no link that somebody else has created.
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
        // The first error is the one to report; a leftover file is only untidy.
        let _ = fs::remove_file(&beside);
    }
    renamed
}

/// A name in the same folder, because a rename is atomic only within one file system.
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
