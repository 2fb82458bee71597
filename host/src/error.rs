//! What can go wrong before or beside a run; what goes wrong with an item is a [`crate::Failure`].

mod journal;

use std::path::PathBuf;

use nodule_core::description::DescriptionProblem;
use nodule_core::text::shown;

/// Longer texts are cut where they are shown.
const SHOWN_CHARS: usize = 1_000;

pub use self::journal::JournalError;

/// What can go wrong before or beside a run, one variant per remedy.
///
/// [`Error::hint`] gives a line that helps, where there is one. The fields may hold foreign texts as they came; `Display`
/// shows them without characters that act on a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", nodule_core::text::path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are no WebAssembly component.
    #[error("expected a WebAssembly component, found {found}")]
    NotAComponent {
        /// What it is instead, as far as it can be told.
        found: String,
    },
    /// A name in the component has characters that names do not have, which acts on whoever shows it or makes code of it.
    #[error("the component is refused: the name `{name}` of {place} (at byte {at}): {problem}")]
    Name {
        /// What is called by it.
        place: &'static str,
        /// Where, in bytes from the component's start.
        at: usize,
        /// The name, escaped and cut.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The component is made of more than this host compiles.
    #[error("the component is refused: it has more than {most} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        most: u64,
    },
    /// The component was not compiled within the bounds that compiling has here.
    #[error("the component could not be compiled: {message}")]
    Compile {
        /// Which bound was reached.
        message: String,
    },
    /// A serialised component cannot be loaded, or its key cannot be used.
    #[error(
        "the serialised component: {}",
        nodule_core::text::shown(problem, SHOWN_CHARS)
    )]
    Artifact {
        /// What is wrong with it.
        problem: String,
    },
    /// The component was made for another contract, or for none.
    #[error("expected a component that exports `{expected}`, found {found}")]
    WrongContract {
        /// The interface that this host needs.
        expected: &'static str,
        /// What the component has in its place.
        found: String,
    },
    /// The component asks for what this host does not give.
    #[error(
        "the component imports {}, and a node is given only {}",
        named(imports),
        allowed.join(", ")
    )]
    Imports {
        /// The imports that cannot be met.
        imports: Vec<String>,
        /// The interfaces that a node is given.
        allowed: &'static [&'static str],
    },
    /// The component is not the one that was pinned.
    #[error(
        "expected a component with the digest `{}`, found `{found}`",
        nodule_core::text::shown(expected, SHOWN_CHARS)
    )]
    Digest {
        /// What was asked for.
        expected: String,
        /// What the bytes have.
        found: String,
    },
    /// The component could not describe itself.
    #[error("the node could not describe itself: {message}")]
    Describe {
        /// What happened.
        message: String,
    },
    /// The description is broken, or hostile.
    #[error(
        "the node's description is refused: {}",
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Description {
        /// Everything that is wrong with it.
        problems: Vec<DescriptionProblem>,
    },
    /// The node has no such operation.
    #[error("{0}")]
    UnknownOperation(#[from] nodule_core::description::Unknown),
    /// The credential cannot be used.
    #[error(transparent)]
    Credential(#[from] nodule_core::credential::CredentialError),
    /// The operation needs a credential and none was given.
    #[error("{}the node needs a credential (`{name}`), and none was given", baseless(recording.as_deref()))]
    CredentialMissing {
        /// The credential's name.
        name: String,
        /// The recording of another tool that is to be replayed: the credential says where its service was.
        recording: Option<String>,
    },
    /// The limits ask for another stack than the engine was set up with.
    #[error("`stack-bytes` is {wanted}, and the engine was set up with {engine}")]
    StackSize {
        /// The engine's.
        engine: usize,
        /// The limits'.
        wanted: usize,
    },
    /// The policy lowers the effect of an operation that the node does not have.
    #[error(
        "the policy's `[effects]` name `{}`, which the node does not have",
        nodule_core::text::shown(operation, SHOWN_CHARS)
    )]
    UnknownEffect {
        /// As the policy names it.
        operation: String,
    },
    /// A limit of the embedder's configuration is out of range.
    #[error(transparent)]
    Limit(#[from] nodule_core::limits::LimitError),
    /// A recording could not be read, or would hold a secret.
    #[error(transparent)]
    Recording(#[from] nodule_core::recording::Error),
    /// A recording was to be saved, and none is made.
    #[error("nothing was recorded: the runner was not made to record")]
    NotRecorded,
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(std::sync::Arc<JournalError>),
    /// The source of a run's items failed, or panicked. Items that came before were run, and their results given.
    #[error("the source of items failed: {}", shown(message, SHOWN_CHARS))]
    Items {
        /// What it said.
        message: String,
    },
    /// A run of a few items broke. What is known of them is not lost.
    #[error("{source}")]
    Broken {
        /// The results up to there, by index; the other items have none.
        results: Vec<(usize, nodule_core::outcome::ItemResult)>,
        /// Why.
        source: Box<Error>,
    },
    /// The host's own code panicked: a bug in it.
    #[error("the run broke off: {}", shown(message, SHOWN_CHARS))]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The options of a run do not go together.
    #[error("{}", nodule_core::text::shown(message, SHOWN_CHARS))]
    RunOptions {
        /// Which, and why.
        message: String,
    },
    /// The folder of compiled components cannot be trusted: somebody else could put machine code there.
    #[error("the cache folder: {}: {problem}", nodule_core::text::path(path))]
    CacheDir {
        /// The folder, one above it, or what is in it.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificates to be trusted that cannot be.
    #[error(
        "trusted certificates: {}{}",
        number.map(|number| format!("certificate {number}: ")).unwrap_or_default(),
        nodule_core::text::shown(message, SHOWN_CHARS)
    )]
    Certificate {
        /// Which one, from 1; absent if the text has no certificate.
        number: Option<usize>,
        /// What is wrong with it.
        message: String,
    },
    /// The engine could not be set up on this machine.
    #[error(
        "the WebAssembly engine could not be set up: {}",
        nodule_core::text::shown(message, SHOWN_CHARS)
    )]
    Engine {
        /// What it said.
        message: String,
    },
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        Error::Journal(error.into())
    }
}

impl From<std::sync::Arc<JournalError>> for Error {
    fn from(error: std::sync::Arc<JournalError>) -> Self {
        Error::Journal(error)
    }
}

/// Why a replay needs a credential.
fn baseless(recording: Option<&str>) -> String {
    let baseless = |name| {
        format!(
            "`{}` does not say where the service was, which its credential does; ",
            shown(name, SHOWN_CHARS)
        )
    };
    recording.map(baseless).unwrap_or_default()
}

/// The first of these names, in back-ticks, and how many more there are.
fn named(names: &[String]) -> String {
    /// Nobody reads more; a component may have thousands.
    const NAMED: usize = 10;
    const SHOWN: usize = 100;
    let first = names.iter().take(NAMED);
    let text = first
        .map(|name| format!("`{}`", shown(name, SHOWN)))
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!("{text} and {more} more"),
        _ => text,
    }
}

impl Error {
    /// What to do about it, where a line can say it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NotAComponent { .. } => {
                Some("a core module becomes a component by `wasm-tools component new`".into())
            }
            Error::WrongContract { expected, .. } => {
                Some(format!("build the node for {expected}, or use a host of the node's version"))
            }
            Error::Imports { .. } => Some(
                "build the node for wasm32-unknown-unknown and `wasm-tools component new`, which import only what \
                 the code uses"
                    .into(),
            ),
            Error::Name { .. } => Some(
                "names are ASCII letters, digits and punctuation that has no meaning in code; look at who made the component"
                    .into(),
            ),
            Error::TooLarge { .. } => {
                Some("make the node smaller: leave out what it does not use, or split it in two".into())
            }
            Error::Compile { .. } => Some(
                "make the node smaller, or compile it within wider bounds: see `EngineConfig::precompiler`".into(),
            ),
            Error::Artifact { .. } => Some(
                "load the component itself, and serialise it again: with a key of your own, by the same version of this library, \
                 and with the same engine settings and kind of machine"
                    .into(),
            ),
            Error::Digest { .. } => {
                Some("the component has changed since it was pinned; look at the change, then pin the new digest".into())
            }
            Error::CredentialMissing { .. } => {
                Some("give it to the runner: `RunnerBuilder::credential`, made by `Credential::from_json`".into())
            }
            Error::UnknownOperation(unknown) => {
                Some(unknown.hint())
            }
            Error::CacheDir { .. } => Some(
                "what is in it is run as machine code; name a folder in a folder of your own, or remove this one: what was \
                 compiled is compiled again"
                    .into(),
            ),
            Error::Certificate { .. } => Some(
                "give certificates as PEM, each whole, such as the file of a certificate authority".into(),
            ),
            Error::StackSize { wanted, .. } => {
                Some(format!("set `EngineConfig::stack_bytes` to {wanted}"))
            }
            Error::Broken { source, .. } => source.hint(),
            Error::NotRecorded => Some("make the runner by `RunnerBuilder::record`".into()),
            Error::Journal(error) => error.hint(),
            Error::Recording(error) => error.hint().map(ToOwned::to_owned),
            _ => None,
        }
    }
}
