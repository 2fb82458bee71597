//! {{title}} as a workflow node: a table of operations, from which form, checks, requests and description are made.

use nodule_sdk::prelude::*;

const GET: Operation = Operation {
    group: "thing",
    name: "get",
    title: "Get Thing",
    about: "Fetch one thing",
    action: "Get a thing",
    // What doing it twice does, and where the service says so.
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/things/{thingId}"),
    parameters: &[text("thingId", "Thing ID").required().placeholder("T17")],
    output: answer(),
};

/// The node.
pub static SERVICE: Service = Service {
    name: "{{camel}}",
    title: "{{title}}",
    about: "Things of {{title}}",
    groups: &[Group {
        name: "thing",
        title: "Thing",
        about: "Things",
    }],
    credentials: &[Credential {
        name: "{{camel}}Api",
        title: "{{title}} API",
        fields: &[
            text("baseUrl", "Base URL").required().or_text("https://api.example.com"),
            secret("token", "Token").required(),
        ],
        // The host fills it in: this code never sees the token.
        scheme: fixed(&[("authorization", "Bearer {token}")]),
        test: Some("/me"),
        ..Credential::NEW
    }],
    headers: &[("accept", "application/json"), ("user-agent", "{{name}}/0.1.0")],
    errors: errors(&["/error/message", "/message"]),
    operations: &[&GET],
    ..Service::NEW
};

nodule_sdk::export!(SERVICE);
