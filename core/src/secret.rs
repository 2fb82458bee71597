//! A text that must stay secret.
//!
//! It has no `Display` and no `Serialize`. Its `Debug` shows nothing of it, not even its length. Its memory is wiped on
//! drop. The only access is [`Secret::expose`], which is easy to search for; callers wipe whatever they copy the text
//! into.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroize as _;

/// A secret text: a credential's field, a token, a session header's value.
///
/// ```
/// use nodule_core::secret::Secret;
///
/// let secret = Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{secret:?}"), "[secret]");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text and wipes the buffer that contained it.
    #[must_use]
    pub fn new(mut text: String) -> Self {
        // Boxing a `String` with spare capacity would reallocate, and free the old buffer with the secret in it.
        let exact = Box::<str>::from(text.as_str());
        text.zeroize();
        Self(SecretString::from(exact))
    }

    /// The text itself, for the code that has to send or compare it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "s3cr3t-value-0123456789";

    #[test]
    fn debug_shows_nothing_of_the_text() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its Debug output is looked at")]
        struct Holder {
            token: Secret,
            more: Vec<Option<Secret>>,
        }
        let secret = Secret::new(TEXT.to_owned());
        let holder = Holder {
            token: secret.clone(),
            more: vec![Some(secret)],
        };
        assert_eq!(
            format!("{holder:?}"),
            "Holder { token: [secret], more: [Some([secret])] }"
        );
        assert!(!format!("{holder:#?}").contains("s3cr3t"));
    }

    #[test]
    fn the_text_comes_out_as_it_went_in() {
        let mut roomy = String::with_capacity(1000);
        roomy.push_str(TEXT);
        assert_eq!(Secret::new(roomy).expose(), TEXT);
        assert!(Secret::new(String::new()).is_empty());
    }

    #[test]
    fn a_credential_file_deserialises_into_secrets_and_its_errors_show_none() {
        let secret: Secret = serde_json::from_str("\"s3cr3t\"").unwrap();
        assert_eq!(secret.expose(), "s3cr3t");
    }
}
