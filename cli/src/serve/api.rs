//! The API without runs, and the `OpenAPI` document that describes all of it.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::problem::{Answered, parse};
use super::tokens::{ClientTokens, GivenToken};
use super::wire::{self, About, Binding, ComponentFile, CredentialCheck, Loaded};
use super::{Server, ask, files, large, run};
use crate::describe::{self, Format};

/// Limit on a body that is neither a component nor a run: a binding with its policy.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "nodule serve",
        description = "Loads, constrains and runs workflow nodes that are WebAssembly components, for an engine in any language. \
                       Spoken over a Unix socket, or on Windows a named pipe."
    ),
    paths(
        about, document, load, describe, forget, check_credential, ask::choices, ask::fields, run::run, run::plan, progress, stop, abandon, token,
        files::give, files::fetch, files::forget
    ),
    components(schemas(wire::Item)),
    security(("token" = [])),
    modifiers(&Token),
)]
struct Document;

struct Token;

impl utoipa::Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", scheme);
    }
}

/// The routes. Every request needs the token.
pub fn router(server: Arc<Server>) -> axum::Router {
    axum::Router::new()
        .route("/v1", get(about))
        .route("/openapi.json", get(document))
        .route("/v1/components", post(load))
        .route("/v1/components/{digest}", get(describe).delete(forget))
        .route("/v1/check-credential", post(check_credential))
        .route("/v1/choices", post(ask::choices))
        .route("/v1/fields", post(ask::fields))
        .route("/v1/runs", post(run::run))
        .route("/v1/plan", post(run::plan))
        .route("/v1/runs/{id}", get(progress))
        .route("/v1/runs/{id}/stop", post(stop))
        .route("/v1/runs/{id}/abandon", post(abandon))
        .route("/v1/runs/{id}/token", post(token))
        .route("/v1/files", post(files::give).layer(DefaultBodyLimit::disable()))
        .route("/v1/files/{id}", get(files::fetch).delete(files::forget))
        .fallback(async || Answered::not_found("there is nothing here").hint("GET /openapi.json has what is"))
        .method_not_allowed_fallback(async || {
            Answered::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid-request",
                "the path has no such method",
            )
            .hint("GET /openapi.json has what there is")
        })
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&server), authorised))
        .with_state(server)
}

async fn authorised(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let said = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    if said.is_some_and(|said| server.token.is(said.strip_prefix(b"Bearer ").unwrap_or_default())) {
        return next.run(request).await;
    }
    Answered::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "the request does not say the server's token",
    )
    .hint("send `authorization: Bearer TOKEN`; the token is the one of the settings, or in the file beside the socket")
    .into_response()
}

/// The server's version, its components and its runs.
#[utoipa::path(get, path = "/v1", tag = "server", responses((status = 200, body = About)))]
async fn about(State(server): State<Arc<Server>>) -> Json<About> {
    Json(About {
        version: env!("CARGO_PKG_VERSION"),
        contract: nodule::CONTRACT,
        components: server.digests(),
        runs: server.runs(),
    })
}

/// This API as an `OpenAPI` document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, body = serde_json::Value)))]
async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Pin {
    /// Refuses a component with another digest: `sha256:` and 64 hexadecimal digits.
    digest: Option<String>,
}

/// Load a component, from the request's body or from a file. A loaded component is not compiled again.
#[utoipa::path(
    post, path = "/v1/components", tag = "components", params(Pin),
    request_body(content((Vec<u8> = "application/wasm"), (ComponentFile = "application/json"))),
    responses((status = 200, body = Loaded), (status = "4XX", body = wire::ProblemBody, description = "It is refused.")),
)]
async fn load(
    State(server): State<Arc<Server>>,
    pin: Result<Query<Pin>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Json<Loaded>, Answered> {
    let Query(Pin { digest }) = pin.map_err(|error| Answered::request(error.body_text()))?;
    let headers = request.headers().clone();
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|bytes| bytes.to_str().ok()?.parse().ok());
    let _room = server.room(announced.unwrap_or(large::MOST_BYTES)).await;
    let body = in_one_piece(request.into_body(), announced).await?;
    let component = match headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes) {
        Some(b"application/wasm") => server.load(body, digest.as_deref()).await?,
        Some(b"application/json") => {
            let file: ComponentFile = parse(&body, "a component's file")?;
            let path = server.folders.readable(&file.path)?;
            // If the size is unknown, reading the file fails and reports why.
            let found = tokio::fs::metadata(&path).await.map_or(0, |found| found.len());
            let _room = server.room(usize::try_from(found).unwrap_or(usize::MAX)).await;
            server.load_file(path, file.digest.or(digest)).await?
        }
        _ => {
            return Err(Answered::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid-request",
                "expected a component as `application/wasm`, or its file as `application/json`",
            ));
        }
    };
    let node = component.node();
    Ok(Json(Loaded {
        digest: component.digest().to_owned(),
        name: node.name.clone(),
        version: node.version.to_string(),
    }))
}

/// Reads the body of a component into memory that is allocated once: collected and then joined, it would be there twice.
async fn in_one_piece(body: Body, announced: Option<usize>) -> Result<Vec<u8>, Answered> {
    let most = announced.unwrap_or(large::MOST_BYTES).min(large::MOST_BYTES);
    let mut whole = Vec::with_capacity(most);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Answered::request(format!("the body broke off: {error}")))?;
        if piece.len() > large::MOST_BYTES - whole.len() {
            return Err(Answered::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid-request",
                format!("expected at most {} bytes, found more", large::MOST_BYTES),
            ));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

pub(super) fn whole(
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Bytes, Answered> {
    body.map_err(|error| Answered::new(error.status(), "invalid-request", error.body_text()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Shown {
    /// `json` by default.
    #[serde(default)]
    format: Shape,
}

/// The formats of `nodule describe --format`.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    Text,
    #[default]
    Json,
    N8n,
    Markdown,
}

/// What a component is and can do.
#[utoipa::path(
    get, path = "/v1/components/{digest}", tag = "components", params(("digest" = String, Path), Shown),
    responses(
        (status = 200, description = "As `nodule describe` prints it.", content((serde_json::Value = "application/json"), (String = "text/plain"), (String = "text/markdown"))),
        (status = 404, body = wire::ProblemBody, description = "It is not loaded."),
    ),
)]
async fn describe(
    State(server): State<Arc<Server>>,
    Path(digest): Path<String>,
    shown: Result<Query<Shown>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Answered> {
    let Query(Shown { format }) = shown.map_err(|error| Answered::request(error.body_text()))?;
    let component = server.component(&digest)?;
    let (format, kind) = match format {
        Shape::Text => (Format::Text, "text/plain; charset=utf-8"),
        Shape::Json => (Format::Json, "application/json"),
        Shape::N8n => (Format::N8n, "application/json"),
        Shape::Markdown => (Format::Markdown, "text/markdown; charset=utf-8"),
    };
    let text = describe::render(component.node(), format, None, None, describe::width())
        .map_err(|refused| Answered::request(refused.to_string()))?;
    // The styles are for terminals.
    let text = anstream::adapter::strip_str(&text).to_string();
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

/// Unload a component. Runs in progress go on.
#[utoipa::path(
    delete, path = "/v1/components/{digest}", tag = "components", params(("digest" = String, Path)),
    responses((status = 204), (status = 404, body = wire::ProblemBody, description = "It is not loaded.")),
)]
async fn forget(
    State(server): State<Arc<Server>>,
    Path(digest): Path<String>,
) -> Result<StatusCode, Answered> {
    server.forget(&digest).map(|()| StatusCode::NO_CONTENT)
}

/// Check a credential by making a session with it.
#[utoipa::path(
    post, path = "/v1/check-credential", tag = "runs", request_body = Binding,
    responses((status = 200, body = CredentialCheck), (status = "4XX", body = wire::ProblemBody, description = "There is nothing to check.")),
)]
async fn check_credential(
    State(server): State<Arc<Server>>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Json<CredentialCheck>, Answered> {
    let binding: Binding = parse(&whole(body)?, "a binding")?;
    let mut runner = server.bind(&binding.bound())?;
    if let Some(token) = binding.token {
        runner = runner.token_source(ClientTokens::single(token)?);
    }
    let runner = runner
        .own_session()
        .build()
        .map_err(|error| Answered::library(&error))?;
    let checked = runner.check_credential().await;
    Ok(Json(CredentialCheck {
        ok: checked.is_ok(),
        error: checked.err().map(|failure| failure.to_json()),
    }))
}

/// A run's progress.
#[utoipa::path(
    get, path = "/v1/runs/{id}", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = wire::RunSummary), (status = 404, body = wire::ProblemBody, description = "It has ended.")),
)]
async fn progress(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Answered> {
    Ok(Json(server.run(&id)?.watch.summary().to_json()))
}

/// Take no more items from a run; the items in flight finish.
#[utoipa::path(
    post, path = "/v1/runs/{id}/stop", tag = "runs", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = wire::ProblemBody, description = "It has ended.")),
)]
async fn stop(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Result<StatusCode, Answered> {
    server.run(&id)?.control.stop();
    Ok(StatusCode::NO_CONTENT)
}

/// Cancel a run, including its items in flight. Each item has a result that says what is known.
#[utoipa::path(
    post, path = "/v1/runs/{id}/abandon", tag = "runs", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = wire::ProblemBody, description = "It has ended.")),
)]
async fn abandon(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Result<StatusCode, Answered> {
    server.run(&id)?.control.abandon();
    Ok(StatusCode::NO_CONTENT)
}

/// Give a run another access token. A run that began with one asks for the next by a line of its response.
#[utoipa::path(
    post, path = "/v1/runs/{id}/token", tag = "runs", params(("id" = String, Path)), request_body = GivenToken,
    responses(
        (status = 204),
        (status = 404, body = wire::ProblemBody, description = "It has ended."),
        (status = "4XX", body = wire::ProblemBody, description = "It began without a token."),
    ),
)]
async fn token(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<StatusCode, Answered> {
    let given: GivenToken = parse(&whole(body)?, "an access token")?;
    let run = server.run(&id)?;
    let tokens = run
        .tokens
        .ok_or_else(|| Answered::request("the run began without a `token`, and takes none"))?;
    tokens.give(given)?;
    Ok(StatusCode::NO_CONTENT)
}
