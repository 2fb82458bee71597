//! Hides the secrets of an authentication exchange, so that a replay of its response still authenticates.
//!
//! The request's values are dropped. The response keeps its shape, and `redacted-1`, `redacted-2`, … replace its
//! secrets: each secret always by the same placeholder. Secrets are the texts that the caller names (the credential's
//! values, the session's headers, its renewal) and, in JSON and forms, the values under a name such as `accessToken`,
//! because a response may contain tokens that the node never used. A successful response that is neither JSON nor a
//! form cannot be judged and is replaced completely.

use crate::json::Json;
use bytes::Bytes;
use jiff::Timestamp;
use url::form_urlencoded;

use super::exchange::{Exchange, Outcome, RecordedResponse, Role, header};

/// Replaces a body or value that is dropped.
const REDACTED: &str = "redacted";

/// A shorter secret is replaced only where it is a whole value; as a part it would hit innocent text.
const SHORTEST_PART: usize = 16;

/// Shorter parts of a JSON renewal are more likely names and settings than secrets.
const SHORTEST_OF_JSON: usize = 8;

/// A name that contains one of these, in any case and with any separators, marks a secret …
const TELLTALE: [&str; 14] = [
    "token",
    "secret",
    "password",
    "passwd",
    "apikey",
    "accesskey",
    "privatekey",
    "signature",
    "credential",
    "session",
    "jwt",
    "assertion",
    "cookie",
    "ticket",
];

/// … unless it also contains one of these: `token_type`, `tokenExpiresAt`.
const HARMLESS: [&str; 9] = [
    "type",
    "expire",
    "expiration",
    "time",
    "scope",
    "ttl",
    "url",
    "count",
    "status",
];

/// Maps each secret to its placeholder.
pub(super) struct Concealer {
    /// Longest first, so that a secret is not split by another one that is part of it.
    secrets: Vec<String>,
    seen: Vec<String>,
}

impl Concealer {
    pub(super) fn new(secrets: &[String]) -> Self {
        let mut secrets: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self {
            secrets,
            seen: Vec::new(),
        }
    }

    /// Hides the secrets of an authentication exchange; leaves any other exchange unchanged.
    pub(super) fn conceal(&mut self, exchange: &mut Exchange) {
        if exchange.role != Role::Authentication {
            return;
        }
        let request = &mut exchange.request;
        if !request.body.is_empty() {
            request.body = Bytes::from_static(REDACTED.as_bytes());
        }
        let names: Vec<String> = request
            .url
            .query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect();
        if request.url.query().is_some() {
            request.url.set_query(None);
        }
        if !names.is_empty() {
            request
                .url
                .query_pairs_mut()
                .extend_pairs(names.iter().map(|name| (name, REDACTED)));
        }
        self.conceal_headers(&mut request.headers);
        if let Outcome::Answer(answer) = &mut exchange.outcome {
            self.conceal_headers(&mut answer.headers);
            answer.body = self.answer_body(answer);
        }
    }

    fn conceal_headers(&mut self, headers: &mut [(String, String)]) {
        for (_, value) in headers {
            *value = self.replaced(value);
        }
    }

    fn answer_body(&mut self, answer: &RecordedResponse) -> Bytes {
        if answer.body.is_empty() {
            return Bytes::new();
        }
        if let Ok(mut value) = Json::from_slice(&answer.body) {
            let before = value.clone();
            self.conceal_json(&mut value, false);
            // A response without secrets keeps its bytes.
            return if value == before {
                answer.body.clone()
            } else {
                Bytes::from(value.to_string())
            };
        }
        let mime = header(&answer.headers, "content-type").unwrap_or_default();
        if mime.starts_with("application/x-www-form-urlencoded") {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value) in form_urlencoded::parse(&answer.body) {
                form.append_pair(&name, &self.leaf(&value, is_telltale(&name)));
            }
            return Bytes::from(form.finish());
        }
        match std::str::from_utf8(&answer.body) {
            Ok(text) if !answer.status.is_success() => Bytes::from(self.replaced(text)),
            _ => Bytes::from_static(REDACTED.as_bytes()),
        }
    }

    /// `telltale` means that a name further up marks everything below as secret. The JSON reader has bounded the depth.
    fn conceal_json(&mut self, value: &mut Json, telltale: bool) {
        match value {
            Json::Null | Json::Bool(_) => {}
            Json::Number(number) => {
                if self.secrets.iter().any(|secret| secret == number.as_str()) {
                    *value = Json::from(0);
                }
            }
            Json::String(text) => *text = self.leaf(text, telltale),
            Json::Array(list) => list
                .iter_mut()
                .for_each(|element| self.conceal_json(element, telltale)),
            Json::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    self.conceal_json(field, is_telltale(name) || telltale && !is_harmless(name));
                }
            }
        }
    }

    fn leaf(&mut self, text: &str, telltale: bool) -> String {
        let is_scheme = ["bearer", "basic"]
            .iter()
            .any(|scheme| text.eq_ignore_ascii_case(scheme));
        if telltale && !text.is_empty() && !is_scheme && !is_instant(text) {
            return self.placeholder(text);
        }
        self.replaced(text)
    }

    fn replaced(&mut self, text: &str) -> String {
        if self.secrets.iter().any(|secret| secret == text) {
            return self.placeholder(text);
        }
        let mut text = text.to_owned();
        for secret in self.secrets.clone() {
            if secret.len() >= SHORTEST_PART && text.contains(&secret) {
                text = text.replace(&secret, &self.placeholder(&secret));
            }
        }
        text
    }

    fn placeholder(&mut self, secret: &str) -> String {
        let known = self.seen.iter().position(|seen| seen == secret);
        let index = known.unwrap_or_else(|| {
            self.seen.push(secret.to_owned());
            self.seen.len() - 1
        });
        format!("{REDACTED}-{}", index + 1)
    }
}

/// A secret and those parts of it that a response may contain: the token of `Bearer abc`, the texts of a JSON renewal.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    match Json::parse(secret) {
        Ok(value @ (Json::Object(_) | Json::Array(_))) => texts(&value, &mut forms),
        _ => forms.extend(
            secret
                .trim()
                .split_once(' ')
                .map(|(_, token)| token.trim().to_owned()),
        ),
    }
    forms.extend([secret.to_owned(), secret.trim().to_owned()]);
    forms.retain(|form| !form.is_empty());
    forms
}

fn texts(value: &Json, forms: &mut Vec<String>) {
    match value {
        Json::String(text) if text.len() >= SHORTEST_OF_JSON && !is_instant(text) => {
            forms.push(text.clone());
        }
        Json::Array(list) => list.iter().for_each(|element| texts(element, forms)),
        Json::Object(fields) => fields.values().for_each(|field| texts(field, forms)),
        _ => {}
    }
}

/// Whether a text is a date-time or a Unix time. Nodes read from it when a session expires, so it must stay.
fn is_instant(text: &str) -> bool {
    let is_unix_time = text.len() < SHORTEST_PART && text.bytes().all(|byte| byte.is_ascii_digit());
    is_unix_time || text.parse::<Timestamp>().is_ok() || text.parse::<jiff::civil::Date>().is_ok()
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_telltale(name: &str) -> bool {
    let plain = plain(name);
    TELLTALE.iter().any(|word| plain.contains(word)) && !is_harmless(name)
}

fn is_harmless(name: &str) -> bool {
    let plain = plain(name);
    HARMLESS.iter().any(|word| plain.contains(word))
}
