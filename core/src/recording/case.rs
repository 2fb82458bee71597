//! The operation, its items and their results: the part of a recording for which HAR has no fields.

use crate::json::Json;
use jiff::Timestamp;
use url::Url;

use super::MAX_DEPTH;
use crate::description::DeclaredRequest;
use crate::json_size::{Most, within};
use crate::outcome::OnFailure;

/// A value stands some levels below the document: `log._case.results[0].output[0]`.
const HELD_DEPTH: usize = MAX_DEPTH - 10;

/// The base URL of a recording without a credential: no URL is below it.
pub const NO_BASE_URL: &str = "http://no-base-url.invalid/";

/// One run of one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The operation's resource group.
    pub group: String,
    /// The operation's name.
    pub operation: String,
    /// What a failed item does to those after it.
    pub on_failure: OnFailure,
    /// The service's base URL; recorded paths are relative to it. [`NO_BASE_URL`] without a credential.
    pub base_url: Url,
    /// The name of the credential that the run was bound to. Absent without one, and in older recordings.
    pub credential: Option<String>,
    /// The request that the operation declares, if it is known.
    pub declared: Option<DeclaredRequest>,
    /// The names of the request headers that a replay compares, in lower case. A run that records names those that the node set
    /// itself, but for the usual ones; in another tool's recording, they are for its reader to name.
    pub headers: Vec<String>,
    /// The items, in order.
    pub items: Vec<Item>,
}

/// One item of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The item's parameters: a JSON object, or the text of an item that is not one.
    pub parameters: Json,
    /// The item's result; absent if the case is yet to be recorded.
    pub result: Option<RecordedResult>,
    /// The clock and the seed of its call; absent if the item never ran.
    pub call: Option<Call>,
}

/// The result of an item.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordedResult {
    /// The output items, written as `{"output": […]}`.
    Output(Vec<Json>),
    /// The failure, written as `{"error": {…}}`.
    Error(Json),
}

impl Item {
    /// The item's text, as a run takes it. A text that was not JSON is returned as it was.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.parameters {
            Json::String(text) => text.clone(),
            parameters => parameters.to_string(),
        }
    }
}

/// A JSON text as a recording stores it: its value, or the text itself if it nests too deep for a recording or cannot
/// be stored as a value, for example with half a surrogate pair.
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

/// What a call reads besides HTTP, so that a replay sends the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The time that its clock showed.
    pub clock: Timestamp,
    /// The seed of its random numbers.
    pub seed: u64,
}

/// The component that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedComponent {
    /// The node's name.
    pub name: String,
    /// The node's version.
    pub version: String,
    /// The digest of the component file: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}
