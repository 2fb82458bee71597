//! What a node may reach, as its operator says.
//!
//! A policy is parsed once, into types that cannot hold nonsense, and then only asked. The empty policy, which is the
//! default, allows nothing; nothing that a node says about itself widens one.
//!
//! ```toml
//! # How many requests that are not GET or HEAD one call of a `write` operation may send.
//! write-requests = 1
//!
//! # What the credential's base URL allows: "granted", everything below it, or "listed", nothing but what an entry allows. An
//! # authenticating instance reaches nothing outside of the base URL in any case; with "listed", the entries have to allow its
//! # requests too.
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
//! An unknown key, a value of the wrong kind, an entry that could never match, and one that matches more than it seems
//! to, are refused when the file is read, all at once, with their lines.
//!
//! There is no key for a proxy: one looks names up itself, past the address rules, so that it is the engine's operator who names one
//! for all nodes (`EngineConfig::proxy`). With it, these rules still decide about origins, paths
//! and methods, and about targets that are written as addresses; where a name leads, the proxy decides. `HTTP_PROXY` and its
//! like in the environment are ignored.

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

/// How many requests that change something a call of a `write` operation may send: one call does one thing.
pub const WRITE_REQUESTS: u32 = 1;

/// A call that sends more than this is not one thing any more; such an operation is not a `write` that needs care.
pub const MOST_WRITE_REQUESTS: u32 = 1000;

/// As much of a wrong name as an error shows.
const SHOWN_CHARS: usize = 80;

/// Methods that make a proxy of a server, or make it show a request's headers. No entry allows them.
pub const FORBIDDEN_METHODS: [Method; 2] = [Method::CONNECT, Method::TRACE];

/// What giving a credential allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaseUrl {
    /// Its base URL and what is below it, by every method but the forbidden ones, at public addresses or at the one that it names.
    #[default]
    Granted,
    /// Nothing by itself: the entries decide about requests below it as about all others.
    Listed,
}

/// What a node may reach; see the [module](self). The default allows nothing.
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
    /// Read a policy file; `file_name` is for the errors.
    ///
    /// # Errors
    ///
    /// All problems of the file, with their lines.
    pub fn from_toml(text: &str, file_name: &str) -> Result<Self, PolicyError> {
        file::parse(text, file_name)
    }

    /// Allow what a rule says, besides what is allowed already.
    pub fn allow(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Say what giving a credential allows.
    pub fn set_base_url(&mut self, base_url: BaseUrl) {
        self.base_url = base_url;
    }

    /// Say how many requests that are not GET or HEAD one call of a `write` operation may send.
    ///
    /// # Errors
    ///
    /// More than [`MOST_WRITE_REQUESTS`].
    pub fn set_write_requests(&mut self, most: u32) -> Result<(), SettingError> {
        if most > MOST_WRITE_REQUESTS {
            return Err(SettingError::WriteRequests { found: most });
        }
        self.write_requests = most;
        Ok(())
    }

    /// Treat an operation, `group.name`, as a `write`, whatever the node says of its effect.
    ///
    /// # Errors
    ///
    /// The text is not the name of a group and that of an operation.
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

    /// Set a limit, by its key in `[limits]` and in that key's unit, over the embedder's.
    ///
    /// # Errors
    ///
    /// No limit has that key, or the value is outside its range.
    pub fn set_limit(&mut self, key: &str, value: u64) -> Result<(), LimitError> {
        self.limits.set(key, value)
    }

    /// What is allowed.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Decide about a request. The answer is the rule that allows it, whose [permit](Rule::permit) says which addresses
    /// the connection may go to; of several, one that allows private addresses.
    ///
    /// # Errors
    ///
    /// No rule allows it.
    pub fn decide(&self, method: &Method, url: &CanonicalUrl) -> Result<&Rule, Denial> {
        self.rule_for(method, url).ok_or_else(|| self.denial(method, url))
    }

    /// Decide about a request below the credential's base URL: what a rule allows, and without one what the base URL does.
    ///
    /// # Errors
    ///
    /// Neither allows it.
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

    /// What giving a credential allows.
    #[must_use]
    pub fn base_url(&self) -> BaseUrl {
        self.base_url
    }

    /// Why no rule allows a request.
    pub fn denial(&self, method: &Method, url: &CanonicalUrl) -> Denial {
        if FORBIDDEN_METHODS.contains(method) {
            Denial::new(method, url, Why::ForbiddenMethod)
        } else {
            Denial::explain(&self.rules, method, url)
        }
    }

    /// The rule of [`Policy::decide`], for who does not ask why there is none.
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

    /// An embedder's limits with those of the policy over them.
    #[must_use]
    pub fn limits_over(&self, limits: Limits) -> Limits {
        self.limits.over(limits)
    }

    /// Whether an operation, `group.name`, is to be treated as a `write`, whatever the node says of its effect.
    #[must_use]
    pub fn lowers_to_write(&self, operation: &str) -> bool {
        self.writes.contains(operation)
    }

    /// The operations that are to be treated as a `write`, so that one that no node has can be pointed out.
    pub fn lowered(&self) -> impl Iterator<Item = &str> {
        self.writes.iter().map(String::as_str)
    }

    /// How many requests that are not GET or HEAD one call of a `write` operation may send.
    #[must_use]
    pub fn write_requests(&self) -> u32 {
        self.write_requests
    }
}

/// A setting that a policy cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// Too many requests that change something.
    #[error("write requests: expected 0 to {MOST_WRITE_REQUESTS}, found {found}")]
    WriteRequests {
        /// What was found.
        found: u32,
    },
    /// A text that names no operation.
    #[error("expected an operation such as `points.adjust`, found `{found}`")]
    Operation {
        /// What was found.
        found: String,
    },
}

/// How far a connection to the credential's base URL may go.
fn permit_of_base(url: &CanonicalUrl) -> Permit {
    match url.host() {
        Host::Address(address) => Permit::Literal(*address),
        Host::Name(_) => Permit::PublicOnly,
    }
}

#[cfg(test)]
mod tests;
