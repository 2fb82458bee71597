//! Certificates that a run brings over the socket, against a service that nobody has vouched for.

use http::Method;
use serde_json::{Value, json};

use crate::certified::{Service, made};
use crate::support::{Server, TOKEN, hostile};

fn get(digest: &str, service: &Service, tls: &Value) -> (Value, Value) {
    let credential = json!({"baseUrl": format!("{}/api", service.origin), "secret": "s3cr3t-0123456789"});
    let run = json!({"component": digest, "group": "things", "operation": "read", "credential": credential, "tls": tls});
    let task = json!([{"url": format!("{}/api/x", service.origin)}]);
    (run, json!({"id": 0, "parameters": {"requests": task}}))
}

/// The line of a run's only item.
async fn result(server: &Server, (run, item): (Value, Value)) -> Value {
    let lines = server.run(&run, [item]).await;
    lines[1].clone()
}

#[track_caller]
fn is_refused(line: &Value) {
    let message = line["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("certificate is refused"), "{line}");
}

#[tokio::test]
async fn a_run_trusts_the_certificates_that_it_brings_and_no_other_run_does() {
    let server = Server::start();
    let digest = server.load(&hostile("calls")).await;
    let service = Service::start().await;
    let trusting = json!({"ca": service.made.certificate});
    for (tls, is_trusted) in [
        (&Value::Null, false),
        (&trusting, true),
        // While the connection of the run before is open.
        (&Value::Null, false),
        (&json!({"ca": made("127.0.0.1").certificate}), false),
    ] {
        let line = result(&server, get(&digest, &service, tls)).await;
        let sent = service.server.take().len();
        if is_trusted {
            assert_eq!(
                (line["output"][0]["status"].as_u64(), sent),
                (Some(200), 1),
                "{line}"
            );
        } else {
            is_refused(&line);
            assert_eq!(sent, 0);
        }
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_for_the_run_that_brings_it_and_for_no_other() {
    let server = Server::start();
    let digest = server.load(&hostile("calls")).await;
    let service = Service::start().await;
    let own = made("client.example");
    let ca = &service.made.certificate;
    let with = json!({"ca": ca, "clientCertificate": own.certificate, "clientKey": own.key});
    for (tls, shown) in [
        (&json!({"ca": ca}), vec![]),
        (&with, vec![own.der.clone()]),
        (&json!({"ca": ca}), vec![]),
    ] {
        let line = result(&server, get(&digest, &service, tls)).await;
        assert!(line.get("output").is_some(), "{line}");
        assert_eq!(service.take_shown(), shown);
    }
    // The key of another certificate is refused before anything is sent, and is not in what is said.
    let wrong = json!({"ca": ca, "clientCertificate": own.certificate, "clientKey": made("x.example").key});
    let (run, item) = get(&digest, &service, &wrong);
    let kind = "application/x-ndjson";
    let body = format!("{run}\n{item}");
    service.server.take();
    let (status, said) = server.send(Method::POST, "/v1/runs", kind, body).await;
    let said = String::from_utf8(said).unwrap();
    assert_eq!(status, 400, "{said}");
    assert!(said.contains("`clientCertificate`"), "{said}");
    for line in wrong["clientKey"].as_str().unwrap().lines().skip(1) {
        assert!(line.starts_with("-----") || !said.contains(line), "{said}");
    }
    assert!(service.server.take().is_empty());
}

#[tokio::test]
async fn a_certificate_is_left_unchecked_only_where_run_and_settings_both_say_so() {
    let (service, other) = (Service::start().await, Service::start().await);
    let permitted = json!({"token": TOKEN, "insecureOrigins": [service.origin]});
    let in_policy = format!("[tls]\ninsecure-origins = [\"{}\"]", service.origin);
    for (settings, is_default) in [
        (permitted, false),
        // What the settings' own policy leaves unchecked, runs leave unchecked.
        (json!({"token": TOKEN, "policy": in_policy}), true),
    ] {
        let server = Server::with(&settings);
        let digest = server.load(&hostile("calls")).await;
        let unchecked = |service: &Service| json!({"insecureOrigins": [service.origin]});
        let line = result(&server, get(&digest, &service, &unchecked(&service))).await;
        assert!(line.get("output").is_some(), "{line}");
        let line = result(&server, get(&digest, &service, &Value::Null)).await;
        assert_eq!(line.get("output").is_some(), is_default, "{line}");
        // Another port of the same host is another origin.
        is_refused(&result(&server, get(&digest, &other, &Value::Null)).await);
        let (run, item) = get(&digest, &other, &unchecked(&other));
        let body = format!("{run}\n{item}");
        let (status, said) = server
            .send(Method::POST, "/v1/runs", "application/x-ndjson", body)
            .await;
        let said = String::from_utf8(said).unwrap();
        assert_eq!(status, 400, "{said}");
        assert!(
            said.contains(&other.origin) && said.contains("does not permit"),
            "{said}"
        );
    }
    assert!(other.server.take().is_empty());
}
