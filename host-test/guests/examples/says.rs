//! A node of the SDK that tells its operator what its items say: `{"task": {"log": "…", "times": 3}}`, `{"task": {"panic": "…"}}`, or
//! `{"task": {"header": "…", "value": "…"}}`, a header of its own making.

use hostile_guests::bindings::wasi::http::types::Fields;
use nodule_sdk::prelude::*;
use nodule_sdk::{Access, Client, Failure, Field, Item, OutputItem, Secrets, Session, log, login, run};
use serde_json::Value;

const READ: Operation = Operation {
    group: "things",
    name: "read",
    title: "Read",
    about: "Do things",
    action: "Do things",
    effect: Effect::Read,
    evidence: "it sends nothing",
    request: get("/things"),
    parameters: &[json("task", "Task")],
    output: by(run!(say)),
};

pub static SERVICE: Service = Service {
    name: "hostile",
    title: "Hostile",
    about: "A node that nobody should trust",
    groups: &[Group {
        name: "things",
        title: "Things",
        about: "Things",
    }],
    credentials: &[Credential {
        name: "hostileApi",
        title: "Hostile",
        fields: &[
            text("baseUrl", "Base URL").required(),
            secret("secret", "Secret").required(),
            text("mode", "Mode"),
        ],
        scheme: session(login!(log_in)),
        ..Credential::NEW
    }],
    operations: &[&READ],
    ..Service::NEW
};

nodule_sdk::export!(SERVICE, authentication);

async fn say(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let task: Value = serde_json::from_str(item.text("task")).unwrap_or_default();
    let text = |name: &str| task[name].as_str().unwrap_or_default();
    if let Some(text) = task["log"].as_str() {
        (0..task["times"].as_u64().unwrap_or(1)).for_each(|_| log!("{text}"));
    }
    if let Some(text) = task["panic"].as_str() {
        panic!("{}", text.repeat(task["times"].as_u64().unwrap_or(1) as usize));
    }
    let told = task["header"].is_string().then(|| {
        let fields = Fields::from_list(&[(text("header").to_owned(), text("value").into())]);
        fields.map_or(-1, |fields| fields.entries().len() as i64)
    });
    Ok(vec![OutputItem {
        json: serde_json::json!({"fields": told}).to_string(),
    }])
}

/// Tells all that it knows. With the mode `panics` it panics then.
async fn log_in(_: &Client<'_>, secrets: Secrets<'_>) -> Result<Session, Failure> {
    let token: String = secrets.text("secret").chars().rev().collect();
    log!("{} {token}", secrets.text("secret"));
    assert!(
        secrets.text("mode") != "panics",
        "{} {token}",
        secrets.text("secret")
    );
    Ok(Session {
        access: Access {
            headers: vec![Field {
                name: "authorization".to_owned(),
                value: format!("Bearer {token}"),
            }],
            query: vec![],
        },
        expires_in_s: None,
        renewal: None,
    })
}
