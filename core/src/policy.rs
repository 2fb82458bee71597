//! What an operator allows a node to reach.
//!
//! A policy is parsed once, into types that cannot represent invalid rules. The default policy is empty and allows
//! nothing; nothing in a node's description can extend it.
//!
//! ```toml
//! # How many requests that are not GET or HEAD one call of a `write` operation may send.
//! write-requests = 1
//!
//! # What the credential's base URL allows. "granted": everything below it. "listed": only what an entry allows.
//! # In either case an authenticating instance reaches nothing outside the base URL; with "listed", the entries have
//! # to allow its requests too.
//! base-url = "granted"
//!
//! [[allow]]
//! origin = "https://api.example.com"   # scheme, host and port; see the table at `Rule`
//! path = "/v1"                         # and below; absent: every path
//! methods = ["GET", "POST"]            # absent: every method but CONNECT and TRACE
//! private = false                      # whether the name may resolve to a private address
//!
//! [limits]                             # over the embedder's; see `crate::limits`
//! memory-bytes = 67108864
//!
//! [effects]                            # may lower what a node claims, never raise it
//! "points.adjust" = "write"
//! ```
//!
//! Reading the file reports all problems at once, with their lines: unknown keys, values of the wrong kind, entries
//! that could never match, and entries that match more than they seem to.
//!
//! A policy has no key for a proxy. A proxy looks names up itself, past the address rules, so only the engine's
//! operator can set one, for all nodes (`EngineConfig::proxy`). With a proxy, these rules
//! still decide about origins, paths, methods, and targets written as addresses; the proxy decides where a name leads.
//! `HTTP_PROXY` and similar environment variables are ignored.

mod denial;
mod document;
mod file;
mod rule;

use std::collections::BTreeSet;

use http::Method;
use serde::{Deserialize, Serialize};

pub use denial::{Denial, Difference, Why};
pub use file::{PolicyError, PolicyProblem, PolicyProblemKind};
pub use rule::{HostPattern, Rule, RuleError};

use crate::address::Permit;
use crate::canonical::{CanonicalUrl, Host};
use crate::limits::{LimitError, LimitOverrides, Limits};
use crate::text::shown;

/// How many requests that change something one call of a `write` operation may send by default: one call does one
/// thing.
pub const WRITE_REQUESTS: u32 = 1;

/// A call that sends more requests is no longer one thing, and its operation is not a `write` that needs care.
pub const MOST_WRITE_REQUESTS: u32 = 1000;

/// Longer wrong names are cut in errors.
const SHOWN_CHARS: usize = 80;

/// Methods that make a server act as a proxy, or echo a request's headers. No entry allows them.
pub const FORBIDDEN_METHODS: [Method; 2] = [Method::CONNECT, Method::TRACE];

/// What the credential's base URL allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaseUrl {
    /// Every path below the base URL, by every method that is not forbidden, at public addresses or at the address that
    /// the URL names.
    #[default]
    Granted,
    /// Nothing by itself: requests below it need an entry, like all others.
    Listed,
}

/// The rules that decide what a node may reach; see the [module](self). The default allows nothing.
///
/// ```
/// use http::Method;
/// use nodule_core::canonical::CanonicalUrl;
/// use nodule_core::policy::{Policy, Rule};
///
/// let mut policy = Policy::default();
/// policy.allow(Rule::parse("https://api.example.com/v1")?);
///
/// let url = CanonicalUrl::parse("https://api.example.com/v1/items")?;
/// assert!(policy.decide(&Method::GET, &url).is_ok());
/// let url = CanonicalUrl::parse("https://api.example.com.evil.example/v1/items")?;
/// assert!(policy.decide(&Method::GET, &url).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    limits: LimitOverrides,
    writes: BTreeSet<String>,
    write_requests: u32,
    base_url: BaseUrl,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            limits: LimitOverrides::default(),
            writes: BTreeSet::new(),
            write_requests: WRITE_REQUESTS,
            base_url: BaseUrl::Granted,
        }
    }
}

impl Policy {
    /// Reads a policy file; `file_name` appears in errors.
    ///
    /// # Errors
    ///
    /// All problems of the file, with their lines.
    pub fn from_toml(text: &str, file_name: &str) -> Result<Self, PolicyError> {
        file::parse(text, file_name)
    }

    /// Adds a rule to what is allowed.
    pub fn allow(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Sets what the credential's base URL allows.
    pub fn set_base_url(&mut self, base_url: BaseUrl) {
        self.base_url = base_url;
    }

    /// Sets how many requests that are not GET or HEAD one call of a `write` operation may send.
    ///
    /// # Errors
    ///
    /// The number is above [`MOST_WRITE_REQUESTS`].
    pub fn set_write_requests(&mut self, most: u32) -> Result<(), SettingError> {
        if most > MOST_WRITE_REQUESTS {
            return Err(SettingError::WriteRequests { found: most });
        }
        self.write_requests = most;
        Ok(())
    }

    /// Treats an operation, `group.name`, as a `write`, whatever effect the node declares.
    ///
    /// # Errors
    ///
    /// The text is not a group name and an operation name.
    pub fn lower_to_write(&mut self, operation: &str) -> Result<(), SettingError> {
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
        let named = operation.split_once('.');
        if !named.is_some_and(|(group, name)| is_name(group) && is_name(name)) {
            return Err(SettingError::Operation {
                found: shown(operation, SHOWN_CHARS),
            });
        }
        self.writes.insert(operation.to_owned());
        Ok(())
    }

    /// Sets a limit by its key in `[limits]`, in that key's unit. It overrides the embedder's limit.
    ///
    /// # Errors
    ///
    /// No limit has that key, or the value is outside its range.
    pub fn set_limit(&mut self, key: &str, value: u64) -> Result<(), LimitError> {
        self.limits.set(key, value)
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Finds the rule that allows a request. The rule's [permit](Rule::permit) says which addresses the connection may
    /// go to. If several rules match, one that allows private addresses is preferred.
    ///
    /// # Errors
    ///
    /// No rule allows it.
    pub fn decide(&self, method: &Method, url: &CanonicalUrl) -> Result<&Rule, Denial> {
        self.rule_for(method, url).ok_or_else(|| self.denial(method, url))
    }

    /// Decides about a request below the credential's base URL: by a matching rule, otherwise by what the base URL
    /// allows.
    ///
    /// # Errors
    ///
    /// Neither a rule nor the base URL allows it.
    pub fn decide_below_base(&self, method: &Method, url: &CanonicalUrl) -> Result<Permit, Denial> {
        if let Some(rule) = self.rule_for(method, url) {
            return Ok(rule.permit());
        }
        if self.base_url == BaseUrl::Granted && !FORBIDDEN_METHODS.contains(method) {
            return Ok(permit_of_base(url));
        }
        Err(Denial {
            is_base_listed: self.base_url == BaseUrl::Listed,
            ..self.denial(method, url)
        })
    }

    /// What the credential's base URL allows.
    #[must_use]
    pub fn base_url(&self) -> BaseUrl {
        self.base_url
    }

    /// Explains why no rule allows a request.
    pub fn denial(&self, method: &Method, url: &CanonicalUrl) -> Denial {
        if FORBIDDEN_METHODS.contains(method) {
            Denial::new(method, url, Why::ForbiddenMethod)
        } else {
            Denial::explain(&self.rules, method, url)
        }
    }

    /// The rule that [`Policy::decide`] finds. Explains nothing if no rule matches.
    pub fn rule_for(&self, method: &Method, url: &CanonicalUrl) -> Option<&Rule> {
        if FORBIDDEN_METHODS.contains(method) {
            return None;
        }
        let mut allowed = self.rules.iter().filter(|rule| rule.allows(method, url));
        let first = allowed.next()?;
        Some(if first.is_private() {
            first
        } else {
            allowed.find(|rule| rule.is_private()).unwrap_or(first)
        })
    }

    /// Applies the policy's limits over an embedder's.
    #[must_use]
    pub fn limits_over(&self, limits: Limits) -> Limits {
        self.limits.over(limits)
    }

    /// Whether to treat an operation, `group.name`, as a `write`, whatever effect the node declares.
    #[must_use]
    pub fn lowers_to_write(&self, operation: &str) -> bool {
        self.writes.contains(operation)
    }

    /// The operations to treat as a `write`, so that callers can report names that the node does not have.
    pub fn lowered(&self) -> impl Iterator<Item = &str> {
        self.writes.iter().map(String::as_str)
    }

    /// How many requests that are not GET or HEAD one call of a `write` operation may send.
    #[must_use]
    pub fn write_requests(&self) -> u32 {
        self.write_requests
    }
}

/// A policy setting is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// Too many requests that change something.
    #[error("write requests: expected 0 to {MOST_WRITE_REQUESTS}, found {found}")]
    WriteRequests {
        /// What was found.
        found: u32,
    },
    /// The text names no operation.
    #[error("expected an operation such as `points.adjust`, found `{found}`")]
    Operation {
        /// What was found.
        found: String,
    },
}

/// Which addresses a connection to the credential's base URL may go to.
fn permit_of_base(url: &CanonicalUrl) -> Permit {
    match url.host() {
        Host::Address(address) => Permit::Literal(*address),
        Host::Name(_) => Permit::PublicOnly,
    }
}

#[cfg(test)]
mod tests;
