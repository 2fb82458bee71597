//! Which URLs a description may name, and what fields may do in them.

use super::*;

const PORT: &str = "expected a port that is not the scheme's own";
const FORM: &str = "expected a host's name in lower case, without user information";

#[test]
fn a_url_has_one_spelling() {
    for text in [
        "https://login.example",
        "https://login.example/",
        "https://{tenant}.login.example:8443/a/{tenant}/token",
        "https://{host}/oauth/token",
        "https://login.example:{port}/token",
        "https://xn--bcher-kva.example/token",
        "https://192.0.2.1/token",
        "https://[2001:db8::1]:8443/token",
        "http://localhost:8080/token",
        "http://127.0.0.1/token",
        "http://[::1]:{port}/token",
    ] {
        let template = UrlTemplate::parse(text).unwrap();
        assert_eq!(template.as_str(), text);
    }
}

#[test]
fn other_spellings_and_other_parts_are_refused() {
    for (text, expected) in [
        ("", "expected a URL that begins with `https://`"),
        (
            "login.example/token",
            "expected a URL that begins with `https://`",
        ),
        (
            "ftp://login.example",
            "expected a URL that begins with `https://`",
        ),
        (
            "HTTPS://login.example",
            "expected a URL that begins with `https://`",
        ),
        ("https:///token", FORM),
        ("https://Login.example", FORM),
        ("https://login.example.", FORM),
        ("https://bücher.example", FORM),
        ("https://user@login.example", FORM),
        ("https://2130706433", FORM),
        ("https://0x7f.1", FORM),
        ("https://*.login.example", FORM),
        ("https://a_b.example", FORM),
        ("https://login.example?a=b", FORM),
        ("https://login.example#a", FORM),
        ("https://login.example:443", PORT),
        ("https://login.example:", PORT),
        ("https://login.example:0", PORT),
        ("https://login.example:080", PORT),
        ("https://login.example:65536", PORT),
        ("https://login.example:8{port}", PORT),
        ("https://login.example/a?b=c", "expected a path as it is sent"),
        ("https://login.example/a#b", "expected a path as it is sent"),
        ("https://login.example//a", "expected a path as it is sent"),
        ("https://login.example/../a", "expected a path as it is sent"),
        ("https://login.example/a b", "expected a path as it is sent"),
        ("https://login.example/{a", "expected `{field}`, or"),
        (
            "https://login.example/{{a}}",
            "expected only fields in braces in a URL",
        ),
        (
            "https://login.example/{basic:a:b}",
            "expected only fields in braces in a URL",
        ),
        (
            "http://login.example/token",
            "expected `https://`, since only the hosts of this machine",
        ),
        (
            "http://{host}/token",
            "expected `https://`, since only the hosts of this machine",
        ),
        (
            "http://localhost.example/",
            "expected `https://`, since only the hosts of this machine",
        ),
        (
            "http://127.0.0.1.example/",
            "expected `https://`, since only the hosts of this machine",
        ),
    ] {
        let error = UrlTemplate::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let error = UrlTemplate::parse(&format!("https://a.example/{}", "a".repeat(2_000))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a URL of at most 2000 bytes, found 2018"
    );
}

#[test]
fn a_field_stays_in_its_part() {
    for (text, value, expected) in [
        ("https://{a}.example/t", "Eu", Ok("https://eu.example/t")),
        ("https://{a}.example/t", "x.y", Ok("https://x.y.example/t")),
        ("https://{a}/t", "a.example", Ok("https://a.example/t")),
        ("https://{a}/t", "127.0.0.1", Err("`{a}`: expected a host's name")),
        (
            "https://{a}.example",
            "evil.example/",
            Err("the field `a`: expected a value of letters"),
        ),
        (
            "https://{a}.example",
            "u@evil",
            Err("the field `a`: expected a value of letters"),
        ),
        (
            "https://{a}.example",
            "",
            Err("the field `a`: expected a value of letters"),
        ),
        (
            "https://{a}.example",
            "bü",
            Err("the field `a`: expected a value of letters"),
        ),
        (
            "https://{a}.example",
            "-",
            Err("`{a}.example`: expected a host's name"),
        ),
        ("https://l.example:{a}/t", "8443", Ok("https://l.example:8443/t")),
        ("https://l.example:{a}/t", "443", Ok("https://l.example/t")),
        (
            "https://l.example:{a}/t",
            "8443/x",
            Err("`https://l.example:{a}/t`: expected a URL"),
        ),
        (
            "https://l.example/{a}/t",
            "../x?y",
            Ok("https://l.example/..%2Fx%3Fy/t"),
        ),
        (
            "https://l.example/{a}/t",
            "..",
            Err("the field `a`: expected a value that can be a part of a path"),
        ),
        ("https://l.example/.{a}/t", "a", Ok("https://l.example/.a/t")),
        (
            "https://l.example/x{a}",
            "\n",
            Err("the field `a`: expected a value that can be a part of a path"),
        ),
    ] {
        let found = UrlTemplate::parse(text).unwrap().resolve(|_| Some(value));
        match (found, expected) {
            (Ok(url), Ok(expected)) => assert_eq!(url.to_string(), expected, "{text} {value}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().starts_with(expected), "{text} {value}: {error}");
            }
            (found, _) => panic!("{text} {value}: {found:?}"),
        }
    }
    let absent = UrlTemplate::parse("https://{a}.example")
        .unwrap()
        .resolve(|_| None);
    assert_eq!(absent.unwrap_err().to_string(), "the field `a` has no value");
}
