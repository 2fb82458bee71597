//! Puts a secret into a URL, as some services want it.

use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::SignError;
use crate::percent::ENCODED;

/// A path segment has colons as they are, as in the token of a bot.
const IN_SEGMENT: &AsciiSet = &ENCODED.remove(b':');

/// Adds a path segment between the credential's base URL and the rest of the path: `/bot123:ABC/sendMessage`.
///
/// ```
/// use nodule_sdk::sign::with_segment;
///
/// let url = with_segment("https://api.example.com/sendMessage?a=1", "https://api.example.com", "bot123:A/B")?;
/// assert_eq!(url, "https://api.example.com/bot123:A%2FB/sendMessage?a=1");
/// # Ok::<(), nodule_sdk::sign::SignError>(())
/// ```
///
/// # Errors
///
/// The URL is not below the base URL.
pub fn with_segment(url: &str, base: &str, segment: &str) -> Result<String, SignError> {
    let base = base.trim_end_matches('/');
    let rest = url.strip_prefix(base).ok_or(SignError::NotBelowBase)?;
    if !(rest.is_empty() || rest.starts_with(['/', '?'])) {
        return Err(SignError::NotBelowBase);
    }
    Ok(format!(
        "{base}/{}{rest}",
        utf8_percent_encode(segment, IN_SEGMENT)
    ))
}

/// Adds a parameter to the query, percent-encoded.
///
/// ```
/// use nodule_sdk::sign::with_query;
///
/// let url = with_query("https://api.example.com/v1/things?a=1", "sign", "ab+c=");
/// assert_eq!(url, "https://api.example.com/v1/things?a=1&sign=ab%2Bc%3D");
/// ```
#[must_use]
pub fn with_query(url: &str, name: &str, value: &str) -> String {
    let joint = match url.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    let encoded = |text| utf8_percent_encode(text, ENCODED);
    format!("{url}{joint}{}={}", encoded(name), encoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_goes_below_the_base_url_and_nowhere_else() {
        let base = "https://api.example.com/v1/";
        let url = |url: &str| with_segment(url, base, "s3cr3t");
        assert_eq!(
            url("https://api.example.com/v1/me").unwrap(),
            "https://api.example.com/v1/s3cr3t/me"
        );
        assert_eq!(
            url("https://api.example.com/v1").unwrap(),
            "https://api.example.com/v1/s3cr3t"
        );
        for other in [
            "https://api.example.com/v2/me",
            "https://api.example.com/v10",
            "https://evil.example/v1",
        ] {
            assert_eq!(url(other), Err(SignError::NotBelowBase), "{other}");
        }
    }

    #[test]
    fn a_query_begins_with_a_question_mark() {
        assert_eq!(
            with_query("https://a.example/", "b", "c"),
            "https://a.example/?b=c"
        );
        assert_eq!(
            with_query("https://a.example/?", "b", "c"),
            "https://a.example/?b=c"
        );
    }
}
