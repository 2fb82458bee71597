//! Where else a node wants to go: `https://uploads.example.com`, `https://{bucket}.s3.{region}.amazonaws.com`,
//! `https://*.example.com`.
//!
//! | part | accepted |
//! | --- | --- |
//! | scheme, host, port | as of a [`UrlTemplate`] |
//! | `*` | the first label of a name that ends in at least two labels of fixed text; it stands for exactly one label |
//! | everything after it | refused |
//!
//! A pattern is a wish. It becomes a [`ResolvedOrigin`] with the fields of the bound credential; an operator grants that,
//! and it is compared with canonical URLs only. These have one spelling for each origin (no user information, no
//! trailing dot, no port that is the scheme's own, names in their `xn--` form), so no look-alike matches.

use std::fmt;

use crate::canonical::{CanonicalUrl, Host};

use super::template::RenderError;
use super::text::quoted;
use super::url_template::{UrlTemplate, UrlTemplateError};

/// An origin of a description; see the module for its form.
///
/// ```
/// use nodule_core::canonical::CanonicalUrl;
/// use nodule_core::description::OriginPattern;
///
/// let pattern = OriginPattern::parse("https://{bucket}.s3.{region}.amazonaws.com")?;
/// let origin = pattern.resolve(|field| match field {
///     "bucket" => Some("books"),
///     "region" => Some("eu-west-1"),
///     _ => None,
/// })?;
/// assert_eq!(origin.to_string(), "https://books.s3.eu-west-1.amazonaws.com");
/// assert!(origin.matches(&CanonicalUrl::parse("https://books.s3.eu-west-1.amazonaws.com/a?b")?));
/// assert!(!origin.matches(&CanonicalUrl::parse("https://other.s3.eu-west-1.amazonaws.com/a?b")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    text: String,
    any_label: bool,
    /// Without the `*.`.
    url: UrlTemplate,
}

/// An origin with the fields of a credential filled in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResolvedOrigin {
    any_label: bool,
    /// Without the `*.`.
    url: CanonicalUrl,
}

impl OriginPattern {
    /// Reads an origin.
    ///
    /// # Errors
    ///
    /// It is refused by the module's table.
    pub fn parse(text: &str) -> Result<Self, UrlTemplateError> {
        let fault = |expected| {
            Err(UrlTemplateError::Form {
                expected,
                found: text.to_owned(),
            })
        };
        let (any_label, url) = match text.split_once("://*.") {
            Some((scheme, rest)) => (true, UrlTemplate::parse(&format!("{scheme}://{rest}"))),
            None => (false, UrlTemplate::parse(text)),
        };
        let url = match url {
            Err(UrlTemplateError::Form { expected, .. }) => return fault(expected),
            other => other?,
        };
        if !url.is_origin() {
            return fault("nothing after the host and port");
        }
        if any_label && !ends_in_fixed_labels(&url) {
            return fault(
                "at least two labels of fixed text at the end of the host, such as `*.example.com`",
            );
        }
        Ok(Self {
            text: text.to_owned(),
            any_label,
            url,
        })
    }

    /// The names of the fields in it, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.url.fields()
    }

    /// The origin with the fields filled in. `value` returns the value of the field with a name.
    ///
    /// # Errors
    ///
    /// A field has no value, or one that cannot stand in a host.
    pub fn resolve<'v>(
        &self,
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<ResolvedOrigin, RenderError> {
        Ok(ResolvedOrigin {
            any_label: self.any_label,
            url: self.url.resolve(value)?,
        })
    }

    /// The origin as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ResolvedOrigin {
    /// Whether a URL has this origin.
    #[must_use]
    pub fn matches(&self, url: &CanonicalUrl) -> bool {
        if !self.any_label {
            return self.url.same_origin(url);
        }
        let (Host::Name(end), Host::Name(name)) = (self.url.host(), url.host()) else {
            return false;
        };
        let label = name
            .strip_suffix(end.as_str())
            .and_then(|rest| rest.strip_suffix('.'));
        label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
            && (self.url.scheme(), self.url.port()) == (url.scheme(), url.port())
    }

    /// Whether its first label is a `*`.
    #[must_use]
    pub fn has_any_label(&self) -> bool {
        self.any_label
    }
}

impl fmt::Display for ResolvedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = if self.any_label { "*." } else { "" };
        write!(f, "{}://{any}{}", self.url.scheme(), self.url.authority())
    }
}

/// Whether the last two labels are fixed text: else `*.{field}` could be every host of a country.
fn ends_in_fixed_labels(url: &UrlTemplate) -> bool {
    // No host contains a question mark, so it marks where fields are.
    let host = url.host().with_each("?");
    let mut labels = host.rsplit('.');
    let mut fixed = || labels.next().is_some_and(|label| !label.contains(['?', ']']));
    fixed() && fixed() && !host.ends_with(|last: char| last.is_ascii_digit())
}

/// The name of an origin in messages about a description.
pub(super) fn origin_at(url: &str) -> String {
    format!("origin {}", quoted(url))
}

#[cfg(test)]
mod tests;
