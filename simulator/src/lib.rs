//! A stand-in for the SocialHub API, for tests, recordings and the demo.
//!
//! It is **inferred from public clients** of the API: the vendor's own n8n node, a command line by another author, and
//! the public documentation pages of single actions. Nobody who wrote it has seen the live API. Paths, names and the
//! envelope are what those clients send and read. What is not public is **invented** here and says so: every error code but
//! 200, 401, 404 and 405 ([`codes`]), the contents of `data`, the members, the limits. A recording made against it is
//! evidence of what a client sends, and no evidence of what SocialHub answers.
//!
//! ```
//! use simulator::{Action, Config, Rule, Simulator};
//!
//! let simulator = Simulator::start(Config { log_requests: true, ..Config::default() })?;
//! simulator.add_fault(Rule::new(Action::Latency { ms: 20 }).path("/v1/points/"))?;
//! assert!(simulator.base_url().starts_with("http://127.0.0.1:"));
//! assert_eq!(simulator.balance("M17").as_deref(), Some("1000"));
//! simulator.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The binary `simulator` prints its base URL as the first line on standard output and serves until it is interrupted. It
//! listens on 127.0.0.1 only, and serves everything at `/v1/…` and again at `/openapi-prod/v1/…`.
//!
//! # The story
//!
//! - The credential is `demo` with `demo-secret-0123456789`. Requests carry the bare access token; a refresh carries the
//!   refresh token as `Authorization`, as the vendor's node does, and each refresh token serves once.
//! - Members `M0` to `M999999` exist, each with consumer `C<n>`, points account `P<n>` with 1000 points, phone
//!   `+86 13000000000 + n`, e-mail `c<n>@example.com`, employee ID `E<n>`. Who is created gets the numbers from 1000000 on.
//! - Codes `F<n>` have lists of exactly n rows: `F250` is a consumer with 250 members or transactions, a card with 250
//!   accounts, an account with 250 records, for trying pages. They are in no other operation.
//! - An `operationId` is counted once, whatever card it comes for; so is a `transactionCode` and an `eventId`. A repetition
//!   is answered with success and `repeated`. An adjustment that was refused, since a balance never becomes negative, may
//!   come again. Type 6 adds the value, 7 to 9 take its magnitude away. An account with a points group other than
//!   `DEFAULT` is `P<n>.<group>` and begins with its first adjustment, at 0.
//! - A store, an admission, a created consumer is added by each request, so that repetitions can be counted.
//! - Codes of programmes, stores, organisations and groups are not looked up. A buyer whose phone or e-mail is not known
//!   becomes a consumer; an unknown member, consumer or account elsewhere is an error.
//! - Bodies and queries are checked as a strict server would: missing, blank, mistyped, misnamed and unknown fields are
//!   refused by name, at HTTP 200.
//!
//! # Control endpoints
//!
//! | request | does |
//! | --- | --- |
//! | `GET /_simulator/requests` | the log, a list of [`LoggedRequest`]; empty unless it is on (`--log-requests`), and capped |
//! | `DELETE /_simulator/requests` | empties it |
//! | `GET /_simulator/ledger` | the [`Ledger`]: operations, transactions, events, stores, … with counts |
//! | `GET /_simulator/balance/{cardNo}` | `{"balance":1000}` |
//! | `GET /_simulator/faults` | the rules and how often each fired, a list of [`RuleState`] |
//! | `POST /_simulator/faults` | adds a [`Rule`] or a list of them |
//! | `DELETE /_simulator/faults` | removes all |
//! | `POST /_simulator/tokens/expire` | ends all tokens; with `?keep=refresh` refresh tokens stay good |
//! | `GET /_simulator/stats` | [`Stats`]: connections, requests by endpoint, requests for tokens |
//!
//! # Faults
//!
//! A [`Rule`] says which requests ([`When`]) and what ([`Action`]). What is not HTTP any more, such as resets, drips and
//! wrong lengths, is written on the bare socket. All waits are bounded and end with the simulator.
//!
//! # Recordings
//!
//! With [`Config::epoch`] the clock stands still, and with [`Config::seed`] tokens and request IDs are chosen: the same
//! requests in the same order then have the same answers, to the byte.

mod api;
mod auth;
mod check;
mod clock;
mod config;
mod control;
mod effect;
mod envelope;
mod faults;
mod log;
mod routes;
mod server;
mod story;
mod wire;

pub use api::Stats;
pub use config::{
    Config, Credential, DEMO_APP_ID, DEMO_APP_SECRET, Expiry, ExpiryName, Refusal, Spelling, TokenName,
};
pub use envelope::codes;
pub use faults::{Action, LONGEST_WAIT, Rule, RuleError, RuleState, When};
pub use log::{LOG_CAPACITY, LoggedRequest};
pub use routes::Endpoint;
pub use server::{Simulator, StartError};
pub use story::{Count, Ledger};
