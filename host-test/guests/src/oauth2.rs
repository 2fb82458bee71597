//! What the guests with a credential of the scheme `oauth2` share: a provider at the port that the field `mode` names.

use serde_json::Value;

use crate::{
    Call, Failure, Item, ItemResult, bindings, d, describe, failure, outputs, parameter, parse, send,
};

/// A description with a log-in, `userApi`, and a client with a secret of its own, `machineApi`. Tokens come from this path.
pub fn described(token_path: &str) -> d::Node {
    let text = |text: &str| text.to_owned();
    let scheme = |grant, secret: &str| d::Oauth2 {
        grant,
        authorization_url: (grant == d::Grant::AuthorizationCode)
            .then(|| text("http://127.0.0.1:{mode}/authorize")),
        token_url: format!("http://127.0.0.1:{{mode}}{token_path}"),
        scopes: vec![text("read"), text("write")],
        scope_separator: text(","),
        client_in_body: grant == d::Grant::ClientCredentials,
        pkce: grant == d::Grant::AuthorizationCode,
        authorization_query: if grant == d::Grant::AuthorizationCode {
            vec![d::Field {
                name: text("access_type"),
                value: text("offline"),
            }]
        } else {
            vec![]
        },
        token_body: vec![d::Field {
            name: text("audience"),
            value: text("things"),
        }],
        client_id: text("clientId"),
        client_secret: Some(text(secret)),
    };
    let credential = |name: &str, secret: &str, grant| d::Credential {
        name: text(name),
        display_name: text(name),
        documentation_url: None,
        fields: vec![text("baseUrl"), text("mode"), text("clientId"), text(secret)],
        base_url: text("baseUrl"),
        scheme: d::Scheme::Oauth2(scheme(grant, secret)),
        test: Some(text("/test")),
    };
    let mut node = describe();
    let required = |id: &str, kind| d::Parameter {
        required: true,
        ..parameter(id, kind)
    };
    node.parameters.push(required("clientId", d::Kind::Text));
    node.parameters.push(required("machineSecret", d::Kind::Secret));
    for field in &mut node.parameters {
        field.required |= field.id == "mode";
    }
    node.credentials = vec![
        credential("userApi", "secret", d::Grant::AuthorizationCode),
        credential("machineApi", "machineSecret", d::Grant::ClientCredentials),
    ];
    node
}

/// Sends the requests that an item lists. An item whose request the service does not accept fails so.
pub fn execute(call: &Call) -> Result<Vec<ItemResult>, Failure> {
    let run = |item: &Item| {
        let item = parse(&item.parameters);
        let requests = item["requests"].as_array().cloned().unwrap_or_default();
        let outcomes: Vec<Value> = requests.iter().map(send).collect();
        if let Some(error) = outcomes.iter().find_map(|outcome| outcome["error"].as_str()) {
            return Err(failure(error));
        }
        if outcomes.iter().any(|outcome| outcome["status"] == 401) {
            return Err(Failure::Unauthenticated(
                bindings::exports::workflow::node::types::Answer {
                    status: 401,
                    code: None,
                    message: "the service refused the token".to_owned(),
                    request_id: None,
                },
            ));
        }
        Ok(outputs(outcomes))
    };
    Ok(call.items.iter().map(run).collect())
}
