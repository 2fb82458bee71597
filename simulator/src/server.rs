//! Sockets: listening, serving, stopping. Each simulator has its own thread and runtime, so it serves while its test
//! blocks, stays out of the test's scheduling, and stops when its handle is dropped.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::api::{Api, Stats};
use crate::config::Config;
use crate::control;
use crate::effect::{self, Delivery};
use crate::envelope::Reply;
use crate::faults::{Rule, RuleError, RuleState};
use crate::log::LoggedRequest;
use crate::story::Ledger;
use crate::wire::Script;

/// The length of the accept queue; a load generator opens hundreds of connections at once.
const BACKLOG: u32 = 1024;

/// Larger bodies are refused with HTTP 413. Ten thousand products are about two megabytes.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// How long a graceful stop waits for requests in flight.
const GRACE: Duration = Duration::from_secs(1);

/// How long to pause after `accept` fails, as it does when file descriptors run out.
const ACCEPT_REST: Duration = Duration::from_millis(20);

/// A running simulator. Dropping it cuts open connections, while [`Simulator::stop`] lets requests in flight finish.
#[derive(Debug)]
pub struct Simulator {
    port: u16,
    shared: Shared,
    phase: watch::Sender<Phase>,
    thread: Option<JoinHandle<()>>,
}

/// The simulator did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is in use or not permitted.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The requested port.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
    /// The system provides no thread or no event queue.
    #[error("cannot start a server thread: {0}")]
    Thread(#[source] io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Finishing,
    Cut,
}

/// The shared state, with a `Debug` that omits its thousands of rows.
#[derive(Clone)]
struct Shared(Arc<Api>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.config.fmt(f)
    }
}

impl Simulator {
    /// Starts a simulator on 127.0.0.1. It can be called inside and outside a runtime.
    ///
    /// # Errors
    ///
    /// The port is not available, or the system provides no thread.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let shared = Shared(Arc::new(Api::new(config)));
        let api = Arc::clone(&shared.0);
        let (phase, watched) = watch::channel(Phase::Serving);
        let (started, start) = mpsc::sync_channel(1);
        // The runtime is created and dropped in its own thread: dropping a runtime inside another panics.
        let thread = thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || run(api, watched, &started))
            .map_err(StartError::Thread)?;
        let lost = || StartError::Thread(io::Error::other("it ended before it listened"));
        let port = start.recv().map_err(|_| lost())??;
        Ok(Self {
            port,
            shared,
            phase,
            thread: Some(thread),
        })
    }

    /// The base URL of the API, without a trailing slash: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port that the simulator listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The logged requests, oldest first; empty unless the log is on.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.api().log.requests()
    }

    /// Empties the log of requests.
    pub fn clear_requests(&self) {
        self.api().log.clear();
    }

    /// What was stored, and how often.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.api().story.ledger()
    }

    /// The balance of a card's main points account as decimal digits, if there is such a card.
    #[must_use]
    pub fn balance(&self, card_no: &str) -> Option<String> {
        self.api().story.balance(card_no)
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.api().stats()
    }

    /// Adds a rule after the existing ones.
    ///
    /// # Errors
    ///
    /// The rule makes no sense.
    pub fn add_fault(&self, rule: Rule) -> Result<(), RuleError> {
        self.api().faults.add(vec![rule])
    }

    /// Removes all rules. Faults in progress continue.
    pub fn clear_faults(&self) {
        self.api().faults.clear();
    }

    /// The rules, and how often each has fired.
    #[must_use]
    pub fn faults(&self) -> Vec<RuleState> {
        self.api().faults.state()
    }

    /// Expires all access tokens and refresh tokens.
    pub fn expire_tokens(&self) {
        self.api().auth.revoke(false);
    }

    /// Expires all access tokens; refresh tokens stay valid.
    pub fn expire_access_tokens(&self) {
        self.api().auth.revoke(true);
    }

    /// Stops accepting, gives requests in flight at most a second to finish, and returns when the port is free.
    pub fn stop(mut self) {
        self.end(Phase::Finishing);
    }

    fn api(&self) -> &Api {
        &self.shared.0
    }

    fn end(&mut self, phase: Phase) {
        self.phase.send_replace(phase);
        if let Some(thread) = self.thread.take() {
            // A panic of the server has already been printed.
            let _ = thread.join();
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.end(Phase::Cut);
    }
}

/// Runs the server thread from start to stop.
fn run(api: Arc<Api>, phase: watch::Receiver<Phase>, started: &SyncSender<Result<u16, StartError>>) {
    let workers = api.config.workers;
    let built = match workers {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build(),
    };
    let port = api.config.port;
    let listening = built.map_err(StartError::Thread).and_then(|runtime| {
        let listener = listen(&runtime, port).map_err(|source| StartError::Listen { port, source })?;
        Ok((runtime, listener))
    });
    // The caller that starts the simulator waits for this message.
    let (runtime, (listener, port)) = match listening {
        Ok(listening) => listening,
        Err(error) => return drop(started.send(Err(error))),
    };
    let _ = started.send(Ok(port));
    let serving = serve(listener, api, phase);
    if workers > 1 {
        // `accept` runs on a worker, because otherwise each new connection would wake a second thread. A panic was
        // already printed.
        drop(runtime.block_on(runtime.spawn(serving)));
    } else {
        runtime.block_on(serving);
    }
    runtime.shutdown_background();
}

fn listen(runtime: &Runtime, port: u16) -> io::Result<(TcpListener, u16)> {
    // A socket registers with the runtime that is entered.
    let _entered = runtime.enter();
    let socket = TcpSocket::new_v4()?;
    // Allows reuse of a port that was just released.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let listener = socket.listen(BACKLOG)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

async fn serve(listener: TcpListener, api: Arc<Api>, mut phase: watch::Receiver<Phase>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // An error means that the handle was dropped, which is a reason to stop as well.
            _ = phase.changed() => break,
        };
        match accepted {
            Ok((socket, _)) => {
                connections.spawn(connection(socket, Arc::clone(&api), phase.clone()));
            }
            Err(_) => sleep(ACCEPT_REST).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if *phase.borrow() == Phase::Finishing {
        let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    }
    // Dropping the set cuts the remaining connections.
}

/// Counts a connection as open until it is dropped, whatever closes it.
struct Open<'a>(&'a Api);

impl<'a> Open<'a> {
    fn new(api: &'a Api) -> Self {
        api.counters.connections.fetch_add(1, Ordering::Relaxed);
        api.counters.open.fetch_add(1, Ordering::Relaxed);
        Self(api)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.counters.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connection(socket: TcpStream, api: Arc<Api>, mut phase: watch::Receiver<Phase>) {
    let _open = Open::new(&api);
    // Without `nodelay`, small responses wait for acknowledgements. A socket that is already closed fails elsewhere.
    let _ = socket.set_nodelay(true);
    if let Some(action) = api.faults.decide_connection() {
        let nothing = Reply::empty().write(api.config.envelope, "");
        if let Delivery::Raw(script) =
            effect::apply(action, nothing, |reply| reply.write(api.config.envelope, ""))
        {
            play(script, socket, &mut phase).await;
        }
        return;
    }
    let service = service_fn(|request| respond(&api, request));
    let mut served = http1::Builder::new()
        // With a fixed epoch the clock stands still; a running `Date` would make two recordings differ.
        .auto_date_header(api.config.epoch.is_none())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(socket), service);
    let ended = tokio::select! {
        ended = &mut served => ended,
        _ = phase.changed() => {
            std::pin::Pin::new(&mut served).graceful_shutdown();
            (&mut served).await
        }
    };
    let script = ended
        .err()
        .and_then(|error| error.source()?.downcast_ref::<Script>().cloned());
    if let Some(script) = script {
        let socket = served.into_parts().io.into_inner();
        play(script, socket, &mut phase).await;
    }
}

/// Runs a script until it finishes or the simulator stops.
async fn play(script: Script, socket: TcpStream, phase: &mut watch::Receiver<Phase>) {
    tokio::select! {
        () = script.run(socket) => {}
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => {}
    }
}

async fn respond(api: &Api, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Script> {
    let (parts, body) = request.into_parts();
    let body = match collect(body).await {
        Ok(body) => body,
        Err(refused) => return Ok(refused.write(api.config.envelope, "").into_response()),
    };
    if parts.uri.path().starts_with(control::PREFIX) {
        return Ok(control::answer(api, &parts, &body).into_response());
    }
    match api.answer(&parts, &body).await {
        Delivery::Whole(answer) => Ok(answer.into_response()),
        Delivery::Raw(script) => Err(script),
    }
}

async fn collect(body: Incoming) -> Result<Bytes, Reply> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Reply::status(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is larger than 16 MiB",
        )),
        Err(error) => Err(Reply::status(
            StatusCode::BAD_REQUEST,
            format!("the body cannot be read: {error}"),
        )),
    }
}
