//! Tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use nodule_core::json;
use nodule_core::json::Json;
use simulator::{Config, Credential, Expiry, ExpiryName, Refusal, Spelling, TokenName};

use crate::client::{Answer, Session};

async fn refresh(session: &Session, authorization: &str, token: &str) -> Json {
    let body = Bytes::from(json!({ "refreshToken": token }).to_string());
    session
        .request(Method::POST, "/v1/auth/refreshToken", authorization, Some(body))
        .await
        .unwrap()
        .json()
}

async fn member(session: &Session, authorization: &str) -> Answer {
    session
        .request(Method::GET, "/v1/member/M1", authorization, None)
        .await
        .unwrap()
}

#[tokio::test]
async fn only_the_bare_token_is_taken() {
    let session = Session::start().await;
    assert_eq!(member(&session, &session.token).await.status, StatusCode::OK);
    for wrong in [
        String::new(),
        format!("Bearer {}", session.token),
        "sim-access-0".to_owned(),
    ] {
        let answer = member(&session, &wrong).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert_eq!(answer.json()["code"], "401");
    }
    assert_eq!(session.simulator.stats().unauthorised, 3);
    let logged = session.simulator.requests();
    let seen: Vec<_> = logged
        .iter()
        .map(|request| (request.authorization, request.token))
        .collect();
    assert_eq!(
        seen,
        [
            (false, None),
            (true, Some(1)),
            (false, None),
            (true, None),
            (true, None)
        ]
    );
    session.simulator.stop();
}

#[tokio::test]
async fn a_wrong_credential_is_an_envelope_error() {
    let credentials = vec![
        Credential::new("other", "another-secret-0123"),
        Credential::new("demo", "demo-secret-0123456789"),
    ];
    let session = Session::with(Config {
        credentials,
        ..Config::default()
    })
    .await;
    for (id, secret, code) in [
        ("demo", "wrong", "40101"),
        ("nobody", "demo-secret-0123456789", "40101"),
        ("demo", "another-secret-0123", "40101"),
        ("", "demo-secret-0123456789", "40001"),
        ("other", "another-secret-0123", "200"),
    ] {
        let answer = session
            .post("/v1/auth/token", json!({ "appId": id, "appSecret": secret }))
            .await;
        assert_eq!(answer["code"], code, "{id} {secret}: {answer}");
        assert_eq!(answer["data"].is_object(), code == "200");
    }
    session.simulator.stop();
}

#[tokio::test]
async fn a_token_expires() {
    let session = Session::with(Config {
        token_lifetime: Duration::ZERO,
        ..Config::default()
    })
    .await;
    assert_eq!(
        member(&session, &session.token).await.status,
        StatusCode::UNAUTHORIZED
    );
    session.simulator.stop();
}

#[tokio::test]
async fn tokens_are_revoked_on_demand() {
    let session = Session::start().await;
    let data = session.exchange().await;
    let refresh_token = data["refreshToken"].as_str().unwrap();
    session.simulator.expire_access_tokens();
    assert_eq!(
        member(&session, &session.token).await.status,
        StatusCode::UNAUTHORIZED
    );
    let renewed = refresh(&session, refresh_token, refresh_token).await;
    assert_eq!(renewed["code"], "200");

    let expire = session
        .request(Method::POST, "/_simulator/tokens/expire", "", None)
        .await
        .unwrap();
    assert_eq!(expire.status, StatusCode::NO_CONTENT);
    let access = renewed["data"]["accessToken"].as_str().unwrap();
    assert_eq!(member(&session, access).await.status, StatusCode::UNAUTHORIZED);
    let next = renewed["data"]["refreshToken"].as_str().unwrap();
    assert_eq!(refresh(&session, next, next).await["code"], "40102");
    session.simulator.stop();
}

#[tokio::test]
async fn a_refresh_token_is_its_own_authorization_and_serves_once() {
    let session = Session::start().await;
    let data = session.exchange().await;
    let token = data["refreshToken"].as_str().unwrap();
    assert_eq!(
        refresh(&session, data["accessToken"].as_str().unwrap(), token).await["code"],
        "40102"
    );
    assert_eq!(refresh(&session, "", token).await["code"], "40102");
    let renewed = refresh(&session, token, token).await;
    let access = renewed["data"]["accessToken"].as_str().unwrap();
    assert_eq!(member(&session, access).await.status, StatusCode::OK);
    assert_eq!(refresh(&session, token, token).await["code"], "40102");
    assert_eq!(session.simulator.stats().token_requests, 6);
    session.simulator.stop();
}

#[tokio::test]
async fn a_refusal_can_be_an_envelope_at_200() {
    let session = Session::with(Config {
        refusal: Refusal::Envelope,
        ..Config::default()
    })
    .await;
    let answer = member(&session, "wrong").await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (StatusCode::OK, &json!("401"))
    );
    session.simulator.stop();
}

#[tokio::test]
async fn the_end_of_a_token_has_every_spelling() {
    const EPOCH: i64 = 1_760_000_000;
    let end = EPOCH + 7200;
    for (name, as_text, millis, field, expected) in [
        (ExpiryName::ExpiresTime, false, false, "expiresTime", json!(end)),
        (
            ExpiryName::ExpiresTime,
            true,
            true,
            "expiresTime",
            json!(end.to_string()),
        ),
        (ExpiryName::ExpiresIn, false, true, "expiresIn", json!(7200)),
        (ExpiryName::ExpireIn, true, false, "expireIn", json!("7200")),
        (ExpiryName::Expires, false, false, "expires", json!(7200)),
        (
            ExpiryName::ExpireSeconds,
            false,
            false,
            "expireSeconds",
            json!(7200),
        ),
        (ExpiryName::ExpireTime, false, false, "expireTime", json!(end)),
        (ExpiryName::ExpiresAt, false, true, "expiresAt", json!(end * 1000)),
        (
            ExpiryName::ExpirationTime,
            true,
            true,
            "expirationTime",
            json!((end * 1000).to_string()),
        ),
        (ExpiryName::None, false, false, "", Json::Null),
    ] {
        let expiry = Expiry {
            name,
            as_text,
            millis,
        };
        let config = Config {
            expiry,
            epoch: Some(EPOCH),
            token_name: TokenName::Token,
            ..Config::default()
        };
        let session = Session::with(config).await;
        let data = session.exchange().await;
        let mut names: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names.drain(..2).collect::<Vec<_>>(), ["token", "refreshToken"]);
        if name == ExpiryName::None {
            assert_eq!(names, [""; 0]);
        } else {
            assert_eq!((names, &data[field]), (vec![field], &expected));
        }
        session.simulator.stop();
    }
}

#[tokio::test]
async fn the_envelope_has_three_spellings() {
    for (spelling, envelope) in [
        (
            Spelling::ResultCode,
            json!({ "resultCode": 200, "resultMessage": "success", "data": [] }),
        ),
        (
            Spelling::Status,
            json!({ "status": 200, "message": "success", "data": [], "traceId": "sim-5-2" }),
        ),
        (
            Spelling::Code,
            json!({ "code": "200", "msg": "success", "data": [], "requestId": "sim-5-2" }),
        ),
    ] {
        let session = Session::with(Config {
            envelope: spelling,
            seed: 5,
            ..Config::default()
        })
        .await;
        let answer = session
            .send(Method::GET, "/v1/consumer/thirdaccounts/none", None)
            .await
            .unwrap();
        assert_eq!(answer.json(), envelope);
        assert_eq!(
            answer.header("x-request-id"),
            (spelling == Spelling::ResultCode).then_some("sim-5-2")
        );
        session.simulator.stop();
    }
}
