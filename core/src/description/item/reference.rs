//! A reference to a thing of the service: its ID, or where n8n's field stores it, `{"mode": "url", "value": "https://…"}`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::form::Reference;
use super::read::{JsonKind, form, is_blank_text, kind};

/// What a reference means.
#[derive(Debug, PartialEq)]
pub(super) enum Read<'a> {
    /// There is none. The JSON text says so to the node.
    Nothing(&'a str),
    /// The ID as JSON text.
    Id(Cow<'a, str>),
    Fault,
}

/// The members that n8n's field has; it stores more of them, for its editor.
#[derive(Deserialize)]
struct Locator<'a> {
    #[serde(borrow, default)]
    mode: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

impl Reference {
    /// Reads a value as the ID.
    pub(super) fn read<'a>(&self, raw: &'a str) -> Read<'a> {
        match kind(raw) {
            JsonKind::Null => Read::Nothing(raw),
            JsonKind::Text | JsonKind::Number => self.id(raw, false),
            JsonKind::Object => {
                let Ok(Locator { mode, value }) = serde_json::from_str(raw) else {
                    return Read::Fault;
                };
                match value {
                    Some(value) => self.id(value.get(), mode.as_deref() == Some("url")),
                    None if mode.is_some() => Read::Nothing("null"),
                    None => Read::Fault,
                }
            }
            JsonKind::Boolean | JsonKind::List => Read::Fault,
        }
    }

    fn id<'a>(&self, raw: &'a str, is_url: bool) -> Read<'a> {
        if kind(raw) == JsonKind::Null || is_blank_text(raw) {
            return Read::Nothing(raw);
        }
        if !matches!(kind(raw), JsonKind::Text | JsonKind::Number) {
            return Read::Fault;
        }
        // Half of a surrogate pair is left to the node.
        let Some(text) = form(raw) else {
            return Read::Id(Cow::Borrowed(raw));
        };
        let is_id = |id: &str| {
            self.id
                .as_ref()
                .is_none_or(|pattern| pattern.matches_whole(id) || pattern.matches_whole(id.trim()))
        };
        // A pattern tells IDs from URLs; without one, whatever is the URL of a page is not an ID.
        if self.id.is_some() && is_id(&text) {
            return Read::Id(Cow::Borrowed(raw));
        }
        let page = self.id_in_url.as_ref();
        match page.and_then(|pattern| pattern.first_group(text.trim())) {
            Some(id) if is_id(id) => Read::Id(Cow::Owned(quoted(id))),
            Some(_) => Read::Fault,
            None if self.id.is_some() || is_url && page.is_some() => Read::Fault,
            None => Read::Id(Cow::Borrowed(raw)),
        }
    }
}

fn quoted(text: &str) -> String {
    crate::json::Json::from(text).to_string()
}
