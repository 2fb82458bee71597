//! Values in the forms in which tools write them: names and values, texts that are something else, encoded bodies.

use crate::json::Json;
use base64::engine::GeneralPurposeConfig;
use base64::{Engine as _, alphabet, engine::DecodePaddingMode, engine::general_purpose::GeneralPurpose};
use bytes::Bytes;

use super::{error::Fault, place::Place};

/// Padding may be there or not.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// What tools call a text that is not encoded: HAR knows `base64` alone, and many write the text's character set.
const PLAIN: [&str; 12] = [
    "",
    "utf-8",
    "utf8",
    "utf-16",
    "us-ascii",
    "ascii",
    "iso-8859-1",
    "latin1",
    "windows-1252",
    "text",
    "plain",
    "none",
];

/// Names and values: a list of `{name, value}` or of pairs, or an object. What has no name is none.
pub(super) fn pairs(list: &Place<'_>) -> Result<Vec<(String, String)>, Fault> {
    match list.value {
        Json::Array(elements) => Ok(elements.iter().filter_map(pair).collect()),
        Json::Object(fields) => {
            let each = |(name, value): (&String, &Json)| match value {
                Json::Array(values) => values.iter().map(|value| (name.clone(), scalar(value))).collect(),
                value => vec![(name.clone(), scalar(value))],
            };
            Ok(fields.iter().flat_map(each).collect())
        }
        _ => Err(list.expected("a list of names and values")),
    }
}

fn pair(element: &Json) -> Option<(String, String)> {
    let (name, value) = match element.as_array().map(Vec::as_slice) {
        Some([name, value]) => (name, value),
        Some(_) => return None,
        None => (element.get("name")?, element.get("value").unwrap_or(&Json::Null)),
    };
    (!name.is_null()).then(|| (scalar(name), scalar(value)))
}

/// A text that some tools write as the number or the JSON value that it is.
pub(super) fn scalar(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// How the text of a body stands for its bytes.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Plain,
    Base64,
}

impl Encoding {
    /// `None` for one that is neither.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        match name.as_str() {
            "base64" => Some(Self::Base64),
            name => PLAIN.contains(&name).then_some(Self::Plain),
        }
    }

    /// `None` where it is no such text.
    pub(super) fn bytes(self, text: &str) -> Option<Bytes> {
        match self {
            Self::Plain => Some(Bytes::from(text.to_owned())),
            Self::Base64 => {
                // As mail does it, some tools break its lines.
                let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
                let bytes = STANDARD.decode(&digits).or_else(|_| URL_SAFE.decode(&digits));
                bytes.ok().map(Bytes::from)
            }
        }
    }
}
