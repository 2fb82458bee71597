//! The `[tls]` table: which certificates count, which one is shown, and where none is checked.
//!
//! The table names files. Reading them is the host's part: whoever wrote the policy need not be whoever may read files
//! where the node runs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::canonical::{CanonicalUrl, Scheme, UrlError};

/// The `[tls]` table of a policy file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TlsRules {
    /// Files of certificates (PEM) that are trusted as well. A relative path starts at the policy file's folder.
    pub ca: Vec<String>,
    /// The file of the client certificate (PEM), with those between it and its authority.
    pub client_cert: Option<String>,
    /// The file of its private key (PEM).
    pub client_key: Option<String>,
    /// Where no certificate is checked.
    pub insecure_origins: Vec<InsecureOrigin>,
}

impl TlsRules {
    /// Whether it names a file.
    #[must_use]
    pub fn names_files(&self) -> bool {
        !self.ca.is_empty() || self.client_cert.is_some() || self.client_key.is_some()
    }
}

/// An origin whose certificate is not checked: `https`, one host and one port. There is no wildcard: everybody on the way
/// to such a host can read and change what is sent, so each is named.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InsecureOrigin(CanonicalUrl);

impl InsecureOrigin {
    /// Reads an origin such as `https://crm.internal:8443`.
    ///
    /// # Errors
    ///
    /// It is no origin, or one without TLS.
    pub fn parse(text: &str) -> Result<Self, InsecureOriginError> {
        let url = CanonicalUrl::parse(text)?;
        if url.scheme() != Scheme::Https {
            return Err(InsecureOriginError::NoTls);
        }
        if url.path() != "/" || url.query().is_some() {
            return Err(InsecureOriginError::Path { origin: url.origin() });
        }
        Ok(Self(url))
    }

    /// Whether a URL has this scheme, host and port.
    #[must_use]
    pub fn matches(&self, url: &CanonicalUrl) -> bool {
        self.0.same_origin(url)
    }
}

impl fmt::Display for InsecureOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin())
    }
}

impl Serialize for InsecureOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InsecureOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A text is no origin whose certificate could be left unchecked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsecureOriginError {
    /// It is no URL.
    #[error("expected an origin such as `https://crm.internal:8443`: {0}")]
    Url(#[from] UrlError),
    /// It has no TLS, so there is no certificate.
    #[error("expected an origin with `https`, found `http`, where no certificate is checked anyway")]
    NoTls,
    /// It has a path or a query.
    #[error("expected nothing after the host and port: a certificate is a whole origin's, `{origin}`")]
    Path {
        /// What it would be without.
        origin: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn an_insecure_origin_is_one_scheme_host_and_port() {
        let origin = InsecureOrigin::parse("HTTPS://CRM.internal.:8443").unwrap();
        assert_eq!(origin.to_string(), "https://crm.internal:8443");
        for (url, expected) in [
            ("https://crm.internal:8443/x?y", true),
            ("https://crm.internal/x", false),
            ("http://crm.internal:8443/x", false),
            ("https://crm.internal.evil.example:8443/", false),
            ("https://a.crm.internal:8443/", false),
            ("https://127.0.0.1:8443/", false),
        ] {
            let url = CanonicalUrl::parse(url).unwrap();
            assert_eq!(origin.matches(&url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for text in [
            "",
            "crm.internal",
            "http://crm.internal",
            "https://crm.internal/v1",
            "https://crm.internal/?x",
            "https://*.internal",
            "https://me@crm.internal",
        ] {
            assert!(InsecureOrigin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_policy_keeps_its_tls_table() {
        let text = "[tls]\nca = [\"our-ca.pem\"]\nclient-cert = \"client.pem\"\nclient-key = \"client.key\"\n\
                    insecure-origins = [\"https://crm.internal:8443\"]";
        let policy = Policy::from_toml(text, "policy.toml").unwrap();
        assert!(policy.tls().names_files());
        assert_eq!(policy.tls().ca, ["our-ca.pem"]);
        assert_eq!(policy.tls().client_cert.as_deref(), Some("client.pem"));
        assert_eq!(policy.tls().client_key.as_deref(), Some("client.key"));
        assert_eq!(
            policy.tls().insecure_origins[0].to_string(),
            "https://crm.internal:8443"
        );
        let document = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&document).unwrap(), policy);
        assert!(!Policy::default().tls().names_files());
    }

    #[test]
    fn each_problem_of_the_table_is_told_with_its_line() {
        let text = "[tls]\nca = \"our-ca.pem\"\nclient-cert = 1\ninsecure-origins = [\"http://crm.internal\", 2]\nverify = false\nclient-key = \"client.key\"";
        assert_eq!(
            Policy::from_toml(text, "policy.toml").unwrap_err().to_string(),
            "policy.toml:2: `ca`: expected a list of files such as [\"our-ca.pem\"], found \"our-ca.pem\"\n\
             policy.toml:3: `client-cert`: expected a file such as \"client.pem\", found 1\n\
             policy.toml:4: `insecure-origins`: expected an origin with `https`, found `http`, where no certificate is checked \
             anyway\n\
             policy.toml:4: `insecure-origins`: expected a list of origins such as [\"https://crm.internal:8443\"], found 2\n\
             policy.toml:5: unknown key `verify` in `[tls]`: expected `ca`, `client-cert`, `client-key`, `insecure-origins`"
        );
        let lone = Policy::from_toml("[tls]\nclient-cert = \"client.pem\"", "policy.toml").unwrap_err();
        assert_eq!(
            lone.to_string(),
            "policy.toml:1: `tls`: expected `client-cert` and `client-key` together, found one of them"
        );
    }
}
