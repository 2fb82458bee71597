//! The query parameters of a session, and how they are added to a URL.

use std::fmt;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{percent_decode, utf8_percent_encode};
use zeroize::Zeroizing;

use nodule_core::canonical::RESERVED;
use nodule_core::secret::Secret;

/// The parameters, as given and as sent. Its `Debug` shows none of them.
pub(crate) struct Query {
    fields: Vec<(String, Secret)>,
    /// `&name=value` for each parameter, percent-encoded, so that any URL can take it.
    encoded: Secret,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").finish_non_exhaustive()
    }
}

impl Query {
    pub(crate) fn new(fields: Vec<(String, Secret)>) -> Self {
        let pairs = fields.iter().flat_map(|(name, value)| {
            let name = utf8_percent_encode(name, RESERVED);
            let value = utf8_percent_encode(value.expose(), RESERVED);
            ["&"].into_iter().chain(name).chain(["="]).chain(value)
        });
        // Allocated once, since a growing string leaves copies of the secret behind.
        let mut encoded = String::with_capacity(pairs.clone().map(str::len).sum());
        encoded.extend(pairs);
        Self {
            encoded: Secret::new(encoded),
            fields,
        }
    }

    /// The parameters, by name.
    pub(crate) fn fields(&self) -> &[(String, Secret)] {
        &self.fields
    }

    /// The number of bytes that the parameters add to a URL.
    pub(crate) fn encoded_bytes(&self) -> usize {
        self.encoded.expose().len()
    }

    /// Adds these parameters to a node's URL and removes the node's own of the same names: a service that reads only
    /// the first of two would use the node's.
    ///
    /// # Errors
    ///
    /// None for a URL made by [`CanonicalUrl`](nodule_core::canonical::CanonicalUrl) and a session that was accepted.
    pub(crate) fn added_to(&self, url: &Uri) -> Result<Uri, http::Error> {
        if self.fields.is_empty() {
            return Ok(url.clone());
        }
        let own = url.query().unwrap_or_default();
        let length = url.path().len() + "?".len() + own.len() + self.encoded_bytes();
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(url.path());
        let mut separator = '?';
        for pair in own.split('&').filter(|_| !own.is_empty()) {
            // Some services treat a semicolon like `&`.
            let is_kept = |part: &&str| !self.has(part);
            let mut kept = pair.split(';').filter(is_kept).peekable();
            if kept.peek().is_none() {
                continue;
            }
            text.push(separator);
            separator = '&';
            for (index, part) in kept.enumerate() {
                text.extend((index > 0).then_some(';'));
                text.push_str(part);
            }
        }
        let added = self.encoded.expose();
        if separator == '?' {
            text.push('?');
            text.push_str(added.strip_prefix('&').unwrap_or(added));
        } else {
            text.push_str(added);
        }
        let mut parts = url.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(text.as_str())?);
        Ok(Uri::from_parts(parts)?)
    }

    /// Whether one of the node's own parameters has one of these names, as a service decodes it.
    fn has(&self, own: &str) -> bool {
        let name = own.split('=').next().unwrap_or_default();
        let name = name.replace('+', " ");
        let mut fields = self.fields.iter();
        fields.any(|(known, _)| percent_decode(name.as_bytes()).eq(known.bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodule_core::canonical::CanonicalUrl;

    fn query(fields: &[(&str, &str)]) -> Query {
        let field = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new((*value).to_owned()));
        Query::new(fields.iter().map(field).collect())
    }

    fn sent(fields: &[(&str, &str)], url: &str) -> String {
        let url = CanonicalUrl::parse(&format!("https://api.example.com{url}")).unwrap();
        let sent = query(fields).added_to(url.uri()).unwrap();
        sent.path_and_query().unwrap().as_str().to_owned()
    }

    #[test]
    fn parameters_stand_behind_those_of_the_node() {
        let fields = [("token", "a+/ b"), ("app", "1")];
        for (url, expected) in [
            ("/x", "/x?token=a%2B%2F%20b&app=1"),
            ("/x?", "/x?token=a%2B%2F%20b&app=1"),
            ("/x?a=1", "/x?a=1&token=a%2B%2F%20b&app=1"),
            ("/x?a=1&&b", "/x?a=1&&b&token=a%2B%2F%20b&app=1"),
            ("/x?a=1;b=2", "/x?a=1;b=2&token=a%2B%2F%20b&app=1"),
        ] {
            assert_eq!(sent(&fields, url), expected);
        }
        assert_eq!(sent(&[], "/x?a=1"), "/x?a=1");
    }

    #[test]
    fn a_nodes_own_parameter_of_a_sessions_name_is_not_sent() {
        for own in [
            "the+key=mine",
            "the%20key=mine",
            "%74he%20%6bey=mine",
            "the+key",
            "the+key=",
            "the+key=mine=mine",
            "the+key=1&the%20key=2",
            "the+key=1;the+key=2",
        ] {
            assert_eq!(
                sent(&[("the key", "ours")], &format!("/x?{own}")),
                "/x?the%20key=ours",
                "{own}"
            );
            let between = format!("/x?a=1&{own}&b=2");
            assert_eq!(
                sent(&[("the key", "ours")], &between),
                "/x?a=1&b=2&the%20key=ours",
                "{own}"
            );
        }
        assert_eq!(
            sent(&[("key", "ours")], "/x?a=1;key=mine;b=2"),
            "/x?a=1;b=2&key=ours"
        );
    }

    /// Names that only look alike belong to other parameters.
    #[test]
    fn other_parameters_stay_as_they_are() {
        for own in [
            "Key=1",
            "key[]=1",
            "keys=1",
            "a=key",
            "%2574he=1",
            "=key",
            "%zz=1&a=%",
        ] {
            assert_eq!(
                sent(&[("key", "ours")], &format!("/x?{own}")),
                format!("/x?{own}&key=ours")
            );
        }
    }

    #[test]
    fn whatever_the_session_is_it_can_be_added() {
        let hostile = [
            "#",
            "?",
            "&",
            "=",
            "%",
            "%zz",
            "%2",
            " ",
            "\r\n",
            "\0",
            "\u{7f}",
            "é",
            "\u{202e}",
            "\u{10ffff}",
            "//",
            "..",
            "@",
            "[",
            "\"<>\\^`{|}",
            "x y HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        ];
        for name in hostile {
            for value in hostile.into_iter().chain([""]) {
                for url in ["/", "/x?", "/a%2Fb?q=%23", "/?a[]='|"] {
                    let whole = sent(&[(name, value)], url);
                    let pair = whole.rsplit(['?', '&']).next().unwrap();
                    let (sent_name, sent_value) = pair.split_once('=').unwrap();
                    let decoded = |text: &str| percent_decode(text.as_bytes()).collect::<Vec<u8>>();
                    assert_eq!(
                        (decoded(sent_name), decoded(sent_value)),
                        (name.into(), value.into())
                    );
                }
            }
        }
    }
}
