//! Credentials of the scheme `fixed`: headers and query parameters with the credential's fields in them.

use super::{Credential, CredentialError, wrong};
use crate::description::{Destination, Kind, Node, RenderError, Scheme, Template, TextTemplate, quoted};
use crate::secret::Secret;

/// What a credential of the scheme `fixed` adds to requests.
#[derive(Debug, Clone, Default)]
pub struct FixedAccess {
    /// Headers, by name. Each value is a header value.
    pub headers: Vec<(String, Secret)>,
    /// Query parameters, by name, not percent-encoded.
    pub query: Vec<(String, Secret)>,
    /// The secrets among these values, and their parts that are secret by themselves.
    pub secrets: Vec<Secret>,
}

impl Credential {
    /// Fills the credential's fields into the templates of its scheme. A header or parameter with a field that has no
    /// value is left out. `None` if the scheme is not `fixed`.
    ///
    /// # Errors
    ///
    /// A value cannot be a part of a header. The error names the header and the field, without the value.
    pub fn fixed(&self, node: &Node) -> Result<Option<FixedAccess>, CredentialError> {
        let Some(Scheme::Fixed(placement)) = node.credential(&self.name).map(|described| &described.scheme)
        else {
            return Ok(None);
        };
        let mut access = FixedAccess::default();
        for template in &placement.headers {
            let at = format!("the header {}", quoted(&template.name));
            let value = self.filled(node, template, Destination::Header, &at, &mut access.secrets)?;
            access
                .headers
                .extend(value.map(|value| (template.name.clone(), value)));
        }
        for template in &placement.query {
            let at = format!("the query parameter {}", quoted(&template.name));
            let value = self.filled(node, template, Destination::Query, &at, &mut access.secrets)?;
            access
                .query
                .extend(value.map(|value| (template.name.clone(), value)));
        }
        Ok(Some(access))
    }

    /// A template with the fields filled in; `None` without one of them. Adds what of it is secret to `secrets`.
    fn filled(
        &self,
        node: &Node,
        template: &Template,
        destination: Destination,
        at: &str,
        secrets: &mut Vec<Secret>,
    ) -> Result<Option<Secret>, CredentialError> {
        let template =
            TextTemplate::parse(&template.template).map_err(|error| wrong(format!("{at}: {error}")))?;
        let value = |name: &str| self.value(name).map(Secret::expose);
        let filled = match template.fill(value, destination) {
            Ok(filled) => Secret::new(filled),
            Err(RenderError::Absent { .. }) => return Ok(None),
            Err(error) => return Err(wrong(format!("{at}: {error}"))),
        };
        if template.fields().any(|name| self.is_secret(node, name)) {
            secrets.push(filled.clone());
            let pairs = template.basics();
            let pairs = pairs.filter_map(|pair| pair.fill(value, destination).ok());
            secrets.extend(pairs.map(Secret::new));
        }
        Ok(Some(filled))
    }

    fn is_secret(&self, node: &Node, name: &str) -> bool {
        let described = node.credential(&self.name).into_iter();
        let mut fields = described.flat_map(|described| node.parameters_by_id(&described.fields));
        fields.any(|field| field.name == name && field.kind == Kind::Secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::{Condition, EXAMPLE, Holds, Placement};

    const TOKEN: &str = "s3cr3t-0123456789";

    fn node(headers: &[(&str, &str)], query: &[(&str, &str)]) -> Node {
        let mut node: Node = serde_json::from_str(EXAMPLE).unwrap();
        node.credentials
            .retain(|known| known.name == "cityLibraryTokenApi");
        let templates = |templates: &[(&str, &str)]| {
            let template = |(name, template): &(&str, &str)| Template {
                name: (*name).to_owned(),
                template: (*template).to_owned(),
            };
            templates.iter().map(template).collect()
        };
        node.credentials[0].scheme = Scheme::Fixed(Placement {
            headers: templates(headers),
            query: templates(query),
        });
        node
    }

    fn access(node: &Node, key: &str) -> Result<FixedAccess, String> {
        let fields = crate::json!({"baseUrl": "https://library.example", "reader": "ann", "key": key});
        let credential = Credential::from_json(node, &fields.to_string()).unwrap();
        let access = credential.fixed(node).map_err(|error| error.to_string())?;
        Ok(access.expect("it is fixed"))
    }

    fn shown(fields: &[(String, Secret)]) -> Vec<(&str, &str)> {
        fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect()
    }

    #[test]
    fn headers_and_query_have_the_fields_in_them_and_lack_those_without_a_value() {
        let node = node(
            &[
                ("authorization", "Bearer {key}"),
                ("x-reader", "{reader}"),
                ("x-branch", "in {branch}"),
            ],
            &[("key", "{key}&{reader}"), ("format", "json")],
        );
        let access = access(&node, TOKEN).unwrap();
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(
            shown(&access.headers),
            [("authorization", bearer.as_str()), ("x-reader", "ann")]
        );
        let key = format!("{TOKEN}&ann");
        assert_eq!(shown(&access.query), [("key", key.as_str()), ("format", "json")]);
    }

    /// A form keeps what was typed into a field before it was hidden.
    #[test]
    fn a_field_that_is_hidden_is_not_used_though_it_has_a_value() {
        let mut node = node(&[("x-key", "{key}"), ("x-reader", "{reader}")], &[]);
        let key = node
            .parameters
            .iter_mut()
            .find(|field| field.id == "credential.key");
        key.unwrap().visible_when = vec![Condition {
            parameter: "credential.reader".to_owned(),
            holds: Holds::OneOf(vec![crate::json!("ann")]),
        }];
        for (reader, expected) in [
            ("ann", &[("x-key", TOKEN), ("x-reader", "ann")][..]),
            ("bob", &[("x-reader", "bob")]),
        ] {
            let fields = crate::json!({"baseUrl": "https://library.example", "reader": reader, "key": TOKEN});
            let credential = Credential::from_json(&node, &fields.to_string()).unwrap();
            let access = credential.fixed(&node).unwrap().unwrap();
            assert_eq!(shown(&access.headers), expected);
            assert_eq!(access.secrets.len(), expected.len() - 1, "{reader}");
        }
    }

    /// A form keeps an empty text of what nobody filled in.
    #[test]
    fn a_blank_is_no_value() {
        let mut node = node(
            &[("x-key", "{key}"), ("x-reader", "{reader}")],
            &[("reader", "{reader}"), ("pair", "{basic:key:reader}")],
        );
        for field in &mut node.parameters {
            field.required = false;
        }
        for blank in ["", " ", "\n"] {
            let fields = crate::json!({"baseUrl": "https://library.example", "reader": blank, "key": TOKEN});
            let credential = Credential::from_json(&node, &fields.to_string()).unwrap();
            let access = credential.fixed(&node).unwrap().unwrap();
            assert_eq!(shown(&access.headers), [("x-key", TOKEN)], "{blank:?}");
            let pair = "czNjcjN0LTAxMjM0NTY3ODk6";
            assert_eq!(shown(&access.query), [("pair", pair)], "{blank:?}");
            assert_eq!(credential.settings(), "{}");
        }
    }

    /// A constant or a name that comes back in a response is no secret.
    #[test]
    fn only_what_has_a_secret_in_it_is_secret() {
        let node = node(
            &[
                ("authorization", "Custom {basic:reader:key}"),
                ("x-reader", "{reader}"),
            ],
            &[("format", "json")],
        );
        let access = access(&node, TOKEN).unwrap();
        let secrets: Vec<&str> = access.secrets.iter().map(Secret::expose).collect();
        let pair = "YW5uOnMzY3IzdC0wMTIzNDU2Nzg5";
        assert_eq!(secrets, [format!("Custom {pair}").as_str(), pair]);
    }

    #[test]
    fn a_value_that_no_header_can_have_is_refused_without_it() {
        for (template, key, expected) in [
            (
                "Bearer {key}",
                "s3cr3t\r\nx-admin: 1",
                "credential: the header `authorization`: the field `key`: expected a value without line breaks and other control characters",
            ),
            (
                "{basic:key:reader}",
                "s3cr3t:x",
                "credential: the header `authorization`: the field `key`: expected a user without a colon",
            ),
        ] {
            let error = access(&node(&[("authorization", template)], &[]), key).unwrap_err();
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn the_query_and_the_pair_of_basic_take_any_value() {
        let node = node(
            &[("authorization", "Basic {basic:reader:key}")],
            &[("key", "{key}")],
        );
        let access = access(&node, "\u{e9}\r\n&x").unwrap();
        assert_eq!(
            shown(&access.headers),
            [("authorization", "Basic YW5uOsOpDQomeA==")]
        );
        assert_eq!(shown(&access.query), [("key", "\u{e9}\r\n&x")]);
    }
}
