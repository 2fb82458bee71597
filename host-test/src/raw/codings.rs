//! `Content-Encoding`: what is decoded, what is passed on unchanged, and what cannot be read.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::expected::{data, outage, output, undecided, unintelligible};
use super::{Answer, DATA, Scenario};

/// [`DATA`], compressed by another program.
const BROTLI: &[u8] = b"\x0b\x1b\x80{\"code\":\"200\",\"msg\":\"success\",\"data\":{\"name\":\"\xe5\xbc\xa0\xe4\xb8\x89\"}}\x03";
/// The same in zstd.
const ZSTD: &[u8] =
    b"\x28\xb5\x2f\xfd\x04\x58\xb9\x01\x00{\"code\":\"200\",\"msg\":\"success\",\"data\":{\"name\":\"\xe5\xbc\xa0\xe4\xb8\x89\"}}\xa8\x13\x9f\xcf";
/// A frame that claims a window of 128 MB.
const ZSTD_WIDE: &[u8] = b"\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00";

/// More than the limit of the rows that use it, although the encoded body is small.
const INFLATED: usize = 1 << 20;
const LIMITED: &str = "[limits]\nresponse-bytes = 65536";

pub(super) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A response with this `Content-Encoding`.
fn coded(coding: &str, body: impl AsRef<[u8]>) -> Answer {
    Answer::of("200 OK", &format!("Content-Encoding: {coding}\r\n"), body)
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let (first, second) = DATA.as_bytes().split_at(10);
    let gzipped = gzip(DATA);
    let zeros = vec![b' '; INFLATED];
    let is_not = "and is not";
    let not_decoded = "is not decoded";
    let mut all = vec![
        Scenario::new("gzip", coded("gzip", &gzipped), data()),
        Scenario::new("xgzip", coded("X-GZIP", &gzipped), data()),
        Scenario::new(
            "gzip_upper",
            Answer::of("200 OK", "content-ENCODING: GZIP\r\n", &gzipped),
            data(),
        ),
        Scenario::new("gzipgzip", coded("gzip, gzip", gzip(&gzipped)), data()),
        Scenario::new(
            "gziptwoheaders",
            Answer::of(
                "200 OK",
                "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n",
                gzip(&gzipped),
            ),
            data(),
        ),
        Scenario::new("gzipidentity", coded("gzip, identity", &gzipped), data()),
        Scenario::new("identitygzip", coded("identity,gzip", &gzipped), data()),
        Scenario::new("gzipunknown", coded("aws-chunked,gzip", &gzipped), data()),
        Scenario::new("gzipcommas", coded(", gzip ,,", &gzipped), data()),
        Scenario::new("deflategzip", coded("deflate, gzip", gzip(zlib(DATA))), data()),
        Scenario::new(
            "gzipmulti",
            coded("gzip", [gzip(first), gzip(second)].concat()),
            data(),
        ),
        Scenario::new(
            "gziptrail",
            coded("gzip", [&gzipped[..], &[0; 4]].concat()),
            data(),
        ),
        Scenario::new(
            "gziptrunc",
            coded("gzip", &gzipped[..gzipped.len() - 6]),
            unintelligible(200, &["`gzip`", is_not]),
        ),
        Scenario::new(
            "gzipnotreally",
            coded("gzip", DATA),
            unintelligible(200, &["`gzip`", is_not]),
        ),
        Scenario::new(
            "gzip201",
            Answer::of("201 Created", "Content-Encoding: gzip\r\n", DATA),
            unintelligible(201, &["`gzip`"]),
        ),
        Scenario::new("gzipempty", coded("gzip", ""), output("{}")),
        Scenario::new(
            "gzip204",
            Answer::head("204 No Content\r\nContent-Encoding: gzip", ""),
            output("{}"),
        ),
        Scenario::new("deflate", coded("deflate", zlib(DATA)), data()),
        Scenario::new("deflateraw", coded("deflate", raw_deflate(DATA)), data()),
        Scenario::new("br", coded("br", BROTLI), data()),
        Scenario::new(
            "brnotreally",
            coded("br", DATA),
            unintelligible(200, &["`br`", is_not]),
        ),
        Scenario::new("zstd", coded("zstd", ZSTD), data()),
        Scenario::new(
            "zstdmulti",
            coded("zstd", [ZSTD, b"\x50\x2a\x4d\x18\x01\x00\x00\x00x"].concat()),
            data(),
        ),
        Scenario::new(
            "zstdnotreally",
            coded("zstd", DATA),
            unintelligible(200, &["`zstd`", is_not]),
        ),
        Scenario::new(
            "zstdwide",
            coded("zstd", ZSTD_WIDE),
            unintelligible(200, &["`zstd`", is_not]),
        ),
        Scenario::new(
            "compress",
            coded("compress", DATA),
            unintelligible(200, &["`compress`", not_decoded]),
        ),
        Scenario::new(
            "dcb",
            coded("gzip, dcb", DATA),
            unintelligible(200, &["`dcb`", not_decoded]),
        ),
        Scenario::new(
            "manycodings",
            coded("gzip,gzip,gzip,gzip,gzip,gzip", &gzipped),
            unintelligible(200, &["more than 5"]),
        ),
        // The status counts, even if the body cannot be read.
        Scenario::new(
            "br503",
            Answer::of("503 Service Unavailable", "Content-Encoding: br\r\n", "oops"),
            outage(Some(503), &["HTTP 503", "`br`"]),
        ),
        Scenario::new(
            "compress404",
            Answer::of("404 Not Found", "Content-Encoding: compress\r\n", "oops"),
            super::expected::rejected(404, &["HTTP 404", "`compress`"]),
        ),
        Scenario::new(
            "gzip404",
            Answer::of(
                "404 Not Found",
                "Content-Encoding: gzip\r\n",
                gzip("no such card"),
            ),
            super::expected::rejected(404, &["no such card"]),
        ),
    ];
    for (name, bomb) in [
        ("gzipbomb", coded("gzip", gzip(&zeros))),
        ("gzipmultibomb", coded("gzip", gzip(&zeros[..40_000]).repeat(2))),
        ("gzipgzipbomb", coded("gzip, gzip", gzip(gzip(&zeros)))),
        ("deflatebomb", coded("deflate", zlib(&zeros))),
        ("deflaterawbomb", coded("deflate", raw_deflate(&zeros))),
    ] {
        let limit = undecided("limit", None, &["`response-bytes`"]);
        all.push(Scenario::new(name, bomb, limit).policy(LIMITED));
    }
    for (name, coding) in [
        ("ceutf8", "UTF-8"),
        ("cenone", "none"),
        ("cebinary", "binary"),
        ("ceawschunked", "aws-chunked"),
        ("ceempty", ""),
        ("ceidentity", "Identity"),
        ("cejson", "application/json"),
        ("ceodd", "8bit; q=1"),
    ] {
        all.push(Scenario::new(name, coded(coding, DATA), data()));
    }
    all
}
