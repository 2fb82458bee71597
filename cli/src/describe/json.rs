//! `--format json`: the description's own types.

use nodule::description::Node;
use serde::Serialize;

use super::escape;

/// The description, pretty-printed; reading it back gives the same description.
pub fn render(node: &Node) -> String {
    pretty(node)
}

/// Pretty-prints a document, with a final line feed.
#[expect(
    clippy::expect_used,
    reason = "keys are texts and nothing in it fails to serialise"
)]
pub fn pretty(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document).expect("a JSON document");
    escape::json(&text) + "\n"
}
