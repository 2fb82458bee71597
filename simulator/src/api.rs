//! Handles one request from its head and body to its delivery: routes, tokens, story, faults. Opens no sockets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_io::Timer;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::auth::Auth;
use crate::clock::{Clock, RequestIds};
use crate::config::{Config, Refusal};
use crate::effect::{self, Delivery};
use crate::envelope::{Answer, Reply};
use crate::faults::{Action, Faults};
use crate::log::Log;
use crate::routes::{self, Endpoint, NoRoute};
use crate::story::{Call, Setting, Story};

/// The state that all connections of one simulator share.
pub(crate) struct Api {
    pub(crate) config: Config,
    pub(crate) auth: Auth,
    pub(crate) story: Story,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    pub(crate) counters: Counters,
    clock: Clock,
    ids: RequestIds,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) open: AtomicU64,
    requests: [AtomicU64; Endpoint::ALL.len()],
    unrouted: AtomicU64,
    unauthorised: AtomicU64,
}

/// Counters since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Connections accepted, including those to the control endpoints.
    pub connections: u64,
    /// Connections open now.
    pub open_connections: u64,
    /// API requests received, whatever their outcome.
    pub requests: u64,
    /// API requests by endpoint; endpoints without requests are left out.
    pub by_endpoint: BTreeMap<Endpoint, u64>,
    /// Requests for tokens, by credential or by refresh token.
    pub token_requests: u64,
    /// Requests refused because they had no valid token.
    pub unauthorised: u64,
    /// API requests to unknown endpoints.
    pub unrouted: u64,
    /// Faults that fired.
    pub faults: u64,
}

impl Api {
    pub(crate) fn new(config: Config) -> Self {
        let clock = Clock::new(config.epoch);
        Self {
            auth: Auth::new(&config, clock),
            story: Story::default(),
            faults: Faults::new(config.seed),
            log: Log::new(config.log_requests),
            counters: Counters::default(),
            clock,
            ids: RequestIds::new(config.seed),
            config,
        }
    }

    /// Responds to an API request, or applies a fault.
    pub(crate) async fn answer(&self, parts: &Parts, body: &[u8]) -> Delivery {
        let authorization = authorization(&parts.headers);
        if self.log.is_on() {
            self.log.add(
                parts,
                body,
                authorization.and_then(|token| self.auth.ordinal(token)),
            );
        }
        let request_id = self.ids.next();
        let path = routes::strip_prefix(parts.uri.path());
        let route = routes::resolve(&parts.method, path);
        match route {
            Ok((endpoint, _)) => self.counters.requests.get(endpoint as usize),
            Err(_) => Some(&self.counters.unrouted),
        }
        .map(|counter| counter.fetch_add(1, Ordering::Relaxed));

        let decision = self.faults.decide(&parts.method, path);
        let before = self.config.latency + decision.before;
        if !before.is_zero() {
            // Tokio's timers have millisecond resolution: they would lengthen the latency and bunch the responses.
            Timer::after(before).await;
        }
        let mut reply = if decision.act {
            let same_page = matches!(decision.action, Some(Action::SamePage));
            self.act(route, parts, body, authorization, same_page)
        } else {
            Reply::empty()
        };
        if !decision.after.is_zero() {
            Timer::after(decision.after).await;
        }
        let Some(action) = decision.action else {
            return Delivery::Whole(reply.write(self.config.envelope, &request_id));
        };
        let spelling = match action {
            Action::EnvelopeSpelling { spelling } => spelling,
            _ => self.config.envelope,
        };
        let write = |reply: Reply| reply.write(spelling, &request_id);
        if action == Action::EchoAuthorization {
            reply.message = format!("sent with {}", authorization.unwrap_or("nothing")).into();
            return Delivery::Whole(echoing(write(reply), &parts.headers));
        }
        effect::apply(action, write(reply), write)
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let by_endpoint: BTreeMap<_, _> = Endpoint::ALL
            .iter()
            .copied()
            .zip(self.counters.requests.iter().map(read))
            .filter(|(_, count)| *count > 0)
            .collect();
        let of = |endpoint| by_endpoint.get(&endpoint).copied().unwrap_or_default();
        let unrouted = read(&self.counters.unrouted);
        Stats {
            connections: read(&self.counters.connections),
            open_connections: read(&self.counters.open),
            requests: by_endpoint.values().sum::<u64>() + unrouted,
            token_requests: of(Endpoint::Token) + of(Endpoint::RefreshToken),
            unauthorised: read(&self.counters.unauthorised),
            unrouted,
            faults: self.faults.state().iter().map(|state| state.fired).sum(),
            by_endpoint,
        }
    }

    /// Executes the request.
    fn act(
        &self,
        route: Result<(Endpoint, &str), NoRoute>,
        parts: &Parts,
        body: &[u8],
        authorization: Option<&str>,
        same_page: bool,
    ) -> Reply {
        let route = match route {
            Ok(route) => route,
            Err(NoRoute::Path) => {
                return Reply::status(StatusCode::NOT_FOUND, "there is nothing at this path");
            }
            Err(NoRoute::Method) => {
                return Reply::status(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method");
            }
        };
        let is_exchange = matches!(route.0, Endpoint::Token | Endpoint::RefreshToken);
        if !is_exchange && self.auth.admit(authorization).is_none() {
            self.counters.unauthorised.fetch_add(1, Ordering::Relaxed);
            let refused = Reply::status(
                StatusCode::UNAUTHORIZED,
                "the access token is missing, expired or unknown",
            );
            return match self.config.refusal {
                Refusal::Status => refused,
                Refusal::Envelope => Reply {
                    status: StatusCode::OK,
                    ..refused
                },
            };
        }
        let content_type = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let setting = Setting {
            now_ms: self.clock.now_ms(),
            page_cap: self.config.page_cap,
            same_page,
        };
        Call::read(route, parts.uri.query(), content_type, body, setting)
            .and_then(|call| match call.endpoint {
                Endpoint::Token => self.auth.exchange(&call),
                Endpoint::RefreshToken => self.auth.refresh(&call, authorization),
                _ => self.story.answer(&call),
            })
            .into()
    }
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}

fn echoing(answer: Answer, headers: &HeaderMap) -> Answer {
    match headers.get(AUTHORIZATION) {
        Some(value) => answer.with(
            http::HeaderName::from_static("x-echo-authorization"),
            value.clone(),
        ),
        None => answer,
    }
}
