//! Files beside items: how an item names those that go with it, and which names those that come out may have.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::json::Json;
use crate::recording::RecordedFile;
use crate::text::{is_deceptive, shown};

/// The reserved member of an item that names its files, by their keys.
pub const FILES: &str = "$files";

/// The longest name of a file, in bytes: shorter than any system's limit, with room for what makes it unique.
const NAME_BYTES: usize = 120;

/// A file as an item names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRef {
    /// By what a parameter of the kind `file` names it.
    pub key: String,
    /// Where its bytes are.
    pub content: FileContent,
    /// Its name for the service, if not the path's last part.
    pub file_name: Option<String>,
    /// `image/png`
    pub media_type: Option<String>,
}

/// Where the bytes of a file are that goes with an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// At a path.
    Path(String),
    /// In the item itself.
    Inline(Bytes),
    /// A file that was given before, by its ID.
    Id(String),
    /// In a file beside the recording that the item is of, by its digest.
    Recorded(String),
}

/// Takes the files out of an item: `{"$files":{"data":{"path":"photo.jpg","mediaType":"image/jpeg"}}}`. What is left are its
/// parameters, unchanged if the item names none. A file may also be written `{"$file":"photo.jpg"}`, or with its content as
/// `{"base64":"aGVsbG8="}`.
///
/// # Errors
///
/// What is wrong with them.
pub fn take_files(item: &str) -> Result<(Cow<'_, str>, Vec<FileRef>), String> {
    if !item.contains(FILES) {
        return Ok((Cow::Borrowed(item), Vec::new()));
    }
    let Ok(Json::Object(mut object)) = Json::parse(item) else {
        // Whoever reads the item says what is wrong with it.
        return Ok((Cow::Borrowed(item), Vec::new()));
    };
    let Some(files) = object.remove(FILES) else {
        return Ok((Cow::Borrowed(item), Vec::new()));
    };
    let Json::Object(files) = files else {
        return Err(format!("`{FILES}`: expected an object of files"));
    };
    let files = files.into_iter().map(|(key, file)| read(key, file));
    let files = files.collect::<Result<Vec<_>, String>>()?;
    Ok((Cow::Owned(Json::Object(object).to_string()), files))
}

fn read(key: String, file: Json) -> Result<FileRef, String> {
    const SHOWN_CHARS: usize = 60;
    let at = format!("`{FILES}`: `{}`", shown(&key, SHOWN_CHARS));
    let Json::Object(members) = file else {
        return Err(format!("{at}: expected an object with a `path`"));
    };
    let (mut content, mut file_name, mut media_type) = (None, None, None);
    for (name, value) in members {
        let Json::String(text) = value else {
            return Err(format!("{at}: `{}`: expected a text", shown(&name, SHOWN_CHARS)));
        };
        match name.as_str() {
            "path" | "$file" if !text.is_empty() => content = Some(FileContent::Path(text)),
            "recorded" if RecordedFile::is_name(&text) => content = Some(FileContent::Recorded(text)),
            "id" => content = Some(FileContent::Id(text)),
            "base64" => {
                let bytes = STANDARD
                    .decode(&text)
                    .map_err(|_| format!("{at}: `base64`: expected Base64"))?;
                content = Some(FileContent::Inline(bytes.into()));
            }
            "fileName" if text.chars().any(is_deceptive) || text.contains(['/', '\\']) => {
                return Err(format!("{at}: `fileName`: expected a name without a path"));
            }
            "fileName" => file_name = Some(text),
            "mediaType" if !is_media_type(&text) => {
                return Err(format!("{at}: `mediaType`: expected one as `image/png`"));
            }
            "mediaType" => media_type = Some(text),
            // What a result says of a file beside.
            "path" | "$file" | "size" | "sha256" => {}
            _ => {
                let name = shown(&name, SHOWN_CHARS);
                return Err(format!(
                    "{at}: unknown member `{name}`; there is `path`, `base64`, `fileName`, `mediaType`"
                ));
            }
        }
    }
    let content = content.ok_or_else(|| format!("{at}: expected a `path`"))?;
    Ok(FileRef {
        key,
        content,
        file_name,
        media_type,
    })
}

/// Whether a text is a media type (RFC 9110), with or without parameters.
#[must_use]
pub fn is_media_type(text: &str) -> bool {
    const MOST_BYTES: usize = 255;
    let is_token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let (main, sub) = essence.trim().split_once('/').unwrap_or_default();
    text.len() <= MOST_BYTES
        && is_token(main)
        && is_token(sub)
        && parameters
            .bytes()
            .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

/// The name of a file as every system takes it: the last part of a path, without characters that act on a terminal or that a
/// system forbids, and not one that Windows reserves. `None` if nothing is left.
#[must_use]
pub fn safe_name(name: &str) -> Option<String> {
    const RESERVED: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"];
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut safe = String::new();
    for character in last.chars() {
        let is_safe = !is_deceptive(character) && !r#"<>:"|?*"#.contains(character);
        let character = if is_safe { character } else { '_' };
        if safe.len() + character.len_utf8() > NAME_BYTES {
            break;
        }
        safe.push(character);
    }
    let safe = safe.trim_matches(|character: char| character == '.' || character.is_whitespace());
    let stem = safe.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let stem = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    if safe.is_empty() {
        None
    } else if RESERVED.contains(&stem) {
        Some(format!("_{safe}"))
    } else {
        Some(safe.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_out_of_items() {
        let item = r#"{"a":1.50,"$files":{"data":{"path":"a.png","mediaType":"image/png"},"b":{"$file":"x/y"}},"z":null}"#;
        let (rest, files) = take_files(item).unwrap();
        assert_eq!(rest, r#"{"a":1.50,"z":null}"#);
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].key, "data");
        assert_eq!(files[0].content, FileContent::Path("a.png".to_owned()));
        assert_eq!(files[0].media_type.as_deref(), Some("image/png"));
        assert_eq!(files[1].content, FileContent::Path("x/y".to_owned()));
        let (_, files) = take_files(r#"{"$files":{"c":{"base64":"aGk="}}}"#).unwrap();
        assert_eq!(files[0].content, FileContent::Inline(Bytes::from_static(b"hi")));
        for item in [r#"{"a":"$files"}"#, "[\"$files\"]", "{\"$files\""] {
            let (rest, files) = take_files(item).unwrap();
            assert_eq!((&*rest, files.len()), (item, 0));
        }
        for (files, words) in [
            ("[]", "expected an object of files"),
            (r#"{"a":"b"}"#, "expected an object with a `path`"),
            (r#"{"a":{"path":""}}"#, "expected a `path`"),
            (r#"{"a":{"base64":"%"}}"#, "expected Base64"),
            (r#"{"a":{"path":"b","mode":"7"}}"#, "unknown member `mode`"),
            (
                r#"{"a":{"path":"b","mediaType":"a\r\nb"}}"#,
                "expected one as `image/png`",
            ),
            (r#"{"a":{"path":"b","fileName":"../c"}}"#, "without a path"),
        ] {
            let error = take_files(&format!("{{\"$files\":{files}}}")).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn names_are_safe_on_every_system() {
        for (name, safe) in [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\x.txt", Some("x.txt")),
            ("a\0b\u{202e}c\r\n.txt", Some("a_b_c__.txt")),
            ("con", Some("_con")),
            ("LPT1.txt", Some("_LPT1.txt")),
            ("console.log", Some("console.log")),
            (" .. ", None),
            ("...", None),
            ("", None),
            ("a.", Some("a")),
            (".hidden", Some("hidden")),
            ("größe €.md", Some("größe €.md")),
        ] {
            assert_eq!(safe_name(name).as_deref(), safe, "{name:?}");
        }
        let long = safe_name(&"ä".repeat(4_000)).unwrap();
        assert!(long.len() <= NAME_BYTES && !long.is_empty());
    }

    #[test]
    fn media_types_are_those_of_http() {
        for good in ["image/png", "text/plain; charset=utf-8", "application/vnd.a+json"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "image",
            "image/",
            "/png",
            "image/p\r\nng",
            "a b/c",
            "text/plain; x=\r\n",
            "a/\u{e9}",
        ] {
            assert!(!is_media_type(bad), "{bad:?}");
        }
    }
}
