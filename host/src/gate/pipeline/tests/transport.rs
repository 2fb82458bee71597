//! Steps 5 and 6: where connections go, and what happens if one fails.

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_the_connection_goes_to_its_address() {
    let server = Server::start(ok("hello"));
    let gate = Kit::to(&server).live();
    let response = gate.sent(get(THINGS)).await;
    assert_eq!(&*response.body, b"hello");
    assert_eq!(gate.looked_up(), ["crm.example.com"]);
    assert_eq!(gate.connected(), [SocketAddr::new(PUBLIC, 80)]);
}

#[tokio::test]
async fn forbidden_addresses_are_dropped_and_the_others_tried() {
    let server = Server::start(ok(""));
    let mut kit = Kit::to(&server);
    kit.addresses = Ok(vec![address("10.0.0.1"), PUBLIC, address("169.254.169.254")]);
    let gate = kit.live();
    gate.sent(get(THINGS)).await;
    assert_eq!(gate.connected(), [SocketAddr::new(PUBLIC, 80)]);
}

#[tokio::test]
async fn a_name_of_forbidden_addresses_alone_is_denied() {
    for forbidden in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"] {
        let mut kit = Kit::offline();
        kit.addresses = Ok(vec![address(forbidden)]);
        let gate = kit.live();
        assert_eq!(gate.fails(get(THINGS)).await, "http-request-denied");
        let (message, hint) = denial(&gate.pipeline);
        assert!(message.contains(forbidden), "{message}");
        assert!(hint.unwrap().contains("private = true"));
        assert!(gate.connected().is_empty());
        assert_eq!(gate.pipeline.observed().sent, 0);
    }
}

#[tokio::test]
async fn a_private_address_is_reached_where_the_policy_says_so() {
    let server = Server::start(ok(""));
    let private = format!("{ALLOWS_OTHER}\nprivate = true");
    let mut kit = Kit::to(&server).policy(&private);
    kit.addresses = Ok(vec![address("10.0.0.1")]);
    let gate = kit.live();
    gate.sent(get(OTHER)).await;
    assert_eq!(gate.connected(), [SocketAddr::new(address("10.0.0.1"), 80)]);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_fails_and_sends_nothing() {
    for (addresses, words) in [
        (Ok(Vec::new()), "the name has no address"),
        (
            Err(io::ErrorKind::NotFound.into()),
            "the name could not be resolved: entity not found",
        ),
    ] {
        let mut kit = Kit::offline();
        kit.addresses = addresses;
        let gate = kit.live();
        assert_eq!(gate.fails(post(THINGS, "{}")).await, "dns-error");
        assert_eq!(gate.trouble(), words);
        let observed = gate.pipeline.observed();
        assert_eq!((observed.sent, observed.changing.sent), (0, 0));
    }
}

#[tokio::test]
async fn a_refused_connection_fails_and_sends_nothing() {
    let gate = Kit::offline().live();
    assert_eq!(gate.fails(post(THINGS, "{}")).await, "connection-refused");
    assert!(
        gate.trouble().starts_with("no connection: "),
        "{}",
        gate.trouble()
    );
    let observed = gate.pipeline.observed();
    assert_eq!((observed.sent, observed.changing.sent), (0, 0));
    assert_eq!(observed.took.len(), 1);
}

/// The service received the request and may have carried it out.
#[tokio::test]
async fn a_connection_that_is_closed_without_a_response_leaves_the_request_sent() {
    let server = Server::closing("");
    let gate = Kit::to(&server).live();
    assert_eq!(gate.fails(post(THINGS, "{}")).await, "connection-terminated");
    let observed = gate.pipeline.observed();
    assert_eq!((observed.sent, observed.answered), (1, 0));
    assert_eq!((observed.changing.sent, observed.changing.answered), (1, 0));
    assert_eq!(server.seen().len(), 1, "it is not sent again");
}

#[tokio::test]
async fn a_response_that_is_not_http_is_none() {
    let server = Server::closing("SSH-2.0-OpenSSH_9.9\r\n\r\n");
    let gate = Kit::to(&server).live();
    assert_eq!(gate.fails(get(THINGS)).await, "http-protocol-error");
    assert!(
        gate.trouble().starts_with("the answer is not HTTP: "),
        "{}",
        gate.trouble()
    );
}

#[tokio::test]
async fn a_service_without_tls_is_told_by_that() {
    let server = Server::interrupting("HTTP/1.1 400 Bad Request\r\n\r\n");
    let policy = "[[allow]]\norigin = \"https://other.example.com\"";
    let gate = Kit::to(&server).policy(policy).live();
    let wanted = get("https://other.example.com/");
    assert_eq!(gate.fails(wanted).await, "tls-protocol-error");
    assert!(gate.trouble().starts_with("TLS: "), "{}", gate.trouble());
    assert_eq!(gate.pipeline.observed().sent, 0);
    assert_eq!(gate.connected(), [SocketAddr::new(PUBLIC, 443)]);
}

#[tokio::test]
async fn a_redirect_is_the_response_and_is_not_followed() {
    let server = Server::start(response("302 Found", &[("location", OTHER)], ""));
    let gate = Kit::to(&server).policy(ALLOWS_OTHER).live();
    let response = gate.sent(get(THINGS)).await;
    assert_eq!(response.status, StatusCode::FOUND);
    assert_eq!(gate.looked_up(), ["crm.example.com"]);
    assert_eq!(server.seen().len(), 1);
}
