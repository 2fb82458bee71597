//! Requests that are signed: what the signer is shown, what may come back, and who learns of it.

use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use nodule_core::description::BodyNeed;

use super::*;

/// A signature, long and varied enough for redaction to look for it.
const SIGNATURE: &str = "5d672d79c15b13162d9279b0855cfba6789a8edb";

type Changes = dyn Fn(Draft<'_>) -> Result<SignedRequest, Failure> + Send + Sync;

/// A signer that does what a test says.
struct Signs {
    needs: BodyNeed,
    changes: Box<Changes>,
}

impl Signer for Signs {
    fn needs(&self) -> BodyNeed {
        self.needs
    }

    fn sign<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<SignedRequest, Failure>> {
        std::future::ready((self.changes)(draft)).boxed()
    }
}

/// The draft, unchanged.
fn same(draft: &Draft<'_>) -> SignedRequest {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    SignedRequest {
        url: draft.url.clone(),
        headers: draft.headers.iter().map(owned).collect(),
        body: None,
    }
}

impl Kit {
    fn signed(
        mut self,
        needs: BodyNeed,
        changes: impl Fn(Draft<'_>) -> Result<SignedRequest, Failure> + Send + Sync + 'static,
    ) -> Self {
        // As for every credential that signs: a session that adds nothing, and knows the secrets.
        let secret = Secret::new(SECRET.to_owned());
        self.access = Some(Access::new(
            Vec::new(),
            Query::new(Vec::new()),
            [&secret].into_iter(),
        ));
        self.signer = Some(Arc::new(Signs {
            needs,
            changes: Box::new(changes),
        }));
        self
    }

    /// With a change to what the signer returns.
    fn changed(self, change: impl Fn(&mut SignedRequest) + Send + Sync + 'static) -> Self {
        self.signed(BodyNeed::Size, move |draft| {
            let mut signed = same(&draft);
            change(&mut signed);
            Ok(signed)
        })
    }
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Gate {
    /// Sends a request that ends its call. Returns why.
    async fn cut(&self, request: RawRequest) -> Failure {
        let exchange = pin!(self.send(request));
        let Err(failure) = self.pipeline.unless_cut(exchange).await else {
            panic!("the call goes on");
        };
        failure
    }
}

#[tokio::test]
async fn what_is_signed_is_sent_to_the_byte() {
    let server = Server::start(ok("{}"));
    let url = "http://crm.example.com/api/things/a%20b?z=1&a=%2F&sign=x";
    let gate = Kit::to(&server)
        .changed(move |signed| {
            signed.url = url.to_owned();
            signed.headers.retain(|(name, _)| name != "x-gone");
            signed.headers.push(header("authorization", SIGNATURE));
            signed.body = Some(b"{\"token\":1}".to_vec());
        })
        .live();
    let asked = request("POST", THINGS, &[("x-gone", "1"), ("x-kept", "2")], "{}");
    assert_eq!(gate.sent(asked).await.status, StatusCode::OK);
    let seen = server.one();
    assert!(
        seen.starts_with("post /api/things/a%20b?z=1&a=%2f&sign=x http/1.1\n"),
        "{seen}"
    );
    assert!(seen.contains(&format!("authorization: {SIGNATURE}")), "{seen}");
    assert!(seen.contains("x-kept: 2") && !seen.contains("x-gone"), "{seen}");
    assert!(seen.ends_with("\n\n{\"token\":1}"), "{seen}");
}

#[tokio::test]
async fn the_signer_is_shown_as_much_of_the_body_as_it_needs() {
    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    for (needs, body, expected) in [
        (BodyNeed::Size, "hello", "size 5".to_owned()),
        (BodyNeed::Digest, "hello", format!("{HELLO} 5")),
        (BodyNeed::Whole, "hello", "hello".to_owned()),
        (BodyNeed::Size, "", "empty".to_owned()),
        (BodyNeed::Digest, "", "empty".to_owned()),
        (BodyNeed::Whole, "", "empty".to_owned()),
    ] {
        let server = Server::start(ok("{}"));
        let seen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&seen);
        let gate = Kit::to(&server)
            .signed(needs, move |draft| {
                *shown.lock().unwrap() = match &draft.body {
                    DraftBody::Empty => "empty".to_owned(),
                    DraftBody::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    DraftBody::Digest { sha256, size } => format!("{sha256} {size}"),
                    DraftBody::Size(size) => format!("size {}", size.unwrap()),
                };
                assert_eq!((draft.method, draft.url.as_str()), ("POST", THINGS));
                Ok(same(&draft))
            })
            .live();
        gate.sent(request("POST", THINGS, &[], body)).await;
        assert_eq!(*seen.lock().unwrap(), expected, "{needs:?}");
    }
}

/// A change that nobody may make of a request, and the words for it.
async fn refused(kit: Kit, expected: &str) {
    let gate = kit.live();
    let failure = gate.cut(post(THINGS, "{}")).await;
    assert_eq!(failure.kind(), "signing");
    assert!(failure.to_string().contains(expected), "{failure}");
    assert!(gate.connected().is_empty(), "{expected}");
    assert_eq!(gate.pipeline.observed().sent, 0);
}

#[tokio::test]
async fn a_signature_changes_neither_the_origin_nor_what_the_policy_refuses() {
    for url in [
        OTHER,
        "https://crm.example.com/api/things",
        "http://crm.example.com:81/api/things",
    ] {
        let kit = Kit::offline().changed(|signed| signed.url = url.to_owned());
        refused(kit.policy(ALLOWS_OTHER), "another origin").await;
    }
    // Another spelling would be corrected, and then it is not what was signed.
    for url in [
        "http://CRM.example.com/api/things",
        "http://crm.example.com:80/api/things",
        "http://crm.example.com/api/%74hings",
        "http://crm.example.com/api/../things",
        "http://crm.example.com/api/things#a",
        "",
    ] {
        refused(
            Kit::offline().changed(|signed| signed.url = url.to_owned()),
            "cannot be sent",
        )
        .await;
    }
    let beyond = |signed: &mut SignedRequest| signed.url = "http://crm.example.com/admin".to_owned();
    refused(Kit::offline().changed(beyond), "beyond the base URL").await;
    let listed =
        "base-url = \"listed\"\n[[allow]]\norigin = \"http://crm.example.com\"\npath = \"/api/things\"";
    let another = |signed: &mut SignedRequest| signed.url = "http://crm.example.com/api/users".to_owned();
    refused(
        Kit::offline().changed(another).policy(listed),
        "the policy refuses",
    )
    .await;
}

#[tokio::test]
async fn a_signed_request_has_the_limits_of_every_request() {
    let set = |name: &'static str, value: &'static str| {
        Kit::offline().changed(move |signed| signed.headers.push(header(name, value)))
    };
    for name in [
        "host",
        "content-length",
        "transfer-encoding",
        "x-http-method-override",
    ] {
        refused(set(name, "1"), "not for a signature to set").await;
    }
    refused(set("x-a", "a\r\nb: c"), "no header value").await;
    let many = set("x-a", "1").limits(|limits| limits.header_count = 1);
    refused(many, "more headers").await;
    let large = Kit::offline()
        .changed(|signed| signed.body = Some(vec![b'x'; 1025]))
        .limits(|limits| limits.request_body_bytes = 1024);
    refused(large, "larger body").await;
}

#[tokio::test]
async fn nothing_is_signed_where_the_credential_may_not_go() {
    let server = Server::start(ok("{}"));
    let gate = Kit::to(&server)
        .policy(ALLOWS_OTHER)
        .signed(BodyNeed::Whole, |_| panic!("it was asked"))
        .live();
    assert_eq!(gate.sent(get(OTHER)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_signer_that_fails_ends_the_call_and_the_node_learns_nothing() {
    let gate = Kit::offline()
        .signed(BodyNeed::Size, |_| Err(BadSignature::Refused.into()))
        .live();
    let failure = gate.cut(get(THINGS)).await;
    assert_eq!(failure.to_string(), "the node could not sign the request");
    // Neither this request nor one to elsewhere is answered any more.
    assert!(gate.send(get(THINGS)).now_or_never().is_none());
    assert!(gate.send(get(OTHER)).now_or_never().is_none());
    let done = gate.pipeline.unless_cut(pin!(std::future::ready(1))).await;
    assert!(done.is_err(), "what the call returned meanwhile does not count");
}

#[tokio::test]
async fn what_a_service_repeats_of_a_signature_is_redacted_and_the_nodes_own_words_are_not() {
    let body =
        format!("{{\"got\":\"{SIGNATURE}\",\"secret\":\"{SECRET}\",\"own\":\"0f1e2d3c4b5a69788796a5b4\"}}");
    let server = Server::start(response("400 Bad", &[("x-got", SIGNATURE)], body));
    let gate = Kit::to(&server)
        .changed(|signed| {
            let value = format!("HMAC key=a, signature={SIGNATURE}, nonce=0f1e2d3c4b5a69788796a5b4");
            signed.headers.push(header("authorization", &value));
        })
        .live();
    let asked = request("POST", THINGS, &[], "0f1e2d3c4b5a69788796a5b4");
    let answer = gate.sent(asked).await;
    assert_eq!(answer.headers["x-got"], "[redacted]");
    assert_eq!(
        answer.body,
        "{\"got\":\"[redacted]\",\"secret\":\"[redacted]\",\"own\":\"0f1e2d3c4b5a69788796a5b4\"}"
    );
}

#[tokio::test]
async fn a_recording_has_the_request_before_it_was_signed() {
    let server = Server::start(ok(format!("\"{SIGNATURE}\"")));
    let (kit, recorder) = Kit::to(&server)
        .changed(|signed| {
            signed.url = format!("http://crm.example.com/api/bot{SECRET}/things?sign={SIGNATURE}");
            signed.headers.push(header("x-signature", SIGNATURE));
            signed.body = Some(format!("{{\"token\":\"{SECRET}\"}}").into_bytes());
        })
        .recorded();
    let gate = kit.live();
    gate.sent(post(THINGS, "{}")).await;
    assert!(server.one().contains(SECRET));
    let text = finished(&recorder).to_text("case.har", |_| false).unwrap();
    assert!(text.contains(THINGS) && text.contains("[redacted]"), "{text}");
    assert!(!text.contains(SECRET) && !text.contains(SIGNATURE), "{text}");
    let replay = Kit::offline()
        .signed(BodyNeed::Whole, |_| panic!("a replay signs nothing"))
        .replay(Recording::from_json(text.as_bytes(), "case.har").unwrap());
    assert!(
        Arc::clone(&replay)
            .exchange(post(THINGS, "{}"), None)
            .await
            .is_ok()
    );
    let (plan, planned) = Kit::offline()
        .signed(BodyNeed::Whole, |_| panic!("a plan signs nothing"))
        .dry_run();
    assert!(plan.exchange(get(THINGS), None).await.is_err());
    assert_eq!(planned.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_signature_fails_in_a_replay_too() {
    let (kit, recorder) = Kit::offline()
        .signed(BodyNeed::Size, |_| Err(BadSignature::Refused.into()))
        .recorded();
    let gate = kit.live();
    gate.cut(post(THINGS, "{}")).await;
    let replay = Kit::offline().replay(finished(&recorder));
    let exchange = pin!(Arc::clone(&replay).exchange(post(THINGS, "{}"), None));
    let Err(failure) = replay.unless_cut(exchange).await else {
        panic!("the call goes on");
    };
    assert_eq!(failure.kind(), "signing");
}

#[tokio::test]
async fn a_signing_instance_reaches_nothing() {
    let mut kit = Kit::offline().policy(ALLOWS_OTHER);
    kit.scope = Scope::Signing;
    let gate = kit.live();
    for url in [THINGS, OTHER] {
        let (message, hint) = gate.denied(get(url)).await;
        assert_eq!(
            (message.as_str(), hint),
            ("a signing node may not send requests", None)
        );
    }
}
