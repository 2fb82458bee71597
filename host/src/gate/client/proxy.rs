//! Connections through the operator's proxy. For an `http` target the client talks to the proxy itself, for an `https`
//! target through a tunnel.
//!
//! A target written as an address is checked against the address rules first. A name is looked up by the proxy.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::upgrade;

use super::unread::CheckedStream;
use super::{ConnectFailure, Outbound, connect_to_any, resolve};
use crate::gate::network::ProxyServer;

/// The maximum size of the head of a response to `CONNECT`: a status line and a few headers.
const ANSWER_BYTES: usize = 8 * 1024;
/// The maximum number of headers in a response to `CONNECT`.
const ANSWER_HEADERS: usize = 64;

/// Why the proxy opened no connection.
#[derive(Debug)]
pub(crate) struct ProxyFailure {
    proxy: Arc<ProxyServer>,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Name(String),
    Unreachable(io::Error),
    Credentials,
    Refused(StatusCode),
    Broken(String),
    EarlyBytes,
}

impl fmt::Display for ProxyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy `{}` ", self.proxy)?;
        match &self.why {
            Why::Name(reason) => write!(f, "has a name that could not be resolved: {reason}"),
            Why::Unreachable(error) => write!(f, "cannot be reached: {error}"),
            Why::Credentials => f.write_str(
                "asks for a user and a password (407); they belong into its URL, `http://USER:PASSWORD@…`",
            ),
            Why::Refused(status) => write!(
                f,
                "opened no tunnel to the service: it answered {}",
                status.as_u16()
            ),
            Why::Broken(reason) => write!(f, "opened no tunnel to the service: {reason}"),
            Why::EarlyBytes => {
                f.write_str("sent something into the tunnel that nobody had asked for; nothing was sent")
            }
        }
    }
}

/// The message for a request that the proxy refused to pass on.
pub(crate) fn asks_for_credentials(proxy: &Arc<ProxyServer>) -> String {
    let proxy = Arc::clone(proxy);
    ProxyFailure {
        proxy,
        why: Why::Credentials,
    }
    .to_string()
}

/// Connects to a target through this proxy.
pub(super) async fn connect(
    outbound: &Outbound,
    proxy: &Arc<ProxyServer>,
    target: &Uri,
    port: u16,
) -> Result<CheckedStream, ConnectFailure> {
    let failed = |why| {
        ConnectFailure::Proxy(ProxyFailure {
            proxy: Arc::clone(proxy),
            why,
        })
    };
    let network = &*outbound.network;
    // The operator chose the proxy's address, not a node, so no address rule applies.
    let addresses = match resolve(network, &proxy.host).await {
        Ok(addresses) => addresses,
        Err(ConnectFailure::Name(reason)) => return Err(failed(Why::Name(reason))),
        Err(other) => return Err(other),
    };
    let addresses = addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, proxy.port));
    let stream = connect_to_any(network, addresses)
        .await
        .map_err(|error| failed(Why::Unreachable(error)))?;
    let stream = CheckedStream::new(stream);
    if target.scheme_str() != Some("https") {
        return Ok(stream.sent_to_proxy());
    }
    tunnel(stream, proxy, target, port).await.map_err(failed)
}

/// Requests a tunnel, and returns the stream once the tunnel is open.
async fn tunnel(
    stream: CheckedStream,
    proxy: &ProxyServer,
    target: &Uri,
    port: u16,
) -> Result<CheckedStream, Why> {
    let broken = |error: hyper::Error| Why::Broken(error.to_string());
    let authority = format!("{}:{port}", target.host().unwrap_or_default());
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(&authority)
        .header(header::HOST, &authority)
        .body(Empty::<Bytes>::new())
        .map_err(|error| Why::Broken(error.to_string()))?;
    if let Some(value) = &proxy.authorization {
        request
            .headers_mut()
            .insert(header::PROXY_AUTHORIZATION, value.clone());
    }
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(ANSWER_BYTES)
        .max_headers(ANSWER_HEADERS)
        .handshake(stream)
        .await
        .map_err(broken)?;
    let asking = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        match answer.status() {
            status if status.is_success() => upgrade::on(answer).await.map_err(broken),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(Why::Credentials),
            status => Err(Why::Refused(status)),
        }
    };
    let (mut asking, mut connection) = (pin!(asking), pin!(connection.with_upgrades()));
    let upgraded = tokio::select! {
        biased;
        upgraded = &mut asking => upgraded,
        // The connection is done when it hands the stream over; an error of the connection also reaches the request.
        _ = &mut connection => asking.await,
    }?;
    let parts = upgraded
        .downcast::<CheckedStream>()
        .map_err(|_| Why::Broken("the connection was lost".to_owned()))?;
    // In TLS the client speaks first, so bytes from the service here are unsolicited.
    if parts.read_buf.is_empty() {
        Ok(parts.io)
    } else {
        Err(Why::EarlyBytes)
    }
}
