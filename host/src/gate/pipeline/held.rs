//! Counts the bytes of bodies that the host buffers for one call.
//!
//! A limit per response does not bound their sum: a node that requests many and releases none would fill the host's
//! memory instead of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use nodule_core::limits::Limits;

/// The bytes that are buffered, and the limit.
#[derive(Debug)]
pub(crate) struct Buffered {
    bytes: AtomicUsize,
    limit: usize,
}

impl Buffered {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicUsize::new(0),
            limit,
        })
    }
}

/// Reserves some of the bytes until it is dropped.
#[derive(Debug)]
pub(crate) struct BufferReservation {
    buffered: Arc<Buffered>,
    bytes: usize,
}

impl BufferReservation {
    pub(crate) fn new(buffered: &Arc<Buffered>) -> Self {
        Self {
            buffered: Arc::clone(buffered),
            bytes: 0,
        }
    }

    /// Reserves more bytes. Returns `false`, and reserves nothing, if that would exceed the limit.
    pub(crate) fn add(&mut self, more: usize) -> bool {
        let add = |held: usize| held.checked_add(more).filter(|sum| *sum <= self.buffered.limit);
        let added = self
            .buffered
            .bytes
            .try_update(Ordering::AcqRel, Ordering::Acquire, add)
            .is_ok();
        if added {
            self.bytes += more;
        }
        added
    }

    /// Changes the reservation to exactly this size; `false` as for [`BufferReservation::add`].
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        match self.bytes.checked_sub(bytes) {
            Some(less) => {
                self.buffered.bytes.fetch_sub(less, Ordering::AcqRel);
                self.bytes = bytes;
                true
            }
            None => self.add(bytes - self.bytes),
        }
    }

    /// Moves the whole reservation out.
    pub(crate) fn split_off(&mut self) -> Self {
        Self {
            buffered: Arc::clone(&self.buffered),
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// Ties the reservation to the bytes: it is released with their last clone or slice.
    pub(crate) fn bind(self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            bytes
        } else {
            Bytes::from_owner(Bound { bytes, _hold: self })
        }
    }
}

impl Drop for BufferReservation {
    fn drop(&mut self) {
        self.buffered.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

struct Bound {
    bytes: Bytes,
    _hold: BufferReservation,
}

impl AsRef<[u8]> for Bound {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Says that an answer exceeds its limit.
pub(super) fn too_large(limits: &Limits) -> String {
    format!(
        "an answer of more than {} bytes (`response-bytes`)",
        limits.response_bytes
    )
}

/// Says that bodies exceed theirs together.
pub(super) fn too_much(limits: &Limits) -> String {
    format!(
        "answers that the node has not let go of, of more than {} bytes (`buffered-bytes`)",
        limits.buffered_bytes
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_hold_their_share_until_their_last_piece_is_gone() {
        let buffered = Buffered::new(10);
        let held = || buffered.bytes.load(Ordering::Acquire);
        let mut first = BufferReservation::new(&buffered);
        assert!(first.add(4) && first.add(6) && !first.add(1));
        assert!(first.set(8) && !first.set(11));
        assert_eq!(held(), 8);
        let mut piece = first.bind(Bytes::from_static(b"12345678"));
        let _ = piece.split_off(2);
        assert_eq!(held(), 8);
        assert!(!BufferReservation::new(&buffered).add(3));
        drop(piece);
        assert_eq!(held(), 0);
    }
}
