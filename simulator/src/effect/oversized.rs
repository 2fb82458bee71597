//! Bodies that are too large for any client. None of them is ever complete in memory.

use bytes::Bytes;
use flate2::{Compression, Crc, FlushCompress};
use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};
use http::{HeaderValue, StatusCode};

use crate::envelope::{Answer, JSON};
use crate::wire::Step;

/// The size of the pieces in which large bodies are written.
const PIECE: usize = 64 * 1024;

/// Surrounds the text that fills a body.
const OPENING: &[u8] = b"{\"code\":\"200\",\"msg\":\"success\",\"data\":\"";
const CLOSING: &[u8] = b"\"}";

/// An endless sequence of chunks.
pub(super) fn endless() -> Vec<Step> {
    let head = Answer::new(StatusCode::OK, JSON, Bytes::new())
        .with(TRANSFER_ENCODING, HeaderValue::from_static("chunked"))
        .head(None);
    let chunk =
        |text: &[u8]| Bytes::from([format!("{:x}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat());
    vec![
        Step::Write(head.into()),
        Step::Write(chunk(OPENING)),
        Step::Repeat(chunk(&[b'x'; PIECE]), u64::MAX),
    ]
}

/// A text of `bytes` bytes, with its length in a header.
pub(super) fn large(bytes: u64) -> Vec<Step> {
    let piece = u64::try_from(PIECE).unwrap_or(u64::MAX);
    let rest = vec![b'x'; usize::try_from(bytes % piece).unwrap_or_default()];
    let around = u64::try_from(OPENING.len() + CLOSING.len()).unwrap_or_default();
    let head = Answer::new(StatusCode::OK, JSON, Bytes::new()).head(Some(bytes + around));
    vec![
        Step::Write(head.into()),
        Step::Write(Bytes::from_static(OPENING)),
        Step::Repeat(vec![b'x'; PIECE].into(), bytes / piece),
        Step::Write(rest.into()),
        Step::Write(Bytes::from_static(CLOSING)),
    ]
}

/// One gzip member. A full flush makes a compressed mebibyte independent of the data before it, so the same bytes can
/// be repeated without storing or compressing a gigabyte.
pub(super) fn bomb(bytes: u64) -> Vec<Step> {
    const MEBIBYTE: usize = 1 << 20;
    const HEADER: &[u8] = &[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    const LAST_BLOCK: &[u8] = &[0x03, 0x00];
    let filler = vec![b'x'; MEBIBYTE];
    let times = bytes.div_ceil(1 << 20).max(1);

    let mut crc = Crc::new();
    crc.update(OPENING);
    let mut filler_crc = Crc::new();
    filler_crc.update(&filler);
    for _ in 0..times {
        crc.combine(&filler_crc);
    }
    crc.update(CLOSING);
    let around = u64::try_from(OPENING.len() + CLOSING.len()).unwrap_or_default();
    // The trailer contains the length modulo 2^32.
    let size = u32::try_from((times * (1 << 20) + around) & u64::from(u32::MAX)).unwrap_or_default();

    let opening = [HEADER, &flushed(OPENING)].concat();
    let middle = flushed(&filler);
    let closing = [
        &flushed(CLOSING),
        LAST_BLOCK,
        crc.sum().to_le_bytes().as_slice(),
        &size.to_le_bytes(),
    ]
    .concat();
    let sent = u64::try_from(opening.len() + closing.len()).unwrap_or_default()
        + u64::try_from(middle.len()).unwrap_or_default() * times;
    let head = Answer::new(StatusCode::OK, JSON, Bytes::new())
        .with(CONTENT_ENCODING, HeaderValue::from_static("gzip"))
        .head(Some(sent));
    vec![
        Step::Write(head.into()),
        Step::Write(opening.into()),
        Step::Repeat(middle.into(), times),
        Step::Write(closing.into()),
    ]
}

/// Deflate blocks that stop at a byte boundary, are not the last and refer to no data before them.
fn flushed(text: &[u8]) -> Vec<u8> {
    let mut compress = flate2::Compress::new(Compression::best(), false);
    let mut blocks = Vec::with_capacity(text.len() / 64 + 1024);
    // The buffer is large enough. On failure the bomb would not decompress, and a test would notice.
    let _ = compress.compress_vec(text, &mut blocks, FlushCompress::Full);
    blocks
}
