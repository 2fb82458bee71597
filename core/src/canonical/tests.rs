use super::*;

fn parse(text: &str) -> Result<String, UrlError> {
    CanonicalUrl::parse(text).map(|url| url.to_string())
}

/// What is accepted, and what becomes of it.
const ACCEPTED: &[(&str, &str)] = &[
    ("https://good.com", "https://good.com/"),
    ("HTTPS://GOOD.com.", "https://good.com/"),
    ("https://good.com?x=1", "https://good.com/?x=1"),
    ("https://good.com:443/", "https://good.com/"),
    ("https://good.com:0443/", "https://good.com/"),
    ("http://good.com:80/", "http://good.com/"),
    ("http://good.com:443/", "http://good.com:443/"),
    ("https://good.com:8443/", "https://good.com:8443/"),
    ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ("https://XN--BCHER-KVA.example/", "https://xn--bcher-kva.example/"),
    ("https://a_b.example/", "https://a_b.example/"),
    ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
    ("http://2130706433/", "http://127.0.0.1/"),
    ("http://0x7f.1/", "http://127.0.0.1/"),
    ("http://0X7F000001/", "http://127.0.0.1/"),
    ("http://0177.0.0.1/", "http://127.0.0.1/"),
    ("http://127.1/", "http://127.0.0.1/"),
    ("http://127.0.0.1./", "http://127.0.0.1/"),
    ("http://0/", "http://0.0.0.0/"),
    ("http://[::1]/", "http://[::1]/"),
    ("http://[::1]:8080/", "http://[::1]:8080/"),
    ("http://[0:0::0:1]/", "http://[::1]/"),
    ("http://[::ffff:127.0.0.1]/", "http://[::ffff:127.0.0.1]/"),
    ("http://[::127.0.0.1]/", "http://[::7f00:1]/"),
    ("https://good.com/a%2fb", "https://good.com/a%2Fb"),
    ("https://good.com/a%5cb", "https://good.com/a%5Cb"),
    ("https://good.com/%7euser/%41%2D", "https://good.com/~user/A-"),
    (
        "https://good.com/..%2Fauth%2Ftoken",
        "https://good.com/..%2Fauth%2Ftoken",
    ),
    ("https://good.com/%252e%252e", "https://good.com/%252e%252e"),
    ("https://good.com/a%3Fb%23c", "https://good.com/a%3Fb%23c"),
    (
        "https://good.com/%E4%BC%9A%e5%91%98",
        "https://good.com/%E4%BC%9A%E5%91%98",
    ),
    ("https://good.com/...", "https://good.com/..."),
    ("https://good.com/a..b/", "https://good.com/a..b/"),
    ("https://good.com/a;b=c", "https://good.com/a;b=c"),
    ("https://good.com/!$&'()*+,=:@", "https://good.com/!$&'()*+,=:@"),
    ("https://good.com/?", "https://good.com/?"),
    (
        "https://good.com/?a=//../%2e%2E%2f;?&b=%",
        "https://good.com/?a=//../%2e%2E%2f;?&b=%",
    ),
    (
        "https://good.com/?a=[1]{2}|\\^`'",
        "https://good.com/?a=[1]{2}|\\^`'",
    ),
];

#[test]
fn accepted_urls_have_one_form() {
    for (text, expected) in ACCEPTED {
        assert_eq!(parse(text).as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn a_canonical_url_is_its_own_canonical_form() {
    for (_, canonical) in ACCEPTED {
        let url = CanonicalUrl::parse(canonical).unwrap();
        assert_eq!(url.to_string(), *canonical);
        assert_eq!(CanonicalUrl::from_uri(url.uri()), Ok(url.clone()));
        let both = url.uri().path_and_query().unwrap().as_str();
        assert_eq!(
            CanonicalUrl::from_parts(url.scheme().as_str(), &url.authority(), both),
            Ok(url)
        );
    }
}

/// What is refused, by the first words of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("", "expected a URL such as"),
    ("good.com/x", "expected a URL such as"),
    ("good.com/x?token=secret://", "expected a URL such as"),
    ("//good.com/x", "expected a URL such as"),
    (
        "ftp://good.com/",
        "scheme: expected `http` or `https`, found `ftp`",
    ),
    ("file:///etc/passwd", "scheme:"),
    ("https://good.com@evil.com/", "host: expected no user info"),
    ("https://user:pass@good.com/", "host: expected no user info"),
    ("https://@good.com/", "host: expected no user info"),
    ("https://good.com%40evil.com/", "host: expected no user info"),
    ("https://good.com\\@evil.com/", "host: expected no user info"),
    ("https://good.com\\.evil.com/", "host: expected a name"),
    ("https://good.com\\/x", "host: expected a name"),
    ("https://good%2ecom/", "host: expected a name"),
    ("https:///x", "host: expected a name"),
    ("https://./x", "host: expected a name"),
    ("https://good.com../", "host: expected a name"),
    ("https://good..com/", "host: expected a name"),
    ("https://.good.com/", "host: expected a name"),
    ("https://go od.com/", "host: expected a name"),
    ("https://good.com\0/", "host: expected a name"),
    ("https://good.com\r\n/", "host: expected a name"),
    ("https://*.good.com/", "host: expected a name"),
    ("https://xn--a/", "host: expected a name"),
    ("https://xn--zzzzzzzzz-.com/", "host: expected a name"),
    ("http://256.1.1.1/", "host: expected a name"),
    ("http://1.2.3.4.5/", "host: expected a name"),
    ("http://4294967296/", "host: expected a name"),
    ("http://[::1/", "host: expected a name"),
    ("http://[fe80::1%25eth0]/", "host: expected a name"),
    ("http://[127.0.0.1]/", "host: expected a name"),
    ("http://::1/", "host: expected a name"),
    ("https://g\u{43e}\u{43e}d.com/", "host: expected ASCII"),
    ("https://good\u{3002}com/", "host: expected ASCII"),
    ("https://\u{ff47}ood.com/", "host: expected ASCII"),
    ("https://good.com:/", "port:"),
    ("https://good.com:0/", "port:"),
    ("https://good.com:65536/", "port:"),
    ("https://good.com:+443/", "port:"),
    ("https://good.com:44a/", "port:"),
    (
        "https://good.com//evil.com",
        "path: expected text between slashes",
    ),
    ("https://good.com/a//", "path: expected text between slashes"),
    ("https://good.com/..", "path: expected no `.` and `..` segments"),
    ("https://good.com/./x", "path: expected no `.` and `..` segments"),
    (
        "https://good.com/a/../b",
        "path: expected no `.` and `..` segments",
    ),
    (
        "https://good.com/%2e%2E/b",
        "path: expected no `.` and `..` segments",
    ),
    ("https://good.com/.%2e", "path: expected no `.` and `..` segments"),
    ("https://good.com/%2E", "path: expected no `.` and `..` segments"),
    (
        "https://good.com/..;x=1/b",
        "path: expected no `.` and `..` segments",
    ),
    ("https://good.com/a\\b", "path: expected `\\\\` percent-encoded"),
    ("https://good.com/a b", "path: expected ` ` percent-encoded"),
    (
        "https://good.com/a\r\nHost: evil",
        "path: expected `\\r` percent-encoded",
    ),
    ("https://good.com/a\0", "path: expected `\\u{0}` percent-encoded"),
    (
        "https://good.com/\u{4f1a}",
        "path: expected `\\u{4f1a}` percent-encoded",
    ),
    ("https://good.com/a<b", "path: expected `<` percent-encoded"),
    ("https://good.com/a%", "path: expected two hexadecimal digits"),
    ("https://good.com/a%2", "path: expected two hexadecimal digits"),
    ("https://good.com/a%zz", "path: expected two hexadecimal digits"),
    ("https://good.com/a%+1", "path: expected two hexadecimal digits"),
    ("https://good.com/a#b", "expected no fragment"),
    ("https://good.com#b", "expected no fragment"),
    ("https://good.com/?a#b", "expected no fragment"),
    ("https://good.com/?a b", "query: expected ` ` percent-encoded"),
    (
        "https://good.com/?a\r\nX: y",
        "query: expected `\\r` percent-encoded",
    ),
    ("https://good.com/?\u{4f1a}", "query: expected"),
];

#[test]
fn refused_urls_say_why() {
    for (text, reason) in REFUSED {
        let found = match parse(text) {
            Err(error) => error.to_string(),
            Ok(url) => panic!("`{text}` is accepted as `{url}`"),
        };
        assert!(found.starts_with(reason), "`{text}`: {found}");
    }
}

#[test]
fn no_reason_shows_the_query() {
    for bad in [
        "/a b?token=s3cr3t",
        "//?token=s3cr3t",
        "/?token=s3cr3t x",
        "/?s3cr3t#",
        "/../?s3cr3t",
    ] {
        let error = parse(&format!("https://good.com{bad}")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
    }
}

#[test]
fn a_path_without_a_slash_is_refused() {
    for path in ["x", "*", "evil.com"] {
        assert_eq!(
            CanonicalUrl::from_parts("https", "good.com", path),
            Err(UrlError::Relative)
        );
    }
}

#[test]
fn a_url_is_refused_when_it_is_too_long() {
    let path = "/".to_owned() + &"a".repeat(URL_BYTES);
    assert!(matches!(
        CanonicalUrl::from_parts("https", "good.com", &path),
        Err(UrlError::TooLong { .. })
    ));
}

/// Every printable character is either sent as it is or refused here; none is left to the HTTP client to refuse.
#[test]
fn every_accepted_character_can_be_sent() {
    for character in (0_u8..=127).map(char::from) {
        for text in [
            format!("https://good.com/x{character}41"),
            format!("https://good.com/?x{character}41"),
        ] {
            assert_ne!(parse(&text), Err(UrlError::Unsendable), "{text:?}");
        }
    }
}

#[test]
fn a_look_alike_is_answered_with_its_plain_form() {
    let error = parse("https://b\u{fc}cher.example/").unwrap_err();
    assert_eq!(
        error.to_string(),
        "host: expected ASCII, found `b\u{fc}cher.example`, which is `xn--bcher-kva.example`"
    );
    assert!(error.hint().unwrap().contains("`xn--bcher-kva.example`"));
}

#[test]
fn parts_of_a_url() {
    let url = CanonicalUrl::parse("HTTP://[::1]:8080/v1/x?a=1").unwrap();
    assert_eq!(url.scheme(), Scheme::Http);
    assert_eq!(url.host(), &Host::Address("::1".parse().unwrap()));
    assert_eq!(url.port(), 8080);
    assert_eq!(url.authority(), "[::1]:8080");
    assert_eq!(url.origin(), "http://[::1]:8080");
    assert_eq!((url.path(), url.query()), ("/v1/x", Some("a=1")));
}

/// prefix, path, what comes of it
const BELOW: &[(&str, &str, Result<(), PathMismatch>)] = &[
    ("/api", "/api", Ok(())),
    ("/api", "/api/", Ok(())),
    ("/api", "/api/x", Ok(())),
    ("/api/", "/api", Ok(())),
    ("/api/", "/api/x", Ok(())),
    ("/%61pi", "/api/x", Ok(())),
    ("/", "/anything/a%2Fb;c", Ok(())),
    ("", "/anything/..%2F..%2Fx", Ok(())),
    ("/api", "/api/a%2Fb", Ok(())),
    ("/api", "/api/a%2Fb%2F", Ok(())),
    ("/api", "/api/a%5Cb", Ok(())),
    ("/api", "/api/a%3Bb", Ok(())),
    ("/api", "/api/v1/..%2Fauth%2Ftoken", Ok(())),
    ("/api", "/api/v1/%252e%252e", Ok(())),
    ("/api", "/api/a%3Fb%23c", Ok(())),
    ("/api", "/api/%E4%BC%9A", Ok(())),
    ("/api", "/api/100%25", Ok(())),
    ("/api", "/", Err(PathMismatch::Elsewhere)),
    ("/api", "/apiX", Err(PathMismatch::Elsewhere)),
    ("/api", "/api-prod/x", Err(PathMismatch::Elsewhere)),
    ("/api", "/API/x", Err(PathMismatch::Elsewhere)),
    ("/api", "/x/api", Err(PathMismatch::Elsewhere)),
    ("/api", "/api%2Fx", Err(PathMismatch::Elsewhere)),
    ("/api", "/x%2F..%2Fapi/y", Err(PathMismatch::Elsewhere)),
    ("/api", "/api%3Bx/y", Err(PathMismatch::Elsewhere)),
    ("/api/v1", "/api%2Fv1/x", Err(PathMismatch::Elsewhere)),
    ("/api", "/api/x;y", Err(PathMismatch::Semicolon)),
    ("/api", "/api;x/y", Err(PathMismatch::Elsewhere)),
    ("/api", "/api/..%2Fx", Err(PathMismatch::Escapes)),
    ("/api", "/api/..%5Cx", Err(PathMismatch::Escapes)),
    ("/api", "/api/..%2F..%2F..%2Fx", Err(PathMismatch::Escapes)),
    ("/api", "/api/a%2F..%2F..%2Fx", Err(PathMismatch::Escapes)),
    ("/api", "/api/%252e%252e%252fx", Err(PathMismatch::Escapes)),
    ("/api", "/api/%25252e.%25252fx", Err(PathMismatch::Escapes)),
    ("/api", "/api/%252e%252e", Err(PathMismatch::Escapes)),
    (
        "/api",
        "/api/%252%2565%252%2565%252fx",
        Err(PathMismatch::Escapes),
    ),
    ("/api", "/api/..%3Bx%2Fy", Err(PathMismatch::Escapes)),
    // UTF-8 in more bytes than it needs, full-width forms, controls and spaces.
    ("/api", "/api/..%C0%AFx", Err(PathMismatch::Escapes)),
    ("/api", "/api/%C0%AE%C0%AE/x", Err(PathMismatch::Escapes)),
    ("/api", "/api/..%E0%80%AFx", Err(PathMismatch::Escapes)),
    ("/api", "/api/..%F0%80%80%AFx", Err(PathMismatch::Escapes)),
    (
        "/api",
        "/api/%EF%BC%8E%EF%BC%8E%EF%BC%8Fx",
        Err(PathMismatch::Escapes),
    ),
    ("/api", "/api/..%EF%BC%852Fx", Err(PathMismatch::Escapes)),
    ("/api", "/api/%E2%80%A5/x", Err(PathMismatch::Escapes)),
    ("/api", "/api/..%E2%88%95x", Err(PathMismatch::Escapes)),
    ("/api", "/api/..%20/x", Err(PathMismatch::Escapes)),
    ("/api", "/api/.%09./x", Err(PathMismatch::Escapes)),
    ("/api", "/api/..%00/x", Err(PathMismatch::Escapes)),
    ("/api", "/api/%E7%94%B2%EF%BC%8F%E4%B9%99", Ok(())),
    ("/api", "/api/a%20b%C3%A9%0A", Ok(())),
    ("/api", "/api/.%2F..%2Fapi2", Err(PathMismatch::Escapes)),
];

#[test]
fn a_path_is_below_a_prefix_in_both_readings() {
    for (prefix, path, expected) in BELOW {
        let url = CanonicalUrl::from_parts("https", "good.com", path).unwrap();
        let prefix = PathPrefix::parse(prefix).unwrap();
        assert_eq!(prefix.check(url.path()), *expected, "`{path}` below `{prefix}`");
    }
}

/// An item's value in a path parameter, encoded as a node has to: it stays one segment below the base URL, whatever it
/// holds, unless a liberal server could be led out of it.
#[test]
fn item_values_stay_one_segment_below_the_base_url() {
    let base = CanonicalUrl::parse("https://good.com/openapi-prod").unwrap();
    for (value, segment) in [
        ("../auth/token", "..%2Fauth%2Ftoken"),
        ("a?b#c", "a%3Fb%23c"),
        ("a/b", "a%2Fb"),
        ("%2e%2e", "%252e%252e"),
        ("a b", "a%20b"),
        ("50%", "50%25"),
    ] {
        let url = CanonicalUrl::parse(&format!("https://good.com/openapi-prod/v1/member/{segment}")).unwrap();
        assert!(url.is_below(&base), "{value}");
        assert_eq!(url.path(), format!("/openapi-prod/v1/member/{segment}"));
        assert_eq!(url.path().split('/').count(), 5);
    }
}

#[test]
fn another_origin_is_never_below() {
    let base = CanonicalUrl::parse("https://good.com/v1").unwrap();
    for (text, expected) in [
        ("https://good.com/v1/x", true),
        ("https://GOOD.com.:443/v1", true),
        ("http://good.com/v1/x", false),
        ("https://good.com:8443/v1/x", false),
        ("https://a.good.com/v1/x", false),
        ("https://good.com.evil.com/v1/x", false),
        ("https://good.com/v2/x", false),
        ("https://good.com/v1/..%2Fv2", false),
    ] {
        assert_eq!(
            CanonicalUrl::parse(text).unwrap().is_below(&base),
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_prefix_that_servers_would_read_differently_is_refused() {
    for text in [
        "v1", "/v1?x", "/v1#x", "/a%2Fb", "/a%5cb", "/a%252f", "/a;b", "/a%3bb", "/a/../b", "//", "/a b",
    ] {
        assert!(PathPrefix::parse(text).is_err(), "{text}");
    }
    let base = CanonicalUrl::parse("https://good.com/a%2Fb").unwrap();
    assert!(
        !base.is_below(&base),
        "nothing is below a base URL that no rule can be made of"
    );
}

#[test]
fn decoding_to_the_end_takes_one_pass() {
    let deep = "/api/".to_owned() + &"%25".repeat(5000) + "2e";
    let url = CanonicalUrl::from_parts("https", "good.com", &deep).unwrap();
    assert_eq!(PathPrefix::parse("/api").unwrap().check(url.path()), Ok(()));
}
