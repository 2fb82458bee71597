//! The base URL of the service: where the credential may go, and so the one value that is checked before anything else.
//!
//! | given | taken as |
//! | --- | --- |
//! | `https://s1.socialhub.ai/openapi-prod` | origin and path prefix |
//! | `https://s1.socialhub.ai/openapi-prod/`, surrounding blanks | the same |
//! | `http://127.0.0.1:8080` | an origin without a prefix |
//! | no `http` or `https`, no host, a port that is none | refused |
//! | `https://user:password@host` | refused: the secret would end up in logs |
//! | a query, a fragment, a `.` or `..` segment, a blank, a backslash or a letter outside ASCII inside | refused |
//!
//! No message repeats the URL, since what is refused may hold a password.

use std::fmt;

/// A checked base URL. Its `Display` is safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Whether it is `https`, not `http`.
    pub https: bool,
    /// Host and, where given, port.
    pub authority: String,
    /// The path prefix without a `/` at its end; empty where there is none.
    pub prefix: String,
}

impl BaseUrl {
    /// Read a base URL; the error says what was expected and found, in the style of a problem's message.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let (scheme, rest) = text
            .split_once(':')
            .and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?)))
            .ok_or("expected an http or https URL, found no `http://` or `https://`")?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err("expected an http or https URL, found another scheme");
        }
        if rest.contains('?') {
            return Err("expected a URL without a query, found a `?`");
        }
        if rest.contains('#') {
            return Err("expected a URL without a fragment, found a `#`");
        }
        let (authority, path) = split_before(rest, '/');
        if authority.contains('@') {
            return Err("expected a URL without a user name or password, found an `@`");
        }
        check_authority(authority)?;
        let prefix = path.trim_end_matches('/');
        check_prefix(prefix)?;
        Ok(Self {
            https,
            authority: authority.to_ascii_lowercase(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.https { "https://" } else { "http://" })?;
        f.write_str(&self.authority)?;
        f.write_str(&self.prefix)
    }
}

fn check_authority(authority: &str) -> Result<(), &'static str> {
    // The colons of an IPv6 address stand in brackets; the port's colon comes after them.
    let (host, port) = match authority.split_once(']') {
        Some((address, port)) => (address.strip_prefix('['), port),
        None => (None, split_before(authority, ':').1),
    };
    let is_host = match host {
        // Which of them is an address, the host finds out: here it only must not be anything else in disguise.
        Some(address) => {
            address.contains(':')
                && address
                    .bytes()
                    .all(|b| b.is_ascii_hexdigit() || b":.".contains(&b))
        }
        None => is_name(split_before(authority, ':').0),
    };
    if !is_host {
        return Err("expected a host name or IP address (other scripts as `xn--…`), found something else");
    }
    match port.strip_prefix(':') {
        Some(digits)
            if digits.bytes().all(|b| b.is_ascii_digit())
                && digits.parse().is_ok_and(|port: u16| port > 0) =>
        {
            Ok(())
        }
        None if port.is_empty() => Ok(()),
        _ => Err("expected a port from 1 to 65535, found something else"),
    }
}

fn is_name(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// The text before the first such character, and the rest with it.
fn split_before(text: &str, character: char) -> (&str, &str) {
    text.find(character)
        .and_then(|at| text.split_at_checked(at))
        .unwrap_or((text, ""))
}

fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    if !prefix
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&b))
    {
        return Err("expected a path of percent-encoded ASCII, found another character");
    }
    if prefix.split('/').any(is_dots) {
        return Err("expected a path without `.` and `..` segments, found one");
    }
    Ok(())
}

/// Whether a segment is one dot or two, in any spelling.
fn is_dots(segment: &str) -> bool {
    let (mut rest, mut dots) = (segment, 0);
    while let Some(after) = [".", "%2e", "%2E"].iter().find_map(|dot| rest.strip_prefix(dot)) {
        (rest, dots) = (after, dots + 1);
    }
    rest.is_empty() && matches!(dots, 1 | 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_base_url_are_one() {
        for text in [
            "https://s1.socialhub.ai/openapi-prod",
            "https://s1.socialhub.ai/openapi-prod/",
            " \thttps://s1.socialhub.ai/openapi-prod//\n",
            "HTTPS://S1.socialhub.ai/openapi-prod",
        ] {
            let url = BaseUrl::parse(text).unwrap();
            assert_eq!(
                url.to_string(),
                "https://s1.socialhub.ai/openapi-prod",
                "{text:?}"
            );
        }
        for text in [
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://localhost",
            "https://a.b/c/d%20e",
            "https://a.b/.../.c/%2ed",
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_without_repeating_it() {
        for text in [
            "",
            "socialhub.ai",
            "//socialhub.ai",
            "ftp://socialhub.ai",
            "https:///path",
            "https://",
            "https://user:hunter2@socialhub.ai",
            "https://hunter2@socialhub.ai/x",
            "https://good.com%40evil.com",
            "https://good.com\\@evil.com",
            "https://a.b?hunter2",
            "https://a.b/c?x=1",
            "https://a.b/c#d",
            "https://a.b:0",
            "https://a.b:65536",
            "https://a.b:",
            "https://a.b:+80",
            "https://[::1",
            "https://[x]",
            "https://[::1]x",
            "https://::1",
            "https://a b",
            "https://a.b/c d",
            "https://a.b/c\\d",
            "https://a.b/../c",
            "https://a.b/%2e%2E/c",
            "https://a.b/.%2e/c",
            "https://a.b/c/%2E",
            "https://例子.cn",
        ] {
            let error = BaseUrl::parse(text).expect_err(text);
            assert!(
                error.starts_with("expected ") && !error.contains("hunter2"),
                "{text}: {error}"
            );
        }
    }
}
