//! The proxies of an engine, and the targets that use none.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, Uri};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use nodule_core::text::shown;

/// Longer entries are truncated where they are shown.
const SHOWN_CHARS: usize = 100;

/// The HTTP proxies of an engine: one for `http` targets, one for `https` targets, and the targets that use neither.
///
/// A request for an `https` target goes through a tunnel (`CONNECT`) with TLS to the target inside; a request for an
/// `http` target is sent to the proxy. **The proxy looks names up itself**: the address rules of a policy and of
/// [`AddressLists`](nodule_core::address::AddressLists) apply only to targets written as addresses, and to targets that
/// use no proxy. The proxy decides where a name leads, so a proxy for untrusted nodes has to refuse private addresses
/// itself.
///
/// The targets that use no proxy are listed as in the variable `NO_PROXY`, and read as the package `proxy-from-env`
/// does: commas or spaces separate entries, and case does not matter.
///
/// | entry | goes to no proxy |
/// | --- | --- |
/// | `*` | everything |
/// | `crm.internal`, `10.1.2.3`, `[::1]` | that host, but not its subdomains |
/// | `crm.internal:8443` | that host on that port |
/// | `.internal`, `*.internal` | all subdomains of `internal`, but not `internal` itself |
/// | `10.0.0.0/8` | targets written as addresses in that range |
///
/// A proxy's user and password are part of its URL, `http://user:password@proxy.example:3128`, percent-encoded where
/// necessary. They are sent to the proxy only and never shown. The environment's variables are not read.
///
/// ```
/// use nodule::network::Proxy;
///
/// let proxy = Proxy::new(Some("http://proxy.example:3128"), Some("http://proxy.example:3128"), "localhost,.internal")?;
/// # Ok::<(), nodule::network::ProxyError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    http: Option<Arc<ProxyServer>>,
    https: Option<Arc<ProxyServer>>,
    direct: Vec<Direct>,
}

/// One proxy.
pub(crate) struct ProxyServer {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Proxy-Authorization` header, if the URL has a user.
    pub(crate) authorization: Option<HeaderValue>,
}

/// Shows the proxy without its user.
impl fmt::Display for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        write!(f, "http://{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyServer({self})")
    }
}

/// An entry of the list of targets that use no proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Direct {
    which: Which,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    All,
    Name(String),
    Ending(String),
    Addresses(IpNet),
}

impl Proxy {
    /// Takes the URLs of the HTTP proxies for `http` and for `https` targets (without a scheme, `http://` is assumed;
    /// an empty text means no proxy), and the list of targets that use neither.
    ///
    /// # Errors
    ///
    /// All problems of the three.
    pub fn new(http: Option<&str>, https: Option<&str>, no: &str) -> Result<Self, ProxyError> {
        let mut problems = Vec::new();
        let mut server = |targets, url: Option<&str>| {
            let url = url.map(str::trim).filter(|url| !url.is_empty())?;
            match server(url) {
                Ok(server) => Some(Arc::new(server)),
                Err(mistake) => {
                    problems.push(ProxyProblem::Url { targets, mistake });
                    None
                }
            }
        };
        let (http, https) = (server("http", http), server("https", https));
        let mut direct = Vec::new();
        let entries = no.split(|character: char| character == ',' || character.is_whitespace());
        for entry in entries.filter(|entry| !entry.is_empty()) {
            match direct_entry(entry) {
                Some(entry) => direct.push(entry),
                None => problems.push(ProxyProblem::Direct {
                    entry: shown(entry, SHOWN_CHARS),
                }),
            }
        }
        if problems.is_empty() {
            Ok(Self { http, https, direct })
        } else {
            Err(ProxyError { problems })
        }
    }

    /// The proxy for requests to this URL; `None` if they go directly to their target.
    pub(crate) fn of(&self, target: &Uri) -> Option<&Arc<ProxyServer>> {
        let is_tls = target.scheme_str() == Some("https");
        let server = if is_tls { &self.https } else { &self.http }.as_ref()?;
        let port = target.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let host = target.host().unwrap_or_default();
        let is_direct = self.direct.iter().any(|direct| direct.is_for(host, port));
        (!is_direct).then_some(server)
    }
}

impl Direct {
    /// Whether the entry matches this host, in lower case, and port.
    fn is_for(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|listed| listed != port) {
            return false;
        }
        match &self.which {
            Which::All => true,
            Which::Name(name) => name == host,
            Which::Ending(ending) => host.len() > ending.len() && host.ends_with(ending.as_str()),
            Which::Addresses(net) => without_brackets(host)
                .parse::<IpAddr>()
                .is_ok_and(|address| net.contains(&address)),
        }
    }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn server(url: &str) -> Result<ProxyServer, ProxyMistake> {
    let with_scheme;
    let url = if url.contains("://") {
        url
    } else {
        with_scheme = format!("http://{url}");
        &with_scheme
    };
    // The parser's errors do not quote the text, which may contain a password.
    let url = Url::parse(url).map_err(|error| ProxyMistake::Unreadable(error.to_string()))?;
    if url.scheme() != "http" {
        return Err(ProxyMistake::Scheme(shown(url.scheme(), SHOWN_CHARS)));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(ProxyMistake::Path);
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(ProxyMistake::Unreadable("empty host".to_owned())),
    };
    Ok(ProxyServer {
        host,
        port: url.port_or_known_default().unwrap_or(80),
        authorization: authorization(&url)?,
    })
}

/// The `Basic` credentials of the URL's user and password (RFC 7617), if it has any.
fn authorization(url: &Url) -> Result<Option<HeaderValue>, ProxyMistake> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let user: Vec<u8> = percent_decode_str(url.username()).collect();
    let password: Vec<u8> = percent_decode_str(url.password().unwrap_or_default()).collect();
    if user.contains(&b':') || user.iter().chain(&password).any(u8::is_ascii_control) {
        return Err(ProxyMistake::User);
    }
    let value = BASE64_STANDARD.encode([user.as_slice(), b":", &password].concat());
    let mut value = HeaderValue::from_str(&format!("Basic {value}")).map_err(|_| ProxyMistake::User)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Parses an entry; `None` if it has none of the table's forms.
fn direct_entry(entry: &str) -> Option<Direct> {
    let all_ports = |which| Some(Direct { which, port: None });
    let entry = entry.to_ascii_lowercase();
    if let Ok(address) = without_brackets(&entry).parse::<IpAddr>() {
        return all_ports(Which::Addresses(address.into()));
    }
    if let Ok(net) = entry.parse::<IpNet>() {
        return all_ports(Which::Addresses(net));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (entry.as_str(), None),
    };
    if let Ok(address) = without_brackets(host).parse::<IpAddr>() {
        let which = Which::Addresses(address.into());
        return Some(Direct { which, port });
    }
    let is_name = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        !text.is_empty() && text.bytes().all(allowed)
    };
    let which = match host.strip_prefix('*') {
        Some("") => Which::All,
        Some(ending) => Which::Ending(ending.trim_end_matches('.').to_owned()),
        None if host.starts_with('.') => Which::Ending(host.trim_end_matches('.').to_owned()),
        None => Which::Name(host.trim_end_matches('.').to_owned()),
    };
    match &which {
        Which::Name(name) | Which::Ending(name) if !is_name(name) => None,
        _ => Some(Direct { which, port }),
    }
}

/// All problems of the proxies. It never contains a user or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyError {
    /// The problems, at least one.
    pub problems: Vec<ProxyProblem>,
}

/// One problem of the proxies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyProblem {
    /// A proxy's URL cannot be used.
    #[error("the proxy for `{targets}` targets: {mistake}")]
    Url {
        /// `http` or `https`.
        targets: &'static str,
        /// What is wrong with it.
        mistake: ProxyMistake,
    },
    /// An entry of the list of targets that use no proxy cannot be read.
    #[error(
        "where no proxy is used: expected a host, `host:port`, `.suffix`, `*` or a range of addresses, found `{entry}`"
    )]
    Direct {
        /// The entry, safe to show.
        entry: String,
    },
}

/// What is wrong with a proxy's URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyMistake {
    /// It is not a URL.
    #[error("expected a URL such as `http://proxy.example:3128`: {0}")]
    Unreadable(String),
    /// Its scheme is not `http`; a proxy reached through TLS is not supported.
    #[error("expected a proxy with the scheme `http`, found `{0}`")]
    Scheme(String),
    /// It has a path, a query or a fragment.
    #[error("expected a URL without a path")]
    Path,
    /// Its user or password cannot be sent.
    #[error("expected a user without a colon, and no control characters in user or password")]
    User,
}

impl ProxyError {
    /// The form of a proxy's URL.
    #[must_use]
    pub fn hint(&self) -> String {
        "a proxy is `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`, special characters percent-encoded".to_owned()
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ProxyError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(no: &str) -> Proxy {
        Proxy::new(Some("http://plain:1"), Some("http://tunnel:2"), no).unwrap()
    }

    fn of(proxy: &Proxy, target: &str) -> Option<String> {
        proxy
            .of(&target.parse().unwrap())
            .map(std::string::ToString::to_string)
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let both = proxy("");
        assert_eq!(of(&both, "http://a.example/x").as_deref(), Some("http://plain:1"));
        assert_eq!(
            of(&both, "https://a.example/x").as_deref(),
            Some("http://tunnel:2")
        );
        let one = Proxy::new(None, Some("proxy.example"), "").unwrap();
        assert_eq!(of(&one, "http://a.example/"), None);
        assert_eq!(
            of(&one, "https://a.example/").as_deref(),
            Some("http://proxy.example:80")
        );
        let none = Proxy::new(Some(" "), None, "").unwrap();
        assert_eq!(of(&none, "http://a.example/"), None);
    }

    #[test]
    fn where_no_proxy_is_used_is_read_as_others_read_the_variable() {
        for (no, direct, proxied) in [
            ("*", &["https://a.example/", "http://10.0.0.1/"][..], &[][..]),
            (
                "Crm.Internal",
                &["https://crm.internal/", "http://crm.internal:8080/"],
                &["https://a.crm.internal/", "https://xcrm.internal/"],
            ),
            (
                "crm.internal:8443, other.internal:80",
                &["https://crm.internal:8443/", "http://other.internal/"],
                &["https://crm.internal/", "https://other.internal/"],
            ),
            (
                ".internal",
                &["https://a.internal/", "https://a.b.internal/"],
                &["https://internal/", "https://xinternal/"],
            ),
            (
                "*.internal\t*corp",
                &["https://a.internal/", "https://acorp/", "https://a.corp/"],
                &["https://internal/", "https://a.internal.example/"],
            ),
            (
                "10.0.0.0/8 ::1 192.168.0.1:81",
                &["http://10.9.9.9/", "http://[::1]:3/", "http://192.168.0.1:81/"],
                &["http://11.0.0.1/", "http://[::2]/", "http://192.168.0.1/"],
            ),
            ("[::1]:81", &["http://[::1]:81/"], &["http://[::1]/"]),
            ("", &[], &["http://localhost/"]),
        ] {
            let proxy = proxy(no);
            for target in direct {
                assert_eq!(of(&proxy, target), None, "{target} with {no}");
            }
            for target in proxied {
                assert!(of(&proxy, target).is_some(), "{target} with {no}");
            }
        }
    }

    #[test]
    fn user_and_password_become_basic() {
        let proxy = Proxy::new(Some("http://us%65r:p%40ss%3Aword@h:1"), None, "").unwrap();
        let server = proxy.http.unwrap();
        let value = server.authorization.as_ref().unwrap();
        assert_eq!(
            *value,
            format!("Basic {}", BASE64_STANDARD.encode("user:p@ss:word"))
        );
        assert!(value.is_sensitive());
    }

    #[test]
    fn user_and_password_are_shown_nowhere() {
        let secrets = ["topuser", "topsecret", "dG9wdXNlcjp0b3BzZWNyZXQ"];
        let proxy = Proxy::new(
            Some("http://topuser:topsecret@h:1"),
            Some("topuser:topsecret@h:1"),
            "",
        )
        .unwrap();
        let mut all = vec![
            format!("{proxy:?} {:#?}", proxy),
            of(&proxy, "http://a/").unwrap(),
        ];
        for url in [
            "socks5://topuser:topsecret@h:1",
            "https://topuser:topsecret@h:1",
            "http://topuser:topsecret@h:1/path",
            "http://topuser:topsecret@h:99999",
            "http://topuser:topsecret@",
            "http://topuser:topsecret@[::1",
            "http://topuser:topsecret@a b",
            "http://topuser%3A:topsecret@h",
            "http://topuser:topsecret%0A@h",
        ] {
            let error = Proxy::new(Some(url), None, "").unwrap_err();
            all.push(format!("{error} {error:?} {}", error.hint()));
        }
        for text in all {
            for secret in secrets {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let error = Proxy::new(
            Some("socks5://h:1"),
            Some("http://h/path"),
            "ok.example,http://a.example,a*b,host:port",
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the proxy for `http` targets: expected a proxy with the scheme `http`, found `socks5`; \
             the proxy for `https` targets: expected a URL without a path; \
             where no proxy is used: expected a host, `host:port`, `.suffix`, `*` or a range of addresses, found `http://a.example`; \
             where no proxy is used: expected a host, `host:port`, `.suffix`, `*` or a range of addresses, found `a*b`; \
             where no proxy is used: expected a host, `host:port`, `.suffix`, `*` or a range of addresses, found `host:port`"
        );
    }
}
