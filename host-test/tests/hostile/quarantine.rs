//! What an authenticating instance, which knows the secret, can pass on to an executing one, which must not know it:
//! rows 67 to 69, 76, 78 and 84.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodule::canonical::URL_BYTES;
use nodule::recording::Meta;
use nodule::{Credential, Failure, ItemResult, RunOptions};
use serde_json::{Value, json};

use crate::bench::{Bench, Setup, output};
use crate::guests::CONSPIRES;
use crate::heap::in_use;
use crate::server::{Request, Server, answer, ok, within};

/// Attacks run with both secrets: a difference would tell the executing instance something about the secret.
const SECRETS: [&str; 2] = [
    "4711-s3cr3t/value+0123456789",
    "z&Qx\"other~secret=9876543210-abc",
];

fn api(server: &Server) -> String {
    format!("{}/api", server.origin())
}

/// A session with these headers and query parameters.
fn session(headers: &[(&str, &str)], query: &[(&str, &str)]) -> Value {
    let list = |fields: &[(&str, &str)]| -> Value {
        fields.iter().map(|(name, value)| json!([name, value])).collect()
    };
    json!({"session": {"headers": list(headers), "query": list(query)}})
}

/// Runs requests with this secret and this `mode` for `authenticate`.
async fn run(setup: &Setup, secret: &str, mode: &Value, requests: Vec<Value>) -> ItemResult {
    let json = json!({"baseUrl": setup.base, "secret": secret, "mode": mode.to_string()});
    let credential = Credential::from_json(setup.component.node(), &json.to_string()).unwrap();
    let runner = setup.builder().credential(credential).build().unwrap();
    let items = vec![json!({"requests": requests})];
    let options = RunOptions::default();
    let run = runner.execute("things", "read", items, &options);
    within("the run", run).await.unwrap().remove(0)
}

/// Echoes the request: its body, or else its query.
fn echo(request: &Request) -> Vec<crate::server::Step> {
    let query = request.target().split_once('?').map_or("", |(_, query)| query);
    let body = if request.body.is_empty() {
        query.as_bytes().to_vec()
    } else {
        request.body.clone()
    };
    answer("200 OK", &[("x-echo", query)], body)
}

/// Row 67: a list of guesses comes back complete, whoever echoes it.
pub async fn no_oracle(bench: &Bench) {
    let guess = |value: usize| format!("nodule-covert-00-{value:04x}");
    let guesses: Vec<String> = (0..4096).map(guess).collect();
    let (value, list) = (guess(0x4a5), guesses.join("\n"));
    let mode = session(
        &[
            ("authorization", "Bearer honest-token-0123456789"),
            ("x-c0", &value),
        ],
        &[],
    );
    // A host of the attacker's, which is allowed but is not below a base URL.
    let (listed, in_header) = (list.clone(), value.clone());
    let thief = Server::start(move |_| answer("200 OK", &[("x-echo", &in_header)], &listed)).await;
    let service = Server::start(echo).await;
    let setup = Setup::new(bench, CONSPIRES, api(&service))
        .await
        .allow(&thief.origin());
    let seen = output(&run(&setup, SECRETS[0], &mode, vec![json!({"url": thief.origin()})]).await).remove(0);
    assert_eq!(seen["body"], list, "another host's answer is not touched");
    assert!(
        !seen["headers"].to_string().contains("[redacted]"),
        "{}",
        seen["headers"]
    );
    // The service itself echoes the request.
    let percent: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped: String = value.bytes().map(|byte| format!("\\u00{byte:02x}")).collect();
    let written = [list.clone(), STANDARD.encode(&list), percent.clone(), escaped];
    for body in &written {
        let request = json!({"url": format!("{}/echo", api(&service)), "method": "POST", "body": body});
        let seen = output(&run(&setup, SECRETS[0], &mode, vec![request]).await).remove(0);
        assert_eq!(seen["body"], *body);
    }
    let request = json!({"url": format!("{}/echo?guess={percent}", api(&service))});
    let seen = output(&run(&setup, SECRETS[0], &mode, vec![request]).await).remove(0);
    assert_eq!(seen["body"], format!("guess={percent}"));
    // The service stores the request and shows it later, in another form.
    let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
    let shelf = Server::start(move |request| {
        if request.body.is_empty() {
            ok(STANDARD.decode(kept.lock().unwrap().as_slice()).unwrap())
        } else {
            kept.lock().unwrap().clone_from(&request.body);
            ok("kept")
        }
    })
    .await;
    let shelved = Setup::new(bench, CONSPIRES, api(&shelf)).await;
    let url = format!("{}/shelf", api(&shelf));
    let requests = vec![
        json!({"url": url, "method": "POST", "body": STANDARD.encode(&list)}),
        json!({"url": url}),
    ];
    let seen = output(&run(&shelved, SECRETS[0], &mode, requests).await).remove(1);
    assert_eq!(seen["body"], list);
    // A short secret, and a long one with few different characters, each in a list of all its possible values.
    for (secret, list) in [
        (
            "004711",
            (0..9_999).map(|pin| format!("\"{pin:06}\"")).collect::<Vec<_>>(),
        ),
        (
            "0110100110010110",
            (0..1 << 16)
                .step_by(2)
                .map(|bits| format!("\"{bits:016b}\""))
                .collect(),
        ),
    ] {
        let body = format!("[{}]", list.join(","));
        assert!(body.contains(&format!("\"{secret}\"")));
        let (listed, in_header) = (body.clone(), secret);
        let server = Server::start(move |_| answer("200 OK", &[("x-echo", in_header)], &listed)).await;
        let setup = Setup::new(bench, CONSPIRES, api(&server)).await;
        let request = json!({"url": format!("{}/list", api(&server))});
        let seen = output(&run(&setup, secret, &session(&[], &[]), vec![request]).await).remove(0);
        assert_eq!(seen["body"], body);
        assert!(
            !seen["headers"].to_string().contains("[redacted]"),
            "{}",
            seen["headers"]
        );
    }
    // Secrets that the node did not write are still removed from the service's responses.
    let leaky = Server::start(|request| ok(request.header("authorization").join(""))).await;
    let setup = Setup::new(bench, CONSPIRES, api(&leaky)).await;
    let request =
        json!({"url": format!("{}/echo", api(&leaky)), "method": "POST", "body": "honest-token-012345678"});
    let seen = output(&run(&setup, SECRETS[0], &mode, vec![request]).await).remove(0);
    assert_eq!(seen["body"], "[redacted]");
}

/// Row 68: which requests the host refuses does not depend on the session's content.
pub async fn sizes(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CONSPIRES, api(&server))
        .await
        .limits("header-count = 20\nheader-bytes = 9000");
    let long = "=".repeat(1_300);
    let header = "v".repeat(32 * 1024);
    let many = [("x-a", "1"); 16];
    let odd = "\u{202e}#?&=%zz \r\n\0\"<>\\^`{|}é";
    let sessions = [
        session(&[], &[]),
        session(&[], &[("q", "x")]),
        session(&[], &[("q", &long)]),
        session(&[], &[(odd, odd)]),
        session(&[("x-long", &header)], &[]),
        session(&many, &[]),
    ];
    let origin = server.origin().len() - "://".len();
    let longest = URL_BYTES - origin - "/api/".len();
    let mut requests: Vec<Value> = [0, 1, 20, 30]
        .into_iter()
        .map(|more| longest - more)
        .chain([longest + 1, longest - 6_000, longest - 1_300, 100])
        .map(|length| json!({"url": format!("{}/{}", api(&server), "p".repeat(length))}))
        .collect();
    for (count, bytes) in [(20, 1), (21, 1), (1, 8_900), (1, 9_001)] {
        let fields = json!([["x-own", "o".repeat(bytes), count]]);
        requests.push(json!({"url": format!("{}/x", api(&server)), "headers": fields}));
    }
    let mut outcomes = Vec::new();
    for mode in &sessions {
        let seen = output(&run(&setup, SECRETS[0], mode, requests.clone()).await);
        outcomes.push(
            seen.iter()
                .map(|seen| json!([seen["status"], seen["error"]]))
                .collect::<Vec<_>>(),
        );
    }
    for (seen, mode) in outcomes.iter().zip(&sessions) {
        assert_eq!(
            *seen,
            outcomes[0],
            "{}",
            &mode.to_string()[..60.min(mode.to_string().len())]
        );
    }
    let answered = outcomes[0].iter().filter(|seen| seen[0] == 200).count();
    assert_eq!(answered, requests.len() - 3, "{:?}", outcomes[0]);
    // A session that is larger, or would change the request's structure, is refused when it is made, and the error does
    // not quote it.
    let (large, larger) = ("v".repeat(32 * 1024 + 1), "v".repeat(25 * 1024));
    let name = "n".repeat(129);
    for mode in [
        session(&[("x-a", &large)], &[]),
        session(&[("x-a", &larger), ("x-b", &larger)], &[]),
        session(&[], &[("q", &"=".repeat(1_400))]),
        session(&[(&name, "1")], &[]),
        session(&[("x-a", "1"); 17], &[]),
        session(&[("content-length", "5")], &[]),
        session(&[("accept-encoding", "br")], &[]),
        session(&[("range", "bytes=0-41")], &[]),
        session(&[], &[("", "x")]),
    ] {
        server.take();
        let result = run(&setup, SECRETS[0], &mode, requests.clone()).await;
        let Err(Failure::Other { kind, message, .. }) = &result else {
            panic!("{result:?}")
        };
        assert_eq!(kind, "bad-session");
        assert!(!message.contains("nnn") && !message.contains("x-a"), "{message}");
        assert!(server.take().is_empty());
    }
}

/// Row 69: however much there is to redact, it takes a small multiple of the response, in time and in memory.
pub async fn bomb(bench: &Bench) {
    const BYTES: usize = 8 << 20;
    let same: Vec<String> = (16..32).map(|length| "a".repeat(length)).collect();
    let period = "abcdefgh".repeat(64);
    let nested: Vec<String> = (0..16).map(|index| period[index * 8..].to_owned()).collect();
    let turned: Vec<String> = (0..16)
        .map(|index| period[index..index + 200].to_owned())
        .collect();
    let nearly: Vec<String> = (0..16)
        .map(|index| format!("{}{index:x}z", &period[index..]))
        .collect();
    let bombs: [(_, _, bool); 6] = [
        (&same, "a", false),
        (&same, "\\u0061", false),
        (&nested, "abcdefgh", true),
        (&nested, "abc%64ef\\u0067h", false),
        (&turned, "abcd\\u0065fgh", true),
        (&nearly, "abcdefgh", false),
    ];
    for (values, piece, is_redacted) in bombs {
        let body = piece.repeat(BYTES / piece.len());
        let server = Server::start(move |_| ok(&body)).await;
        let setup = Setup::new(bench, CONSPIRES, api(&server)).await;
        let names: Vec<String> = (0..16).map(|index| format!("x-{index}")).collect();
        let fields: Vec<(&str, &str)> = names
            .iter()
            .zip(values)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let (before, most, done) = (
            in_use(),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let watch = std::thread::spawn({
            let (most, done) = (Arc::clone(&most), Arc::clone(&done));
            move || {
                while !done.load(Ordering::SeqCst) {
                    most.fetch_max(in_use(), Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }
        });
        let request = json!({"url": format!("{}/bomb", api(&server)), "only": "length"});
        let result = run(&setup, SECRETS[0], &session(&fields, &[]), vec![request]).await;
        done.store(true, Ordering::SeqCst);
        watch.join().unwrap();
        let seen = output(&result).remove(0);
        assert_eq!(seen["body"][1], is_redacted, "{piece} of {}: {seen}", values[0]);
        // Including the copies of the server and the node.
        let grown = most.load(Ordering::SeqCst).saturating_sub(before);
        assert!(grown < 16 * BYTES, "{piece} of {}: {} MB", values[0], grown >> 20);
    }
}

/// Row 76: every failure is the same with another secret.
pub async fn failures(bench: &Bench) {
    let server = Server::start(|request| {
        // The host may repeat the service's own text.
        match request.target() {
            "/api/0" => answer("429 Too Many Requests", &[("retry-after", "7")], "slow down"),
            _ => ok("{}"),
        }
    })
    .await;
    let setup = Setup::new(bench, CONSPIRES, api(&server)).await;
    for (how, kind) in [
        ("unauthenticated", "unauthenticated"),
        ("rejected", "unauthenticated"),
        ("unintelligible", "unintelligible"),
        ("throttled", "throttled"),
        ("unavailable", "unavailable"),
        ("denied", "authentication"),
        ("limit", "authentication"),
        ("invalid-input", "authentication"),
        ("not-run", "authentication"),
        ("problems", "invalid-parameters"),
        ("kind", "authentication"),
        ("trap", "trap"),
        ("panic", "trap"),
    ] {
        for requests in [0, 1] {
            let mode = json!({"fail": how, "requests": requests});
            let mut said = Vec::new();
            for secret in SECRETS {
                // One try only, because this row is not about retries.
                let json = json!({"baseUrl": setup.base, "secret": secret, "mode": mode.to_string()});
                let credential = Credential::from_json(setup.component.node(), &json.to_string()).unwrap();
                let runner = setup.builder().credential(credential).build().unwrap();
                let failure = within(how, runner.check_credential()).await.unwrap_err();
                said.push(format!("{failure} {failure:?} {}", failure.to_json()));
                assert_eq!(failure.kind(), kind, "{how}: {failure:?}");
                let seen = failure
                    .answer()
                    .map(|answer| (answer.status, answer.code.clone()));
                let has_answer = seen.is_some();
                assert!(
                    seen.is_none_or(|seen| seen == (429 * requests, None)),
                    "{how}: {failure:?}"
                );
                let retry_after_ms = match failure {
                    Failure::Throttled { retry_after_ms, .. }
                    | Failure::Unavailable { retry_after_ms, .. } => retry_after_ms.map(Some),
                    _ => None,
                };
                assert!(retry_after_ms.is_none_or(|ms| requests == 1 && has_answer && ms == Some(7_000)));
                let event = bench.log.last("authentication")["outcome"].clone();
                assert!(event == kind || event == "other", "{how}: {event}");
                let event = bench.log.last("authentication").to_string();
                assert!(!event.contains("4711"), "{event}");
            }
            assert_eq!(said[0], said[1], "{how}: what is said depends on the secret");
        }
    }
    // An authenticating node chooses how many requests it sends, so no event shows that number.
    let text = bench.log.text();
    let mut requests = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|event| event["fields"].clone())
        .filter(|fields| fields["message"] == "request" && fields["operation"] == "authenticate")
        .peekable();
    assert!(requests.peek().is_some());
    assert!(requests.all(|fields| fields["sent"] == 0));
}

/// Row 78: a service sees the session's query parameter once, with the session's value.
pub async fn query(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CONSPIRES, api(&server)).await;
    let mode = session(&[], &[("access token", "the-real/session-token")]);
    let sent = "access%20token=the-real%2Fsession-token";
    for (own, left) in [
        ("", ""),
        ("?access+token=mine", ""),
        ("?access%20token=mine", ""),
        ("?%61ccess%20%74oken=mine&access+token", ""),
        ("?a=1&access+token=mine&b=2", "a=1&b=2&"),
        ("?a=1;access+token=mine", "a=1&"),
        ("?access=1&token=2", "access=1&token=2&"),
    ] {
        server.take();
        let url = format!("{}/things{own}", api(&server));
        assert!(
            run(&setup, SECRETS[0], &mode, vec![json!({"url": url})])
                .await
                .is_ok()
        );
        let seen = server.take();
        assert_eq!(seen[0].target(), format!("/api/things?{left}{sent}"), "{own}");
    }
    // For other hosts the parameter is the node's own, and a recording shows the request as the node made it.
    let json = json!({"baseUrl": setup.base, "secret": SECRETS[0], "mode": mode.to_string()});
    let credential = Credential::from_json(setup.component.node(), &json.to_string()).unwrap();
    let allowed = Setup::new(bench, CONSPIRES, api(&server))
        .await
        .allow(&server.origin());
    let meta = Meta::new("things", "read", api(&server).parse().unwrap());
    let runner = allowed
        .builder()
        .credential(credential)
        .record(meta)
        .build()
        .unwrap();
    server.take();
    let urls =
        ["/elsewhere", "/api/things"].map(|path| format!("{}{path}?access+token=mine", server.origin()));
    let items = vec![json!({"requests": urls.map(|url| json!({"url": url}))})];
    let results = runner
        .execute("things", "read", items, &RunOptions::default())
        .await
        .unwrap();
    assert!(results[0].is_ok(), "{results:?}");
    let targets: Vec<String> = server
        .take()
        .iter()
        .map(|seen| seen.target().to_owned())
        .collect();
    assert_eq!(
        targets,
        [
            "/elsewhere?access+token=mine".to_owned(),
            format!("/api/things?{sent}")
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.har");
    runner.save_recording(&file).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("/api/things?access+token=mine") && !text.contains("real"),
        "{text}"
    );
}

/// Row 84: `authenticate` may send a few requests, not copies of the secret to wherever it likes.
pub async fn few_requests(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CONSPIRES, api(&server)).await;
    let request = vec![json!({"url": format!("{}/things", api(&server))})];
    let mut mode = session(&[], &[]);
    mode["requests"] = json!(16);
    assert!(run(&setup, SECRETS[0], &mode, request.clone()).await.is_ok());
    assert_eq!(
        server.take().len(),
        17,
        "those of authenticate, and one of execute"
    );
    mode["requests"] = json!(40);
    let result = run(&setup, SECRETS[0], &mode, request).await;
    let Err(Failure::Denied { message, hint: None }) = &result else {
        panic!("{result:?}")
    };
    assert_eq!(message, "an authenticating node may send 16 requests");
    assert_eq!(bench.log.last("denied")["rule"], "authentication-requests");
    assert_eq!(server.take().len(), 16);
}
