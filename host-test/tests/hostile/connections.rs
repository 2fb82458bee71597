//! Reused connections, and requests that mean something else than they seem to: rows 77, 79 and 82.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use nodule::{Credential, Failure, RunOptions, Runner};
use serde_json::{Value, json};

use crate::bench::{Bench, Setup};
use crate::guests::{CALLS, LOGS_IN};
use crate::server::{Server, Step, ok, within};

/// One surplus response, with the path of the last request.
fn surplus(request: &crate::server::Request) -> Vec<u8> {
    let text = format!("surplus of {}", request.target());
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

/// The ways in which a service may send more than was requested.
const WAYS: [&str; 10] = [
    "same", "then", "late", "later", "pieces", "chunked", "204", "304", "head", "1xx",
];

/// Responds with the path, and sends more in the way that the path names.
fn more_than_asked(request: &crate::server::Request) -> Vec<Step> {
    let text = request.target().to_owned();
    let body = |bytes: &[Step]| match bytes {
        [Step::Write(bytes)] => bytes.clone(),
        _ => vec![],
    };
    let honest = body(&ok(&text));
    let more = surplus(request);
    let way = text.rsplit('/').next().unwrap_or_default();
    match way {
        "same" => vec![Step::Write([honest, more].concat())],
        "then" => vec![Step::Write(honest), Step::Write(more)],
        "late" => vec![Step::Write(honest), Step::Wait(1), Step::Write(more)],
        "later" => vec![Step::Write(honest), Step::Wait(5), Step::Write(more)],
        "pieces" => vec![
            Step::Write(honest),
            Step::Drip(more[..12].to_vec(), 1),
            Step::Write(more[12..].to_vec()),
        ],
        "chunked" => {
            let chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            vec![
                Step::Write(format!("{head}{chunk}").into_bytes()),
                Step::Write(more),
            ]
        }
        "204" => vec![
            Step::Write(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
            Step::Write(more),
        ],
        "304" => vec![
            Step::Write(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n".to_vec()),
            Step::Write(more),
        ],
        // A response to `HEAD` must not have this body.
        "head" => vec![Step::Write(honest), Step::Write(more)],
        "1xx" => vec![
            Step::Write(honest),
            Step::Write([b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n".to_vec(), more].concat()),
        ],
        _ => vec![Step::Write(honest)],
    }
}

/// A runner of one tenant with one secret.
fn runner(setup: &Setup, tenant: &str, secret: &str) -> Runner {
    let json = json!({"baseUrl": setup.base, "secret": secret, "mode": "none"});
    let credential = Credential::from_json(setup.component.node(), &json.to_string()).unwrap();
    setup
        .builder()
        .credential(credential)
        .tenant(tenant)
        .build()
        .unwrap()
}

/// The outcome of one request.
async fn one(runner: &Runner, request: Value) -> Result<Value, Failure> {
    let items = vec![json!({"requests": [request]})];
    let options = RunOptions::default();
    let results = runner.execute("things", "read", items, &options);
    let mut results = within("a request", results).await.unwrap();
    results
        .remove(0)
        .map(|output| serde_json::from_str(output[0].get()).unwrap())
}

/// Row 77.
pub async fn surplus_answers(bench: &Bench) {
    for (one, other) in [
        (("a", "secret-1"), ("b", "secret-1")),
        (("a", "secret-2"), ("a", "secret-3")),
    ] {
        nothing_shared(bench, one, other).await;
    }
    authentication_apart(bench).await;
    nothing_that_had_arrived(bench).await;
}

/// Two owners alternate: neither sees the other's responses, whatever the service sends, and each keeps its own
/// connection.
async fn nothing_shared(bench: &Bench, first: (&str, &str), second: (&str, &str)) {
    let server = Server::start(more_than_asked).await;
    let setup = Setup::new(bench, CALLS, format!("{}/api", server.origin())).await;
    let (a, b) = (
        runner(&setup, first.0, first.1),
        runner(&setup, second.0, second.1),
    );
    let get = |path: &str| json!({"url": format!("{}/{path}", setup.base)});
    for _ in 0..3 {
        for (runner, path) in [(&a, "a"), (&b, "b")] {
            let seen = one(runner, get(path)).await.unwrap();
            assert_eq!(seen["body"], format!("/api/{path}"));
        }
    }
    assert_eq!(server.connections(), 2, "{first:?} and {second:?} keep one each");
    for way in WAYS {
        for round in 0..3 {
            let mut request = get(&format!("a/{round}/{way}"));
            request["method"] = json!(if way == "head" { "HEAD" } else { "GET" });
            // The surplus may reach its own owner: the service can send that owner anything.
            let _ = one(&a, request).await;
            let path = format!("b/{round}");
            let seen = one(&b, get(&path)).await.unwrap();
            assert_eq!(
                (&seen["status"], &seen["body"]),
                (&json!(200), &json!(format!("/api/{path}"))),
                "{way}"
            );
        }
    }
}

/// A late response to an authenticating node, which knows the secret, must not reach an executing one.
async fn authentication_apart(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, LOGS_IN, format!("{}/api", server.origin())).await;
    let mode =
        json!({"requests": [{"url": format!("{}/token", setup.base)}], "headers": [["x-token", "abc"]]});
    let setup = setup.mode(&mode.to_string());
    let runner = setup.runner();
    for index in 0..3 {
        let request = json!({"url": format!("{}/{index}", setup.base)});
        assert_eq!(one(&runner, request).await.unwrap()["status"], 200);
    }
    let targets: Vec<String> = server
        .take()
        .iter()
        .map(|request| request.target().to_owned())
        .collect();
    assert_eq!(targets, ["/api/token", "/api/0", "/api/1", "/api/2"]);
    assert_eq!(server.connections(), 2, "one to authenticate, and one to execute");
}

/// Within one owner's runs: bytes that arrived before a request was sent are not its response. The only thread of the
/// runtime blocks until they have arrived, so nothing but the socket has seen them.
async fn nothing_that_had_arrived(bench: &Bench) {
    let late = Late::start();
    let setup = Setup::new(bench, CALLS, format!("{}/api", late.origin)).await;
    let runners: Vec<Runner> = (0..20)
        .map(|index| runner(&setup, &format!("late {index}"), "secret"))
        .collect();
    let base = setup.base.clone();
    let seen = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut seen = Vec::new();
            for runner in &runners {
                let get = |path: &str| json!({"url": format!("{base}/{path}")});
                assert_eq!(one(runner, get("1")).await.unwrap()["body"], "/api/1");
                // Until its task waits for the next request.
                tokio::task::yield_now().await;
                late.ask.send(()).unwrap();
                late.sent.recv().unwrap();
                seen.push(one(runner, get("2")).await.unwrap()["body"].clone());
                // After a service has done this, its connections are not reused.
                late.accepted.store(0, Ordering::SeqCst);
                for path in ["2", "2"] {
                    one(runner, get(path)).await.unwrap();
                }
                assert_eq!(late.accepted.load(Ordering::SeqCst), 2);
            }
            seen
        })
    });
    assert_eq!(within("the runs", seen).await.unwrap(), vec![json!("/api/2"); 20]);
}

/// A server that responds with the path, and sends another response when told to.
struct Late {
    origin: String,
    ask: Sender<()>,
    sent: Receiver<()>,
    accepted: Arc<AtomicUsize>,
}

impl Late {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (ask, asked) = channel::<()>();
        let (send, sent) = channel();
        let asked = Arc::new(Mutex::new(asked));
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (asked, send) = (Arc::clone(&asked), send.clone());
                std::thread::spawn(move || Self::serve(stream.unwrap(), &asked, &send));
            }
        });
        Self {
            origin,
            ask,
            sent,
            accepted,
        }
    }

    fn serve(mut stream: TcpStream, asked: &Mutex<Receiver<()>>, sent: &Sender<()>) {
        stream.set_nodelay(true).unwrap();
        let (mut head, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => return,
                    Ok(count) => head.extend_from_slice(&piece[..count]),
                }
            }
            let request = crate::server::Request {
                head: String::from_utf8(std::mem::take(&mut head)).unwrap(),
                body: vec![],
            };
            for step in ok(request.target()) {
                if let Step::Write(bytes) = step
                    && stream.write_all(&bytes).is_err()
                {
                    return;
                }
            }
            if request.target().ends_with("/1") {
                if asked.lock().unwrap().recv().is_err() {
                    return;
                }
                let _ = stream.write_all(&surplus(&request));
                let _ = sent.send(());
            }
        }
    }
}

/// Row 79.
pub async fn narrowed_base(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let base = format!("{}/api", server.origin());
    let entry = |path: &str, methods: &str| {
        format!(
            "[[allow]]\norigin = \"{}\"\npath = \"{path}\"\nmethods = {methods}",
            server.origin()
        )
    };
    let listed = Setup::new(bench, CALLS, &base)
        .await
        .policy("base-url = \"listed\"")
        .policy(entry("/api/things", "[\"GET\"]"))
        .policy(entry("/api/orders", "[\"GET\"]"));
    let orders = format!("{base}/orders/1");
    assert_eq!(listed.get(&orders).await.unwrap()["status"], 200);
    for (request, rule) in [
        (json!({"url": format!("{base}/admin")}), "path"),
        (json!({"url": format!("{base}/ordersX")}), "path"),
        (json!({"url": base}), "path"),
        (json!({"url": orders, "method": "DELETE"}), "methods"),
        (json!({"url": orders, "method": "POST", "body": "{}"}), "methods"),
    ] {
        server.take();
        let failure = listed.call(request.clone()).await.expect_err("it is not listed");
        let Failure::Denied {
            message,
            hint: Some(hint),
        } = failure
        else {
            panic!("{request}: {failure:?}")
        };
        assert!(message.contains("`base-url = \"listed\"`"), "{message}");
        assert!(
            hint.contains("[[allow]]") && hint.contains("base-url = \"granted\""),
            "{hint}"
        );
        assert_eq!(bench.log.last("denied")["rule"], rule, "{request}");
        assert_eq!(server.take().len(), 1, "{request}: only the honest request");
    }
    // By default everything below the base URL is granted, whatever entries exist.
    let granted = Setup::new(bench, CALLS, &base)
        .await
        .policy(entry("/api/orders", "[\"GET\"]"));
    assert_eq!(
        granted.get(&format!("{base}/admin")).await.unwrap()["status"],
        200
    );

    // The authenticating instance is the same node, so the same entries restrict what it does with the secret.
    let login = json!({"url": format!("{base}/login"), "method": "POST", "body": "{}"});
    let mode = json!({"requests": [login], "headers": [["x-token", "abc"]]}).to_string();
    let run = async |policy: String| {
        let setup = Setup::new(bench, LOGS_IN, &base).await.policy(policy).mode(&mode);
        server.take();
        let result = one(&setup.runner(), json!({"url": orders})).await;
        (result, server.take().len())
    };
    let orders_only = format!("base-url = \"listed\"\n{}", entry("/api/orders", "[\"GET\"]"));
    let (result, arrived) = run(orders_only.clone()).await;
    let Err(Failure::Denied { message, hint: None }) = result else {
        panic!("{result:?}")
    };
    assert!(message.contains("`base-url = \"listed\"`"), "{message}");
    assert_eq!(
        (arrived, &bench.log.last("denied")["rule"]),
        (0, &json!("authentication"))
    );
    let with_login = format!("{orders_only}\n{}", entry("/api/login", "[\"POST\"]"));
    let (result, arrived) = run(with_login).await;
    assert_eq!((result.unwrap()["status"].clone(), arrived), (json!(200), 2));
}

/// Row 82.
pub async fn override_headers(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let base = format!("{}/api", server.origin());
    let setup = Setup::new(bench, CALLS, &base).await;
    for name in [
        "X-HTTP-Method-Override",
        "x_http_method_override",
        "X_HTTP-Method_Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Original-URL",
        "X_Original_URL",
        "X.Original.URL",
        "X-Rewrite-URL",
        "X-Forwarded-For",
        "X-Forwarded-Prefix",
        "X-Forwarded-Host",
        "Forwarded",
        "X-Real-IP",
        "X-Host",
        "X-Original-Host",
        "X-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "Via",
        "Cookie",
        "Cookie2",
        "Front-End-Https",
        "X-ARR-ClientCert",
        "X-Envoy-Original-Path",
        "X-Middleware-Subrequest",
        "SCRIPT_NAME",
        "Remote_User",
        "Proxy",
        "Transfer_Encoding",
        "Content_Length",
    ] {
        server.take();
        let failure = setup
            .call(json!({"url": format!("{base}/x"), "method": "POST", "headers": [[name, "DELETE"]]}))
            .await
            .expect_err(name);
        if !matches!(name, "Transfer_Encoding" | "Content_Length") || bench.turns {
            let Failure::Denied { message, .. } = &failure else {
                panic!("{name}: {failure:?}")
            };
            assert!(message.contains(&name.to_ascii_lowercase()), "{message}");
            assert_eq!(bench.log.last("denied")["rule"], "header", "{name}");
        }
        assert_eq!(server.take().len(), 1, "{name}: only the honest request");
    }
    // A service's own headers are sent unchanged.
    let own = json!([["X-Client-Id", "1"], ["api_key", "2"], ["X-Requested-With", "3"]]);
    server.take();
    let sent = setup
        .call(json!({"url": format!("{base}/x"), "headers": own}))
        .await;
    assert_eq!(sent.unwrap()["status"], 200);
    let seen = server.take().swap_remove(0);
    for (name, value) in [("x-client-id", "1"), ("api_key", "2"), ("x-requested-with", "3")] {
        assert_eq!(seen.header(name), [value]);
    }

    // A session may set a cookie, which the node cannot change. It may not override method or path.
    let session = async |headers: Value, own: Value| {
        let mode = json!({"requests": [], "headers": headers}).to_string();
        let setup = Setup::new(bench, LOGS_IN, &base).await.mode(&mode);
        server.take();
        let result = one(
            &setup.runner(),
            json!({"url": format!("{base}/x"), "headers": own}),
        )
        .await;
        (result, server.take())
    };
    let (result, seen) = session(
        json!([["Cookie", "sid=1"], ["x-token", "abc"]]),
        json!([["x_token", "mine"]]),
    )
    .await;
    assert_eq!(result.unwrap()["status"], 200);
    assert_eq!(seen[0].header("cookie"), ["sid=1"]);
    assert_eq!(
        (seen[0].header("x-token"), seen[0].header("x_token")),
        (vec!["abc"], vec![])
    );
    for name in ["X-HTTP-Method-Override", "X_Original_URL", "X-Forwarded-User"] {
        let (result, seen) = session(json!([[name, "DELETE"]]), json!([])).await;
        let failure = result.expect_err(name);
        assert_eq!(
            (failure.kind(), seen.len()),
            ("bad-session", 0),
            "{name}: {failure:?}"
        );
    }
    // An authenticating node may send a cookie that a login requires.
    let login = json!({"url": format!("{base}/login"), "headers": [["Cookie", "csrf=1"]]});
    let mode = json!({"requests": [login], "headers": [["Cookie", "sid=1"]]}).to_string();
    let setup = Setup::new(bench, LOGS_IN, &base).await.mode(&mode);
    server.take();
    let sent = one(&setup.runner(), json!({"url": format!("{base}/x")}))
        .await
        .unwrap();
    assert_eq!(sent["status"], 200);
    assert_eq!(server.take()[0].header("cookie"), ["csrf=1"]);
}
