//! Connects to whichever of several addresses responds first (RFC 8305).
//!
//! A service often has an address of each family, and one of them is unreachable: the network drops packets, so that an
//! attempt waits for the system's long timeout. So the next address is tried after a moment, or at once if the previous
//! one refused, while earlier attempts continue. All attempts share the request's deadline.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::gate::network::Network;

/// The delay between two attempts, as RFC 8305 recommends.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Connects to one of these addresses and abandons the other attempts. Addresses are tried in their order, with the
/// families interleaved.
pub(super) async fn connect_to_any(
    network: &dyn Network,
    addresses: impl IntoIterator<Item = SocketAddr>,
) -> io::Result<TcpStream> {
    let mut addresses = by_turns(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut is_more = true;
    loop {
        match addresses.next() {
            Some(address) => attempts.push(network.connect(address)),
            None => is_more = false,
        }
        tokio::select! {
            biased;
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => {
                    // A request is written in one piece, so waiting for more data only delays it.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Some(Err(error)) => last = error,
                None => return Err(last),
            },
            () = sleep(NEXT_AFTER), if is_more => {}
        }
    }
}

/// Interleaves the address families, starting with the first address's family, and keeps the order within each.
fn by_turns(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.into_iter().peekable();
    let is_ipv4 = addresses.peek().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = addresses.partition(|address| address.is_ipv4() == is_ipv4);
    let mut second = second.into_iter();
    let mut all = Vec::with_capacity(first.len() + second.len());
    for address in first {
        all.push(address);
        all.extend(second.next());
    }
    all.extend(second);
    all
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;
    use crate::gate::network::Pending;

    /// Addresses in 192.0.2.0/24 never respond, those in 198.51.100.0/24 refuse, and all others lead to one listener.
    #[derive(Debug)]
    struct Fake {
        listener: SocketAddr,
        tried: Mutex<Vec<SocketAddr>>,
        given_up: AtomicUsize,
    }

    struct Silent<'a>(&'a AtomicUsize);

    impl Drop for Silent<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Network for Fake {
        fn resolve<'a>(&'a self, _: &'a str) -> Pending<'a, Vec<IpAddr>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn connect(&self, address: SocketAddr) -> Pending<'_, TcpStream> {
            self.tried.lock().unwrap().push(address);
            let text = address.to_string();
            Box::pin(async move {
                if text.starts_with("192.0.2.") {
                    let _silent = Silent(&self.given_up);
                    std::future::pending::<()>().await;
                }
                if text.starts_with("198.51.100.") {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                TcpStream::connect(self.listener).await
            })
        }
    }

    async fn race(addresses: &[&str]) -> (io::Result<TcpStream>, Duration, Vec<String>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Fake {
            listener: listener.local_addr().unwrap(),
            tried: Mutex::default(),
            given_up: AtomicUsize::new(0),
        };
        tokio::time::pause();
        let begun = Instant::now();
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        let connected = connect_to_any(&fake, addresses).await;
        let took = begun.elapsed();
        let tried = fake
            .tried
            .lock()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        (connected, took, tried, fake.given_up.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_silent_address_costs_a_moment() {
        let (connected, took, tried, given_up) = race(&["192.0.2.1:80", "203.0.113.1:80"]).await;
        connected.unwrap();
        assert!(took >= NEXT_AFTER, "{took:?}");
        assert_eq!(tried, ["192.0.2.1:80", "203.0.113.1:80"]);
        assert_eq!(given_up, 1, "the loser is dropped");
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_nothing() {
        let (connected, took, ..) = race(&["198.51.100.1:80", "198.51.100.2:80", "203.0.113.1:80"]).await;
        connected.unwrap();
        assert!(took < NEXT_AFTER, "{took:?}");
    }

    #[tokio::test]
    async fn the_last_failure_is_told_where_all_fail() {
        let (connected, ..) = race(&["198.51.100.1:80", "198.51.100.2:80"]).await;
        assert_eq!(connected.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn without_an_address_there_is_none() {
        let (connected, ..) = race(&[]).await;
        assert_eq!(connected.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn the_families_take_turns() {
        let turns = |addresses: &[&str]| -> Vec<String> {
            let addresses = addresses.iter().map(|address| address.parse().unwrap());
            by_turns(addresses).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            turns(&[
                "[2001:db8::1]:1",
                "[2001:db8::2]:1",
                "[2001:db8::3]:1",
                "192.0.2.1:1"
            ]),
            [
                "[2001:db8::1]:1",
                "192.0.2.1:1",
                "[2001:db8::2]:1",
                "[2001:db8::3]:1"
            ]
        );
        assert_eq!(
            turns(&["192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1"]),
            ["192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1"]
        );
        assert!(turns(&[]).is_empty());
    }
}
