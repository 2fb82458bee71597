//! Files that go with an item, and files that come out of it. Their bytes stay with the host, unless a function asks for them.

use crate::answer;
use crate::bindings::exports::workflow::node::execution::ItemResult;
use crate::bindings::exports::workflow::node::types::{Failure, Output as OutputItem, Problem};
use crate::http::{Headers, Request, Response};
use crate::item::{Item, output};
use crate::json::{Members, push_quoted};
use crate::pages::{Output, by};
use crate::percent;
use crate::table::kind::Id;

pub use crate::bindings::exports::workflow::node::files_by_turns::{Content, File, Given, Part, Slice};
pub use crate::transport::files::Kept;

/// As much as the host reads at once.
const PIECE_BYTES: u32 = 256 * 1_024;

/// A file of the item, and its place among them.
#[derive(Clone, Debug)]
pub struct ItemFile {
    /// For [`Slice::file`].
    pub index: u32,
    /// What is known of it.
    pub about: File,
}

impl ItemFile {
    /// All of it, as a part of a body.
    pub fn whole(&self) -> Part {
        Part::File(Slice {
            file: self.index,
            offset: 0,
            length: None,
        })
    }

    /// A piece of it, as a part of a body.
    pub fn piece(&self, offset: u64, length: u64) -> Part {
        Part::File(Slice {
            file: self.index,
            offset,
            length: Some(length),
        })
    }

    /// Its media type; without one, that of any bytes.
    pub fn media_type(&self) -> &str {
        self.about
            .media_type
            .as_deref()
            .unwrap_or("application/octet-stream")
    }

    /// Its name; without one, its key.
    pub fn name(&self) -> &str {
        self.about.file_name.as_deref().unwrap_or(&self.about.key)
    }
}

impl Item<'_> {
    /// The file that a parameter of the kind `file` names; nothing where it has no value.
    pub fn file(&self, parameter: &str) -> Option<ItemFile> {
        let key = self.text(parameter);
        if key.is_empty() {
            return None;
        }
        let files = self.client.requests.files.of_item.borrow();
        (0..)
            .zip(files.iter())
            .find(|(_, file)| file.key == key)
            .map(|(index, about)| ItemFile {
                index,
                about: about.clone(),
            })
    }

    /// A piece of a file, up to `length` bytes of it; less at its end, and nothing behind it.
    pub async fn read(&self, file: &ItemFile, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
        let read = self.client.requests.read(file.index, offset, length).await;
        let response = read.map_err(|broken| answer::failure_of(broken, &self.client.base))?;
        Ok(response.body)
    }

    /// Gives a file with the output at this place, which the item returns at its end.
    pub fn give(&self, output: usize, given: Given) {
        self.client
            .requests
            .files
            .given
            .borrow_mut()
            .push((output, given));
    }

    /// Gives the body of an answer that was [kept](crate::Request::keep) with the output at this place.
    pub fn give_kept(&self, output: usize, key: &str, response: &Response, name: Option<String>) {
        let Some(kept) = response.kept else { return };
        self.give(
            output,
            Given {
                key: key.to_owned(),
                file_name: name,
                media_type: media_type(&*response.headers),
                content: Content::Kept(kept.id),
            },
        );
    }

    /// Refuses a parameter that names a file which the item does not have. A host that knows the description did so before.
    pub(crate) fn refuse_missing_files(&self) -> Result<(), Failure> {
        let missing = self.fields.iter().filter(|field| {
            field.parameter.kind.id() == Id::File && self.file(field.parameter.name).is_none()
        });
        let problems: Vec<Problem> = missing
            .map(|field| Problem {
                pointer: ["/", field.parameter.name].concat(),
                label: field.parameter.label.to_owned(),
                message: "expected the key of a file of the item".to_owned(),
            })
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Failure::InvalidParameters(problems))
        }
    }
}

/// The body of the answer is a file, under the key that this parameter says. The output says what is known of it: `fileName`,
/// `mediaType`, `size`.
pub const fn download(key: &'static str) -> Output {
    let mut output = by(|item| Box::pin(keep_answer(item))).giving_files().schema(&[
        r#""type":"object","properties":{"fileName":{"type":"string"},"mediaType":{"type":"string"},"size":{"type":"integer"}}"#,
    ]);
    output.file_key = key;
    output
}

#[cfg(feature = "origins")]
impl Output {
    /// An answer that redirects a [`download`] is followed, once. Where it leads to, the service has to declare as an origin; access
    /// goes there only where the declaration says so.
    #[must_use]
    pub const fn followed(mut self) -> Self {
        self.run = Some(|item| Box::pin(keep_redirected(item)));
        self
    }
}

async fn keep_answer(item: &Item<'_>) -> ItemResult {
    item.download(item.request(), file_key(item)).await
}

#[cfg(feature = "origins")]
async fn keep_redirected(item: &Item<'_>) -> ItemResult {
    let request = item.request().keep();
    let (target, usual) = (request.target.clone(), request.usual);
    match item.client.send(request).await {
        Ok(response) if response.kept.is_some() => Ok(item.downloaded(&response, &target, file_key(item))),
        Ok(response) if matches!(response.status, 301 | 302 | 303 | 307 | 308) => {
            let Some(url) = response.headers.get("location") else {
                return Err(item.client.failure(Ok(response)));
            };
            let (client, request) = item.client.at_url(&url)?;
            let response = client.success(request.usual(usual).keep()).await?;
            Ok(item.downloaded(&response, &target, file_key(item)))
        }
        other => Err(item.client.failure(other)),
    }
}

/// What the parameter says that the table names.
fn file_key<'a>(item: &'a Item<'_>) -> &'a str {
    let key = item.text(item.plan.operation.output.file_key);
    if key.is_empty() { "data" } else { key }
}

impl Item<'_> {
    /// Sends a request and gives the body of its answer as a file, under this key: what [`download`] does with the request of the
    /// table. The output says what is known of the file.
    pub async fn download(&self, request: Request, key: &str) -> ItemResult {
        let target = request.target.clone();
        let response = self.client.success(request.keep()).await?;
        Ok(self.downloaded(&response, &target, key))
    }

    fn downloaded(&self, response: &Response, target: &str, key: &str) -> Vec<OutputItem> {
        let name = file_name(&*response.headers).or_else(|| last_of_path(target));
        let mut about = Members::new();
        if let Some(name) = &name {
            push_quoted(about.push("fileName"), name);
        }
        if let Some(media_type) = media_type(&*response.headers) {
            push_quoted(about.push("mediaType"), &media_type);
        }
        if let Some(size) = response.kept.and_then(|kept| kept.size) {
            about.push("size").push_str(&size.to_string());
        }
        self.give_kept(0, key, response, name);
        vec![output(about.finish())]
    }

    /// All of a file, for a service that wants it within JSON: it goes through the node's memory.
    pub async fn read_all(&self, file: &ItemFile) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        loop {
            let offset = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let mut piece = self.read(file, offset, PIECE_BYTES).await?;
            if piece.is_empty() {
                return Ok(bytes);
            }
            bytes.append(&mut piece);
        }
    }
}

/// The media type that an answer says.
pub fn media_type(headers: &dyn Headers) -> Option<String> {
    headers.get("content-type").filter(|text| !text.is_empty())
}

/// The name that an answer says (RFC 6266), as it came: the host makes a safe one of it.
pub fn file_name(headers: &dyn Headers) -> Option<String> {
    let header = headers.get("content-disposition")?;
    let mut plain = None;
    for (name, value) in parameters(&header) {
        if name.eq_ignore_ascii_case("filename*") {
            // RFC 8187: charset, language, value.
            let mut parts = value.splitn(3, '\'');
            if let (Some(charset), Some(_), Some(encoded)) = (parts.next(), parts.next(), parts.next())
                && charset.eq_ignore_ascii_case("utf-8")
                && let Some(name) = percent::decoded(encoded)
            {
                return Some(name);
            }
        } else if name.eq_ignore_ascii_case("filename") {
            plain.get_or_insert(value);
        }
    }
    plain.filter(|name| !name.is_empty())
}

/// The parameters of a header, texts in quotes without them.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((_, after)) = rest.split_once(';') {
        let Some((name, value)) = after.split_once('=') else {
            break;
        };
        let (value, after) = if let Some(quoted) = value.trim_start().strip_prefix('"') {
            unquoted(quoted)
        } else {
            let end = value.find(';').unwrap_or(value.len());
            let (value, after) = value.split_at(end);
            (value.trim().to_owned(), after)
        };
        found.push((name.trim().to_owned(), value));
        rest = after;
    }
    found
}

/// A text up to its quote, and what stands behind that.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

/// The last part of a path, decoded.
fn last_of_path(target: &str) -> Option<String> {
    let path = target.split('?').next()?;
    let last = path.rsplit('/').next()?;
    percent::decoded(last).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(&'static str);

    impl Headers for One {
        fn get(&self, name: &str) -> Option<String> {
            (name == "content-disposition").then(|| self.0.to_owned())
        }
    }

    #[test]
    fn the_name_of_a_file_is_found() {
        for (header, name) in [
            ("attachment; filename=\"a b.txt\"", Some("a b.txt")),
            ("attachment; filename=plain.txt; size=3", Some("plain.txt")),
            (
                "attachment; filename=\"x;y=\\\"z\\\".txt\"; a=b",
                Some("x;y=\"z\".txt"),
            ),
            (
                "attachment; filename=\"EURO.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt",
                Some("€ rates.txt"),
            ),
            (
                "attachment; filename*=iso-8859-1''%A3; filename=pound",
                Some("pound"),
            ),
            (
                "attachment; filename=\"../../etc/passwd\"",
                Some("../../etc/passwd"),
            ),
            ("inline", None),
            ("attachment; filename=\"\"", None),
            ("attachment; filename=\"open", Some("open")),
        ] {
            assert_eq!(file_name(&One(header)).as_deref(), name, "{header}");
        }
    }

    #[test]
    fn without_one_it_is_the_last_of_the_path() {
        assert_eq!(last_of_path("/a/b%20c.txt?x=/y").as_deref(), Some("b c.txt"));
        assert_eq!(last_of_path("/a/"), None);
    }
}
