//! What a node prints, for operators: bounded, on lines of its own, without secrets and control characters.

use std::borrow::Cow;

use nodule_core::text::shown;

use super::{Pipeline, Scope};
use crate::events;

/// How much of what a call prints is shown. A call may hold a hundred items, and a hostile node could fill the disk.
pub(crate) const PRINTED_BYTES: usize = 64 * 1024;

/// What each line counts beside its bytes, since its event has other fields too.
const LINE_COST: usize = 64;

/// The characters of a line that are shown.
const LINE_CHARS: usize = 2_000;

impl Pipeline {
    /// Whether the node's prints may be shown. A node that authenticates or signs knows the secret, and could encode it
    /// in what it prints.
    pub(crate) fn may_print(&self) -> bool {
        self.scope == Scope::Operation
    }

    /// Shows a line that the node printed. Of the first line that is too much, and of those after it, nothing is shown.
    pub(crate) fn print(&self, stream: &'static str, line: &str) {
        if !self.may_print() {
            return;
        }
        let (before, after) = {
            let mut notes = self.notes();
            let before = notes.printed;
            notes.printed = before.saturating_add(line.len()).saturating_add(LINE_COST);
            (before, notes.printed)
        };
        if after <= PRINTED_BYTES {
            events::printed(
                &self.label,
                stream,
                &shown(&self.without_secrets(line), LINE_CHARS),
            );
        } else if before <= PRINTED_BYTES {
            events::silence(&self.label);
        }
    }

    /// A text of the node without the credential's and the session's secrets.
    pub(crate) fn without_secrets<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.access {
            Some(access) => access.redactor().value(text),
            None => Cow::Borrowed(text),
        }
    }
}
