//! Reads values in the forms that tools write: lists of names and values, texts of other values, encoded bodies.

use crate::json::Json;
use base64::engine::GeneralPurposeConfig;
use base64::{Engine as _, alphabet, engine::DecodePaddingMode, engine::general_purpose::GeneralPurpose};
use bytes::Bytes;

use super::{error::Fault, place::Place};

/// Accepts base64 with or without padding.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// Names for unencoded text: HAR defines only `base64`, and many tools write the text's character set instead.
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

/// Reads names and values: a list of `{name, value}` objects or of pairs, or an object. Skips entries without a name.
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

/// A text, which some tools write as a number or another JSON value.
pub(super) fn scalar(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// How the text of a body encodes its bytes.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Plain,
    Base64,
}

impl Encoding {
    /// `None` for an unknown encoding.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        match name.as_str() {
            "base64" => Some(Self::Base64),
            name => PLAIN.contains(&name).then_some(Self::Plain),
        }
    }

    /// `None` if the text is not valid in this encoding.
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
