//! Reads the policy file: strict TOML, with all problems reported at once, each with its line.

use std::fmt;

use http::Method;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{
    BaseUrl, Imports, InsecureOrigin, InsecureOriginError, MOST_WRITE_REQUESTS, Policy, Rule, RuleError,
    SettingError,
};
use crate::canonical::{PathPrefix, UrlError, shown};
use crate::description::UrlTemplateError;
use crate::limits::{LIMIT_SPECS, LimitError};

const FILE_KEYS: &[&str] = &[
    "write-requests",
    "imports",
    "base-url",
    "declared",
    "allow",
    "limits",
    "effects",
    "operations",
    "tls",
];
const ENTRY_KEYS: &[&str] = &["origin", "path", "methods", "private"];
const OPERATION_KEYS: &[&str] = &["write-requests"];
const TLS_KEYS: &[&str] = &["ca", "client-cert", "client-key", "insecure-origins"];

/// The longest path that a system accepts.
const FILE_CHARS: usize = 4_096;

/// A policy file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyError {
    /// The file name that the caller gave.
    pub file: String,
    /// At least one, in the order found.
    pub problems: Vec<PolicyProblem>,
}

/// One thing that is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyProblem {
    /// Counted from 1.
    pub line: usize,
    /// The problem.
    pub kind: PolicyProblemKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyProblemKind {
    /// The file is not valid TOML.
    #[error("{}", shown(message))]
    Syntax {
        /// The parser's message.
        message: String,
    },
    /// The key is unknown.
    #[error("unknown key `{}`{place}: expected {}", shown(key), quoted(accepted))]
    UnknownKey {
        /// What was found.
        key: String,
        /// The table that contains it, with a leading space.
        place: &'static str,
        /// The keys that are accepted there.
        accepted: Vec<&'static str>,
    },
    /// An entry has no origin.
    #[error("`[[allow]]`: expected an `origin`, found none")]
    NoOrigin,
    /// A value has the wrong kind or is out of range.
    #[error("`{}`: expected {expected}, found {}", shown(key), shown(found))]
    Value {
        /// The key.
        key: String,
        /// The value that was expected.
        expected: String,
        /// The value that was found.
        found: String,
    },
    /// An entry has none of the accepted forms.
    #[error("`{key}`: {source}")]
    Entry {
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        source: RuleError,
    },
    /// An entry's path cannot be a rule.
    #[error("{0}")]
    Path(UrlError),
    /// A granted origin has none of the forms that a description declares.
    #[error("`declared`: {0}")]
    Declared(UrlTemplateError),
    /// An origin cannot be one whose certificate is not checked.
    #[error("`insecure-origins`: {0}")]
    InsecureOrigin(InsecureOriginError),
    /// A limit cannot be set.
    #[error("{0}")]
    Limit(#[from] LimitError),
}

impl PolicyError {
    /// What to write instead, for the first problem that has a hint.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.problems.iter().find_map(|problem| match &problem.kind {
            PolicyProblemKind::Entry { source, .. } => source.hint(),
            PolicyProblemKind::NoOrigin => {
                Some("write\n[[allow]]\norigin = \"https://api.example.com\"".to_owned())
            }
            _ => None,
        })
    }
}

/// Prints one line for each problem: `policy.toml:3: unknown key …`.
impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, PolicyProblem { line, kind }) in self.problems.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(
                f,
                "{line_break}{}:{line}: {kind}",
                crate::text::shown(&self.file, FILE_CHARS)
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

/// Reads a policy file.
pub(super) fn parse(text: &str, file: &str) -> Result<Policy, PolicyError> {
    let mut reader = Reader {
        text,
        problems: Vec::new(),
    };
    let mut policy = Policy::default();
    match DeTable::parse(text) {
        Ok(table) => reader.file(table.get_ref(), &mut policy),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            reader.problem(at, PolicyProblemKind::Syntax { message });
        }
    }
    let Reader { mut problems, .. } = reader;
    if problems.is_empty() {
        return Ok(policy);
    }
    problems.sort_by_key(|problem| problem.line);
    Err(PolicyError {
        file: file.to_owned(),
        problems,
    })
}

type Value<'i> = Spanned<DeValue<'i>>;

/// Collects problems while it walks the file; after a problem, its return values are not used.
struct Reader<'t> {
    text: &'t str,
    problems: Vec<PolicyProblem>,
}

impl Reader<'_> {
    fn problem(&mut self, at: usize, kind: PolicyProblemKind) {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        self.problems.push(PolicyProblem { line, kind });
    }

    fn unknown(&mut self, key: &Spanned<impl AsRef<str>>, place: &'static str, accepted: &[&'static str]) {
        let kind = PolicyProblemKind::UnknownKey {
            key: shown(key.get_ref().as_ref()),
            place,
            accepted: accepted.to_vec(),
        };
        self.problem(key.span().start, kind);
    }

    fn wrong(&mut self, key: &str, expected: impl Into<String>, value: &Value) {
        let kind = PolicyProblemKind::Value {
            key: shown(key),
            expected: expected.into(),
            found: described(value.get_ref()),
        };
        self.problem(value.span().start, kind);
    }

    fn entry(&mut self, key: &'static str, value: &Value, source: RuleError) {
        self.problem(value.span().start, PolicyProblemKind::Entry { key, source });
    }

    fn file(&mut self, table: &DeTable, policy: &mut Policy) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "write-requests" => self.write_requests(value, policy),
                "imports" => self.imports(value, policy),
                "base-url" => self.base_url(value, policy),
                "declared" => self.declared(value, policy),
                "allow" => self.entries(value, policy),
                "limits" => self.limits(value, policy),
                "effects" => self.effects(value, policy),
                "operations" => self.operations(value, policy),
                "tls" => self.tls(key.span().start, value, policy),
                _ => self.unknown(key, "", FILE_KEYS),
            }
        }
    }

    fn write_requests(&mut self, value: &Value, policy: &mut Policy) {
        let most = integer(value.get_ref()).and_then(|number| u32::try_from(number).ok());
        if most.is_none_or(|most| policy.set_write_requests(most).is_err()) {
            self.wrong("write-requests", format!("0 to {MOST_WRITE_REQUESTS}"), value);
        }
    }

    fn imports(&mut self, value: &Value, policy: &mut Policy) {
        match value.get_ref() {
            DeValue::String(text) if text == "void" => policy.imports = Imports::Void,
            DeValue::String(text) if text == "minimal" => policy.imports = Imports::Minimal,
            _ => self.wrong("imports", "\"void\" or \"minimal\"", value),
        }
    }

    fn base_url(&mut self, value: &Value, policy: &mut Policy) {
        match value.get_ref() {
            DeValue::String(text) if text == "granted" => policy.base_url = BaseUrl::Granted,
            DeValue::String(text) if text == "listed" => policy.base_url = BaseUrl::Listed,
            _ => self.wrong("base-url", "\"granted\" or \"listed\"", value),
        }
    }

    fn declared(&mut self, value: &Value, policy: &mut Policy) {
        let expected = "true, false or a list such as [\"https://uploads.example.com\"]";
        match value.get_ref() {
            DeValue::Boolean(all) => policy.declared.all = *all,
            DeValue::Array(origins) => {
                for origin in origins {
                    let DeValue::String(text) = origin.get_ref() else {
                        self.wrong("declared", expected, origin);
                        continue;
                    };
                    if let Err(error) = policy.allow_declared_origin(text) {
                        let kind = PolicyProblemKind::Declared(error);
                        self.problem(origin.span().start, kind);
                    }
                }
            }
            _ => self.wrong("declared", expected, value),
        }
    }

    fn tls(&mut self, at: usize, value: &Value, policy: &mut Policy) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.wrong("tls", "a table", value);
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "ca" => {
                    let expected = "a list of files such as [\"our-ca.pem\"]";
                    policy.tls.ca = self.texts("ca", expected, value);
                }
                "client-cert" => {
                    policy.tls.client_cert = self.text("client-cert", "a file such as \"client.pem\"", value);
                }
                "client-key" => {
                    policy.tls.client_key = self.text("client-key", "a file such as \"client.key\"", value);
                }
                "insecure-origins" => self.insecure_origins(value, policy),
                _ => self.unknown(key, " in `[tls]`", TLS_KEYS),
            }
        }
        if table.contains_key("client-cert") != table.contains_key("client-key") {
            let kind = PolicyProblemKind::Value {
                key: "tls".to_owned(),
                expected: "`client-cert` and `client-key` together".to_owned(),
                found: "one of them".to_owned(),
            };
            self.problem(at, kind);
        }
    }

    fn insecure_origins(&mut self, value: &Value, policy: &mut Policy) {
        let key = "insecure-origins";
        let expected = "a list of origins such as [\"https://crm.internal:8443\"]";
        let DeValue::Array(origins) = value.get_ref() else {
            return self.wrong(key, expected, value);
        };
        for origin in origins {
            let Some(text) = self.text(key, expected, origin) else {
                continue;
            };
            match InsecureOrigin::parse(&text) {
                Ok(parsed) => policy.tls.insecure_origins.push(parsed),
                Err(error) => self.problem(origin.span().start, PolicyProblemKind::InsecureOrigin(error)),
            }
        }
    }

    fn texts(&mut self, key: &str, expected: &str, value: &Value) -> Vec<String> {
        if let DeValue::Array(items) = value.get_ref() {
            let texts = items.iter().filter_map(|item| self.text(key, expected, item));
            return texts.collect();
        }
        self.wrong(key, expected, value);
        Vec::new()
    }

    fn text(&mut self, key: &str, expected: &str, value: &Value) -> Option<String> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(text.to_string());
        }
        self.wrong(key, expected, value);
        None
    }

    fn operations(&mut self, value: &Value, policy: &mut Policy) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.wrong("operations", "a table", value);
        };
        for (name, value) in table {
            let DeValue::Table(settings) = value.get_ref() else {
                self.wrong(
                    name.get_ref(),
                    "a table such as [operations.\"points.adjust\"]",
                    value,
                );
                continue;
            };
            for (key, value) in settings {
                if key.get_ref() != "write-requests" {
                    // Without quotes, `[operations.points.adjust]` is a nested table.
                    self.unknown(key, " in `[operations.\"points.adjust\"]`", OPERATION_KEYS);
                    continue;
                }
                let most = integer(value.get_ref()).and_then(|number| u32::try_from(number).ok());
                let set = most.map(|most| policy.set_write_requests_of(name.get_ref(), most));
                match set {
                    Some(Ok(())) => {}
                    Some(Err(SettingError::Operation { found })) => {
                        let kind = PolicyProblemKind::Value {
                            key: "operations".to_owned(),
                            expected: "an operation such as \"points.adjust\"".to_owned(),
                            found: format!("`{found}`"),
                        };
                        self.problem(name.span().start, kind);
                    }
                    _ => self.wrong("write-requests", format!("0 to {MOST_WRITE_REQUESTS}"), value),
                }
            }
        }
    }

    fn entries(&mut self, value: &Value, policy: &mut Policy) {
        let DeValue::Array(entries) = value.get_ref() else {
            return self.wrong("allow", "entries that start with `[[allow]]`", value);
        };
        for entry in entries {
            match entry.get_ref() {
                DeValue::Table(table) => {
                    let rule = self.rule(table, entry.span().start);
                    policy.rules.extend(rule);
                }
                _ => self.wrong("allow", "an entry with an `origin`", entry),
            }
        }
    }

    fn rule(&mut self, table: &DeTable, at: usize) -> Option<Rule> {
        let (mut origin, mut path, mut methods, mut private) = (None, None, None, false);
        let mut has_origin = false;
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("origin", DeValue::String(text)) => {
                    has_origin = true;
                    origin = Rule::parse_origin(text)
                        .map_err(|source| self.entry("origin", value, source))
                        .ok();
                }
                ("origin", _) => {
                    has_origin = true;
                    self.wrong("origin", "a text such as \"https://api.example.com\"", value);
                }
                ("path", DeValue::String(text)) => path = Some((text.as_ref(), value)),
                ("path", _) => self.wrong("path", "a text such as \"/v1\"", value),
                ("methods", DeValue::Array(list)) => {
                    methods = Some((list.iter().filter_map(|item| self.method(item)).collect(), value));
                    if list.is_empty() {
                        self.entry("methods", value, RuleError::NoMethods);
                    }
                }
                ("methods", _) => self.wrong("methods", "a list such as [\"GET\", \"POST\"]", value),
                ("private", DeValue::Boolean(on)) => private = *on,
                ("private", _) => self.wrong("private", "true or false", value),
                _ => self.unknown(key, " in `[[allow]]`", ENTRY_KEYS),
            }
        }
        if !has_origin {
            self.problem(at, PolicyProblemKind::NoOrigin);
        }
        let path = match path.map(|(text, value)| (path_prefix(text), value)) {
            Some((Ok(path), _)) => path,
            Some((Err(source), value)) => {
                self.problem(value.span().start, PolicyProblemKind::Path(source));
                return None;
            }
            None => PathPrefix::default(),
        };
        let rule = origin?.with_path(path).with_private(private);
        match methods {
            // The list's problem has been reported already.
            Some((methods, _)) => rule.with_methods(methods).ok(),
            None => Some(rule),
        }
    }

    fn method(&mut self, value: &Value) -> Option<Method> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong("methods", "a method such as \"GET\"", value);
            return None;
        };
        method(text)
            .map_err(|source| self.entry("methods", value, source))
            .ok()
    }

    fn limits(&mut self, value: &Value, policy: &mut Policy) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.wrong("limits", "a table", value);
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let Some(knob) = LIMIT_SPECS.iter().find(|knob| knob.key == name) else {
                let kind = LimitError::Unknown { key: shown(name) }.into();
                self.problem(key.span().start, kind);
                continue;
            };
            match integer(value.get_ref()) {
                Some(number) => {
                    if let Err(error) = policy.limits.set(knob.key, number) {
                        self.problem(value.span().start, error.into());
                    }
                }
                None => self.wrong(name, format!("{} to {}", knob.least, knob.most), value),
            }
        }
    }

    fn effects(&mut self, value: &Value, policy: &mut Policy) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.wrong("effects", "a table", value);
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                DeValue::String(effect) if effect == "write" => {
                    if policy.lower_to_write(name).is_ok() {
                        continue;
                    }
                    let kind = PolicyProblemKind::Value {
                        key: "effects".to_owned(),
                        expected: "an operation such as \"points.adjust\"".to_owned(),
                        found: format!("`{}`", shown(name)),
                    };
                    self.problem(key.span().start, kind);
                }
                // Without quotes, `points.adjust = "write"` is a nested table.
                DeValue::Table(_) => {
                    self.wrong(
                        name,
                        "the operation in quotes, \"points.adjust\" = \"write\"",
                        value,
                    );
                }
                _ => self.wrong(name, "\"write\", since a policy may only lower an effect", value),
            }
        }
    }
}

/// Reads a method that an entry can allow.
pub(super) fn method(text: &str) -> Result<Method, RuleError> {
    // Methods are case-sensitive: `get` would never match, and nobody would see why.
    let is_upper = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let method = Method::from_bytes(text.as_bytes()).ok();
    method
        .filter(|method| is_upper && !super::FORBIDDEN_METHODS.contains(method))
        .ok_or_else(|| RuleError::Method { found: shown(text) })
}

pub(super) fn path_prefix(text: &str) -> Result<PathPrefix, UrlError> {
    if text.is_empty() {
        Err(UrlError::Relative)
    } else {
        PathPrefix::parse(text)
    }
}

fn integer(value: &DeValue) -> Option<u64> {
    match value {
        DeValue::Integer(number) => {
            let number: &DeInteger = number;
            u64::from_str_radix(number.as_str(), number.radix()).ok()
        }
        _ => None,
    }
}

fn described(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", shown(text)),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn quoted(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    quoted.join(", ")
}
