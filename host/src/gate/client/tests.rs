use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::unread::MOMENT;
use super::*;
use crate::gate::network::System;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn clients() -> Clients {
    clients_with(AddressLists::default())
}

fn clients_with(lists: AddressLists) -> Clients {
    Clients::new(&[], Outbound::new(Arc::new(System), lists, None)).unwrap()
}

fn key(clients: &Clients, owner: &str) -> Key {
    Key {
        owner: clients.owners.named(owner),
        authenticates: false,
        permit: Permit::Literal(HERE),
        tls: TlsManner::PLAIN,
        freshness: Freshness::Any,
        header_count: 64,
        header_bytes: 8192,
    }
}

/// Sends a GET with this client and returns the body of the response.
async fn get(origin_client: &OriginClient, url: &Uri) -> Result<Bytes, legacy::Error> {
    let asking = origin_client.request_permit();
    let by = Instant::now() + Duration::from_secs(20);
    let request = http::Request::get(url.clone())
        .body(crate::gate::upload::OutgoingBody::whole(bytes::Bytes::new()))
        .unwrap();
    let answer = origin_client
        .request(Connecting::by(by, &asking), request)
        .await?;
    Ok(answer.into_body().collect().await.unwrap().to_bytes())
}

/// A server that responds with the request's path. On demand it sends `late` after a response.
struct Server {
    url: String,
    accepted: mpsc::Receiver<()>,
    /// Demands `late`; `sent` confirms that it was written.
    ask: mpsc::Sender<()>,
    sent: mpsc::Receiver<()>,
}

impl Server {
    fn start(late: Option<&'static [u8]>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (accept, accepted) = mpsc::channel();
        let (ask, asked) = mpsc::channel::<()>();
        let (written, sent) = mpsc::channel();
        let asked = Arc::new(Mutex::new(asked));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = accept.send(());
                let (asked, written) = (Arc::clone(&asked), written.clone());
                thread::spawn(move || Self::serve(stream.unwrap(), late, &asked, &written));
            }
        });
        Self {
            url,
            accepted,
            ask,
            sent,
        }
    }

    fn serve(
        mut stream: TcpStream,
        late: Option<&[u8]>,
        asked: &Mutex<mpsc::Receiver<()>>,
        written: &mpsc::Sender<()>,
    ) {
        stream.set_nodelay(true).unwrap();
        let mut bytes = Vec::new();
        let mut piece = [0; 1024];
        loop {
            while !bytes.ends_with(b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => return,
                    Ok(count) => bytes.extend_from_slice(&piece[..count]),
                }
            }
            let text = String::from_utf8(std::mem::take(&mut bytes)).unwrap();
            let path = text.split(' ').nth(1).unwrap();
            let length = path.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{path}");
            stream.write_all(answer.as_bytes()).unwrap();
            if let Some(late) = late
                && asked.lock().unwrap().recv().is_ok()
            {
                stream.write_all(late).unwrap();
                written.send(()).unwrap();
            }
        }
    }

    fn url(&self, path: &str) -> Uri {
        format!("{}{path}", self.url).parse().unwrap()
    }

    /// The number of connections accepted since the last call.
    fn connections(&self) -> usize {
        self.accepted.try_iter().count()
    }
}

const SURPLUS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsurplus";

/// The thread blocks on the write of the bytes, so Tokio cannot see them before the next request is written.
#[tokio::test]
async fn bytes_that_have_arrived_are_not_the_answer_to_the_next_request() {
    for late in [
        SURPLUS,
        b"x",
        b"\r\n",
        b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n",
    ] {
        let server = Server::start(Some(late));
        let clients = clients();
        let origin_client = clients.origin_client(key(&clients, "a"), &clients.tls, &server.url("/"));
        assert_eq!(get(&origin_client, &server.url("/1")).await.unwrap(), "/1");
        // Until the connection is idle and its task waits.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        server.ask.send(()).unwrap();
        server.sent.recv().unwrap();
        // The task may have looked at the socket right before the bytes arrived.
        thread::sleep(MOMENT);
        // The request goes out on another connection, and only once.
        assert_eq!(get(&origin_client, &server.url("/2")).await.unwrap(), "/2");
        assert_eq!(server.connections(), 2);
        // From here on no connection is kept.
        server.ask.send(()).unwrap();
        assert_eq!(get(&origin_client, &server.url("/3")).await.unwrap(), "/3");
        assert_eq!(server.connections(), 1);
    }
}

/// As above, but Tokio sees the bytes and hyper finds them.
#[tokio::test]
async fn an_origin_that_sends_what_nobody_asked_for_has_no_connection_kept() {
    let server = Server::start(Some(SURPLUS));
    let clients = clients();
    let origin_client = clients.origin_client(key(&clients, "a"), &clients.tls, &server.url("/"));
    assert!(origin_client.load.is_trusted());
    assert_eq!(get(&origin_client, &server.url("/1")).await.unwrap(), "/1");
    server.ask.send(()).unwrap();
    while origin_client.load.is_trusted() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for path in ["/2", "/3"] {
        server.ask.send(()).unwrap();
        assert_eq!(get(&origin_client, &server.url(path)).await.unwrap(), path);
    }
    assert_eq!(server.connections(), 3);
    // Another owner has a load of its own.
    let other = clients.origin_client(key(&clients, "b"), &clients.tls, &server.url("/"));
    assert!(other.load.is_trusted());
}

#[tokio::test]
async fn a_connection_belongs_to_one_owner_and_is_kept_for_it() {
    let server = Server::start(None);
    let clients = clients();
    for (name, connections) in [("a", 1), ("a", 0), ("b", 1), ("a", 0), ("b", 0)] {
        let origin_client = clients.origin_client(key(&clients, name), &clients.tls, &server.url("/"));
        assert_eq!(get(&origin_client, &server.url("/x")).await.unwrap(), "/x");
        // The connection is free once its task has read the last byte of the response.
        while clients.pools.lock().unwrap().connections() > 0 && !is_idle().await {}
        assert_eq!(server.connections(), connections, "{name}");
        assert!(origin_client.load.is_trusted());
    }
    let authenticating = Key {
        authenticates: true,
        ..key(&clients, "a")
    };
    let origin_client = clients.origin_client(authenticating, &clients.tls, &server.url("/"));
    get(&origin_client, &server.url("/x")).await.unwrap();
    assert_eq!(server.connections(), 1);
}

/// Lets every task run that can.
async fn is_idle() -> bool {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
    true
}

#[tokio::test]
async fn pools_that_nobody_uses_do_not_pile_up() {
    let clients = clients();
    let url = Uri::from_static("http://127.0.0.1:9/");
    let used = clients.origin_client(key(&clients, "used"), &clients.tls, &url);
    for index in 0..1000 {
        clients.origin_client(key(&clients, &index.to_string()), &clients.tls, &url);
    }
    assert!(clients.pools.lock().unwrap().len() <= 256);
    let again = clients.origin_client(key(&clients, "used"), &clients.tls, &url);
    assert!(Arc::ptr_eq(&used.pool, &again.pool));
    // The newest pools still exist.
    let newest = clients.origin_client(key(&clients, "999"), &clients.tls, &url);
    assert!(Arc::strong_count(&newest.pool) == 2);
}

#[tokio::test]
async fn connections_that_nobody_uses_do_not_pile_up() {
    let server = Server::start(None);
    let clients = clients();
    // Each owner has three connections, for its three concurrent requests.
    for index in 0..200 {
        let origin_client =
            clients.origin_client(key(&clients, &index.to_string()), &clients.tls, &server.url("/"));
        let url = server.url("/x");
        let (a, b, c) = tokio::join!(
            get(&origin_client, &url),
            get(&origin_client, &url),
            get(&origin_client, &url)
        );
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert!(clients.pools.lock().unwrap().connections() <= 540);
    }
    assert_eq!(server.connections(), 600);
    // The tasks of a dropped pool close its connections.
    clients.origin_client(key(&clients, "last"), &clients.tls, &server.url("/"));
    for _ in 0..1000 {
        if clients.pools.lock().unwrap().connections() < 512 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("they are open still");
}

#[tokio::test]
async fn an_address_that_the_engine_blocks_is_not_connected_to_though_the_policy_names_it() {
    let server = Server::start(None);
    let blocked = AddressLists::parse(&[] as &[&str], &["127.0.0.0/8"]).unwrap();
    let clients = clients_with(blocked);
    for permit in [Permit::Literal(HERE), Permit::PrivateAllowed] {
        let key = Key {
            permit,
            ..key(&clients, "a")
        };
        let error = get(
            &clients.origin_client(key, &clients.tls, &server.url("/")),
            &server.url("/"),
        )
        .await
        .unwrap_err();
        let words = format!("{error:?}");
        assert!(words.contains("Blocked(127.0.0.0/8)"), "{words}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_address_that_the_engine_allows_is_connected_to_though_the_policy_does_not_say_private() {
    let server = Server::start(None);
    let lists = AddressLists::parse(&["127.0.0.1"], &["127.0.0.0/8"]).unwrap();
    let clients = clients_with(lists);
    let key = Key {
        permit: Permit::PublicOnly,
        ..key(&clients, "a")
    };
    let origin_client = clients.origin_client(key, &clients.tls, &server.url("/"));
    assert_eq!(get(&origin_client, &server.url("/x")).await.unwrap(), "/x");
}

/// A server that closes each connection after its response without announcing it.
fn closing() -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (accept, accepted) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = accept.send(());
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut piece = [0; 1024];
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => head.extend_from_slice(&piece[..count]),
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        }
    });
    (url, accepted)
}

#[tokio::test]
async fn an_origin_that_closes_what_is_kept_has_no_connection_kept() {
    let (url, accepted) = closing();
    let url: Uri = url.parse().unwrap();
    let clients = clients();
    let origin_client = clients.origin_client(key(&clients, "a"), &clients.tls, &url);
    assert_eq!(get(&origin_client, &url).await.unwrap(), "{}");
    while origin_client.load.is_trusted() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..3 {
        assert_eq!(get(&origin_client, &url).await.unwrap(), "{}");
    }
    assert_eq!(accepted.try_iter().count(), 4);
}

#[tokio::test]
async fn a_connection_is_used_again_for_what_must_not_be_lost_once_one_was_left_open() {
    let server = Server::start(None);
    let clients = clients();
    let key = Key {
        freshness: Freshness::Recent,
        ..key(&clients, "a")
    };
    let origin_client = clients.origin_client(key, &clients.tls, &server.url("/"));
    for _ in 0..3 {
        get(&origin_client, &server.url("/x")).await.unwrap();
        is_idle().await;
    }
    assert_eq!(server.connections(), 3, "nothing is known of it");
    tokio::time::pause();
    tokio::time::advance(keeping::KEPT).await;
    tokio::time::resume();
    for _ in 0..3 {
        get(&origin_client, &server.url("/x")).await.unwrap();
        is_idle().await;
    }
    assert_eq!(server.connections(), 1, "it keeps them");
}
