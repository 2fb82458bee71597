//! A credential becomes a session.

use super::script::{NOW_MS, Reply, Script, broken, reply, scripted, shown};
use nodule_sdk::Session;
use nodule_sdk::http::Broken;
use nodule_sdk::{Access, Failure};

const CREDENTIAL: &str =
    r#"{"baseUrl":"https://api.example/openapi-prod","appId":"demo","appSecret":"hunter2-hunter2"}"#;
const TOKEN: &str = "POST /v1/auth/token\n{\"appId\":\"demo\",\"appSecret\":\"hunter2-hunter2\"}";
const REFRESH: &str = "POST /v1/auth/refreshToken\n{\"refreshToken\":\"ref-1\"}";

fn ask(
    renew: Option<Session>,
    replies: impl IntoIterator<Item = Reply>,
) -> (Result<Session, Failure>, Script) {
    let script = scripted(replies);
    let session = script.log_in(CREDENTIAL, renew);
    (session, script)
}

/// A good answer whose data has these members beside the token.
fn token(members: &str) -> Reply {
    reply(
        200,
        format!(r#"{{"code":"200","data":{{"accessToken":"tok"{members}}}}}"#),
    )
}

fn old(renewal: Option<&str>) -> Session {
    let access = Access {
        headers: Vec::new(),
        query: Vec::new(),
    };
    Session {
        access,
        expires_in_s: Some(0),
        renewal: renewal.map(str::to_owned),
    }
}

#[test]
fn a_token_becomes_a_bare_authorization_header() {
    let (session, script) = ask(None, [token(r#","refreshToken":"ref-1""#)]);
    let session = session.unwrap();
    let headers: Vec<_> = session
        .access
        .headers
        .iter()
        .map(|f| (f.name.as_str(), f.value.as_str()))
        .collect();
    assert_eq!(headers, [("authorization", "tok")]);
    assert!(session.access.query.is_empty());
    assert_eq!(session.renewal.as_deref(), Some("ref-1"));
    assert_eq!(script.requests(), [TOKEN]);
    let headers = script.headers().remove(0);
    let names: Vec<_> = headers.iter().map(|(name, _)| name).collect();
    // Nothing of a session that is not there yet.
    assert_eq!(names, ["accept", "user-agent", "content-type"]);
    // The second public client's spelling.
    let (session, _) = ask(
        None,
        [reply(200, r#"{"resultCode":200,"data":{"token":"other"}}"#)],
    );
    assert_eq!(session.unwrap().access.headers[0].value, "other");
}

#[test]
fn every_expiry_spelling_is_read_in_its_order() {
    let now_s = NOW_MS / 1_000;
    let (soon, late) = (now_s + 1_000, now_s + 9_000);
    let (past, soon_ms) = (now_s - 1, (now_s + 1_000) * 1_000);
    for (members, expires_in) in [
        (String::new(), 3_000 - 60),
        (format!(r#","expiresTime":{soon}"#), 940),
        (format!(r#","expiresTime":"{soon}""#), 940),
        (format!(r#","expiresIn":10,"expiresTime":{soon}"#), 940),
        (r#","expiresIn":7200"#.into(), 7_140),
        (r#","expiresIn":"7200""#.into(), 7_140),
        (r#","expireIn":7200"#.into(), 7_140),
        (r#","expires":7200.9"#.into(), 7_140),
        (r#","expireSeconds":" 7200 ""#.into(), 7_140),
        (r#","expireSeconds":1,"expires":7200"#.into(), 7_140),
        (r#","expires":1,"expireIn":7200"#.into(), 7_140),
        (r#","expireIn":1,"expiresIn":7.2e3"#.into(), 7_140),
        (format!(r#","expireTime":{soon}"#), 940),
        (format!(r#","expireTime":{soon_ms}"#), 940),
        (format!(r#","expiresAt":"{soon_ms}""#), 940),
        (format!(r#","expirationTime":{soon}"#), 940),
        (format!(r#","expirationTime":{late},"expiresAt":{soon}"#), 940),
        (format!(r#","expiresAt":{late},"expireTime":{soon}"#), 940),
        (format!(r#","expireTime":{soon},"expireSeconds":7200"#), 7_140),
        // What does not count is passed over.
        (format!(r#","expiresTime":{past},"expiresIn":7200"#), 7_140),
        (r#","expiresTime":"never","expiresIn":7200"#.into(), 7_140),
        (
            r#","expiresTime":null,"expiresIn":0,"expireIn":-5,"expires":100000000,"expireSeconds":99999999"#
                .into(),
            99_999_939,
        ),
        (format!(r#","expireTime":{past},"expiresAt":{soon}"#), 940),
        (format!(r#","expireTime":"{past}","expiresIn":[7200]"#), 2_940),
        (r#","expiresIn":99999999999999999999"#.into(), 2_940),
        (r#","expireTime":"2030-01-01""#.into(), 2_940),
        // The margin is 60 s or a quarter, whichever is less.
        (r#","expiresIn":240"#.into(), 180),
        (r#","expiresIn":100"#.into(), 75),
        (r#","expiresIn":1"#.into(), 1),
    ] {
        let (session, _) = ask(None, [token(&members)]);
        assert_eq!(session.unwrap().expires_in_s, Some(expires_in), "{members}");
    }
}

#[test]
fn a_session_is_renewed_by_its_refresh_token() {
    let (session, script) = ask(
        Some(old(Some("ref-1"))),
        [token(r#","refreshToken":"ref-2","expiresIn":100"#)],
    );
    let session = session.unwrap();
    assert_eq!(
        (session.renewal.as_deref(), session.expires_in_s),
        (Some("ref-2"), Some(75))
    );
    assert_eq!(script.requests(), [REFRESH]);
    assert!(script.headers()[0].contains(&("authorization".into(), "ref-1".into())));
    // Without a new one the old one goes on.
    let (session, _) = ask(Some(old(Some("ref-1"))), [token("")]);
    assert_eq!(session.unwrap().renewal.as_deref(), Some("ref-1"));
    for nothing in [None, Some(""), Some(" ")] {
        assert_eq!(ask(Some(old(nothing)), [token("")]).1.requests(), [TOKEN]);
    }
}

#[test]
fn a_refresh_that_fails_for_any_reason_starts_over() {
    for failing in [
        reply(401, ""),
        reply(400, r#"{"code":"E"}"#),
        reply(200, r#"{"code":"500"}"#),
        reply(200, r#"{"code":"200","data":{}}"#),
        reply(200, "<html>"),
        reply(503, ""),
        broken(Broken::Unknown("reset".into())),
    ] {
        let (session, script) = ask(Some(old(Some("ref-1"))), [failing, token("")]);
        assert_eq!(session.unwrap().access.headers[0].value, "tok");
        assert_eq!(script.requests(), [REFRESH, TOKEN]);
        assert!(
            script.headers()[1]
                .iter()
                .all(|(name, _)| name != "authorization")
        );
    }
}

#[test]
fn a_refusal_is_the_owners_and_an_outage_is_not() {
    let kind = |reply: Reply| match ask(None, [reply]).0 {
        Err(Failure::Unauthenticated(_)) => "unauthenticated",
        Err(Failure::Throttled(_)) => "throttled",
        Err(Failure::Unavailable(_)) => "unavailable",
        Err(Failure::Rejected(_)) => "rejected",
        Err(Failure::Unintelligible(_)) => "unintelligible",
        Err(Failure::Denied(_)) => "denied",
        result => panic!("{}", result.is_ok()),
    };
    for (answer, expected) in [
        (
            reply(200, r#"{"code":"40001","msg":"bad secret"}"#),
            "unauthenticated",
        ),
        (reply(200, r#"{"code":401}"#), "unauthenticated"),
        (reply(400, ""), "unauthenticated"),
        (reply(403, ""), "unauthenticated"),
        (
            reply(404, r#"{"code":"40400","msg":"no such app"}"#),
            "unauthenticated",
        ),
        // Another's answer: of a service without such a path, of a proxy, of a firewall.
        (reply(404, ""), "rejected"),
        (reply(407, "proxy"), "rejected"),
        (reply(403, "<html>"), "rejected"),
        (reply(302, ""), "rejected"),
        (reply(429, ""), "throttled"),
        (reply(200, r#"{"code":"429"}"#), "throttled"),
        (reply(500, ""), "unavailable"),
        (reply(200, r#"{"code":"503"}"#), "unavailable"),
        (reply(200, "<html>"), "unintelligible"),
        (reply(200, ""), "unintelligible"),
        (reply(200, r#"{"code":200,"data":[]}"#), "unintelligible"),
        (
            reply(200, r#"{"code":200,"data":{"accessToken":""}}"#),
            "unintelligible",
        ),
        (
            reply(200, r#"{"code":200,"data":{"accessToken":"a\nb"}}"#),
            "unintelligible",
        ),
        (broken(Broken::Denied("no".into())), "denied"),
        (broken(Broken::NotDone("refused".into())), "unavailable"),
    ] {
        assert_eq!(kind(answer), expected);
    }
}

#[test]
fn what_was_asked_is_said_where_another_answered() {
    let Err(Failure::Rejected(answer)) = ask(None, [reply(404, "<p>no such page</p>")]).0 else {
        panic!("it is not the credential's fault")
    };
    assert_eq!(
        answer.message,
        "POST https://api.example/openapi-prod/v1/auth/token was not answered by the service: HTTP 404: <p>no such page</p>"
    );
}

#[test]
fn no_failure_repeats_a_secret() {
    for answer in [
        reply(
            401,
            r#"{"code":"hunter2-hunter2","msg":"secret hunter2-hunter2 is wrong","requestId":"hunter2-hunter2"}"#,
        ),
        reply(302, "").header("location", "https://evil.example/?hunter2-hunter2"),
        reply(500, "hunter2-hunter2"),
        reply(429, "hunter2-hunter2").header("x-request-id", "hunter2-hunter2"),
        reply(200, r#"{"code":"200","data":{"accessToken":"hunter2-hunter2"#),
        reply(200, r#"{"code":"200","data":{"secret":"hunter2-hunter2"}}"#),
    ] {
        let failure = format!("{:?}", ask(None, [answer]).0.unwrap_err());
        assert!(!failure.contains("hunter2"), "{failure}");
    }
}

/// A service takes the blanks off a secret before it looks it up, and says what it looked for.
#[test]
fn no_failure_repeats_a_secret_without_the_blanks_around_it() {
    let credential = r#"{"appId":"demo","appSecret":" hunter2-hunter2\n"}"#;
    let script = scripted([reply(401, r#"{"msg":"<hunter2-hunter2> is wrong"}"#)]);
    let failure = script.log_in(credential, None).unwrap_err();
    assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
}

#[test]
fn a_token_is_sent_without_the_blanks_around_it() {
    let answer = r#"{"code":"200","data":{"accessToken":" tok-1 ","refreshToken":"r-1\n"}}"#;
    let session = ask(None, [reply(200, answer)]).0.unwrap();
    assert_eq!(session.access.headers.first().unwrap().value, "tok-1");
    assert_eq!(session.renewal.as_deref(), Some("r-1"));
}

#[test]
fn a_credential_is_checked_by_its_labels() {
    let refused = |credential: &str| match scripted([]).log_in(credential, None) {
        Err(Failure::InvalidParameters(problems)) => shown(&problems).join("\n"),
        Err(Failure::InvalidInput(message)) => message,
        result => panic!("{}", result.is_ok()),
    };
    assert_eq!(
        refused(r#"{"appSecret":["hunter2"],"appId":" "}"#),
        "/appId App ID: expected a text, found \" \"\n/appSecret App Secret: expected a secret text, found something else"
    );
    assert_eq!(
        refused("{}"),
        "/appId App ID: expected a text, found nothing\n/appSecret App Secret: expected a secret text, found nothing"
    );
    for wrong in ["", "[]", "hunter2", "{\"appSecret\":\"hunter2\""] {
        assert_eq!(
            refused(wrong),
            "expected a credential that is a JSON object, found something else"
        );
    }
    // The default base URL, and facts that an engine keeps beside.
    let script = scripted([token("")]);
    let credential = r#"{"appId":"demo","appSecret":"s","allowedHttpRequestDomains":"all"}"#;
    assert!(script.log_in(credential, None).is_ok());
}
