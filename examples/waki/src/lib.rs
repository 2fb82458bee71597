//! A node as simple as can be: one operation, which fetches a customer. waki waits for each response before it goes on, so
//! the host gives each of its instances one item at a time.

use exports::workflow::node::description as d;
use exports::workflow::node::execution::{Call, Guest, ItemResult};
use exports::workflow::node::types::{Answer, Certainty, Failure, Item, Outage, Output};

wit_bindgen::generate!({ path: "../../host/wit", world: "workflow:node/node", generate_all });

struct Node;

impl d::Guest for Node {
    fn describe() -> d::Node {
        d::Node {
            name: "customers".into(),
            display_name: "Customers".into(),
            version: 1,
            summary: "Customers of a shop".into(),
            icon_svg: None,
            documentation_url: None,
            aliases: vec![],
            // The host adds the key to each request: the node never sees it.
            credentials: vec![d::Credential {
                name: "customersApi".into(),
                display_name: "Customers API".into(),
                documentation_url: None,
                fields: vec!["baseUrl".into(), "key".into()],
                base_url: "baseUrl".into(),
                scheme: d::Scheme::Fixed(d::Placement {
                    headers: vec![d::Template { name: "authorization".into(), template: "Bearer {key}".into() }],
                    query: vec![],
                }),
                test: Some("/v1/account".into()),
            }],
            origins: vec![],
            resources: vec![d::ResourceGroup {
                name: "customer".into(),
                display_name: "Customer".into(),
                summary: String::new(),
            }],
            operations: vec![d::Operation {
                group: "customer".into(),
                name: "get".into(),
                display_name: "Get".into(),
                summary: "Fetch a customer".into(),
                action: "Get a customer".into(),
                documentation_url: None,
                parameters: vec!["customer.get.id".into()],
                effect: d::Effect::Read,
                write_requests: 0,
                emits: false,
                gives_files: false,
                request: Some("GET /v1/customers/{id}".into()),
                output_schema: r#"{"type": "object"}"#.into(),
                hints: None,
            }],
            parameters: vec![
                parameter("baseUrl", "baseUrl", "Base URL", d::Kind::Text),
                parameter("key", "key", "Key", d::Kind::Secret),
                parameter("customer.get.id", "id", "ID", d::Kind::Text),
            ],
            hints: None,
        }
    }
}

fn parameter(id: &str, name: &str, display_name: &str, kind: d::Kind) -> d::Parameter {
    d::Parameter {
        id: id.into(),
        name: name.into(),
        display_name: display_name.into(),
        summary: String::new(),
        placeholder: None,
        kind,
        required: true,
        default: None,
        visible_when: vec![],
        hints: None,
    }
}

impl Guest for Node {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        Ok(call.items.iter().map(|item| get(&call.service.base_url, item)).collect())
    }
}

fn get(base_url: &str, item: &Item) -> ItemResult {
    let parameters: serde_json::Value =
        serde_json::from_str(&item.parameters).map_err(|error| Failure::InvalidInput(error.to_string()))?;
    let id = parameters["id"].as_str().unwrap_or_default();
    let url = format!("{}/v1/customers/{}", base_url.trim_end_matches('/'), percent_encoded(id));
    let response = waki::Client::new().get(&url).send().map_err(|error| lost(&error))?;
    let status = response.status_code();
    let body = response.body().map_err(|error| lost(&error))?;
    let message = String::from_utf8_lossy(&body).into_owned();
    let answer = Answer { status, code: None, message, request_id: None };
    match status {
        200 => Ok(vec![Output { json: answer.message }]),
        401 => Err(Failure::Unauthenticated(answer)),
        500.. => Err(Failure::Unavailable(Outage {
            certainty: Certainty::Unknown,
            message: answer.message.clone(),
            answer: Some(answer),
            retry_after_ms: None,
        })),
        _ => Err(Failure::Rejected(answer)),
    }
}

/// As one segment of a path.
fn percent_encoded(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = |byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encoded).collect()
}

/// There is no complete response.
fn lost(error: &dyn std::fmt::Display) -> Failure {
    Failure::Unavailable(Outage {
        certainty: Certainty::Unknown,
        message: format!("{error:#}"),
        answer: None,
        retry_after_ms: None,
    })
}

export!(Node);
