//! Customers, their events and their accounts elsewhere.

use nodule_sdk::prelude::*;

use super::{GENDERS, NO_YES, SOURCES};
use crate::envelope::ANSWER;

const IDENTITY_TYPES: &[Choice] = &[
    int_choice(1, "Member"),
    int_choice(2, "Registered User"),
    int_choice(3, "Guest"),
    int_choice(4, "Employee"),
];

const QUERY_TYPES: &[Choice] = &[int_choice(1, "Mobile Phone"), int_choice(2, "Email")];

/// A number on the wire, unlike the source of a customer.
const THIRD_ACCOUNT_TYPES: &[Choice] = &[int_choice(100_014, "Shopify")];

/// Consent is only ever what the caller says: without a value the customer's choice stays as it is.
const fn consent(name: &'static str, label: &'static str) -> Parameter {
    choice(name, label, NO_YES)
        .about("Whether the customer agreed to be written to this way; unchanged when not set")
}

pub const CREATE_CONSUMER: Operation = Operation {
    group: "consumer",
    name: "createConsumer",
    title: "Create Customer Information",
    about: "Create a customer",
    action: "Create a customer",
    effect: Effect::Write,
    evidence: "nothing public says what creating the same customer twice does",
    request: post("/v1/consumer"),
    parameters: &[
        text("name", "Customer Name").required(),
        choice("gender", "Gender", GENDERS).or_int(0),
        text("mobilePhone", "Mobile Phone")
            .required()
            .about("The number without the calling code"),
        text("phonePrefCode", "Phone Prefix Code")
            .required()
            .placeholder("+86")
            .about("The country's calling code, with its +"),
        text("email", "Email").placeholder("name@email.com"),
        choice("sourceCode", "Customer Source", SOURCES)
            .open()
            .required()
            .or_text("10140001")
            .about("Where the customer comes from; other codes of the tenant are accepted too"),
        date("birthday", "Birthday").about("As yyyy-MM-dd"),
        choice("identityType", "Customer Identity Type", IDENTITY_TYPES).or_int(1),
        text("organizationCode", "Organization Code")
            .required()
            .about("The organisation that the customer belongs to"),
    ],
    output: ANSWER,
};

pub const IMPORT_CONSUMER_EVENT_DATA: Operation = Operation {
    group: "consumer",
    name: "importConsumerEventData",
    title: "Import Customer Event Data",
    about: "Import events of customers, many at a time",
    action: "Import customer events",
    effect: Effect::Keyed("data.eventId"),
    evidence: "assumed: each row carries an event ID of its own",
    request: post("/v1/consumer/event/data"),
    parameters: &[rows(
        "data",
        "Event Data Collection",
        &Rows {
            name: "event",
            label: "Event",
            columns: &[
                text("eventKey", "Event Key")
                    .required()
                    .about("Which event it is, as defined for the tenant"),
                text("eventType", "Event Type").or_text("track"),
                epoch_millis("eventTime", "Event Time")
                    .required()
                    .about("When it happened, in epoch milliseconds"),
                text("customerCode", "Customer Code").required(),
                text("eventId", "Event ID")
                    .required()
                    .about("What tells this event from every other"),
                text("tenantId", "Tenant ID").required(),
                object("properties", "Event Properties")
                    .required()
                    .or_json("{}")
                    .about("A JSON object, or its text"),
            ],
        },
    )
    .required()
    .about("The events to import, at least one")],
    output: ANSWER,
};

pub const QUERY_CONSUMER: Operation = Operation {
    group: "consumer",
    name: "queryConsumer",
    title: "Query Customer Information",
    about: "Find a customer by mobile phone or e-mail",
    action: "Query a customer",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/v1/consumer/info"),
    parameters: &[
        choice("type", "Query Parameter Type", QUERY_TYPES)
            .required()
            .or_int(1)
            .about("What to find the customer by"),
        text("query", "Query Parameter")
            .required()
            .about("The phone number or e-mail address itself"),
        text("phonePrefCode", "Phone Prefix")
            .required()
            .or_text("+86")
            .when(&[is("type", &[Scalar::Int(1)])])
            .about("The country's calling code, with its +"),
        text("timestamp", "Current Timestamp")
            .filled(&CLOCK)
            .about("Epoch milliseconds; filled in by the node when empty"),
        text("nonceId", "Random ID")
            .filled(&RANDOM)
            .about("Filled in by the node when empty"),
    ],
    output: ANSWER,
};

pub const UPDATE_CONSUMER: Operation = Operation {
    group: "consumer",
    name: "updateConsumer",
    title: "Update Customer Information",
    about: "Change what is set, and nothing else, of a customer",
    action: "Update a customer",
    effect: Effect::Idempotent,
    evidence: "assumed: a PUT that sets the same values again",
    request: put("/v1/consumer/updateInfo/{consumerCode}").update(),
    parameters: &[
        text("consumerCode", "Customer Code")
            .required()
            .about("The code of the customer to change"),
        text("email", "Email").placeholder("name@email.com"),
        text("name", "Customer Name"),
        choice("gender", "Gender", GENDERS).about("Unchanged when not set"),
        date("birthday", "Birthday").about("As yyyy-MM-dd"),
        text("postalCode", "Postal Code").wire("postelCode"),
        text("address", "Customer Address"),
        consent("receiveSmsFlag", "Customer Receive SMS Flag"),
        consent("receiveEmailFlag", "Customer Receive Email Flag"),
        text("language", "Language").about("The customer's language, as the tenant codes it"),
        consent("receiveAppFlag", "Customer Receive App Flag"),
        consent("receiveWecomFlag", "Customer Receive WeCom Flag"),
        consent("receiveWechatFlag", "Customer Receive WeChat Flag"),
        consent("receiveWhatsAppFlag", "Customer Receive WhatsApp Flag"),
        consent("receiveLineFlag", "Customer Receive Line Flag"),
        // The API's own spelling.
        consent("receiveMessagerFlag", "Customer Receive Messager Flag"),
    ],
    output: ANSWER,
};

pub const BIND_CONSUMER_THIRD_ACCOUNT: Operation = Operation {
    group: "consumer",
    name: "bindConsumerThirdAccount",
    title: "Bind Customer Third-Party Account",
    about: "Bind an account elsewhere, such as a WeChat OpenID, to a customer",
    action: "Bind a third-party account to a customer",
    effect: Effect::Idempotent,
    evidence: "assumed: binding the same account to the same customer again sets the same values",
    request: post("/v1/consumer/binding"),
    parameters: &[
        text("consumerCode", "Customer Code").required(),
        choice("accountType", "Third-Party Account Type", THIRD_ACCOUNT_TYPES)
            .open()
            .required()
            .or_int(100_014)
            .about("Which platform the account is of; other codes of the tenant are accepted too"),
        text("unionId", "Third-Party Account ID")
            .required()
            .about("The account's ID there, for example a WeChat OpenID"),
        text("nickName", "Third-Party Account Nickname"),
    ],
    output: ANSWER,
};

pub const QUERY_THIRD_ACCOUNTS_BY_UNION_ID: Operation = Operation {
    group: "consumer",
    name: "queryThirdAccountsByUnionId",
    title: "Query Third-Party Accounts by Union ID",
    about: "List the accounts elsewhere that share a union ID",
    action: "Query third-party accounts by union ID",
    effect: Effect::Read,
    evidence: "a query by GET",
    request: get("/v1/consumer/thirdaccounts/{unionId}"),
    parameters: &[text("unionId", "Third-Party Account ID")
        .required()
        .about("The account's ID there")],
    output: ANSWER,
};
