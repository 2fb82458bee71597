//! A stand-in for the SocialHub API, for tests, recordings and the demo.
//!
//! It is **inferred from public clients** of the API: the vendor's own n8n node, another author's command line, and the
//! public documentation pages of single actions. Its authors have never seen the live API. Paths, names and the
//! envelope are those that the clients send and read. The rest is **invented** and says so: every error code but 200,
//! 401, 404 and 405 ([`codes`]), the contents of `data`, the members, the limits. A recording made against the
//! simulator is evidence of what a client sends, not of how SocialHub responds.
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
//! The binary `simulator` prints its base URL as the first line on standard output and serves until it is interrupted.
//! It listens on 127.0.0.1 only, and serves every endpoint at `/v1/…` and also at `/openapi-prod/v1/…`.
//!
//! # The story
//!
//! - The credential is `demo` with `demo-secret-0123456789`. Requests carry the bare access token. A refresh carries
//!   the refresh token as `Authorization`, as the vendor's node does, and each refresh token works once.
//! - Members `M0` to `M999999` exist, each with consumer `C<n>`, points account `P<n>` with 1000 points, phone
//!   `+86 13000000000 + n`, e-mail `c<n>@example.com`, employee ID `E<n>`. New members and consumers get the numbers
//!   from 1000000 on.
//! - Codes `F<n>` have lists of exactly n rows, for testing pagination: `F250` is a consumer with 250 members or
//!   transactions, a card with 250 accounts, an account with 250 records. No other operation knows them.
//! - Each `operationId` counts once, whatever card it comes for; so do each `transactionCode` and each `eventId`. The
//!   response to a repetition is a success with `repeated`. A balance never becomes negative: an adjustment that would
//!   make it so is refused and may be sent again. Type 6 adds the value; types 7 to 9 subtract its magnitude. An
//!   account with a points group other than `DEFAULT` is `P<n>.<group>`, and starts at 0 with its first adjustment.
//! - Each request adds a store, an admission or a created consumer, so that repetitions can be counted.
//! - Codes of programmes, stores, organisations and groups are not looked up. A buyer with an unknown phone or e-mail
//!   becomes a consumer; an unknown member, consumer or third-party account is an error.
//! - Bodies and queries are checked as a strict server would: missing, blank, mistyped, misnamed and unknown fields are
//!   refused by name, at HTTP 200.
//!
//! # Control endpoints
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /_simulator/requests` | returns the log, a list of [`LoggedRequest`]; empty unless it is on (`--log-requests`), and capped |
//! | `DELETE /_simulator/requests` | empties the log |
//! | `GET /_simulator/ledger` | returns the [`Ledger`]: operations, transactions, events, stores, … with counts |
//! | `GET /_simulator/balance/{cardNo}` | returns `{"balance":1000}` |
//! | `GET /_simulator/faults` | returns the rules and how often each fired, a list of [`RuleState`] |
//! | `POST /_simulator/faults` | adds a [`Rule`] or a list of them |
//! | `DELETE /_simulator/faults` | removes all rules |
//! | `POST /_simulator/tokens/expire` | expires all tokens; with `?keep=refresh` refresh tokens stay valid |
//! | `GET /_simulator/stats` | returns [`Stats`]: connections, requests by endpoint, requests for tokens |
//!
//! # Faults
//!
//! A [`Rule`] says which requests fail ([`When`]) and how ([`Action`]). Faults that HTTP cannot express, such as
//! resets, drips and wrong lengths, are written to the bare socket. All waits are bounded and stop with the simulator.
//!
//! # Recordings
//!
//! [`Config::epoch`] freezes the clock, and [`Config::seed`] determines tokens and request IDs: the same requests in
//! the same order then get the same responses, to the byte.

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
