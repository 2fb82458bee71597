//! Statuses, and the causes that are given for a refused token.

use super::expected::{
    data, data_at_the_second_try, data_or_unknown, data_or_unknown_after, not_authenticated, outage,
    rejected, undecided, unintelligible,
};
use super::{Answer, DATA, Scenario};

const BUSY: &str = r#"{"msg":"busy"}"#;

/// This response first, and normal ones from then on.
fn at_first(status: &str, headers: &str, body: &str) -> Vec<Answer> {
    vec![Answer::of(status, headers, body), Answer::ok(DATA)]
}

fn redirect(status: &str) -> Answer {
    Answer::of(status, "Location: /elsewhere/M17\r\n", "")
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let to = &["redirected to `/elsewhere/M17`", "not followed"];
    let failed = |name, status: &'static str, code| {
        Scenario::new(
            name,
            at_first(status, "", BUSY),
            data_or_unknown(Some(code), &["busy"]),
        )
    };
    let refused = |name, status: &'static str, code| {
        Scenario::new(name, at_first(status, "", BUSY), rejected(code, &["busy"]))
    };
    let informed = |name, informational: &str| {
        let bytes = [informational.as_bytes(), &Answer::ok(DATA).bytes].concat();
        Scenario::new(name, Answer::raw(bytes), data())
    };
    let mut all = vec![
        informed("100", "HTTP/1.1 100 Continue\r\n\r\n"),
        informed(
            "103",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
        ),
        // The client did not ask for another protocol.
        Scenario::new(
            "101",
            Answer::head(
                "101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade",
                "",
            ),
            unintelligible(101, &["HTTP 101"]),
        ),
        // The client cannot know what was done before one of these.
        Scenario::new(
            "300",
            Answer::of("300 Multiple", "", ""),
            undecided("rejected", Some(300), &["HTTP 300"]),
        ),
        Scenario::new("302", redirect("302 Found"), undecided("rejected", Some(302), to)),
        Scenario::new(
            "303",
            redirect("303 See Other"),
            undecided("rejected", Some(303), to),
        ),
        Scenario::new("301", redirect("301 Moved Permanently"), rejected(301, to)),
        Scenario::new("307", redirect("307 Temporary Redirect"), rejected(307, to)),
        Scenario::new("308", redirect("308 Permanent Redirect"), rejected(308, to)),
        Scenario::new(
            "304",
            Answer::head("304 Not Modified\r\nETag: \"x\"", ""),
            rejected(304, &["not modified"]),
        ),
        Scenario::new(
            "304len",
            Answer::head("304 Not Modified\r\nContent-Length: 500", ""),
            rejected(304, &["not modified"]),
        ),
        refused("400", "400 Bad Request", 400),
        refused("404", "404 Not Found", 404),
        refused("409", "409 Conflict", 409),
        refused("421", "421 Misdirected Request", 421),
        refused("423", "423 Locked", 423),
        refused("425", "425 Too Early", 425),
        refused("420", "420 Enhance Your Calm", 420),
        Scenario::new(
            "403",
            at_first("403 Forbidden", "", BUSY),
            rejected(403, &["may lack the permission", "busy"]),
        ),
        Scenario::new(
            "408",
            at_first("408 Request Timeout", "Connection: close\r\n", BUSY),
            data_or_unknown(Some(408), &["busy"]),
        ),
        failed("500", "500 Internal", 500),
        failed("520", "520 Cloudflare", 520),
        failed("529", "529 Overloaded", 529),
        failed("599", "599 X", 599),
        Scenario::new(
            "502html",
            at_first(
                "502 Bad Gateway",
                "",
                "<html><head><title>502 Bad Gateway</title></head></html>",
            ),
            data_or_unknown(Some(502), &["HTTP 502", "502 Bad Gateway"]),
        ),
        Scenario::new(
            "503",
            at_first("503 Service Unavailable", "Retry-After: 1\r\n", BUSY),
            data_or_unknown_after(1, 503, &["busy"]),
        ),
        Scenario::new(
            "429",
            at_first("429 Too Many", "", BUSY),
            data_at_the_second_try(),
        ),
        // A status outside all classes counts as a failure of the service (RFC 9110, section 15).
        failed("600", "600 Weird", 600),
        failed("999", "999 Denied", 999),
        Scenario::new(
            "099",
            Answer::of("099 Weird", "", DATA),
            outage(None, &["not HTTP", "status"]),
        ),
        Scenario::new(
            "1000",
            Answer::of("1000 Weird", "", DATA),
            outage(None, &["not HTTP", "status"]),
        ),
    ];
    all.extend(tokens());
    all
}

/// Responses to the request for a token. The node knows the secret, so failures show only the status and its meaning.
fn tokens() -> Vec<Scenario> {
    let credential = "did not accept the credential";
    let base_url = "base URL";
    let refused = |name, status: &str, words| {
        let answer = Answer::of(status, "Content-Type: application/json\r\n", r#"{"msg":"no"}"#);
        let code = status[..3].parse().unwrap();
        Scenario::new(
            name,
            Answer::ok(DATA),
            not_authenticated("unauthenticated", code, words),
        )
        .token(answer)
    };
    let rejected = |name, status: &str, headers: &str, words| {
        let code = status[..3].parse().unwrap();
        let answer = Answer::of(status, headers, "<html>no</html>");
        Scenario::new(name, Answer::ok(DATA), not_authenticated("rejected", code, words)).token(answer)
    };
    vec![
        refused("auth400", "400 Bad Request", &[credential]),
        refused("auth401", "401 Unauthorized", &[credential]),
        refused("auth403", "403 Forbidden", &[credential]),
        rejected(
            "auth403html",
            "403 Forbidden",
            "Content-Type: text/html\r\n",
            &["403", "HTML", "firewall"],
        ),
        rejected("auth404", "404 Not Found", "", &["404", base_url]),
        rejected("auth405", "405 Method Not Allowed", "", &["405", base_url]),
        rejected(
            "auth407",
            "407 Proxy Authentication Required",
            "",
            &["407", "proxy"],
        ),
        rejected("auth410", "410 Gone", "", &["410", base_url]),
        rejected(
            "auth301",
            "301 Moved",
            "Location: https://127.0.0.1:1/x\r\n",
            &["301", base_url, "https"],
        ),
        rejected(
            "auth302",
            "302 Found",
            "Location: /login\r\n",
            &["302", base_url, "same"],
        ),
        rejected(
            "auth308",
            "308 Moved",
            "Location: https://elsewhere.example/x\r\n",
            &["308", base_url, "another host"],
        ),
        Scenario::new(
            "authhtml",
            Answer::ok(DATA),
            not_authenticated("unintelligible", 200, &[base_url, "HTML"]),
        )
        .token(Answer::of(
            "200 OK",
            "Content-Type: text/html\r\n",
            "<html>captive portal</html>",
        )),
        Scenario::new("authlong", Answer::ok(DATA), data()).token(Answer::ok(format!(
            r#"{{"code":"200","data":{{"accessToken":"{}","expiresIn":7200}}}}"#,
            "a".repeat(16 * 1024)
        ))),
    ]
}
