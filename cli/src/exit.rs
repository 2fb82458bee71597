//! How the command ends: the exit status, and the one place that prints errors and hints.
//!
//! Nothing reaches standard error but by this file. Foreign texts are escaped where they enter a message; whatever that missed is
//! escaped here, so that no text acts on the terminal that shows it.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Parser as _, ValueEnum as _};
use nodule::{Failure, Notice, Summary, text};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::{Args, LogFormat};
use crate::signals::Signal;
use crate::stderr::{self, Level};

/// The exit status, as scripts rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All items done.
    Done,
    /// An item failed, or the credential was not accepted.
    ItemFailed,
    /// Wrong usage, file or policy.
    Usage,
    /// The component or the run was refused or stopped by policy or limit.
    Refused,
    /// Results, or what else was to be written, could not be.
    Unwritten,
    /// Nobody reads the results any more.
    Closed,
    /// By Ctrl-C, `SIGTERM` or `SIGHUP`.
    Signal(Signal),
}

impl Exit {
    /// A shell says 128 and its number of what a signal ended; 13 is the one that says that nobody reads.
    fn status(self) -> u8 {
        const BY_SIGNAL: u8 = 128;
        match self {
            Exit::Done => 0,
            Exit::ItemFailed => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Unwritten => 4,
            Exit::Closed => BY_SIGNAL + 13,
            Exit::Signal(signal) => BY_SIGNAL + signal.number(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.status().into()
    }
}

impl From<Exit> for i32 {
    fn from(exit: Exit) -> Self {
        exit.status().into()
    }
}

/// The command could not do what it was asked: what, where, and what to do.
#[derive(Debug)]
pub struct Failed {
    pub exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Failed {
    /// Wrong usage, file or policy.
    pub fn usage(message: String) -> Self {
        Self {
            exit: Exit::Usage,
            message,
            hint: None,
        }
    }

    /// Something that was to be written was not.
    pub fn unwritten(message: String) -> Self {
        Self {
            exit: Exit::Unwritten,
            ..Self::usage(message)
        }
    }

    /// The same, with this exit status.
    pub fn ended(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// A failure that ends the command.
    pub fn item(failure: &Failure) -> Self {
        let exit = if is_refusal(failure) {
            Exit::Refused
        } else {
            Exit::ItemFailed
        };
        Self {
            exit,
            message: failure.to_string(),
            hint: remedy(failure),
        }
    }

    /// What to do about it, where a line can say it.
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().or(self.hint);
        self
    }

    /// `error:`, and after a blank line `hint:`.
    pub fn print(&self) {
        note(Level::Error, &self.message);
        if let Some(text) = &self.hint {
            line("");
            hint(text);
        }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// A hint that ends nothing.
pub fn hint(text: &str) {
    note(Level::Info, text);
}

/// A warning that ends nothing.
pub fn warning(text: &str) {
    note(Level::Warn, text);
}

/// What a person who watches a run should hear. It may hold a service's words and an item's key, which are in no event: the library
/// tells of most notices by their kind, and of two items with one key this does.
pub fn notice(notice: &Notice) {
    match notice {
        Notice::SameKey { item, earlier, .. } if stderr::is_json() => stderr::json(
            Level::Warn,
            &json!({"message": "notice", "kind": notice.kind(), "item": item, "earlier": earlier}),
        ),
        _ if stderr::is_json() => {}
        _ => warning(&notice.to_string()),
    }
}

/// A line that a label begins, or an event. The style is outside of the text, which has none.
fn note(level: Level, text: &str) {
    let (label, colour) = match level {
        Level::Error => ("error", AnsiColor::Red),
        Level::Warn => ("warning", AnsiColor::Yellow),
        Level::Info => ("hint", AnsiColor::Cyan),
    };
    if stderr::is_json() {
        let fields = match level {
            Level::Info => json!({"message": text, "hint": true}),
            Level::Error | Level::Warn => json!({"message": text}),
        };
        return stderr::json(level, &fields);
    }
    let style = Style::new().bold().fg_color(Some(colour.into()));
    stderr::message(&format!("{style}{label}:{style:#} {}\n", text::lines(text)));
}

/// A line on standard error.
pub fn line(text: &str) {
    if !stderr::is_json() {
        stderr::message(&format!("{}\n", text::lines(text)));
    } else if !text.is_empty() {
        stderr::json(Level::Info, &json!({"message": text}));
    }
}

/// Lines that say what a run counts, or the counts as an event.
pub fn counts(message: &str, lines: &[String], counts: &Summary) {
    if stderr::is_json() {
        return stderr::json(Level::Info, &json!({"message": message, "run": counts.to_json()}));
    }
    for text in lines {
        line(text);
    }
}

/// A fault of this program. What it was about may be anybody's data, so that only its place is shown.
pub fn fault(place: &std::panic::PanicHookInfo<'_>) {
    let place = place.location().map(ToString::to_string).unwrap_or_default();
    note(Level::Error, &format!("a fault of this program, at {place}"));
}

/// What is wrong with the command line, or the help that was asked for.
pub fn usage(error: &clap::Error) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let shown = as_shown(&arguments);
    let shown = shown.as_ref().unwrap_or(error);
    if !shown.use_stderr() {
        // Nobody may be there to read it.
        let _ = shown.print();
    } else if wants_json(&arguments) {
        stderr::write_json();
        let text = shown.render().to_string();
        let text = text.trim_end();
        let text = text.strip_prefix("error: ").unwrap_or(text);
        stderr::json(Level::Error, &json!({"message": text}));
    } else {
        stderr::message(&shown.render().ansi().to_string());
    }
    stderr::finish();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What the arguments say of the log, of which something else is wrong.
fn wants_json(arguments: &[OsString]) -> bool {
    let json = LogFormat::Json.to_possible_value();
    let json = json.as_ref().map_or("", |value| value.get_name());
    let follows = arguments
        .windows(2)
        .any(|two| two == ["--log", json].map(OsString::from));
    follows || arguments.contains(&format!("--log={json}").into())
}

/// The same error, about the arguments as they may be shown: a script put them together, of texts that it was given. `None`
/// where they may be shown as they are.
fn as_shown(arguments: &[OsString]) -> Option<clap::Error> {
    /// As much as anybody reads of one argument.
    const SHOWN_CHARS: usize = 200;
    let is_plain = |argument: &OsString| {
        argument
            .to_str()
            .is_some_and(|text| !text.chars().any(text::is_deceptive))
    };
    if arguments.iter().all(is_plain) {
        return None;
    }
    let shown = arguments
        .iter()
        .map(|argument| text::shown(&argument.to_string_lossy(), SHOWN_CHARS));
    let wrong = || {
        clap::Error::raw(
            clap::error::ErrorKind::InvalidValue,
            "an argument has characters that are not shown\n",
        )
    };
    Some(Args::try_parse_from(shown).err().unwrap_or_else(wrong))
}

/// Where events are written: to standard error, made safe to show.
#[derive(Debug, Clone, Copy)]
pub struct Events {
    /// JSON lines, in which a character can be written as an escape.
    pub is_json: bool,
    /// Whether the events have styles, which are the library's own: it escapes those in what it was given.
    pub is_styled: bool,
}

impl Events {
    fn shown(self, line: &str) -> Cow<'_, str> {
        match self {
            Self { is_json: true, .. } => text::json(line),
            Self { is_styled: true, .. } => styled(line),
            _ => text::lines(line),
        }
    }
}

impl io::Write for Events {
    /// A whole event, as the library hands it over.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(event);
        stderr::event(&self.shown(&line));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Events {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// A text whose styles stay (`ESC [ … m`), and nothing else that acts on a terminal.
pub fn styled(text: &str) -> Cow<'_, str> {
    let mut pieces = text.split_inclusive('\u{1b}').peekable();
    let mut shown = String::with_capacity(text.len());
    let mut is_escaped = false;
    while let Some(piece) = pieces.next() {
        let (before, has_escape) = match piece.strip_suffix('\u{1b}') {
            Some(before) => (before, true),
            None => (piece, false),
        };
        let before = text::lines(before);
        is_escaped |= matches!(before, Cow::Owned(_));
        shown.push_str(&before);
        if has_escape {
            if pieces.peek().is_some_and(|next| begins_with_style(next)) {
                shown.push('\u{1b}');
            } else {
                shown.push_str("\\u{1b}");
                is_escaped = true;
            }
        }
    }
    if is_escaped { shown.into() } else { text.into() }
}

/// What follows an escape character, where it chooses a colour or weight.
fn begins_with_style(text: &str) -> bool {
    let Some(parameters) = text.strip_prefix('[') else {
        return false;
    };
    let rest =
        parameters.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';');
    rest.starts_with('m')
}

/// Whether policy or a limit stood in the way, which an operator can change and an author cannot.
pub fn is_refusal(failure: &Failure) -> bool {
    matches!(failure, Failure::Denied { .. } | Failure::Limit(_))
}

/// What to do about a failure: the library's hint, with the flags of this command.
pub fn remedy(failure: &Failure) -> Option<String> {
    /// What the library names where a certificate is not trusted.
    const TRUSTED: &str = "`EngineConfig::extra_roots`";
    match failure {
        Failure::Denied { hint, .. } => {
            let hint = with_flags(hint.as_deref()?);
            Some(match allow(&hint) {
                Some(flag) => format!("{hint}\nor on the command line:\n{flag}"),
                None => hint,
            })
        }
        Failure::Unavailable { message, .. } if message.contains(TRUSTED) => Some(
            "give the certificate or its authority's by `--ca FILE` or in the file that SSL_CERT_FILE names"
                .to_owned(),
        ),
        _ => None,
    }
}

/// What the library's hints say in its own words, and this command's words for it.
const FLAGS: [(&str, &str); 4] = [
    ("`SqliteJournal::accept_component`", "`--accept-component`"),
    ("run the same items with it again", "run the same command again"),
    ("record the case again", "record the case again with `--record`"),
    ("a run that records", "`--record`"),
];

fn with_flags(hint: &str) -> String {
    let replace = |hint: String, (theirs, ours): (&str, &str)| hint.replace(theirs, ours);
    FLAGS.into_iter().fold(hint.to_owned(), replace)
}

/// The flag that allows what the policy's lines in a hint allow, by every method; `None` where a flag cannot say it.
fn allow(hint: &str) -> Option<String> {
    let (_, entry) = hint.split_once("[[allow]]\n")?;
    let value = |key: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(key))?;
        line.strip_prefix(" = \"")?.strip_suffix('"')
    };
    let is_private = entry.lines().any(|line| line.starts_with("private"));
    let origin = value("origin").filter(|_| !is_private)?;
    Some(format!("--allow {origin}{}", value("path").unwrap_or_default()))
}

impl From<nodule::Error> for Failed {
    fn from(error: nodule::Error) -> Self {
        let exit = match &error {
            nodule::Error::NotAComponent { .. }
            | nodule::Error::Name { .. }
            | nodule::Error::TooLarge { .. }
            | nodule::Error::Compile { .. }
            | nodule::Error::WrongContract { .. }
            | nodule::Error::Imports { .. }
            | nodule::Error::Digest { .. }
            | nodule::Error::Describe { .. }
            | nodule::Error::Description { .. } => Exit::Refused,
            _ => Exit::Usage,
        };
        Self {
            exit,
            message: error.to_string(),
            hint: match &error {
                // The library's words are for its own callers.
                nodule::Error::Compile { .. } => Some(crate::compile::hint()),
                nodule::Error::CredentialMissing { .. } => Some(crate::setup::CREDENTIAL_HINT.to_owned()),
                error => error.hint().map(|hint| with_flags(&hint)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use nodule::Certainty;
    use nodule::canonical::CanonicalUrl;
    use nodule::journal::JournalError;
    use nodule::policy::{Policy, Rule};
    use nodule::recording::Recording;

    use super::*;

    #[test]
    fn only_styles_reach_a_terminal() {
        for (text, expected) in [
            ("plain\n", "plain\n"),
            ("\u{1b}[1;31merror\u{1b}[0m\n", "\u{1b}[1;31merror\u{1b}[0m\n"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}", r"\u{1b}[2J\u{1b}]0;title\u{7}"),
            ("\u{1b}", r"\u{1b}"),
            ("\u{1b}\u{1b}[1m", "\\u{1b}\u{1b}[1m"),
            ("\u{9b}1m\u{202e}", r"\u{9b}1m\u{202e}"),
            ("a\rb\tc", r"a\rb\tc"),
        ] {
            assert_eq!(styled(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_was_denied_can_be_allowed_by_a_flag_or_by_the_policy() {
        let mut policy = Policy::default();
        policy.allow(Rule::parse("https://good.example/v1").unwrap());
        for (text, expected) in [
            (
                "https://good.example/v2/x?y=z",
                "--allow https://good.example/v2/x",
            ),
            ("http://[::1]:9/x", "--allow http://[::1]:9"),
        ] {
            let url = CanonicalUrl::parse(text).unwrap();
            let denial = policy.decide(&Method::POST, &url).unwrap_err();
            let failure = Failure::Denied {
                message: denial.to_string(),
                hint: denial.hint(),
            };
            let hint = remedy(&failure).unwrap();
            let (lines, flag) = hint.split_once("\nor on the command line:\n").unwrap();
            assert_eq!(lines, denial.hint().unwrap());
            assert_eq!(flag, expected);
            let mut policy = Policy::default();
            policy.allow(Rule::parse(flag.strip_prefix("--allow ").unwrap()).unwrap());
            assert!(policy.decide(&Method::POST, &url).is_ok(), "{hint}");
        }
    }

    #[test]
    fn what_no_flag_can_allow_names_none() {
        for hint in [
            "[[allow]]\norigin = \"http://crm.internal\"\nprivate = true",
            "ask for less",
        ] {
            let failure = Failure::Denied {
                message: String::new(),
                hint: Some(hint.to_owned()),
            };
            assert_eq!(remedy(&failure).as_deref(), Some(hint));
        }
    }

    #[test]
    fn the_librarys_hints_name_this_commands_flags() {
        let another = JournalError::Another {
            path: "run.sqlite".into(),
            what: "component",
            expected: "sha256:1".into(),
            found: "sha256:2".into(),
        };
        let full = JournalError::Full {
            path: "run.sqlite".into(),
            message: String::new(),
        };
        let no_har = Recording::from_json(b"no HAR", "case.har").unwrap_err();
        for (error, words) in [
            (nodule::Error::from(another), "`--accept-component` goes on"),
            (full.into(), "run the same command again"),
            (no_har.into(), "as `--record` or"),
        ] {
            let hint = Failed::from(error).hint.unwrap();
            assert!(hint.contains(words) && !hint.contains("::"), "{hint}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_trusted_can_be_given_by_a_flag() {
        let unavailable = |message: &str| Failure::Unavailable {
            certainty: Certainty::NotDone,
            message: message.to_owned(),
            answer: None,
            retry_after_ms: None,
        };
        let hint = remedy(&unavailable("TLS: to trust it: `EngineConfig::extra_roots`")).unwrap();
        assert!(
            hint.contains("`--ca FILE`") && hint.contains("SSL_CERT_FILE"),
            "{hint}"
        );
        assert_eq!(remedy(&unavailable("TLS: it has expired")), None);
    }

    #[test]
    fn an_argument_makes_no_line_of_its_own() {
        let said = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
            as_shown(&arguments).map(|error| error.render().ansi().to_string())
        };
        let argument = "a\nerror: forged\u{1b}[2J\u{9b}";
        for arguments in [
            &["nodule", argument][..],
            &["nodule", &format!("--{argument}")],
            &["nodule", "run", "c", "g", "o", &format!("--item-time={argument}")],
            &["nodule", "describe", "c", "--format", argument],
        ] {
            let said = said(arguments).unwrap();
            assert!(said.contains(r"a\nerror: forged\u{1b}[2J\u{9b}"), "{said}");
            assert!(matches!(styled(&said), Cow::Borrowed(_)), "{said}");
        }
        assert_eq!(said(&["nodule", "plain"]), None);
    }

    #[test]
    fn events_are_safe_in_every_format() {
        let line = "{\"a\":\"\u{9b}\u{202e}\"}\n";
        let events = |is_json, is_styled| Events { is_json, is_styled };
        assert_eq!(events(true, false).shown(line), "{\"a\":\"\\u009b\\u202e\"}\n");
        assert_eq!(
            events(false, true).shown("\u{1b}[2mINFO\u{1b}[0m \u{9b}\n"),
            "\u{1b}[2mINFO\u{1b}[0m \\u{9b}\n"
        );
        assert_eq!(
            events(false, false).shown("INFO \u{1b}[2m\n"),
            "INFO \\u{1b}[2m\n"
        );
    }
}
