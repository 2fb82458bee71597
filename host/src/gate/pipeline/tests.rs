//! The pipeline without a component or a simulator: a request in, a decision or a response out. All connections go to
//! the test's own server, whatever name and address the node asked for.

mod counting;
mod deadlines;
mod declared;
mod permission;
mod recording;
mod replay;
mod request;
mod response;
mod session;
mod signing;
mod transport;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::HeaderName;
use nodule_core::address::AddressLists;
use nodule_core::failure::Failure;
use nodule_core::rate::Bucket;
use nodule_core::recording::{Meta, Recording};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant as Clock;

use super::*;
use crate::gate::access::Query;
use crate::gate::client::Outbound;
use crate::gate::network::{Network, Pending};
use crate::gate::tls::Tls;

/// The credential's base URL.
const BASE: &str = "http://crm.example.com/api";
/// A URL below it.
const THINGS: &str = "http://crm.example.com/api/things";
/// A URL that is not below it.
const OTHER: &str = "http://other.example.com/things";
/// A policy that also allows [`OTHER`].
const ALLOWS_OTHER: &str = "[[allow]]\norigin = \"http://other.example.com\"";
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34));
/// A session's secret, long and varied enough for redaction to look for it.
const SECRET: &str = "t0k3n-0123456789-abcdef";

/// A simulated network: every name has the same addresses, and every connection leads to the test's server.
#[derive(Debug)]
struct Names {
    addresses: io::Result<Vec<IpAddr>>,
    leads: Leads,
    looked_up: Mutex<Vec<String>>,
    connected: Mutex<Vec<SocketAddr>>,
}

#[derive(Debug, Clone, Copy)]
enum Leads {
    To(SocketAddr),
    /// Connections are refused.
    Nowhere,
    /// Connections neither open nor fail.
    IntoTheVoid,
}

impl Network for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Vec<IpAddr>> {
        self.looked_up.lock().unwrap().push(name.to_owned());
        let addresses = self.addresses.as_ref();
        let addresses = addresses.cloned().map_err(|error| error.kind().into());
        Box::pin(std::future::ready(addresses))
    }

    fn connect(&self, address: SocketAddr) -> Pending<'_, TcpStream> {
        self.connected.lock().unwrap().push(address);
        // Connects synchronously, so that a paused clock cannot jump meanwhile. The server's system accepts the
        // connection.
        let connect = |to| {
            let stream = std::net::TcpStream::connect(to)?;
            stream.set_nonblocking(true)?;
            TcpStream::from_std(stream)
        };
        match self.leads {
            Leads::To(server) => Box::pin(std::future::ready(connect(server))),
            Leads::Nowhere => Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionRefused.into()))),
            Leads::IntoTheVoid => Box::pin(std::future::pending()),
        }
    }
}

/// Sends the same bytes as the response to every request.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Keeps,
    Closes,
    Interrupts,
}

impl Server {
    /// Keeps its connections open. Without bytes, it never responds.
    fn start(reply: impl Into<Vec<u8>>) -> Self {
        Self::build(reply.into(), Manner::Keeps)
    }

    /// Closes the connection after its response.
    fn closing(reply: impl Into<Vec<u8>>) -> Self {
        Self::build(reply.into(), Manner::Closes)
    }

    /// Sends its response after the first bytes, whatever they are, and closes the connection.
    fn interrupting(reply: impl Into<Vec<u8>>) -> Self {
        Self::build(reply.into(), Manner::Interrupts)
    }

    fn build(reply: Vec<u8>, manner: Manner) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (reply, log) = (reply.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    if manner == Manner::Interrupts {
                        let _ = stream.read(&mut [0; 4096]).await;
                        let _ = stream.write_all(&reply).await;
                        return;
                    }
                    while let Some(request) = read(&mut stream).await {
                        log.lock().unwrap().push(request);
                        if stream.write_all(&reply).await.is_err() || manner == Manner::Closes {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }

    /// The requests that have arrived: each line of the head in lower case with a line feed, and the body after an
    /// empty line.
    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request that has arrived.
    fn one(&self) -> String {
        let seen = self.seen();
        let [request] = &seen[..] else {
            panic!("expected one request, found {seen:?}");
        };
        request.clone()
    }
}

/// Reads a request's head and its body.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1);
            let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                let head = head.replace("\r\n", "\n");
                return Some(format!("{head}\n\n{body}"));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// An HTTP/1.1 response.
fn response(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    [
        head.as_bytes(),
        lines.collect::<String>().as_bytes(),
        b"\r\n",
        body,
    ]
    .concat()
}

fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    response("200 OK", &[], body)
}

/// The parts of a pipeline.
struct Kit {
    scope: Scope,
    policy: Policy,
    limits: Limits,
    access: Option<Access>,
    signer: Option<Arc<dyn Signer>>,
    origins: DeclaredOrigins,
    write: bool,
    reads_only: bool,
    bound: Option<WriteBound>,
    addresses: io::Result<Vec<IpAddr>>,
    leads: Leads,
    rate: Option<Arc<Pace>>,
    recorder: Option<Arc<Recorder>>,
}

impl Kit {
    /// For a read operation below [`BASE`], without a session.
    fn new(leads: Leads) -> Self {
        Self {
            scope: Scope::Operation,
            policy: Policy::default(),
            limits: Limits::default(),
            access: None,
            signer: None,
            origins: DeclaredOrigins::default(),
            write: false,
            reads_only: false,
            bound: None,
            addresses: Ok(vec![PUBLIC]),
            leads,
            rate: None,
            recorder: None,
        }
    }

    fn to(server: &Server) -> Self {
        Self::new(Leads::To(server.address))
    }

    /// For requests that must not be sent.
    fn offline() -> Self {
        Self::new(Leads::Nowhere)
    }

    fn policy(mut self, text: &str) -> Self {
        self.policy = Policy::from_toml(text, "policy.toml").unwrap();
        self
    }

    fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// With the secret in this header of the session.
    fn session(mut self, header: &'static str) -> Self {
        let headers = vec![(HeaderName::from_static(header), Secret::new(SECRET.to_owned()))];
        self.access = Some(Access::new(headers, Query::new(Vec::new()), std::iter::empty()));
        self
    }

    fn authenticating(mut self) -> Self {
        self.scope = Scope::Authentication;
        self
    }

    /// For an item of a `write` operation that declares this number of requests.
    fn write(mut self, most: u32) -> Self {
        self.write = true;
        self.bound = Some(WriteBound {
            most,
            is_of_policy: false,
        });
        self
    }

    fn recorded(mut self) -> (Self, Arc<Recorder>) {
        let recorder = recorder();
        self.recorder = Some(Arc::clone(&recorder));
        (self, recorder)
    }

    /// A pipeline to the service.
    fn live(mut self) -> Gate {
        let names = Arc::new(Names {
            addresses: std::mem::replace(&mut self.addresses, Ok(Vec::new())),
            leads: self.leads,
            looked_up: Mutex::default(),
            connected: Mutex::default(),
        });
        let network: Arc<dyn Network> = Arc::clone(&names) as _;
        let clients = Clients::new(&[], Outbound::new(network, AddressLists::default(), None)).unwrap();
        let transport = Transport::Live {
            clients: Arc::new(clients),
            recorder: self.recorder.take(),
        };
        Gate {
            pipeline: self.build(transport),
            names,
        }
    }

    fn replay(self, recording: Recording) -> Arc<Pipeline> {
        let base = url::Url::parse(BASE).unwrap();
        self.build(Transport::Replay(Arc::new(Player::new(recording, &base))))
    }

    fn dry_run(self) -> (Arc<Pipeline>, Arc<Mutex<Vec<Planned>>>) {
        let planned = Arc::new(Mutex::new(Vec::new()));
        (self.build(Transport::DryRun(Arc::clone(&planned))), planned)
    }

    fn build(self, transport: Transport) -> Arc<Pipeline> {
        let outbound = Outbound::new(
            Arc::new(crate::gate::network::System),
            AddressLists::default(),
            None,
        );
        let clients = Clients::new(&[], outbound).unwrap();
        let owner = clients.owner("sha256:0", "tenant", None);
        Arc::new(Pipeline {
            scope: self.scope,
            policy: Arc::new(self.policy),
            base: Some(Arc::new(Base::new(CanonicalUrl::parse(BASE).unwrap()))),
            access: self.access.map(Arc::new),
            origins: Arc::new(self.origins),
            owner,
            tls: clients.tls(&Tls::default()).unwrap(),
            transport,
            write: self.write,
            reads_only: self.reads_only,
            bound: self.bound,
            item: Some(0),
            slots: Arc::new(Semaphore::new(self.limits.requests_in_flight)),
            overlap: Overlap::unlimited(),
            buffered: Buffered::new(self.limits.buffered_bytes),
            limits: Arc::new(self.limits),
            label: Arc::new(Label {
                node: "crm".to_owned(),
                digest: "sha256:0".to_owned(),
                operation: "things.get".to_owned(),
                path: None,
                ..Label::default()
            }),
            rate: self.rate,
            observed: Mutex::default(),
            origin_client: Mutex::default(),
            hook: None,
            signer: self.signer,
            cut: OnceLock::new(),
        })
    }
}

/// A pipeline to the service, and its simulated network.
struct Gate {
    pipeline: Arc<Pipeline>,
    names: Arc<Names>,
}

impl Gate {
    async fn send(&self, request: RawRequest) -> Result<BufferedResponse, HttpError> {
        Arc::clone(&self.pipeline).exchange(request, None).await
    }

    /// Sends a request that must succeed.
    async fn sent(&self, request: RawRequest) -> BufferedResponse {
        self.send(request).await.unwrap()
    }

    /// Sends a request that must fail. Returns the error's name.
    async fn fails(&self, request: RawRequest) -> &'static str {
        error_name::of(&self.send(request).await.err().unwrap())
    }

    /// Sends a request that must be refused without any use of the network. Returns message and hint.
    async fn denied(&self, request: RawRequest) -> (String, Option<String>) {
        assert_eq!(self.fails(request).await, "http-request-denied");
        assert!(self.looked_up().is_empty() && self.connected().is_empty());
        assert_eq!(self.pipeline.observed().sent, 0);
        denial(&self.pipeline)
    }

    fn looked_up(&self) -> Vec<String> {
        self.names.looked_up.lock().unwrap().clone()
    }

    fn connected(&self) -> Vec<SocketAddr> {
        self.names.connected.lock().unwrap().clone()
    }

    /// The transport error of a request without a response.
    fn trouble(&self) -> String {
        self.pipeline.trouble().unwrap_or_default()
    }

    /// The limit that was reached.
    fn limit(&self) -> String {
        match self.pipeline.refusal() {
            Some(Failure::Limit(words)) => words,
            other => panic!("expected a limit, found {other:?}"),
        }
    }
}

fn denial(pipeline: &Pipeline) -> (String, Option<String>) {
    match pipeline.refusal() {
        Some(Failure::Denied { message, hint }) => (message, hint),
        other => panic!("expected a denial, found {other:?}"),
    }
}

fn get(url: &str) -> RawRequest {
    request("GET", url, &[], "")
}

fn post(url: &str, body: &str) -> RawRequest {
    request("POST", url, &[("content-type", "application/json")], body)
}

fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> RawRequest {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
    }
    RawRequest {
        method: method.parse().unwrap(),
        scheme: if scheme == "https" { "https" } else { "http" },
        authority: authority.to_owned(),
        path_and_query: format!("/{path}"),
        headers: map,
        body: if body.is_empty() {
            Content::None
        } else {
            Content::Whole(Bytes::copy_from_slice(body.as_bytes()))
        },
        keep: Keep::No,
    }
}

/// A request that has passed step 1.
fn checked(method: Method, url: &str) -> ValidatedRequest {
    let url = CanonicalUrl::parse(url).unwrap();
    ValidatedRequest {
        method,
        below_base: Base::new(CanonicalUrl::parse(BASE).unwrap()).covers(&url),
        url,
        declaration: Declaration::default(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        upload: None,
        keep: Keep::No,
    }
}

fn recorder() -> Arc<Recorder> {
    let meta = Meta::new("things", "get", url::Url::parse(BASE).unwrap());
    Arc::new(Recorder::new(meta, ["x-session"]))
}

/// The recording of one item.
fn finished(recorder: &Recorder) -> Recording {
    let item = nodule_core::recording::Item {
        parameters: nodule_core::json!({}),
        call: None,
        result: None,
    };
    recorder.finish(vec![item]).unwrap()
}

/// A recording of one exchange.
fn of_one(request: (&str, &str, &str), outcome: Outcome) -> Recording {
    let (method, url, body) = request;
    let recorder = recorder();
    recorder.push(Exchange {
        role: nodule_core::recording::Role::Operation,
        item: Some(0),
        request: nodule_core::recording::Request {
            method: method.parse().unwrap(),
            url: url::Url::parse(url).unwrap(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Bytes::copy_from_slice(body.as_bytes()),
        },
        outcome,
        started: Timestamp::UNIX_EPOCH,
        duration: std::time::Duration::from_millis(1),
    });
    finished(&recorder)
}

fn recorded_response(status: u16, body: &str, broken: Option<&str>) -> Outcome {
    Outcome::Answer(RecordedResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: vec![("x-of-recording".to_owned(), "yes".to_owned())],
        body: Bytes::copy_from_slice(body.as_bytes()),
        broken: broken.map(ToOwned::to_owned),
        file: None,
    })
}
