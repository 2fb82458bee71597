//! The protocol of the credential scheme `oauth2` (RFC 6749, 7636, 9207): what a user's browser is sent to, and the requests
//! to the token endpoint.
//!
//! A request goes through the [pipeline](crate::gate::pipeline)'s client: checked addresses, TLS, proxies, deadlines. Its
//! answer is small, is not followed elsewhere, and is shown to nobody: of a failure, the provider's error is kept, bounded
//! and without the secrets that were sent.

mod answer;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenIntrospectionResponse, TokenUrl, basic,
};
use tokio::sync::Semaphore;
use url::Url;

use crate::events::Label;
use crate::gate::budget::{Budget, Pace};
use crate::gate::client::{Clients, Owner, RunnerTls};
use crate::gate::pipeline::{
    Buffered, BufferedResponse, Content, Keep, Observed, Overlap, Pipeline, RawRequest, Scope as Of,
    Transport,
};
use answer::TokenAnswer;
pub(crate) use answer::is_token;
use nodule_core::canonical::CanonicalUrl;
use nodule_core::failure::{Answer, Certainty, Failure};
use nodule_core::limits::Limits;
use nodule_core::oauth2::{OauthClient, told};
use nodule_core::policy::{DeclaredOrigins, EndpointDenial, Policy};
use nodule_core::redact::Redactor;
use nodule_core::secret::Secret;

/// An answer has some kilobytes; a token with hundreds of groups may have a hundred.
const ANSWER_BYTES: usize = 1024 * 1024;

/// The protocol's client with a token endpoint.
type TokenClient = Client<
    basic::BasicErrorResponse,
    TokenAnswer,
    StandardTokenIntrospectionResponse<EmptyExtraTokenFields, basic::BasicTokenType>,
    StandardRevocableToken,
    basic::BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What a provider granted. Its `Debug` shows no token.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) renew_at: Option<Timestamp>,
}

/// Why there are no tokens.
#[derive(Debug, Clone)]
pub(crate) enum NotGranted {
    /// The provider no longer accepts the code or the refresh token. The text is its error.
    Grant(String),
    /// Anything else.
    Failed(Failure),
}

/// What a log-in keeps while the user's browser is at the provider.
pub(crate) struct Asked {
    /// Where the browser is sent.
    pub(crate) url: Url,
    pub(crate) state: Secret,
    pub(crate) verifier: Option<PkceCodeVerifier>,
}

/// What all requests of a runner to its token endpoint share.
pub(crate) struct TokenEndpoint {
    pub(crate) client: OauthClient,
    pub(crate) policy: Arc<Policy>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) owner: Owner,
    pub(crate) tls: Arc<RunnerTls>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) label: Arc<Label>,
    pub(crate) budget: Option<Budget>,
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl TokenEndpoint {
    /// Begins a log-in that ends with a redirect to this URL.
    pub(crate) fn ask(&self, authorization: &CanonicalUrl, redirect: &Url) -> Result<Asked, Failure> {
        let authorization = AuthUrl::new(authorization.to_string()).map_err(|_| not_a_url())?;
        let client = self.protocol()?.set_auth_uri(authorization);
        let mut request = client.authorize_url(CsrfToken::new_random);
        let redirect = RedirectUrl::from_url(redirect.clone());
        request = request.set_redirect_uri(std::borrow::Cow::Owned(redirect));
        if let Some(scope) = &self.client.scope {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        for pair in &self.client.authorization_query {
            request = request.add_extra_param(pair.name.as_str(), pair.value.as_str());
        }
        let verifier = if self.client.pkce {
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            request = request.set_pkce_challenge(challenge);
            Some(verifier)
        } else {
            None
        };
        let (url, state) = request.url();
        Ok(Asked {
            url,
            state: Secret::new(state.into_secret()),
            verifier,
        })
    }

    /// Exchanges the code that the user's browser came back with.
    pub(crate) async fn exchange_code(
        &self,
        code: &Secret,
        verifier: Option<PkceCodeVerifier>,
        redirect: &Url,
    ) -> Result<Granted, NotGranted> {
        let client = self.protocol()?;
        let mut request = client.exchange_code(AuthorizationCode::new(code.expose().to_owned()));
        request = request.set_redirect_uri(std::borrow::Cow::Owned(RedirectUrl::from_url(redirect.clone())));
        for pair in &self.client.token_body {
            request = request.add_extra_param(pair.name.as_str(), pair.value.as_str());
        }
        let mut sent = vec![code.clone()];
        if let Some(verifier) = verifier {
            sent.push(Secret::new(verifier.secret().clone()));
            request = request.set_pkce_verifier(verifier);
        }
        let answer = request.request_async(self).await;
        self.granted(answer, &sent)
    }

    /// Asks for a new access token. The answer may have a new refresh token, which replaces the old one.
    pub(crate) async fn refresh(&self, refresh_token: &Secret) -> Result<Granted, NotGranted> {
        let client = self.protocol()?;
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let mut request = client.exchange_refresh_token(&token);
        for pair in &self.client.token_body {
            request = request.add_extra_param(pair.name.as_str(), pair.value.as_str());
        }
        let answer = request.request_async(self).await;
        self.granted(answer, std::slice::from_ref(refresh_token))
    }

    /// Asks for an access token with the client's own secret.
    pub(crate) async fn client_credentials(&self) -> Result<Granted, NotGranted> {
        let client = self.protocol()?;
        let mut request = client.exchange_client_credentials();
        if let Some(scope) = &self.client.scope {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        for pair in &self.client.token_body {
            request = request.add_extra_param(pair.name.as_str(), pair.value.as_str());
        }
        let answer = request.request_async(self).await;
        self.granted(answer, &[])
    }

    fn protocol(&self) -> Result<TokenClient, Failure> {
        let OauthClient {
            id,
            secret,
            is_in_body,
            token_url,
            ..
        } = &self.client;
        let url = TokenUrl::new(token_url.to_string()).map_err(|_| not_a_url())?;
        let client = Client::new(ClientId::new(id.clone()))
            .set_token_uri(url)
            .set_auth_type(if *is_in_body {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            });
        Ok(match secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
            None => client,
        })
    }

    /// Sends a request of the protocol, and refuses answers that are none of the protocol.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
        let url = &self.client.token_url;
        let permit = self.policy.decide_token_endpoint(&self.client);
        let permit = permit.map_err(|denial| Unanswered(denied(&denial)))?;
        let (parts, body) = request.into_parts();
        let raw = RawRequest {
            method: Method::POST,
            scheme: url.scheme().as_str(),
            authority: url.authority(),
            path_and_query: url.path().to_owned(),
            headers: parts.headers,
            body: Content::Whole(Bytes::from(body)),
            keep: Keep::No,
        };
        let answer = self
            .pipeline()
            .ask_endpoint(permit, url.same_origin(&self.client.base_url), raw)
            .await
            .map_err(Unanswered)?;
        self.response(&answer).map_err(Unanswered)
    }

    /// A pipeline for one request, which records and adds nothing.
    fn pipeline(&self) -> Pipeline {
        let mut limits = (*self.limits).clone();
        limits.response_bytes = limits.response_bytes.min(ANSWER_BYTES);
        Pipeline {
            scope: Of::Authentication,
            policy: Arc::clone(&self.policy),
            base: None,
            origins: Arc::new(DeclaredOrigins::default()),
            access: None,
            owner: self.owner,
            tls: Arc::clone(&self.tls),
            signer: None,
            cut: OnceLock::new(),
            transport: Transport::Live {
                clients: Arc::clone(&self.clients),
                recorder: None,
            },
            hook: None,
            // A refresh token may be good for one use, so that no old connection may lose its answer.
            write: true,
            reads_only: false,
            bound: None,
            item: None,
            slots: Arc::new(Semaphore::new(1)),
            overlap: Overlap::unlimited(),
            buffered: Buffered::new(limits.buffered_bytes),
            limits: Arc::new(limits),
            label: Arc::clone(&self.label),
            rate: Pace::of_session(self.budget.as_ref()),
            observed: Mutex::new(Observed::default()),
            origin_client: Mutex::default(),
        }
    }

    /// The answer as the protocol has it.
    fn response(&self, answer: &BufferedResponse) -> Result<HttpResponse, Failure> {
        let status = answer.status;
        let origin = self.client.token_url.origin();
        let said = |message: String| Answer {
            status: status.as_u16(),
            message,
            ..Answer::default()
        };
        let answered = format!("the token endpoint `{origin}` answered {}", status.as_u16());
        if status.is_redirection() {
            return Err(Failure::Rejected(said(format!(
                "{answered}, a redirect, which is not followed"
            ))));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Failure::Throttled {
                answer: said(format!("{answered}: it asks to wait")),
                retry_after_ms: answer.retry_after_ms(),
            });
        }
        if status.is_server_error() {
            return Err(Failure::Unavailable {
                certainty: Certainty::NotDone,
                message: answered,
                answer: Some(said(String::new())),
                retry_after_ms: answer.retry_after_ms(),
            });
        }
        let mut response = HttpResponse::new(answer.body.to_vec());
        // Some providers answer 200 with an error, and some 201 with tokens.
        *response.status_mut() = match status {
            status if status.is_success() && answer::is_error(&answer.body) => StatusCode::BAD_REQUEST,
            status if status.is_success() => StatusCode::OK,
            status => status,
        };
        Ok(response)
    }

    fn granted(
        &self,
        answer: Result<TokenAnswer, RequestTokenError<Unanswered, basic::BasicErrorResponse>>,
        sent: &[Secret],
    ) -> Result<Granted, NotGranted> {
        let origin = self.client.token_url.origin();
        let unintelligible = |why: &str| {
            NotGranted::Failed(Failure::Unintelligible(Answer {
                message: format!("the token endpoint `{origin}`: {why}"),
                ..Answer::default()
            }))
        };
        match answer {
            Ok(answer) => answer.granted(Timestamp::now()).map_err(unintelligible),
            Err(RequestTokenError::Request(Unanswered(failure))) => Err(NotGranted::Failed(failure)),
            Err(RequestTokenError::ServerResponse(refusal)) => {
                let error = refusal.error().as_ref().to_owned();
                let told = told(&error, refusal.error_description().map(String::as_str));
                let told = Redactor::new(sent.iter().chain(&self.client.secret))
                    .text(&told)
                    .into_owned();
                if error == "invalid_grant" {
                    return Err(NotGranted::Grant(told));
                }
                Err(NotGranted::Failed(Failure::Unauthenticated(Answer {
                    message: format!("the token endpoint `{origin}` refused the client: {told}"),
                    ..Answer::default()
                })))
            }
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => Err(unintelligible(
                "expected an answer of OAuth 2.0 in JSON, found something else",
            )),
        }
    }
}

/// The future is boxed: with one of a closure, the compiler cannot tell that it may change threads.
impl<'c> AsyncHttpClient<'c> for TokenEndpoint {
    type Error = Unanswered;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Unanswered>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Why there is no answer of the protocol.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unanswered(Failure);

impl From<Failure> for NotGranted {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub(crate) fn denied(denial: &EndpointDenial) -> Failure {
    Failure::Denied {
        message: denial.to_string(),
        hint: denial.hint(),
    }
}

/// No canonical URL is none of the protocol's library.
fn not_a_url() -> Failure {
    Failure::InvalidInput("the description's OAuth2 URL cannot be used".to_owned())
}
