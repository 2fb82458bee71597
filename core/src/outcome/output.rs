//! One output item.

use std::ops::Deref;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{Json, Object};

/// One output item: a JSON document on one line, and the files that come with it.
#[derive(Debug, Clone)]
pub struct Output {
    json: Box<RawValue>,
    files: Box<[OutputFile]>,
}

/// A file that came out of an item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OutputFile {
    /// By what the output has it: `data`. One file of an output has it.
    #[serde(skip)]
    pub key: String,
    /// Where it is, in the words of what stored it: a path.
    #[serde(default)]
    pub path: String,
    /// A name that is safe on every system, without a path.
    #[serde(default)]
    pub file_name: Option<String>,
    /// `image/png`
    #[serde(default)]
    pub media_type: Option<String>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl OutputFile {
    /// A file with this content.
    #[must_use]
    pub fn new(
        key: impl Into<String>,
        path: impl Into<String>,
        size: u64,
        sha256: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            path: path.into(),
            file_name: None,
            media_type: None,
            size,
            sha256: sha256.into(),
        }
    }
}

impl OutputFile {
    fn json(&self, place: &str) -> Json {
        let mut json = Object::new();
        if !self.path.is_empty() {
            json.insert(place, self.path.as_str());
        }
        for (name, text) in [("fileName", &self.file_name), ("mediaType", &self.media_type)] {
            if let Some(text) = text {
                json.insert(name, text.as_str());
            }
        }
        json.insert("size", Json::from(self.size));
        json.insert("sha256", self.sha256.as_str());
        Json::Object(json)
    }
}

impl Output {
    /// An output item with files.
    #[must_use]
    pub fn with_files(json: Box<RawValue>, files: Vec<OutputFile>) -> Self {
        Self {
            json,
            files: files.into(),
        }
    }

    /// The document.
    #[must_use]
    pub fn json(&self) -> &RawValue {
        &self.json
    }

    /// Its files, each with a key of its own.
    #[must_use]
    pub fn files(&self) -> &[OutputFile] {
        &self.files
    }

    /// Its files as a JSON object, by their keys; `None` if there are none. `place` is what it calls [`OutputFile::path`].
    #[must_use]
    pub fn files_json(&self, place: &str) -> Option<String> {
        if self.files.is_empty() {
            return None;
        }
        let files: Object = self
            .files
            .iter()
            .map(|file| (file.key.clone(), file.json(place)))
            .collect();
        Some(Json::Object(files).to_string())
    }

    /// As it is kept, to be read again by [`Output::read_list`]: the document itself, if it has no files.
    pub fn write(&self, text: &mut String) {
        match self.files_json("path") {
            None if !self.json.get().starts_with(KEPT) => text.push_str(self.json.get()),
            files => {
                text.push_str(KEPT);
                text.push_str(self.json.get());
                text.push_str(",\"$files\":");
                text.push_str(files.as_deref().unwrap_or("{}"));
                text.push('}');
            }
        }
    }

    /// As a recording has it: as [`Output::write`], without where the files are.
    #[must_use]
    pub fn recorded(&self) -> String {
        let files = self.files.iter().cloned();
        let files = files.map(|file| OutputFile {
            path: String::new(),
            ..file
        });
        let mut text = String::new();
        Self::with_files(self.json.clone(), files.collect()).write(&mut text);
        text
    }

    /// Reads a JSON list of what [`Output::write`] wrote.
    ///
    /// # Errors
    ///
    /// The text is no such list.
    pub fn read_list(text: &str) -> Result<Vec<Self>, serde_json::Error> {
        let list: Vec<Box<RawValue>> = serde_json::from_str(text)?;
        list.into_iter().map(Self::read).collect()
    }

    fn read(json: Box<RawValue>) -> Result<Self, serde_json::Error> {
        if !json.get().starts_with(KEPT) {
            return Ok(json.into());
        }
        let Kept { json, files } = serde_json::from_str(json.get())?;
        let files = files.into_iter().map(|(key, file)| OutputFile { key, ..file });
        Ok(Self::with_files(json, files.collect()))
    }
}

/// How an output begins that is not kept as its document alone.
const KEPT: &str = "{\"$json\":";

#[derive(Deserialize)]
struct Kept {
    #[serde(rename = "$json")]
    json: Box<RawValue>,
    #[serde(rename = "$files")]
    files: std::collections::BTreeMap<String, OutputFile>,
}

impl From<Box<RawValue>> for Output {
    fn from(json: Box<RawValue>) -> Self {
        Self {
            json,
            files: Box::default(),
        }
    }
}

impl Deref for Output {
    type Target = RawValue;

    fn deref(&self) -> &RawValue {
        &self.json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let file = OutputFile {
            file_name: Some("a.png".to_owned()),
            ..OutputFile::new("da\"ta", "out/0-a.png", 5, "ab")
        };
        let outputs = [
            Output::from(raw("{\"a\":1.50}")),
            Output::from(raw("{\"$json\":1}")),
            Output::with_files(raw("{\"b\":[]}"), vec![file]),
        ];
        let mut text = String::new();
        for output in &outputs {
            text.push(if text.is_empty() { '[' } else { ',' });
            output.write(&mut text);
        }
        text.push(']');
        assert!(
            text.starts_with("[{\"a\":1.50},{\"$json\":{\"$json\":1}"),
            "{text}"
        );
        let again = Output::read_list(&text).unwrap();
        for (output, again) in outputs.iter().zip(&again) {
            assert_eq!((output.get(), output.files()), (again.get(), again.files()));
        }
        assert_eq!(again.len(), 3);
    }
}
