//! The command line's arguments. The doc comments of fields and subcommands are the printed help.

#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    clippy::struct_field_names,
    reason = "help is plain text, and a field is named after its flag"
)]

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use nodule::rate::Rate;
use nodule::{OnFailure, OnUnknown};

use crate::describe::Format;

/// Describe, run and check workflow nodes that are WebAssembly components.
///
/// A node reaches nothing but its credential's base URL and what --allow and --policy grant.
///
/// Exit status: 0 all items done; 1 an item failed, or the credential was not accepted; 2 wrong usage, file or policy;
/// 3 refused or stopped by policy or limit; 4 results, a summary or a recording could not be written; 129, 130, 143 ended by SIGHUP,
/// Ctrl-C, SIGTERM; 141 nobody read the results to the end.
#[derive(Debug, Parser)]
#[command(name = "nodule", version, about, long_about, max_term_width = 100)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub log: Log,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what a node is and can do
    Describe(Describe),
    /// Run an operation on items
    Run(Box<Run>),
    /// Ask the service which values a parameter may have
    Choices(Box<Choices>),
    /// Ask the service which columns a parameter has
    Fields(Box<Asked>),
    /// Replay recorded cases and compare
    Check(Check),
    /// Say whether a credential works
    CheckCredential(CheckCredential),
    /// Log in with the browser, for a credential of the kind OAuth2
    Login(Login),
    /// Begin a node: a folder with one operation, its tests and a case
    New(New),
    /// Make the component of a node's folder
    Build(Build),
    /// Build a node again whenever its folder changes, and check its cases
    Dev(Dev),
    /// Record cases again
    Record(Box<Record>),
    /// Pack a node for an engine, under the node's own name
    #[command(subcommand)]
    Pack(Pack),
    /// Run nodes for an engine, over a socket of this machine
    Serve(Serve),
    /// Compile a component from standard input into the cache; the command runs itself so
    #[command(hide = true)]
    CompileComponent(CompileComponent),
}

/// What a process that only compiles is told.
#[derive(Debug, clap::Args)]
pub struct CompileComponent {
    /// The component's size
    #[arg(long)]
    pub bytes: usize,
    /// The stack of the engine
    #[arg(long)]
    pub stack_bytes: usize,
    /// The memory that it may take
    #[arg(long)]
    pub megabytes: u64,
    /// The time that it may take
    #[arg(long)]
    pub seconds: u64,
    /// Where compiled code is kept
    #[arg(long)]
    pub cache: Option<PathBuf>,
}

/// Events on standard error: requests, denials, limits, renewals. No secret and no item data is in them.
#[derive(Debug, clap::Args)]
pub struct Log {
    /// Print events on standard error, for people or as JSON lines
    #[arg(long, value_name = "FORMAT", global = true)]
    pub log: Option<LogFormat>,
    /// The least important events to print
    #[arg(long, value_name = "LEVEL", global = true, default_value = "info")]
    pub log_level: Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Debug, clap::Args)]
pub struct Describe {
    /// The component's file
    pub component: PathBuf,
    /// One group of operations
    pub group: Option<String>,
    /// One operation of the group
    #[arg(requires = "group")]
    pub operation: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Refuse the component unless it has this digest
    #[arg(long, value_name = "sha256:HEX")]
    pub digest: Option<String>,
}

/// What a node may reach.
#[derive(Debug, clap::Args)]
pub struct Grants {
    /// Allow an origin, and what is below its path: https://api.example.com/v1
    #[arg(long, value_name = "ORIGIN")]
    pub allow: Vec<String>,
    /// Allow every origin that the node's description declares; access goes to those that name the credential
    #[arg(long)]
    pub allow_declared: bool,
    /// Allow what a TOML file says; its limits count too
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// How requests leave this machine.
#[derive(Debug, clap::Args)]
pub struct Outbound {
    /// Trust these certificates beside the public web's, PEM, as those of the variable SSL_CERT_FILE; can be given again
    #[arg(long, value_name = "FILE")]
    pub ca: Vec<PathBuf>,
    /// Show this client certificate, PEM, where the credential's access goes, and nowhere else
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// The private key of the client certificate, PEM, unencrypted
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
    /// Do not check the certificate of this origin, and of no other: https://crm.internal:8443; can be given again
    #[arg(long, value_name = "ORIGIN")]
    pub insecure_origin: Vec<String>,
    /// Send requests through an HTTP proxy; one with a password is given by the variable NODULE_PROXY
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// Hosts that no proxy is used for, as NO_PROXY has them: localhost,.internal,10.0.0.0/8
    #[arg(long, value_name = "HOSTS", default_value = "", hide_default_value = true)]
    pub no_proxy: String,
}

#[derive(Debug, clap::Args)]
pub struct Run {
    /// The component's file
    pub component: PathBuf,
    /// The operation's group
    pub group: String,
    /// The operation
    pub operation: String,
    /// A parameter of the one item that is run without --items; NAME:=JSON for a number, a list and the like
    #[arg(long = "param", value_name = "NAME=VALUE", conflicts_with = "items")]
    pub params: Vec<String>,
    /// Items as JSON lines, each an object of parameters; - is standard input
    #[arg(long, value_name = "FILE")]
    pub items: Option<PathBuf>,
    /// A file that goes with the one item, by the key that its parameter names
    #[arg(long = "file", value_name = "KEY=PATH", conflicts_with = "items")]
    pub files: Vec<String>,
    /// The only folder below which items may name files: {"$files":{"data":{"path":"photo.jpg"}}}
    #[arg(long, value_name = "DIR")]
    pub files_dir: Option<PathBuf>,
    /// Where files go that come out of items; made if it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run")]
    pub output_files: Option<PathBuf>,
    /// Where results go, as JSON lines; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// The credential, a JSON object; without it, the variable NODULE_CREDENTIAL
    #[arg(long, value_name = "FILE")]
    pub credential: Option<PathBuf>,
    #[command(flatten)]
    pub grants: Grants,
    #[command(flatten)]
    pub outbound: Outbound,
    /// How many items may be under way at once
    #[arg(long, value_name = "N", default_value_t = nodule::DEFAULT_CONCURRENCY)]
    pub concurrency: NonZeroUsize,
    /// What a failed item does to those after it
    #[arg(long, value_parser = on_failure(), value_name = "MODE", default_value_t)]
    pub on_failure: OnFailure,
    /// Write a recording of what is sent and answered; items run one after the other
    #[arg(long, value_name = "FILE.har", conflicts_with_all = ["replay", "dry_run"])]
    pub record: Option<PathBuf>,
    /// What answers, in words, for readers of the recording
    #[arg(long, value_name = "TEXT", requires = "record")]
    pub recorded_against: Option<String>,
    /// Answer from a recording; nothing is sent. One that --record wrote needs no credential; a HAR of a browser or another tool
    /// needs one, whose base URL says where the service was
    #[arg(long, value_name = "FILE.har", conflicts_with = "dry_run")]
    pub replay: Option<PathBuf>,
    /// Print the requests that would be sent, and send none
    #[arg(long)]
    pub dry_run: bool,
    /// Write the items that failed, ready to be run again
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub failed: Option<PathBuf>,
    /// How often an item is tried again after a failure that its operation's effect allows to repeat
    #[arg(long, value_name = "N", default_value_t = nodule::retry::DEFAULT_TRIES.get() - 1)]
    pub retries: u32,
    /// How long an item is tried, from its first try on: 90s, 2m, 1h
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2m")]
    pub item_time: Duration,
    /// How long the run may take; afterwards nothing more starts
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub run_time: Option<Duration>,
    /// Print at most this many rows of each item, and ask for no further pages
    #[arg(long, value_name = "N", conflicts_with = "dry_run")]
    pub limit: Option<NonZeroU64>,
    /// How long items that are under way may take to end after Ctrl-C, SIGTERM or SIGHUP; a second Ctrl-C or SIGTERM ends the command at once
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub grace: Duration,
    /// How fast requests may follow each other: 50/s, 600/min
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// Keep the run's progress in an SQLite database; with the same items, the same command goes on where it ended
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record", "replay", "dry_run"])]
    pub journal: Option<PathBuf>,
    /// Go on with another build of the component than the journal was begun with
    #[arg(long, requires = "journal")]
    pub accept_component: bool,
    /// What becomes of a plain write of which the journal does not know whether it was done
    #[arg(long, value_parser = on_unknown(), value_name = "MODE", requires = "journal", default_value_t)]
    pub unknown: OnUnknown,
    /// Write what the run did, as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub summary: Option<PathBuf>,
    /// How progress is shown on standard error
    #[arg(long, value_enum, value_name = "MODE", default_value_t = Progress::Auto)]
    pub progress: Progress,
    /// Refuse the component unless it has this digest
    #[arg(long, value_name = "sha256:HEX")]
    pub digest: Option<String>,
}

/// Ask the service which values a parameter may have; prints JSON lines. Only GET and HEAD are sent.
#[derive(Debug, clap::Args)]
pub struct Choices {
    #[command(flatten)]
    pub asked: Asked,
    /// What the values are searched for, where the parameter can be searched
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Follow every page, not the first alone
    #[arg(long)]
    pub all: bool,
}

/// A question of a form, and what answers it.
#[derive(Debug, clap::Args)]
pub struct Asked {
    /// The component's file
    pub component: PathBuf,
    /// The operation's group
    pub group: String,
    /// The operation
    pub operation: String,
    /// The parameter's ID, as `nodule describe --format json` has it
    pub parameter: String,
    /// A parameter that is filled in already; NAME:=JSON for a number, a list and the like
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// The credential, a JSON object; without it, the variable NODULE_CREDENTIAL
    #[arg(long, value_name = "FILE")]
    pub credential: Option<PathBuf>,
    #[command(flatten)]
    pub grants: Grants,
    #[command(flatten)]
    pub outbound: Outbound,
    /// Write a recording of what is sent and answered
    #[arg(long, value_name = "FILE.har", conflicts_with = "replay")]
    pub record: Option<PathBuf>,
    /// What answers, in words, for readers of the recording
    #[arg(long, value_name = "TEXT", requires = "record")]
    pub recorded_against: Option<String>,
    /// Answer from a recording; nothing is sent
    #[arg(long, value_name = "FILE.har")]
    pub replay: Option<PathBuf>,
    /// Refuse the component unless it has this digest
    #[arg(long, value_name = "sha256:HEX")]
    pub digest: Option<String>,
}

/// Reads the name of a mode; the help says what each is.
fn modes<M>(modes: &[(&'static str, &'static str)]) -> impl TypedValueParser<Value = M> + use<M>
where
    M: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    let modes = modes
        .iter()
        .map(|(mode, about)| PossibleValue::new(*mode).help(*about));
    PossibleValuesParser::new(modes).try_map(|word| word.parse::<M>())
}

fn on_failure() -> impl TypedValueParser<Value = OnFailure> {
    modes(&[
        (OnFailure::Stop.name(), "They do not start; those under way end"),
        (OnFailure::Continue.name(), "They run"),
    ])
}

fn on_unknown() -> impl TypedValueParser<Value = OnUnknown> {
    modes(&[
        (
            OnUnknown::Retry.name(),
            "It is run again, at the risk of doing it twice",
        ),
        (OnUnknown::Skip.name(), "It is left out"),
        (
            OnUnknown::Fail.name(),
            "It fails, with an error of the kind `unknown`",
        ),
    ])
}

/// A span of time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    /// As much as anybody reads of a wrong one.
    const SHOWN_CHARS: usize = 60;
    let wrong = || {
        format!(
            "expected a time such as `90s`, `2m` or `1h`, found `{}`",
            nodule::text::shown(text, SHOWN_CHARS)
        )
    };
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, else a line now and then
    Auto,
    /// A line now and then
    Plain,
    /// Nothing
    Off,
}

#[derive(Debug, clap::Args)]
pub struct Check {
    /// The component's file
    pub component: PathBuf,
    /// The folder of cases: GROUP/OPERATION[-VARIANT].har
    pub cases: PathBuf,
    /// Write a GROUP/OPERATION.toml for each operation without a case, to be filled in and recorded by `nodule record`
    #[arg(long)]
    pub write_skeletons: bool,
}

/// Begin a node: a folder with one operation and a case, in Rust with tests too.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The node's name, which is the folder's: acme, acme-crm
    pub name: String,
    /// What it is written in
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t = Language::Rust)]
    pub lang: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// With nodule-sdk: the smallest components, and tests without a host
    Rust,
    /// With componentize-js, which npm installs
    Js,
    /// With componentize-py, which pip installs
    Python,
}

/// Make the component of a node's folder, and look at it as a host does: a crate, or what the `[build]` of nodule.toml makes.
#[derive(Debug, clap::Args)]
pub struct Build {
    /// The node's folder
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Where the component goes; NAME.wasm in the folder otherwise
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The profile of Cargo that a crate is built with
    #[arg(long, value_name = "NAME", default_value = "release")]
    pub profile: String,
}

/// Build a node whenever its folder changes; show what changed in its description, and check its cases. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// The node's folder
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// The folder of cases, below the node's
    #[arg(long, value_name = "DIR", default_value = "cases")]
    pub cases: PathBuf,
}

/// Record cases again, in the node's folder: each GROUP/OPERATION[-VARIANT].toml has the items, and its recording stands beside it.
#[derive(Debug, clap::Args)]
pub struct Record {
    /// The cases: cases/customer/create.toml
    #[arg(value_name = "CASE", required_unless_present = "all")]
    pub files: Vec<PathBuf>,
    /// Every case below --cases
    #[arg(long, conflicts_with = "files")]
    pub all: bool,
    /// The folder of cases
    #[arg(long, value_name = "DIR", default_value = "cases")]
    pub cases: PathBuf,
    /// The component's file; the one that `nodule build` makes here otherwise
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    /// The credential, a JSON object; without it, the variable NODULE_CREDENTIAL
    #[arg(long, value_name = "FILE")]
    pub credential: Option<PathBuf>,
    /// The base URL, instead of the credential's own
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    #[command(flatten)]
    pub grants: Grants,
    #[command(flatten)]
    pub outbound: Outbound,
    /// What answers, in words, for readers of the recordings
    #[arg(long, value_name = "TEXT")]
    pub recorded_against: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Pack {
    /// Make an npm package for n8n of a node and the host's programs
    N8n(PackN8n),
}

/// Make an npm package for n8n, with the node's own name, author, licence and repository: `[package]` of nodule.toml, or of Cargo.toml.
#[derive(Debug, clap::Args)]
pub struct PackN8n {
    /// The node's folder
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Where the package goes: a file, or a folder for NAME-VERSION.tgz; the node's folder otherwise
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// The component's file; the one that `nodule build` makes in the folder otherwise
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    /// A folder of programs for other platforms, such as nodule-linux-arm64, instead of this one for this platform; can be given again
    #[arg(long, value_name = "DIR")]
    pub binaries: Vec<PathBuf>,
    /// Read this file instead of the folder's nodule.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct CheckCredential {
    /// The component's file
    pub component: PathBuf,
    /// The credential, a JSON object; without it, the variable NODULE_CREDENTIAL
    #[arg(long, value_name = "FILE")]
    pub credential: Option<PathBuf>,
    #[command(flatten)]
    pub grants: Grants,
    #[command(flatten)]
    pub outbound: Outbound,
    /// Refuse the component unless it has this digest
    #[arg(long, value_name = "sha256:HEX")]
    pub digest: Option<String>,
}

/// Log in with the browser. The tokens are stored beside the credential, in FILE.tokens, and renewed by the commands that use it.
#[derive(Debug, clap::Args)]
pub struct Login {
    /// The component's file
    pub component: PathBuf,
    /// The credential, a JSON object
    #[arg(long, value_name = "FILE")]
    pub credential: PathBuf,
    /// For a browser on another machine: paste the URL that it is redirected to on standard input
    #[arg(long)]
    pub no_browser: bool,
    /// The port of http://127.0.0.1:PORT/callback, for a provider that wants to know it; any free one otherwise
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// How long to wait for the user
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10m")]
    pub timeout: Duration,
    #[command(flatten)]
    pub grants: Grants,
    #[command(flatten)]
    pub outbound: Outbound,
    /// Refuse the component unless it has this digest
    #[arg(long, value_name = "sha256:HEX")]
    pub digest: Option<String>,
}

/// Load, constrain and run nodes for an engine in any language: HTTP over a Unix socket, docs/serve.md.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Where the socket is made; its folder has to be this user's alone (mode 0700), and is made so
    #[arg(long, value_name = "PATH")]
    pub socket: PathBuf,
    /// End when standard input closes, so that nothing is left behind by an engine that was killed
    #[arg(long)]
    pub stdio_lifetime: bool,
    /// Token, policy, certificates, proxy and addresses, a JSON object; - is the first line of standard input
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Where compiled components are kept
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Components and recordings may be read from below this folder; can be given again
    #[arg(long, value_name = "DIR")]
    pub read: Vec<PathBuf>,
    /// Journals and recordings may be written below this folder, and read; can be given again
    #[arg(long, value_name = "DIR")]
    pub write: Vec<PathBuf>,
    /// The most memory that the process may have, in megabytes
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(256..=1_048_576))]
    pub memory_mb: u64,
    /// The process was started anew, without its environment
    #[arg(long, hide = true)]
    pub clean: bool,
}
