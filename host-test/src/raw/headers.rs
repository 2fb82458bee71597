//! Status lines and header lines in unusual forms.

use super::expected::{data, outage, undecided};
use super::{Answer, DATA, Scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    let length = DATA.len();
    let line =
        |name, line: &str| Scenario::new(name, Answer::of("200 OK", &format!("{line}\r\n"), DATA), data());
    let bytes = |name, line: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n");
        let answer = [head.as_bytes(), line, b"\r\n\r\n", DATA.as_bytes()].concat();
        Scenario::new(name, Answer::raw(answer), data())
    };
    let first = |name, status: &[u8]| {
        let rest = format!("\r\nContent-Length: {length}\r\n\r\n{DATA}");
        Scenario::new(name, Answer::raw([status, rest.as_bytes()].concat()), data())
    };
    let version = |name, status: &str| {
        let answer = format!("{status}\r\nContent-Length: {length}\r\n\r\n{DATA}");
        Scenario::new(name, Answer::raw(answer), outage(None, &["not HTTP", "version"]))
    };
    vec![
        line("setcookie", "Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d"),
        line("emptyval", "Server:"),
        bytes("obstext", b"X-Latin: M\xfcller"),
        // A user agent may accept these (RFC 9112, sections 5.1 and 5.2).
        line("fold", "X-Fold: a\r\n b"),
        line("foldtab", "X-Fold: a\r\n\tb"),
        line("foldtwice", "X-Fold: a\r\n  b\r\n  c"),
        line("foldempty", "X-Fold:\r\n b"),
        line("spacecolon", "X-Sp : a"),
        Scenario::new(
            "spacelength",
            Answer::head(&format!("200 OK\r\nContent-Length : {length}"), DATA),
            data(),
        ),
        Scenario::new(
            "foldlength",
            Answer::head(&format!("200 OK\r\nContent-Length:\r\n {length}"), DATA),
            data(),
        ),
        // A line that is not a valid header is ignored.
        line("nocolon", "Garbage"),
        line("emptyname", ": a"),
        line("brkname", "X[a]: 1"),
        line("spacename", "X A: 1"),
        bytes("unicodename", "X-名: 1".as_bytes()),
        bytes("ctrlval", b"X-C: a\x01b"),
        first("noreason", b"HTTP/1.1 200"),
        first("noreasonsp", b"HTTP/1.1 200 "),
        first("reasonlatin", b"HTTP/1.1 200 D\xe9j\xe0"),
        first("leadcrlf", b"\r\nHTTP/1.1 200 OK"),
        Scenario::new(
            "lfonly",
            Answer::raw(format!("HTTP/1.1 200 OK\nContent-Length: {length}\n\n{DATA}")),
            data(),
        ),
        version("icy", "ICY 200 OK"),
        version("http2ver", "HTTP/2.0 200 OK"),
        version("http12", "HTTP/1.2 200 OK"),
        version("lowerhttp", "http/1.1 200 OK"),
        Scenario::new(
            "manyheaders",
            Answer::of("200 OK", &"X-H: v\r\n".repeat(150), DATA),
            undecided("limit", None, &["`header-count`"]),
        ),
        line("bigheader", &format!("X-Big: {}", "a".repeat(60_000))),
        Scenario::new(
            "hugeheader",
            Answer::of("200 OK", &format!("X-Big: {}\r\n", "a".repeat(70_000)), DATA),
            undecided("limit", None, &["`header-bytes`"]),
        ),
    ]
}
