//! Signs requests, for credentials of the scheme `signed`.
//!
//! The host shows the interface `signing` of a node each request as a draft, and sends what comes back to the byte. These
//! functions take the parts of a draft, and return the parts of a signed request.
//!
//! ```
//! use nodule_sdk::sign::aws::{Keys, Payload, SigV4};
//!
//! let headers = [("content-type".to_owned(), "application/json".to_owned())];
//! let signed = SigV4 {
//!     keys: Keys {
//!         access_key_id: "AKIDEXAMPLE",
//!         secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
//!         session_token: None,
//!     },
//!     region: "eu-central-1",
//!     service: "dynamodb",
//!     seconds: 1_440_938_160,
//! }
//! .sign("POST", "https://dynamodb.eu-central-1.amazonaws.com/", &headers, Payload::Bytes(b"{}"))?;
//! let (name, value) = signed.last().unwrap();
//! assert_eq!(name, "authorization");
//! assert!(value.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/dynamodb/aws4_request, "));
//! # Ok::<(), nodule_sdk::sign::SignError>(())
//! ```

pub mod aws;
mod body;
mod hash;
mod url;

pub use body::with_member;
pub use hash::{base64, hex, hmac_sha256, sha256};
pub use url::{with_query, with_segment};

/// A header by name and value, as the contract's `field`.
pub type Field = (String, String);

/// Why a request cannot be signed. It says nothing of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The URL is not absolute.
    #[error("expected an http or https URL with a host")]
    Url,
    /// The URL is not below the base URL.
    #[error("expected a URL below the credential's base URL")]
    NotBelowBase,
    /// The body is not one JSON object.
    #[error("expected a body that is a JSON object")]
    Body,
    /// The time is beyond the year 9999.
    #[error("expected a time before the year 10000")]
    Time,
}

/// Seconds since 1970-01-01 UTC, for a signature. In a native test it is the clock of a [script](crate::script::NOW_MS).
pub fn now_seconds() -> u64 {
    #[cfg(target_family = "wasm")]
    return crate::bindings::wasi::clocks::wall_clock::now().seconds;
    #[cfg(not(target_family = "wasm"))]
    return crate::script::NOW_MS / 1_000;
}

/// Sets a header, in the place of all that have its name.
pub fn set_header(headers: &mut Vec<Field>, name: &str, value: impl Into<String>) {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), value.into()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_set_in_the_place_of_others_of_its_name() {
        let mut headers = vec![
            ("X-Sign".to_owned(), "a".to_owned()),
            ("b".to_owned(), "1".to_owned()),
        ];
        set_header(&mut headers, "x-sign", "c");
        assert_eq!(
            headers,
            [
                ("b".to_owned(), "1".to_owned()),
                ("x-sign".to_owned(), "c".to_owned())
            ]
        );
    }
}
