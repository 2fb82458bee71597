//! Bodies: charsets, JSON, and texts that resemble JSON.

use super::expected::{data, outage, output, rejected, unintelligible};
use super::{Answer, DATA, Scenario};

/// How deep a document may nest.
const LEVELS: usize = 128;

fn utf16(text: &str) -> Vec<u8> {
    let units = [0xfeff].into_iter().chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

fn nested(levels: usize) -> Answer {
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    Answer::ok(format!(r#"{{"code":"200","data":{open}{close}}}"#))
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let text = |name, body: &str| Scenario::new(name, Answer::ok(body), output(body));
    let charset = "another charset";
    vec![
        text("ok", DATA),
        Scenario::new("bom", Answer::ok(format!("\u{feff}{DATA}")), data()),
        Scenario::new(
            "gbk",
            Answer::of(
                "200 OK",
                "Content-Type: application/json;charset=GBK\r\n",
                b"{\"code\":\"200\",\"data\":{\"name\":\"\xd5\xc5\xc8\xfd\"}}",
            ),
            unintelligible(200, &[charset]),
        ),
        Scenario::new(
            "gb18030",
            Answer::of(
                "200 OK",
                "Content-Type: application/json;charset=gb18030\r\n",
                b"{\"code\":\"200\",\"data\":{\"name\":\"\x81\x30\x89\x37\"}}",
            ),
            unintelligible(200, &[charset]),
        ),
        Scenario::new(
            "latin1",
            Answer::of(
                "200 OK",
                "Content-Type: application/json;charset=ISO-8859-1\r\n",
                b"{\"code\":\"200\",\"data\":{\"name\":\"M\xfcller\"}}",
            ),
            unintelligible(200, &[charset]),
        ),
        Scenario::new("utf16", Answer::ok(utf16(DATA)), unintelligible(200, &[charset])),
        Scenario::new(
            "utf16err",
            Answer::of(
                "500 Internal Server Error",
                "",
                utf16(r#"{"code":"500","msg":"bad"}"#),
            ),
            outage(Some(500), &["HTTP 500"]),
        ),
        Scenario::new(
            "badutf8",
            Answer::ok(b"{\"code\":\"200\",\"data\":{\"name\":\"a\xff\xfeb\"}}"),
            unintelligible(200, &[charset]),
        ),
        // Half a surrogate pair does not represent a character.
        Scenario::new(
            "surrogate",
            Answer::ok(r#"{"code":"200","data":{"name":"a\ud83db","emoji":"\ud83d\ude00","k\udc00":1}}"#),
            output(r#"{"code":"200","data":{"name":"a\ufffdb","emoji":"\ud83d\ude00","k\ufffd":1}}"#),
        ),
        text("nul", r#"{"code":"200","data":{"name":"a\u0000b"}}"#),
        Scenario::new(
            "rawnul",
            Answer::ok("{\"code\":\"200\",\"data\":{\"name\":\"a\0b\"}}"),
            unintelligible(200, &["control character"]),
        ),
        text(
            "bigexp",
            r#"{"code":"200","data":{"a":1e400,"b":-0,"c":-0.0,"d":123456789012345678901234567890,"e":1E+2,"f":0.1000}}"#,
        ),
        Scenario::new(
            "nan",
            Answer::ok(r#"{"code":"200","data":{"a":NaN,"b":Infinity}}"#),
            unintelligible(200, &["expected JSON", "NaN"]),
        ),
        // If two members have the same name the last one counts, as it does nearly everywhere.
        Scenario::new(
            "dupkeys",
            Answer::ok(r#"{"code":"200","code":"500","data":{"a":1,"a":2}}"#),
            outage(Some(200), &["HTTP 200"]),
        ),
        nested_as_far_as_allowed(),
        Scenario::new(
            "deep",
            nested(LEVELS),
            unintelligible(200, &["nested deeper than 128 levels"]),
        ),
        Scenario::new(
            "deepmax",
            nested(300_000),
            unintelligible(200, &["nested deeper than 128 levels"]),
        ),
        text(
            "linesep",
            "{\"code\":\"200\",\"data\":{\"name\":\"a\u{2028}b\u{2029}c\u{85}d\"}}",
        ),
        // On one line, as in a result.
        Scenario::new(
            "pretty",
            Answer::ok("{\r\n  \"code\": \"200\",\r\n  \"data\": {\r\n\t\"a\": 1\r\n  }\r\n}"),
            output("{    \"code\": \"200\",    \"data\": {  \t\"a\": 1    }  }"),
        ),
        Scenario::new(
            "trailing",
            Answer::ok(format!("{DATA}\0\n")),
            unintelligible(200, &["control character at line 1"]),
        ),
        Scenario::new(
            "xssi",
            Answer::ok(format!(")]}}',\n{DATA}")),
            unintelligible(200, &["expected JSON"]),
        ),
        Scenario::new(
            "jsonp",
            Answer::ok(format!("cb({DATA});")),
            unintelligible(200, &["expected JSON"]),
        ),
        Scenario::new(
            "html200",
            Answer::of(
                "200 OK",
                "Content-Type: text/html\r\n",
                "<!DOCTYPE html><html><body>Login</body></html>",
            ),
            unintelligible(200, &["<!DOCTYPE html>", "Login"]),
        ),
        Scenario::new(
            "two",
            Answer::ok(format!("{DATA}{DATA}")),
            unintelligible(200, &["unexpected text at line 1"]),
        ),
        Scenario::new(
            "comment",
            Answer::ok(format!("/* x */{DATA}")),
            unintelligible(200, &["expected JSON"]),
        ),
        Scenario::new(
            "scalar",
            Answer::ok("42"),
            unintelligible(200, &["a JSON object or array", "42"]),
        ),
        Scenario::new(
            "boolcode",
            Answer::ok(r#"{"code":true,"data":{}}"#),
            rejected(200, &["HTTP 200"]),
        ),
        Scenario::new(
            "code0",
            Answer::ok(r#"{"code":0,"data":{"a":1}}"#),
            rejected(200, &["HTTP 200"]),
        ),
        Scenario::new(
            "code1001",
            Answer::ok(r#"{"code":1001,"msg":"no such card"}"#),
            rejected(200, &["no such card"]),
        ),
        Scenario::new(
            "status_active",
            Answer::ok(r#"{"status":"active","data":{"a":1}}"#),
            rejected(200, &["active"]),
        ),
    ]
}

fn nested_as_far_as_allowed() -> Scenario {
    // The document itself is one level.
    let levels = LEVELS - 1;
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    let document = format!(r#"{{"code":"200","data":{open}{close}}}"#);
    Scenario::new("deep127", nested(levels), output(&document))
}
