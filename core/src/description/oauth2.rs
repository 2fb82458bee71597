//! Checks a credential of the scheme `oauth2`.

use std::collections::HashSet;

use super::access::Fields;
use super::bounds::MAX_SCALAR_CHARS;
use super::check::{Problems, deceptive, label};
use super::text::quoted;
use super::{Grant, Kind, Oauth2, Pair, Parameter, UrlTemplate};

/// What the host itself puts into an authorization request (RFC 6749, RFC 7636).
const AUTHORIZATION: [&str; 7] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
];

/// What the host itself puts into a token request.
const TOKEN: [&str; 7] = [
    "grant_type",
    "code",
    "client_id",
    "client_secret",
    "refresh_token",
    "redirect_uri",
    "code_verifier",
];

pub(super) fn check(oauth2: &Oauth2, fields: &Fields<'_>, problems: &mut Problems) {
    let at = format!("{}, OAuth2", fields.at);
    let with_code = oauth2.grant == Grant::AuthorizationCode;
    match &oauth2.authorization_url {
        Some(_) if !with_code => {
            problems.add(&at, "only the grant `authorizationCode` has an authorization URL");
        }
        None if with_code => problems.add(&at, "the grant `authorizationCode` needs an authorization URL"),
        Some(text) => url(&format!("{at}, authorization URL"), text, fields, problems),
        None => {}
    }
    url(&format!("{at}, token URL"), &oauth2.token_url, fields, problems);
    if !with_code && oauth2.pkce {
        problems.add(&at, "only the grant `authorizationCode` has PKCE");
    }
    if !with_code && !oauth2.authorization_query.is_empty() {
        problems.add(
            &at,
            "only the grant `authorizationCode` has an authorization request",
        );
    }
    scopes(&at, oauth2, problems);
    pairs(
        &format!("{at}, authorization request"),
        &oauth2.authorization_query,
        &AUTHORIZATION,
        problems,
    );
    pairs(
        &format!("{at}, token request"),
        &oauth2.token_body,
        &TOKEN,
        problems,
    );
    client(&at, oauth2, fields, problems);
}

fn url(at: &str, text: &str, fields: &Fields<'_>, problems: &mut Problems) {
    match UrlTemplate::parse(text) {
        Ok(template) => {
            for message in template.fields().filter_map(|name| fields.fault(name, false)) {
                problems.add(at, message);
            }
        }
        Err(error) => problems.add(at, error.to_string()),
    }
}

fn scopes(at: &str, oauth2: &Oauth2, problems: &mut Problems) {
    const MAX_SEPARATOR_CHARS: usize = 10;
    let separator = oauth2.scope_separator.as_str();
    let at_separator = format!("{at}, separator of scopes");
    if separator.is_empty() || separator.chars().count() > MAX_SEPARATOR_CHARS {
        let message = format!(
            "expected 1 to {MAX_SEPARATOR_CHARS} characters, found {}",
            quoted(separator)
        );
        return problems.add(at_separator, message);
    }
    deceptive(at_separator, separator, "", problems);
    let at = format!("{at}, scopes");
    let mut seen = HashSet::new();
    for scope in &oauth2.scopes {
        label(&at, scope, problems);
        if scope.contains(separator) {
            let message = format!("expected a scope without the separator, found {}", quoted(scope));
            problems.add(&at, message);
        }
        if !seen.insert(scope) {
            problems.add(&at, format!("{} is there twice", quoted(scope)));
        }
    }
}

fn pairs(at: &str, pairs: &[Pair], reserved: &[&str], problems: &mut Problems) {
    let mut seen = HashSet::new();
    for Pair { name, value } in pairs {
        label(at, name, problems);
        if reserved.contains(&name.as_str()) {
            problems.add(at, format!("{} is what the host sets itself", quoted(name)));
        }
        if !seen.insert(name) {
            problems.add(at, format!("{} is there twice", quoted(name)));
        }
        let count = value.chars().count();
        if count > MAX_SCALAR_CHARS {
            let message = format!("expected at most {MAX_SCALAR_CHARS} characters, found {count}");
            problems.add(format!("{at}, {}", quoted(name)), message);
        }
        deceptive(format!("{at}, {}", quoted(name)), value, "", problems);
    }
}

fn client(at: &str, oauth2: &Oauth2, fields: &Fields<'_>, problems: &mut Problems) {
    let field = |id: &str| {
        fields
            .by_id
            .get(id)
            .filter(|_| fields.ids.iter().any(|known| known == id))
    };
    let id = &oauth2.client_id;
    // Without it the host cannot even ask, so its presence must not depend on anything.
    let is_given =
        |field: &Parameter| (field.required || field.default.is_some()) && field.visible_when.is_empty();
    match field(id) {
        None => problems.add(
            format!("{at}, client ID"),
            format!("{} is none of the credential's fields", quoted(id)),
        ),
        Some(field) if field.kind != Kind::Text || !is_given(field) => {
            let message = format!(
                "expected {} to be a text without conditions that is required or has a default",
                quoted(id)
            );
            problems.add(format!("{at}, client ID"), message);
        }
        Some(_) => {}
    }
    let at = format!("{at}, client secret");
    let needed = oauth2.grant == Grant::ClientCredentials;
    let Some(id) = &oauth2.client_secret else {
        if needed {
            problems.add(at, "the grant `clientCredentials` needs a client secret");
        }
        return;
    };
    match field(id) {
        None => problems.add(at, format!("{} is none of the credential's fields", quoted(id))),
        Some(field) if field.kind != Kind::Secret => {
            problems.add(at, format!("expected {} to be a secret", quoted(id)));
        }
        Some(field) if needed && !field.required => {
            problems.add(at, format!("expected {} to be required", quoted(id)));
        }
        Some(_) => {}
    }
}
