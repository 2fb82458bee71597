//! The exit status, and the one place that prints errors and hints.
//!
//! Only this file writes to standard error. Foreign texts are escaped where they enter a message. This file escapes
//! whatever that missed, so that no text acts on the terminal.

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

/// The exit status; scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All items succeeded.
    Done,
    /// An item failed, or the credential was not accepted.
    ItemFailed,
    /// Wrong usage, or an invalid file or policy.
    Usage,
    /// A policy or limit refused or stopped the component or the run.
    Refused,
    /// Results or another output could not be written.
    Unwritten,
    /// The reader of the results closed the pipe.
    Closed,
    /// Ctrl-C, `SIGTERM` or `SIGHUP`.
    Signal(Signal),
}

impl Exit {
    /// Shells report 128 plus the number of the signal that ended a process; 13 is `SIGPIPE`.
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

/// Why the command failed, and what to do about it.
#[derive(Debug)]
pub struct Failed {
    pub exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Failed {
    /// Wrong usage, or an invalid file or policy.
    pub fn usage(message: String) -> Self {
        Self {
            exit: Exit::Usage,
            message,
            hint: None,
        }
    }

    /// An output could not be written.
    pub fn unwritten(message: String) -> Self {
        Self {
            exit: Exit::Unwritten,
            ..Self::usage(message)
        }
    }

    /// Replaces the exit status.
    pub fn ended(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// An item's failure that ends the command.
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

    /// Adds a hint, if there is one.
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().or(self.hint);
        self
    }

    /// Prints `error:` and, after a blank line, `hint:`.
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

/// Prints a hint; the command goes on.
pub fn hint(text: &str) {
    note(Level::Info, text);
}

/// Prints a warning; the command goes on.
pub fn warning(text: &str) {
    note(Level::Warn, text);
}

/// Shows a notice to the person who watches the run. It may contain a service's text or an item's key, which events
/// leave out: the library's events give the kind of most notices. Two items with the same key are reported here only.
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

/// Prints a labelled line, or an event in JSON mode. `text` carries no styles.
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

/// Prints a line on standard error.
pub fn line(text: &str) {
    if !stderr::is_json() {
        stderr::message(&format!("{}\n", text::lines(text)));
    } else if !text.is_empty() {
        stderr::json(Level::Info, &json!({"message": text}));
    }
}

/// Prints a run's counts as lines, or as one event in JSON mode.
pub fn counts(message: &str, lines: &[String], counts: &Summary) {
    if stderr::is_json() {
        return stderr::json(Level::Info, &json!({"message": message, "run": counts.to_json()}));
    }
    for text in lines {
        line(text);
    }
}

/// Reports a panic. Its message may contain anybody's data, so only the source location is shown.
pub fn fault(place: &std::panic::PanicHookInfo<'_>) {
    let place = place.location().map(ToString::to_string).unwrap_or_default();
    note(Level::Error, &format!("a fault of this program, at {place}"));
}

/// Prints a usage error, or the help that was asked for.
pub fn usage(error: &clap::Error) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let shown = as_shown(&arguments);
    let shown = shown.as_ref().unwrap_or(error);
    if !shown.use_stderr() {
        // A failed write is ignored: nobody may be reading.
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

/// Whether the arguments ask for JSON logs, although another argument is invalid.
fn wants_json(arguments: &[OsString]) -> bool {
    let json = LogFormat::Json.to_possible_value();
    let json = json.as_ref().map_or("", |value| value.get_name());
    let follows = arguments
        .windows(2)
        .any(|two| two == ["--log", json].map(OsString::from));
    follows || arguments.contains(&format!("--log={json}").into())
}

/// The same error with the arguments escaped: a script may have built them from foreign texts. `None` if all arguments
/// are safe to show.
fn as_shown(arguments: &[OsString]) -> Option<clap::Error> {
    /// Longest argument shown.
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

/// A writer that makes events safe to show and writes them to standard error.
#[derive(Debug, Clone, Copy)]
pub struct Events {
    /// JSON lines: unsafe characters become JSON escapes.
    pub is_json: bool,
    /// Whether the events carry styles. Those are the library's own: it escapes any in foreign texts.
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
    /// The library writes one whole event per call.
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

/// Keeps ANSI styles (`ESC [ … m`), and escapes everything else that acts on a terminal.
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

/// Whether the text after an escape character is a colour or weight.
fn begins_with_style(text: &str) -> bool {
    let Some(parameters) = text.strip_prefix('[') else {
        return false;
    };
    let rest =
        parameters.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';');
    rest.starts_with('m')
}

/// Whether a policy or a limit caused the failure: the operator can change those, the node's author cannot.
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
        Failure::Other { kind, .. } if kind == nodule::LOGIN_REQUIRED => {
            Some("log in by `nodule login COMPONENT --credential FILE`".to_owned())
        }
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
    if hint.lines().any(|line| line.starts_with("declared = ")) {
        return Some("--allow-declared".to_owned());
    }
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
            | nodule::Error::ImportDiffers { .. }
            | nodule::Error::ImportsNotMinimal { .. }
            | nodule::Error::Digest { .. }
            | nodule::Error::Describe { .. }
            | nodule::Error::Description { .. } => Exit::Refused,
            _ => Exit::Usage,
        };
        Self {
            exit,
            message: error.to_string(),
            hint: match &error {
                // The library's own hints address embedders, not users of the command.
                nodule::Error::Compile { .. } => Some(crate::compile::hint()),
                nodule::Error::TokensMissing { .. } => Some(
                    "give the credential by `--credential FILE`: the tokens of `nodule login` are kept beside it".to_owned(),
                ),
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
    fn what_is_declared_can_be_granted_by_a_flag_or_by_the_policy() {
        let hint = "to grant it, add to the policy:\ndeclared = [\"https://uploads.example.com\"]";
        let failure = Failure::Denied {
            message: String::new(),
            hint: Some(hint.to_owned()),
        };
        let expected = format!("{hint}\nor on the command line:\n--allow-declared");
        assert_eq!(remedy(&failure), Some(expected));
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
