//! A network without an outside: tests define the addresses of names, and public addresses lead to a local server.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use nodule::network::{Network, Pending};
use tokio::net::TcpStream;

/// Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The results of successive look-ups; the last one repeats.
    names: HashMap<String, VecDeque<Vec<IpAddr>>>,
    looked_up: Vec<String>,
    connected: Vec<SocketAddr>,
    /// Where connections to non-local addresses go.
    outside: Option<SocketAddr>,
}

impl Fake {
    pub fn name(&self, name: &str, answers: &[&[&str]]) {
        let answers = answers
            .iter()
            .map(|addresses| addresses.iter().map(|address| address.parse().unwrap()).collect());
        self.0
            .lock()
            .unwrap()
            .names
            .insert(name.to_owned(), answers.collect());
    }

    pub fn outside(&self, server: SocketAddr) {
        self.0.lock().unwrap().outside = Some(server);
    }

    /// Returns and clears the names that were looked up and the addresses that were connected to.
    pub fn take(&self) -> (Vec<String>, Vec<SocketAddr>) {
        let mut state = self.0.lock().unwrap();
        (
            std::mem::take(&mut state.looked_up),
            std::mem::take(&mut state.connected),
        )
    }
}

impl Network for Fake {
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Vec<IpAddr>> {
        let mut state = self.0.lock().unwrap();
        state.looked_up.push(name.to_owned());
        let answer = state.names.get_mut(name).and_then(|answers| match answers.len() {
            0 | 1 => answers.front().cloned(),
            _ => answers.pop_front(),
        });
        Box::pin(async move { answer.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)) })
    }

    fn connect(&self, address: SocketAddr) -> Pending<'_, TcpStream> {
        let mut state = self.0.lock().unwrap();
        state.connected.push(address);
        let to = if address.ip().is_loopback() {
            Some(address)
        } else {
            state.outside
        };
        Box::pin(async move {
            match to {
                Some(to) => TcpStream::connect(to).await,
                None => Err(io::Error::from(io::ErrorKind::NetworkUnreachable)),
            }
        })
    }
}
