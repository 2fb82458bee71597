//! Reads the output items that a node returns.

use nodule_core::failure::Failure;
use nodule_core::outcome::ItemResult;
use serde_json::value::RawValue;

use crate::runtime::bindings::types::Output;
use crate::runtime::instance::Stop;

/// Results larger than this are scanned on a blocking thread, so that they delay no other task: scanning `output-bytes`
/// takes a tenth of a second, and making them costs a hostile node almost nothing.
pub(super) const READ_HERE: usize = 1024 * 1024;
/// The cost of scanning an output item, in bytes.
const OUTPUT_COST: usize = 64;

/// The cost of scanning these outputs, in bytes.
pub(super) fn cost(outputs: &[Output]) -> usize {
    outputs.iter().map(|output| output.json.len() + OUTPUT_COST).sum()
}

/// The reason for ending a call whose output items have more bytes than the limit.
pub(super) fn too_large(limit: usize) -> Stop {
    Stop::Limit(format!("results of more than {limit} bytes (`output-bytes`)"))
}

/// Reads output items, many of them on a blocking thread.
pub(super) async fn read(outputs: Vec<Output>) -> ItemResult {
    let is_large = cost(&outputs) > READ_HERE;
    let read = move || {
        outputs
            .into_iter()
            .map(|output| Ok(output_item(output.json)?.into()))
            .collect()
    };
    if !is_large {
        return read();
    }
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|_| Err(bad_output("that could not be read")))
}

/// Makes one line of an output item, which must be one JSON document. It is scanned without recursion, and not parsed
/// into values.
pub(super) fn output_item(text: String) -> Result<Box<RawValue>, Failure> {
    // Strings cannot contain raw line breaks, so all line breaks here are white space.
    let text = if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
        text.replace(['\n', '\r'], " ")
    } else {
        text
    };
    RawValue::from_string(text).map_err(|error| bad_output(&format!("that is not JSON: {error}")))
}

fn bad_output(what: &str) -> Failure {
    Failure::Other {
        kind: "bad-output".into(),
        message: format!("the node returned an output item {what}"),
        detail: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_item_is_json_on_one_line() {
        let read = output_item("{\n\"a\":\r\n1}".to_owned());
        assert_eq!(read.unwrap().get(), "{ \"a\":  1}");
        for text in ["", "{", "1 2", "{\"a\":\"\n\"}x"] {
            let failure = output_item(text.to_owned()).unwrap_err();
            assert_eq!(failure.kind(), "bad-output", "{text}");
        }
    }
}
