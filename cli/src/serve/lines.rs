//! The lines of a request's body, taken as they are needed: what is not read yet waits in the socket.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;

/// A policy and a credential fit.
const MOST_FIRST_BYTES: usize = 4 * 1024 * 1024;
/// An item whose parameters hold a file as Base64 fits; more than a node's memory holds does not.
const MOST_ITEM_BYTES: usize = 64 * 1024 * 1024;

/// The lines of a body, without those that are blank. After an error there are none.
pub struct Lines {
    body: BodyDataStream,
    buffer: BytesMut,
    /// So much of it has no line feed.
    searched: usize,
    most: usize,
    is_over: bool,
}

impl Lines {
    pub fn new(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            buffer: BytesMut::new(),
            searched: 0,
            most: MOST_FIRST_BYTES,
            is_over: false,
        }
    }

    /// The first line; longer ones may follow.
    pub async fn first(&mut self) -> Option<Result<Bytes, String>> {
        let first = std::future::poll_fn(|context| self.poll(context)).await;
        self.most = MOST_ITEM_BYTES;
        first
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, String>>> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unsearched) {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                match trimmed(&line) {
                    Some(line) => return Poll::Ready(Some(Ok(line))),
                    None => continue,
                }
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > self.most {
                return self.end(format!(
                    "expected a line of at most {} bytes, found more",
                    self.most
                ));
            }
            if self.is_over {
                let rest = std::mem::take(&mut self.buffer).freeze();
                self.searched = 0;
                return Poll::Ready(trimmed(&rest).map(Ok));
            }
            match std::task::ready!(Pin::new(&mut self.body).poll_next(context)) {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                // What is behind it cannot be read, and is not made up.
                Some(Err(error)) => return self.end(format!("the body cannot be read any further: {error}")),
                None => self.is_over = true,
            }
        }
    }

    fn end(&mut self, problem: String) -> Poll<Option<Result<Bytes, String>>> {
        self.is_over = true;
        self.searched = 0;
        self.buffer = BytesMut::new();
        Poll::Ready(Some(Err(problem)))
    }
}

impl Stream for Lines {
    type Item = Result<Bytes, String>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

/// The line without white space at its ends; `None` where nothing is left.
fn trimmed(line: &Bytes) -> Option<Bytes> {
    let text = line.trim_ascii();
    (!text.is_empty()).then(|| line.slice_ref(text))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    async fn lines(pieces: &[&'static str]) -> Vec<Result<Bytes, String>> {
        let pieces: Vec<Result<_, std::io::Error>> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        Lines::new(Body::from_stream(futures_util::stream::iter(pieces)))
            .collect()
            .await
    }

    #[tokio::test]
    async fn lines_are_the_same_however_the_body_is_cut() {
        let text = "{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\":3}";
        let whole = lines(&[text]).await;
        let bytes: Vec<&'static str> = (0..text.len()).map(|at| text.get(at..=at).unwrap()).collect();
        assert_eq!(lines(&bytes).await, whole);
        let expected = ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"];
        assert_eq!(
            whole,
            expected.map(|line| Ok(Bytes::from_static(line.as_bytes())))
        );
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let piece: &'static str = Box::leak("x".repeat(1024 * 1024).into_boxed_str());
        let endless = futures_util::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes()))
        });
        let mut lines = Lines::new(Body::from_stream(endless));
        assert!(lines.first().await.unwrap().unwrap_err().contains("4194304"));
    }
}
