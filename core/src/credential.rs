//! A credential as the user entered it, bound to a base URL.

mod fixed;

use std::fmt;
use std::num::NonZeroU32;

use crate::json::{Json, Object};
use zeroize::Zeroize as _;

use crate::canonical::CanonicalUrl;
use crate::description::{CredentialSpec, Holds, Kind, Node, Parameter};
use crate::policy::Rule;
use crate::secret::Secret;

pub use fixed::FixedAccess;

/// A credential cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("credential: {message}")]
pub struct CredentialError {
    /// What was expected and what was found, without any value.
    pub message: String,
}

/// The member of a credential's JSON that says which of the node's credentials it is.
pub const CREDENTIAL_MEMBER: &str = "$credential";

/// Takes a tenth of a second on a small machine, once per run with a journal.
const BINDING_ROUNDS: NonZeroU32 = NonZeroU32::new(200_000).expect("it is not zero");

/// A credential, checked against the fields in a node's description, and the base URL that it is bound to.
///
/// The host sends it to that origin and path prefix only. The node's executing instances never see it. Its `Debug`
/// shows only the base URL.
#[derive(Clone)]
pub struct Credential {
    name: String,
    json: Secret,
    /// The values of all fields as texts, by name.
    values: Vec<(String, Secret)>,
    settings: String,
    base: CanonicalUrl,
    secrets: Vec<Secret>,
    identity: Secret,
    /// The labels of the fields whose values have leading or trailing blanks.
    padded: Vec<String>,
}

impl Credential {
    /// Reads a credential: a JSON object with the fields of the node's description, with or without a byte order mark.
    ///
    /// If the node has several credentials, the member `$credential` names the one that it is.
    ///
    /// It has to contain the base URL: the user decides where a secret goes, never a description's default alone.
    ///
    /// # Errors
    ///
    /// The text is not a JSON object; a field is missing, unknown or of the wrong type; or the base URL cannot be used.
    /// No error shows a value.
    pub fn from_json(node: &Node, text: &str) -> Result<Self, CredentialError> {
        Self::read(node, text, None)
    }

    /// Reads a credential that is used at `base_url`, wherever the text says.
    ///
    /// # Errors
    ///
    /// Those of [`Credential::from_json`].
    pub fn from_json_at(node: &Node, text: &str, base_url: &str) -> Result<Self, CredentialError> {
        Self::read(node, text, Some(base_url))
    }

    fn read(node: &Node, text: &str, at: Option<&str>) -> Result<Self, CredentialError> {
        let text = text.trim_start_matches('\u{feff}');
        // serde_json's message may quote the text, so only the position is kept.
        let document = Json::parse(text).map_err(|error| {
            wrong(format!(
                "expected a JSON object, found something else at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        let Json::Object(mut fields) = document else {
            return Err(wrong("expected a JSON object, found another value".to_owned()));
        };
        let described = described(node, fields.remove(CREDENTIAL_MEMBER))?;
        let known: Vec<&Parameter> = node.parameters_by_id(&described.fields).collect();
        if let (Some(url), Some(field)) = (at, known.iter().find(|field| field.id == described.base_url)) {
            fields.insert(field.name.clone(), Json::from(url));
        }
        if let Some(name) = fields
            .keys()
            .find(|name| !known.iter().any(|field| field.name == **name))
        {
            let names: Vec<String> = known.iter().map(|field| format!("`{}`", field.name)).collect();
            return Err(wrong(format!(
                "`{}` is not one of its fields: {}",
                shown(name),
                names.join(", ")
            )));
        }
        let mut base = None;
        let mut secrets = Vec::new();
        let mut names = Object::new();
        let mut padded = Vec::new();
        for field in known.iter().copied() {
            let is_base = field.id == described.base_url;
            let text = match fields.get(&field.name) {
                Some(Json::String(text)) if !text.trim().is_empty() => text.clone(),
                None | Some(Json::Null | Json::String(_)) => match (&field.default, is_base) {
                    (_, true) => return Err(base_url_missing(field)),
                    (Some(default), false) => {
                        fields.insert(field.name.clone(), default.clone());
                        continue;
                    }
                    (None, false) if field.required && is_shown(field, &known, &fields) => {
                        return Err(wrong(format!(
                            "{} (`{}`) is missing",
                            field.display_name, field.name
                        )));
                    }
                    (None, false) => continue,
                },
                Some(_) if matches!(field.kind, Kind::Text | Kind::Multiline | Kind::Secret) => {
                    return Err(wrong(format!(
                        "{} (`{}`): expected a text",
                        field.display_name, field.name
                    )));
                }
                Some(_) => continue,
            };
            if !is_base && text.trim() != text {
                padded.push(field.display_name.clone());
            }
            if is_base {
                base = Some(base_url(field, &text)?);
            } else if field.kind == Kind::Secret {
                secrets.push(Secret::new(text));
            } else {
                names.insert(field.name.clone(), Json::from(text));
            }
        }
        let base = base.ok_or_else(|| wrong("the node's description names no base URL".to_owned()))?;
        let (values, settings) = by_name(node, described, &fields);
        let mut fields = Json::Object(fields);
        let json = Secret::new(fields.to_string());
        wipe(&mut fields);
        let identity = if names.is_empty() {
            json.clone()
        } else {
            Secret::new(Json::Object(names).to_string())
        };
        Ok(Self {
            name: described.name.clone(),
            json,
            values,
            settings,
            base,
            secrets,
            identity,
            padded,
        })
    }

    /// Makes the credential with this name for a replay, which sends nothing: every text is its default, or
    /// `replay`. Without a name it is the node's first.
    ///
    /// # Errors
    ///
    /// The base URL cannot be used.
    pub fn dummy(node: &Node, name: Option<&str>, base_url: &str) -> Result<Self, CredentialError> {
        let described = match name {
            None => node.credentials.first().ok_or_else(|| takes_none(node))?,
            Some(_) => described(node, name.map(Json::from))?,
        };
        let mut fields: Object = node
            .parameters_by_id(&described.fields)
            .filter(|field| matches!(field.kind, Kind::Text | Kind::Multiline | Kind::Secret))
            .filter(|field| {
                let default = field.default.as_ref().and_then(Json::as_str);
                field.id == described.base_url || default.is_none_or(str::is_empty)
            })
            .map(|field| {
                let value = if field.id == described.base_url {
                    base_url
                } else {
                    "replay"
                };
                (field.name.clone(), Json::from(value))
            })
            .collect();
        fields.insert(CREDENTIAL_MEMBER.to_owned(), Json::from(described.name.clone()));
        Self::from_json(node, &Json::Object(fields).to_string())
    }

    /// Which of the node's credentials it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of the field with this name as a text, if it has one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Secret> {
        let (_, value) = self.values.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// The fields that are neither secret nor the base URL, by name, as a JSON object: `call.service.settings`.
    #[must_use]
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// The base URL: the credential may be sent to every URL of this origin below this path.
    #[must_use]
    pub fn base_url(&self) -> &CanonicalUrl {
        &self.base
    }

    /// The base URL as `call.service.base-url` contains it: without a trailing `/`.
    pub fn base_text(&self) -> String {
        self.base.to_string().trim_end_matches('/').to_owned()
    }

    /// The whole credential, as `authenticate` receives it.
    pub fn json(&self) -> &Secret {
        &self.json
    }

    /// The values of its secret fields.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// A warning about values that a service may refuse, with the description's labels. A copied file often includes a
    /// trailing line break.
    pub fn oddity(&self) -> Option<String> {
        let field = self.padded.first()?;
        Some(format!(
            "its {field} begins or ends with a blank or a line break, which is sent as a part of it"
        ))
    }

    /// Identifies the credential in a form that may be stored in a file. It is derived from the fields that are not
    /// secret, so a renewed secret keeps the same identity. Without such fields it is derived from the secrets as well.
    /// The derivation is slow on purpose, to hinder guessing.
    pub fn binding(&self, salt: &[u8]) -> [u8; 32] {
        let mut binding = [0; 32];
        let identity = self.identity.expose().as_bytes();
        ring::pbkdf2::derive(
            ring::pbkdf2::PBKDF2_HMAC_SHA256,
            BINDING_ROUNDS,
            salt,
            identity,
            &mut binding,
        );
        binding
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("base_url", &self.base.to_string())
            .finish_non_exhaustive()
    }
}

/// The credential of the node that a `$credential` member names, or the only one.
fn described(node: &Node, wanted: Option<Json>) -> Result<&CredentialSpec, CredentialError> {
    let all = || {
        let all = node
            .credentials
            .iter()
            .map(|known| format!("`{}`", shown(&known.name)));
        all.collect::<Vec<_>>().join(", ")
    };
    match (wanted, node.credentials.as_slice()) {
        (_, []) => Err(takes_none(node)),
        (None, [only]) => Ok(only),
        (None, _) => Err(wrong(format!(
            "`{CREDENTIAL_MEMBER}` is missing: it says which of {} this is",
            all()
        ))),
        (Some(Json::String(name)), known) => known
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| wrong(format!("`{}` is none of {}", shown(&name), all()))),
        (Some(_), _) => Err(wrong(format!("`{CREDENTIAL_MEMBER}`: expected one of {}", all()))),
    }
}

/// Whether a field's conditions hold. A subject without a value has its default; one that is not shown itself counts as
/// it stands.
fn is_shown(field: &Parameter, known: &[&Parameter], given: &Object) -> bool {
    field.visible_when.iter().all(|condition| {
        let subject = known.iter().find(|subject| subject.id == condition.parameter);
        let value = subject.and_then(|subject| {
            let is_set = |value: &&Json| !value.is_null() && value.as_str() != Some("");
            given
                .get(&subject.name)
                .filter(is_set)
                .or(subject.default.as_ref())
        });
        let is_one = |values: &[Json]| match value {
            Some(Json::Array(chosen)) => chosen.iter().any(|value| values.contains(value)),
            Some(value) => values.contains(value),
            None => false,
        };
        match &condition.holds {
            Holds::OneOf(values) => is_one(values),
            Holds::NoneOf(values) => !is_one(values),
            Holds::Set => value.is_some(),
        }
    })
}

fn takes_none(node: &Node) -> CredentialError {
    wrong(format!("`{}` takes none", node.name))
}

/// The values of all fields that are shown as texts, and those that nodes may see as a JSON object.
fn by_name(node: &Node, described: &CredentialSpec, fields: &Object) -> (Vec<(String, Secret)>, String) {
    let mut settings = Object::new();
    let mut values = Vec::new();
    let known: Vec<&Parameter> = node.parameters_by_id(&described.fields).collect();
    for field in known.iter().filter(|field| is_shown(field, &known, fields)) {
        // A form keeps an empty text of what nobody filled in.
        let is_set =
            |value: &&Json| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty());
        let Some(value) = fields.get(&field.name).filter(is_set) else {
            continue;
        };
        let text = match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        values.push((field.name.clone(), Secret::new(text)));
        if field.kind != Kind::Secret && field.id != described.base_url {
            settings.insert(field.name.clone(), value.clone());
        }
    }
    (values, Json::Object(settings).to_string())
}

/// Wipes the parsed copy of what a [`Secret`] now holds.
fn wipe(value: &mut Json) {
    match value {
        Json::String(text) => text.zeroize(),
        Json::Array(values) => values.iter_mut().for_each(wipe),
        Json::Object(fields) => fields.values_mut().for_each(wipe),
        _ => {}
    }
}

fn wrong(message: String) -> CredentialError {
    CredentialError { message }
}

fn base_url(field: &Parameter, text: &str) -> Result<CanonicalUrl, CredentialError> {
    let wrong = |why: String| wrong(format!("{} (`{}`): {why}", field.display_name, field.name));
    let text = text.trim();
    // A trailing slash has no meaning, but a path of `//` would be refused.
    let url = CanonicalUrl::parse(text.trim_end_matches('/')).map_err(|error| wrong(error.to_string()))?;
    if url.query().is_some() {
        return Err(wrong(
            "expected a URL without a query, found one with `?`".to_owned(),
        ));
    }
    // A path that cannot be a rule would never match, so the host would never add the session.
    Rule::below(&url).map_err(|error| wrong(error.to_string()))?;
    Ok(url)
}

fn base_url_missing(field: &Parameter) -> CredentialError {
    let usual = match &field.default {
        Some(Json::String(default)) => format!(" (the usual one is `{default}`)"),
        _ => String::new(),
    };
    wrong(format!(
        "{} (`{}`) is missing: it says where the secret may be sent{usual}",
        field.display_name, field.name
    ))
}

/// Makes an unknown key safe for a message.
fn shown(name: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    crate::text::shown(name, SHOWN_CHARS)
}

#[cfg(test)]
mod tests;
