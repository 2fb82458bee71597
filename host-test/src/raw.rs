//! Services as they really behave: a server that responds byte for byte as a scenario says, and the outcome that a run
//! must have.
//!
//! The first segment of the path selects the scenario, so one server serves them all: `http://127.0.0.1:PORT/SCENARIO`
//! is a base URL. Requests below `/v1/auth/` get a token, unless the scenario is about that response.

mod bodies;
mod codings;
mod connections;
mod expected;
mod framing;
mod headers;
mod statuses;
mod throttles;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

pub use expected::{Expectation, Expected, TRIES};

/// The document of a normal response.
pub const DATA: &str = r#"{"code":"200","msg":"success","data":{"name":"张三"}}"#;

const TOKEN: &str =
    r#"{"code":"200","data":{"accessToken":"tok-abcdefghijklmnopqrstuvwxyz","expiresIn":7200}}"#;

/// A service that behaves in one way.
pub struct Scenario {
    /// The first segment of its paths.
    pub name: &'static str,
    /// The responses to the first request, the second, and so on; the last one repeats.
    pub answers: Vec<Answer>,
    /// The response to a request for a token.
    pub token: Answer,
    /// Lines of a policy file.
    pub policy: &'static str,
    /// The outcome of an operation that only reads.
    pub read: Expectation,
    /// The outcome of an operation that must not be sent twice.
    pub write: Expectation,
}

/// All scenarios.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let mut all = bodies::scenarios();
    all.extend(framing::scenarios());
    all.extend(codings::scenarios());
    all.extend(statuses::scenarios());
    all.extend(throttles::scenarios());
    all.extend(headers::scenarios());
    all.extend(connections::scenarios());
    all
}

impl Scenario {
    fn new(
        name: &'static str,
        answers: impl Into<Vec<Answer>>,
        (read, write): (Expectation, Expectation),
    ) -> Self {
        Self {
            name,
            answers: answers.into(),
            token: Answer::ok(TOKEN),
            policy: "",
            read,
            write,
        }
    }

    /// A service that answers every request with this document.
    #[must_use]
    pub fn always(name: &'static str, document: &str) -> Self {
        Self::new(name, Answer::ok(document), expected::output(document))
    }

    fn policy(mut self, lines: &'static str) -> Self {
        self.policy = lines;
        self
    }

    fn token(mut self, answer: Answer) -> Self {
        self.token = answer;
        self
    }
}

/// Bytes to send, and what happens to the connection after them.
#[derive(Clone)]
pub struct Answer {
    bytes: Vec<u8>,
    /// Bytes per write.
    piece: usize,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    /// Reads the next request.
    Keep,
    /// Closes the connection, after this many milliseconds.
    Close(u64),
    /// Resets the connection.
    Reset,
    /// Leaves the connection open and does nothing more.
    Silence,
}

impl From<Answer> for Vec<Answer> {
    fn from(answer: Answer) -> Self {
        vec![answer]
    }
}

impl Answer {
    /// Sends these bytes and nothing else.
    fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            piece: usize::MAX,
            then: Then::Keep,
        }
    }

    /// A response as most services send it.
    fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::of("200 OK", "Content-Type: application/json\r\n", body)
    }

    /// A response with a status, header lines and a body of known length.
    fn of(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len();
        Self::head(&format!("{status}\r\n{headers}Content-Length: {length}"), body)
    }

    /// A response with these status and header lines, without the last line break.
    fn head(head: &str, body: impl AsRef<[u8]>) -> Self {
        Self::raw([format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body.as_ref()].concat())
    }

    fn byte_by_byte(mut self) -> Self {
        self.piece = 1;
        self
    }

    fn then_close(mut self) -> Self {
        self.then = Then::Close(0);
        self
    }

    fn then_close_after(mut self, millis: u64) -> Self {
        self.then = Then::Close(millis);
        self
    }

    fn then_silence(mut self) -> Self {
        self.then = Then::Silence;
        self
    }

    /// Resets the connection without a response.
    fn reset() -> Self {
        Self {
            bytes: Vec::new(),
            piece: usize::MAX,
            then: Then::Reset,
        }
    }
}

/// Listens on a local port until it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    scenarios: HashMap<&'static str, Scenario>,
    /// Requests by scenario, without those for tokens.
    requests: Mutex<HashMap<&'static str, usize>>,
    is_over: AtomicBool,
}

impl Server {
    /// Starts a server for these scenarios.
    #[must_use]
    pub fn start(scenarios: Vec<Scenario>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            scenarios: scenarios.into_iter().map(|one| (one.name, one)).collect(),
            requests: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), state) = (stream, Arc::clone(&shared)) else {
                    continue;
                };
                thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { address, state }
    }

    /// The base URL of a scenario.
    #[must_use]
    pub fn base(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// The number of a scenario's operation requests so far.
    #[must_use]
    pub fn requests(&self, name: &str) -> usize {
        self.state
            .requests
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees the flag.
        let _ = TcpStream::connect(self.address);
    }
}

/// Serves one connection until either side closes it.
fn serve(mut stream: &TcpStream, state: &State) {
    let _ = stream.set_nodelay(true);
    let mut read = Vec::new();
    while let Some(path) = request(stream, &mut read) {
        let Some(answer) = state.answer(&path) else { return };
        let mut pieces = answer.bytes.chunks(answer.piece);
        if pieces.any(|piece| stream.write_all(piece).is_err()) {
            return;
        }
        match answer.then {
            Then::Keep => {}
            Then::Close(millis) => {
                thread::sleep(Duration::from_millis(millis));
                return;
            }
            Then::Reset => {
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
                return;
            }
            Then::Silence => {
                // Wait until the client gives up.
                let _ = stream.read(&mut [0]);
                return;
            }
        }
    }
}

impl State {
    fn answer(&self, path: &str) -> Option<Answer> {
        let scenario = self.scenarios.get(path.split('/').nth(1)?)?;
        if path.contains("/v1/auth/") {
            return Some(scenario.token.clone());
        }
        let mut requests = self.requests.lock().unwrap();
        let count = requests.entry(scenario.name).or_default();
        let answer = scenario.answers.get(*count).or(scenario.answers.last());
        *count += 1;
        answer.cloned()
    }
}

/// Reads one request and returns its path.
fn request(mut stream: &TcpStream, read: &mut Vec<u8>) -> Option<String> {
    let mut piece = [0; 4096];
    let mut more = |read: &mut Vec<u8>| {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&piece[..count]);
        Some(())
    };
    let end = loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        more(read)?;
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let all = end + length.unwrap_or(0);
    while read.len() < all {
        more(read)?;
    }
    read.drain(..all);
    head.split(' ').nth(1).map(str::to_owned)
}
