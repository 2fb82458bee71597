//! Where a response ends: lengths, chunks, a closed connection, statuses without a body.

use super::expected::{data, outage, output, unintelligible};
use super::{Answer, DATA, Scenario};

fn chunk(bytes: impl AsRef<[u8]>, extension: &str) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [
        format!("{:x}{extension}\r\n", bytes.len()).as_bytes(),
        bytes,
        b"\r\n",
    ]
    .concat()
}

/// A response in one chunk, followed by `end`.
fn chunked(coding: &str, bytes: impl AsRef<[u8]>, end: &str) -> Answer {
    let body = [chunk(bytes, ""), end.as_bytes().to_vec()].concat();
    Answer::head(&format!("200 OK\r\nTransfer-Encoding: {coding}"), body)
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let length = DATA.len();
    let with_lengths = |lines: &str| Answer::head(&format!("200 OK\r\n{lines}"), DATA);
    let broke_off = &["the answer broke off"];
    let not_http = &["not HTTP", "content-length"];
    vec![
        Scenario::new("204", Answer::head("204 No Content", ""), output("{}")),
        Scenario::new(
            "204body",
            Answer::head(&format!("204 No Content\r\nContent-Length: {length}"), DATA),
            output("{}"),
        ),
        Scenario::new("205", Answer::of("205 Reset Content", "", ""), output("{}")),
        Scenario::new("empty200", Answer::of("200 OK", "", ""), output("{}")),
        Scenario::new("chunked", chunked("chunked", DATA, "0\r\n\r\n"), data()),
        Scenario::new("chunkedupper", chunked("Chunked", DATA, "0\r\n\r\n"), data()),
        Scenario::new(
            "chunkedtrailer",
            Answer::head(
                "200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T",
                [chunk(DATA, ";ext=\"a;b\""), b"0\r\nX-T: v\r\n\r\n".to_vec()].concat(),
            ),
            data(),
        ),
        Scenario::new(
            "chunknoend",
            chunked("chunked", DATA, "").then_close(),
            outage(None, broke_off),
        ),
        Scenario::new(
            "chunknofinalcrlf",
            chunked("chunked", DATA, "0\r\n").then_close(),
            outage(None, broke_off),
        ),
        Scenario::new(
            "teandcl",
            Answer::head(
                "200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
                [chunk(DATA, ""), b"0\r\n\r\n".to_vec()].concat(),
            ),
            data(),
        ),
        // `identity` is an obsolete name for no coding.
        Scenario::new(
            "teidentity",
            with_lengths(&format!(
                "Transfer-Encoding: identity\r\nContent-Length: {length}"
            )),
            data(),
        ),
        Scenario::new(
            "teidentityupper",
            with_lengths(&format!(
                "Content-Length: {length}\r\nTransfer-Encoding: Identity"
            )),
            data(),
        ),
        Scenario::new(
            "teidentityshort",
            with_lengths(&format!(
                "Transfer-Encoding: identity\r\nContent-Length: {}",
                length + 1
            ))
            .then_close(),
            outage(None, broke_off),
        ),
        Scenario::new(
            "teidentitylong",
            Answer::head(
                &format!("200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: {length}"),
                format!("{DATA}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}"),
            ),
            data(),
        ),
        Scenario::new(
            "teidentityclose",
            with_lengths("Transfer-Encoding: identity").then_close(),
            data(),
        ),
        Scenario::new(
            "tegzip",
            chunked("gzip, chunked", super::codings::gzip(DATA), "0\r\n\r\n"),
            data(),
        ),
        Scenario::new(
            "teunknown",
            chunked("squeezed, chunked", DATA, "0\r\n\r\n"),
            unintelligible(200, &["transfer coding", "not known"]),
        ),
        Scenario::new(
            "nolen",
            with_lengths("Content-Type: application/json").then_close(),
            data(),
        ),
        Scenario::new(
            "http10",
            Answer::raw(format!(
                "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{DATA}"
            ))
            .then_close(),
            data(),
        ),
        Scenario::new(
            "http10ka",
            Answer::raw(format!(
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: {length}\r\n\r\n{DATA}"
            )),
            data(),
        ),
        Scenario::new(
            "clshort",
            with_lengths(&format!("Content-Length: {}", length + 10)).then_close(),
            outage(None, broke_off),
        ),
        Scenario::new(
            "cllong",
            Answer::head(
                &format!("200 OK\r\nContent-Length: {length}"),
                format!("{DATA}garbage"),
            ),
            data(),
        ),
        Scenario::new(
            "cldouble",
            with_lengths(&format!("Content-Length: {length}\r\nContent-Length: {length}")),
            data(),
        ),
        Scenario::new(
            "clcomma",
            with_lengths(&format!("Content-Length: {length}, {length}")),
            data(),
        ),
        Scenario::new(
            "cldiff",
            with_lengths(&format!("Content-Length: {length}\r\nContent-Length: 3")),
            outage(None, not_http),
        ),
        Scenario::new(
            "clplus",
            with_lengths(&format!("Content-Length: +{length}")),
            outage(None, not_http),
        ),
        Scenario::new(
            "clneg",
            with_lengths("Content-Length: -1"),
            outage(None, not_http),
        ),
    ]
}
