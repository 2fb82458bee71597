//! Errors of recordings, by who has to do what about them.

use std::{fmt, io};

/// Makes a file's name, or a foreign file's content, fit on one line.
pub(super) fn shown(text: &str) -> String {
    /// The longest path that systems accept.
    const SHOWN_CHARS: usize = 4_096;
    crate::text::shown(text, SHOWN_CHARS)
}

/// A recording cannot be read, written or relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("`{}`: cannot be read: {source}", shown(file))]
    Read {
        /// The recording.
        file: String,
        /// The system's error.
        source: io::Error,
    },
    /// The file cannot be written; its previous content is unchanged.
    #[error("`{}`: cannot be written: {source}", shown(file))]
    Write {
        /// The recording.
        file: String,
        /// The system's error.
        source: io::Error,
    },
    /// The text ends inside the document.
    #[error(
        "`{}`: expected a whole HAR document, found its end in the middle of line {line}",
        shown(file)
    )]
    Truncated {
        /// The recording.
        file: String,
        /// The last line, from 1.
        line: usize,
    },
    /// The text is not JSON.
    #[error(
        "`{}`: expected a HAR document, found text that is not JSON: {}",
        shown(file),
        shown(&source.to_string())
    )]
    NotJson {
        /// The recording.
        file: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The file is compressed.
    #[error("`{}`: expected a HAR document, found a {what} file", shown(file))]
    Packed {
        /// The recording.
        file: String,
        /// The compression format.
        what: &'static str,
    },
    /// The document nests deeper than any recording needs.
    #[error("`{}`: expected nesting of at most {limit} levels, found more", shown(file))]
    TooDeep {
        /// The recording.
        file: String,
        /// Levels.
        limit: usize,
    },
    /// The file is larger than any recording needs.
    #[error("`{}`: expected at most {limit} bytes, found more", shown(file))]
    TooLarge {
        /// The recording.
        file: String,
        /// Bytes.
        limit: u64,
    },
    /// The document has more values than any recording needs.
    #[error("`{}`: expected at most {limit} JSON values, found more", shown(file))]
    TooMany {
        /// The recording.
        file: String,
        /// Texts, numbers, lists, objects and so on.
        limit: usize,
    },
    /// The recording contains a secret; nothing was written.
    #[error(
        "`{}`: not saved: the recording still holds a secret after redaction",
        shown(file)
    )]
    Secret {
        /// The file that was not written.
        file: String,
    },
    /// The file is JSON, but has something else where a recording needs a certain value.
    #[error("`{}`: `{at}`: expected {expected}, found {}", shown(file), shown(found))]
    Unexpected {
        /// The recording.
        file: String,
        /// The location, as a JavaScript expression: `log.entries[3].request.url`.
        at: String,
        /// What belongs there.
        expected: String,
        /// What was found.
        found: String,
    },
}

impl Error {
    /// What to do about it, if one line can say it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Truncated { .. } => {
                Some("the file was cut off: record the case again, or restore the file")
            }
            Self::NotJson { .. } => Some(
                "a recording is a HAR 1.2 file, as a run that records or \"Save all as HAR\" of a browser writes it",
            ),
            Self::Packed { .. } => Some("unpack it first"),
            Self::TooLarge { .. } | Self::TooMany { .. } => Some(
                "record fewer items in one file; of a browser's recording, save only the requests to the service",
            ),
            Self::Secret { .. } => Some(
                "an item or an answer holds the secret in a form that is not known; leave it out of the case",
            ),
            _ => None,
        }
    }
}

/// A fault before its file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: String,
    pub(super) expected: String,
    pub(super) found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, expected, found } = self;
        write!(f, "`{at}`: expected {expected}, found {}", shown(found))
    }
}

impl Fault {
    pub(super) fn in_file(self, file: String) -> Error {
        let Self { at, expected, found } = self;
        Error::Unexpected {
            file,
            at,
            expected,
            found,
        }
    }
}
