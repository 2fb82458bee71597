//! Hostile services and files: rows 25 and 36 to 41.

use std::time::Duration;

use nodule::recording::{Meta, Recording};
use nodule::retry::Retry;
use nodule::{Certainty, Credential, Engine, EngineConfig, Failure, ItemResult, RunOptions, Runner};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use simulator::{Action, Config, DEMO_APP_ID, DEMO_APP_SECRET, Refusal, Rule, Simulator};
use tokio_rustls::rustls;

use crate::bench::{Bench, Setup, command, file, finished, kinds, output};
use crate::guests::{CALLS, DESCRIBES_FOREVER, WAITS};
use crate::server::{Server, ok, soon, within};

const LIMITS: &str =
    "[limits]\nfirst-byte-timeout-ms = 1500\nbetween-bytes-timeout-ms = 1500\nrequest-timeout-ms = 3000";

async fn runner(bench: &Bench, simulator: &Simulator) -> Runner {
    bound(bench, &simulator.base_url()).await
}

async fn bound(bench: &Bench, base: &str) -> Runner {
    let component = bench.socialhub().await;
    let json = json!({"baseUrl": base, "appId": DEMO_APP_ID, "appSecret": DEMO_APP_SECRET});
    let credential = Credential::from_json(component.node(), &json.to_string()).unwrap();
    let policy = nodule::policy::Policy::from_toml(LIMITS, "policy.toml").unwrap();
    component
        .runner()
        .policy(policy)
        .credential(credential)
        .build()
        .unwrap()
}

async fn members(runner: &Runner, count: usize) -> Vec<ItemResult> {
    let items = (0..count).map(|n| json!({"cardNo": format!("M{n}")})).collect();
    let options = RunOptions::default().concurrency(50);
    within("the run", runner.execute("member", "getMember", items, &options))
        .await
        .unwrap()
}

/// The same in calls of one item each, all at the same time.
async fn members_in_parallel(runner: &Runner, count: usize) -> Vec<ItemResult> {
    let options = RunOptions::default();
    let calls = (0..count).map(|n| {
        let items = vec![json!({"cardNo": format!("M{n}")})];
        runner.execute("member", "getMember", items, &options)
    });
    let results = within("the calls", futures_util::future::join_all(calls)).await;
    results
        .into_iter()
        .map(|result| result.unwrap().remove(0))
        .collect()
}

/// A plain write: each request admits one member.
async fn admit(runner: &Runner) -> ItemResult {
    admit_with(runner, Retry::never()).await
}

async fn admit_with(runner: &Runner, retry: Retry) -> ItemResult {
    let item = json!({
        "loyaltyCode": "L1", "phonePrefCode": "+86", "mobilePhone": "13999999999", "memberName": "A",
        "storeCode": "S1", "sourceCode": "10140001",
    });
    let options = RunOptions::default().retry(retry);
    within(
        "the run",
        runner.execute("member", "memberAdmission", vec![item], &options),
    )
    .await
    .unwrap()
    .remove(0)
}

fn admissions(simulator: &Simulator) -> u32 {
    simulator.ledger().admissions.values().sum()
}

/// Requests that admit a member, whatever their outcome.
fn admitting(simulator: &Simulator) -> usize {
    simulator
        .requests()
        .iter()
        .filter(|request| request.target.contains("admission"))
        .count()
}

pub async fn sessions(bench: &Bench) {
    for refusal in [Refusal::Status, Refusal::Envelope] {
        let simulator = Simulator::start(Config {
            refusal,
            log_requests: true,
            ..Config::default()
        })
        .unwrap();
        let runner = runner(bench, &simulator).await;
        assert!(members_in_parallel(&runner, 50).await.iter().all(Result::is_ok));
        assert_eq!(
            simulator.stats().token_requests,
            1,
            "50 in parallel share one session"
        );
        for round in 2..4 {
            simulator.expire_tokens();
            let results = members_in_parallel(&runner, 50).await;
            assert!(
                results.iter().all(Result::is_ok),
                "{refusal:?}: {:?}",
                kinds(&results)
            );
            assert_eq!(
                simulator.stats().token_requests,
                round,
                "{refusal:?}: one renewal for all of them"
            );
        }
        simulator.stop();
    }
    // A service that accepts no token, not even a new one.
    let refusals = [
        Action::Status {
            code: 401,
            retry_after: None,
            body: None,
        },
        Action::EnvelopeError {
            code: "401".to_owned(),
            message: "unauthorised".to_owned(),
        },
    ];
    for refusal in refusals {
        let simulator = Simulator::start(Config {
            log_requests: true,
            ..Config::default()
        })
        .unwrap();
        simulator
            .add_fault(Rule::new(refusal.clone()).except("/v1/auth/"))
            .unwrap();
        let runner = runner(bench, &simulator).await;
        let results = members(&runner, 1).await;
        assert_eq!(kinds(&results), ["unauthenticated"], "{refusal:?}");
        let asked = simulator
            .requests()
            .iter()
            .filter(|request| request.target.contains("/member/"))
            .count();
        assert_eq!(
            (simulator.stats().token_requests, asked),
            (2, 2),
            "{refusal:?}: one renewal, one more try"
        );
        simulator.stop();
    }
}

pub async fn throttled(bench: &Bench) {
    let retry = Retry::default()
        .tries(3)
        .waits(Duration::from_millis(10), Duration::from_millis(20))
        .item_time(Duration::from_secs(10));
    // A `Retry-After` value, and how often a throttled write is then sent. A wait beyond the item's time fails the item
    // at once, and an invalid value is ignored.
    let waits = [
        (Some("0"), 3),
        (Some("-1"), 3),
        (Some("Wed, 21 Oct 2065 07:28:00 GMT"), 1),
        (Some("1e9"), 3),
        (Some("1000000000"), 1),
        (None, 3),
    ];
    for code in [429, 503] {
        for (retry_after, sent) in waits {
            let simulator = Simulator::start(Config {
                log_requests: true,
                ..Config::default()
            })
            .unwrap();
            let runner = runner(bench, &simulator).await;
            runner.check_credential().await.unwrap();
            let action = Action::Status {
                code,
                retry_after: retry_after.map(ToOwned::to_owned),
                body: None,
            };
            simulator.add_fault(Rule::new(action)).unwrap();
            let failure = admit_with(&runner, retry).await.unwrap_err();
            match &failure {
                Failure::Throttled { .. } if code == 429 => {}
                Failure::Unavailable {
                    certainty: Certainty::Unknown,
                    ..
                } if code == 503 => {}
                failure => panic!("{code} {retry_after:?}: {failure:?}"),
            }
            assert_eq!(admissions(&simulator), 0);
            // A plain write whose outcome is unknown is not sent twice, whatever the service says.
            let sent = if code == 503 { 1 } else { sent };
            assert_eq!(admitting(&simulator), sent, "{code} {retry_after:?}");
            simulator.stop();
        }
    }
    // A wait within the item's time is waited for, and then the item succeeds.
    let simulator = Simulator::start(Config::default()).unwrap();
    let runner = runner(bench, &simulator).await;
    runner.check_credential().await.unwrap();
    let action = Action::Status {
        code: 429,
        retry_after: Some("2".to_owned()),
        body: None,
    };
    simulator.add_fault(Rule::new(action).times(1)).unwrap();
    let clock = std::time::Instant::now();
    let admitted = admit_with(&runner, retry).await;
    assert!(admitted.is_ok(), "{admitted:?}");
    assert!(clock.elapsed() >= Duration::from_secs(2), "{:?}", clock.elapsed());
    assert_eq!(admissions(&simulator), 1);
    simulator.stop();
}

fn surely_not_done(refused: &Failure) {
    let is_sure = matches!(
        refused,
        Failure::Unavailable {
            certainty: Certainty::NotDone,
            ..
        }
    );
    assert!(is_sure, "{refused:?}");
}

pub async fn resets(bench: &Bench) {
    // Nothing listens: the only case in which certainly nothing was done.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let refused = admit(&bound(bench, &format!("http://{address}")).await)
        .await
        .unwrap_err();
    surely_not_done(&refused);
    // The same after the session was made: the service refuses the connection of the write itself.
    let server =
        Server::start(|_| ok(r#"{"code": 200, "data": {"accessToken": "a-token-0123456789"}}"#)).await;
    let runner_of_server = bound(bench, &server.origin()).await;
    runner_of_server.check_credential().await.unwrap();
    drop(server);
    let refused = admit(&runner_of_server).await.unwrap_err();
    surely_not_done(&refused);
    let faults = [
        (Action::ResetBeforeActing, 0),
        (Action::ResetAfterActing, 1),
        (Action::ResetMidAnswer, 1),
        (Action::CloseMidAnswer, 1),
        (Action::Silence { ms: 60_000 }, 0),
        (Action::SilenceMidAnswer { ms: 60_000 }, 1),
        (
            Action::Raw {
                text: "SSH-2.0-x\r\n".to_owned(),
            },
            0,
        ),
    ];
    for (fault, done) in faults {
        let simulator = Simulator::start(Config {
            log_requests: true,
            ..Config::default()
        })
        .unwrap();
        let runner = runner(bench, &simulator).await;
        runner.check_credential().await.unwrap();
        simulator
            .add_fault(Rule::new(fault.clone()).path("/v1/member/"))
            .unwrap();
        let failure = admit(&runner).await.unwrap_err();
        assert!(
            matches!(
                failure,
                Failure::Unavailable {
                    certainty: Certainty::Unknown,
                    ..
                }
            ),
            "{fault:?}: {failure:?}"
        );
        assert_eq!(
            (admitting(&simulator), admissions(&simulator)),
            (1, done),
            "{fault:?}: sent once"
        );
        simulator.clear_faults();
        assert!(admit(&runner).await.is_ok(), "{fault:?}: the next item runs");
        simulator.stop();
    }
    // The reset precedes reading the request, but the host cannot know whether any of it was read.
    let simulator = Simulator::start(Config {
        log_requests: true,
        ..Config::default()
    })
    .unwrap();
    let runner = runner(bench, &simulator).await;
    runner.check_credential().await.unwrap();
    simulator
        .add_fault(Rule::new(Action::ResetBeforeReading))
        .unwrap();
    assert_eq!(admit(&runner).await.unwrap_err().kind(), "unavailable");
    assert_eq!((admitting(&simulator), admissions(&simulator)), (0, 0));
    simulator.stop();
}

pub async fn bad_answers(bench: &Bench) {
    let faults = [
        Action::Html { status: 502 },
        Action::Html { status: 200 },
        Action::TruncatedJson,
        Action::WrongCharset { declared: None },
        Action::WrongCharset {
            declared: Some("gbk".to_owned()),
        },
        Action::DeepNesting { depth: 10_000 },
        Action::EmptyBody,
        Action::NoContent,
        Action::Text { text: String::new() },
    ];
    for fault in faults {
        let simulator = Simulator::start(Config::default()).unwrap();
        let runner = runner(bench, &simulator).await;
        simulator
            .add_fault(Rule::new(fault.clone()).path("/v1/member/").times(1))
            .unwrap();
        let results = members(&runner, 1).await;
        let expected = match fault {
            Action::Html { status: 502 } => "unavailable",
            // An empty document is an empty result.
            Action::EmptyBody | Action::NoContent | Action::Text { .. } => "ok",
            _ => "unintelligible",
        };
        assert_eq!(kinds(&results), [expected], "{fault:?}: {results:?}");
        assert!(
            members(&runner, 1).await[0].is_ok(),
            "{fault:?}: the next item runs"
        );
        simulator.stop();
    }
}

/// A server's certificate for a name, valid for a year, signed by an issuer or by itself.
fn certificate(
    name: &str,
    until: i32,
    issuer: Option<&CertifiedIssuer<'_, KeyPair>>,
) -> rustls::ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let signed = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.der().clone()], key)
        .unwrap()
}

pub async fn certificates(bench: &Bench) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "an authority for tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let network = bench.network.clone();
    let config = EngineConfig::default()
        .network(network)
        .extra_root(authority.der().to_vec());
    let engine = Engine::new(&config).unwrap();
    let component = engine.load_file(file(CALLS)).await.unwrap();
    let honest = Server::start(|_| ok("{}")).await;
    let cases = [
        (certificate("127.0.0.1", 2100, Some(&authority)), None),
        (
            certificate("127.0.0.1", 2100, None),
            Some("not signed by an authority"),
        ),
        (certificate("127.0.0.1", 2020, Some(&authority)), Some("expired")),
        (
            certificate("other.example", 2100, Some(&authority)),
            Some("another name"),
        ),
    ];
    for (tls, trouble) in cases {
        let server = Server::start_tls(tls, |_| ok("{}")).await;
        let origin = format!("https://{}", server.address());
        let setup = Setup {
            component: component.clone(),
            ..Setup::new(bench, CALLS, honest.origin()).await
        };
        // Alone in its call, so that the host knows that nothing was sent.
        let results = setup
            .allow(&origin)
            .run(vec![json!({"requests": [{"url": origin}]})])
            .await;
        let outcome = results
            .into_iter()
            .next()
            .unwrap()
            .map(|output| output[0].get().to_owned());
        match (outcome, trouble) {
            (Ok(answer), None) => assert!(answer.contains("\"status\":200"), "{answer}"),
            (
                Err(Failure::Unavailable {
                    message,
                    certainty: Certainty::NotDone,
                    ..
                }),
                Some(words),
            ) => {
                assert!(
                    message.contains("certificate") && message.contains(words),
                    "{message}"
                );
            }
            (outcome, trouble) => panic!("{trouble:?}: {outcome:?}"),
        }
        assert_eq!(
            server.take().len(),
            usize::from(trouble.is_none()),
            "nothing is sent to it"
        );
    }
}

/// Replaces some bytes by others of the same length.
fn patched(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut patched = bytes.to_vec();
    let mut places = 0;
    for start in 0..bytes.len() - from.len() {
        if bytes[start..].starts_with(from.as_bytes()) {
            patched[start..start + to.len()].copy_from_slice(to.as_bytes());
            places += 1;
        }
    }
    assert!(places > 0, "{from}");
    patched
}

pub async fn foreign_components(bench: &Bench) {
    let guest = std::fs::read(file(WAITS)).unwrap();
    let refusal = async |bytes: &[u8]| {
        bench
            .engine
            .load(bytes)
            .await
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(refusal(b"").await.contains("empty file"));
    assert!(refusal(b"#!/bin/sh").await.contains("not WebAssembly"));
    assert!(refusal(b"\0asm\x01\0\0\0").await.contains("core module"));
    assert!(
        refusal(&guest[..guest.len() / 2])
            .await
            .contains("expected a WebAssembly component")
    );
    let other = patched(
        &guest,
        "workflow:node/execution@0.2.0",
        "workflow:node/execution@0.3.0",
    );
    let words = refusal(&other).await;
    assert!(
        words.contains("workflow:node/execution@0.2.0") && words.contains("workflow:node/execution@0.3.0"),
        "{words}"
    );
    let other = patched(
        &guest,
        "wasi:clocks/monotonic-clock",
        "wasi:keyvalue/store-of-mine",
    );
    let words = refusal(&other).await;
    assert!(
        words.contains("wasi:keyvalue/store-of-mine") && words.contains("which no node is given"),
        "{words}"
    );
    // A void interface, with functions that it does not have.
    let other = patched(
        &guest,
        "wasi:clocks/monotonic-clock",
        "wasi:sockets/ip-name-lookup",
    );
    let words = refusal(&other).await;
    assert!(
        words.contains("wasi:sockets/ip-name-lookup") && words.contains("do not fit this host"),
        "{words}"
    );
    // A changed component is refused before any of it runs; this one would run for five seconds.
    let endless = std::fs::read(file(DESCRIBES_FOREVER)).unwrap();
    let pinned = bench.guest(CALLS).await.digest().to_owned();
    let clock = std::time::Instant::now();
    let words = bench
        .engine
        .load_pinned(&endless, &pinned)
        .await
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(clock.elapsed() < Duration::from_secs(4), "{:?}", clock.elapsed());
    assert!(
        words.contains(&pinned) && words.matches("sha256:").count() == 2,
        "{words}"
    );
    assert!(
        bench
            .engine
            .load_pinned(
                &std::fs::read(file(CALLS)).unwrap(),
                &pinned.to_uppercase().replace("SHA", "sha")
            )
            .await
            .is_ok()
    );
    // The same with the command's flag.
    let cache = tempfile::tempdir().unwrap();
    let describe = async |digest: &str| {
        let mut describe = std::process::Command::new(command());
        describe
            .env("NODULE_CACHE_DIR", cache.path())
            .arg("describe")
            .arg(file(CALLS))
            .args(["--digest", digest]);
        let done = finished(describe).await;
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    assert_eq!(describe(&pinned).await.0, Some(0));
    let wrong = format!("sha256:{}", "0".repeat(64));
    let (code, words) = describe(&wrong).await;
    assert!(
        code == Some(3) && words.contains(&wrong) && words.contains(&pinned),
        "{code:?} {words}"
    );
}

pub async fn replay(bench: &Bench) {
    let server = Server::start(|_| ok(r#"{"answer": 42}"#)).await;
    let setup = Setup::new(bench, CALLS, format!("{}/api", server.origin())).await;
    let meta = Meta::new("things", "read", setup.base.parse().unwrap());
    let runner = setup.builder().record(meta).build().unwrap();
    let item = |path: &str| json!({"requests": [{"url": format!("{}{path}", setup.base)}]});
    let options = RunOptions::default();
    let items: Vec<Value> = vec![item("/things/1?page=1"), item("/things/2")];
    runner
        .execute("things", "read", items.clone(), &options)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let har = folder.path().join("case.har");
    runner.save_recording(&har).unwrap();
    server.take();
    drop(runner);
    bench.network.take();
    let connections = server.connections();
    let replaying = || {
        setup
            .builder()
            .replay(Recording::load(&har).unwrap())
            .build()
            .unwrap()
    };
    // The same requests as recorded.
    let runner = replaying();
    let results = runner
        .execute("things", "read", items.clone(), &options)
        .await
        .unwrap();
    assert_eq!(output(&results[1])[0]["body"], r#"{"answer": 42}"#);
    assert!(runner.unused().is_empty());
    // Another request: the error shows the nearest recorded one and the first difference.
    let runner = replaying();
    let results = runner
        .execute("things", "read", vec![item("/things/1?page=2")], &options)
        .await
        .unwrap();
    let Err(Failure::Denied { message, .. }) = &results[0] else {
        panic!("{:?}", results[0])
    };
    assert!(
        message.contains("page") && message.contains("log.entries[0]"),
        "{message}"
    );
    // The exchanges that no request used.
    assert_eq!(runner.unused().operation.len(), 2);
    let (looked_up, connected) = bench.network.take();
    assert!(
        looked_up.is_empty() && connected.is_empty(),
        "{looked_up:?} {connected:?}"
    );
    // Connections are counted in order, so any other one would be counted before this one.
    let last = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    soon("the last connection is counted", || {
        server.connections() > connections
    })
    .await;
    drop(last);
    assert_eq!(server.connections(), connections + 1, "no socket is opened");
}
