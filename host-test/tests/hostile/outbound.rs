//! Settings of an engine's operator for all nodes: blocked addresses and a proxy.

use nodule::Failure;
use nodule::address::AddressLists;
use nodule::network::Proxy;

use crate::bench::{Bench, Setup};
use crate::guests::CALLS;
use crate::server::{Server, answer, ok};

/// A public address, which no test really contacts.
const PUBLIC: &str = "93.184.216.34";

/// The proxy's user.
const USER: &str = "proxy-user";
const PASSWORD: &str = "proxy-password-4711";
/// `proxy-user:proxy-password-4711`
const ENCODED: &str = "cHJveHktdXNlcjpwcm94eS1wYXNzd29yZC00NzEx";

async fn service() -> Server {
    Server::start(|_| ok("{}")).await
}

/// Asserts that the engine's lists deny the request.
async fn is_blocked(bench: &Bench, setup: &Setup, url: &str) {
    let Err(Failure::Denied { hint: Some(hint), .. }) = setup.get(url).await else {
        panic!("{url} was not denied with a hint")
    };
    assert!(hint.contains("blocked for all nodes of this engine"), "{hint}");
    assert_eq!(bench.log.last("denied")["rule"], "address", "{url}");
}

pub async fn blocked_addresses(bench: &Bench) {
    let server = service().await;
    let lists = AddressLists::parse(&["10.9.9.9"], &["10.0.0.0/8", PUBLIC]).unwrap();
    let bench = bench.with(|config| config.addresses(lists));
    bench.network.outside(server.address());
    for (name, address) in [
        ("blocked.example.com", "10.1.2.3"),
        ("public.example.com", PUBLIC),
        ("allowed.example.com", "10.9.9.9"),
    ] {
        bench.network.name(name, &[&[address]]);
    }
    let setup = Setup::new(&bench, CALLS, format!("{}/api", server.origin()))
        .await
        .policy("[[allow]]\norigin = \"http://blocked.example.com\"\nprivate = true")
        .allow("http://public.example.com")
        .allow("http://10.1.2.3")
        .allow("http://[64:ff9b::a01:203]")
        .allow("http://allowed.example.com");
    for url in [
        "http://blocked.example.com/",
        "http://public.example.com/",
        "http://10.1.2.3/",
        // The same address, for a host that translates it.
        "http://[64:ff9b::a01:203]/",
    ] {
        bench.network.take();
        is_blocked(&bench, &setup, url).await;
        let (_, connected) = bench.network.take();
        assert!(
            connected.iter().all(|to| *to == server.address()),
            "{url}: {connected:?}"
        );
    }
    let allowed = setup.get("http://allowed.example.com/").await.unwrap();
    assert_eq!(allowed["status"], 200);
}

pub async fn proxy(bench: &Bench) {
    let proxy = Server::start(|request| {
        let is_known = request.header("proxy-authorization") == [format!("Basic {ENCODED}")];
        match request.target() {
            target if target.starts_with("http://service.example/") && is_known => ok("{}"),
            target if target.starts_with("http://") => answer("407 Who?", &[], ""),
            _ => answer("403 No", &[], ""),
        }
    })
    .await;
    let direct = service().await;
    let port = proxy.address().port();
    let url = format!("http://{USER}:{PASSWORD}@proxy.internal:{port}");
    let settings = Proxy::new(Some(&url), Some(&url), "127.0.0.1").unwrap();
    let lists = AddressLists::parse(&[] as &[&str], &["10.0.0.0/8"]).unwrap();
    let bench = bench.with(|config| config.proxy(settings).addresses(lists));
    bench.network.name("proxy.internal", &[&["127.0.0.1"]]);
    let before = bench.log.text().len();
    let setup = Setup::new(&bench, CALLS, "http://service.example/api")
        .await
        .allow("http://10.1.2.3")
        .allow("https://10.1.2.3")
        .allow("http://other.example")
        .allow("https://other.example")
        .allow(&direct.origin());

    // The proxy looks names up; addresses are still checked here.
    bench.network.take();
    let through = setup.get("http://service.example/api/x").await.unwrap();
    assert_eq!(through["status"], 200);
    let (looked_up, connected) = bench.network.take();
    assert!(
        looked_up.iter().all(|name| name == "proxy.internal"),
        "{looked_up:?}"
    );
    assert!(connected.iter().all(|to| *to == proxy.address()), "{connected:?}");
    proxy.take();
    for url in ["http://10.1.2.3/", "https://10.1.2.3/"] {
        is_blocked(&bench, &setup, url).await;
        let asked = proxy.take();
        assert!(
            asked.iter().all(|request| !request.target().contains("10.1.2.3")),
            "{url}"
        );
    }

    // A request that bypasses the proxy reveals nothing about it.
    let past = setup.get(&format!("{}/x", direct.origin())).await.unwrap();
    assert_eq!(past["status"], 200);
    for request in direct.take() {
        assert!(
            request.header("proxy-authorization").is_empty(),
            "{}",
            request.head
        );
    }

    // The error names a proxy that refuses, but not its user.
    let mut shown = vec![through.to_string(), past.to_string()];
    for (url, said) in [
        ("http://other.example/", "asks for a user and a password (407)"),
        (
            "https://other.example/",
            "opened no tunnel to the service: it answered 403",
        ),
    ] {
        let refused = format!("{:?}", setup.get(url).await);
        let named = format!("the proxy `http://proxy.internal:{port}` {said}");
        assert!(refused.contains(&named), "{refused}");
        shown.push(refused);
    }
    shown.push(format!("{:?}", bench.engine));
    shown.push(bench.log.text()[before..].to_owned());
    for text in shown {
        for secret in [USER, PASSWORD, ENCODED] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
