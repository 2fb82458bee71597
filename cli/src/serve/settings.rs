//! The server's settings at start. They contain a token and a proxy's password, so they come from a file or standard
//! input, never from an argument or a variable.

use std::io::BufRead as _;
use std::path::Path;

use nodule::policy::{InsecureOrigin, Policy};
use nodule::secret::Secret;
use nodule::{EngineConfig, text};
use serde::Deserialize;

use crate::exit::Failed;
use crate::files::{self, read};

/// Size limit; a policy and a bundle of certificates fit.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A short token could be guessed.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 32..=256;

/// The settings, all optional.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The token that every request needs.
    pub token: Option<Secret>,
    /// The text of a policy file.
    policy: Option<String>,
    /// PEM texts.
    #[serde(default)]
    certificates: Vec<String>,
    /// Where runs may leave certificates unchecked.
    #[serde(default)]
    insecure_origins: Vec<String>,
    proxy: Option<Proxy>,
    #[serde(default)]
    addresses: Addresses,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proxy {
    http: Option<Secret>,
    https: Option<Secret>,
    #[serde(default)]
    no: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Addresses {
    #[serde(default)]
    allowed: Vec<String>,
    #[serde(default)]
    blocked: Vec<String>,
}

impl Settings {
    /// Reads a file, or for `-` the first line of standard input; the rest of it is not settings.
    pub fn load(path: Option<&Path>) -> Result<Self, Failed> {
        let (text, name) = match path {
            None => return Ok(Self::default()),
            Some(path) if path == Path::new("-") => (first_line()?, "standard input".to_owned()),
            Some(path) => (read(path, &files::SETTINGS)?, text::path(path)),
        };
        let settings: Self = serde_json::from_str(&text).map_err(|error| {
            // Give the position only: serde's message may repeat a value.
            Failed::usage(format!(
                "{name}: expected the settings, a JSON object of `token`, `policy`, `certificates`, `insecureOrigins`, `proxy` and `addresses`, found \
                 something else at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        settings.check(&name)?;
        Ok(settings)
    }

    fn check(&self, name: &str) -> Result<(), Failed> {
        let is_fit = self.token.as_ref().is_none_or(|token| {
            let token = token.expose();
            TOKEN_CHARS.contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
        });
        if is_fit {
            return Ok(());
        }
        Err(Failed::usage(format!(
            "{name}: `token`: expected {} to {} visible ASCII characters, found something else",
            TOKEN_CHARS.start(),
            TOKEN_CHARS.end()
        ))
        .hint("take 32 random bytes as hexadecimal digits, or leave it out: the server makes one".to_owned()))
    }

    /// The policy for runs without a policy of their own.
    pub fn policy(&self) -> Result<Policy, Failed> {
        let Some(text) = &self.policy else {
            return Ok(Policy::default());
        };
        Policy::from_toml(text, "policy")
            .map_err(|error| Failed::usage(format!("settings: {error}")).hint(error.hint()))
    }

    /// Where runs may leave certificates unchecked: what the settings list, and what their policy says. The server reads no
    /// files for a policy.
    pub fn insecure_origins(&self, policy: &Policy) -> Result<Vec<InsecureOrigin>, Failed> {
        if policy.tls().names_files() {
            return Err(Failed::usage(
                "settings: `policy`: `[tls]` names files, which the server does not read".to_owned(),
            )
            .hint("give certificates to trust as texts in `certificates`, and a client certificate in each run's `tls`".to_owned()));
        }
        let listed: Result<Vec<_>, _> = self
            .insecure_origins
            .iter()
            .map(|text| InsecureOrigin::parse(text))
            .collect();
        let mut permitted =
            listed.map_err(|error| Failed::usage(format!("settings: `insecureOrigins`: {error}")))?;
        permitted.extend(policy.tls().insecure_origins.iter().cloned());
        Ok(permitted)
    }

    /// Applies the settings for the engine.
    pub fn configure(&self, mut config: EngineConfig) -> Result<EngineConfig, Failed> {
        let wrong = |key: &str, problem: &dyn std::fmt::Display| {
            Failed::usage(format!("settings: `{key}`: {problem}"))
        };
        for pem in &self.certificates {
            config = config
                .extra_roots_pem(pem)
                .map_err(|error| wrong("certificates", &error))?;
        }
        if let Some(Proxy { http, https, no }) = &self.proxy {
            let proxy = nodule::network::Proxy::new(
                http.as_ref().map(Secret::expose),
                https.as_ref().map(Secret::expose),
                no,
            );
            config = config.proxy(proxy.map_err(|error| wrong("proxy", &error))?);
        }
        let Addresses { allowed, blocked } = &self.addresses;
        if !allowed.is_empty() || !blocked.is_empty() {
            let lists = nodule::address::AddressLists::parse(allowed, blocked);
            config = config.addresses(lists.map_err(|error| wrong("addresses", &error))?);
        }
        Ok(config)
    }
}

/// The first line of standard input. Later input is ignored, except for its end, which may stop the server.
fn first_line() -> Result<String, Failed> {
    use std::io::Read as _;
    let mut line = String::new();
    let read = std::io::stdin().lock().take(MOST_BYTES).read_line(&mut line);
    match read {
        Ok(0) => Err(Failed::usage(
            "standard input: expected the settings, a line of JSON, found its end".to_owned(),
        )),
        Ok(_) => Ok(line),
        Err(error) => Err(Failed::usage(format!("standard input: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, Failed> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Settings::load(Some(file.path()))
    }

    #[test]
    fn what_is_wrong_is_told_without_what_stands_there() {
        for text in [
            r#"{"token":"hunter2"}"#,
            r#"{"token":"hunter2hunter2hunter2 hunter2hunter2hunter2"}"#,
            r#"{"token":["hunter2"]}"#,
            r#"{"proxy":{"http":["http://me:hunter2@proxy"]}}"#,
            r#"{"hunter2":1}"#,
        ] {
            let error = load(text)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(!error.is_empty() && !error.contains("hunter2"), "{text}: {error}");
        }
        let token = "x".repeat(32);
        let settings = load(&format!(r#"{{"token":"{token}"}}"#)).unwrap();
        assert_eq!(settings.token.unwrap().expose(), token);
        assert!(load("{}").unwrap().token.is_none());
    }

    #[test]
    fn where_certificates_may_be_left_unchecked_is_listed_or_in_the_policy() {
        let text = r#"{"insecureOrigins":["https://a.internal"],"policy":"[tls]\ninsecure-origins = [\"https://b.internal:8443\"]"}"#;
        let settings = load(text).unwrap();
        let permitted = settings.insecure_origins(&settings.policy().unwrap()).unwrap();
        let shown: Vec<String> = permitted.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["https://a.internal", "https://b.internal:8443"]);
        for (text, said) in [
            (
                r#"{"insecureOrigins":["http://a.internal"]}"#,
                "expected an origin with `https`",
            ),
            (r#"{"policy":"[tls]\nca = [\"ca.pem\"]"}"#, "`[tls]` names files"),
        ] {
            let settings = load(text).unwrap();
            let error = settings
                .insecure_origins(&settings.policy().unwrap())
                .unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_policy_that_is_none_is_refused_with_its_line() {
        let settings = load(r#"{"policy":"\nalow = 1\n"}"#).unwrap();
        let error = settings.policy().unwrap_err().to_string();
        assert!(error.contains("policy:2:") && error.contains("alow"), "{error}");
    }
}
