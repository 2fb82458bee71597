//! Errors outside of an item. The failure of an item is a [`crate::Failure`].

mod journal;

use std::path::PathBuf;

use nodule_core::description::DescriptionProblem;
use nodule_core::text::shown;

/// `Display` truncates longer texts.
const SHOWN_CHARS: usize = 1_000;

pub use self::journal::JournalError;

/// Everything that can go wrong outside of an item, one variant per remedy.
///
/// [`Error::hint`] gives the remedy in one line, where there is one. The fields may contain foreign text unchanged;
/// `Display` escapes the characters that act on a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", nodule_core::text::path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The bytes are not a WebAssembly component.
    #[error("expected a WebAssembly component, found {found}")]
    NotAComponent {
        /// What the bytes seem to be instead.
        found: String,
    },
    /// A name in the component contains characters that could act on a terminal or be taken for code.
    #[error("the component is refused: the name `{name}` of {place} (at byte {at}): {problem}")]
    Name {
        /// What kind of thing has the name: `an import`, for example.
        place: &'static str,
        /// The offset in the component, in bytes.
        at: usize,
        /// The name, escaped and truncated.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The component has more parts of one kind than this host compiles.
    #[error("the component is refused: it has more than {most} {what}")]
    TooLarge {
        /// Which kind of part.
        what: &'static str,
        /// The maximum.
        most: u64,
    },
    /// The component did not compile within the time or memory allowed for it.
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
    /// The component exports another version of the contract, or does not export the contract.
    #[error("expected a component that exports `{expected}`, found {found}")]
    WrongContract {
        /// The interface that this host needs.
        expected: &'static str,
        /// What the component exports instead.
        found: String,
    },
    /// The component imports interfaces that this host does not provide.
    #[error("the component imports {}, which no node is given", named(imports))]
    Imports {
        /// The imports that the host does not provide.
        imports: Vec<String>,
    },
    /// The component imports an interface that this host provides with other functions or types.
    #[error("the component's imports do not fit this host: {problem}")]
    ImportDiffers {
        /// Which import, which function in it, and what differs.
        problem: String,
    },
    /// The policy allows only the imports that every node has, and the component has others.
    #[error(
        "the component imports {}, and the policy allows `imports = \"minimal\"`",
        named(imports)
    )]
    ImportsNotMinimal {
        /// The imports beyond those.
        imports: Vec<String>,
    },
    /// The component's digest is not the pinned one.
    #[error(
        "expected a component with the digest `{}`, found `{found}`",
        nodule_core::text::shown(expected, SHOWN_CHARS)
    )]
    Digest {
        /// The pinned digest.
        expected: String,
        /// The digest of the bytes.
        found: String,
    },
    /// The component could not describe itself.
    #[error("the node could not describe itself: {message}")]
    Describe {
        /// Why.
        message: String,
    },
    /// The node's description is invalid or hostile.
    #[error(
        "the node's description is refused: {}",
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Description {
        /// All problems found in it.
        problems: Vec<DescriptionProblem>,
    },
    /// The node has no such operation.
    #[error("{0}")]
    UnknownOperation(#[from] nodule_core::description::Unknown),
    /// A form's question that the node's description does not offer.
    #[error("{0}")]
    Question(nodule_core::question::QuestionError),
    /// The credential cannot be used.
    #[error(transparent)]
    Credential(#[from] nodule_core::credential::CredentialError),
    /// The operation needs a credential, and the runner has none.
    #[error("{}the node needs a credential (`{name}`), and none was given", baseless(recording.as_deref()))]
    CredentialMissing {
        /// The credential's name.
        name: String,
        /// A recording by another tool that is to be replayed. Only the credential says where its service was.
        recording: Option<String>,
    },
    /// The credential needs a log-in, and the runner has no place for its tokens.
    #[error(
        "the credential `{name}` needs a log-in, and the runner has neither a store nor a source of its tokens"
    )]
    TokensMissing {
        /// The credential's name.
        name: String,
    },
    /// The limits set another stack size than the engine's.
    #[error("`stack-bytes` is {wanted}, and the engine was set up with {engine}")]
    StackSize {
        /// The engine's stack size, in bytes.
        engine: usize,
        /// The stack size in the limits, in bytes.
        wanted: usize,
    },
    /// The policy names an operation that the node does not have, in `[effects]` or `[operations]`.
    #[error(
        "the policy names the operation `{}`, which the node does not have",
        nodule_core::text::shown(operation, SHOWN_CHARS)
    )]
    UnknownEffect {
        /// The operation, as written in the policy.
        operation: String,
    },
    /// A limit set in code is out of range.
    #[error(transparent)]
    Limit(#[from] nodule_core::limits::LimitError),
    /// A recording could not be read, or would contain a secret.
    #[error(transparent)]
    Recording(#[from] nodule_core::recording::Error),
    /// The runner was not built to record.
    #[error("nothing was recorded: the runner was not made to record")]
    NotRecorded,
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(std::sync::Arc<JournalError>),
    /// The source of items failed or panicked. The items before that ran, and their results were given.
    #[error("the source of items failed: {}", shown(message, SHOWN_CHARS))]
    Items {
        /// The source's message.
        message: String,
    },
    /// A run over a few items broke. The results so far are kept.
    #[error("{source}")]
    Broken {
        /// The results so far, by index. The other items have no result.
        results: Vec<(usize, nodule_core::outcome::ItemResult)>,
        /// Why.
        source: Box<Error>,
    },
    /// The host's own code panicked. This is a bug in the host.
    #[error("the run broke off: {}", shown(message, SHOWN_CHARS))]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// Options of a run contradict each other.
    #[error("{}", nodule_core::text::shown(message, SHOWN_CHARS))]
    RunOptions {
        /// Which options, and why.
        message: String,
    },
    /// The folder of compiled components is not safe: another user could put machine code into it.
    #[error("the cache folder: {}: {problem}", nodule_core::text::path(path))]
    CacheDir {
        /// The folder, one of its parents, or a file in it.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A certificate that is to be trusted cannot be used.
    #[error(
        "trusted certificates: {}{}",
        number.map(|number| format!("certificate {number}: ")).unwrap_or_default(),
        nodule_core::text::shown(message, SHOWN_CHARS)
    )]
    Certificate {
        /// The certificate's number, from 1; `None` if the text contains no certificate.
        number: Option<usize>,
        /// What is wrong with it.
        message: String,
    },
    /// The client certificate or its key cannot be used.
    #[error("client certificate: {}", nodule_core::text::shown(message, SHOWN_CHARS))]
    ClientCertificate {
        /// What is wrong, without the key.
        message: String,
    },
    /// The policy's `[tls]` names files, whose contents the runner was not given.
    #[error("the policy names files in `[tls]`, and their contents were not given")]
    TlsFiles,
    /// The engine could not be set up on this machine.
    #[error(
        "the WebAssembly engine could not be set up: {}",
        nodule_core::text::shown(message, SHOWN_CHARS)
    )]
    Engine {
        /// Wasmtime's message.
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

impl From<nodule_core::question::QuestionError> for Error {
    fn from(error: nodule_core::question::QuestionError) -> Self {
        match error {
            nodule_core::question::QuestionError::Operation(unknown) => Error::UnknownOperation(unknown),
            error => Error::Question(error),
        }
    }
}

/// Says why a replay needs a credential; empty without the name of a recording.
fn baseless(recording: Option<&str>) -> String {
    let baseless = |name| {
        format!(
            "`{}` does not say where the service was, which its credential does; ",
            shown(name, SHOWN_CHARS)
        )
    };
    recording.map(baseless).unwrap_or_default()
}

/// The first names in back-ticks, and the number of the others.
fn named(names: &[String]) -> String {
    /// Enough to read in one line; a component may have thousands.
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
    /// The remedy in one line, where there is one.
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
            Error::ImportDiffers { .. } => Some(
                "build the node with the interfaces of WASI 0.2 as they were published, or of the version that this host's contract \
                 names"
                    .into(),
            ),
            Error::ImportsNotMinimal { .. } => Some(
                "to give it void versions of these, with nothing behind them, write in the policy file:\nimports = \"void\"".into(),
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
            Error::TokensMissing { .. } => Some(
                "give it one: `RunnerBuilder::token_store`, or `RunnerBuilder::token_source` if you log in by other means".into(),
            ),
            Error::UnknownOperation(unknown) => {
                Some(unknown.hint())
            }
            Error::Question(question) => question.hint(),
            Error::CacheDir { .. } => Some(
                "what is in it is run as machine code; name a folder in a folder of your own, or remove this one: what was \
                 compiled is compiled again"
                    .into(),
            ),
            Error::Certificate { .. } => Some(
                "give certificates as PEM, each whole, such as the file of a certificate authority".into(),
            ),
            Error::ClientCertificate { .. } => {
                Some("give the certificate and its key as PEM, the key unencrypted".into())
            }
            Error::TlsFiles => Some("read the files into a `Tls`, and give it by `RunnerBuilder::tls`".into()),
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
