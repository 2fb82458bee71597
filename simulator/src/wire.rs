//! Below HTTP: what happens on a bare socket once hyper has let go of it.
//!
//! hyper cannot be made to send a wrong length, half a header or a reset. So a service that is to do such a thing fails
//! with a [`Script`]; the connection gives its socket back, and the script is run on it. A script is a list of steps, so
//! that it can be read and so that the stop of the simulator ends it between any two bytes.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// One thing to do on a socket.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Write.
    Write(Bytes),
    /// Write the same so many times.
    Repeat(Bytes, u64),
    /// Write byte by byte, and wait before each.
    Drip(Bytes, Duration),
    /// Write nothing, until the time is over or the client leaves.
    Silence(Duration),
    /// End with a TCP reset and not with an orderly close. Nothing follows it.
    Reset,
}

/// What to do on a socket, which is closed at the end.
#[derive(Clone, Debug)]
pub(crate) struct Script(pub(crate) Vec<Step>);

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a fault of {} steps on the bare connection", self.0.len())
    }
}

impl Error for Script {}

impl Script {
    /// Runs the steps. That the client leaves is no error: it is what most of these scripts are there to see.
    pub(crate) async fn run(self, mut socket: TcpStream) {
        for step in self.0 {
            let done = match step {
                Step::Write(bytes) => socket.write_all(&bytes).await.is_ok(),
                Step::Repeat(bytes, times) => repeat(&mut socket, &bytes, times).await,
                Step::Drip(bytes, pause) => drip(&mut socket, &bytes, pause).await,
                Step::Silence(time) => timeout(time, until_closed(&mut socket)).await.is_err(),
                Step::Reset => {
                    // A socket that is already gone needs no reset.
                    let _ = socket.set_zero_linger();
                    return;
                }
            };
            if !done {
                return;
            }
        }
        let _ = socket.shutdown().await;
    }
}

async fn repeat(socket: &mut TcpStream, bytes: &[u8], times: u64) -> bool {
    for _ in 0..times {
        if socket.write_all(bytes).await.is_err() {
            return false;
        }
    }
    true
}

async fn drip(socket: &mut TcpStream, bytes: &[u8], pause: Duration) -> bool {
    for byte in bytes.chunks(1) {
        sleep(pause).await;
        if socket.write_all(byte).await.is_err() {
            return false;
        }
    }
    true
}

/// Ends when the client has closed its side; what it still sends is dropped.
async fn until_closed(socket: &mut TcpStream) {
    let mut scratch = [0; 1024];
    while matches!(socket.read(&mut scratch).await, Ok(1..)) {}
}
