//! The questions of a form: which values may a parameter have, which columns?

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use http::StatusCode;
use nodule::description::{Choice, Parameter};
use nodule::question::ChoicesPage;
use nodule::{Failure, Runner};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Server;
use super::api::whole;
use super::problem::{Answered, parse};
use super::tokens::{ClientTokens, GivenToken};
use super::wire::{Allow, ProblemBody, TlsSettings, bound};

/// A question of a form.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Question {
    /// The digest of a loaded component.
    component: String,
    /// The tenant that asks. Tenants share neither sessions nor answers.
    #[serde(default)]
    tenant: String,
    /// The credential's fields.
    #[schema(value_type = Option<Object>)]
    credential: Option<Box<RawValue>>,
    /// An access token of the client's own log-in, for a credential of the scheme `oauth2`.
    token: Option<GivenToken>,
    /// The text of a policy file; it replaces the one in the settings.
    policy: Option<String>,
    /// Rules to add to the policy's.
    #[serde(default)]
    allow: Vec<Allow>,
    /// Grants all origins that the node declares.
    #[serde(default)]
    allow_declared: bool,
    /// Certificates.
    tls: Option<TlsSettings>,
    /// The operation's group.
    group: String,
    /// The operation.
    operation: String,
    /// The parameter's ID.
    parameter: String,
    /// What is filled in so far, as an item's parameters.
    #[schema(value_type = Option<Object>)]
    filled_in: Option<Box<RawValue>>,
    /// What the user looks for. Only where the description says that the parameter can be searched.
    search: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Whether an answer of the last minute will do. It is kept for the same component, tenant, credential, policy and
    /// question.
    #[serde(default)]
    keep: bool,
}

bound!(Question);

/// One page of values.
#[derive(Serialize, ToSchema)]
pub struct Choices {
    /// In the service's order.
    #[schema(value_type = Vec<ChoiceValue>)]
    choices: Vec<Choice>,
    /// Where the next page begins. Absent: this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A value that a parameter may have.
#[derive(ToSchema)]
#[schema(as = Choice)]
#[expect(dead_code, reason = "for the document alone: the library writes it")]
pub struct ChoiceValue {
    /// One line for people.
    label: String,
    /// A text, number or boolean.
    value: Value,
    /// One sentence, or empty.
    summary: String,
}

/// All columns.
#[derive(Serialize, ToSchema)]
pub struct Fields {
    /// Each as `nodule describe --format json` has a parameter.
    #[schema(value_type = Vec<Object>)]
    fields: Vec<Parameter>,
}

/// Ask the service which values a parameter may have. Only GET and HEAD are sent.
#[utoipa::path(
    post, path = "/v1/choices", tag = "forms", request_body = Question,
    responses(
        (status = 200, body = Choices),
        (status = "4XX", body = ProblemBody, description = "It cannot be asked, or there is no answer."),
    ),
)]
pub async fn choices(
    State(server): State<Arc<Server>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Choices>, Answered> {
    let (runner, question) = asked(&server, body)?;
    let ChoicesPage { choices, next } = answered(runner.choices(&question).await)?;
    Ok(Json(Choices { choices, next }))
}

/// Ask the service which columns a parameter has. Only GET and HEAD are sent.
#[utoipa::path(
    post, path = "/v1/fields", tag = "forms", request_body = Question,
    responses(
        (status = 200, body = Fields),
        (status = "4XX", body = ProblemBody, description = "It cannot be asked, or there is no answer."),
    ),
)]
pub async fn fields(
    State(server): State<Arc<Server>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Fields>, Answered> {
    let (runner, question) = asked(&server, body)?;
    let fields = answered(runner.fields(&question).await)?;
    Ok(Json(Fields { fields }))
}

fn asked(
    server: &Server,
    body: Result<Bytes, BytesRejection>,
) -> Result<(Runner, nodule::question::Question), Answered> {
    let asked: Question = parse(&whole(body)?, "a question")?;
    let mut builder = server.bind(&asked.bound())?;
    let mut question = nodule::question::Question::new(asked.group, asked.operation, asked.parameter);
    if let Some(filled_in) = asked.filled_in {
        let filled_in = nodule::json::Json::parse(filled_in.get());
        question.filled_in = filled_in.map_err(|_| Answered::request("`filledIn`: expected JSON"))?;
    }
    question.search = asked.search;
    question.cursor = asked.cursor;
    if let Some(token) = asked.token {
        builder = builder.token_source(ClientTokens::single(token)?);
    }
    if asked.keep {
        builder = builder.keep_answers();
    }
    let runner = builder.build().map_err(|error| Answered::library(&error))?;
    Ok((runner, question))
}

/// The answer, or why there is none.
fn answered<T>(asked: Result<Result<T, Failure>, nodule::Error>) -> Result<T, Answered> {
    let answer = asked.map_err(|error| Answered::library(&error))?;
    answer.map_err(|failure| unanswered(&failure))
}

/// Why there is no answer, by the failure's name. A kind of the node's own is `other`.
fn unanswered(failure: &Failure) -> Answered {
    const KINDS: [&str; 10] = [
        "invalid-parameters",
        "invalid-input",
        "unauthenticated",
        "rejected",
        "throttled",
        "unavailable",
        "denied",
        "unintelligible",
        "limit",
        "bad-output",
    ];
    let kind = KINDS.into_iter().find(|kind| *kind == failure.kind());
    let hint = match failure {
        Failure::Denied { hint, .. } => hint.clone(),
        _ => None,
    };
    Answered::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        kind.unwrap_or("other"),
        failure.to_string(),
    )
    .hinted(hint)
}
