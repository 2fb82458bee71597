//! Customers of a Stripe account.
#![cfg_attr(rustfmt, rustfmt_skip)]

use nodule_sdk::prelude::*;

const ID: Parameter = text("customerId", "Customer ID").required().placeholder("cus_9s6XKzkNRiz8i3");
const EMAIL: Parameter = text("email", "Email").placeholder("name@example.com");
const NAME: Parameter = text("name", "Name").about("The customer's full name");
const DESCRIPTION: Parameter = text("description", "Description");
const PHONE: Parameter = text("phone", "Phone");
const METADATA: Parameter = rows("metadata", "Metadata", &Rows {
    name: "entry",
    label: "Entry",
    columns: &[text("key", "Key").required(), text("value", "Value")],
}).as_map();

const LIST: Operation = Operation {
    group: "customer", name: "list", title: "List Customers", action: "List customers",
    about: "List customers, newest first",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/v1/customers"),
    parameters: &[RETURN_ALL, page_size("limit", 10), EMAIL],
    output: pages("/data", cursor_of_last_record("starting_after", "/id").stop_unless("/has_more")),
};

const GET: Operation = Operation {
    name: "get", title: "Get Customer", about: "Fetch one customer", action: "Get a customer",
    request: get("/v1/customers/{customerId}"),
    parameters: &[ID],
    output: answer(), ..LIST
};

const CREATE: Operation = Operation {
    name: "create", title: "Create Customer", about: "Create a customer", action: "Create a customer",
    effect: Effect::Keyed("idempotencyKey"), evidence: "docs.stripe.com/api/idempotent_requests",
    request: post("/v1/customers").form(),
    parameters: &[
        text("idempotencyKey", "Idempotency Key").required().header("idempotency-key")
            .about("Different for every customer: one that was used before creates none"),
        EMAIL, NAME, DESCRIPTION, PHONE, METADATA,
    ],
    ..GET
};

const UPDATE: Operation = Operation {
    name: "update", title: "Update Customer", about: "Change what is set, and nothing else", action: "Update a customer",
    effect: Effect::Idempotent, evidence: "sets values",
    request: post("/v1/customers/{customerId}").form(),
    parameters: &[ID, EMAIL, NAME, DESCRIPTION, PHONE, METADATA],
    ..GET
};

const DELETE: Operation = Operation {
    name: "delete", title: "Delete Customer", about: "Delete a customer for good", action: "Delete a customer",
    request: delete("/v1/customers/{customerId}"),
    parameters: &[ID],
    ..UPDATE
};

/// The node.
pub static SERVICE: Service = Service {
    name: "stripeCustomers", title: "Stripe Customers", about: "Customers of a Stripe account",
    documentation: Some("https://docs.stripe.com/api/customers"), groups: &[Group { name: "customer", title: "Customer", about: "Customers" }],
    credentials: &[Credential {
        name: "stripeApi", title: "Stripe API",
        fields: &[text("baseUrl", "Base URL").required().or_text("https://api.stripe.com"), secret("secretKey", "Secret Key").required()],
        scheme: fixed(&[("authorization", "Bearer {secretKey}")]), test: Some("/v1/balance"), ..Credential::NEW
    }],
    headers: &[("accept", "application/json"), ("user-agent", "stripe-node/0.1.0")],
    errors: errors(&["/error/message"]).code(&["/error/type"]).request_id_header("request-id"),
    operations: &[&LIST, &GET, &CREATE, &UPDATE, &DELETE], ..Service::NEW
};
nodule_sdk::export!(SERVICE);
