//! The reason for a denied request, as data: one line for the node, and for the operator the lines that would allow the
//! request.

use std::fmt;

use http::Method;

use super::Rule;
use crate::canonical::{CanonicalUrl, Host, PathMismatch, PathPrefix};

/// A request that no entry allows. It contains the path but never the query, whose values may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// The request's method.
    pub method: Method,
    /// Scheme, host and port.
    pub origin: String,
    /// The path of the request.
    pub path: String,
    /// The reason.
    pub why: Why,
    /// Whether the URL is below the credential's base URL and the policy says `base-url = "listed"`.
    pub is_base_listed: bool,
    /// The origin, if the node declares it and the policy does not grant it.
    pub declared: Option<String>,
}

/// Why a request was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The method is one that no entry can allow.
    ForbiddenMethod,
    /// The policy allows nothing at all.
    NothingAllowed,
    /// No entry matches this host or a similar one.
    HostNotListed,
    /// The nearest entry, and how the request differs from it.
    Differs {
        /// The entry.
        nearest: Box<Rule>,
        /// At least one.
        differences: Vec<Difference>,
    },
}

/// How a request differs from an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Difference {
    /// The host differs.
    Host,
    /// The request uses `http` where `https` is listed, or the reverse.
    Scheme,
    /// The port differs.
    Port,
    /// The method is not listed.
    Method,
    /// The path is not below the listed one.
    Path(PathMismatch),
}

impl Why {
    /// A stable name of the missing rule, for events and alerts.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::ForbiddenMethod => "forbidden-method",
            Self::NothingAllowed => "nothing-allowed",
            Self::HostNotListed => "host",
            Self::Differs { differences, .. } => match differences.first() {
                Some(Difference::Host) | None => "host",
                Some(Difference::Scheme) => "scheme",
                Some(Difference::Port) => "port",
                Some(Difference::Method) => "methods",
                Some(Difference::Path(_)) => "path",
            },
        }
    }
}

impl Difference {
    /// The weight of the difference: an entry that names the request's host is nearest.
    fn weight(self) -> u32 {
        match self {
            Self::Host => 100,
            Self::Scheme | Self::Port => 10,
            Self::Method | Self::Path(_) => 1,
        }
    }
}

impl Denial {
    pub(super) fn new(method: &Method, url: &CanonicalUrl, why: Why) -> Self {
        Self {
            method: method.clone(),
            origin: url.origin(),
            path: url.path().to_owned(),
            why,
            is_base_listed: false,
            declared: None,
        }
    }

    /// Finds the nearest rule.
    pub(super) fn explain(rules: &[Rule], method: &Method, url: &CanonicalUrl) -> Self {
        let nearest = rules
            .iter()
            .map(|rule| (rule, rule.differences(method, url).collect::<Vec<_>>()))
            .filter(|(rule, differences)| !differences.contains(&Difference::Host) || is_alike(rule, url))
            .min_by_key(|(_, differences)| {
                differences
                    .iter()
                    .map(|difference| difference.weight())
                    .sum::<u32>()
            });
        let why = match nearest {
            Some((rule, differences)) => Why::Differs {
                nearest: Box::new(rule.clone()),
                differences,
            },
            None if rules.is_empty() => Why::NothingAllowed,
            None => Why::HostNotListed,
        };
        Self::new(method, url, why)
    }

    /// The lines that would allow this request and as little else as an entry can. `None` if no entry can allow it, or
    /// if the request should be changed instead.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let mut path = None;
        match &self.why {
            Why::ForbiddenMethod => return None,
            Why::NothingAllowed | Why::HostNotListed => {}
            Why::Differs { differences, .. } => {
                for difference in differences {
                    match difference {
                        Difference::Path(PathMismatch::Elsewhere) => {
                            path = PathPrefix::parse(&self.path).ok();
                        }
                        Difference::Path(_) => return None,
                        _ => {}
                    }
                }
            }
        }
        if let Some(declared) = &self.declared {
            return Some(format!(
                "to grant the origin, with the access that the node declares for it, add to the policy, above its first \
                 table:\ndeclared = [\"{declared}\"]"
            ));
        }
        let Self { method, origin, .. } = self;
        let path = path.unwrap_or_default();
        let path_line = if path.is_root() {
            String::new()
        } else {
            format!("\npath = \"{path}\"")
        };
        let base_line = if self.is_base_listed {
            "\nor, for everything below the credential's base URL:\nbase-url = \"granted\""
        } else {
            ""
        };
        Some(format!(
            "to allow it, add to the policy:\n[[allow]]\n\
             origin = \"{origin}\"{path_line}\nmethods = [\"{method}\"]{base_line}"
        ))
    }
}

/// Whether a reader could confuse the entry's name with the request's, so that showing the entry helps.
fn is_alike(rule: &Rule, url: &CanonicalUrl) -> bool {
    match (rule.host().name(), url.host()) {
        (Some(listed), Host::Name(name)) => name.contains(listed) || listed.contains(name.as_str()),
        _ => false,
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            origin,
            path,
            why,
            is_base_listed,
            declared,
        } = self;
        write!(f, "`{method} {origin}{path}` is not allowed: ")?;
        match why {
            Why::ForbiddenMethod => write!(f, "no entry can allow `{method}`")?,
            Why::NothingAllowed => f.write_str("the policy allows nothing")?,
            Why::HostNotListed => f.write_str("no entry is about this host")?,
            Why::Differs { nearest, differences } => {
                write!(f, "the nearest entry is `{nearest}`, ")?;
                for (index, difference) in differences.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", and " })?;
                    explain(f, *difference, nearest)?;
                }
            }
        }
        if *is_base_listed {
            f.write_str("; the credential's base URL allows nothing by itself (`base-url = \"listed\"`)")?;
        }
        if declared.is_some() {
            f.write_str("; the node declares this origin, and nobody granted it")?;
        }
        Ok(())
    }
}

fn explain(f: &mut fmt::Formatter<'_>, difference: Difference, rule: &Rule) -> fmt::Result {
    match difference {
        Difference::Host => write!(f, "for the host `{}`", rule.host()),
        Difference::Scheme => write!(f, "for `{}`", rule.scheme()),
        Difference::Port => write!(f, "for port {}", rule.port()),
        Difference::Method => f.write_str("for other methods"),
        Difference::Path(PathMismatch::Elsewhere) => f.write_str("for another path"),
        Difference::Path(PathMismatch::Escapes) => {
            f.write_str("and a server that decodes the path twice would be led out of it")
        }
        Difference::Path(PathMismatch::Semicolon) => {
            f.write_str("below which `;` has to be written as `%3B`")
        }
    }
}

impl std::error::Error for Denial {}
