//! Which hosts may be called: rows 1 to 17.

use nodule::Failure;
use nodule::policy::Policy;
use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, Setup, command, file, finished};
use crate::guests::CALLS;
use crate::server::{Server, Step, answer, ok};

/// A public address, which no test really contacts.
const PUBLIC: &str = "93.184.216.34";

async fn service() -> Server {
    Server::start(|_| ok("{}")).await
}

fn base(server: &Server) -> String {
    format!("{}/api", server.origin())
}

/// Asserts that each URL is refused before anything is sent: no look-up, no connection except the honest item's, and an
/// event with the rule.
async fn refused(bench: &Bench, setup: &Setup, server: &Server, urls: &[&str], rules: &[&str]) {
    for url in urls {
        bench.network.take();
        server.take();
        let failure = setup.get(url).await.expect_err(url);
        let (looked_up, _) = bench.network.take();
        assert!(looked_up.is_empty(), "{url}: looked up {looked_up:?}");
        assert_eq!(server.take().len(), 1, "{url}: only the honest request arrives");
        match failure {
            // `wasi:http` itself refuses such a URL.
            Failure::InvalidInput(message) => assert!(message.starts_with("unsendable"), "{url}: {message}"),
            Failure::Denied { message, .. } => {
                assert!(!message.is_empty());
                let event = bench.log.last("denied");
                assert!(rules.contains(&event["rule"].as_str().unwrap()), "{url}: {event}");
                assert_eq!(event["node"], "hostile", "{url}");
            }
            failure => panic!("{url}: {failure:?}"),
        }
    }
}

pub async fn not_listed(bench: &Bench) {
    let server = service().await;
    let nothing = Setup::new(bench, CALLS, base(&server)).await;
    refused(
        bench,
        &nothing,
        &server,
        &["https://api.example.com/"],
        &["nothing-allowed"],
    )
    .await;
    let other = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("https://other.example.com");
    refused(bench, &other, &server, &["https://api.example.com/"], &["host"]).await;
    let failure = other.get("https://api.example.com/v1").await.unwrap_err();
    let Failure::Denied { hint: Some(hint), .. } = failure else {
        panic!("{failure:?}")
    };
    assert!(
        hint.contains("[[allow]]\norigin = \"https://api.example.com\""),
        "{hint}"
    );
}

pub async fn look_alike_names(bench: &Bench) {
    let server = service().await;
    let setup = Setup::new(bench, CALLS, base(&server)).await;
    let setup = setup.allow("https://good.com").allow("https://*.good.com");
    let urls = [
        "https://good.com.evil.com/",
        "https://evilgood.com/",
        "https://evil.com/good.com",
        "https://a.good.com.evil.com/",
        "https://good.co/",
        "https://.good.com/",
    ];
    refused(bench, &setup, &server, &urls, &["host", "url"]).await;
}

pub async fn user_info(bench: &Bench) {
    let server = service().await;
    let setup = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("https://good.com")
        .allow("https://evil.com");
    let urls = [
        "https://good.com@evil.com/",
        "https://good.com:x@evil.com/",
        "https://good.com%40evil.com/",
        "https://good.com\\@evil.com/",
        "https://good.com\\.evil.com/",
    ];
    refused(bench, &setup, &server, &urls, &["url", "host"]).await;
}

pub async fn spellings(bench: &Bench) {
    let server = service().await;
    bench.network.outside(server.address());
    bench.network.name("good.com", &[&[PUBLIC]]);
    let setup = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("http://good.com");
    for url in [
        "http://GOOD.com./",
        "http://Good.Com/",
        "http://good.com.:80/",
        "http://good.com/",
    ] {
        server.take();
        bench.network.take();
        assert_eq!(setup.get(url).await.unwrap()["status"], 200, "{url}");
        // One connection serves all four spellings, because they are one name.
        assert!(
            bench.network.take().0.iter().all(|name| name == "good.com"),
            "{url}"
        );
        assert!(
            server
                .take()
                .iter()
                .any(|request| request.header("host") == ["good.com"]),
            "{url}"
        );
    }
}

pub async fn idn(bench: &Bench) {
    let server = service().await;
    let setup = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("https://paypal.com");
    // The first `a` in one of them is Cyrillic.
    let urls = [
        "https://pаypal.com/",
        "https://xn--pypal-4ve.com/",
        "https://paypal.com\u{3002}/",
        "https://ｐaypal.com/",
    ];
    refused(bench, &setup, &server, &urls, &["host", "url"]).await;
    bench.network.outside(server.address());
    bench.network.name("xn--pypal-4ve.com", &[&[PUBLIC]]);
    let listed = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("http://xn--pypal-4ve.com");
    assert_eq!(
        listed.get("http://xn--pypal-4ve.com/").await.unwrap()["status"],
        200
    );
}

pub async fn port_and_scheme(bench: &Bench) {
    let server = service().await;
    let setup = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("https://good.com");
    refused(
        bench,
        &setup,
        &server,
        &["https://good.com:8443/", "https://good.com:80/"],
        &["port"],
    )
    .await;
    refused(bench, &setup, &server, &["http://good.com:443/"], &["scheme"]).await;
    refused(bench, &setup, &server, &["http://good.com/"], &["scheme", "port"]).await;
    for url in ["ftp://good.com/", "://good.com/"] {
        server.take();
        setup.get(url).await.expect_err(url);
        assert_eq!(server.take().len(), 1, "{url}: only the honest request arrives");
    }
    // The credential allows its own origin only, not another port of it.
    let other = service().await;
    let url = format!("{}/api", other.origin());
    refused(bench, &setup, &server, &[&url], &["host", "port"]).await;
    assert_eq!(other.connections(), 0);
}

pub async fn paths(bench: &Bench) {
    let server = service().await;
    let setup = Setup::new(bench, CALLS, base(&server)).await;
    let at = |path: &str| format!("{}{path}", server.origin());
    let out = [
        "/admin",
        "/apix",
        "//api/x",
        "/api//x",
        "/api/../admin",
        "/api/%2e%2e/admin",
        "/api/%2E%2e%2fadmin",
        "/api/..%2fadmin",
        "/api/..%5cadmin",
        "/api/%252e%252e%252fadmin",
        "/api/..;/admin",
        "/api/x;/../../admin",
        "/api;x/admin",
        "/api/x;y",
        "/api%2fadmin",
        "/api/\\..\\admin",
    ];
    let urls: Vec<String> = out.iter().map(|path| at(path)).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    refused(bench, &setup, &server, &urls, &["nothing-allowed", "url", "path"]).await;
    // The URL that was checked is the URL that is sent.
    for (asked, sent) in [("/api/%7eme/%61", "/api/~me/a"), ("/api/a%2fb", "/api/a%2Fb")] {
        server.take();
        setup.get(&at(asked)).await.unwrap();
        assert_eq!(server.take().first().unwrap().target(), sent);
    }
}

pub async fn item_values(bench: &Bench) {
    let simulator = simulator::Simulator::start(simulator::Config {
        log_requests: true,
        ..Default::default()
    })
    .unwrap();
    let component = bench.socialhub().await;
    let credential = json!({
        "baseUrl": simulator.base_url(), "appId": simulator::DEMO_APP_ID, "appSecret": simulator::DEMO_APP_SECRET,
    });
    let credential = nodule::Credential::from_json(component.node(), &credential.to_string()).unwrap();
    let runner = component.runner().credential(credential).build().unwrap();
    let values = [
        "../auth/token",
        "a?b#c",
        "a/b",
        "%2e%2e",
        "..%2fauth",
        "..",
        ".",
        "a\\b",
        "a;b",
        "ä 字",
    ];
    let items: Vec<Value> = values.iter().map(|value| json!({"cardNo": value})).collect();
    let results = runner
        .execute("member", "getMember", items, &nodule::RunOptions::default())
        .await
        .unwrap();
    assert_eq!(results.len(), values.len());
    let targets: Vec<String> = simulator
        .requests()
        .into_iter()
        .map(|request| request.target)
        .collect();
    let mut sent = 0;
    for target in targets.iter().filter(|target| !target.contains("/auth/")) {
        let value = target
            .strip_prefix("/v1/member/")
            .unwrap_or_else(|| panic!("{target}"));
        assert!(!value.contains(['/', '?', '#', '\\', ';', ' ']), "{target}");
        assert!(!matches!(value, "." | ".." | "%2E%2E" | "%2E"), "{target}");
        sent += 1;
    }
    // Values that cannot be a path segment in any encoding fail.
    let failed = results.iter().filter(|result| matches!(result, Err(failure) if failure.kind() == "invalid-parameters" || failure.kind() == "denied"));
    assert_eq!(sent + failed.count(), values.len());
    assert_eq!(simulator.stats().token_requests, 1);
    simulator.stop();
}

/// An unlisted address is refused by the policy; a listed name that resolves to it is refused at the connection.
async fn forbidden(bench: &Bench, addresses: &[&str]) {
    let server = service().await;
    bench.network.outside(server.address());
    let setup = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("http://api.example.com");
    for address in addresses {
        let literal = if address.contains(':') {
            format!("http://[{address}]/")
        } else {
            format!("http://{address}/")
        };
        refused(bench, &setup, &server, &[&literal], &["host"]).await;
        bench.network.name("api.example.com", &[&[address]]);
        bench.network.take();
        let failure = setup.get("http://api.example.com/").await.expect_err(address);
        assert_eq!(failure.kind(), "denied", "{address}: {failure:?}");
        let (_, connected) = bench.network.take();
        assert_eq!(
            connected.iter().filter(|to| **to != server.address()).count(),
            0,
            "{address}: {connected:?}"
        );
        assert_eq!(bench.log.last("denied")["rule"], "address", "{address}");
    }
}

pub async fn disguised_addresses(bench: &Bench) {
    let server = service().await;
    let port = server.address().port();
    let setup = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("https://good.com");
    let urls = [
        "http://2130706433/".to_owned(),
        "http://0x7f.1/".to_owned(),
        "http://0177.0.0.1/".to_owned(),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/api"),
        format!("http://[::127.0.0.1]:{port}/api"),
        "http://127.1/".to_owned(),
        "http://localhost/".to_owned(),
    ];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    refused(bench, &setup, &server, &urls, &["host", "path", "port"]).await;
    forbidden(bench, &["127.0.0.1", "::1", "::ffff:127.0.0.1", "::127.0.0.1"]).await;
    // An entry whose name may be private does not allow the notations that hide an IPv4 address.
    bench
        .network
        .name("intern.example.com", &[&["::ffff:127.0.0.1", "64:ff9b::7f00:1"]]);
    let private = Setup::new(bench, CALLS, base(&server)).await;
    let private = private.policy("[[allow]]\norigin = \"http://intern.example.com\"\nprivate = true");
    assert_eq!(
        private
            .get("http://intern.example.com/")
            .await
            .unwrap_err()
            .kind(),
        "denied"
    );
}

pub async fn embedded_addresses(bench: &Bench) {
    let addresses = [
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::1",
        "2001::1",
        "fec0::1",
        "fe80::1",
    ];
    forbidden(bench, &addresses).await;
}

pub async fn special_addresses(bench: &Bench) {
    let addresses = [
        "169.254.169.254",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "100.64.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ];
    forbidden(bench, &addresses).await;
    // Unless the entry is that literal address.
    let server = service().await;
    bench.network.outside(server.address());
    let listed = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("http://10.1.2.3");
    assert_eq!(listed.get("http://10.1.2.3/").await.unwrap()["status"], 200);
    refused(bench, &listed, &server, &["http://10.1.2.4/"], &["host"]).await;
}

pub async fn names_of_private_addresses(bench: &Bench) {
    forbidden(bench, &["127.0.0.1", "10.0.0.1"]).await;
    let server = service().await;
    let port = server.address().port();
    bench.network.name("intern.example.com", &[&["127.0.0.1"]]);
    let origin = format!("http://intern.example.com:{port}");
    let url = format!("{origin}/x");
    let public = Setup::new(bench, CALLS, base(&server)).await.allow(&origin);
    let Err(Failure::Denied { hint: Some(hint), .. }) = public.get(&url).await else {
        panic!("no hint")
    };
    // The lines in the hint allow the request.
    let lines = hint.split_once("[[allow]]").unwrap().1;
    let private = Setup::new(bench, CALLS, base(&server))
        .await
        .policy(format!("[[allow]]{lines}"));
    assert_eq!(private.get(&url).await.unwrap()["status"], 200);
    // The credential allows its base URL, under the same address rules.
    let bound = Setup {
        base: origin,
        ..Setup::new(bench, CALLS, "").await
    };
    let results = bound.run(vec![json!({"requests": [{"url": url}]})]).await;
    assert_eq!(results[0].as_ref().unwrap_err().kind(), "denied");
}

pub async fn mixed_addresses(bench: &Bench) {
    let server = service().await;
    bench.network.outside(server.address());
    bench
        .network
        .name("mixed.example.com", &[&["10.0.0.1", PUBLIC, "127.0.0.1"]]);
    let setup = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("http://mixed.example.com");
    bench.network.take();
    assert_eq!(
        setup.get("http://mixed.example.com/").await.unwrap()["status"],
        200
    );
    let (_, connected) = bench.network.take();
    let outside: Vec<String> = connected
        .iter()
        .filter(|to| **to != server.address())
        .map(ToString::to_string)
        .collect();
    assert_eq!(outside, [format!("{PUBLIC}:80")]);
}

pub async fn rebinding(bench: &Bench) {
    // Each response closes its connection, so each request needs a new one.
    let server = Server::start(|_| {
        let mut steps = answer("200 OK", &[("connection", "close")], "{}");
        steps.push(Step::Close);
        steps
    })
    .await;
    bench.network.outside(server.address());
    bench
        .network
        .name("rebinds.example.com", &[&[PUBLIC], &["127.0.0.1"]]);
    let setup = Setup::new(bench, CALLS, base(&server))
        .await
        .allow("http://rebinds.example.com");
    bench.network.take();
    assert_eq!(
        setup.get("http://rebinds.example.com/").await.unwrap()["status"],
        200
    );
    let (looked_up, connected) = bench.network.take();
    assert_eq!(
        looked_up,
        ["rebinds.example.com"],
        "one look-up for one connection"
    );
    assert!(
        connected.contains(&format!("{PUBLIC}:80").parse().unwrap()),
        "{connected:?}"
    );
    // The second look-up is checked like the first.
    assert_eq!(
        setup.get("http://rebinds.example.com/").await.unwrap_err().kind(),
        "denied"
    );
    let (_, connected) = bench.network.take();
    assert!(
        connected.iter().all(|to| *to == server.address()),
        "{connected:?}"
    );
}

pub async fn redirects(bench: &Bench) {
    let other = service().await;
    let targets = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("{}/stolen", other.origin()),
    ];
    for target in targets {
        let location = target.clone();
        let server = Server::start(move |request| match request.target() {
            "/api/redirect" => answer("302 Found", &[("location", &location)], ""),
            _ => ok("{}"),
        })
        .await;
        let setup = Setup::new(bench, CALLS, base(&server))
            .await
            .allow(&other.origin());
        let seen = setup.get(&format!("{}/redirect", base(&server))).await.unwrap();
        assert_eq!(seen["status"], 302, "the node sees the redirect");
        let arrived = server.take();
        assert_eq!(
            arrived
                .iter()
                .filter(|request| request.target() == "/api/redirect")
                .count(),
            1
        );
        assert_eq!(other.connections(), 0, "and nobody follows it");
    }
}

pub async fn proxy_variables(_: &Bench) {
    let proxy = service().await;
    let server = service().await;
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("credential.json");
    let json = json!({"baseUrl": base(&server), "secret": SECRET, "mode": "none"});
    std::fs::write(&credential, json.to_string()).unwrap();
    let task = json!([{"url": format!("{}/things", base(&server))}]);
    let mut run = std::process::Command::new(command());
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        run.env(name, proxy.origin());
    }
    run.env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("NODULE_CACHE_DIR", folder.path().join("cache"));
    run.arg("run")
        .arg(file(CALLS))
        .args(["things", "read", "--param", &format!("requests:={task}")]);
    run.arg("--credential").arg(&credential);
    let done = finished(run).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!((proxy.connections(), server.take().len()), (0, 1));
}

pub async fn bad_policies(_: &Bench) {
    let bad = [
        (
            "[[allow]]\norigin = \"https://a.example\"\nfollow = true",
            3,
            "unknown key `follow`",
        ),
        ("proxy = \"http://proxy\"", 1, "unknown key `proxy`"),
        (
            "[[allow]]\norigin = \"https://a.example\"\nmethods = []",
            3,
            "at least one method",
        ),
        (
            "[[allow]]\n\norigin = \"https://a.example/v1\"",
            3,
            "without a path",
        ),
        ("[[allow]]\norigin = \"*com\"", 2, "scheme"),
        ("[[allow]]\norigin = \"https://*com\"", 2, "wildcard"),
        ("[limits]\nmemory = 1", 2, "memory-bytes"),
    ];
    for (text, line, words) in bad {
        let error = Policy::from_toml(text, "policy.toml").expect_err(text);
        let shown = error.to_string();
        assert!(shown.contains(&format!("policy.toml:{line}: ")), "{shown}");
        assert!(
            format!("{shown}\n{}", error.hint().unwrap_or_default()).contains(words),
            "{shown}"
        );
    }
    // A missing list allows nothing.
    assert!(Policy::from_toml("", "policy.toml").unwrap().rules().is_empty());
}
