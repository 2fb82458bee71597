//! The request that an operation declares: which things its items change, and what a request is called in events.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::bounds::MAX_URL_BYTES;
use super::text::quoted;
use crate::canonical::CanonicalUrl;

/// The request that an operation makes for each item, as `METHOD /path`: `PUT /v1/books/{isbn}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeclaredRequest {
    method: String,
    path: PathTemplate,
}

/// A path below the base URL, in which a name in braces stands for a parameter's value: `/v1/books/{isbn}.json`.
///
/// A segment has one name at most, with or without text around it. The text is written as it is sent, in the canonical
/// form of [`CanonicalUrl`], so that a template that matches nothing cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate(String);

/// Why a text is no declared request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected {expected}, found {found}")]
pub struct DeclaredRequestError {
    expected: String,
    found: String,
}

impl DeclaredRequestError {
    fn new(expected: impl Into<String>, found: &str) -> Self {
        Self {
            expected: expected.into(),
            found: quoted(found),
        }
    }
}

impl DeclaredRequest {
    /// The request of this method and path.
    ///
    /// # Errors
    ///
    /// The method is not in upper case, both are longer than a URL may be, or the path is no template: it does not begin
    /// with `/`, has braces that do not pair up, or text that is sent in another form than it is written.
    pub fn new(method: &str, path: &str) -> Result<Self, DeclaredRequestError> {
        if method.len() + path.len() >= MAX_URL_BYTES {
            let expected = format!("at most {MAX_URL_BYTES} bytes");
            return Err(DeclaredRequestError::new(expected, path));
        }
        let is_upper_case = method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if method.is_empty() || !is_upper_case {
            return Err(DeclaredRequestError::new(
                "a method in upper case, such as `GET`",
                method,
            ));
        }
        Ok(Self {
            method: method.to_owned(),
            path: PathTemplate::parse(path)?,
        })
    }

    /// `PUT`
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// `/v1/books/{isbn}`
    #[must_use]
    pub fn path(&self) -> &PathTemplate {
        &self.path
    }
}

impl FromStr for DeclaredRequest {
    type Err = DeclaredRequestError;

    fn from_str(text: &str) -> Result<Self, DeclaredRequestError> {
        let (method, path) = text.split_once(' ').ok_or_else(|| {
            DeclaredRequestError::new("a method, a space and a path, such as `GET /books/{isbn}`", text)
        })?;
        Self::new(method, path)
    }
}

impl fmt::Display for DeclaredRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl TryFrom<String> for DeclaredRequest {
    type Error = DeclaredRequestError;

    fn try_from(text: String) -> Result<Self, DeclaredRequestError> {
        text.parse()
    }
}

impl From<DeclaredRequest> for String {
    fn from(request: DeclaredRequest) -> Self {
        request.to_string()
    }
}

impl PathTemplate {
    fn parse(text: &str) -> Result<Self, DeclaredRequestError> {
        let fault = |expected| Err(DeclaredRequestError::new(expected, text));
        if !text.starts_with('/') {
            return fault("a path that begins with `/`");
        }
        let mut filled = String::from("http://host");
        for segment in text.split('/').skip(1).map(Segment::of) {
            let Some(Segment { before, name, after }) = segment else {
                return fault(
                    "one name in braces at most in each segment of the path, such as `/books/{isbn}`",
                );
            };
            filled.extend(["/", before, name.map_or("", |_| "x"), after]);
        }
        let is_sent_as_written =
            CanonicalUrl::parse(&filled).is_ok_and(|url| url.to_string() == filled && !filled.contains('?'));
        if !is_sent_as_written {
            return fault("a path as it is sent: no query, no empty segment, other characters as `%C3%A9`");
        }
        Ok(Self(text.to_owned()))
    }

    /// The names in braces, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments().filter_map(|segment| segment.name)
    }

    /// Whether a canonical path below the base URL is one of this template. No value is empty.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let mut values = path.split('/').skip(1);
        let all = self.segments().all(|segment| {
            values.next().is_some_and(|value| {
                let inner = value
                    .strip_prefix(segment.before)
                    .and_then(|rest| rest.strip_suffix(segment.after));
                inner.is_some_and(|inner| inner.is_empty() == segment.name.is_none())
            })
        });
        all && values.next().is_none() && path.starts_with('/')
    }

    /// The template as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.0.split('/').skip(1).filter_map(Segment::of)
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands between two slashes of a template.
struct Segment<'t> {
    before: &'t str,
    name: Option<&'t str>,
    after: &'t str,
}

impl<'t> Segment<'t> {
    /// `None` where braces do not pair up, hold nothing or are there twice.
    fn of(text: &'t str) -> Option<Self> {
        let (before, name, after) = match text.split_once('{') {
            None => (text, None, ""),
            Some((before, rest)) => {
                let (name, after) = rest.split_once('}')?;
                (before, Some(name), after)
            }
        };
        let is_sound = [before, name.unwrap_or_default(), after]
            .iter()
            .all(|part| !part.contains(['{', '}']));
        (is_sound && name != Some("")).then_some(Self { before, name, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PathTemplate {
        PathTemplate::parse(text).unwrap()
    }

    #[test]
    fn a_path_is_of_its_template_segment_by_segment() {
        for (template, same, other) in [
            (
                "/v1/member/{cardNo}",
                &["/v1/member/M0", "/v1/member/a%2Fb", "/v1/member/{x}"][..],
                &[
                    "/v1/member/",
                    "/v1/member",
                    "/v1/member/M0/",
                    "/v1/member/M0/more",
                    "/v1/consumer/M0",
                    "v1/member/M0",
                    "",
                ][..],
            ),
            (
                "/books/{isbn}.json",
                &["/books/1.json", "/books/.json.json"],
                &["/books/.json", "/books/1"],
            ),
            (
                "/{kind}:find/all",
                &["/a:find/all"],
                &["/:find/all", "/a:find/al", "/a/all"],
            ),
            ("/books/", &["/books/"], &["/books", "/books/1"]),
            ("/", &["/"], &["", "/books"]),
        ] {
            for (paths, expected) in [(same, true), (other, false)] {
                for found in paths {
                    assert_eq!(path(template).matches(found), expected, "{template} {found}");
                }
            }
        }
    }

    #[test]
    fn names_are_what_stands_in_braces() {
        let names: Vec<String> = path("/a{b}/{c}.json/d").names().map(str::to_owned).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(path("/v1/points").names().count(), 0);
    }

    #[test]
    fn only_a_method_and_a_path_as_it_is_sent_are_a_request() {
        for text in ["GET /", "VERSION-CONTROL /v1/{a}/b", "POST /caf%C3%A9/{a}.{b}/"] {
            let request: Result<DeclaredRequest, _> = text.parse();
            assert_eq!(request.is_ok(), !text.contains("}.{"), "{text}");
        }
        for (text, expected) in [
            ("", "expected a method, a space and a path"),
            ("GET", "expected a method, a space and a path"),
            (
                "get /a",
                "expected a method in upper case, such as `GET`, found `get`",
            ),
            (" /a", "expected a method in upper case, such as `GET`, found ``"),
            ("GET a", "expected a path that begins with `/`, found `a`"),
            ("GET  /a", "expected a path that begins with `/`, found ` /a`"),
            ("GET https://a.example/b", "expected a path that begins with `/`"),
            ("GET /{a", "expected one name in braces at most in each segment"),
            ("GET /a}", "expected one name in braces at most in each segment"),
            ("GET /{}", "expected one name in braces at most in each segment"),
            (
                "GET /{{a}}",
                "expected one name in braces at most in each segment",
            ),
            (
                "GET /{a}{b}",
                "expected one name in braces at most in each segment",
            ),
            (
                "GET /{a/b}",
                "expected one name in braces at most in each segment",
            ),
            ("GET /a?b={c}", "expected a path as it is sent"),
            ("GET /a#b", "expected a path as it is sent"),
            ("GET /a b", "expected a path as it is sent"),
            ("GET /caf\u{e9}", "expected a path as it is sent"),
            ("GET /%7Eme", "expected a path as it is sent"),
            ("GET //a", "expected a path as it is sent"),
            ("GET /a/../b", "expected a path as it is sent"),
            (
                "GET /\u{1b}[2J",
                "expected a path as it is sent: no query, no empty segment, other characters as `%C3%A9`, found `/\\u{1b}[2J`",
            ),
        ] {
            let error = text.parse::<DeclaredRequest>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        let long = format!("GET /{}", "a".repeat(MAX_URL_BYTES - 5));
        assert!(long.parse::<DeclaredRequest>().is_ok());
        let error = format!("{long}a")
            .parse::<DeclaredRequest>()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("expected at most 2000 bytes, found `/aaa"),
            "{error}"
        );
    }
}
