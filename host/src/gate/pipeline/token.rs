//! The request to a token endpoint: the host's own, of which no instance sees anything.
//!
//! It passes through the same steps as a node's request, with these differences. Which endpoint is asked was decided by
//! [`Policy::decide_token_endpoint`](nodule_core::policy::Policy::decide_token_endpoint), from the description and the
//! credential alone. It is not recorded, and neither a session nor an embedder's header is added. Its connections are
//! those of authentication, which no executing instance shares.

use std::time::Instant;

use nodule_core::address::Permit;
use nodule_core::failure::{Certainty, Failure};

use super::{BufferedResponse, Pipeline, RawRequest, Transport, TransportError, error_name, exchange};
use crate::events;

impl Pipeline {
    /// Sends a request to an endpoint that was decided about. `shows_client`: whether a client certificate may be shown.
    pub(crate) async fn ask_endpoint(
        &self,
        permit: Permit,
        shows_client: bool,
        raw: RawRequest,
    ) -> Result<BufferedResponse, Failure> {
        let Transport::Live { clients, .. } = &self.transport else {
            return Err(unreachable("nothing is sent"));
        };
        let checked = self.check(raw).await;
        let mut request =
            checked.map_err(|_| self.refusal().unwrap_or_else(|| unreachable("it is too large")))?;
        let _place = match &self.rate {
            Some(rate) => rate.turn().await,
            None => None,
        };
        let clock = Instant::now();
        let url = request.url.uri().clone();
        let manner = self.tls.manner(&request.url, shows_client);
        let origin_client = self.origin_client(clients, permit, manner, &url);
        let method = request.method.clone();
        let outcome = exchange::send(self, &origin_client, &mut request, url, None).await;
        let (status, received, name) = match &outcome {
            Ok(answer) => (answer.status.as_u16(), answer.body.len(), "answered"),
            Err(stopped) => (0, 0, stopped.name()),
        };
        let seen = events::Request {
            method: &method,
            origin: Some(request.url.origin()),
            path: "…",
            status,
            outcome: name,
            since: clock,
            // The size would say how long the secrets are.
            sent: 0,
            received,
        };
        events::request(&self.label, &seen);
        outcome.map_err(|stopped| match stopped {
            exchange::Stopped::Denied(denial) => {
                events::denied(&self.label, Some(&method), seen.origin.as_deref(), "address");
                Failure::Denied {
                    message: format!("the token endpoint `{}`: {denial}", request.url.origin()),
                    hint: denial.hint(&request.url),
                }
            }
            exchange::Stopped::Limit(key, TransportError { detail, .. }) => {
                events::limit(&self.label, key);
                Failure::Limit(format!("the token endpoint: {detail}"))
            }
            exchange::Stopped::Broken(TransportError { detail, .. }) => unreachable(&detail),
            exchange::Stopped::Undecoded(_) => unreachable("its answer cannot be decompressed"),
        })
    }
}

impl exchange::Stopped {
    /// A stable name, for events.
    fn name(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::Limit(_, TransportError { error, .. }) | Self::Broken(TransportError { error, .. }) => {
                error_name::of(error)
            }
            Self::Undecoded(_) => "http-response-content-coding",
        }
    }
}

fn unreachable(why: &str) -> Failure {
    Failure::Unavailable {
        // The item's own request has not been sent yet.
        certainty: Certainty::NotDone,
        message: format!("the token endpoint could not be asked: {why}"),
        answer: None,
        retry_after_ms: None,
    }
}
