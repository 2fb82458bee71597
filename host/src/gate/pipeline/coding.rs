//! Content codings: decodes a response's body.
//!
//! | the response says | the host |
//! | --- | --- |
//! | `gzip`, `deflate` (with zlib's header or without), `br`, `zstd`, several of them | decodes them, the last one
//! first |
//! | `compress` and other existing codings | reports the status, and that the body cannot be read |
//! | `identity`, nothing, `UTF-8`, `none`, `aws-chunked` | passes the body on unchanged: these are not codings |
//!
//! Several headers of the same name form one list. Codings of `Transfer-Encoding` before `chunked` are decoded as well;
//! there, an unknown name counts as a coding. Each step has the limit of a body (`response-bytes`), and the number of
//! steps is bounded. The host asks only for `gzip`, which every service supports; the other decoders are for services
//! that send what nobody asked for.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::{HeaderMap, HeaderName, header};

/// The maximum number of codings, the same as curl's: each is a pass over the whole body.
const MOST: usize = 5;
/// The maximum window of a `zstd` body, as a power of two (RFC 9659): 8 MB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// The buffer for a `br` body.
const PIECE_BYTES: usize = 4096;
/// Gzip's first two bytes.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Existing codings (from IANA's registry and from practice) that the host does not decode.
const NOT_DECODED: [&str; 14] = [
    "aes128gcm",
    "bzip2",
    "compress",
    "dcb",
    "dcz",
    "exi",
    "lz4",
    "lzma",
    "pack200-gzip",
    "sdch",
    "snappy",
    "x-bzip2",
    "x-compress",
    "xz",
];

/// Why a body could not be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undecoded {
    /// The decoded body exceeds the limit.
    TooLarge,
    /// The message. Of the response it contains only names of codings.
    Unreadable(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }

    fn decode(self, body: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        match self {
            Coding::Gzip => gunzip(body, limit),
            Coding::Deflate => inflate(body, true, limit).or_else(|_| inflate(body, false, limit)),
            Coding::Brotli => all(brotli_decompressor::Decompressor::new(body, PIECE_BYTES), limit),
            Coding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                all(decoder, limit)
            }
        }
    }
}

/// Decodes the body, and removes the headers that described the encoded one.
pub(super) fn decode(headers: &mut HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Undecoded> {
    let codings = codings(headers).map_err(Undecoded::Unreadable)?;
    // A response to HEAD, or one without a body.
    if codings.is_empty() || body.is_empty() {
        return Ok(body);
    }
    let mut body = body;
    for coding in codings.iter().rev() {
        let plain = coding
            .decode(&body, limit)
            .map_err(|_| Undecoded::Unreadable(unlike(&codings)))?;
        if plain.len() > limit {
            return Err(Undecoded::TooLarge);
        }
        body = plain.into();
    }
    for name in [
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
    Ok(body)
}

/// Why a response's body could not be decoded, as far as its headers tell.
pub(super) fn trouble(headers: &HeaderMap) -> String {
    codings(headers).map_or_else(|words| words, |codings| unlike(&codings))
}

fn unlike(codings: &[Coding]) -> String {
    let names: Vec<&str> = codings.iter().map(|coding| coding.name()).collect();
    format!(
        "the answer's content coding says that its body is `{}`, and is not",
        names.join(", ")
    )
}

/// The codings of a response, in the order in which the service applied them.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, String> {
    let mut codings = Vec::new();
    let content = list(headers, &header::CONTENT_ENCODING).map(|token| (token, false));
    let transfer = list(headers, &header::TRANSFER_ENCODING).map(|token| (token, true));
    for (token, is_transfer) in content.chain(transfer) {
        codings.push(match token.as_str() {
            "gzip" | "x-gzip" => Coding::Gzip,
            "deflate" => Coding::Deflate,
            "br" => Coding::Brotli,
            "zstd" => Coding::Zstd,
            "identity" => continue,
            "chunked" if is_transfer => continue,
            other if NOT_DECODED.contains(&other) => {
                return Err(format!(
                    "the answer's content coding is `{other}`, which is not decoded and was not asked for"
                ));
            }
            _ if is_transfer => {
                return Err(
                    "the answer has a transfer coding that is not known, and was not asked for".to_owned(),
                );
            }
            _ => continue,
        });
        if codings.len() > MOST {
            return Err(format!("the answer has more than {MOST} content codings"));
        }
    }
    Ok(codings)
}

/// The tokens of all headers with this name, in lower case and without parameters.
pub(super) fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> + use<'a> {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|token| {
            let token = token.split(|byte| *byte == b';').next().unwrap_or_default();
            String::from_utf8_lossy(token.trim_ascii()).to_ascii_lowercase()
        })
        .filter(|token| !token.is_empty())
}

/// Reads a decoder to its end, or to one byte more than the limit.
fn all(decoder: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    decoder.take(one_more(limit)).read_to_end(&mut plain)?;
    Ok(plain)
}

fn one_more(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)
}

/// Decodes all members of a gzip body (RFC 1952, section 2.2). Like other clients, ignores trailing bytes that are not
/// a member.
fn gunzip(body: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let (mut plain, mut rest) = (Vec::new(), body);
    loop {
        let mut member = GzDecoder::new(rest);
        let room = one_more(limit.saturating_sub(plain.len()));
        (&mut member).take(room).read_to_end(&mut plain)?;
        rest = member.into_inner();
        if plain.len() > limit || !rest.starts_with(&GZIP) {
            return Ok(plain);
        }
    }
}

/// Decodes a deflate body up to its end marker. The library's own readers accept a truncated body as complete.
fn inflate(body: &[u8], has_header: bool, limit: usize) -> io::Result<Vec<u8>> {
    let mut inflating = Decompress::new(has_header);
    let mut plain = Vec::new();
    loop {
        if plain.len() == plain.capacity() {
            let room = limit.saturating_sub(plain.len()).saturating_add(1);
            plain.reserve_exact(room.min(plain.len().max(body.len()).max(PIECE_BYTES)));
        }
        let done = usize::try_from(inflating.total_in()).unwrap_or(usize::MAX);
        let rest = body.get(done..).unwrap_or_default();
        let before = plain.len();
        let status = inflating.decompress_vec(rest, &mut plain, FlushDecompress::None)?;
        if status == Status::StreamEnd || plain.len() > limit {
            return Ok(plain);
        }
        if plain.len() == before && plain.len() < plain.capacity() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn all_headers_of_the_name_are_one_list() {
        use Coding::{Brotli, Gzip, Zstd};
        for (of, expected) in [
            (&[("content-encoding", "gzip, br")][..], &[Gzip, Brotli][..]),
            (
                &[("content-encoding", "gzip"), ("content-encoding", " BR ,")],
                &[Gzip, Brotli],
            ),
            (&[("content-encoding", "utf-8, x-gzip;q=1")], &[Gzip]),
            (
                &[
                    ("content-encoding", "zstd"),
                    ("transfer-encoding", "gzip, chunked"),
                ],
                &[Zstd, Gzip],
            ),
            (&[("content-encoding", "chunked")], &[]),
            (&[("content-encoding", "")], &[]),
            (&[], &[]),
        ] {
            assert_eq!(codings(&headers(of)).unwrap(), expected, "{of:?}");
        }
        for of in [
            ("content-encoding", "gzip, compress"),
            ("transfer-encoding", "new, chunked"),
            ("content-encoding", "gzip,gzip,gzip,gzip,gzip,gzip"),
        ] {
            assert!(codings(&headers(&[of])).is_err(), "{of:?}");
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_none_in_any_coding() {
        let text =
            b"a text that is long enough to be cut somewhere in its middle, and once more: a text".as_slice();
        let deflated = deflated(text);
        assert_eq!(Coding::Deflate.decode(&deflated, 1000).unwrap(), text);
        for end in 0..deflated.len() {
            assert!(Coding::Deflate.decode(&deflated[..end], 1000).is_err(), "{end}");
        }
        let coded = zstd::bulk::compress(text, 1).unwrap();
        assert_eq!(Coding::Zstd.decode(&coded, 1000).unwrap(), text);
        for end in 1..coded.len() {
            assert!(Coding::Zstd.decode(&coded[..end], 1000).is_err(), "{end}");
        }
    }

    #[test]
    fn one_byte_more_than_the_limit_is_the_most_that_is_made() {
        let bomb = deflated(&vec![0; 1 << 24]);
        for limit in [0, 1, 4095, 4096, 100_000] {
            assert_eq!(
                Coding::Deflate.decode(&bomb, limit).unwrap().len(),
                limit + 1,
                "{limit}"
            );
            let coded = zstd::bulk::compress(&vec![0; 1 << 24], 1).unwrap();
            assert_eq!(
                Coding::Zstd.decode(&coded, limit).unwrap().len(),
                limit + 1,
                "{limit}"
            );
        }
        let of = &mut headers(&[("content-encoding", "deflate")]);
        assert_eq!(decode(of, bomb.into(), 100), Err(Undecoded::TooLarge));
    }

    #[test]
    fn what_was_decoded_is_no_longer_said_to_be_coded() {
        let mut of = headers(&[
            ("content-encoding", "deflate"),
            ("content-length", "9"),
            ("x", "y"),
        ]);
        let body = decode(&mut of, deflated(b"{}").into(), 100).unwrap();
        assert_eq!(body, "{}");
        assert_eq!(of, headers(&[("x", "y")]));
        let mut of = headers(&[("content-encoding", "utf-8"), ("content-length", "2")]);
        let before = of.clone();
        assert_eq!(decode(&mut of, "{}".into(), 100).unwrap(), "{}");
        assert_eq!(of, before);
    }
}
