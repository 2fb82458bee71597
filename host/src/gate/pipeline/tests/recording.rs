//! Step 9: requests are recorded as before the session was added, responses as after redaction.

use nodule_core::recording::Role;

use super::*;

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut headers = headers.iter();
    headers
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// The only recorded exchange.
fn exchange(recorder: &Recorder) -> Exchange {
    let recording = finished(recorder);
    let [exchange] = recording.exchanges() else {
        panic!("{:?}", recording.exchanges());
    };
    exchange.clone()
}

#[tokio::test]
async fn a_request_is_recorded_without_its_session_and_a_response_without_its_secrets() {
    let body = format!("hello {SECRET}");
    let server = Server::start(response("200 OK", &[("x-token", SECRET)], body));
    // Recordings omit some headers by name; this is not one of them.
    let (kit, recorder) = Kit::to(&server).session("x-ticket").recorded();
    kit.live()
        .sent(request("POST", THINGS, &[("x-own", "1")], "{}"))
        .await;
    assert!(server.one().contains(SECRET));
    let Exchange {
        role,
        item,
        request,
        outcome,
        ..
    } = exchange(&recorder);
    assert_eq!((role, item), (Role::Operation, Some(0)));
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", THINGS));
    assert_eq!(&*request.body, b"{}");
    assert_eq!(header(&request.headers, "x-own"), Some("1"));
    assert_eq!(header(&request.headers, "x-ticket"), None);
    let Outcome::Answer(answer) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(header(&answer.headers, "x-token"), Some("[redacted]"));
    assert_eq!(&*answer.body, b"hello [redacted]");
}

#[tokio::test]
async fn what_a_query_of_the_session_holds_is_not_recorded() {
    let server = Server::start(ok(""));
    let (mut kit, recorder) = Kit::to(&server).recorded();
    let query = Query::new(vec![("key".to_owned(), Secret::new(SECRET.to_owned()))]);
    kit.access = Some(Access::new(Vec::new(), query, std::iter::empty()));
    kit.live().sent(get(THINGS)).await;
    assert_eq!(exchange(&recorder).request.url.as_str(), THINGS);
}

#[tokio::test]
async fn a_failure_is_recorded_by_its_name() {
    let (kit, recorder) = Kit::offline().recorded();
    kit.live().fails(get(THINGS)).await;
    let expected = Outcome::Failed {
        error: "connection-refused".to_owned(),
    };
    assert_eq!(exchange(&recorder).outcome, expected);
}

#[tokio::test]
async fn a_body_that_cannot_be_decoded_is_recorded_as_missing() {
    let server = Server::start(response("200 OK", &[("content-encoding", "compress")], "x"));
    let (kit, recorder) = Kit::to(&server).recorded();
    kit.live().fails(get(THINGS)).await;
    let Outcome::Answer(answer) = exchange(&recorder).outcome else {
        panic!("expected an answer");
    };
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_empty());
    assert_eq!(answer.broken.as_deref(), Some("http-response-content-coding"));
}

#[tokio::test]
async fn what_is_denied_before_it_leaves_is_not_recorded() {
    let (kit, recorder) = Kit::offline().recorded();
    kit.live().denied(get(OTHER)).await;
    assert!(recorder.is_empty());
}

#[tokio::test]
async fn an_authentication_is_recorded_as_one() {
    let server = Server::start(ok("{}"));
    let (kit, recorder) = Kit::to(&server).authenticating().recorded();
    kit.live().sent(post(THINGS, "{}")).await;
    assert_eq!(exchange(&recorder).role, Role::Authentication);
}

#[tokio::test]
async fn what_was_recorded_is_what_a_replay_answers() {
    let server = Server::start(response("201 Created", &[("x-made", "1")], "made"));
    let (kit, recorder) = Kit::to(&server).session("x-session").recorded();
    let live = kit.live().sent(post(THINGS, "{\"a\":1}")).await;
    let pipeline = Kit::offline().replay(finished(&recorder));
    let replayed = pipeline.exchange(post(THINGS, "{\"a\":1}"), None).await.unwrap();
    assert_eq!((replayed.status, &replayed.body), (live.status, &live.body));
    assert_eq!(replayed.headers, live.headers);
}
