//! Whether a node does what it did when a case was recorded: what `nodule check` and a node's own tests compare.
//!
//! Whoever checks replays the case with a [`Player`](super::Player), and gives the results to [`Check::differences`].

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use super::{Case, Item, Outcome, RecordedResult, Recording, Role, Unused, held};
use crate::description::DeclaredRequest;
use crate::json::Json;
use crate::outcome::ItemResult;
use crate::text;

/// What is shown of a text of a case.
const SHOWN_CHARS: usize = 300;

/// What is wrong with a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The file, or a part of it, cannot be read.
    Unreadable(String),
    /// It is another tool's recording.
    NoCase,
    /// An item has no result.
    NotRecorded,
    /// The case cannot be replayed.
    Setup(String),
    /// The file does not stand where the operation's cases do.
    Place {
        /// `GROUP/OPERATION`.
        expected: String,
    },
    /// The operation's description has changed.
    Declared {
        /// The request when the case was recorded.
        recorded: String,
        /// The request now.
        described: String,
    },
    /// A recorded request is not the one that the operation describes.
    Called {
        /// What it describes.
        declared: String,
        /// What was recorded.
        called: String,
    },
    /// An item has another result.
    Result {
        /// Its index.
        item: usize,
        /// What was recorded.
        expected: String,
        /// What came out.
        found: String,
    },
    /// A recorded request was not sent.
    Unused(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unreadable(error) | Fault::Setup(error) => f.write_str(error),
            Fault::NoCase => f.write_str("no `log._case`: expected a recording that a run of Nodule made"),
            Fault::NotRecorded => f.write_str("it has no results yet: record it by `nodule record`"),
            Fault::Place { expected } => {
                write!(f, "expected a file name that begins with `{}`", shown(expected))
            }
            Fault::Declared { recorded, described } => {
                write!(
                    f,
                    "recorded when the operation declared `{}`; it declares `{}` now",
                    shown(recorded),
                    shown(described)
                )
            }
            Fault::Called { declared, called } => {
                write!(f, "declared `{}`, called `{}`", shown(declared), shown(called))
            }
            Fault::Result {
                item,
                expected,
                found,
            } => {
                write!(
                    f,
                    "item {item}: expected {expected}\n                found    {found}"
                )
            }
            Fault::Unused(exchange) => f.write_str(exchange),
        }
    }
}

/// Foreign text of a case, shortened to one line.
fn shown(text: &str) -> String {
    text::shown(text, SHOWN_CHARS)
}

/// A case that is to be replayed.
pub struct Check {
    /// The case.
    pub case: Case,
    /// The items with a transport failure in the recording.
    broken: HashSet<usize>,
    /// A request of `authenticate` failed, which affects every item.
    is_any_broken: bool,
}

impl Check {
    /// Prepares the check of a recording, and finds what is wrong with it without a replay. `name` is its path below the folder of
    /// the cases. Without a [`Check`] there is nothing to replay.
    #[must_use]
    pub fn new(recording: &Recording, name: &str) -> (Option<Self>, Vec<Fault>) {
        let Some(case) = recording.case().cloned() else {
            return (None, vec![Fault::NoCase]);
        };
        let mut faults: Vec<Fault> = recording.warnings().into_iter().map(Fault::Unreadable).collect();
        let place = format!("{}/{}", case.group, case.operation);
        let name = name.replace('\\', "/");
        if !name
            .strip_suffix(".har")
            .is_some_and(|name| is_case_of(name, &place))
        {
            faults.push(Fault::Place { expected: place });
        }
        if case.items.iter().any(|item| item.result.is_none()) {
            faults.push(Fault::NotRecorded);
            return (None, faults);
        }
        let exchanges = recording.exchanges().iter();
        let broken = exchanges.filter(|exchange| match &exchange.outcome {
            Outcome::Failed { .. } => true,
            Outcome::Answer(answer) => answer.broken.is_some(),
        });
        let items: Vec<Option<usize>> = broken.map(|exchange| exchange.item).collect();
        let check = Self {
            case,
            is_any_broken: items.contains(&None),
            broken: items.into_iter().flatten().collect(),
        };
        (Some(check), faults)
    }

    /// Compares the recorded results with those of a replay.
    #[must_use]
    pub fn differences(&self, results: &[ItemResult]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (index, (item, result)) in self.case.items.iter().zip(results).enumerate() {
            let found = match result {
                Ok(output) => output.iter().map(|output| held(&output.recorded())).collect(),
                Err(failure) => failure.to_json(),
            };
            let (expected, is_same) = match &item.result {
                Some(RecordedResult::Output(output)) => {
                    let expected = Json::Array(output.clone());
                    let is_same = result.is_ok() && expected == found;
                    (expected, is_same)
                }
                Some(RecordedResult::Error(error)) => {
                    let is_same = result.is_err() && self.is_same(index, item, error, &found);
                    (error.clone(), is_same)
                }
                None => (Json::Null, false),
            };
            if !is_same {
                faults.push(Fault::Result {
                    item: index,
                    expected: cut(&expected),
                    found: cut(&found),
                });
            }
        }
        faults
    }

    /// Whether an item failed for the same reason as in the recording. Two kinds of failure are compared by kind only:
    /// a transport failure, whose wording depends on the operating system, and an item that was not an object, which a
    /// recording does not keep exactly.
    fn is_same(&self, index: usize, item: &Item, recorded: &Json, found: &Json) -> bool {
        let is_by_kind = self.is_any_broken || self.broken.contains(&index) || !item.parameters.is_object();
        recorded == found || is_by_kind && recorded.get("kind") == found.get("kind")
    }
}

/// Checks that the recorded requests match the request that the operation describes.
#[must_use]
pub fn calls(recording: &Recording, described: &DeclaredRequest) -> Vec<Fault> {
    let Some(case) = recording.case() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if let Some(recorded) = &case.declared
        && recorded != described
    {
        faults.push(Fault::Declared {
            recorded: recorded.to_string(),
            described: described.to_string(),
        });
    }
    let base = case.base_url.path().trim_end_matches('/');
    let exchanges = recording.exchanges().iter();
    for exchange in exchanges.filter(|exchange| exchange.role == Role::Operation) {
        let method = exchange.request.method.as_str();
        let path = exchange.request.url.path();
        let below = path.strip_prefix(base).unwrap_or(path);
        if method != described.method() || !described.path().matches(below) {
            faults.push(Fault::Called {
                declared: described.to_string(),
                called: format!("{method} {below}"),
            });
        }
    }
    faults
}

/// The recorded requests that were not sent.
#[must_use]
pub fn unused(unused: &Unused) -> Vec<Fault> {
    let operation = (!unused.operation.is_empty()).then(|| unused.to_string());
    let authentication = unused.authentication.iter().map(ToString::to_string);
    operation
        .into_iter()
        .chain(authentication)
        .map(Fault::Unused)
        .collect()
}

/// `points/adjustPoints` and `points/adjustPoints-twice` are cases of `points/adjustPoints`.
#[must_use]
pub fn is_case_of(name: &str, place: &str) -> bool {
    name.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// All files below a folder that have this extension, sorted by path. Links to folders are not followed.
///
/// # Errors
/// A folder cannot be read: its path, and why.
pub fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).map_err(|error| (dir.clone(), error))? {
            let entry = entry.map_err(|error| (dir.clone(), error))?;
            let (path, kind) = (entry.path(), entry.file_type());
            // Links to folders may form cycles.
            if kind.is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Loads the recording of a case. Refuses anything but a regular file: opening a pipe could block forever.
///
/// # Errors
/// The file cannot be read, or is no recording.
pub fn load(file: &Path) -> Result<Recording, Fault> {
    if !file.is_file() {
        return Err(Fault::Unreadable(
            "expected a file, found something else".to_owned(),
        ));
    }
    Recording::load(file).map_err(|error| Fault::Unreadable(error.to_string()))
}

/// Whether an item of a recording has output, which makes it a case of its operation.
#[must_use]
pub fn succeeds(case: &Case) -> bool {
    let has_output = |item: &Item| matches!(item.result, Some(RecordedResult::Output(_)));
    case.items.iter().any(has_output)
}

fn cut(value: &Json) -> String {
    // Escaped as JSON, so that invisible differences show.
    shown(&text::json(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_belongs_to_its_operation_and_a_longer_name_does_not() {
        assert!(is_case_of("points/adjustPoints", "points/adjustPoints"));
        assert!(is_case_of("points/adjustPoints-twice", "points/adjustPoints"));
        assert!(!is_case_of("points/adjustPointsTwice", "points/adjustPoints"));
        assert!(!is_case_of("member/adjustPoints", "points/adjustPoints"));
    }
}
