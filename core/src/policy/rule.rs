//! One entry of an allow-list.

use std::fmt;
use std::net::IpAddr;

use http::Method;

use super::{Difference, FORBIDDEN_METHODS};
use crate::address::Permit;
use crate::canonical::{
    self, CanonicalUrl, Host, PathPrefix, Scheme, UrlError, is_plain_ipv4, parse_authority, shown,
};

/// The accepted forms, for errors.
const ACCEPTED_FORMS: &str = "accepted are `https://api.example.com`, with a port `https://api.example.com:8443`, \
     every subdomain `https://*.example.com`, an address `http://127.0.0.1:8080` or `http://[::1]:8080`, and a path \
     `https://api.example.com/v1`, which is a key of its own in a policy file";

/// One entry of an allow-list: the requests that it allows.
///
/// | form | allows |
/// | --- | --- |
/// | `https://api.example.com` | that name, port 443, by TLS |
/// | `http://api.example.com` | that name, port 80, in the clear, not by TLS |
/// | `https://api.example.com:8443` | that port only |
/// | `https://api.example.com/v1` | `/v1` and below, see [`PathPrefix`]; in a policy file the path is a key of its own |
/// | `https://*.example.com` | every name that ends in `.example.com`, at any depth, but not `example.com` itself |
/// | `http://127.0.0.1:8080`, `http://[::1]:8080` | that address, even if it is private, because the entry names it |
///
/// Refused are entries without a scheme, `*` anywhere except as the whole first label, wildcards for a whole top-level
/// domain, user information, queries, IPv4 addresses in other notations, and non-ASCII names: their `xn--` form shows
/// what is allowed. `*.co.uk` is not recognised as special.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    scheme: Scheme,
    host: HostPattern,
    port: u16,
    path: PathPrefix,
    /// Empty means all methods that are not forbidden.
    methods: Vec<Method>,
    private: bool,
}

/// Which hosts an entry matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostPattern {
    /// This name.
    Name(String),
    /// Every name below this one, but not this one itself.
    Below(String),
    /// This address, but no name that resolves to it.
    Address(IpAddr),
}

impl HostPattern {
    fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Name(listed), Host::Name(name)) => listed == name,
            (Self::Below(listed), Host::Name(name)) => name
                .strip_suffix(listed.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty()),
            (Self::Address(listed), Host::Address(address)) => listed == address,
            _ => false,
        }
    }

    /// The name without its wildcard, if the pattern is a name.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Below(name) => Some(name),
            Self::Address(_) => None,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Address(address) => Host::Address(*address).fmt(f),
        }
    }
}

impl Rule {
    /// Reads an entry in the form of `--allow`: an origin, optionally with a path.
    ///
    /// # Errors
    ///
    /// The text has none of the forms in the table.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let (scheme, authority, path) = canonical::split(text).map_err(|source| match source {
            UrlError::NoScheme => RuleError::NoScheme { found: shown(text) },
            source => RuleError::Url(source),
        })?;
        if path.contains('?') {
            return Err(RuleError::Query);
        }
        let scheme = Scheme::parse(scheme)?;
        let (host, port) = parse_host_pattern(authority, scheme)?;
        Ok(Self {
            scheme,
            host,
            port,
            path: PathPrefix::parse(path)?,
            methods: Vec::new(),
            private: false,
        })
    }

    /// Reads an entry in the form of a policy file: an origin without a path.
    pub(super) fn parse_origin(text: &str) -> Result<Self, RuleError> {
        let rule = Self::parse(text)?;
        match canonical::split(text) {
            Ok((_, _, "" | "/")) => Ok(rule),
            _ => Err(RuleError::PathInOrigin {
                origin: rule.origin(),
                path: rule.path.to_string(),
            }),
        }
    }

    /// The rule that a credential implies: every URL below its base URL, by every method, subject to the address rules.
    ///
    /// # Errors
    ///
    /// The path of the base URL cannot be a rule; see [`PathPrefix::parse`].
    pub fn below(base: &CanonicalUrl) -> Result<Self, RuleError> {
        Ok(Self {
            scheme: base.scheme(),
            host: match base.host() {
                Host::Name(name) => HostPattern::Name(name.clone()),
                Host::Address(address) => HostPattern::Address(*address),
            },
            port: base.port(),
            path: PathPrefix::parse(base.path())?,
            methods: Vec::new(),
            private: false,
        })
    }

    /// Restricts the entry to a path and everything below it.
    #[must_use]
    pub fn with_path(self, path: PathPrefix) -> Self {
        Self { path, ..self }
    }

    /// Restricts the entry to these methods.
    ///
    /// # Errors
    ///
    /// The list is empty, or contains a method that no entry can allow.
    pub fn with_methods(self, methods: Vec<Method>) -> Result<Self, RuleError> {
        if methods.is_empty() {
            return Err(RuleError::NoMethods);
        }
        if let Some(method) = methods.iter().find(|method| FORBIDDEN_METHODS.contains(method)) {
            return Err(RuleError::Method {
                found: method.to_string(),
            });
        }
        Ok(Self { methods, ..self })
    }

    /// Sets whether the entry's name may resolve to a private address.
    #[must_use]
    pub fn with_private(self, private: bool) -> Self {
        Self { private, ..self }
    }

    /// Which addresses a connection may go to under this entry.
    #[must_use]
    pub fn permit(&self) -> Permit {
        match self.host {
            HostPattern::Address(address) => Permit::Literal(address),
            HostPattern::Name(_) | HostPattern::Below(_) if self.private => Permit::PrivateAllowed,
            HostPattern::Name(_) | HostPattern::Below(_) => Permit::PublicOnly,
        }
    }

    /// Which hosts it matches.
    #[must_use]
    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    /// Which paths it allows.
    #[must_use]
    pub fn path(&self) -> &PathPrefix {
        &self.path
    }

    /// Which methods it allows; empty means every method that can be allowed.
    #[must_use]
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Whether its name may resolve to a private address.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// Scheme, host and port, in the form of the entry's `origin`.
    #[must_use]
    pub fn origin(&self) -> String {
        if self.port == self.scheme.default_port() {
            format!("{}://{}", self.scheme, self.host)
        } else {
            format!("{}://{}:{}", self.scheme, self.host, self.port)
        }
    }

    pub(super) fn allows(&self, method: &Method, url: &CanonicalUrl) -> bool {
        self.differences(method, url).next().is_none()
    }

    /// How a request differs from what this entry allows.
    pub(super) fn differences(
        &self,
        method: &Method,
        url: &CanonicalUrl,
    ) -> impl Iterator<Item = Difference> + use<> {
        let method_listed = self.methods.is_empty() || self.methods.contains(method);
        [
            (!self.host.matches(url.host())).then_some(Difference::Host),
            (self.scheme != url.scheme()).then_some(Difference::Scheme),
            (self.port != url.port()).then_some(Difference::Port),
            (!method_listed).then_some(Difference::Method),
            self.path.check(url.path()).err().map(Difference::Path),
        ]
        .into_iter()
        .flatten()
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// In the form of `--allow`, with any methods in front: `GET,POST https://api.example.com/v1`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.methods.iter().enumerate() {
            write!(f, "{}{method}", if index == 0 { "" } else { "," })?;
        }
        let space = if self.methods.is_empty() { "" } else { " " };
        write!(f, "{space}{}{}", self.origin(), self.path)
    }
}

fn parse_host_pattern(authority: &str, scheme: Scheme) -> Result<(HostPattern, u16), RuleError> {
    let wildcard = || RuleError::Wildcard {
        found: shown(authority),
    };
    if let Some(rest) = authority.strip_prefix("*.") {
        let (host, port) = match parse_authority(rest, scheme) {
            Ok(parsed) if !rest.contains('*') => parsed,
            Err(error @ (UrlError::Port { .. } | UrlError::NotAscii { .. })) => return Err(error.into()),
            _ => return Err(wildcard()),
        };
        return match host {
            Host::Name(name) if name.contains('.') => Ok((HostPattern::Below(name), port)),
            _ => Err(wildcard()),
        };
    }
    if authority.contains('*') {
        return Err(wildcard());
    }
    match parse_authority(authority, scheme)? {
        (Host::Name(name), port) => Ok((HostPattern::Name(name), port)),
        (Host::Address(address), port) => {
            let written = authority.split(':').next().unwrap_or(authority);
            match address {
                IpAddr::V4(v4) if !is_plain_ipv4(written, v4) => Err(RuleError::Notation {
                    found: shown(written),
                    address,
                }),
                _ => Ok((HostPattern::Address(address), port)),
            }
        }
    }
}

/// The text is not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// It has no scheme.
    #[error("expected an origin with a scheme, found `{found}`")]
    NoScheme {
        /// What was found.
        found: String,
    },
    /// Its wildcard is not the whole first label of a name with at least two more labels.
    #[error("expected a wildcard such as `*.example.com`, found `{found}`")]
    Wildcard {
        /// What was found.
        found: String,
    },
    /// Its address is in a notation that hides which address it is.
    #[error("expected the address as `{address}`, found `{found}`")]
    Notation {
        /// What was found.
        found: String,
        /// The address that it stands for.
        address: IpAddr,
    },
    /// It has a query, which entries do not check.
    #[error("expected an origin without a query")]
    Query,
    /// It has a path where a policy file expects only an origin.
    #[error("expected an origin without a path, found `{path}` after `{origin}`")]
    PathInOrigin {
        /// The origin.
        origin: String,
        /// The path that follows it.
        path: String,
    },
    /// The list of methods is empty, which could be read as all or as none.
    #[error("expected at least one method, or no `methods` for every method")]
    NoMethods,
    /// It contains text that is not a method, or a method that no entry can allow.
    #[error("expected a method such as `GET`, and neither `CONNECT` nor `TRACE`, found `{found}`")]
    Method {
        /// What was found.
        found: String,
    },
    /// A request with the same URL part would be refused too.
    #[error(transparent)]
    Url(#[from] UrlError),
}

impl RuleError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoScheme { found } if Self::is_host(found) => Some(format!("write `https://{found}`")),
            Self::NoScheme { .. } | Self::Wildcard { .. } | Self::Query => Some(ACCEPTED_FORMS.to_owned()),
            Self::Notation { .. } | Self::NoMethods | Self::Method { .. } => None,
            Self::PathInOrigin { origin, path } => {
                Some(format!("write\norigin = \"{origin}\"\npath = \"{path}\""))
            }
            Self::Url(source) => source.hint().or_else(|| Some(ACCEPTED_FORMS.to_owned())),
        }
    }

    fn is_host(text: &str) -> bool {
        Rule::parse(&format!("https://{text}")).is_ok()
    }
}
