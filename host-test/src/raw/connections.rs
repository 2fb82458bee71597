//! What happens to the connection, and responses that are not HTTP.

use super::expected::{data, data_or_unknown, outage, rejected};
use super::{Answer, DATA, Scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    let no_http = |name, bytes: &[u8]| {
        Scenario::new(name, Answer::raw(bytes).then_close(), outage(None, &["not HTTP"]))
    };
    vec![
        Scenario::new(
            "conclose",
            Answer::of("200 OK", "Connection: close\r\n", DATA).then_close(),
            data(),
        ),
        Scenario::new("slow", Answer::ok(DATA).byte_by_byte(), data()),
        // Closes without announcing it.
        Scenario::new("kaclose", Answer::ok(DATA).then_close(), data()),
        Scenario::new("kaclose20", Answer::ok(DATA).then_close_after(20), data()),
        Scenario::new("kaclose100", Answer::ok(DATA).then_close_after(100), data()),
        Scenario::new(
            "empty",
            Answer::raw(b"").then_close(),
            outage(None, &["the connection broke"]),
        ),
        Scenario::new("rst", Answer::reset(), outage(None, &["the connection broke"])),
        Scenario::new(
            "rst1",
            vec![Answer::reset(), Answer::ok(DATA)],
            data_or_unknown(None, &["the connection broke"]),
        ),
        Scenario::new(
            "hang",
            Answer::raw(b"").then_silence(),
            outage(None, &["`first-byte-timeout-ms`"]),
        )
        .policy("[limits]\nfirst-byte-timeout-ms = 100"),
        Scenario::new(
            "stall",
            Answer::head("200 OK\r\nContent-Length: 500", DATA).then_silence(),
            outage(None, &["`between-bytes-timeout-ms`"]),
        )
        .policy("[limits]\nbetween-bytes-timeout-ms = 100"),
        Scenario::new(
            "early",
            Answer::of(
                "413 Payload Too Large",
                "Connection: close\r\n",
                r#"{"code":"413","msg":"too large"}"#,
            )
            .then_close(),
            rejected(413, &["too large"]),
        ),
        no_http(
            "h2preface",
            b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x10\0\0",
        ),
        no_http("tls", b"\x15\x03\x01\0\x02\x02\x0a"),
        no_http("ssh", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    ]
}
