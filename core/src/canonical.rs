//! The canonical form of a URL, which is checked, logged, recorded and sent.
//!
//! A node can bypass a policy that checks one spelling of a URL while the host sends another. The host therefore
//! converts each requested URL to a [`CanonicalUrl`] or refuses it. There is no other way to make a request, and the
//! host sends the canonical form.
//!
//! | part | accepted | becomes | refused |
//! | --- | --- | --- | --- |
//! | scheme | `http`, `https`, in any case | lower case | every other |
//! | user info | | | any `@` or `%40` before the path |
//! | host name | ASCII letters, digits, `-`, `_` in labels of at most 63, 253 in all; valid `xn--` labels | lower case, one trailing dot removed | `%`, `\`, an empty label, any non-ASCII text: its `xn--` form has to be asked for, and listed, as such |
//! | host address | `[…]`, dotted IPv4, and what WHATWG reads as IPv4: `2130706433`, `0x7f.1`, `0177.0.0.1` | the address | what ends in a number and is no address; a zone |
//! | port | 1 to 65535, or none | the number; the scheme's own is not written | 0, an empty one, signs |
//! | path | RFC 3986 characters, complete `%XX` | starts with `/`; `%XX` of letters, digits, `-._~` decoded, other hexadecimal digits in upper case | `//`, `.` and `..` segments, also as `%2e` or before a `;`, `\`, spaces, control and non-ASCII characters |
//! | query | what may stand in a request line | unchanged | spaces, `"<>`, control and non-ASCII characters |
//! | fragment | | | any `#` |
//!
//! `%2F` and `%5C` are data and stay as they are: an item's `a/b` in a path parameter becomes `a%2Fb`, one segment.
//! Where a *path rule* applies (the path of an allow entry, or of a credential's base URL), both readings of the path
//! must be below it; see [`PathPrefix`].
//!
//! Errors show the offending character, segment or host, but never the query.

mod path;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

pub use path::{PathMismatch, PathPrefix};

/// Most servers refuse longer request lines. Longer data belongs in a body.
pub const URL_BYTES: usize = 16 * 1024;

/// All characters that RFC 3986 does not call unreserved: percent-encoded, a text stands for itself in any part of a URL.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The name as a URL spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URL that names none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Reads a scheme, in any case.
    ///
    /// # Errors
    ///
    /// The scheme is neither `http` nor `https`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        [Self::Http, Self::Https]
            .into_iter()
            .find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
            .ok_or_else(|| UrlError::Scheme { found: shown(text) })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A host: a name that is yet to be resolved, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// Lower-case ASCII, without a trailing dot.
    Name(String),
    /// The address, whichever notation the URL used.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A URL in its canonical form; see the [module](self).
///
/// ```
/// use nodule_core::canonical::CanonicalUrl;
///
/// let url = CanonicalUrl::parse("HTTPS://API.example.com.:443/v1/%7Eme/a%2fb?q=%2f")?;
/// assert_eq!(url.to_string(), "https://api.example.com/v1/~me/a%2Fb?q=%2f");
/// assert!(CanonicalUrl::parse("https://good.example@evil.example/").is_err());
/// # Ok::<(), nodule_core::canonical::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CanonicalUrl {
    scheme: Scheme,
    host: Host,
    port: u16,
    uri: Uri,
}

impl CanonicalUrl {
    /// Reads a whole URL.
    ///
    /// # Errors
    ///
    /// The [table](self) refuses it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, authority, path_and_query) = split(text)?;
        Self::from_parts(scheme, authority, path_and_query)
    }

    /// Reads a URL from the parts of a WASI request. An empty path becomes `/`.
    ///
    /// # Errors
    ///
    /// The [table](self) refuses it.
    pub fn from_parts(scheme: &str, authority: &str, path_and_query: &str) -> Result<Self, UrlError> {
        let bytes = scheme.len() + authority.len() + path_and_query.len();
        if bytes > URL_BYTES {
            return Err(UrlError::TooLong { bytes });
        }
        let scheme = Scheme::parse(scheme)?;
        let (host, port) = parse_authority(authority, scheme)?;
        let uri = Uri::builder()
            .scheme(scheme.as_str())
            .authority(authority_text(scheme, &host, port))
            .path_and_query(canonical_path_and_query(path_and_query)?.as_ref())
            .build()
            .map_err(|_| UrlError::Unsendable)?;
        Ok(Self {
            scheme,
            host,
            port,
            uri,
        })
    }

    /// Like [`from_parts`](Self::from_parts), with a fast path for an origin that is spelled like that of an already
    /// canonical URL.
    ///
    /// # Errors
    ///
    /// As [`CanonicalUrl::parse`].
    pub fn from_parts_beside(
        known: &Self,
        scheme: &str,
        authority: &str,
        path_and_query: &str,
    ) -> Result<Self, UrlError> {
        let known_authority = known.uri.authority().map(http::uri::Authority::as_str);
        let bytes = scheme.len() + authority.len() + path_and_query.len();
        if scheme != known.scheme.as_str() || Some(authority) != known_authority || bytes > URL_BYTES {
            return Self::from_parts(scheme, authority, path_and_query);
        }
        let path_and_query = canonical_path_and_query(path_and_query)?;
        let mut parts = known.uri.clone().into_parts();
        parts.path_and_query = Some(path_and_query.parse().map_err(|_| UrlError::Unsendable)?);
        Ok(Self {
            scheme: known.scheme,
            host: known.host.clone(),
            port: known.port,
            uri: Uri::from_parts(parts).map_err(|_| UrlError::Unsendable)?,
        })
    }

    /// Reads the URL of a request.
    ///
    /// # Errors
    ///
    /// The [table](self) refuses it, or it has no scheme or no authority.
    pub fn from_uri(uri: &Uri) -> Result<Self, UrlError> {
        let scheme = uri.scheme_str().ok_or(UrlError::NoScheme)?;
        let authority = uri.authority().ok_or(UrlError::NoScheme)?.as_str();
        Self::from_parts(
            scheme,
            authority,
            uri.path_and_query().map_or("", |both| both.as_str()),
        )
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, even if the URL does not name it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header: the host, and the port unless it is the scheme's default.
    #[must_use]
    pub fn authority(&self) -> String {
        authority_text(self.scheme, &self.host, self.port)
    }

    /// Scheme, host and port as an allow entry spells them: `https://api.example.com:8443`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority())
    }

    /// The path, as it is sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The text after the `?`, as the node wrote it.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// The URL in the type that the HTTP client takes.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether both URLs have the same scheme, host and port.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        (self.scheme, self.port) == (other.scheme, other.port) && self.host == other.host
    }

    /// Whether this URL has the origin of `base` and both readings of its path are below the path of `base`. Only such
    /// a URL may carry data of a credential that is bound to `base`.
    #[must_use]
    pub fn is_below(&self, base: &Self) -> bool {
        Base::new(base.clone()).covers(self)
    }
}

/// A credential's base URL, prepared for comparisons.
#[derive(Debug, Clone)]
pub struct Base {
    url: CanonicalUrl,
    /// `None` if the path cannot be a prefix.
    prefix: Option<PathPrefix>,
}

impl Base {
    /// Prepares a base URL.
    #[must_use]
    pub fn new(url: CanonicalUrl) -> Self {
        let prefix = PathPrefix::parse(url.path()).ok();
        Self { url, prefix }
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &CanonicalUrl {
        &self.url
    }

    /// Whether a URL [is below](CanonicalUrl::is_below) it.
    pub fn covers(&self, url: &CanonicalUrl) -> bool {
        url.same_origin(&self.url)
            && self
                .prefix
                .as_ref()
                .is_some_and(|prefix| prefix.check(url.path()).is_ok())
    }
}

impl fmt::Display for CanonicalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// Why a URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is not an absolute URL.
    #[error("expected a URL such as `https://api.example.com/v1`, found one without scheme or host")]
    NoScheme,
    /// Its scheme is neither `http` nor `https`.
    #[error("scheme: expected `http` or `https`, found `{found}`")]
    Scheme {
        /// What was found.
        found: String,
    },
    /// It has user information before the host, which can make one host look like another.
    #[error("host: expected no user info, found an `@` before the path")]
    UserInfo,
    /// The host contains non-ASCII characters.
    #[error("host: expected ASCII, found `{found}`{}", written_as(ascii.as_deref()))]
    NotAscii {
        /// What was found.
        found: String,
        /// The same name in its `xn--` form, if it has one.
        ascii: Option<String>,
    },
    /// The host is neither a name nor an address.
    #[error("host: expected a name or an address, found `{found}`: {why}")]
    Host {
        /// What was found.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The port is not valid.
    #[error("port: expected 1 to 65535, found `{found}`")]
    Port {
        /// What was found.
        found: String,
    },
    /// The path does not start with `/`.
    #[error("path: expected it to start with `/`")]
    Relative,
    /// A character that has to be percent-encoded, or that must not be sent at all.
    #[error("{part}: expected `{}` percent-encoded, found it as it is", found.escape_default())]
    Character {
        /// `path` or `query`.
        part: &'static str,
        /// The character.
        found: char,
    },
    /// A percent sign is not followed by two hexadecimal digits.
    #[error("path: expected two hexadecimal digits after each `%`")]
    Escape,
    /// A path rule contains an encoded separator, so the two readings of a path would disagree about it.
    #[error("path: expected a rule without an encoded `{found}`")]
    EncodedSeparator {
        /// The character that is encoded in the rule.
        found: char,
    },
    /// The path has two slashes in a row, which some servers read as one and others as the start of a host.
    #[error("path: expected text between slashes, found `//`")]
    EmptySegment,
    /// A segment is `.` or `..`.
    #[error("path: expected no `.` and `..` segments, found `{found}`")]
    DotSegment {
        /// The segment, decoded.
        found: String,
    },
    /// The URL has a fragment, which is never sent.
    #[error("expected no fragment, found `#`")]
    Fragment,
    /// It is longer than [`URL_BYTES`].
    #[error("expected a URL of at most {URL_BYTES} bytes, found {bytes}")]
    TooLong {
        /// The length that was found.
        bytes: usize,
    },
    /// The HTTP client refuses it.
    #[error("expected a URL that can be written in a request line")]
    Unsendable,
}

impl UrlError {
    /// What to write instead, if there is one remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotAscii {
                ascii: Some(ascii), ..
            } => Some(format!(
                "write the host as `{ascii}`, after making sure that it is the one you mean"
            )),
            Self::UserInfo => Some("give the user and password as a credential".to_owned()),
            Self::EmptySegment | Self::DotSegment { .. } => {
                Some("the node has to percent-encode path parameters and refuse empty ones".to_owned())
            }
            _ => None,
        }
    }
}

fn written_as(ascii: Option<&str>) -> String {
    ascii.map_or_else(String::new, |ascii| format!(", which is `{ascii}`"))
}

/// Makes untrusted text safe for an error: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN_CHARS: usize = 100;
    crate::text::shown(text, SHOWN_CHARS)
}

/// Splits a URL into scheme, authority, and the rest with its `/` or `?`.
pub(crate) fn split(text: &str) -> Result<(&str, &str, &str), UrlError> {
    let is_scheme = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let (scheme, rest) = text
        .split_once("://")
        .filter(|(scheme, _)| is_scheme(scheme))
        .ok_or(UrlError::NoScheme)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path_and_query) = rest.split_at(end);
    Ok((scheme, authority, path_and_query))
}

/// Reads host and port; the [table](self) says which hosts are valid.
pub(crate) fn parse_authority(authority: &str, scheme: Scheme) -> Result<(Host, u16), UrlError> {
    if authority.contains('@') || authority.contains("%40") {
        return Err(UrlError::UserInfo);
    }
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of `[::1]` belong to the address.
        Some((_, port)) if port.ends_with(']') => (authority, None),
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
    Ok((parse_host(host)?, port))
}

fn parse_port(text: &str) -> Result<u16, UrlError> {
    Some(text)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|port| *port != 0)
        .ok_or_else(|| UrlError::Port { found: shown(text) })
}

fn parse_host(text: &str) -> Result<Host, UrlError> {
    let refused = |why| UrlError::Host {
        found: shown(text),
        why,
    };
    if !text.is_ascii() {
        let ascii = url::Host::parse(text).ok().map(|host| host.to_string());
        return Err(UrlError::NotAscii {
            found: shown(text),
            ascii,
        });
    }
    if text.starts_with('[') {
        return match url::Host::parse(text) {
            Ok(url::Host::Ipv6(address)) => Ok(Host::Address(address.into())),
            _ => Err(refused("no IPv6 address")),
        };
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !name.bytes().all(allowed) {
        return Err(refused("a character that no name has"));
    }
    if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(refused("a label that is empty or too long"));
    }
    match url::Host::parse(name) {
        Ok(url::Host::Domain(name)) => Ok(Host::Name(name.to_ascii_lowercase())),
        Ok(url::Host::Ipv4(address)) => Ok(Host::Address(address.into())),
        _ => Err(refused("no valid `xn--` label, or a number that is no address")),
    }
}

/// Whether an IPv4 host is written in dotted decimal. The other notations hide which address they mean.
pub(crate) fn is_plain_ipv4(host: &str, address: Ipv4Addr) -> bool {
    host.parse() == Ok(address)
}

fn authority_text(scheme: Scheme, host: &Host, port: u16) -> String {
    if port == scheme.default_port() {
        host.to_string()
    } else {
        format!("{host}:{port}")
    }
}

fn canonical_path_and_query(text: &str) -> Result<Cow<'_, str>, UrlError> {
    let Some((path, query)) = text.split_once('?') else {
        return path::canonical(text);
    };
    check_query(query)?;
    Ok(match path::canonical(path)? {
        Cow::Borrowed(same) if same.len() == path.len() => Cow::Borrowed(text),
        other => Cow::Owned([other.as_ref(), "?", query].concat()),
    })
}

fn check_query(query: &str) -> Result<(), UrlError> {
    let refused = |found: &char| !found.is_ascii_graphic() || matches!(found, '"' | '<' | '>' | '#');
    match query.chars().find(refused) {
        None => Ok(()),
        Some('#') => Err(UrlError::Fragment),
        Some(found) => Err(UrlError::Character { part: "query", found }),
    }
}

/// Writes a byte as `%XX` with upper-case digits, as canonical paths do.
fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    out.push('%');
    out.extend(
        [byte >> 4, byte & 15]
            .iter()
            .filter_map(|digit| DIGITS.get(usize::from(*digit))),
    );
}

#[cfg(test)]
mod tests;
