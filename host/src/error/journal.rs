//! Errors of a journal, one variant per remedy.

#[cfg(feature = "sqlite")]
use std::path::Path;
use std::path::PathBuf;

#[cfg(feature = "sqlite")]
use rusqlite::ErrorCode;

#[cfg(feature = "sqlite")]
use nodule_core::own_file::Refused;
use nodule_core::text;

/// Why a journal cannot be used. No variant means that recorded rows were lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file, or one beside it, could not be opened or created.
    #[error("{}: {source}", text::path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file, or one beside it, belongs to another user, who could change it at any time.
    #[error("{} belongs to another user", text::path(path))]
    NotOwn {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a journal.
    #[error(
        "the journal {}: expected a journal or no file, found {}",
        text::path(path),
        shown(found)
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// Another version of this program wrote the journal.
    #[error(
        "the journal {}: expected version {expected}, found version {found}",
        text::path(path)
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The schema version that this program writes.
        expected: i64,
        /// The schema version of the file.
        found: i64,
    },
    /// The file is damaged.
    #[error("the journal {} is damaged: {}", text::path(path), shown(message))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Another process uses the journal.
    #[error("the journal {} is in use by another process", text::path(path))]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full, or a quota or file-size limit stops the file from growing.
    #[error("the journal {} cannot grow: {}", text::path(path), shown(message))]
    Full {
        /// The file.
        path: PathBuf,
        /// `SQLite`'s message.
        message: String,
    },
    /// The journal belongs to another run.
    #[error(
        "the journal {} belongs to another {what}: expected {}, found {}",
        text::path(path),
        shown(expected),
        shown(found)
    )]
    Another {
        /// The file.
        path: PathBuf,
        /// What differs: `operation`, `component`, `base URL`, `credential` and the like.
        what: &'static str,
        /// The value in the journal.
        expected: String,
        /// The value of this run.
        found: String,
    },
    /// An item differs from the item that was recorded at its index.
    #[error(
        "the journal {} belongs to other items: item {item} is not the one that was recorded",
        text::path(path)
    )]
    OtherItem {
        /// The file.
        path: PathBuf,
        /// The item's index, from 0.
        item: usize,
    },
    /// The source gave fewer items than the journal has.
    #[error(
        "the journal {} belongs to other items: it has {recorded} of them, and {found} were given",
        text::path(path)
    )]
    FewerItems {
        /// The file.
        path: PathBuf,
        /// The number of items in the journal.
        recorded: usize,
        /// The number of items that the source gave.
        found: usize,
    },
    /// The embedder's own journal failed.
    #[error("the journal: {}", shown(message))]
    Other {
        /// Why.
        message: String,
    },
    /// `SQLite` reported another error.
    #[error("the journal {}: {}", text::path(path), shown(message))]
    Database {
        /// The file.
        path: PathBuf,
        /// `SQLite`'s message.
        message: String,
    },
}

/// Another program's or an earlier run's text, on one line.
fn shown(text: &str) -> String {
    /// Base URLs and names of operations are shorter.
    const SHOWN_CHARS: usize = 1_000;
    text::shown(text, SHOWN_CHARS)
}

/// A failed write to one of the journal's files, and a shared-memory file that could not grow to its size.
#[cfg(feature = "sqlite")]
const IOERR_NO_ROOM: [i32; 2] = [
    rusqlite::ffi::SQLITE_IOERR_WRITE,
    rusqlite::ffi::SQLITE_IOERR_SHMSIZE,
];

impl JournalError {
    /// The error for a file that was refused before `SQLite` opened it.
    #[cfg(feature = "sqlite")]
    pub(crate) fn refused(path: &Path, refused: Refused) -> Self {
        let path = path.to_owned();
        match refused {
            Refused::NoFile(found) => Self::Foreign {
                path,
                found: found.to_owned(),
            },
            Refused::NotOwn => Self::NotOwn { path },
            Refused::System(source) => Self::File { path, source },
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, message) = (path.to_owned(), error.to_string());
        match error.sqlite_error() {
            Some(code) => match code.code {
                ErrorCode::NotADatabase => Self::Foreign {
                    path,
                    found: "a file that is no database".to_owned(),
                },
                ErrorCode::DatabaseCorrupt => Self::Damaged { path, message },
                ErrorCode::DiskFull => Self::Full { path, message },
                // SQLite reports a file-size limit or a quota this way.
                ErrorCode::SystemIoFailure if IOERR_NO_ROOM.contains(&code.extended_code) => {
                    Self::Full { path, message }
                }
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::InUse { path },
                _ => Self::Database { path, message },
            },
            None => Self::Database { path, message },
        }
    }

    /// The remedy in one line, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign { .. } | Self::Another { .. } | Self::OtherItem { .. } | Self::FewerItems { .. } => {
                let accept = match self {
                    Self::Another { what: "component", .. } => {
                        "; `SqliteJournal::accept_component` goes on with a repaired build of the same node"
                    }
                    _ => "",
                };
                Some(format!("nothing in it was changed; name another file for another run{accept}"))
            }
            Self::NotOwn { .. } => Some(
                "name a file of your own; a copy of this one is your own, if you trust what its owner put into it".to_owned(),
            ),
            Self::Version { .. } => Some("go on with the version of the program that made it".to_owned()),
            Self::Damaged { path, .. } => Some(format!(
                "keep it, and save what can be read: `sqlite3 {} .recover | sqlite3 recovered.sqlite`",
                text::path(path)
            )),
            Self::InUse { .. } => Some("wait for the other process to end, or end it".to_owned()),
            Self::Full { .. } => Some(
                "make room, then run the same items with it again: what was recorded is kept, and what was under way is as after \
                 a crash"
                    .to_owned(),
            ),
            Self::File { .. } | Self::Other { .. } | Self::Database { .. } => None,
        }
    }
}
