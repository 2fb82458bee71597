//! Where a host touches the network: it resolves names and opens connections.
//!
//! An embedder with its own resolver, interface binding or connection counters gives an engine its own [`Network`]. It
//! cannot widen what a node reaches: the address rules filter what `resolve` returns, and `connect` gets only addresses
//! that passed, in their order, right after the one look-up. With a [`Proxy`], both are also called for the proxy
//! itself, to which the address rules do not apply.

mod proxy;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use tokio::net::TcpStream;

pub(crate) use proxy::ProxyServer;
pub use proxy::{Proxy, ProxyError, ProxyMistake, ProxyProblem};

/// The result of a step of a [`Network`], when it is done.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Looks names up and opens connections.
pub trait Network: fmt::Debug + Send + Sync {
    /// Resolves a name: lower-case ASCII, without a trailing dot. It is called once per connection.
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Vec<IpAddr>>;

    /// Connects to exactly this address.
    fn connect(&self, address: SocketAddr) -> Pending<'_, TcpStream> {
        Box::pin(TcpStream::connect(address))
    }
}

/// The system's resolver and sockets.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Network for System {
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Vec<IpAddr>> {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}
