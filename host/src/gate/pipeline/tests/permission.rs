//! Step 2: what policy and credential allow.

use super::permit::{Refusal, decide};
use super::*;

fn decided(policy: &str, scope: Scope, request: &ValidatedRequest) -> Result<Permit, Refusal> {
    decide(&Policy::from_toml(policy, "policy.toml").unwrap(), scope, request)
}

fn allowed(policy: &str, method: Method, url: &str) -> Permit {
    decided(policy, Scope::Operation, &checked(method, url)).unwrap()
}

fn rule(policy: &str, scope: Scope, method: Method, url: &str) -> &'static str {
    decided(policy, scope, &checked(method, url)).unwrap_err().rule
}

#[test]
fn what_nothing_allows_is_refused_by_the_rule_that_is_missing() {
    use Scope::Operation;
    for (policy, method, url, expected) in [
        ("", Method::GET, OTHER, "nothing-allowed"),
        (ALLOWS_OTHER, Method::GET, "http://third.example.com/", "host"),
        (ALLOWS_OTHER, Method::GET, "https://other.example.com/", "scheme"),
        (ALLOWS_OTHER, Method::GET, "http://other.example.com:81/", "port"),
        (ALLOWS_OTHER, Method::TRACE, OTHER, "forbidden-method"),
    ] {
        assert_eq!(rule(policy, Operation, method, url), expected, "{url}");
    }
    let narrow = format!("{ALLOWS_OTHER}\npath = \"/v1\"\nmethods = [\"GET\"]");
    assert_eq!(rule(&narrow, Operation, Method::GET, OTHER), "path");
    let url = "http://other.example.com/v1";
    assert_eq!(rule(&narrow, Operation, Method::POST, url), "methods");
    assert_eq!(allowed(&narrow, Method::GET, url), Permit::PublicOnly);
}

#[test]
fn a_refusal_has_the_lines_that_would_allow_it() {
    let request = checked(Method::POST, OTHER);
    let refusal = decided("", Scope::Operation, &request).unwrap_err();
    assert!(refusal.message.contains("other.example.com"), "{refusal:?}");
    let hint = refusal.hint.unwrap();
    assert!(
        hint.contains("[[allow]]\norigin = \"http://other.example.com\""),
        "{hint}"
    );
}

#[test]
fn a_credential_allows_its_base_url_where_the_policy_does_not_say_otherwise() {
    assert_eq!(allowed("", Method::POST, THINGS), Permit::PublicOnly);
    assert_eq!(allowed("", Method::GET, BASE), Permit::PublicOnly);
    for url in [
        "http://crm.example.com/apix",
        "http://crm.example.com/",
        "https://crm.example.com/api",
    ] {
        assert_eq!(
            rule("", Scope::Operation, Method::GET, url),
            "nothing-allowed",
            "{url}"
        );
    }
    let listed = "base-url = \"listed\"";
    assert_eq!(
        rule(listed, Scope::Operation, Method::GET, THINGS),
        "nothing-allowed"
    );
    assert_eq!(
        rule(listed, Scope::Authentication, Method::GET, THINGS),
        "authentication"
    );
}

#[test]
fn private_addresses_are_for_the_entry_that_says_so() {
    let private = format!("{ALLOWS_OTHER}\nprivate = true");
    assert_eq!(allowed(&private, Method::GET, OTHER), Permit::PrivateAllowed);
    assert_eq!(allowed(&private, Method::GET, THINGS), Permit::PublicOnly);
}

#[test]
fn an_authenticating_node_reaches_the_base_url_alone_whatever_the_policy_lists() {
    let of = |url: &str| decided(ALLOWS_OTHER, Scope::Authentication, &checked(Method::POST, url));
    assert_eq!(of(THINGS), Ok(Permit::PublicOnly));
    let refusal = of(OTHER).unwrap_err();
    assert_eq!((refusal.rule, refusal.hint), ("authentication", None));
}

#[tokio::test]
async fn a_denied_request_reaches_no_network() {
    let (message, hint) = Kit::offline().live().denied(get(OTHER)).await;
    assert!(message.contains("other.example.com"), "{message}");
    assert!(hint.is_some());
}

#[tokio::test]
async fn of_several_denials_the_first_is_told() {
    let gate = Kit::offline().live();
    gate.denied(get(OTHER)).await;
    let (message, _) = gate.denied(get("http://third.example.com/")).await;
    assert!(message.contains("other.example.com"), "{message}");
}

/// The node knows the secret and could encode it in where its request goes.
#[tokio::test]
async fn where_an_authenticating_node_wanted_to_go_is_not_told() {
    for wanted in [
        get("http://s3cr3t.example.com/"),
        get("http://crm.example.com/s3cr3t"),
        request("TRACE", "http://crm.example.com/api/s3cr3t", &[], ""),
        request("GET", THINGS, &[("x-forwarded-s3cr3t", "x")], ""),
    ] {
        let (message, hint) = Kit::offline().authenticating().live().denied(wanted).await;
        let expected = "an authenticating node may send plain requests below `http://crm.example.com/api`, and tried another";
        assert_eq!((message.as_str(), hint), (expected, None));
    }
}

#[tokio::test]
async fn where_a_replayed_authenticating_node_wanted_to_go_is_told() {
    let pipeline = Kit::offline()
        .authenticating()
        .replay(of_one(("GET", THINGS, ""), recorded_response(200, "", None)));
    let outcome = Arc::clone(&pipeline).exchange(get(OTHER), None).await;
    assert!(matches!(outcome, Err(HttpError::HttpRequestDenied)));
    assert!(denial(&pipeline).0.contains("`http://other.example.com`"));
}

#[tokio::test]
async fn an_authenticating_node_may_send_sixteen_requests() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).authenticating().live();
    for _ in 0..AUTHENTICATION_REQUESTS {
        gate.sent(post(THINGS, "{}")).await;
    }
    assert_eq!(gate.fails(get(THINGS)).await, "http-request-denied");
    assert_eq!(
        denial(&gate.pipeline).0,
        "an authenticating node may send 16 requests"
    );
    assert_eq!(server.seen().len(), 16);
}

#[tokio::test]
async fn a_write_sends_as_many_requests_that_change_something_as_it_declares() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).write(1).live();
    for allowed in [get(THINGS), post(THINGS, "{}"), request("HEAD", THINGS, &[], "")] {
        gate.sent(allowed).await;
    }
    assert_eq!(gate.fails(post(THINGS, "{}")).await, "http-request-denied");
    let (message, hint) = denial(&gate.pipeline);
    assert_eq!(
        message,
        "the items of this call may send 1 request other than GET and HEAD, as the operation's description says (`write-requests`)"
    );
    assert_eq!(hint, None, "no policy can raise it");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_write_sends_as_many_as_the_policy_says() {
    let server = Server::start(ok(""));
    let mut kit = Kit::to(&server).write(3);
    kit.bound = Some(WriteBound {
        most: 2,
        is_of_policy: true,
    });
    let gate = kit.live();
    for _ in 0..2 {
        gate.sent(post(THINGS, "{}")).await;
    }
    assert_eq!(gate.fails(post(THINGS, "{}")).await, "http-request-denied");
    let (message, hint) = denial(&gate.pipeline);
    assert_eq!(
        message,
        "the items of this call may send 2 requests other than GET and HEAD, as the policy says (`write-requests`)"
    );
    assert_eq!(
        hint.as_deref(),
        Some("in the policy file:\n[operations.\"things.get\"]\nwrite-requests = 3")
    );
}

#[tokio::test]
async fn what_only_reads_sends_as_many_as_it_likes() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).live();
    for _ in 0..3 {
        gate.sent(post(THINGS, "{}")).await;
    }
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn to_authenticate_counts_as_no_write() {
    let server = Server::start(ok(""));
    let gate = Kit::to(&server).authenticating().write(1).live();
    for _ in 0..3 {
        gate.sent(post(THINGS, "{}")).await;
    }
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_question_of_a_form_sends_get_and_head() {
    let server = Server::start(ok(""));
    let mut kit = Kit::to(&server);
    kit.reads_only = true;
    let gate = kit.live();
    for allowed in [get(THINGS), request("HEAD", THINGS, &[], "")] {
        gate.sent(allowed).await;
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "REPORT"] {
        let refused = request(method, THINGS, &[], "");
        assert_eq!(gate.fails(refused).await, "http-request-denied", "{method}");
    }
    let (message, hint) = denial(&gate.pipeline);
    assert_eq!(
        (message.as_str(), hint),
        ("a question of a form may send GET and HEAD", None)
    );
    assert_eq!(server.seen().len(), 2);
}
