//! Each fault, seen by a client.

use std::io::Read;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Method, StatusCode};
use nodule_core::json;
use nodule_core::json::Json;
use simulator::{Action, Config, Rule, Spelling};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, Ending, Session, adjustment, read_to_end};

const MEMBER: &str = "/v1/member/M17";

async fn with_fault(action: Action) -> Session {
    with_rule(Rule::new(action)).await
}

async fn with_rule(rule: Rule) -> Session {
    let session = Session::start().await;
    session.simulator.add_fault(rule).unwrap();
    session
}

/// The answer of getMember with this fault.
async fn answer(action: Action) -> Answer {
    let session = with_fault(action).await;
    let answer = session.send(Method::GET, MEMBER, None).await.unwrap();
    session.simulator.stop();
    answer
}

/// What a raw connection sees of getMember with this fault.
async fn ending(action: Action) -> Ending {
    let session = with_fault(action).await;
    let ending = session.raw(MEMBER).await;
    session.simulator.stop();
    ending
}

fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").unwrap().1
}

fn stated_length(text: &str) -> usize {
    text.lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap()
}

/// The balance of M17 after an adjustment with this fault, whatever the client saw.
async fn balance_after(rule: Rule) -> String {
    let session = with_rule(rule).await;
    let sent = session
        .send(Method::POST, "/v1/points/adjustment", Some(adjustment("op")))
        .await;
    drop(sent);
    let balance = session.simulator.balance("M17").unwrap();
    session.simulator.stop();
    balance
}

#[tokio::test]
async fn a_status_with_any_retry_after() {
    for retry_after in [
        None,
        Some("0"),
        Some("-1"),
        Some("Wed, 21 Oct 2026 07:28:00 GMT"),
        Some("1e9"),
    ] {
        let retry_after = retry_after.map(str::to_owned);
        let action = Action::Status {
            code: 429,
            retry_after: retry_after.clone(),
            body: None,
        };
        let answer = answer(action).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("retry-after"), retry_after.as_deref());
        assert_eq!(answer.json()["code"], "429");
    }
    let answer = answer(Action::Status {
        code: 503,
        retry_after: None,
        body: Some("away".to_owned()),
    })
    .await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (503, &b"away"[..]));
}

#[tokio::test]
async fn answers_that_take_the_place_of_the_right_one() {
    let error = answer(Action::EnvelopeError {
        code: "5000X".to_owned(),
        message: "so".to_owned(),
    })
    .await;
    assert_eq!(
        (error.status, &error.json()["code"], &error.json()["msg"]),
        (StatusCode::OK, &json!("5000X"), &json!("so"))
    );

    let html = answer(Action::Html { status: 502 }).await;
    assert_eq!(
        (html.status.as_u16(), html.header("content-type")),
        (502, Some("text/html; charset=utf-8"))
    );

    let text = answer(Action::Text {
        text: "hello".to_owned(),
    })
    .await;
    assert_eq!((text.status, &text.body[..]), (StatusCode::OK, &b"hello"[..]));

    let redirect = answer(Action::Redirect {
        location: "http://169.254.169.254/x".to_owned(),
        status: 307,
    })
    .await;
    assert_eq!(
        (redirect.status.as_u16(), redirect.header("location")),
        (307, Some("http://169.254.169.254/x"))
    );

    let empty = answer(Action::EmptyBody).await;
    assert_eq!((empty.status, empty.body.len()), (StatusCode::OK, 0));

    let nothing = answer(Action::NoContent).await;
    assert_eq!((nothing.status, nothing.body.len()), (StatusCode::NO_CONTENT, 0));
}

#[tokio::test]
async fn bodies_that_are_hard_to_read() {
    let truncated = answer(Action::TruncatedJson).await;
    let error = Json::from_slice(&truncated.body).unwrap_err();
    assert!(error.is_eof() && truncated.body.starts_with(b"{\"code\":\"200\""));

    let gbk = answer(Action::WrongCharset {
        declared: Some("utf-8".to_owned()),
    })
    .await;
    assert_eq!(
        gbk.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert!(std::str::from_utf8(&gbk.body).is_err());

    let nested = answer(Action::DeepNesting { depth: 10_000 }).await;
    let lists = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(
        str::from_utf8(&nested.body)
            .unwrap()
            .contains(&format!("\"data\":{lists},"))
    );

    let large = answer(Action::LargeBody { bytes: 200_001 }).await;
    assert_eq!(large.json()["data"].as_str().unwrap().len(), 200_001);

    let headers = ending(Action::ManyHeaders { count: 500, size: 20 }).await.text;
    assert_eq!(headers.matches("\r\nx-filler-").count(), 500);
    assert!(headers.contains(&format!("x-filler-499: {}\r\n", "x".repeat(20))));
    assert!(body(&headers).len() == stated_length(&headers) && !headers.contains("\n\n"));
}

#[tokio::test]
async fn another_spelling_and_an_echo() {
    let status = answer(Action::EnvelopeSpelling {
        spelling: Spelling::Status,
    })
    .await
    .json();
    assert_eq!(
        (&status["status"], &status["data"]["cardNo"]),
        (&json!(200), &json!("M17"))
    );

    let session = with_fault(Action::EchoAuthorization).await;
    let answer = session.send(Method::GET, MEMBER, None).await.unwrap();
    assert_eq!(
        answer.header("x-echo-authorization"),
        Some(session.token.as_str())
    );
    assert!(answer.json()["msg"].as_str().unwrap().ends_with(&session.token));
    assert_eq!(answer.json()["data"]["cardNo"], "M17");
    session.simulator.stop();
}

#[tokio::test]
async fn the_same_page_again_and_again() {
    let session = with_fault(Action::SamePage).await;
    let first = session.got("/v1/member/list/F30?pageNo=1").await;
    assert_eq!(session.got("/v1/member/list/F30?pageNo=3").await, first);
    session.simulator.stop();
}

#[tokio::test]
async fn resets_before_and_after_acting() {
    for (action, expected) in [
        (Action::ResetBeforeActing, "1000"),
        (Action::ResetAfterActing, "1010"),
    ] {
        let ending = ending(action.clone()).await;
        assert_eq!((ending.text.as_str(), ending.reset), ("", true), "{action:?}");
        assert_eq!(balance_after(Rule::new(action)).await, expected);
    }
}

#[tokio::test]
async fn a_reset_before_anything_is_read() {
    let session = Session::start().await;
    session
        .simulator
        .add_fault(Rule::new(Action::ResetBeforeReading).times(1))
        .unwrap();
    // The reset may arrive as early as while connecting, or while writing.
    let port = session.simulator.port();
    if let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)).await {
        let _ = socket.write_all(session.raw_get(MEMBER).as_bytes()).await;
        let ending = read_to_end(&mut socket).await;
        assert_eq!((ending.text.as_str(), ending.reset), ("", true));
    }
    assert_eq!(session.simulator.stats().requests, 1, "the token's alone");
    // The next connection is served.
    let mut socket = session.connect().await;
    socket
        .write_all(session.raw_get(MEMBER).as_bytes())
        .await
        .unwrap();
    let mut beginning = [0; 15];
    socket.read_exact(&mut beginning).await.unwrap();
    assert_eq!(&beginning, b"HTTP/1.1 200 OK");
    session.simulator.stop();
}

#[tokio::test]
async fn ends_in_the_middle_of_an_answer_that_was_acted_upon() {
    for (action, reset) in [(Action::ResetMidAnswer, true), (Action::CloseMidAnswer, false)] {
        let ending = ending(action.clone()).await;
        assert_eq!(ending.reset, reset, "{action:?}");
        assert_eq!(body(&ending.text).len(), stated_length(&ending.text) / 2);
        assert_eq!(balance_after(Rule::new(action)).await, "1010");
    }
}

#[tokio::test]
async fn an_answer_after_which_the_connection_ends() {
    for reset in [true, false] {
        let ending = ending(Action::CloseAfterAnswer { reset }).await;
        assert_eq!(ending.reset, reset);
        assert_eq!(body(&ending.text).len(), stated_length(&ending.text));
        assert!(!ending.text.contains("connection: close"));
    }
}

#[tokio::test]
async fn acting_can_be_chosen() {
    let failed = Action::Status {
        code: 500,
        retry_after: None,
        body: None,
    };
    assert_eq!(balance_after(Rule::new(failed.clone())).await, "1000");
    assert_eq!(balance_after(Rule::new(failed).act(true)).await, "1010");
    assert_eq!(balance_after(Rule::new(Action::EmptyBody)).await, "1010");
    assert_eq!(
        balance_after(Rule::new(Action::EmptyBody).act(false)).await,
        "1000"
    );
}

#[tokio::test]
async fn latency_is_waited_for() {
    let session = with_fault(Action::Latency { ms: 40 }).await;
    let begun = Instant::now();
    session.got(MEMBER).await;
    assert!(begun.elapsed() >= Duration::from_millis(40));
    session.simulator.stop();

    let session = Session::with(Config {
        latency: Duration::from_millis(30),
        ..Config::default()
    })
    .await;
    let begun = Instant::now();
    session.got(MEMBER).await;
    assert!(begun.elapsed() >= Duration::from_millis(30));
    session.simulator.stop();
}

#[tokio::test]
async fn drips_come_byte_by_byte() {
    for action in [Action::DripHeader { ms: 1 }, Action::DripBody { ms: 1 }] {
        let session = with_fault(action.clone()).await;
        let mut socket = session.connect().await;
        socket
            .write_all(session.raw_get(MEMBER).as_bytes())
            .await
            .unwrap();
        let begun = Instant::now();
        let (mut text, mut single, mut piece) = (Vec::new(), 0, [0; 4096]);
        loop {
            let count = socket.read(&mut piece).await.unwrap();
            if count == 0 {
                break;
            }
            single += usize::from(count == 1);
            text.extend_from_slice(&piece[..count]);
        }
        let text = String::from_utf8(text).unwrap();
        assert_eq!(body(&text).len(), stated_length(&text));
        assert!(single > 5, "{action:?}: {single} single bytes");
        assert!(begun.elapsed() >= Duration::from_millis(50));
        session.simulator.stop();
    }
}

#[tokio::test]
async fn silence_is_bounded() {
    let silent = ending(Action::Silence { ms: 30 }).await;
    assert_eq!((silent.text.as_str(), silent.reset), ("", false));

    let halfway = ending(Action::SilenceMidAnswer { ms: 30 }).await;
    assert_eq!(body(&halfway.text).len(), stated_length(&halfway.text) / 2);

    let session = with_fault(Action::AcceptThenSilence { ms: 30 }).await;
    let mut socket = session.connect().await;
    socket
        .write_all(session.raw_get(MEMBER).as_bytes())
        .await
        .unwrap();
    let begun = Instant::now();
    assert_eq!(read_to_end(&mut socket).await.text, "");
    assert!(begun.elapsed() >= Duration::from_millis(25));
    assert_eq!(session.simulator.stats().requests, 1, "the token's alone");
    session.simulator.stop();
}

#[tokio::test]
async fn all_waits_end_with_the_simulator() {
    const LONG: u64 = 600_000;
    for action in [
        Action::Latency { ms: LONG },
        Action::Silence { ms: LONG },
        Action::SilenceMidAnswer { ms: LONG },
        Action::AcceptThenSilence { ms: LONG },
        Action::DripHeader { ms: LONG },
        Action::DripBody { ms: LONG },
        Action::WrongContentLength { by: 10 },
        Action::EndlessBody,
    ] {
        for gracefully in [true, false] {
            let session = with_fault(action.clone()).await;
            let mut socket = session.connect().await;
            socket
                .write_all(session.raw_get(MEMBER).as_bytes())
                .await
                .unwrap();
            while session.simulator.stats().faults == 0 {
                tokio::task::yield_now().await;
            }
            let Session { simulator, .. } = session;
            let begun = Instant::now();
            if gracefully {
                simulator.stop();
            } else {
                drop(simulator);
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{action:?}");
            let mut rest = Vec::new();
            // However it ends, it ends.
            let _ = socket.read_to_end(&mut rest).await;
        }
    }
}

#[tokio::test]
async fn an_endless_body_goes_on_until_the_client_leaves() {
    let session = with_fault(Action::EndlessBody).await;
    let mut socket = session.connect().await;
    socket
        .write_all(session.raw_get(MEMBER).as_bytes())
        .await
        .unwrap();
    let mut piece = vec![0; 1 << 20];
    let mut sum = 0;
    while sum < 20 << 20 {
        let count = socket.read(&mut piece).await.unwrap();
        assert_ne!(count, 0);
        if sum == 0 {
            assert!(String::from_utf8_lossy(&piece[..count]).contains("transfer-encoding: chunked\r\n"));
        }
        sum += count;
    }
    drop(socket);
    while session.simulator.stats().open_connections > 1 {
        tokio::task::yield_now().await;
    }
    session.simulator.stop();
}

#[tokio::test]
async fn a_gzip_bomb_is_small_until_it_is_decompressed() {
    let answer = answer(Action::GzipBomb { bytes: 5 << 20 }).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert!(answer.body.len() < 20_000, "{}", answer.body.len());
    let mut text = Vec::new();
    // Reads the trailer too, which checks sum and length.
    GzDecoder::new(&answer.body[..]).read_to_end(&mut text).unwrap();
    let envelope: Json = Json::from_slice(&text).unwrap();
    assert_eq!(envelope["data"].as_str().unwrap().len(), 5 << 20);
}

#[tokio::test]
async fn a_length_that_lies() {
    let short = ending(Action::WrongContentLength { by: -7 }).await.text;
    assert_eq!(body(&short).len(), stated_length(&short) + 7);

    let session = with_fault(Action::WrongContentLength { by: 7 }).await;
    let mut socket = session.connect().await;
    socket
        .write_all(session.raw_get(MEMBER).as_bytes())
        .await
        .unwrap();
    let mut long = String::new();
    while !long.ends_with("\"}") {
        let mut piece = [0; 4096];
        let count = socket.read(&mut piece).await.unwrap();
        long.push_str(std::str::from_utf8(&piece[..count]).unwrap());
    }
    assert_eq!(body(&long).len() + 7, stated_length(&long));
    // The rest is promised and does not come; when the client ends, so does the connection.
    socket.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut socket).await.text, "");
    session.simulator.stop();
}

#[tokio::test]
async fn bytes_that_are_no_http() {
    assert_eq!(
        ending(Action::Raw {
            text: "SSH-2.0-x\r\n".to_owned()
        })
        .await
        .text,
        "SSH-2.0-x\r\n"
    );
}

#[tokio::test]
async fn rules_come_and_go_by_the_control_endpoints() {
    let session = Session::start().await;
    let control = |method: Method, body: &'static str| {
        let body = (!body.is_empty()).then(|| Bytes::from_static(body.as_bytes()));
        session.request(method, "/_simulator/faults", "", body)
    };
    let rules = r#"[{"when":{"path":"/v1/member/","except":"/v1/member/list","times":1},"action":"no-content"},
                    {"when":{"method":"PUT"},"action":{"latency":{"ms":1}}}]"#;
    let added = control(Method::POST, rules).await.unwrap();
    assert_eq!(added.json(), json!({ "added": 2 }));
    session.got("/v1/member/list/C1").await;
    assert_eq!(
        session.send(Method::GET, MEMBER, None).await.unwrap().status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        session.send(Method::GET, MEMBER, None).await.unwrap().status,
        StatusCode::OK
    );
    let state = control(Method::GET, "").await.unwrap().json();
    assert_eq!((&state[0]["matched"], &state[0]["fired"]), (&json!(2), &json!(1)));
    assert_eq!(state[0]["rule"]["action"], "no-content");

    for wrong in [
        "",
        "{}",
        r#"{"action":"nothing"}"#,
        r#"{"action":"empty-body","when":{"every":0}}"#,
    ] {
        let body = Bytes::from_static(wrong.as_bytes());
        let refused = session
            .request(Method::POST, "/_simulator/faults", "", Some(body))
            .await
            .unwrap();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(refused.json()["error"].is_string());
    }
    assert_eq!(
        control(Method::DELETE, "").await.unwrap().status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(control(Method::GET, "").await.unwrap().json(), json!([]));
    session.simulator.stop();
}

#[tokio::test]
async fn a_client_that_leaves_during_latency_is_served_only_where_the_rule_acts_first() {
    for (act, expected) in [(false, "1000"), (true, "1010")] {
        let session = with_rule(Rule::new(Action::Latency { ms: 600_000 }).act(act)).await;
        let body = adjustment("op").to_string();
        let request = format!(
            "POST /v1/points/adjustment HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            session.token,
            body.len()
        );
        let mut socket = session.connect().await;
        socket.write_all(request.as_bytes()).await.unwrap();
        while session.simulator.stats().faults == 0 {
            tokio::task::yield_now().await;
        }
        drop(socket);
        while session.simulator.stats().open_connections > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(session.simulator.balance("M17").as_deref(), Some(expected));
        session.simulator.stop();
    }
}
