//! The settings of a simulator. Every spelling that the public clients accept can be chosen, so that each can be
//! tested.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The app ID that a simulator accepts by default.
pub const DEMO_APP_ID: &str = "demo";

/// The secret that belongs to [`DEMO_APP_ID`]. It grants access to simulators only.
pub const DEMO_APP_SECRET: &str = "demo-secret-0123456789";

/// The settings of one simulator; [`Config::default`] is what the binary uses without flags.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port on 127.0.0.1; 0 chooses a free one.
    pub port: u16,
    /// Threads that serve. One is enough for tests, and makes responses depend only on the order of requests.
    pub workers: usize,
    /// The credentials that `/v1/auth/token` accepts.
    pub credentials: Vec<Credential>,
    /// How long an access token is valid.
    pub token_lifetime: Duration,
    /// How long a refresh token is valid.
    pub refresh_lifetime: Duration,
    /// How the token response states when the access token expires.
    pub expiry: Expiry,
    /// The name of the access token in the token response.
    pub token_name: TokenName,
    /// The spelling of the envelope.
    pub envelope: Spelling,
    /// How a request without a valid token is refused.
    pub refusal: Refusal,
    /// A delay before every API request is executed.
    pub latency: Duration,
    /// The most rows of a page, whatever `pageSize` says; at most 100.
    pub page_cap: usize,
    /// Whether to store requests for `GET /_simulator/requests`.
    pub log_requests: bool,
    /// A fixed clock, in Unix seconds, for every generated time; absent for the system's clock. The monotonic clock
    /// measures a token's real lifetime in both cases.
    pub epoch: Option<i64>,
    /// The seed of tokens, request IDs and random faults.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            workers: 1,
            credentials: vec![Credential::new(DEMO_APP_ID, DEMO_APP_SECRET)],
            token_lifetime: Duration::from_hours(2),
            refresh_lifetime: Duration::from_hours(7 * 24),
            expiry: Expiry::default(),
            token_name: TokenName::AccessToken,
            envelope: Spelling::Code,
            refusal: Refusal::Status,
            latency: Duration::ZERO,
            page_cap: 100,
            log_requests: false,
            epoch: None,
            seed: 0,
        }
    }
}

/// An app ID and its secret. `Debug` shows only the ID.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub(crate) app_id: String,
    pub(crate) app_secret: String,
}

impl Credential {
    /// A credential for the simulator to accept.
    pub fn new(app_id: impl Into<String>, app_secret: impl Into<String>) -> Self {
        Self {
            app_id: app_id.into(),
            app_secret: app_secret.into(),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

/// How the expiry of an access token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The field's name, which also determines whether it is a lifetime or a time.
    pub name: ExpiryName,
    /// Whether to write the number as JSON text.
    pub as_text: bool,
    /// Whether to write a time in milliseconds. Lifetimes, and `expiresTime`, stay in seconds.
    pub millis: bool,
}

impl Default for Expiry {
    fn default() -> Self {
        Self {
            name: ExpiryName::ExpiresTime,
            as_text: false,
            millis: false,
        }
    }
}

/// The names under which the public clients look for a token's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "camelCase")]
pub enum ExpiryName {
    /// An absolute Unix time in seconds; the name that a public client reads.
    ExpiresTime,
    /// A lifetime in seconds.
    ExpiresIn,
    /// A lifetime in seconds.
    ExpireIn,
    /// A lifetime in seconds.
    Expires,
    /// A lifetime in seconds.
    ExpireSeconds,
    /// An instant.
    ExpireTime,
    /// An instant.
    ExpiresAt,
    /// An instant.
    ExpirationTime,
    /// Nothing is said about the end.
    None,
}

/// The name of the access token in the token response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "camelCase")]
pub enum TokenName {
    /// `accessToken`.
    AccessToken,
    /// `token`, which one public client accepts as well.
    Token,
}

/// The spelling of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
#[value(rename_all = "camelCase")]
pub enum Spelling {
    /// `{"code":"200","msg":…,"data":…,"requestId":…}`: the code is text.
    Code,
    /// `{"resultCode":200,"resultMessage":…,"data":…}`: the code is a number, the request ID is the header `x-request-id`.
    ResultCode,
    /// `{"status":200,"message":…,"data":…,"traceId":…}`: the code is a number.
    Status,
}

/// How a request without a valid token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Refusal {
    /// HTTP 401 with an envelope whose code is 401.
    Status,
    /// HTTP 200 with an envelope whose code is 401.
    Envelope,
}
