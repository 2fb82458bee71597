//! `nodule login`: a user consents in the browser, and the tokens are stored beside the credential.
//!
//! The browser comes back to a port of this machine. Anybody here can open that URL, so what comes is only taken if it has
//! the `state` of this log-in, and only once.

use std::path::Path;

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use http::{StatusCode, Uri, header};
use nodule::url::Url;
use nodule::{Login, LoginError};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::args;
use crate::exit::{Exit, Failed, line, warning};
use crate::output;
use crate::places::Places;
use crate::setup;
use crate::signals::Signals;

/// How many URLs of strangers are refused before the log-in ends.
const MOST_STRANGERS: usize = 100;
/// The most that is read of standard input: some URLs.
const MOST_INPUT_BYTES: u64 = 256 * 1024;
/// How long the browser may take to read its last page.
const LAST_PAGE: std::time::Duration = std::time::Duration::from_secs(2);
const CALLBACK: &str = "/callback";

pub async fn login(args: &args::Login) -> Result<Exit, Failed> {
    let policy = setup::policy(&args.grants)?;
    let (digest, outbound) = (args.digest.as_deref(), Some(&args.outbound));
    let component = setup::component(&args.component, digest, Some(&policy), outbound).await?;
    let file: &Path = &args.credential;
    let credential = setup::needed_credential(component.node(), Some(file))?;
    let base = credential.base_url().to_string();
    let tls = setup::tls(&policy, &args.grants, &args.outbound, &mut Places::default())?;
    let builder = component.runner().policy(policy).credential(credential).tls(tls);
    let runner = setup::with_tokens(builder, Some(file)).build()?;
    let listener = TcpListener::bind(("127.0.0.1", args.port.unwrap_or(0))).await;
    let broken = |error: std::io::Error| Failed::usage(format!("--port: {error}"));
    let listener = listener.map_err(broken)?;
    let port = listener.local_addr().map_err(broken)?.port();
    let redirect = format!("http://127.0.0.1:{port}{CALLBACK}");
    let redirect = Url::parse(&redirect).map_err(|error| Failed::usage(format!("{redirect}: {error}")))?;
    let begun = runner.begin_login(&redirect).await;
    let Some(mut login) = begun.map_err(|failure| Failed::item(&failure))? else {
        return Err(Failed::usage("this credential needs no log-in".to_owned()));
    };
    // What the node's description names is shown before anything is sent there.
    line(&format!(
        "log in at {}; the tokens come from {}, and are sent to {base}",
        login.authorization_origin(),
        login.token_origin()
    ));
    output::print(&format!("{}\n", login.url()))?;
    if args.no_browser {
        line("open this URL in a browser, and paste the URL that it is redirected to:");
    } else if !open(login.url()) {
        line("open this URL in a browser on this machine");
    }
    let mut signals = Signals::listen();
    tokio::select! {
        finished = visits(&mut login, listener, args.no_browser) => finished?,
        signal = signals.first() => {
            return Err(Failed::usage("the log-in was stopped".to_owned()).ended(Exit::Signal(signal)));
        }
        () = tokio::time::sleep(args.timeout) => {
            let seconds = args.timeout.as_secs();
            return Err(Failed::usage(format!("nobody has logged in within {seconds} seconds (`--timeout`)"))
                .ended(Exit::ItemFailed));
        }
    }
    output::print(&format!("logged in: {base}\n"))?;
    Ok(Exit::Done)
}

/// A URL that somebody opened or pasted, and whoever waits for what became of it.
struct Visit {
    query: Option<String>,
    pasted: Option<String>,
    answer: oneshot::Sender<bool>,
}

/// Waits for the URL of this log-in, and finishes it.
async fn visits(login: &mut Login, listener: TcpListener, is_pasted: bool) -> Result<(), Failed> {
    let (sender, mut visits) = mpsc::channel(1);
    let (stop, stopped) = oneshot::channel::<()>();
    let router = axum::Router::new()
        .route(CALLBACK, axum::routing::get(callback))
        .with_state(sender.clone());
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());
    if is_pasted {
        tokio::spawn(paste(sender));
    }
    let mut strangers = 0;
    let outcome = loop {
        let Some(visit) = visits.recv().await else {
            break Err(Failed::usage("nobody can log in any more".to_owned()));
        };
        let url = match (&visit.query, visit.pasted) {
            (_, Some(pasted)) => pasted,
            (Some(query), None) => format!("{}?{query}", login.redirect_url()),
            (None, None) => login.redirect_url().to_string(),
        };
        let finished = login.finish(&url).await;
        // The page goes out before this process ends.
        let _ = visit.answer.send(finished.is_ok());
        match finished {
            Ok(()) => break Ok(()),
            Err(error) if error.is_of_a_stranger() && strangers < MOST_STRANGERS => {
                strangers += 1;
                warning(&format!("a URL was refused: {error}"));
            }
            Err(LoginError::Failed(failure)) => break Err(Failed::item(&failure)),
            Err(error) => break Err(Failed::usage(error.to_string()).ended(Exit::ItemFailed)),
        }
    };
    drop((visits, stop));
    let _ = tokio::time::timeout(LAST_PAGE, server).await;
    outcome
}

/// The browser comes back.
async fn callback(State(visits): State<mpsc::Sender<Visit>>, uri: Uri) -> Response {
    let (answer, answered) = oneshot::channel();
    let visit = Visit {
        query: uri.query().map(str::to_owned),
        pasted: None,
        answer,
    };
    let outcome = match visits.send(visit).await {
        Ok(()) => answered.await.ok(),
        Err(_) => None,
    };
    let (status, text) = match outcome {
        Some(true) => (StatusCode::OK, "You are logged in. You may close this window."),
        Some(false) => (
            StatusCode::BAD_REQUEST,
            "This is no log-in that is waited for. The command says why.",
        ),
        None => (StatusCode::GONE, "The log-in is finished."),
    };
    let page = format!("<!doctype html><meta charset=utf-8><title>nodule</title><p>{text}</p>\n");
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, Html(page)).into_response()
}

/// Lines of standard input.
async fn paste(visits: mpsc::Sender<Visit>) {
    let mut lines = BufReader::new(tokio::io::stdin().take(MOST_INPUT_BYTES)).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        if text.trim().is_empty() {
            continue;
        }
        let (answer, _) = oneshot::channel();
        let visit = Visit {
            query: None,
            pasted: Some(text),
            answer,
        };
        if visits.send(visit).await.is_err() {
            return;
        }
    }
}

/// Opens the user's browser, where there is one. Without a display, the system's programs would start one in this terminal.
fn open(url: &Url) -> bool {
    let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_shown = !cfg!(all(unix, not(target_os = "macos"))) || has("DISPLAY") || has("WAYLAND_DISPLAY");
    is_shown && open::that_detached(url.as_str()).is_ok()
}
