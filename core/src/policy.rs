//! What an operator allows a node to reach.
//!
//! A policy is parsed once, into types that cannot represent invalid rules. The default policy is empty and allows
//! nothing; nothing in a node's description can extend it.
//!
//! ```toml
//! # The most requests other than GET and HEAD that one item may send. It lowers what the description declares. For an
//! # operation that `[effects]` makes a `write` it is the number itself, and 1 by default.
//! write-requests = 1
//!
//! # Grants the origins that the description declares: true for all, or those of a list. Access goes to those that name
//! # the credential. Private addresses need an entry as well.
//! declared = ["https://uploads.example.com"]
//!
//! # What the component may import. "void": also what the runtimes of languages import, in void versions with nothing
//! # behind them. "minimal": only what every node may.
//! imports = "void"
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
//!
//! [operations."points.adjust"]         # what holds for one operation
//! write-requests = 1
//!
//! [tls]                                # files are PEM; a relative path starts at the policy file's folder
//! ca = ["our-ca.pem"]                  # trusted beside the public web's authorities
//! client-cert = "client.pem"           # shown where the credential's access goes, and nowhere else
//! client-key = "client.key"
//! insecure-origins = ["https://crm.internal:8443"]   # no certificate is checked there; scheme, host and port
//! ```
//!
//! Reading the file reports all problems at once, with their lines: unknown keys, values of the wrong kind, entries
//! that could never match, and entries that match more than they seem to.
//!
//! A policy has no key for a proxy. A proxy looks names up itself, past the address rules, so only the engine's
//! operator can set one, for all nodes (`EngineConfig::proxy`). With a proxy, these rules
//! still decide about origins, paths, methods, and targets written as addresses; the proxy decides where a name leads.
//! `HTTP_PROXY` and similar environment variables are ignored.

mod declared;
mod denial;
mod document;
mod endpoint;
mod file;
mod rule;
mod tls;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde::{Deserialize, Serialize};

pub use declared::{Declaration, DeclaredOrigins};
pub use denial::{Denial, Difference, Why};
pub use endpoint::EndpointDenial;
pub use file::{PolicyError, PolicyProblem, PolicyProblemKind};
pub use rule::{HostPattern, Rule, RuleError};
pub use tls::{InsecureOrigin, InsecureOriginError, TlsRules};

use crate::address::Permit;
use crate::canonical::{CanonicalUrl, Host};
use crate::description::{Effect, Operation, OriginPattern, UrlTemplateError};
use crate::limits::{LimitError, LimitOverrides, Limits};
use crate::text::shown;

/// How many requests that change something one item may send by default if its operation claims to read and a policy
/// makes it a `write`: one item does one thing.
pub const WRITE_REQUESTS: u32 = 1;

/// An item that sends more requests is no longer one thing.
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

/// What a component may import. Nothing that is not listed here is ever given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Imports {
    /// What every node may, and void versions of what the runtimes of languages import: an empty environment, no files, no
    /// sockets, output that becomes events.
    #[default]
    Void,
    /// What every node may: HTTP, clocks, random numbers and streams.
    Minimal,
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    limits: LimitOverrides,
    writes: BTreeSet<String>,
    write_requests: Option<u32>,
    /// By operation, `group.name`.
    operation_writes: BTreeMap<String, u32>,
    declared: declared::Grants,
    base_url: BaseUrl,
    imports: Imports,
    tls: TlsRules,
}

/// How many requests other than GET and HEAD one item may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteBound {
    /// The number.
    pub most: u32,
    /// Whether the policy set it, so that a change of the policy can raise it.
    pub is_of_policy: bool,
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

    /// Sets what the component may import.
    pub fn set_imports(&mut self, imports: Imports) {
        self.imports = imports;
    }

    /// What the component may import.
    #[must_use]
    pub fn imports(&self) -> Imports {
        self.imports
    }

    /// Grants every origin that the node's description declares. Access goes to those that name the credential.
    pub fn allow_declared(&mut self) {
        self.declared.all = true;
    }

    /// Grants one declared origin, as the description writes it or with the credential's fields filled in.
    ///
    /// # Errors
    ///
    /// The text is no origin.
    pub fn allow_declared_origin(&mut self, origin: &str) -> Result<(), UrlTemplateError> {
        self.declared.listed.push(OriginPattern::parse(origin)?);
        Ok(())
    }

    /// Sets the most requests other than GET and HEAD that one item of any operation may send.
    ///
    /// # Errors
    ///
    /// The number is above [`MOST_WRITE_REQUESTS`].
    pub fn set_write_requests(&mut self, most: u32) -> Result<(), SettingError> {
        self.write_requests = Some(bounded(most)?);
        Ok(())
    }

    /// Sets the most requests other than GET and HEAD that one item of an operation, `group.name`, may send.
    ///
    /// # Errors
    ///
    /// The number is above [`MOST_WRITE_REQUESTS`], or the text is not a group name and an operation name.
    pub fn set_write_requests_of(&mut self, operation: &str, most: u32) -> Result<(), SettingError> {
        let most = bounded(most)?;
        self.operation_writes.insert(operation_name(operation)?, most);
        Ok(())
    }

    /// Treats an operation, `group.name`, as a `write`, whatever effect the node declares.
    ///
    /// # Errors
    ///
    /// The text is not a group name and an operation name.
    pub fn lower_to_write(&mut self, operation: &str) -> Result<(), SettingError> {
        self.writes.insert(operation_name(operation)?);
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

    /// Sets which certificates count, which one is shown, and where none is checked.
    pub fn set_tls(&mut self, tls: TlsRules) {
        self.tls = tls;
    }

    /// Which certificates count, which one is shown, and where none is checked.
    #[must_use]
    pub fn tls(&self) -> &TlsRules {
        &self.tls
    }

    /// The most requests other than GET and HEAD that an item may send, if the policy says so for all operations.
    #[must_use]
    pub fn write_requests(&self) -> Option<u32> {
        self.write_requests
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

    /// Decides about a request that is not below the credential's base URL: by a matching rule, otherwise by what the
    /// node declares there and the policy grants of it. A grant covers public addresses only.
    ///
    /// # Errors
    ///
    /// Neither a rule nor a grant allows it. For an origin that is declared, the denial has the line that grants it.
    pub fn decide_beside_base(
        &self,
        method: &Method,
        url: &CanonicalUrl,
        declaration: &Declaration,
    ) -> Result<Permit, Denial> {
        if let Some(rule) = self.rule_for(method, url) {
            return Ok(rule.permit());
        }
        if declaration.is_granted && !FORBIDDEN_METHODS.contains(method) {
            return Ok(Permit::PublicOnly);
        }
        Err(Denial {
            declared: declaration.origin.clone().filter(|_| !declaration.is_granted),
            ..self.denial(method, url)
        })
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

    /// All operations that the policy names, for the same purpose.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.lowered()
            .chain(self.operation_writes.keys().map(String::as_str))
    }

    /// How many requests other than GET and HEAD one item of an operation may send: as many as the description declares,
    /// or fewer if the policy says so. `None`: the operation reads, and a service may want its searches as POST.
    #[must_use]
    pub fn write_bound(&self, operation: &Operation) -> Option<WriteBound> {
        let name = format!("{}.{}", operation.group, operation.name);
        let declared = match operation.effect {
            Effect::Read if !self.lowers_to_write(&name) => return None,
            Effect::Read => None,
            _ => Some(operation.write_requests),
        };
        let own = self.operation_writes.get(&name).copied().or(self.write_requests);
        Some(match (own, declared) {
            (Some(own), Some(declared)) if own >= declared => WriteBound {
                most: declared,
                is_of_policy: false,
            },
            (own, None) => WriteBound {
                most: own.unwrap_or(WRITE_REQUESTS),
                is_of_policy: true,
            },
            (Some(most), Some(_)) => WriteBound {
                most,
                is_of_policy: true,
            },
            (None, Some(most)) => WriteBound {
                most,
                is_of_policy: false,
            },
        })
    }
}

/// Reads `group.name`.
fn operation_name(operation: &str) -> Result<String, SettingError> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    match operation.split_once('.') {
        Some((group, name)) if is_name(group) && is_name(name) => Ok(operation.to_owned()),
        _ => Err(SettingError::Operation {
            found: shown(operation, SHOWN_CHARS),
        }),
    }
}

fn bounded(most: u32) -> Result<u32, SettingError> {
    if most > MOST_WRITE_REQUESTS {
        return Err(SettingError::WriteRequests { found: most });
    }
    Ok(most)
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
