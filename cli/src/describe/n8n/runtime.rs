//! What the package's own code reads of a description: the rest is in n8n's own form of it.

use nodule::description::{CredentialSpec, Grant, Indexed, Oauth2, Scheme};
use nodule::json;
use nodule::json::{Json, Object};
use serde::Serialize;

use super::credential::selector_name;

/// The fields of n8n's own type for OAuth 2.0, which the user's log-in extends.
const N8N_OAUTH2: [&str; 7] = [
    "grantType",
    "authUrl",
    "accessTokenUrl",
    "scope",
    "authQueryParameters",
    "authentication",
    "oauthTokenData",
];
/// Those that the node's own fields take the place of.
const N8N_CLIENT: [&str; 2] = ["clientId", "clientSecret"];

/// The part of the description that `n8n/src/node/description.ts` has types for.
pub fn facts(node: &Indexed<'_>) -> Json {
    let credentials = node.credentials.iter();
    let credentials: Json = credentials
        .map(|credential| credential_facts(node, credential))
        .collect();
    let operations = node.operations.iter().map(|operation| {
        let mut facts = picked(&document(operation), &["group", "name", "parameters"]);
        facts.insert("effect", json!({"type": operation.effect.name()}));
        Json::Object(facts)
    });
    let parameters = node.parameters.iter().map(|parameter| {
        let whole = document(parameter);
        let mut facts = picked(&whole, &["id", "name", "default"]);
        if let Some(kind) = whole.get("kind") {
            let of_kind = ["type", "key", "columns", "fields", "parameter"];
            facts.insert("kind", Json::Object(picked(kind, &of_kind)));
        }
        if !parameter.visible_when.is_empty() {
            facts.extend(picked(&whole, &["visibleWhen"]));
        }
        Json::Object(facts)
    });
    json!({
        "credentials": credentials,
        "authentication": selector_name(node),
        "operations": operations.collect::<Json>(),
        "parameters": parameters.collect::<Json>(),
    })
}

/// Of a credential where the user logs in, also which fields n8n's type has under names of its own.
fn credential_facts(node: &Indexed<'_>, credential: &CredentialSpec) -> Json {
    let mut facts = picked(&document(credential), &["name", "fields", "baseUrl"]);
    if let Some(oauth2) = login(credential) {
        let mut client = Object::new();
        let (id, secret) = client_names(node, oauth2);
        for (name, own) in N8N_CLIENT.into_iter().zip([id, secret]) {
            if let Some(own) = own {
                client.insert(name, json!(own));
            }
        }
        facts.insert("oauth2", Json::Object(client));
    }
    Json::Object(facts)
}

/// Why a credential cannot be one of n8n's, in words for the author.
pub fn inexpressible(node: &Indexed<'_>) -> Option<String> {
    node.credentials.iter().find_map(|credential| {
        let oauth2 = login(credential)?;
        let (id, secret) = client_names(node, oauth2);
        let is_taken = |name: &str| {
            let is_of_client = N8N_CLIENT.contains(&name) && Some(name) != id && Some(name) != secret;
            N8N_OAUTH2.contains(&name) || is_of_client
        };
        let mut names = credential.fields.iter().filter_map(|id| name_of(node, id));
        if let Some(taken) = names.find(|name| is_taken(name)) {
            return Some(format!(
                "credential {}: its field `{taken}` has a name that n8n's own OAuth2 credential uses",
                credential.name
            ));
        }
        let added = oauth2.token_body.first()?;
        Some(format!(
            "credential {}: n8n's own OAuth2 credential cannot add `{}` to token requests",
            credential.name, added.name
        ))
    })
}

/// The scheme of a credential where the user logs in.
fn login(credential: &CredentialSpec) -> Option<&Oauth2> {
    match &credential.scheme {
        Scheme::Oauth2(oauth2) if oauth2.grant == Grant::AuthorizationCode => Some(oauth2),
        _ => None,
    }
}

/// The names of the client's fields: its ID, and its secret.
fn client_names<'a>(node: &'a Indexed<'_>, oauth2: &Oauth2) -> (Option<&'a str>, Option<&'a str>) {
    let secret = oauth2.client_secret.as_ref();
    (
        name_of(node, &oauth2.client_id),
        secret.and_then(|secret| name_of(node, secret)),
    )
}

fn name_of<'a>(node: &'a Indexed<'_>, id: &str) -> Option<&'a str> {
    node.parameter(id).map(|parameter| parameter.name.as_str())
}

/// The members that are there, of those.
fn picked(whole: &Json, names: &[&str]) -> Object {
    let members = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), whole.get(name)?.clone())));
    members.collect()
}

/// A part of a description as `nodule describe --format json` has it.
#[expect(
    clippy::expect_used,
    reason = "keys are texts and nothing in it fails to serialise"
)]
fn document(part: &impl Serialize) -> Json {
    let text = serde_json::to_string(part).expect("a JSON document");
    Json::parse(&text).expect("what was just written")
}
