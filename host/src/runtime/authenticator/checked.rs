//! Checks a session, which comes out of the sandbox from a node that knows the secret.
//!
//! An accepted session is added to every request that a node may send below the base URL, and the host never refuses a
//! request because of the session. Otherwise the executing instance could learn the session's length or contents by
//! trying which of its requests are refused. So everything that could be a reason to refuse is checked here, once.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::Authenticator;
use crate::gate::access::{Access, Query};
use crate::gate::pipeline::header::is_forbidden_in_session;
use crate::runtime::bindings::authentication;
use crate::runtime::session::{End, Session};
use nodule_core::failure::Failure;
use nodule_core::secret::Secret;

/// A session that claims to last longer is made anew after this time: within a day, the owner of a token may notice
/// that it should be revoked.
const LONGEST: Duration = Duration::from_hours(24);
/// A session that claims to expire at once would be renewed for every request; this limits it to one renewal a second.
const SHORTEST: Duration = Duration::from_secs(1);
/// The maximum number of headers and query parameters, more than any authentication scheme sets.
const FIELDS: usize = 16;
/// The maximum length of a name, longer than any authentication scheme's.
const NAME_BYTES: usize = 128;
/// The maximum size of a value, as large as servers accept: tokens with many roles or groups reach 16 KB and more.
const VALUE_BYTES: usize = 32 * 1024;
/// The maximum size of all names and values together. It also bounds the redaction tables.
const ACCESS_BYTES: usize = 48 * 1024;
/// The maximum size of the percent-encoded query: enough for a token of two kilobytes. Together with a node's longest
/// URL, it is far below the longest URL that can be sent.
const QUERY_BYTES: usize = 4 * 1024;
/// The maximum size of a renewal, which is a token or a small document.
const RENEWAL_BYTES: usize = 32 * 1024;

/// Headers that do not authenticate, but select the response or frame the request. A session's headers are added after
/// the checks of the request, and a value such as `range: bytes=0-41` is a number that the executing instance could
/// read off the response.
const NOT_OF_A_SESSION: [&str; 4] = ["max-forwards", "pragma", "prefer", "range"];
/// Further such headers, by the start of their names.
const NOT_OF_A_SESSION_FROM: [&str; 4] = ["accept", "cache-", "content-", "if-"];

/// Why a session is refused, without any of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSession {
    #[error("has more than {FIELDS} headers and query parameters")]
    Fields,
    #[error(
        "has more than {ACCESS_BYTES} bytes of headers and query parameters, a name of more than {NAME_BYTES} or a value \
         of more than {VALUE_BYTES}"
    )]
    Size,
    #[error("sets a header that is not a session's to set")]
    Header,
    #[error("sets a header to a value that is no header value")]
    Value,
    #[error("sets a query parameter without a name")]
    Name,
    #[error("has a query of more than {QUERY_BYTES} bytes")]
    Query,
    #[error("has a renewal of more than {RENEWAL_BYTES} bytes")]
    Renewal,
}

impl Authenticator<'_> {
    pub(super) fn checked(
        &self,
        generation: u64,
        session: authentication::Session,
    ) -> Result<Session, Failure> {
        let parts = Parts::check(session).map_err(|problem| Failure::Other {
            kind: "bad-session".into(),
            message: format!("the node's session {problem}"),
            detail: None,
        })?;
        let Parts {
            headers,
            query,
            renewal,
            lasts,
        } = parts;
        let further = renewal.iter().chain(self.credential.secrets());
        Ok(Session {
            generation,
            access: Arc::new(Access::new(headers, query, further)),
            renewal,
            ends: lasts.map(|lasts| End::after(lasts, self.clock_and_rng)),
        })
    }
}

/// The parts of a session.
struct Parts {
    headers: Vec<(HeaderName, Secret)>,
    query: Query,
    renewal: Option<Secret>,
    lasts: Option<Duration>,
}

impl Parts {
    fn check(session: authentication::Session) -> Result<Self, BadSession> {
        let authentication::Session {
            access,
            expires_in_s,
            renewal,
        } = session;
        // As secrets, they are zeroized in any case.
        let secrets = |fields: Vec<crate::runtime::bindings::types::Field>| -> Vec<(String, Secret)> {
            fields
                .into_iter()
                .map(|field| (field.name, Secret::new(field.value)))
                .collect()
        };
        let renewal = renewal.map(Secret::new);
        let (headers, query) = checked_access(secrets(access.headers), secrets(access.query))?;
        if renewal
            .as_ref()
            .is_some_and(|renewal| renewal.expose().len() > RENEWAL_BYTES)
        {
            return Err(BadSession::Renewal);
        }
        let lasts = expires_in_s.map(|seconds| Duration::from_secs(seconds.into()).clamp(SHORTEST, LONGEST));
        Ok(Self {
            headers,
            query,
            renewal,
            lasts,
        })
    }
}

/// Checks that headers and query parameters can be added to every request.
pub(crate) fn checked_access(
    headers: Vec<(String, Secret)>,
    query: Vec<(String, Secret)>,
) -> Result<(Vec<(HeaderName, Secret)>, Query), BadSession> {
    if headers.len() + query.len() > FIELDS {
        return Err(BadSession::Fields);
    }
    let mut bytes = 0;
    for (name, value) in headers.iter().chain(&query) {
        let value = value.expose();
        bytes += name.len() + value.len();
        if name.len() > NAME_BYTES || value.len() > VALUE_BYTES || bytes > ACCESS_BYTES {
            return Err(BadSession::Size);
        }
    }
    let headers = headers.into_iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(may_be_set)
            .ok_or(BadSession::Header)?;
        HeaderValue::from_str(value.expose()).map_err(|_| BadSession::Value)?;
        Ok((name, value))
    });
    let headers = headers.collect::<Result<_, _>>()?;
    if query.iter().any(|(name, _)| name.is_empty()) {
        return Err(BadSession::Name);
    }
    let query = Query::new(query);
    if query.encoded_bytes() > QUERY_BYTES {
        return Err(BadSession::Query);
    }
    Ok((headers, query))
}

fn may_be_set(name: &HeaderName) -> bool {
    let text = name.as_str();
    !is_forbidden_in_session(name)
        && !NOT_OF_A_SESSION.contains(&text)
        && !NOT_OF_A_SESSION_FROM
            .iter()
            .any(|beginning| text.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::bindings::types::{Access, Field};
    use nodule_core::canonical::{CanonicalUrl, URL_BYTES};

    fn session(headers: &[(&str, &str)], query: &[(&str, &str)]) -> authentication::Session {
        let fields = |fields: &[(&str, &str)]| {
            let field = |(name, value): &(&str, &str)| Field {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            };
            fields.iter().map(field).collect()
        };
        authentication::Session {
            access: Access {
                headers: fields(headers),
                query: fields(query),
            },
            expires_in_s: None,
            renewal: None,
        }
    }

    fn refused(headers: &[(&str, &str)], query: &[(&str, &str)]) -> Option<BadSession> {
        Parts::check(session(headers, query)).err()
    }

    #[test]
    fn usual_sessions_are_accepted() {
        let token = "eyJhbGciOiJSUzI1NiJ9.".repeat(100);
        let bearer = format!("Bearer {token}");
        assert_eq!(
            refused(&[("authorization", &bearer), ("cookie", "a=b")], &[]),
            None
        );
        assert_eq!(
            refused(
                &[("X-Api-Key", "k")],
                &[("access_token", "abc+/="), ("appid", "1")]
            ),
            None
        );
        assert_eq!(refused(&[], &[]), None);
    }

    #[test]
    fn each_size_has_a_maximum() {
        let header = |value: usize| refused(&[("x-a", &"v".repeat(value))], &[]);
        assert_eq!(
            (header(VALUE_BYTES), header(VALUE_BYTES + 1)),
            (None, Some(BadSession::Size))
        );
        let name = |name: usize| refused(&[], &[(&"n".repeat(name), "")]);
        assert_eq!(
            (name(NAME_BYTES), name(NAME_BYTES + 1)),
            (None, Some(BadSession::Size))
        );
        // Percent-encoding makes three bytes of each of these.
        let query = |value: usize| refused(&[], &[("q", &"=".repeat(value))]);
        let most = (QUERY_BYTES - "&q=".len()) / 3;
        assert_eq!((query(most), query(most + 1)), (None, Some(BadSession::Query)));
        let half = "v".repeat(ACCESS_BYTES / 2);
        let two = [("a", half.as_str()), ("b", half.as_str())];
        assert_eq!(refused(&two, &[]), Some(BadSession::Size));
        let many = [("a", "b"); FIELDS];
        assert_eq!(refused(&many, &[]), None);
        assert_eq!(refused(&many, &[("a", "b")]), Some(BadSession::Fields));
        let mut renewed = session(&[], &[]);
        renewed.renewal = Some("r".repeat(RENEWAL_BYTES + 1));
        assert_eq!(Parts::check(renewed).err(), Some(BadSession::Renewal));
    }

    /// A `content-length` would replace the right one and desynchronise the connection with the service.
    #[test]
    fn a_session_says_who_asks_and_nothing_of_the_request() {
        for name in [
            "content-length",
            "Content-Type",
            "accept-encoding",
            "accept",
            "range",
            "if-none-match",
            "host",
            "connection",
            "expect",
            "te",
            "proxy-authorization",
            "x a",
            "",
        ] {
            assert_eq!(refused(&[(name, "1")], &[]), Some(BadSession::Header), "{name}");
        }
        assert_eq!(refused(&[("x-a", "a\r\nhost: b")], &[]), Some(BadSession::Value));
        assert_eq!(refused(&[], &[("", "v")]), Some(BadSession::Name));
    }

    /// The largest session fits any request of a node, so that no request is refused because of it.
    #[test]
    fn the_largest_session_goes_with_the_longest_url_of_a_node() {
        let value = "\u{10ffff}".repeat((QUERY_BYTES - "&q=".len()) / 12);
        let parts = Parts::check(session(&[], &[("q", &value)])).unwrap();
        let base = "https://api.example.com/?";
        let longest = format!("{base}{}", "a".repeat(URL_BYTES + "://".len() - base.len()));
        let url = CanonicalUrl::parse(&longest).unwrap();
        assert!(
            CanonicalUrl::parse(&format!("{longest}a")).is_err(),
            "there is no longer one"
        );
        let sent = parts.query.added_to(url.uri()).unwrap();
        assert!(sent.query().unwrap().len() > URL_BYTES);
    }

    #[test]
    fn what_is_wrong_is_said_without_any_of_it() {
        let mut bad = session(&[("x-s3cr3t", "s3cr3t\n")], &[]);
        bad.renewal = Some("s3cr3t".to_owned());
        let problem = Parts::check(bad).err().unwrap();
        assert!(!problem.to_string().contains("s3cr3t"));
    }
}
