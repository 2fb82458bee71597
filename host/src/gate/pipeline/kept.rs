//! Bodies of responses that are not read: they become files.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::error_name::cause;
use crate::gate::client::RequestPermit;

/// A body that is not read yet. Dropping it closes its connection.
#[derive(Debug)]
pub(crate) struct KeptBody {
    content: Content,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Arriving {
        body: Incoming,
        between_bytes: Duration,
        /// The request is in flight until its last byte.
        _place: Place,
    },
}

/// What a request in flight holds.
#[derive(Debug)]
pub(super) struct Place {
    slots: Arc<Semaphore>,
    _asking: RequestPermit,
}

impl Place {
    pub(super) fn new(slots: &Arc<Semaphore>, slot: SemaphorePermit<'_>, asking: RequestPermit) -> Self {
        slot.forget();
        Self {
            slots: Arc::clone(slots),
            _asking: asking,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.slots.add_permits(1);
    }
}

/// Why a file does not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// It exceeds the limit with this key.
    #[error("{1}")]
    Limit(&'static str, String),
    /// The service, the network or a deadline.
    #[error("{0}")]
    Broken(String),
}

impl KeptBody {
    pub(super) fn arriving(body: Incoming, place: Place, between_bytes: Duration) -> Self {
        Self {
            content: Content::Arriving {
                body,
                between_bytes,
                _place: place,
            },
        }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self {
            content: Content::Whole(bytes),
        }
    }

    /// Bytes, where known.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.content {
            Content::Whole(bytes) => u64::try_from(bytes.len()).ok(),
            Content::Arriving { body, .. } => body.size_hint().exact(),
        }
    }

    /// The next bytes.
    async fn next(&mut self) -> Result<Option<Bytes>, Lost> {
        let next = match &mut self.content {
            Content::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Content::Arriving {
                body, between_bytes, ..
            } => loop {
                let Ok(frame) = timeout(*between_bytes, body.frame()).await else {
                    let seconds = between_bytes.as_secs_f64();
                    return Err(Lost::Broken(format!(
                        "nothing more of the file within {seconds} seconds (`between-bytes-timeout-ms`)"
                    )));
                };
                match frame {
                    None => break None,
                    Some(Err(error)) => {
                        return Err(Lost::Broken(format!("the file broke off: {}", cause(&error))));
                    }
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) if !data.is_empty() => break Some(data),
                        _ => {}
                    },
                }
            },
        };
        Ok(next)
    }

    /// All of it, if it has no more bytes than that.
    pub(super) async fn collect(mut self, most: usize) -> Result<Option<Bytes>, Lost> {
        let mut all = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > most {
                return Ok(None);
            }
            all.extend_from_slice(&bytes);
        }
        Ok(Some(all.freeze()))
    }

    /// Its bytes as they arrive.
    pub(crate) fn stream(self) -> impl Stream<Item = Result<Bytes, Lost>> + Send {
        stream::try_unfold(self, |mut kept| async move {
            let next = kept.next().await?;
            Ok(next.map(|bytes| (bytes, kept)))
        })
    }
}
