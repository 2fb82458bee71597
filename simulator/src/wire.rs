//! Below HTTP: writes to a bare socket that hyper has released.
//!
//! hyper cannot send a wrong length, half a header or a reset. For such a fault the service fails with a [`Script`],
//! the connection releases its socket, and the script runs on it. A script is a list of steps, so it is readable, and
//! stopping the simulator stops it between any two bytes.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// One step on a socket.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Writes bytes.
    Write(Bytes),
    /// Writes the same bytes this many times.
    Repeat(Bytes, u64),
    /// Writes byte by byte, with a wait before each.
    Drip(Bytes, Duration),
    /// Writes nothing until the time is over or the client disconnects.
    Silence(Duration),
    /// Closes the connection by a TCP reset instead of an orderly close. No step follows it.
    Reset,
}

/// Steps on a socket, which is closed after the last.
#[derive(Clone, Debug)]
pub(crate) struct Script(pub(crate) Vec<Step>);

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a fault of {} steps on the bare connection", self.0.len())
    }
}

impl Error for Script {}

impl Script {
    /// Runs the steps. A client that disconnects is not an error: most scripts exist to provoke that.
    pub(crate) async fn run(self, mut socket: TcpStream) {
        for step in self.0 {
            let done = match step {
                Step::Write(bytes) => socket.write_all(&bytes).await.is_ok(),
                Step::Repeat(bytes, times) => repeat(&mut socket, &bytes, times).await,
                Step::Drip(bytes, pause) => drip(&mut socket, &bytes, pause).await,
                Step::Silence(time) => timeout(time, until_closed(&mut socket)).await.is_err(),
                Step::Reset => {
                    // A closed socket needs no reset.
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

/// Waits until the client has closed its side; data that it still sends is dropped.
async fn until_closed(socket: &mut TcpStream) {
    let mut scratch = [0; 1024];
    while matches!(socket.read(&mut scratch).await, Ok(1..)) {}
}
