//! The origins that a node's description declares, with the bound credential's fields filled in, and what an operator
//! granted of them.
//!
//! A declaration is a wish. A request reaches a declared origin only with a grant: `declared` in the policy, which also
//! lets the credential's access go to origins that name the credential, or an `[[allow]]` entry, which never does. A
//! grant covers public addresses only; a private one needs an entry that says so.

use super::Policy;
use crate::canonical::CanonicalUrl;
use crate::credential::{Credential, CredentialError};
use crate::description::{Node, OriginPattern, RenderError, ResolvedOrigin};

/// Which declared origins a policy grants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Grants {
    /// Whether all are granted.
    pub(super) all: bool,
    /// The granted ones: as a description writes them, or with the fields filled in.
    pub(super) listed: Vec<OriginPattern>,
}

impl Grants {
    pub(super) fn include(&self, pattern: &OriginPattern, origin: &ResolvedOrigin) -> bool {
        let is_listed = |listed: &OriginPattern| {
            listed.as_str() == pattern.as_str()
                || listed.resolve(|_| None).is_ok_and(|listed| listed == *origin)
        };
        self.all || self.listed.iter().any(is_listed)
    }
}

/// The origins that a node declares, for one credential and one policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeclaredOrigins(Vec<DeclaredOrigin>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct DeclaredOrigin {
    origin: ResolvedOrigin,
    is_granted: bool,
    /// Whether the description lets the bound credential's access go there.
    has_access: bool,
}

/// What a declaration means for one URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declaration {
    /// The declared origin that the URL has, if it has one.
    pub origin: Option<String>,
    /// Whether the policy grants it.
    pub is_granted: bool,
    /// Whether it is granted and the credential's access goes there.
    pub has_access: bool,
}

impl DeclaredOrigins {
    /// Fills the fields of the bound credential in. Origins of fields that have no value are left out.
    ///
    /// # Errors
    ///
    /// A field's value cannot be a part of a host. The error names the origin and the field, without the value.
    pub fn new(
        node: &Node,
        credential: Option<&Credential>,
        policy: &Policy,
    ) -> Result<Self, CredentialError> {
        let mut declared = Vec::with_capacity(node.origins.len());
        for described in &node.origins {
            // The check of the description refuses others.
            let Ok(pattern) = OriginPattern::parse(&described.url) else {
                continue;
            };
            let value = |name: &str| Some(credential?.value(name)?.expose());
            let origin = match pattern.resolve(value) {
                Ok(origin) => origin,
                Err(RenderError::Absent { .. }) => continue,
                Err(error) => {
                    return Err(CredentialError {
                        message: format!("the origin `{pattern}`: {error}"),
                    });
                }
            };
            declared.push(DeclaredOrigin {
                is_granted: policy.declared.include(&pattern, &origin),
                has_access: credential
                    .is_some_and(|bound| described.access.iter().any(|name| name == bound.name())),
                origin,
            });
        }
        Ok(Self(declared))
    }

    /// Whether the node declares none, so that there is nothing to look up.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the declarations mean for a URL. If several match, one that is granted is preferred.
    #[must_use]
    pub fn of(&self, url: &CanonicalUrl) -> Declaration {
        let mut found = Declaration::default();
        for declared in self.0.iter().filter(|declared| declared.origin.matches(url)) {
            if found.origin.is_none() || declared.is_granted && !found.is_granted {
                found.origin = Some(declared.origin.to_string());
            }
            found.is_granted |= declared.is_granted;
            found.has_access |= declared.is_granted && declared.has_access;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::address::Permit;
    use crate::description::{EXAMPLE, Origin};
    use crate::policy::Denial;

    const FIXED: &str = r#"{"$credential": "cityLibraryTokenApi", "baseUrl": "https://library.example", "reader": "ann",
        "key": "k3y", "branch": "bus"}"#;

    fn origin(url: &str, access: &[&str]) -> Origin {
        Origin {
            url: url.to_owned(),
            access: access.iter().map(|name| (*name).to_owned()).collect(),
            reason: "It is needed".to_owned(),
        }
    }

    fn node(origins: Vec<Origin>) -> Node {
        let mut node: Node = serde_json::from_str(EXAMPLE).unwrap();
        node.origins = origins;
        node
    }

    fn policy(text: &str) -> Policy {
        Policy::from_toml(text, "policy.toml").unwrap()
    }

    fn declared(origins: Vec<Origin>, policy: &Policy) -> DeclaredOrigins {
        let node = node(origins);
        let credential = Credential::from_json(&node, FIXED).unwrap();
        DeclaredOrigins::new(&node, Some(&credential), policy).unwrap()
    }

    fn uploads() -> Vec<Origin> {
        vec![origin(
            "https://{branch}.uploads.example.com",
            &["cityLibraryTokenApi"],
        )]
    }

    const UPLOADS: &str = "https://bus.uploads.example.com/x?y=z";

    fn decided(policy: &Policy, url: &str) -> Result<Permit, Denial> {
        let url = CanonicalUrl::parse(url).unwrap();
        policy.decide_beside_base(&Method::PUT, &url, &declared(uploads(), policy).of(&url))
    }

    #[test]
    fn a_declared_origin_is_reached_where_the_policy_grants_it() {
        for (granted, expected) in [
            ("", false),
            ("declared = false", false),
            ("declared = []", false),
            ("declared = true", true),
            ("declared = [\"https://{branch}.uploads.example.com\"]", true),
            ("declared = [\"https://bus.uploads.example.com\"]", true),
            ("declared = [\"https://car.uploads.example.com\"]", false),
            ("declared = [\"https://uploads.example.com\"]", false),
            ("declared = [\"https://*.uploads.example.com\"]", false),
        ] {
            let policy = policy(granted);
            assert_eq!(decided(&policy, UPLOADS).is_ok(), expected, "{granted}");
            let url = CanonicalUrl::parse(UPLOADS).unwrap();
            assert_eq!(
                declared(uploads(), &policy).of(&url).has_access,
                expected,
                "{granted}"
            );
        }
    }

    #[test]
    fn what_looks_like_a_granted_origin_is_not_reached() {
        let policy = policy("declared = true");
        for url in [
            "http://bus.uploads.example.com/",
            "https://bus.uploads.example.com:8443/",
            "https://car.uploads.example.com/",
            "https://uploads.example.com/",
            "https://bus.uploads.example.com.evil.example/",
            "https://xbus.uploads.example.com/",
            "https://a.bus.uploads.example.com/",
            "https://bus-uploads.example.com/",
        ] {
            assert!(decided(&policy, url).is_err(), "{url}");
        }
    }

    /// A list that grants more than the description declares grants nothing more.
    #[test]
    fn what_is_granted_and_not_declared_is_not_reached() {
        let policy = policy("declared = [\"https://other.example.com\"]");
        assert!(decided(&policy, "https://other.example.com/").is_err());
    }

    #[test]
    fn access_goes_to_origins_that_name_the_bound_credential_and_are_granted() {
        let origins = || {
            vec![
                origin("https://a.example.com", &["cityLibraryTokenApi"]),
                origin("https://b.example.com", &["cityLibraryApi"]),
                origin("https://c.example.com", &[]),
            ]
        };
        let url = |host: &str| CanonicalUrl::parse(&format!("https://{host}.example.com/")).unwrap();
        let all = declared(origins(), &policy("declared = true"));
        for (host, expected) in [("a", true), ("b", false), ("c", false), ("d", false)] {
            assert_eq!(all.of(&url(host)).has_access, expected, "{host}");
        }
        let none = declared(
            origins(),
            &policy("[[allow]]\norigin = \"https://a.example.com\""),
        );
        assert!(!none.of(&url("a")).has_access, "an entry grants no access");
    }

    #[test]
    fn a_grant_covers_public_addresses_and_an_entry_private_ones() {
        let granted = policy("declared = true");
        assert_eq!(decided(&granted, UPLOADS), Ok(Permit::PublicOnly));
        let private = policy(
            "declared = true\n[[allow]]\norigin = \"https://bus.uploads.example.com\"\nprivate = true",
        );
        assert_eq!(decided(&private, UPLOADS), Ok(Permit::PrivateAllowed));
    }

    #[test]
    fn no_grant_allows_connect() {
        let (policy, url) = (policy("declared = true"), CanonicalUrl::parse(UPLOADS).unwrap());
        let declaration = declared(uploads(), &policy).of(&url);
        assert!(declaration.is_granted);
        assert!(
            policy
                .decide_beside_base(&Method::CONNECT, &url, &declaration)
                .is_err()
        );
    }

    #[test]
    fn a_refusal_has_the_line_that_grants_it() {
        let denial = decided(&Policy::default(), UPLOADS).unwrap_err();
        assert_eq!(
            denial.to_string(),
            "`PUT https://bus.uploads.example.com/x` is not allowed: the policy allows nothing; the node declares this origin, and \
             nobody granted it"
        );
        let hint = denial.hint().unwrap();
        let (_, line) = hint.split_once('\n').unwrap();
        assert_eq!(line, "declared = [\"https://bus.uploads.example.com\"]");
        assert!(decided(&policy(line), UPLOADS).is_ok());
        let other = decided(&Policy::default(), "https://other.example.com/").unwrap_err();
        assert!(other.hint().unwrap().contains("[[allow]]"), "{other}");
    }

    #[test]
    fn a_field_without_a_value_leaves_its_origin_out_and_an_impossible_one_is_refused_without_it() {
        let node = node(uploads());
        let declared = DeclaredOrigins::new(&node, None, &policy("declared = true")).unwrap();
        assert!(declared.is_empty());
        let text = FIXED.replace("\"bus\"", "\"evil.example/s3cr3t\"");
        let credential = Credential::from_json(&node, &text).unwrap();
        let error = DeclaredOrigins::new(&node, Some(&credential), &Policy::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "credential: the origin `https://{branch}.uploads.example.com`: the field `branch`: expected a value of letters, digits, \
             `-` and `.`"
        );
    }
}
