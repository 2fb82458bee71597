//! A policy as a serde document, in the shape of the policy file.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::declared::Grants;
use super::{BaseUrl, Imports, Policy, Rule, TlsRules};
use crate::limits::LimitOverrides;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    write_requests: Option<u32>,
    #[serde(default)]
    imports: Imports,
    #[serde(default)]
    base_url: BaseUrl,
    #[serde(default)]
    declared: Declared,
    #[serde(default)]
    allow: Vec<Entry>,
    #[serde(default)]
    limits: LimitOverrides,
    #[serde(default)]
    #[expect(
        clippy::zero_sized_map_values,
        reason = "serde checks that each value is the word `write`"
    )]
    effects: BTreeMap<String, Effect>,
    #[serde(default)]
    operations: BTreeMap<String, OfOperation>,
    #[serde(default)]
    tls: TlsRules,
}

/// Which declared origins are granted.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Declared {
    All(bool),
    Listed(Vec<String>),
}

impl Default for Declared {
    fn default() -> Self {
        Self::All(false)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct OfOperation {
    write_requests: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<String>>,
    #[serde(default)]
    private: bool,
}

/// A policy may lower an effect and never raise it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Effect {
    Write,
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |rule: &Rule| Entry {
            origin: rule.origin(),
            path: (!rule.path().is_root()).then(|| rule.path().to_string()),
            methods: (!rule.methods().is_empty())
                .then(|| rule.methods().iter().map(ToString::to_string).collect()),
            private: rule.is_private(),
        };
        let document = Document {
            write_requests: self.write_requests,
            imports: self.imports,
            base_url: self.base_url,
            declared: match &self.declared {
                Grants { all: false, listed } if !listed.is_empty() => {
                    Declared::Listed(listed.iter().map(ToString::to_string).collect())
                }
                Grants { all, .. } => Declared::All(*all),
            },
            allow: self.rules.iter().map(entry).collect(),
            limits: self.limits.clone(),
            effects: self
                .lowered()
                .map(|name| (name.to_owned(), Effect::Write))
                .collect(),
            operations: self
                .operation_writes
                .iter()
                .map(|(name, most)| {
                    (
                        name.clone(),
                        OfOperation {
                            write_requests: *most,
                        },
                    )
                })
                .collect(),
            tls: self.tls.clone(),
        };
        document.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        let mut policy = Policy {
            limits: document.limits,
            imports: document.imports,
            base_url: document.base_url,
            tls: document.tls,
            ..Policy::default()
        };
        if let Some(most) = document.write_requests {
            policy.set_write_requests(most).map_err(de::Error::custom)?;
        }
        for (operation, Effect::Write) in document.effects {
            policy.lower_to_write(&operation).map_err(de::Error::custom)?;
        }
        for (operation, OfOperation { write_requests }) in document.operations {
            policy
                .set_write_requests_of(&operation, write_requests)
                .map_err(de::Error::custom)?;
        }
        match document.declared {
            Declared::All(all) => policy.declared.all = all,
            Declared::Listed(origins) => {
                for origin in origins {
                    policy.allow_declared_origin(&origin).map_err(de::Error::custom)?;
                }
            }
        }
        for entry in document.allow {
            policy.allow(rule(entry)?);
        }
        Ok(policy)
    }
}

fn rule<E: de::Error>(entry: Entry) -> Result<Rule, E> {
    let mut rule = Rule::parse_origin(&entry.origin)
        .map_err(E::custom)?
        .with_private(entry.private);
    if let Some(path) = entry.path {
        rule = rule.with_path(super::file::path_prefix(&path).map_err(E::custom)?);
    }
    let Some(methods) = entry.methods else {
        return Ok(rule);
    };
    let methods: Result<Vec<Method>, E> = methods
        .iter()
        .map(|method| super::file::method(method).map_err(E::custom))
        .collect();
    rule.with_methods(methods?).map_err(E::custom)
}
