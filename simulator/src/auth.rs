//! Tokens: issued, refreshed, expired, revoked. The API takes the bare token and refuses `Bearer …`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nodule_core::json::{Json, Object};

use crate::check::{Field, Kind, must};
use crate::clock::{Clock, scramble};
use crate::config::{Config, Credential, Expiry, ExpiryName, TokenName};
use crate::envelope::{Outcome, Refused, codes, data};
use crate::story::Call;

/// More issued tokens than this trigger a removal of expired ones, so that they cannot accumulate.
const PRUNE_AT: usize = 4096;

pub(crate) struct Auth {
    credentials: Vec<Credential>,
    lifetime: Duration,
    refresh_lifetime: Duration,
    expiry: Expiry,
    token_name: TokenName,
    clock: Clock,
    seed: u64,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    access: HashMap<String, Grant>,
    refresh: HashMap<String, Instant>,
    issued: u64,
}

struct Grant {
    /// The number of tokens issued before this one; the log identifies tokens by it.
    ordinal: u64,
    until: Instant,
}

impl Auth {
    pub(crate) fn new(config: &Config, clock: Clock) -> Self {
        Self {
            credentials: config.credentials.clone(),
            lifetime: config.token_lifetime,
            refresh_lifetime: config.refresh_lifetime,
            expiry: config.expiry,
            token_name: config.token_name,
            clock,
            seed: config.seed,
            sessions: Mutex::default(),
        }
    }

    /// `POST /v1/auth/token`.
    pub(crate) fn exchange(&self, call: &Call<'_>) -> Outcome {
        const FIELDS: &[Field] = &[must("appId", Kind::Text), must("appSecret", Kind::Text)];
        let body = call.object(FIELDS)?;
        let known = self.credentials.iter().any(|credential| {
            body.get("appId").and_then(Json::as_str) == Some(&credential.app_id)
                && body.get("appSecret").and_then(Json::as_str) == Some(&credential.app_secret)
        });
        if !known {
            return Err(Refused::new(
                codes::BAD_CREDENTIAL,
                "the app ID or its secret is not accepted",
            ));
        }
        self.issue(&mut self.lock())
    }

    /// `POST /v1/auth/refreshToken`. A refresh token works once; the old access token stays valid until it expires.
    pub(crate) fn refresh(&self, call: &Call<'_>, authorization: Option<&str>) -> Outcome {
        let body = call.object(&[must("refreshToken", Kind::Text)])?;
        let token = body
            .get("refreshToken")
            .and_then(Json::as_str)
            .unwrap_or_default();
        if authorization != Some(token) {
            let message = "the Authorization header is not the refresh token of the body";
            return Err(Refused::new(codes::BAD_REFRESH_TOKEN, message));
        }
        let mut sessions = self.lock();
        match sessions.refresh.remove(token) {
            Some(until) if Instant::now() < until => self.issue(&mut sessions),
            _ => Err(Refused::new(
                codes::BAD_REFRESH_TOKEN,
                "the refresh token is spent, expired or unknown",
            )),
        }
    }

    /// The ordinal of a token, if the token is valid now.
    pub(crate) fn admit(&self, authorization: Option<&str>) -> Option<u64> {
        let sessions = self.lock();
        let grant = sessions.access.get(authorization?)?;
        (Instant::now() < grant.until).then_some(grant.ordinal)
    }

    /// The ordinal of a token that is still stored, valid or not.
    pub(crate) fn ordinal(&self, authorization: &str) -> Option<u64> {
        self.lock().access.get(authorization).map(|grant| grant.ordinal)
    }

    /// Revokes every access token, and the refresh tokens unless they are to be kept.
    pub(crate) fn revoke(&self, keep_refresh: bool) {
        let now = Instant::now();
        let mut sessions = self.lock();
        for grant in sessions.access.values_mut() {
            grant.until = now;
        }
        if !keep_refresh {
            sessions.refresh.clear();
        }
    }

    fn issue(&self, sessions: &mut Sessions) -> Outcome {
        let now = Instant::now();
        if sessions.access.len() >= PRUNE_AT {
            sessions.access.retain(|_, grant| now < grant.until);
        }
        if sessions.refresh.len() >= PRUNE_AT {
            sessions.refresh.retain(|_, until| now < *until);
        }
        sessions.issued += 1;
        let ordinal = sessions.issued;
        let access = format!("sim-access-{}", self.token_digits(ordinal * 2));
        let refresh = format!("sim-refresh-{}", self.token_digits(ordinal * 2 + 1));

        let mut answer = Object::new();
        let name = match self.token_name {
            TokenName::AccessToken => "accessToken",
            TokenName::Token => "token",
        };
        answer.insert(name, access.as_str());
        answer.insert("refreshToken", refresh.as_str());
        if let Some((name, number)) = self.end() {
            let value = if self.expiry.as_text {
                Json::from(number.to_string())
            } else {
                Json::from(number)
            };
            answer.insert(name.to_owned(), value);
        }
        sessions.access.insert(
            access,
            Grant {
                ordinal,
                until: now + self.lifetime,
            },
        );
        sessions.refresh.insert(refresh, now + self.refresh_lifetime);
        data(&answer)
    }

    fn token_digits(&self, n: u64) -> String {
        format!("{:016x}{:016x}", scramble(self.seed, n), scramble(!self.seed, n))
    }

    /// The name and value of the field that states when a token issued now expires.
    fn end(&self) -> Option<(&'static str, i64)> {
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let end_ms = self.clock.now_ms().saturating_add(lifetime.saturating_mul(1000));
        let instant = if self.expiry.millis { end_ms } else { end_ms / 1000 };
        Some(match self.expiry.name {
            ExpiryName::ExpiresTime => ("expiresTime", end_ms / 1000),
            ExpiryName::ExpiresIn => ("expiresIn", lifetime),
            ExpiryName::ExpireIn => ("expireIn", lifetime),
            ExpiryName::Expires => ("expires", lifetime),
            ExpiryName::ExpireSeconds => ("expireSeconds", lifetime),
            ExpiryName::ExpireTime => ("expireTime", instant),
            ExpiryName::ExpiresAt => ("expiresAt", instant),
            ExpiryName::ExpirationTime => ("expirationTime", instant),
            ExpiryName::None => return None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
