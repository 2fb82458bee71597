//! Declared origins, fixed credentials and the number of writes: rows 101 to 106.

use nodule::policy::Policy;
use nodule::recording::Meta;
use nodule::{Credential, Failure, RunOptions};
use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, Setup, output};
use crate::guests::{DECLARES, NO_CREDENTIAL};
use crate::server::{Server, answer, ok, within};

/// The name that a description may declare without TLS. The tests' network gives it any address.
const NAME: &str = "localhost";
const PUBLIC: &str = "93.184.216.34";
const GRANTED: &str = "declared = true";

/// A node that declares an origin at the other server's port, with its base URL at the first.
async fn declaring(bench: &Bench, base: &Server, other: &Server, policy: &str) -> Setup {
    bench.network.outside(other.address());
    let port = other.address().port().to_string();
    let setup = Setup::new(bench, DECLARES, base.origin()).await.mode("1");
    setup.mode(&port).policy(policy)
}

fn declared(other: &Server) -> String {
    format!("http://{NAME}:{}", other.address().port())
}

async fn servers() -> (Server, Server) {
    (
        Server::start(|_| ok("{}")).await,
        Server::start(|_| ok("{}")).await,
    )
}

fn denial(result: Result<Value, Failure>) -> (String, String) {
    match result {
        Err(Failure::Denied { message, hint }) => (message, hint.unwrap_or_default()),
        other => panic!("expected a denial, found {other:?}"),
    }
}

/// Row 101.
pub async fn not_granted(bench: &Bench) {
    let (base, other) = servers().await;
    bench.network.name(NAME, &[&[PUBLIC]]);
    let url = format!("{}/x", declared(&other));
    let entry = format!("[[allow]]\norigin = \"{}\"", declared(&other));
    let setup = declaring(bench, &base, &other, "").await;
    let (message, hint) = denial(setup.get(&url).await);
    assert!(message.contains("nobody granted it"), "{message}");
    assert!(other.take().is_empty());
    // The line that the hint has grants it, and its access goes there; an entry lets no access out.
    let line = hint.lines().last().unwrap();
    let granted = declaring(bench, &base, &other, line).await;
    granted.get(&url).await.unwrap();
    assert_eq!(
        other.take()[0].header("authorization"),
        [format!("Bearer {SECRET}")]
    );
    let listed = declaring(bench, &base, &other, &entry).await;
    listed.get(&url).await.unwrap();
    let seen = other.take();
    assert!(seen[0].header("authorization").is_empty() && !seen[0].target().contains("key="));
    without_credential(bench).await;
}

/// The same for a node without a credential, and so without a base URL.
async fn without_credential(bench: &Bench) {
    bench.network.name("open.example", &[]);
    let component = bench.guest(NO_CREDENTIAL).await;
    let get = async |policy: &str, url: &str| {
        let policy = Policy::from_toml(policy, "policy.toml").unwrap();
        let runner = component.runner().policy(policy).build().unwrap();
        let items = vec![json!({"requests": [{"url": url}]})];
        let options = RunOptions::default();
        let results = runner.execute("things", "read", items, &options).await;
        results.unwrap().remove(0)
    };
    let url = "https://open.example/x";
    match get("", url).await {
        Err(Failure::Denied { message, .. }) => assert!(message.contains("nobody granted it"), "{message}"),
        other => panic!("expected a denial, found {other:?}"),
    }
    match get(GRANTED, url).await {
        Err(Failure::Unavailable { .. }) => {}
        other => panic!("expected a name that has no address, found {other:?}"),
    }
    for url in [
        "https://other.example/x",
        "http://open.example/x",
        "https://no-base-url.invalid/x",
        "/x",
    ] {
        match get(GRANTED, url).await {
            Err(Failure::Denied { .. } | Failure::InvalidInput(_)) => {}
            other => panic!("{url}: expected a denial, found {other:?}"),
        }
    }
}

/// Row 102.
pub async fn look_alikes(bench: &Bench) {
    let (base, other) = servers().await;
    let port = other.address().port();
    let names = [
        "localhost.evil.example",
        "evil.localhost",
        "xlocalhost",
        "localhost-evil.example",
    ];
    for name in names.into_iter().chain([NAME]) {
        bench.network.name(name, &[&[PUBLIC]]);
    }
    let setup = declaring(bench, &base, &other, GRANTED).await;
    let alike = names.map(|name| format!("http://{name}:{port}/x"));
    let others = [
        format!("http://{NAME}:{}/x", base.address().port()),
        format!("https://{NAME}:{port}/x"),
        format!("http://{PUBLIC}:{port}/x"),
        format!("http://{NAME}/x"),
    ];
    for url in alike.iter().chain(&others) {
        denial(setup.get(url).await);
        assert!(other.take().is_empty(), "{url}");
    }
    setup.get(&format!("http://LOCALHOST.:{port}/x")).await.unwrap();
    assert_eq!(
        other.take().len(),
        1,
        "it is the same origin, spelled differently"
    );
}

/// Row 103.
pub async fn private_address(bench: &Bench) {
    let (base, other) = servers().await;
    let url = format!("{}/x", declared(&other));
    for address in ["10.0.0.7", "127.0.0.1", "169.254.169.254", "::1"] {
        bench.network.name(NAME, &[&[address]]);
        let setup = declaring(bench, &base, &other, GRANTED).await;
        denial(setup.get(&url).await);
        assert!(other.take().is_empty(), "{address}");
    }
    bench.network.name(NAME, &[&["127.0.0.1"]]);
    let entry = format!(
        "{GRANTED}\n[[allow]]\norigin = \"{}\"\nprivate = true",
        declared(&other)
    );
    declaring(bench, &base, &other, &entry)
        .await
        .get(&url)
        .await
        .unwrap();
    assert_eq!(other.take().len(), 1);
}

/// Row 104.
pub async fn secret_in_query(bench: &Bench) {
    // It gives back what it was asked.
    let base = Server::start(|request| {
        answer(
            "401 Unauthorized",
            &[("x-asked", request.target())],
            request.target(),
        )
    })
    .await;
    let setup = Setup::new(bench, DECLARES, base.origin()).await.mode("1");
    let encoded: String = SECRET.chars().map(percent_encoded).collect();
    let clean = |what: &str, text: &str| {
        let text = text.to_ascii_lowercase();
        for form in [SECRET, &encoded] {
            assert!(!text.contains(&form.to_ascii_lowercase()), "{what}: {text}");
        }
    };
    let items = vec![json!({"requests": [{"url": format!("{}/x", base.origin())}]})];
    let meta = Meta::new("things", "read", base.origin().parse().unwrap());
    let runner = setup.builder().record(meta).build().unwrap();
    let options = RunOptions::default();
    let results = within("query", runner.execute("things", "read", items, &options))
        .await
        .unwrap();
    assert!(base.take()[0].target().contains(&encoded), "the service gets it");
    let seen = output(&results[0])[0].to_string();
    assert!(seen.contains("[redacted]"), "{seen}");
    clean("what the node reads", &seen);
    clean("the recording", &runner.recording("case.har").unwrap().unwrap());
    let failure = setup.runner().check_credential().await.unwrap_err();
    assert_eq!(failure.kind(), "unauthenticated");
    clean("the test's failure", &format!("{failure} {failure:?}"));
    clean("the runner", &format!("{:?}", setup.runner()));
    clean("the events", &bench.log.text());
}

fn percent_encoded(character: char) -> String {
    if character.is_ascii_alphanumeric() {
        character.to_string()
    } else {
        format!("%{:02X}", u32::from(character))
    }
}

/// Row 105.
pub async fn header_break(bench: &Bench) {
    let (base, other) = servers().await;
    let setup = declaring(bench, &base, &other, "").await;
    for secret in [
        "s3cr3t\r\nx-admin: 1",
        "s3cr3t\nhost: evil.example",
        "s3cr3t\0",
        "s3cr3t\u{7f}",
    ] {
        let fields = json!({"baseUrl": base.origin(), "secret": secret, "mode": "1"});
        let credential = Credential::from_json(setup.component.node(), &fields.to_string()).unwrap();
        let error = setup.builder().credential(credential).build().unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("`authorization`") && message.contains("`secret`"),
            "{message}"
        );
        assert!(!format!("{message} {error:?}").contains("s3cr3t"), "{message}");
    }
}

/// Row 106.
pub async fn more_writes(bench: &Bench) {
    let (base, other) = servers().await;
    let post = json!({"url": format!("{}/x", base.origin()), "method": "POST", "body": "{}"});
    let item = json!({"requests": vec![post; 3]});
    for (policy, operation, sent) in [
        ("", "write", 1),
        // A policy may allow fewer, and never more.
        ("write-requests = 9", "write", 1),
        ("[operations.\"things.write\"]\nwrite-requests = 0", "write", 0),
        ("[effects]\n\"things.read\" = \"write\"", "read", 1),
        ("", "read", 3),
    ] {
        let setup = declaring(bench, &base, &other, policy).await;
        let options = RunOptions::default();
        let runner = setup.runner();
        let results = within(
            policy,
            runner.execute("things", operation, vec![item.clone()], &options),
        )
        .await;
        let outcomes = output(&results.unwrap()[0]);
        let denied = outcomes
            .iter()
            .filter(|outcome| outcome["error"].is_string())
            .count();
        assert_eq!(
            (base.take().len(), denied),
            (sent, 3 - sent),
            "{operation}: {policy}"
        );
        if sent < 3 {
            assert_eq!(bench.log.last("denied")["rule"], "write-requests");
        }
    }
}
