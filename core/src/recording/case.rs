//! What was asked of the node and what it said: the part of a recording that HAR has no words for.

use crate::json::Json;
use jiff::Timestamp;
use url::Url;

use super::MAX_DEPTH;
use crate::description::DeclaredRequest;
use crate::json_size::{Most, within};
use crate::outcome::OnFailure;

/// It stands some levels below the document: `log._case.results[0].output[0]`.
const HELD_DEPTH: usize = MAX_DEPTH - 10;

/// One run of one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The operation's resource group.
    pub group: String,
    /// The operation's name.
    pub operation: String,
    /// What a failed item does to those after it.
    pub on_failure: OnFailure,
    /// Where the service was; recorded paths are relative to it.
    pub base_url: Url,
    /// Which request the operation says it makes, where that is known.
    pub declared: Option<DeclaredRequest>,
    /// The items, in order.
    pub items: Vec<Item>,
}

/// One item of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it was given: a JSON object, or the text of an item that is none.
    pub parameters: Json,
    /// What came of it; absent where the case is yet to be recorded.
    pub result: Option<RecordedResult>,
    /// The clock and the random numbers of its call; absent where it never ran.
    pub call: Option<Call>,
}

/// What came of an item.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordedResult {
    /// Its output items, written as `{"output": […]}`.
    Output(Vec<Json>),
    /// Its failure, written as `{"error": {…}}`.
    Error(Json),
}

impl Item {
    /// The item's text as a run takes it. What was no JSON is held as the text that it was.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.parameters {
            Json::String(text) => text.clone(),
            parameters => parameters.to_string(),
        }
    }
}

/// A JSON text as a recording holds it: its value, or the text where it is nested deeper than a recording may be, or is nothing that
/// can be held, such as a text with half a surrogate pair.
#[must_use]
pub fn held(text: &str) -> Json {
    let most = Most {
        depth: HELD_DEPTH,
        values: usize::MAX,
    };
    let value = within(text.as_bytes(), most)
        .ok()
        .and_then(|()| Json::parse(text).ok());
    value.unwrap_or_else(|| Json::from(text))
}

/// What a call saw of the world beside HTTP, so that a replay sends the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Where its clock stood.
    pub clock: Timestamp,
    /// What its random numbers were made from.
    pub seed: u64,
}

/// The component that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedComponent {
    /// The node's name.
    pub name: String,
    /// The node's version.
    pub version: String,
    /// `sha256:` and 64 hexadecimal digits, of the file.
    pub digest: String,
}
