//! The credential and how it becomes a session.
//!
//! A session is renewed with its refresh token; when that fails, for whatever reason, it starts over with the app's ID
//! and secret. No failure that leaves here repeats what the service said to a secret without looking for the secret in
//! it, and none repeats an answer that was not understood, since it may hold a token.

use std::borrow::Cow;

use nodule_sdk::json::{self, Kind, Members, Object};
use nodule_sdk::prelude::*;
use nodule_sdk::{Access, Answer, Client, Failure, Field, Method, Request, Secrets, Session, login, number};

pub const CREDENTIAL: Credential = Credential {
    name: "socialHubApi",
    title: "SocialHub API",
    fields: &[
        text("baseUrl", "Base URL")
            .required()
            .or_text("https://s1.socialhub.ai/openapi-prod")
            .about("Where the API is; the credential is sent there and nowhere else"),
        text("appId", "App ID").required(),
        secret("appSecret", "App Secret").required(),
    ],
    scheme: session(login!(log_in)),
    ..Credential::NEW
};

const TOKEN: &str = "/v1/auth/token";
const REFRESH: &str = "/v1/auth/refreshToken";

/// What a token is assumed to live for when the answer does not say.
const DEFAULT_LIFETIME_S: i64 = 50 * 60;
/// A session is renewed this much before its end, or a quarter of its life where that is less.
const MAX_MARGIN_S: i64 = 60;
/// What claims to live for three years and more is no lifetime but an instant.
const MAX_LIFETIME_S: i64 = 100_000_000;
/// Instants above this are milliseconds: as seconds it is the year 33658.
const MAX_INSTANT_S: i64 = 1_000_000_000_000;

/// Turn a credential into a session; with one that is to be renewed, by its refresh token where it works.
async fn log_in(client: &Client<'_>, secrets: Secrets<'_>) -> Result<Session, Failure> {
    let renewal = secrets.renew.as_ref().and_then(|session| session.renewal.clone());
    if let Some(refresh) = renewal.filter(|refresh| !refresh.trim().is_empty())
        && let Ok(session) = refreshed(client, refresh).await
    {
        return Ok(session);
    }
    let (id, secret) = (secrets.text("appId"), secrets.text("appSecret"));
    let body = body(&[("appId", id), ("appSecret", secret)]);
    exchange(client, TOKEN, body, None)
        .await
        // A service may well take off the blanks around it, and repeat the rest.
        .map_err(|failure| without(failure, secret.trim()))
}

/// The public clients disagree on what authorises a refresh; the vendor's own sends the refresh token itself.
async fn refreshed(client: &Client<'_>, refresh: String) -> Result<Session, Failure> {
    let body = body(&[("refreshToken", &refresh)]);
    let session = exchange(client, REFRESH, body, Some(refresh.clone())).await?;
    // A service that gives no new refresh token goes on taking the old one.
    Ok(Session {
        renewal: session.renewal.or(Some(refresh)),
        ..session
    })
}

fn body(members: &[(&'static str, &str)]) -> String {
    let mut object = Members::new();
    for (name, value) in members {
        json::push_quoted(object.push(name), value);
    }
    object.finish()
}

async fn exchange(
    client: &Client<'_>,
    path: &str,
    body: String,
    authorization: Option<String>,
) -> Result<Session, Failure> {
    let mut request = Request::new(Method::Post, path).json(body);
    if let Some(token) = authorization {
        request = request.header("authorization", token);
    }
    let asked = || format!("POST {}{path}", client.base());
    let document = client
        .document(request)
        .await
        .map_err(|failure| of_the_credential(failure, &asked()))?;
    session_of(&document, client)
}

/// Who has to act when the token endpoint says no: the owner of the credential, whatever the service's code for it is. A
/// redirect is no such answer, nor is one of a service that has no such endpoint, or of what stands before it. One that was not
/// understood is not repeated.
fn of_the_credential(failure: Failure, asked: &str) -> Failure {
    match failure {
        Failure::Rejected(mut answer) if is_not_of_the_service(&answer) => {
            answer.message = format!("{asked} was not answered by the service: {}", answer.message);
            Failure::Rejected(answer)
        }
        Failure::Rejected(answer) => Failure::Unauthenticated(answer),
        Failure::Unintelligible(answer) => not_understood(answer.status),
        failure => failure,
    }
}

/// Whether it is rather the answer of another service, of a proxy or of a firewall.
fn is_not_of_the_service(answer: &Answer) -> bool {
    matches!(answer.status, 300..=399 | 407)
        // A code is the service's own.
        || matches!(answer.status, 404 | 405 | 410) && answer.code.is_none()
        // A page, in the place of a document.
        || answer.status == 403 && answer.message.as_bytes().windows(3).any(|bytes| bytes == b": <")
}

fn not_understood(status: u16) -> Failure {
    let message = "expected a JSON object with an access token, found something else".to_owned();
    Failure::Unintelligible(Answer {
        status,
        code: None,
        message,
        request_id: None,
    })
}

fn session_of(document: &str, client: &Client<'_>) -> Result<Session, Failure> {
    let data = json::object(document)
        .and_then(|envelope| envelope.get("data"))
        .and_then(json::object);
    let data = data.ok_or_else(|| not_understood(200))?;
    let token = ["accessToken", "token"]
        .iter()
        .find_map(|name| secret_text(&data, name));
    let token = token.ok_or_else(|| not_understood(200))?;
    let lifetime = lifetime_s(&data, client).unwrap_or(DEFAULT_LIFETIME_S);
    let expires_in = lifetime - (lifetime / 4).min(MAX_MARGIN_S);
    Ok(Session {
        // The bare token: the API takes no `Bearer`.
        access: Access {
            headers: vec![Field {
                name: "authorization".to_owned(),
                value: token,
            }],
            query: Vec::new(),
        },
        expires_in_s: Some(u32::try_from(expires_in).unwrap_or(u32::MAX)),
        renewal: secret_text(&data, "refreshToken"),
    })
}

/// A token that can stand in a header, of whose value blanks around it are no part.
fn secret_text(data: &Object, name: &str) -> Option<String> {
    let text = data.get(name).and_then(json::string)?;
    let trimmed = text.trim();
    let is_header = !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    is_header.then(|| trimmed.to_owned())
}

/// What a number under a name means.
#[derive(Clone, Copy)]
enum Expiry {
    Lifetime,
    Instant,
}

/// In the order in which they count.
const EXPIRIES: &[(&str, Expiry)] = &[
    ("expiresTime", Expiry::Instant),
    ("expiresIn", Expiry::Lifetime),
    ("expireIn", Expiry::Lifetime),
    ("expires", Expiry::Lifetime),
    ("expireSeconds", Expiry::Lifetime),
    ("expireTime", Expiry::Instant),
    ("expiresAt", Expiry::Instant),
    ("expirationTime", Expiry::Instant),
];

/// The seconds that a token lives from now, by the first name that says so in earnest.
fn lifetime_s(data: &Object, client: &Client<'_>) -> Option<i64> {
    EXPIRIES.iter().find_map(|(name, expiry)| {
        let seconds = data.get(name).and_then(whole_seconds)?;
        match expiry {
            Expiry::Lifetime => (1..MAX_LIFETIME_S).contains(&seconds).then_some(seconds),
            Expiry::Instant => {
                let seconds = if seconds > MAX_INSTANT_S {
                    seconds / 1_000
                } else {
                    seconds
                };
                let now = i64::try_from(client.now_ms() / 1_000).ok()?;
                Some(seconds - now).filter(|lifetime| *lifetime > 0)
            }
        }
    })
}

/// A number or a numeric text; what is after a point is cut.
fn whole_seconds(raw: &str) -> Option<i64> {
    let text = match json::kind(raw) {
        Kind::Number => Cow::Borrowed(raw),
        Kind::Text => json::string(raw)?,
        _ => return None,
    };
    let text = text.trim();
    if !number::is_number(text) {
        return None;
    }
    number::whole(text)
        .or_else(|| text.split('.').next().map(Cow::Borrowed))?
        .parse()
        .ok()
}

/// The text with asterisks in the secret's place. By hand: the standard library's way brings 3 KB of component.
fn masked(text: &str, secret: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(secret).filter(|_| !secret.is_empty()) {
            masked.push_str("***");
            rest = after;
        } else {
            masked.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
    }
    masked
}

/// The failure without the secret, which a service may well repeat.
fn without(failure: Failure, secret: &str) -> Failure {
    let clean = |text: String| masked(&text, secret);
    let clean_answer = |answer: Answer| Answer {
        status: answer.status,
        code: answer.code.map(clean),
        message: clean(answer.message),
        request_id: answer.request_id.map(clean),
    };
    match failure {
        Failure::Unauthenticated(answer) => Failure::Unauthenticated(clean_answer(answer)),
        Failure::Rejected(answer) => Failure::Rejected(clean_answer(answer)),
        Failure::Throttled(mut throttle) => {
            throttle.answer = clean_answer(throttle.answer);
            Failure::Throttled(throttle)
        }
        Failure::Unavailable(mut outage) => {
            outage.message = clean(outage.message);
            outage.answer = outage.answer.map(clean_answer);
            Failure::Unavailable(outage)
        }
        failure => failure,
    }
}
