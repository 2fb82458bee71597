//! A declared path with parameter names in braces: `/v1/member/{cardNo}`.
//!
//! | segment | meaning |
//! | --- | --- |
//! | `{cardNo}` | the parameter `cardNo`: any one non-empty segment |
//! | `{isbn}.json`, `card-{no}`, `{name}:cancel` | the parameter with text around it |
//! | `member` | the same text, byte for byte |
//! | `{}`, `{a}{b}`, `{a`, an empty segment unless it is the last | refused |
//!
//! A parameter's value is never empty. Most services treat `/v1/member/`, a member path with an empty number, as
//! `/v1/member` and respond with all members. A request that leaves a value out is a different request and must not
//! match.
//!
//! Fixed text is written as it is sent, in the form of [`CanonicalUrl`]: a template that no request could match is
//! refused.

use std::fmt;

use thiserror::Error;

use crate::canonical::CanonicalUrl;
use crate::text::shown;

/// A path with parameter names in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate(String);

/// The text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected {expected}, found `{found}`")]
pub struct PathTemplateError {
    expected: &'static str,
    found: String,
}

/// Longer templates are cut in messages.
const SHOWN_CHARS: usize = 60;

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// The text does not begin with `/`, its braces do not pair up, or its fixed text is not in canonical form.
    pub fn parse(text: &str) -> Result<Self, PathTemplateError> {
        let fault = |expected| {
            let found = shown(text, SHOWN_CHARS);
            Err(PathTemplateError { expected, found })
        };
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

    /// The names of its parameters, in order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments().filter_map(|segment| segment.name)
    }

    /// Whether a canonical path below the base URL, without its query, matches this template.
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

    /// The template as it was written.
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

/// The text between two slashes of a template.
struct Segment<'t> {
    before: &'t str,
    name: Option<&'t str>,
    after: &'t str,
}

impl<'t> Segment<'t> {
    /// `None` if braces do not pair up, are empty or occur twice.
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

    fn template(text: &str) -> PathTemplate {
        PathTemplate::parse(text).unwrap()
    }

    #[test]
    fn a_path_is_of_its_template_segment_by_segment() {
        for (text, same, other) in [
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
                    assert_eq!(template(text).matches(found), expected, "{text} {found}");
                }
            }
        }
    }

    #[test]
    fn the_parameters_are_named_in_their_order() {
        let names: Vec<String> = template("/a{b}/{c}.json/d")
            .parameters()
            .map(str::to_owned)
            .collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(template("/v1/points").parameters().count(), 0);
    }

    #[test]
    fn what_matches_no_request_is_refused() {
        for (text, expected) in [
            ("", "expected a path that begins with `/`, found ``"),
            ("https://a.example/b", "expected a path that begins with `/`"),
            ("/{a", "expected one name in braces at most in each segment"),
            ("/a}", "expected one name in braces at most in each segment"),
            ("/{}", "expected one name in braces at most in each segment"),
            ("/{{a}}", "expected one name in braces at most in each segment"),
            ("/{a}{b}", "expected one name in braces at most in each segment"),
            ("/{a/b}", "expected one name in braces at most in each segment"),
            ("/a?b={c}", "expected a path as it is sent"),
            ("/a#b", "expected a path as it is sent"),
            ("/a b", "expected a path as it is sent"),
            ("/caf\u{e9}", "expected a path as it is sent"),
            ("/%7Eme", "expected a path as it is sent"),
            ("//a", "expected a path as it is sent"),
            ("/a/../b", "expected a path as it is sent"),
            (
                "/\u{1b}[2J",
                "expected a path as it is sent: no query, no empty segment, other characters as `%C3%A9`, found `/\\u{1b}[2J`",
            ),
        ] {
            let error = PathTemplate::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        assert_eq!(template("/caf%C3%A9/{a}/").as_str(), "/caf%C3%A9/{a}/");
    }
}
