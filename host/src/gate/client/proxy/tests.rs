use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper_util::client::legacy;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::super::{Clients, Connecting, Freshness, Key, OriginClient, TlsManner};
use super::*;
use crate::gate::network::{Network, Pending, Proxy};
use nodule_core::address::{AddressLists, Permit};

const USER: &str = "topuser";
const PASSWORD: &str = "topsecret";
/// `topuser:topsecret`
const ENCODED: &str = "dG9wdXNlcjp0b3BzZWNyZXQ=";

/// A network that looks up no name but the proxy's.
#[derive(Debug)]
struct OnlyTheProxy;

impl Network for OnlyTheProxy {
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Vec<IpAddr>> {
        Box::pin(async move {
            if name == "proxy.internal" {
                Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
            } else {
                Err(io::Error::other(format!("{name} was looked up")))
            }
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Passes requests on if the user and password are right.
    Honest,
    /// Sends this response.
    Answers(&'static str),
    /// Never responds.
    Silent,
}

/// A proxy that connects every name to one service.
struct TestProxy {
    port: u16,
    /// The heads of the requests that it received.
    heads: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    async fn start(manner: Manner, service: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(Self::serve(stream, manner, service, Arc::clone(&seen)));
            }
        });
        Self { port, heads }
    }

    async fn serve(mut stream: TcpStream, manner: Manner, service: u16, heads: Arc<Mutex<Vec<String>>>) {
        while let Some(head) = head(&mut stream).await {
            heads.lock().unwrap().push(head.clone());
            let allowed = head.contains(&format!("proxy-authorization: Basic {ENCODED}\r\n"));
            let answer = match manner {
                Manner::Silent => std::future::pending().await,
                Manner::Answers(answer) => Some(answer),
                Manner::Honest if !allowed => Some("HTTP/1.1 407 Who?\r\ncontent-length: 0\r\n\r\n"),
                Manner::Honest => None,
            };
            if let Some(answer) = answer {
                let _ = stream.write_all(answer.as_bytes()).await;
                continue;
            }
            let mut upstream = TcpStream::connect(("127.0.0.1", service)).await.unwrap();
            if head.starts_with("CONNECT ") {
                stream.write_all(b"HTTP/1.1 200 Here\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut upstream).await;
                return;
            }
            let url: Uri = head.split(' ').nth(1).unwrap().parse().unwrap();
            let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", url.path());
            upstream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = vec![0; 1024];
            let count = upstream.read(&mut answer).await.unwrap();
            stream.write_all(&answer[..count]).await.unwrap();
        }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn url(&self) -> String {
        format!("http://{USER}:{PASSWORD}@proxy.internal:{}", self.port)
    }
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(bytes).unwrap())
}

/// Responds to each request with its path.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    while let Some(head) = head(&mut stream).await {
        let path = head.split(' ').nth(1).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn plain_service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            tokio::spawn(answer(listener.accept().await.unwrap().0));
        }
    });
    port
}

/// A TLS service with a certificate for `service.example` only. Returns its port and the certificate.
async fn tls_service() -> (u16, Vec<u8>) {
    let signed = rcgen::generate_simple_self_signed(vec!["service.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                if stream.get_ref().1.server_name() == Some("service.example") {
                    answer(stream).await;
                }
            });
        }
    });
    (port, signed.cert.der().to_vec())
}

/// The clients of an engine that sends everything through this proxy.
fn clients(url: &str, no: &str) -> Clients {
    clients_trusting(&[], url, no)
}

fn clients_trusting(roots: &[Vec<u8>], url: &str, no: &str) -> Clients {
    let proxy = Proxy::new(Some(url), Some(url), no).unwrap();
    let outbound = Outbound::new(Arc::new(OnlyTheProxy), AddressLists::default(), Some(proxy));
    Clients::new(roots, outbound).unwrap()
}

fn origin_client(clients: &Clients, permit: Permit, url: &str) -> OriginClient {
    let key = Key {
        owner: clients.owners.named("a"),
        authenticates: false,
        permit,
        tls: TlsManner::PLAIN,
        freshness: Freshness::Any,
        header_count: 64,
        header_bytes: 8192,
    };
    clients.origin_client(key, &clients.tls, &url.parse().unwrap())
}

async fn send(
    origin_client: &OriginClient,
    url: &str,
    within: Duration,
) -> Result<http::Response<hyper::body::Incoming>, legacy::Error> {
    let asking = origin_client.request_permit();
    let connecting = Connecting::by(Instant::now() + within, &asking);
    let request = Request::get(url)
        .body(crate::gate::upload::OutgoingBody::whole(bytes::Bytes::new()))
        .unwrap();
    origin_client.request(connecting, request).await
}

const LONG: Duration = Duration::from_mins(1);

async fn get(clients: &Clients, permit: Permit, url: &str) -> Result<String, String> {
    let origin_client = origin_client(clients, permit, url);
    let answer = send(&origin_client, url, LONG)
        .await
        .map_err(|error| words(&error))?;
    if let Some(proxy) = origin_client.refused_by_proxy(&answer) {
        return Err(asks_for_credentials(proxy));
    }
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

/// All messages of an error; asserts that the proxy's user is not among them.
fn words(error: &legacy::Error) -> String {
    let all = format!("{error:?}");
    for secret in [USER, PASSWORD, ENCODED] {
        assert!(!all.contains(secret), "{all}");
    }
    std::error::Error::source(error).map_or(all, ToString::to_string)
}

#[tokio::test]
async fn a_plain_target_is_asked_for_by_its_whole_url_and_not_looked_up() {
    let proxy = TestProxy::start(Manner::Honest, plain_service().await).await;
    let clients = clients(&proxy.url(), "");
    for path in ["/a", "/b"] {
        let url = format!("http://service.example:8080{path}");
        assert_eq!(get(&clients, Permit::PublicOnly, &url).await.unwrap(), path);
    }
    let heads = proxy.heads();
    assert!(
        heads[0].starts_with("GET http://service.example:8080/a HTTP/1.1\r\n"),
        "{heads:?}"
    );
    assert!(heads[1].contains("host: service.example:8080\r\n"), "{heads:?}");
    assert_eq!(heads.len(), 2);
}

#[tokio::test]
async fn a_tls_target_is_reached_through_a_tunnel_with_its_own_name_inside() {
    let (service, root) = tls_service().await;
    let proxy = TestProxy::start(Manner::Honest, service).await;
    let clients = clients_trusting(&[root], &proxy.url(), "");
    for path in ["/a", "/b"] {
        let url = format!("https://service.example{path}");
        assert_eq!(get(&clients, Permit::PublicOnly, &url).await.unwrap(), path);
    }
    // One tunnel, used twice. The proxy sees nothing of the requests.
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(
        heads[0].starts_with("CONNECT service.example:443 HTTP/1.1\r\n"),
        "{heads:?}"
    );
    // The certificate is not for this name.
    let error = get(&clients, Permit::PublicOnly, "https://other.example/")
        .await
        .unwrap_err();
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_target_that_is_written_as_a_forbidden_address_is_not_asked_for() {
    let proxy = TestProxy::start(Manner::Honest, plain_service().await).await;
    let clients = clients(&proxy.url(), "");
    for (permit, target) in [
        (Permit::PublicOnly, "10.0.0.1"),
        (Permit::PublicOnly, "[::1]"),
        (Permit::PrivateAllowed, "[::ffff:10.0.0.1]"),
        (Permit::Literal("1.1.1.1".parse().unwrap()), "1.1.1.2"),
    ] {
        for scheme in ["http", "https"] {
            let error = get(&clients, permit, &format!("{scheme}://{target}/"))
                .await
                .unwrap_err();
            assert!(error.contains("no address may be connected to"), "{error}");
        }
    }
    assert_eq!(proxy.heads(), Vec::<String>::new());
    let permitted = get(&clients, Permit::PrivateAllowed, "http://10.0.0.1/x").await;
    assert_eq!(permitted.unwrap(), "/x");
}

#[tokio::test]
async fn where_no_proxy_is_used_the_target_itself_is_reached_under_all_rules() {
    let service = plain_service().await;
    let proxy = TestProxy::start(Manner::Honest, service).await;
    let clients = clients(&proxy.url(), "127.0.0.1,.internal");
    let url = format!("http://127.0.0.1:{service}/x");
    let here = Permit::Literal(IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_eq!(get(&clients, here, &url).await.unwrap(), "/x");
    let error = get(&clients, Permit::PublicOnly, &url).await.unwrap_err();
    assert!(error.contains("no address may be connected to"), "{error}");
    // As a target, the proxy's own name is checked like any other, and it is private.
    let error = get(&clients, Permit::PublicOnly, "https://proxy.internal/")
        .await
        .unwrap_err();
    assert!(error.contains("`127.0.0.1` (loopback)"), "{error}");
    let error = get(&clients, Permit::PublicOnly, "http://crm.internal/")
        .await
        .unwrap_err();
    assert!(error.contains("crm.internal was looked up"), "{error}");
    assert_eq!(proxy.heads(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proxy_that_asks_for_a_user_says_where_it_belongs() {
    let proxy = TestProxy::start(Manner::Honest, plain_service().await).await;
    let clients = clients(&format!("http://wrong:word@proxy.internal:{}", proxy.port), "");
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://service.example/");
        let error = get(&clients, Permit::PublicOnly, &url).await.unwrap_err();
        let said = format!(
            "the proxy `http://proxy.internal:{}` asks for a user and a password (407)",
            proxy.port
        );
        assert!(error.contains(&said), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_named_with_what_it_did() {
    const LONG_ANSWER: &str = concat!("HTTP/1.1 200 Here\r\nx: ", "0123456789abcdef0123456789abcdef");
    let huge: &'static str =
        Box::leak(format!("{LONG_ANSWER}{}\r\n\r\n", "x".repeat(64 * 1024)).into_boxed_str());
    for (answer, said) in [
        ("HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", "it answered 403"),
        (
            "HTTP/1.1 302 There\r\nlocation: http://x/\r\ncontent-length: 0\r\n\r\n",
            "it answered 302",
        ),
        ("SSH-2.0-OpenSSH\r\n\r\n", "opened no tunnel to the service: "),
        ("HTTP/1.1 200 Here\r\n\r\nhello", "sent something into the tunnel"),
        (huge, "opened no tunnel to the service: "),
    ] {
        let proxy = TestProxy::start(Manner::Answers(answer), 9).await;
        let clients = clients(&proxy.url(), "");
        let error = get(&clients, Permit::PublicOnly, "https://service.example/")
            .await
            .unwrap_err();
        assert!(error.contains(said), "{error}");
        assert!(
            error.contains(&format!("the proxy `http://proxy.internal:{}`", proxy.port)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for (host, said) in [
        ("proxy.internal", "cannot be reached: "),
        ("other.internal", "could not be resolved"),
    ] {
        let clients = clients(&format!("http://{USER}:{PASSWORD}@{host}:{port}"), "");
        let error = get(&clients, Permit::PublicOnly, "https://service.example/")
            .await
            .unwrap_err();
        assert!(
            error.contains(&format!("the proxy `http://{host}:{port}` ")),
            "{error}"
        );
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_has_the_time_of_a_connection() {
    let proxy = TestProxy::start(Manner::Silent, 9).await;
    let clients = clients(&proxy.url(), "");
    let url = "https://service.example/";
    let origin_client = origin_client(&clients, Permit::PublicOnly, url);
    let error = words(
        &send(&origin_client, url, Duration::from_millis(50))
            .await
            .unwrap_err(),
    );
    let said = format!(
        "no connection through the proxy `http://proxy.internal:{}` in time",
        proxy.port
    );
    assert!(error.contains(&said), "{error}");
}
