//! The path that an operation declares, with names where the values stand: `/v1/member/{cardNo}`.
//!
//! | segment | what it is |
//! | --- | --- |
//! | `{cardNo}` | the parameter `cardNo`: any one segment that is not empty |
//! | `member` | itself, byte for byte |
//! | `{}`, `card-{no}`, `{a}{b}` | itself: a parameter has a name, and fills its segment |
//!
//! A parameter's value is never empty. `/v1/member/` is not the path of one member whose number is empty; most services answer it
//! as `/v1/member`, with all of them. A request with a value left out is another request, and has to look like one.
//!
//! A node may declare any text, so that nothing is refused here.

use std::fmt;

/// A path with names where the values stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate(String);

impl PathTemplate {
    /// Reads a template.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of its parameters, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter_map(parameter)
    }

    /// Whether a path, without its query, is this template with values for its parameters.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let (mut expected, mut found) = (self.0.split('/'), path.split('/'));
        loop {
            match (expected.next(), found.next()) {
                (None, None) => return true,
                (Some(expected), Some(found)) if is_filled(expected, found) => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of the parameter that a segment stands for.
fn parameter(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let is_name = !name.is_empty() && !name.contains(['{', '}']);
    is_name.then_some(name)
}

fn is_filled(expected: &str, found: &str) -> bool {
    if parameter(expected).is_some() {
        !found.is_empty()
    } else {
        found == expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(template: &str, path: &str) -> bool {
        PathTemplate::parse(template).matches(path)
    }

    #[test]
    fn a_parameter_takes_one_whole_segment() {
        assert!(matches("/v1/member/{cardNo}", "/v1/member/M0"));
        assert!(matches("/v1/member/{cardNo}", "/v1/member/a%2Fb"));
        assert!(matches("/v1/{a}/points/{b}", "/v1/x/points/y"));
        assert!(!matches("/v1/member/{cardNo}", "/v1/member"));
        assert!(!matches("/v1/member/{cardNo}", "/v1/member/M0/more"));
        assert!(!matches("/v1/member/{cardNo}", "/v1/member/M0/"));
    }

    #[test]
    fn a_parameter_takes_no_empty_segment() {
        assert!(!matches("/v1/member/{cardNo}", "/v1/member/"));
        assert!(!matches("/v1/{a}/points", "/v1//points"));
    }

    #[test]
    fn what_is_no_parameter_matches_itself_alone() {
        assert!(matches("/v1/member", "/v1/member"));
        assert!(!matches("/v1/member/{cardNo}", "/v1/consumer/M0"));
        assert!(!matches("/v1/member", "/v1/Member"));
        assert!(matches("/v1/", "/v1/"));
        assert!(!matches("/v1/", "/v1"));
        for literal in ["{}", "{", "}", "card-{no}", "{a}{b}", "{a", "a}"] {
            assert!(matches(literal, literal), "{literal}");
            assert!(!matches(literal, "x"), "{literal}");
        }
    }

    #[test]
    fn the_parameters_are_named_in_their_order() {
        let template = PathTemplate::parse("/v1/{b}/points/{a}/card-{no}/{}");
        assert_eq!(template.parameters().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(PathTemplate::parse("/v1/points").parameters().count(), 0);
    }

    #[test]
    fn a_template_is_shown_as_it_was_written() {
        let template = PathTemplate::parse("/v1/{b}");
        assert_eq!(template.to_string(), "/v1/{b}");
        assert_eq!(template.as_str(), "/v1/{b}");
    }
}
