//! Steps 2, 4 and 8 at the origins that a node declares.

use super::*;
use nodule_core::credential::Credential;
use nodule_core::description::{EXAMPLE, Node, Origin};

/// An origin that names the bound credential. Of names, a description may declare only this one without TLS; the simulated
/// network gives it a public address.
const UPLOADS: &str = "http://localhost:8181/things";
/// An origin that names none.
const PLAIN: &str = "http://localhost:8282/things";
const GRANTS: &str = "declared = true";
/// The session's header.
const HEADER: &str = "x-session";

fn origins(policy: &str) -> DeclaredOrigins {
    let mut node: Node = serde_json::from_str(EXAMPLE).unwrap();
    let origin = |url: &str, access: &[&str]| Origin {
        url: url.to_owned(),
        access: access.iter().map(|name| (*name).to_owned()).collect(),
        reason: "It is needed".to_owned(),
    };
    node.origins = vec![
        origin("http://localhost:8181", &["cityLibraryApi"]),
        origin("http://localhost:8282", &[]),
    ];
    let fields =
        format!(r#"{{"$credential": "cityLibraryApi", "baseUrl": "{BASE}", "reader": "ann", "key": "k3y"}}"#);
    let credential = Credential::from_json(&node, &fields).unwrap();
    let policy = Policy::from_toml(policy, "policy.toml").unwrap();
    DeclaredOrigins::new(&node, Some(&credential), &policy).unwrap()
}

/// A kit with this policy, the two declared origins, and a session.
fn kit(kit: Kit, policy: &str) -> Kit {
    let mut kit = kit.policy(policy).session(HEADER);
    kit.origins = origins(policy);
    kit
}

#[tokio::test]
async fn what_is_declared_and_not_granted_is_refused_with_the_line_that_grants_it() {
    let (message, hint) = kit(Kit::offline(), "").live().denied(get(UPLOADS)).await;
    assert!(
        message.ends_with("the node declares this origin, and nobody granted it"),
        "{message}"
    );
    let hint = hint.unwrap();
    assert!(
        hint.ends_with("\ndeclared = [\"http://localhost:8181\"]"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_session_goes_to_granted_origins_that_name_the_credential_and_to_no_other() {
    let server = Server::start(ok(""));
    let gate = kit(Kit::to(&server), GRANTS).live();
    for url in [UPLOADS, PLAIN] {
        gate.sent(get(url)).await;
    }
    let seen = server.seen();
    assert!(seen[0].contains(&format!("\n{HEADER}: {SECRET}")), "{seen:?}");
    assert!(!seen[1].contains(HEADER), "{seen:?}");
}

/// An entry lets requests out; only a grant of the declaration lets access out.
#[tokio::test]
async fn an_entry_for_a_declared_origin_carries_no_session_there() {
    let server = Server::start(ok(""));
    let entry = "[[allow]]\norigin = \"http://localhost:8181\"";
    kit(Kit::to(&server), entry).live().sent(get(UPLOADS)).await;
    assert!(!server.one().contains(HEADER));
}

#[tokio::test]
async fn what_looks_like_a_granted_origin_is_refused() {
    for url in [
        "https://localhost:8181/",
        "http://localhost:8183/",
        "http://localhost.evil.example:8181/",
        "http://a.localhost:8181/",
        "http://xlocalhost:8181/",
        "http://93.184.216.34/",
    ] {
        kit(Kit::offline(), GRANTS).live().denied(get(url)).await;
    }
}

#[tokio::test]
async fn a_granted_origin_at_a_private_address_is_refused_unless_an_entry_says_so() {
    let server = Server::start(ok(""));
    let private = [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7))];
    let mut to = kit(Kit::to(&server), GRANTS);
    to.addresses = Ok(private.to_vec());
    let gate = to.live();
    assert_eq!(gate.fails(get(UPLOADS)).await, "http-request-denied");
    assert!(gate.connected().is_empty());
    let entry = format!("{GRANTS}\n[[allow]]\norigin = \"http://localhost:8181\"\nprivate = true");
    let mut to = kit(Kit::to(&server), &entry);
    to.addresses = Ok(private.to_vec());
    to.live().sent(get(UPLOADS)).await;
    assert!(server.one().contains(HEADER));
}

#[tokio::test]
async fn what_a_granted_origin_gives_back_of_the_session_is_redacted() {
    let server = Server::start(response("200 OK", &[("x-token", SECRET)], SECRET));
    let gate = kit(Kit::to(&server), GRANTS).live();
    let answer = gate.sent(get(UPLOADS)).await;
    assert_eq!(answer.headers["x-token"], "[redacted]");
    assert_eq!(&*answer.body, b"[redacted]");
    let answer = gate.sent(get(PLAIN)).await;
    assert_eq!(answer.headers["x-token"], SECRET, "it was not sent there");
}

#[tokio::test]
async fn an_authenticating_node_reaches_the_granted_origins_that_name_its_credential() {
    let server = Server::start(ok(""));
    let gate = kit(Kit::to(&server).authenticating(), GRANTS).live();
    gate.sent(get(UPLOADS)).await;
    assert!(!server.one().contains(HEADER), "it has no session yet");
    let expected = "an authenticating node may send plain requests below `http://crm.example.com/api` and at granted origins that \
                    name its credential, and tried another";
    let (message, hint) = kit(Kit::offline().authenticating(), GRANTS)
        .live()
        .denied(get(PLAIN))
        .await;
    assert_eq!((message.as_str(), hint), (expected, None));
    kit(Kit::offline().authenticating(), "")
        .live()
        .denied(get(UPLOADS))
        .await;
}

#[tokio::test]
async fn a_redirect_to_a_granted_origin_is_not_followed() {
    let server = Server::start(response("302 Found", &[("location", UPLOADS)], ""));
    let gate = kit(Kit::to(&server), GRANTS).live();
    assert_eq!(gate.sent(get(THINGS)).await.status, 302);
    assert_eq!(server.seen().len(), 1);
}
