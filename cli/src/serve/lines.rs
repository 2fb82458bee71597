//! Reads a request's body line by line, on demand: unread data waits in the socket.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use super::large::{Large, Room, SMALL};

/// Limit on the first line; a policy and a credential fit.
const MOST_FIRST_BYTES: usize = 4 * 1024 * 1024;
/// Limit on an item. A file as Base64 in its parameters fits; more would not fit into a node's memory.
const MOST_ITEM_BYTES: usize = 64 * 1024 * 1024;

/// The non-blank lines of a body. An error is the last one.
pub struct Lines {
    body: BodyDataStream,
    buffer: BytesMut,
    /// Number of bytes at the buffer's start without a line feed.
    searched: usize,
    most: usize,
    is_over: bool,
    large: Large,
    /// The reservation for the buffer, once that is large.
    room: Option<Room>,
    waiting: Option<Pin<Box<dyn Future<Output = Room> + Send>>>,
}

/// A line, with its reservation of memory while it is in use.
#[derive(Debug)]
pub struct Line {
    pub bytes: Bytes,
    pub room: Option<Room>,
}

impl Lines {
    pub fn new(body: Body, large: &Large) -> Self {
        Self {
            body: body.into_data_stream(),
            buffer: BytesMut::new(),
            searched: 0,
            most: MOST_FIRST_BYTES,
            is_over: false,
            large: large.clone(),
            room: None,
            waiting: None,
        }
    }

    /// The first line; later lines may be longer.
    pub async fn first(&mut self) -> Option<Result<Line, String>> {
        let first = std::future::poll_fn(|context| self.poll(context)).await;
        self.most = MOST_ITEM_BYTES;
        first
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Line, String>>> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unsearched) {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                match self.line(&line) {
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
                return Poll::Ready(self.line(&rest).map(Ok));
            }
            if self.buffer.len() > SMALL && self.room.is_none() {
                let (large, most) = (self.large.clone(), self.most);
                let waiting = self.waiting.get_or_insert_with(|| Box::pin(large.room(most)));
                self.room = Some(std::task::ready!(waiting.as_mut().poll(context)));
                self.waiting = None;
            }
            match std::task::ready!(Pin::new(&mut self.body).poll_next(context)) {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                // The rest cannot be read, so this error ends the lines.
                Some(Err(error)) => return self.end(format!("the body cannot be read any further: {error}")),
                None => self.is_over = true,
            }
        }
    }

    /// Trims a line and gives it its reservation; `None` if the line is blank.
    fn line(&mut self, line: &Bytes) -> Option<Line> {
        let mut room = self.room.take();
        if let Some(room) = &mut room {
            room.shrink(line.len());
            // Copy the rest: it shares the line's allocation and would keep that alive as long as the body goes on.
            self.buffer = BytesMut::from(&*self.buffer);
        }
        let text = line.trim_ascii();
        (!text.is_empty()).then(|| Line {
            bytes: line.slice_ref(text),
            room,
        })
    }

    fn end(&mut self, problem: String) -> Poll<Option<Result<Line, String>>> {
        self.room = None;
        self.is_over = true;
        self.searched = 0;
        self.buffer = BytesMut::new();
        Poll::Ready(Some(Err(problem)))
    }
}

impl Stream for Lines {
    type Item = Result<Line, String>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    async fn lines(pieces: &[&'static str]) -> Vec<Result<Bytes, String>> {
        let pieces: Vec<Result<_, std::io::Error>> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        Lines::new(body, &Large::new(256))
            .map(|line| line.map(|line| line.bytes))
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
        let mut lines = Lines::new(Body::from_stream(endless), &Large::new(256));
        assert!(lines.first().await.unwrap().unwrap_err().contains("4194304"));
    }

    #[tokio::test]
    async fn a_large_line_is_read_when_there_is_room_and_keeps_what_it_needs() {
        let large = Large::new(256);
        let text = Bytes::from(vec![b'x'; 3 * SMALL]);
        let pieces = [0, 1, 2].map(|at| Ok::<_, std::io::Error>(text.slice(at * SMALL..(at + 1) * SMALL)));
        let mut lines = Lines::new(Body::from_stream(futures_util::stream::iter(pieces)), &large);
        let all = || large.clone().room(usize::MAX).now_or_never();
        let held = all().unwrap();
        assert!(lines.next().now_or_never().is_none(), "it waits");
        drop(held);
        let read = lines.next().await.unwrap().unwrap();
        assert_eq!(read.bytes, text);
        // The line takes three mebibytes of eighty until it is dropped.
        let room = |mebibytes: usize| large.clone().room(mebibytes * SMALL).now_or_never();
        assert!(room(78).is_none() && room(77).is_some());
        drop(read);
        assert!(all().is_some());
    }
}
