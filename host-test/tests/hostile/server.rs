//! A server that treats connections as the rows need: it reads a request and then writes, waits or breaks off, byte by
//! byte if needed. It records what arrives.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Nothing listens there, and no request goes there.
pub const NOWHERE: &str = "http://127.0.0.1:9/api";

/// What happens after a request was read.
#[derive(Clone)]
pub enum Step {
    Write(Vec<u8>),
    /// Writes the bytes one by one, with this many milliseconds between them.
    Drip(Vec<u8>, u64),
    /// Waits this many milliseconds.
    Wait(u64),
    /// Writes the bytes again and again, as long as the client reads them.
    Endless(Vec<u8>),
    /// Stays silent for longer than any test lasts.
    Silence,
    /// Closes the connection without a response.
    Close,
}

/// A request as received.
#[derive(Debug, Clone)]
pub struct Request {
    /// Request line and headers, as text.
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// All values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }
}

type Handler = Arc<dyn Fn(&Request) -> Vec<Step> + Send + Sync>;

/// Listens on a local port until it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    listening: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct State {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// A plain 200 response.
pub fn ok(body: impl AsRef<[u8]>) -> Vec<Step> {
    answer("200 OK", &[], body)
}

pub fn answer(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str("\r\n");
    vec![Step::Write([bytes.as_bytes(), body].concat())]
}

impl Server {
    pub async fn start(handler: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::listen(None, handler).await
    }

    pub async fn start_tls(
        config: tokio_rustls::rustls::ServerConfig,
        handler: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(TlsAcceptor::from(Arc::new(config))), handler).await
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let (kept, handler): (_, Handler) = (Arc::clone(&state), Arc::new(handler));
        let listening = tokio::spawn(async move {
            // Dropping the set closes the connections together with the listener.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                kept.connections.fetch_add(1, Ordering::SeqCst);
                let open = Open::new(&kept);
                let (state, handler, tls) = (Arc::clone(&kept), Arc::clone(&handler), tls.clone());
                connections.spawn(async move {
                    let _open = open;
                    serve(stream, tls, &state, &handler).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            state,
            listening,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns and clears the requests that arrived.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.state.requests.lock().unwrap())
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    pub fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }
}

/// Counts a connection while it is open.
struct Open(Arc<State>);

impl Open {
    fn new(state: &Arc<State>) -> Self {
        let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_open.fetch_max(open, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, state: &State, handler: &Handler) {
    match tls {
        None => talk(stream, state, handler).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                talk(stream, state, handler).await;
            }
        }
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State, handler: &Handler) {
    let mut kept = Vec::new();
    while let Some(request) = read(&mut stream, &mut kept).await {
        state.requests.lock().unwrap().push(request.clone());
        for step in handler(&request) {
            let done = match step {
                Step::Write(bytes) => stream.write_all(&bytes).await.is_ok(),
                Step::Drip(bytes, millis) => drip(&mut stream, &bytes, millis).await,
                Step::Wait(millis) => {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    true
                }
                Step::Endless(bytes) => loop {
                    if stream.write_all(&bytes).await.is_err() {
                        break false;
                    }
                },
                Step::Silence => {
                    // Wait until the client gives up.
                    let _ = stream.read(&mut [0]).await;
                    false
                }
                Step::Close => false,
            };
            if !done {
                return;
            }
        }
    }
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8], millis: u64) -> bool {
    for byte in bytes {
        if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    true
}

/// Reads one request with its body, by its length or in chunks; `None` when the connection is closed.
async fn read(stream: &mut (impl AsyncRead + Unpin), kept: &mut Vec<u8>) -> Option<Request> {
    let end = until(stream, kept, |bytes| find(bytes, b"\r\n\r\n")).await?;
    let head = String::from_utf8_lossy(&kept[..end]).into_owned();
    kept.drain(..end + 4);
    let mut request = Request {
        head,
        body: Vec::new(),
    };
    if let Some(length) = request.header("content-length").first() {
        let length = length.parse().ok()?;
        until(stream, kept, |bytes| (bytes.len() >= length).then_some(length)).await?;
        request.body = kept.drain(..length).collect();
    } else if !request.header("transfer-encoding").is_empty() {
        let end = until(stream, kept, |bytes| find(bytes, b"0\r\n\r\n")).await?;
        request.body = kept.drain(..end + 5).collect();
    }
    Some(request)
}

/// Reads until the pattern arrives, and returns its position.
async fn until(
    stream: &mut (impl AsyncRead + Unpin),
    kept: &mut Vec<u8>,
    found: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    loop {
        if let Some(place) = found(kept) {
            return Some(place);
        }
        if stream.read_buf(kept).await.ok()? == 0 {
            return None;
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Waits until the condition is true, with a timeout that only a failure reaches.
pub async fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// Awaits a future, with a timeout that only a failure reaches.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(120), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not end"),
    }
}
