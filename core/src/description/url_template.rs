//! A URL with a credential's fields in its host, port or path: `https://login.example/{tenant}/token`.
//!
//! | part | accepted |
//! | --- | --- |
//! | scheme | `https`; `http` only for the hosts of this machine: `localhost`, `127.0.0.0/8`, `[::1]` |
//! | host | a name in lower case, with fields anywhere, or an address without fields |
//! | port | none, a number that is not the scheme's own, or one field |
//! | path | as it is sent, with fields; may be absent |
//! | user information, query, fragment | refused |
//!
//! One spelling only, so that what an operator reads is what is compared.

use std::net::IpAddr;

use thiserror::Error;

use crate::canonical::{CanonicalUrl, Host, Scheme};

use super::bounds::MAX_URL_BYTES;
use super::template::{Destination, RenderError, TemplateError, TextTemplate, is_host_name};
use super::text::quoted;

/// A URL with a credential's fields in it; see the module for its form.
///
/// ```
/// use nodule_core::description::UrlTemplate;
///
/// let template = UrlTemplate::parse("https://login.example/{tenant}/token")?;
/// let url = template.resolve(|name| (name == "tenant").then_some("a/b"))?;
/// assert_eq!(url.to_string(), "https://login.example/a%2Fb/token");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    text: String,
    scheme: Scheme,
    host: TextTemplate,
    port: Option<TextTemplate>,
    path: TextTemplate,
}

/// A text is no URL with fields in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlTemplateError {
    /// A part is not as the module's table has it.
    #[error("expected {expected}, found {}", quoted(found))]
    Form {
        /// What was expected.
        expected: &'static str,
        /// The text.
        found: String,
    },
    /// Its braces.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It is longer than a URL may be.
    #[error("expected a URL of at most {MAX_URL_BYTES} bytes, found {0}")]
    TooLong(usize),
}

impl UrlTemplate {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// A part is refused by the module's table.
    pub fn parse(text: &str) -> Result<Self, UrlTemplateError> {
        let fault = |expected| UrlTemplateError::Form {
            expected,
            found: text.to_owned(),
        };
        if text.len() > MAX_URL_BYTES {
            return Err(UrlTemplateError::TooLong(text.len()));
        }
        let (scheme, rest) = [Scheme::Https, Scheme::Http]
            .into_iter()
            .find_map(|scheme| {
                let rest = text.strip_prefix(scheme.as_str())?.strip_prefix("://")?;
                Some((scheme, rest))
            })
            .ok_or_else(|| fault("a URL that begins with `https://`"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let template = Self {
            text: text.to_owned(),
            scheme,
            host: TextTemplate::parse(host)?,
            port: port.map(TextTemplate::parse).transpose()?,
            path: TextTemplate::parse(path)?,
        };
        if !template.parts().all(TextTemplate::is_for_urls) {
            return Err(fault("only fields in braces in a URL"));
        }
        if !is_plain_host(&template.host.with_each("x")) {
            return Err(fault("a host's name in lower case, without user information"));
        }
        if !template.port.as_ref().is_none_or(|port| is_port(port, scheme)) {
            return Err(fault("a port that is not the scheme's own, or one field"));
        }
        let path = template.path.with_each("x");
        let filled = format!("https://host{path}");
        let is_sent_as_written = path.is_empty()
            || CanonicalUrl::parse(&filled)
                .is_ok_and(|url| url.to_string() == filled && url.query().is_none());
        if !is_sent_as_written {
            return Err(fault("a path as it is sent, without a query and a fragment"));
        }
        if scheme == Scheme::Http && !is_of_this_machine(host) {
            return Err(fault(
                "`https://`, since only the hosts of this machine are reached by `http://`",
            ));
        }
        Ok(template)
    }

    fn parts(&self) -> impl Iterator<Item = &TextTemplate> {
        [&self.host].into_iter().chain(&self.port).chain([&self.path])
    }

    /// The names of the fields in it, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts().flat_map(TextTemplate::fields)
    }

    pub(super) fn host(&self) -> &TextTemplate {
        &self.host
    }

    /// Whether nothing stands after host and port.
    pub(super) fn is_origin(&self) -> bool {
        self.path.as_str().is_empty()
    }

    /// The URL with the fields filled in. `value` returns the value of the field with a name.
    ///
    /// # Errors
    ///
    /// A field has no value, or one that cannot go there.
    pub fn resolve<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Result<CanonicalUrl, RenderError> {
        let authority = self.authority(&value)?;
        let path = self.path.render(&value, Destination::UrlPath)?;
        CanonicalUrl::from_parts(self.scheme.as_str(), &authority, &path).map_err(|_| self.unfit())
    }

    /// Host and port with the fields filled in.
    fn authority<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Result<String, RenderError> {
        let mut authority = if self.host.fields().next().is_some() {
            self.host.render(&value, Destination::UrlHost)?
        } else {
            self.host.as_str().to_owned()
        };
        if let Some(port) = &self.port {
            // A number, as of a path's part: digits are not encoded.
            let number = port.render(&value, Destination::UrlPath)?;
            if !is_port_number(&number) {
                return Err(self.unfit());
            }
            authority.push(':');
            authority.push_str(&number);
        }
        Ok(authority)
    }

    fn unfit(&self) -> RenderError {
        RenderError::Whole {
            template: self.text.clone(),
            expected: "a URL",
        }
    }

    /// The URL as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn is_port(port: &TextTemplate, scheme: Scheme) -> bool {
    if port.fields().next().is_some() {
        return port.fields().count() == 1 && port.with_each("").is_empty();
    }
    is_port_number(port.as_str()) && port.as_str() != scheme.default_port().to_string()
}

fn is_port_number(text: &str) -> bool {
    text.parse::<u16>()
        .is_ok_and(|port| port != 0 && port.to_string() == text)
}

/// Whether a host without fields is a name or an address as [`CanonicalUrl`] spells it.
fn is_plain_host(host: &str) -> bool {
    is_host_name(host) || address(host).is_some()
}

fn address(host: &str) -> Option<IpAddr> {
    let url = CanonicalUrl::parse(&format!("https://{host}/")).ok()?;
    match url.host() {
        Host::Address(address) if url.host().to_string() == host => Some(*address),
        _ => None,
    }
}

fn is_of_this_machine(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
