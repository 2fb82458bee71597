//! Step 1: which requests are refused by themselves, and what remains of the others.

use super::*;

#[tokio::test]
async fn a_body_above_its_limit_is_refused() {
    let gate = Kit::offline()
        .limits(|limits| limits.request_body_bytes = 4)
        .live();
    let error = gate.send(post(THINGS, "12345")).await.err().unwrap();
    assert!(
        matches!(error, HttpError::HttpRequestBodySize(Some(5))),
        "{error:?}"
    );
    assert_eq!(
        gate.limit(),
        "a request body of more than 4 bytes (`request-body-bytes`)"
    );
    assert!(gate.looked_up().is_empty());
}

#[tokio::test]
async fn bodies_that_are_held_at_once_have_a_limit_together() {
    let gate = Kit::offline().limits(|limits| limits.buffered_bytes = 4).live();
    let error = gate.send(post(THINGS, "12345")).await.err().unwrap();
    assert!(matches!(error, HttpError::HttpRequestBodySize(None)), "{error:?}");
    assert_eq!(
        gate.limit(),
        "bodies of more than 4 bytes at once (`buffered-bytes`)"
    );
}

#[tokio::test]
async fn a_length_that_is_not_the_bodys_is_refused() {
    for length in ["4", "6", "-5", "5, 5", "five"] {
        let gate = Kit::offline().live();
        let lies = request("POST", THINGS, &[("content-length", length)], "12345");
        let (message, _) = gate.denied(lies).await;
        assert!(message.contains("expected a `content-length` of 5"), "{message}");
    }
}

#[tokio::test]
async fn the_bodys_own_length_is_sent() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).live();
    gate.sent(request("POST", THINGS, &[("content-length", "5")], "12345"))
        .await;
    let seen = server.one();
    assert_eq!(seen.matches("content-length: 5").count(), 1, "{seen}");
    assert!(seen.ends_with("\n\n12345"), "{seen}");
}

#[tokio::test]
async fn a_header_that_speaks_of_another_method_path_or_client_is_refused() {
    for name in [
        "x-http-method-override",
        "X_Original_URL",
        "x-forwarded-for",
        "host",
        "te",
        "cookie",
    ] {
        let gate = Kit::offline().live();
        let (message, hint) = gate.denied(request("GET", THINGS, &[(name, "x")], "")).await;
        let name = name.to_ascii_lowercase();
        assert_eq!(message, format!("the header `{name}` is not for a node to set"));
        assert_eq!(hint, None);
    }
}

#[tokio::test]
async fn an_authenticating_node_may_send_a_cookie() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).authenticating().live();
    gate.sent(request("GET", THINGS, &[("cookie", "a=b")], "")).await;
    assert!(server.one().contains("\ncookie: a=b"));
}

#[tokio::test]
async fn what_the_client_sets_is_not_the_nodes_to_set() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).live();
    let headers = [("accept-encoding", "br"), ("x-own", "1")];
    gate.sent(request("GET", THINGS, &headers, "")).await;
    let seen = server.one();
    assert!(seen.contains("\nhost: crm.example.com\n"), "{seen}");
    assert!(seen.contains("\naccept-encoding: gzip\n"), "{seen}");
    assert!(seen.contains("\nx-own: 1"), "{seen}");
    assert_eq!(seen.matches("accept-encoding").count(), 1, "{seen}");
}

#[tokio::test]
async fn headers_have_a_number_and_a_size() {
    let two = [("a", "1"), ("b", "2")];
    for (change, words) in [
        (
            (|limits: &mut Limits| limits.header_count = 1) as fn(&mut Limits),
            "a request with more than 1 headers (`header-count`)",
        ),
        (
            |limits| limits.header_bytes = 3,
            "a request with more than 3 bytes of headers (`header-bytes`)",
        ),
    ] {
        let gate = Kit::offline().limits(change).live();
        let error = gate.send(request("GET", THINGS, &two, "")).await.err().unwrap();
        let is_size = matches!(error, HttpError::HttpRequestHeaderSectionSize(_));
        assert!(is_size, "{error:?}");
        assert_eq!(gate.limit(), words);
        assert!(gate.looked_up().is_empty());
    }
}

#[tokio::test]
async fn as_many_headers_as_the_limits_allow_are_sent() {
    let server = Server::start(ok(""));
    // The limits also apply to the response, which has `content-length: 0`.
    let exact = |limits: &mut Limits| (limits.header_count, limits.header_bytes) = (2, 15);
    let gate = Kit::to(&server).limits(exact).live();
    gate.sent(request("GET", THINGS, &[("a", "12345"), ("b", "12345678")], ""))
        .await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_url_is_sent_in_its_canonical_form() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).live();
    gate.sent(get("http://CRM.Example.COM.:80/api/%74hings/a%2fb?Q=%7e"))
        .await;
    let seen = server.one();
    assert!(
        seen.starts_with("get /api/things/a%2fb?q=%7e http/1.1\n"),
        "{seen}"
    );
    assert!(seen.contains("\nhost: crm.example.com\n"), "{seen}");
    assert_eq!(gate.looked_up(), ["crm.example.com"]);
}

#[tokio::test]
async fn a_url_that_servers_read_in_two_ways_is_refused() {
    for url in [
        "http://crm.example.com/api/%2e%2e/admin",
        "http://crm.example.com/api//things",
        "http://crm.example.com@evil.example/api/things",
        "http://crm.example.com:0/api/things",
        "http://crm.example.com/api/things#x",
    ] {
        let (message, _) = Kit::offline().live().denied(get(url)).await;
        assert!(!message.is_empty(), "{url}");
    }
}
