//! Why a journal cannot be used, by remedy.

#[cfg(feature = "sqlite")]
use std::path::Path;
use std::path::PathBuf;

#[cfg(feature = "sqlite")]
use rusqlite::ErrorCode;

#[cfg(feature = "sqlite")]
use nodule_core::own_file::Refused;
use nodule_core::text;

/// Why a journal cannot be used. None of them loses what was recorded before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file, or the one beside it, could not be opened or made.
    #[error("{}: {source}", text::path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file, or one beside it, is another user's, who may change it at any time.
    #[error("{} belongs to another user", text::path(path))]
    NotOwn {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
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
    /// The file is a journal of another version of this program.
    #[error(
        "the journal {}: expected version {expected}, found version {found}",
        text::path(path)
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// What this program writes.
        expected: i64,
        /// What the file has.
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
    /// Another process uses it.
    #[error("the journal {} is in use by another process", text::path(path))]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full, or the file may not grow.
    #[error("the journal {} cannot grow: {}", text::path(path), shown(message))]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// It belongs to another run.
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
        /// What the journal has.
        expected: String,
        /// What this run has.
        found: String,
    },
    /// An item is not the one that was recorded at its place.
    #[error(
        "the journal {} belongs to other items: item {item} is not the one that was recorded",
        text::path(path)
    )]
    OtherItem {
        /// The file.
        path: PathBuf,
        /// The item's position, from 0.
        item: usize,
    },
    /// There are fewer items than were recorded.
    #[error(
        "the journal {} belongs to other items: it has {recorded} of them, and {found} were given",
        text::path(path)
    )]
    FewerItems {
        /// The file.
        path: PathBuf,
        /// Items that were recorded.
        recorded: usize,
        /// Items that were given.
        found: usize,
    },
    /// A journal of the embedder's own cannot be used.
    #[error("the journal: {}", shown(message))]
    Other {
        /// Why.
        message: String,
    },
    /// The database said something else.
    #[error("the journal {}: {}", text::path(path), shown(message))]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        message: String,
    },
}

/// What another program or an earlier run wrote, on one line.
fn shown(text: &str) -> String {
    /// A base URL, and an operation's name, are shorter.
    const SHOWN_CHARS: usize = 1_000;
    text::shown(text, SHOWN_CHARS)
}

/// A write to one of its files that failed, and a file beside it that could not be made as large as it has to be.
#[cfg(feature = "sqlite")]
const IOERR_NO_ROOM: [i32; 2] = [
    rusqlite::ffi::SQLITE_IOERR_WRITE,
    rusqlite::ffi::SQLITE_IOERR_SHMSIZE,
];

impl JournalError {
    /// A file that is not used as it is.
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
                // What a file-size limit or a quota looks like.
                ErrorCode::SystemIoFailure if IOERR_NO_ROOM.contains(&code.extended_code) => {
                    Self::Full { path, message }
                }
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::InUse { path },
                _ => Self::Database { path, message },
            },
            None => Self::Database { path, message },
        }
    }

    /// What to do about it, where a line can say it.
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
