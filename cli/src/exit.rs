//! How the command ends: the exit status, and the one place that prints errors and hints.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use nodule::Failure;

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
    /// By Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::ItemFailed => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Interrupted => 130,
        })
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

    /// A failure that ends the command.
    pub fn item(failure: &Failure) -> Self {
        let exit = if is_refusal(failure) {
            Exit::Refused
        } else {
            Exit::ItemFailed
        };
        let hint = match failure {
            Failure::Denied { hint, .. } => hint.clone(),
            _ => None,
        };
        Self {
            exit,
            message: failure.to_string(),
            hint,
        }
    }

    pub fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    /// `error:`, and after a blank line `hint:`.
    pub fn print(&self) {
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        note(&red, "error", &self.message);
        if let Some(hint) = &self.hint {
            line("");
            note(&HINT, "hint", hint);
        }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

const HINT: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));

/// A hint that ends nothing.
pub fn hint(text: &str) {
    note(&HINT, "hint", text);
}

/// A warning that ends nothing.
pub fn warning(text: &str) {
    note(
        &Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
        "warning",
        text,
    );
}

fn note(style: &Style, label: &str, text: &str) {
    line(&format!("{style}{label}:{style:#} {text}"));
}

/// A line on standard error.
pub fn line(text: &str) {
    anstream::eprintln!("{text}");
}

/// Whether policy or a limit stood in the way, which an operator can change and an author cannot.
pub fn is_refusal(failure: &Failure) -> bool {
    matches!(failure, Failure::Denied { .. } | Failure::Limit(_))
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
                nodule::Error::Compile { .. } => Some(crate::compile::hint()),
                error => error.hint(),
            },
        }
    }
}
