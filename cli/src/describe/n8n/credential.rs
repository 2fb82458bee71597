//! Credential types, and the parameter that selects one of several.
//!
//! Where a user consents (`oauth2` with the authorization code), the type extends n8n's own, whose button and redirect URL
//! serve. What the description says is filled in and hidden. With client credentials the host asks by itself.
//!
//! A type of fields that go into headers or the query says so in n8n's terms too, for n8n's own nodes: those that take a
//! credential of that name, and HTTP Request. The node itself does not use it: the host adds what it adds.

use std::fmt::Write as _;

use nodule::description::{CredentialSpec, Grant, Indexed, Oauth2, Placement, Scheme, Template};
use nodule::json;
use nodule::json::Json;
use nodule::url::form_urlencoded;

use super::form::Form;
use super::values::{object, option};

/// The names of the selector: the usual one, and the one to use where a parameter of the node has that name.
const SELECTORS: [&str; 2] = ["authentication", "nodeAuthentication"];

/// The parameter that selects one of several credentials.
pub fn selector_name(node: &Indexed<'_>) -> Option<String> {
    if node.credentials.len() < 2 {
        return None;
    }
    let is_taken = |name: &str| node.parameters.iter().any(|parameter| parameter.name == name);
    let [usual, other] = SELECTORS;
    let mut name = if is_taken(usual) { other } else { usual }.to_owned();
    while is_taken(&name) {
        name.push('_');
    }
    Some(name)
}

/// The property of that parameter.
pub fn selector(node: &Indexed<'_>) -> Option<Json> {
    let name = selector_name(node)?;
    let options: Vec<_> = node
        .credentials
        .iter()
        .map(|credential| option(&credential.display_name, &json!(credential.name), ""))
        .collect();
    let first = node.credentials.first().map(|credential| &credential.name);
    Some(json!({
        "displayName": "Authentication",
        "name": name,
        "type": "options",
        "noDataExpression": true,
        "options": options,
        "default": first,
    }))
}

/// The credentials that the node takes, each shown while it is selected.
pub fn wanted(node: &Indexed<'_>) -> Json {
    let selector = selector_name(node);
    let wanted = node.credentials.iter().map(|credential| {
        let mut wanted = object(json!({"name": credential.name, "required": true}));
        if let Some(selector) = &selector {
            let mut show = json::Object::new();
            show.insert(selector.clone(), json!([credential.name]));
            wanted.insert("displayOptions", json!({"show": show}));
        }
        Json::Object(wanted)
    });
    Json::Array(wanted.collect())
}

/// The credential types.
pub fn types(node: &Indexed<'_>) -> Json {
    let types = node.credentials.iter();
    Json::Array(
        types
            .map(|credential| credential_type(node, credential))
            .collect(),
    )
}

fn credential_type(node: &Indexed<'_>, credential: &CredentialSpec) -> Json {
    let mut description = object(json!({"name": credential.name, "displayName": credential.display_name}));
    if let Some(url) = &credential.documentation_url {
        description.insert("documentationUrl", json!(url));
    }
    let mut properties = Form::of_credential(node, credential).properties();
    if let Scheme::Oauth2(oauth2) = &credential.scheme
        && oauth2.grant == Grant::AuthorizationCode
    {
        description.insert("extends", json!(["oAuth2Api"]));
        extend(node, oauth2, &mut properties);
    }
    if let Scheme::Fixed(placement) = &credential.scheme
        && let Some(authenticate) = generic(placement)
    {
        description.insert("authenticate", authenticate);
    }
    description.insert("properties", Json::Array(properties));
    Json::Object(description)
}

/// What n8n's own nodes add to a request. Nothing, where n8n cannot say it.
fn generic(placement: &Placement) -> Option<Json> {
    let mut properties = json::Object::new();
    let mut headers = json::Object::new();
    for Template { name, template } in &placement.headers {
        let pair = template
            .strip_prefix("Basic {basic:")
            .and_then(|rest| rest.strip_suffix('}'))
            .filter(|_| name.eq_ignore_ascii_case("authorization"));
        if let Some((user, password)) = pair.and_then(|pair| pair.split_once(':')) {
            let field = |name: &str| json!(expression(&["{", name, "}"].concat()));
            properties.insert(
                "auth",
                json!({"username": field(user), "password": field(password)}),
            );
        } else if template.contains("{basic:") {
            return None;
        } else {
            headers.insert(name.clone(), json!(expression(template)));
        }
    }
    let mut query = json::Object::new();
    for Template { name, template } in &placement.query {
        query.insert(name.clone(), json!(expression(template)));
    }
    for (name, values) in [("headers", headers), ("qs", query)] {
        if !values.is_empty() {
            properties.insert(name, Json::Object(values));
        }
    }
    (!properties.is_empty()).then(|| json!({"type": "generic", "properties": properties}))
}

/// A template with fields, as n8n's expression.
fn expression(template: &str) -> String {
    filled(template, |name| format!("$credentials[{name}]"))
}

/// Names the client's fields as n8n's type does, and fills in what that type asks for besides.
fn extend(node: &Indexed<'_>, oauth2: &Oauth2, properties: &mut Vec<Json>) {
    let own = [
        (Some(&oauth2.client_id), "clientId"),
        (oauth2.client_secret.as_ref(), "clientSecret"),
    ];
    for (id, n8n) in own {
        let field = id.and_then(|id| node.parameters.iter().find(|field| field.id == *id));
        let is_it = |property: &&mut Json| {
            field.is_some_and(|field| property.get("name").and_then(Json::as_str) == Some(&field.name))
        };
        if let Some(property) = properties.iter_mut().find(is_it).and_then(Json::as_object_mut) {
            property.insert("name", json!(n8n));
        } else {
            properties.push(hidden(n8n, ""));
        }
    }
    let query = oauth2.authorization_query.iter();
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query.map(|pair| (&pair.name, &pair.value)))
        .finish();
    properties.extend([
        hidden(
            "grantType",
            if oauth2.pkce { "pkce" } else { "authorizationCode" },
        ),
        hidden(
            "authUrl",
            &url(oauth2.authorization_url.as_deref().unwrap_or_default()),
        ),
        hidden("accessTokenUrl", &url(&oauth2.token_url)),
        hidden("scope", &oauth2.scopes.join(&oauth2.scope_separator)),
        hidden("authQueryParameters", &query),
        hidden(
            "authentication",
            if oauth2.client_in_body { "body" } else { "header" },
        ),
    ]);
}

fn hidden(name: &str, value: &str) -> Json {
    json!({"displayName": name, "name": name, "type": "hidden", "default": value})
}

/// A URL with fields, as n8n's expression. A field stands for a part of it: what would end that part is encoded.
fn url(template: &str) -> String {
    if !template.contains('{') {
        return template.to_owned();
    }
    filled(template, |name| format!("encodeURIComponent($self[{name}])"))
}

/// Puts code in the place of each field, by its name in quotes.
fn filled(template: &str, code: impl Fn(&str) -> String) -> String {
    let mut expression = "=".to_owned();
    for (position, part) in template.split('{').enumerate() {
        match part.split_once('}').filter(|_| position > 0) {
            Some((field, rest)) => {
                let code = code(&json!(field).to_string());
                // Writing to a text cannot fail.
                let _ = write!(expression, "{{{{ {code} }}}}{rest}");
            }
            None => expression.push_str(part),
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_n8n_s_own_in_its_own_header_alone() {
        let of = |name: &str| {
            generic(&Placement {
                headers: vec![Template {
                    name: name.to_owned(),
                    template: "Basic {basic:user:password}".to_owned(),
                }],
                query: vec![],
            })
        };
        let generic = of("Authorization").map(|generic| generic.to_string());
        assert!(generic.is_some_and(|generic| generic.contains("\"auth\":{\"username\":")));
        assert!(of("x-key").is_none());
    }
}
