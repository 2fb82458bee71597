//! Puts a secret into a JSON body.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::SignError;

/// Sets a member of the JSON object that a body is. The values of the others stay as they are written.
///
/// ```
/// use nodule_sdk::sign::with_member;
///
/// let body = with_member(br#"{"amount": 1.50, "token": null}"#, "token", "s3cr3t")?;
/// assert_eq!(body, br#"{"amount":1.50,"token":"s3cr3t"}"#);
/// # Ok::<(), nodule_sdk::sign::SignError>(())
/// ```
///
/// # Errors
///
/// The body is not one JSON object.
pub fn with_member(body: &[u8], name: &str, value: &str) -> Result<Vec<u8>, SignError> {
    let mut members: Members<'_> = serde_json::from_slice(body).map_err(|_| SignError::Body)?;
    let value = serde_json::value::to_raw_value(value).map_err(|_| SignError::Body)?;
    members.0.retain(|(known, _)| known != name);
    members.0.push((name.to_owned(), &value));
    let mut written = Vec::with_capacity(body.len() + name.len() + value.get().len() + 8);
    let mut serializer = serde_json::Serializer::new(&mut written);
    let mut object = serializer
        .serialize_map(Some(members.0.len()))
        .map_err(|_| SignError::Body)?;
    for (name, value) in members.0 {
        object
            .serialize_entry(&name, value)
            .map_err(|_| SignError::Body)?;
    }
    object.end().map_err(|_| SignError::Body)?;
    Ok(written)
}

/// The members of an object in their order, with their values as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(All).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_once_and_escaped_and_the_rest_stays_as_it_was() {
        let body = br#" { "n": 12345678901234567890.10, "b": {"token": 1}, "token": 1, "token": 2 } "#;
        assert_eq!(
            with_member(body, "token", "a\"\\\n").unwrap(),
            br#"{"n":12345678901234567890.10,"b":{"token": 1},"token":"a\"\\\n"}"#
        );
        assert_eq!(with_member(b"{}", "a", "b").unwrap(), br#"{"a":"b"}"#);
    }

    #[test]
    fn another_body_is_refused() {
        for body in [&b""[..], b"[]", b"{} {}", b"{\"a\":}", b"a=b", b"\xff"] {
            assert_eq!(with_member(body, "a", "b"), Err(SignError::Body));
        }
    }
}
