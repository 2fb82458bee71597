//! Step 3: a replay and a dry run finish there and open no socket. These pipelines have no network.

use super::*;

async fn exchange(pipeline: &Arc<Pipeline>, request: RawRequest) -> Result<BufferedResponse, HttpError> {
    Arc::clone(pipeline).exchange(request, None).await
}

async fn fails(pipeline: &Arc<Pipeline>, request: RawRequest) -> &'static str {
    error_name::of(&exchange(pipeline, request).await.err().unwrap())
}

#[tokio::test]
async fn a_replay_answers_from_the_recording() {
    let recording = of_one(
        ("POST", THINGS, "{\"a\":1}"),
        recorded_response(201, "made", None),
    );
    let pipeline = Kit::offline().replay(recording);
    let response = exchange(&pipeline, post(THINGS, "{ \"a\": 1 }")).await.unwrap();
    assert_eq!((response.status.as_u16(), &*response.body), (201, &b"made"[..]));
    assert_eq!(response.headers["x-of-recording"], "yes");
    let observed = pipeline.observed();
    assert_eq!((observed.sent, observed.answered), (1, 1));
    assert_eq!((observed.changing.sent, observed.changing.answered), (1, 1));
    // The recorded duration says nothing about this host.
    assert!(observed.took.is_empty());
}

#[tokio::test]
async fn a_request_that_was_not_recorded_is_denied_in_the_recordings_words() {
    let pipeline = Kit::offline().replay(of_one(("GET", THINGS, ""), recorded_response(200, "", None)));
    let wanted = get("http://crm.example.com/api/others");
    assert_eq!(fails(&pipeline, wanted).await, "http-request-denied");
    let (message, hint) = denial(&pipeline);
    assert!(
        message.contains("recorded `/things`, sent `/others`"),
        "{message}"
    );
    assert!(hint.is_some());
}

#[tokio::test]
async fn a_recorded_failure_fails_in_the_same_way() {
    for error in [
        "connection-refused",
        "http-response-timeout",
        "http-response-body-size",
    ] {
        let outcome = Outcome::Failed {
            error: error.to_owned(),
        };
        let pipeline = Kit::offline().replay(of_one(("GET", THINGS, ""), outcome));
        assert_eq!(fails(&pipeline, get(THINGS)).await, error);
        assert_eq!(pipeline.trouble(), None);
        assert_eq!(pipeline.observed().answered, 0);
    }
}

#[tokio::test]
async fn a_failure_in_another_tools_words_is_told_in_them() {
    let outcome = Outcome::Failed {
        error: "net::ERR_FAILED\u{1b}[2J".to_owned(),
    };
    let pipeline = Kit::offline().replay(of_one(("GET", THINGS, ""), outcome));
    assert_eq!(fails(&pipeline, get(THINGS)).await, "connection-terminated");
    let trouble = pipeline.trouble().unwrap();
    assert!(trouble.starts_with("recorded as `net::ERR_FAILED"), "{trouble}");
    assert!(!trouble.contains('\u{1b}'), "{trouble:?}");
}

#[tokio::test]
async fn a_recorded_body_that_could_not_be_read_is_not_read_now() {
    let outcome = recorded_response(200, "", Some("http-response-content-coding"));
    let pipeline = Kit::offline().replay(of_one(("GET", THINGS, ""), outcome));
    assert_eq!(
        fails(&pipeline, get(THINGS)).await,
        "http-response-content-coding"
    );
    assert_eq!(pipeline.undecoded().unwrap().0, 200);
}

#[tokio::test]
async fn a_replay_is_allowed_what_a_run_is_allowed() {
    let recording = of_one(("GET", OTHER, ""), recorded_response(200, "", None));
    let pipeline = Kit::offline().replay(recording);
    assert_eq!(fails(&pipeline, get(OTHER)).await, "http-request-denied");
    assert!(denial(&pipeline).0.contains("other.example.com"));
}

#[tokio::test]
async fn a_dry_run_shows_the_request_as_the_node_made_it() {
    let (pipeline, planned) = Kit::offline().session("authorization").dry_run();
    let wanted = request("POST", THINGS, &[("x-own", "1"), ("accept-encoding", "br")], "{}");
    assert_eq!(fails(&pipeline, wanted).await, "http-request-denied");
    let expected = Planned {
        method: Method::POST,
        url: THINGS.to_owned(),
        headers: vec![("x-own".to_owned(), "1".to_owned())],
        body: Bytes::from_static(b"{}"),
    };
    assert_eq!(*planned.lock().unwrap(), [expected]);
    assert_eq!(pipeline.refusal(), None);
    assert_eq!(pipeline.observed().sent, 0);
}

#[tokio::test]
async fn a_dry_run_shows_nothing_that_would_be_denied() {
    let (pipeline, planned) = Kit::offline().dry_run();
    assert_eq!(fails(&pipeline, get(OTHER)).await, "http-request-denied");
    assert!(planned.lock().unwrap().is_empty());
    assert!(pipeline.refusal().is_some());
}
