//! What a signature added to a request, to be looked for in the response: services repeat what they could not verify.
//!
//! A signature stands beside names and constants, in one header, and a service may repeat the signature alone. So what
//! was added counts in the parts between separators. What the node itself wrote is told apart later, as
//! for a session: see [`nodule_core::redact::answers`].

use std::borrow::Cow;

use http::HeaderMap;
use nodule_core::redact::SHORTEST_ANYWHERE;
use nodule_core::secret::Secret;
use percent_encoding::percent_decode;

use crate::gate::pipeline::ValidatedRequest;

/// The maximum size of all texts that are looked for, which bounds the tables; as much as a session may have. A body that
/// was replaced by a larger one, as by encryption, is looked for in part.
const BYTES: usize = 48 * 1024;
/// The maximum number of texts.
const TEXTS: usize = 64;

/// The texts that a signature added, those of the headers first.
pub(super) fn of(draft: &ValidatedRequest, signed: &ValidatedRequest) -> Vec<Secret> {
    let mut found = Found::default();
    headers(&draft.headers, &signed.headers, &mut found);
    let path = added(draft.url.path().as_bytes(), signed.url.path().as_bytes());
    for segment in path.split(|byte| *byte == b'/') {
        found.encoded(segment);
    }
    let query = |request: &ValidatedRequest| request.url.query().unwrap_or_default().to_owned();
    let (before, after) = (query(draft), query(signed));
    for part in parts(added(before.as_bytes(), after.as_bytes())) {
        found.encoded(part);
    }
    for part in parts(added(&draft.body, &signed.body)) {
        found.text(part);
    }
    found.texts
}

#[derive(Default)]
struct Found {
    texts: Vec<Secret>,
    bytes: usize,
}

impl Found {
    /// A text, and what stands in it between colons, as in `key:signature`. A binary one is not looked for.
    fn text(&mut self, text: &[u8]) {
        self.one(text);
        if text.contains(&b':') {
            text.split(|byte| *byte == b':').for_each(|part| self.one(part));
        }
    }

    /// A percent-encoded text: responses are searched for it in every form.
    fn encoded(&mut self, text: &[u8]) {
        if text.len() < SHORTEST_ANYWHERE {
            return;
        }
        match Cow::from(percent_decode(text)) {
            Cow::Owned(decoded) if std::str::from_utf8(&decoded).is_ok() => self.text(&decoded),
            _ => self.text(text),
        }
    }

    fn one(&mut self, text: &[u8]) {
        let left = BYTES - self.bytes;
        let cut = text.get(..left).unwrap_or(text);
        if cut.len() < SHORTEST_ANYWHERE || self.texts.len() == TEXTS {
            return;
        }
        // A cut may be within a character.
        let valid = match std::str::from_utf8(cut) {
            Ok(text) => text,
            Err(error) => match cut.get(..error.valid_up_to()).map(std::str::from_utf8) {
                Some(Ok(text)) if text.len() >= SHORTEST_ANYWHERE => text,
                _ => return,
            },
        };
        self.bytes += valid.len();
        self.texts.push(Secret::new(valid.to_owned()));
    }
}

fn headers(before: &HeaderMap, after: &HeaderMap, found: &mut Found) {
    for (name, value) in after {
        if before.get_all(name).iter().any(|known| known == value) {
            continue;
        }
        let before = found.texts.len();
        for part in parts(value.as_bytes()) {
            found.text(part);
        }
        // All parts are short, and only together they say something.
        if found.texts.len() == before {
            found.one(value.as_bytes());
        }
    }
}

/// What stands in `after` between the beginning and the end that it shares with `before`, in whole words.
fn added<'t>(before: &[u8], after: &'t [u8]) -> &'t [u8] {
    let same = |(one, other): &(&u8, &u8)| one == other;
    let beginning = before.iter().zip(after).take_while(same).count();
    let rest = |text: &'_ [u8]| text.len() - beginning;
    let most = rest(before).min(rest(after));
    let ending = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take(most)
        .take_while(same)
        .count();
    let (kept, changed) = after.split_at(beginning);
    let (changed, tail) = changed.split_at(changed.len() - ending);
    if changed.is_empty() {
        return changed;
    }
    let start = beginning - kept.iter().rev().take_while(|byte| is_of_word(**byte)).count();
    let end = beginning + changed.len() + tail.iter().take_while(|byte| is_of_word(**byte)).count();
    after.get(start..end).unwrap_or_default()
}

/// Whether a byte is a part of a token, however that is encoded.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+%:".contains(&byte)
}

/// The parts of a text between the separators of headers, queries, forms and JSON.
fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_separator = |byte: &u8| byte.is_ascii_whitespace() || b"\"'<>&;,={}[]()?\\|".contains(byte);
    let text = text.get(..BYTES).unwrap_or(text);
    text.split(is_separator).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};
    use nodule_core::canonical::CanonicalUrl;
    use nodule_core::policy::Declaration;

    use super::*;
    use crate::gate::pipeline::Keep;

    fn request(url: &str, headers: &[(&'static str, &str)], body: &[u8]) -> ValidatedRequest {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        ValidatedRequest {
            method: Method::POST,
            url: CanonicalUrl::parse(url).unwrap(),
            below_base: true,
            declaration: Declaration::default(),
            headers: headers.collect(),
            body: body.to_owned().into(),
            upload: None,
            keep: Keep::No,
        }
    }

    fn found(draft: &ValidatedRequest, signed: &ValidatedRequest) -> Vec<String> {
        of(draft, signed)
            .iter()
            .map(|text| text.expose().to_owned())
            .collect()
    }

    const URL: &str = "https://api.example.com/v1/things?a=1";
    const SIGNATURE: &str = "5d672d79c15b13162d9279b0855cfba6789a8edb";

    #[test]
    fn a_signature_is_found_by_itself_and_names_and_constants_are_not() {
        let draft = request(URL, &[("accept", "application/json")], b"");
        let value = format!("AWS4 Credential=AK/a, SignedHeaders=host, Signature={SIGNATURE}");
        let signed = request(
            URL,
            &[
                ("accept", "application/json"),
                ("authorization", &value),
                ("x-v", "1"),
            ],
            b"",
        );
        assert_eq!(found(&draft, &signed), [SIGNATURE]);
        let short = request(
            URL,
            &[("accept", "application/json"), ("x-s", "a=1, b=2, c=3, d=4")],
            b"",
        );
        assert_eq!(found(&draft, &short), ["a=1, b=2, c=3, d=4"]);
        let (key, pair) = ("AKIDEXAMPLE", format!("OSS AKIDEXAMPLE:{SIGNATURE}"));
        let signed = request(URL, &[("authorization", &pair)], b"");
        let texts = found(&draft, &signed);
        assert!(
            texts.contains(&SIGNATURE.to_owned()) && !texts.contains(&key.to_owned()),
            "{texts:?}"
        );
    }

    #[test]
    fn what_is_added_to_a_path_a_query_and_a_body_is_found_decoded() {
        let draft = request(URL, &[], br#"{"a":1}"#);
        let url =
            "https://api.example.com/bot123:ABCDEFGHIJKLMNOPQ/v1/things?a=1&sign=abcdefgh%2Fijklmnop%3D&b=2";
        let body = br#"{"a":1,"secret":"0123456789abcdefg","t":7}"#;
        let texts = found(&draft, &request(url, &[], body));
        for expected in [
            "bot123:ABCDEFGHIJKLMNOPQ",
            "ABCDEFGHIJKLMNOPQ",
            "abcdefgh/ijklmnop=",
            "0123456789abcdefg",
        ] {
            assert!(texts.contains(&expected.to_owned()), "{expected} in {texts:?}");
        }
        assert_eq!(texts.len(), 4, "{texts:?}");
    }

    #[test]
    fn a_text_that_begins_or_ends_like_the_one_before_is_found_whole() {
        let draft = request(URL, &[], b"{\"a\":\"abc-123\"}");
        let signed = request(
            "https://api.example.com/v2-ABCDEFGHIJKLMNOPQ-1/v1/things?a=1",
            &[],
            b"{\"a\":\"abc-XXXXXXXXXXXX-123\"}",
        );
        assert_eq!(
            found(&draft, &signed),
            ["v2-ABCDEFGHIJKLMNOPQ-1", "abc-XXXXXXXXXXXX-123"]
        );
    }

    #[test]
    fn what_is_looked_for_is_bounded() {
        let draft = request(URL, &[], b"");
        let one = "0123456789abcdef".repeat(1 << 16);
        let texts = found(&draft, &request(URL, &[], one.as_bytes()));
        assert_eq!(texts.iter().map(String::len).collect::<Vec<_>>(), [BYTES]);
        let many = "0123456789abcdef ".repeat(1 << 10);
        assert_eq!(found(&draft, &request(URL, &[], many.as_bytes())).len(), TEXTS);
        let binary = vec![0xff; 1 << 10];
        assert!(found(&draft, &request(URL, &[], &binary)).is_empty());
    }

    #[test]
    fn what_did_not_change_is_not_looked_for() {
        let draft = request(URL, &[("x-long", SIGNATURE)], SIGNATURE.as_bytes());
        assert!(found(&draft, &draft).is_empty());
    }
}
