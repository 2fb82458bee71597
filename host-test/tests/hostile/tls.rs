//! Certificates of one runner: rows 140 to 143.

use std::path::Path;
use std::process::Command;

use nodule::secret::Secret;
use nodule::{Failure, ItemResult, RunOptions, Runner, Tls};
use serde_json::json;

use crate::bench::{Bench, SECRET, Setup, command, file, finished};
use crate::certified::{Made, Service, made};
use crate::guests::CALLS;
use crate::server::NOWHERE;

/// One GET, alone in its call.
async fn get(runner: &Runner, url: &str) -> ItemResult {
    get_each(runner, &[url]).await
}

/// One after the other, of one item.
async fn get_each(runner: &Runner, urls: &[&str]) -> ItemResult {
    let requests: Vec<_> = urls.iter().map(|url| json!({"url": url})).collect();
    let items = vec![json!({"requests": requests})];
    let options = RunOptions::default();
    let results = runner.execute("things", "read", items, &options).await;
    results.unwrap().remove(0)
}

fn is_refused(result: ItemResult) {
    match result {
        Err(Failure::Unavailable { message, .. }) if message.contains("certificate is refused") => {}
        other => panic!("expected a refused certificate, found {other:?}"),
    }
}

/// Row 140. The connections that a runner keeps are there for the next one, if that has the same settings only.
pub async fn other_runner(bench: &Bench) {
    let service = Service::start().await;
    let setup = Setup::new(bench, CALLS, service.origin.clone()).await;
    let url = format!("{}/x", service.origin);
    let insecure = Tls::default().insecure_origin(service.insecure());
    for tls in [insecure, service.trusting()] {
        let with = setup.builder().tls(tls).build().unwrap();
        get(&with, &url).await.unwrap();
        assert_eq!(service.server.take().len(), 1);
        // Same component, tenant and credential, at once, while the other's connection is open.
        is_refused(get(&setup.runner(), &url).await);
        assert!(service.server.take().is_empty());
        get(&with, &url).await.unwrap();
        service.server.take();
    }
}

/// Row 141. A client certificate is a part of the access: it goes below the base URL, and nowhere else.
pub async fn client_certificate(bench: &Bench) {
    let (base, other) = (Service::start().await, Service::start().await);
    let own = made("client.example");
    let tls = base.trusting().extra_roots_pem(&other.made.certificate).unwrap();
    let tls = tls
        .client_certificate(&own.certificate, &Secret::new(own.key.clone()))
        .unwrap();
    let setup = Setup::new(bench, CALLS, format!("{}/api", base.origin)).await;
    let setup = setup.allow(&base.origin).allow(&other.origin);
    let runner = setup.builder().tls(tls.clone()).build().unwrap();
    get(&runner, &format!("{}/api/x", base.origin)).await.unwrap();
    assert_eq!(base.take_shown(), std::slice::from_ref(&own.der));
    // Another host, and another path of the same one, which an entry allows.
    get(&runner, &format!("{}/x", other.origin)).await.unwrap();
    assert!(other.take_shown().is_empty());
    get(&runner, &format!("{}/other", base.origin)).await.unwrap();
    assert_eq!((base.take_shown().len(), base.server.connections()), (0, 2));
    // A runner without it gets none of its connections.
    let without = setup
        .builder()
        .tls(base.trusting().extra_roots_pem(&other.made.certificate).unwrap());
    get(&without.build().unwrap(), &format!("{}/api/x", base.origin))
        .await
        .unwrap();
    assert_eq!((base.take_shown().len(), base.server.connections()), (0, 3));
    // One item's requests share a connection, but none that shows the certificate with one that must not.
    let (below, beside) = (
        format!("{}/api/x", other.origin),
        format!("{}/beside", other.origin),
    );
    let setup = Setup::new(bench, CALLS, format!("{}/api", other.origin)).await;
    let runner = setup.allow(&other.origin).builder().tls(tls).build().unwrap();
    get_each(&runner, &[&below, &beside]).await.unwrap();
    assert_eq!((other.take_shown().len(), other.server.connections()), (1, 3));
}

/// Row 142. No certificate is checked at one scheme, host and port.
pub async fn insecure_look_alikes(bench: &Bench) {
    let (service, other) = (Service::start().await, Service::start().await);
    let (port, other_port) = (service.server.address().port(), other.server.address().port());
    let names = [
        "crm.internal",
        "crm.internal.evil.example",
        "a.crm.internal",
        "xcrm.internal",
    ];
    for name in names {
        bench.network.name(name, &[&["127.0.0.1"]]);
    }
    let named = format!("https://crm.internal:{port}");
    let alike = [
        format!("https://crm.internal:{other_port}"),
        format!("https://crm.internal.evil.example:{port}"),
        format!("https://a.crm.internal:{port}"),
        format!("https://xcrm.internal:{port}"),
        format!("https://127.0.0.1:{port}"),
    ];
    let entry = |origin: &String| format!("[[allow]]\norigin = \"{origin}\"\nprivate = true\n");
    let allowed: String = alike.iter().chain([&named]).map(entry).collect();
    let policy = format!("{allowed}[tls]\ninsecure-origins = [\"{named}\"]");
    let setup = Setup::new(bench, CALLS, NOWHERE).await.policy(policy);
    let runner = setup.runner();
    for origin in &alike {
        is_refused(get(&runner, &format!("{origin}/x")).await);
        assert!(
            service.server.take().is_empty() && other.server.take().is_empty(),
            "{origin}"
        );
    }
    get(&runner, &format!("https://CRM.internal.:{port}/x"))
        .await
        .unwrap();
    assert_eq!(service.server.take().len(), 1);
    assert_eq!(
        bench.log.last("insecure")["origin"],
        named.as_str(),
        "each run says so"
    );
}

/// Row 143. The key of a client certificate is a secret, in a file or out of one.
pub async fn key(bench: &Bench) {
    let (own, other) = (made("client.example"), made("other.example"));
    let body: String = own.key.lines().nth(1).unwrap().chars().take(40).collect();
    let clean = |what: &str, text: &str| assert!(!text.contains(&body), "{what}: {text}");
    let secret = |text: &str| Secret::new(text.to_owned());
    let tls = Tls::default().client_certificate(&own.certificate, &secret(&own.key));
    let tls = tls.unwrap();
    clean("the settings", &format!("{tls:?}"));
    let setup = Setup::new(bench, CALLS, NOWHERE).await;
    let builder = setup.builder().tls(tls);
    clean("the builder", &format!("{builder:?}"));
    clean("the runner", &format!("{:?}", builder.build().unwrap()));
    // A certificate in the key's place and the other way round, another's, and one that was cut off.
    let cut: String = own.key.chars().take(own.key.len() / 2).collect();
    for (certificate, key) in [
        (&own.key, &own.key),
        (&own.key, &own.certificate),
        (&other.certificate, &own.key),
        (&own.certificate, &cut),
    ] {
        let error = Tls::default()
            .client_certificate(certificate, &secret(key))
            .unwrap_err();
        clean("an error", &format!("{error} {error:?} {:?}", error.hint()));
    }
    clean("the events", &bench.log.text());
    from_files(&own, &cut, &clean).await;
}

/// The command shows the client certificate that a policy's files have, and no key in what it says.
async fn from_files(own: &Made, cut: &str, clean: &impl Fn(&str, &str)) {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let credential = json!({"baseUrl": service.origin, "secret": SECRET, "mode": "none"});
    write("credential.json", &credential.to_string());
    write("ca.pem", &service.made.certificate);
    write("client.pem", &own.certificate);
    write("client.key", &own.key);
    write("cut.key", cut);
    let policy = |key: &str| {
        format!("[tls]\nca = [\"ca.pem\"]\nclient-cert = \"client.pem\"\nclient-key = \"{key}\"\n")
    };
    write("policy.toml", &policy("client.key"));
    write("cut.toml", &policy("cut.key"));
    let run = async |arguments: &[&str]| {
        let output = finished(run(folder.path(), &service.origin, arguments)).await;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        clean("the command", &said);
        (output.status.code(), said)
    };
    let shown = || service.take_shown().len();
    let ca = ["--ca", "ca.pem"];
    let client = ["--client-cert", "client.pem", "--client-key", "client.key"];
    for (arguments, expected) in [
        (&["--policy", "policy.toml"][..], 1),
        (&[&ca[..], &client].concat(), 1),
        (&ca[..], 0),
    ] {
        let (code, said) = run(arguments).await;
        assert_eq!((code, shown()), (Some(0), expected), "{arguments:?}: {said}");
    }
    let (code, said) = run(&["--insecure-origin", &service.origin]).await;
    let warned = format!("the certificate of {} is not checked", service.origin);
    assert!(code == Some(0) && said.contains(&warned), "{said}");
    for arguments in [
        &["--policy", "cut.toml"][..],
        &["--client-key", "client.key"],
        &[],
    ] {
        let (code, said) = run(arguments).await;
        assert!(code == Some(1) || code == Some(2), "{arguments:?}: {said}");
        assert_eq!(shown(), 0);
    }
}

fn run(folder: &Path, origin: &str, arguments: &[&str]) -> Command {
    let mut run = Command::new(command());
    let task = json!([{"url": format!("{origin}/x")}]);
    run.current_dir(folder)
        .env("NODULE_CACHE_DIR", folder.join("cache"))
        .env_remove("SSL_CERT_FILE")
        .arg("run")
        .arg(file(CALLS))
        .args(["things", "read", "--param", &format!("requests:={task}")])
        .args(["--credential", "credential.json"])
        .args(arguments);
    run
}
