//! Steps 4 and 8: a session goes to the credential's base URL only, and no response shows it.

use super::*;

#[tokio::test]
async fn a_session_is_added_below_the_base_url() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).session("authorization").live();
    gate.sent(get(THINGS)).await;
    assert!(server.one().contains(&format!("\nauthorization: {SECRET}")));
}

#[tokio::test]
async fn a_session_is_added_nowhere_else() {
    let server = Server::start(ok(""));
    let beside = "[[allow]]\norigin = \"http://crm.example.com\"";
    let policy = format!("{ALLOWS_OTHER}\n{beside}");
    let gate = Kit::to(&server).policy(&policy).session("authorization").live();
    for url in [OTHER, "http://crm.example.com/apix/things"] {
        gate.sent(get(url)).await;
    }
    for seen in server.seen() {
        assert!(
            !seen.contains("authorization") && !seen.contains(SECRET),
            "{seen}"
        );
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_authenticating_node_is_given_no_session() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).authenticating().session("x-session").live();
    gate.sent(get(THINGS)).await;
    assert!(!server.one().contains("x-session"));
}

#[tokio::test]
async fn a_nodes_own_copies_and_spellings_of_a_sessions_header_are_removed() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).session("x-session").live();
    let own = [
        ("x-session", "mine"),
        ("x-session", "again"),
        ("x_session", "other"),
        ("x-own", "1"),
    ];
    gate.sent(request("GET", THINGS, &own, "")).await;
    let seen = server.one();
    assert_eq!(seen.matches("session").count(), 1, "{seen}");
    assert!(seen.contains(&format!("\nx-session: {SECRET}")), "{seen}");
    assert!(seen.contains("\nx-own: 1"), "{seen}");
}

#[tokio::test]
async fn elsewhere_a_header_of_that_name_is_the_nodes_own() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).policy(ALLOWS_OTHER).session("x-session").live();
    gate.sent(request("GET", OTHER, &[("x-session", "mine")], ""))
        .await;
    assert!(server.one().contains("\nx-session: mine"));
}

#[tokio::test]
async fn a_sessions_query_takes_the_place_of_the_nodes_own() {
    let server = Server::start(ok(""));
    let mut kit = Kit::to(&server);
    let query = Query::new(vec![("key".to_owned(), Secret::new(SECRET.to_owned()))]);
    kit.access = Some(Access::new(Vec::new(), query, std::iter::empty()));
    let gate = kit.live();
    gate.sent(get("http://crm.example.com/api/things?key=mine&page=2"))
        .await;
    let seen = server.one();
    assert!(
        seen.starts_with(&format!("get /api/things?page=2&key={SECRET} http/1.1")),
        "{seen}"
    );
}

#[tokio::test]
async fn a_sessions_headers_do_not_count_among_the_nodes() {
    let server = Server::start(ok(""));
    let kit = Kit::to(&server).limits(|limits| limits.header_count = 1);
    let gate = kit.session("x-session").live();
    gate.sent(request("GET", THINGS, &[("x-own", "1")], "")).await;
    assert_eq!(server.seen().len(), 1);
}

fn gives_back() -> Server {
    let body = format!("{{\"token\":\"{SECRET}\"}}");
    Server::start(response("200 OK", &[("x-token", SECRET)], body))
}

#[tokio::test]
async fn a_secret_that_comes_back_is_redacted_from_headers_and_body() {
    let server = gives_back();
    let gate = Kit::to(&server).session("x-session").live();
    let response = gate.sent(get(THINGS)).await;
    assert_eq!(&*response.body, br#"{"token":"[redacted]"}"#);
    assert_eq!(response.headers["x-token"], "[redacted]");
    // The length would reveal that of the secret.
    assert!(!response.headers.contains_key("content-length"));
}

#[tokio::test]
async fn another_hosts_response_is_left_as_it_is() {
    let server = gives_back();
    let gate = Kit::to(&server).policy(ALLOWS_OTHER).session("x-session").live();
    let response = gate.sent(get(OTHER)).await;
    assert_eq!(response.headers["x-token"], SECRET);
    assert!(response.headers.contains_key("content-length"));
}

#[tokio::test]
async fn an_authenticating_node_reads_its_token() {
    let server = gives_back();
    let gate = Kit::to(&server).authenticating().session("x-session").live();
    let response = gate.sent(get(THINGS)).await;
    assert_eq!(response.headers["x-token"], SECRET);
}

#[tokio::test]
async fn what_the_node_wrote_itself_is_no_secret() {
    let server = gives_back();
    let gate = Kit::to(&server).session("x-session").live();
    let response = gate.sent(post(THINGS, SECRET)).await;
    assert_eq!(response.headers["x-token"], SECRET);
}

#[tokio::test]
async fn a_response_that_cannot_be_read_is_redacted_as_well() {
    let headers = [("content-encoding", "compress"), ("x-token", SECRET)];
    let server = Server::start(response("200 OK", &headers, "x"));
    let (kit, recorder) = Kit::to(&server).session("x-session").recorded();
    kit.live().fails(get(THINGS)).await;
    let recording = finished(&recorder);
    let Outcome::Answer(answer) = &recording.exchanges()[0].outcome else {
        panic!("{:?}", recording.exchanges());
    };
    let told = answer.headers.iter().find(|(name, _)| name == "x-token");
    assert_eq!(told.map(|(_, value)| value.as_str()), Some("[redacted]"));
}
