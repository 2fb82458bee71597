//! Which origins a node may wish for, and that nothing but these matches.

use super::*;

fn resolved(text: &str) -> ResolvedOrigin {
    let value = |field: &str| match field {
        "bucket" => Some("books"),
        "region" => Some("eu-west-1"),
        "site" => Some("example.com"),
        _ => None,
    };
    OriginPattern::parse(text).unwrap().resolve(value).unwrap()
}

const LABELS: &str = "expected at least two labels of fixed text at the end of the host";

#[test]
fn an_origin_is_no_more_than_that() {
    for text in [
        "https://uploads.example.com",
        "https://uploads.example.com:8443",
        "https://*.example.com",
        "https://*.s3.{region}.amazonaws.com",
        "https://{bucket}.s3.{region}.amazonaws.com",
        "https://{site}",
        "http://localhost:8080",
    ] {
        assert_eq!(OriginPattern::parse(text).unwrap().as_str(), text);
    }
    for (text, expected) in [
        ("*.example.com", "expected a URL that begins with `https://`"),
        ("http://*.example.com", "expected `https://`"),
        ("https://*", "expected a host's name in lower case"),
        ("https://*.com", LABELS),
        ("https://*.{site}", LABELS),
        ("https://*.{site}.com", LABELS),
        ("https://*.example.{region}", LABELS),
        ("https://*.192.0.2.1", LABELS),
        ("https://*.[::1]", LABELS),
        ("https://a.*.example.com", "expected a host's name in lower case"),
        ("https://*a.example.com", "expected a host's name in lower case"),
        ("https://*.*.example.com", "expected a host's name in lower case"),
        ("https://a.example/", "expected nothing after the host and port"),
        ("https://a.example/a", "expected nothing after the host and port"),
        ("https://a.example?a", "expected a host's name in lower case"),
        ("https://a.example#a", "expected a host's name in lower case"),
        ("https://a@a.example", "expected a host's name in lower case"),
        (
            "https://a.example:443",
            "expected a port that is not the scheme's own",
        ),
        ("https://{a", "expected `{field}`, or"),
    ] {
        let error = OriginPattern::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
        assert!(!error.contains("found `https://example.com`"), "{text}: {error}");
    }
}

#[test]
fn only_the_same_origin_matches() {
    let cases: [(&str, &[&str], &[&str]); 4] = [
        (
            "https://uploads.example.com",
            &[
                "https://uploads.example.com/a",
                // Canonical URLs have one spelling, and that is what is sent.
                "https://uploads.example.com:443/a",
                "HTTPS://UPLOADS.example.com./",
            ],
            &[
                "http://uploads.example.com/",
                "https://uploads.example.com:8443/",
                "https://uploads.example.com.evil.example/",
                "https://evil-uploads.example.com/",
                "https://example.com/",
                // A Cyrillic `е` in its xn-- form.
                "https://uploads.xn--xample-2of.com/",
            ],
        ),
        (
            "https://*.example.com:8443",
            &[
                "https://a.example.com:8443/",
                "https://xn--bcher-kva.example.com:8443/",
            ],
            &[
                "https://a.example.com/",
                "https://example.com:8443/",
                "https://a.b.example.com:8443/",
                "https://aexample.com:8443/",
                "https://a.example.com.evil.example:8443/",
                "https://192.0.2.1:8443/",
            ],
        ),
        (
            "https://{bucket}.s3.{region}.amazonaws.com",
            &["https://books.s3.eu-west-1.amazonaws.com/a"],
            &[
                "https://other.s3.eu-west-1.amazonaws.com/",
                "https://books.s3.eu-west-2.amazonaws.com/",
            ],
        ),
        (
            "https://192.0.2.1",
            &["https://192.0.2.1/"],
            &["https://192.0.2.2/", "https://a.192.0.2.1.example/"],
        ),
    ];
    for (text, same, other) in cases {
        let origin = resolved(text);
        for (urls, expected) in [(same, true), (other, false)] {
            for url in urls {
                let url = CanonicalUrl::parse(url).unwrap();
                assert_eq!(origin.matches(&url), expected, "{text} {url}");
            }
        }
    }
    for look_alike in [
        "https://uploads.\u{435}xample.com/",
        "https://uploads.example.com@evil.example/",
        "https://uploads.example.com%2Eevil.example/",
        "https://uploads\u{3002}example.com/",
    ] {
        assert!(CanonicalUrl::parse(look_alike).is_err(), "{look_alike}");
    }
}

#[test]
fn a_resolved_origin_is_what_an_operator_grants() {
    for (text, expected, any) in [
        ("https://{site}", "https://example.com", false),
        (
            "https://*.s3.{region}.amazonaws.com:8443",
            "https://*.s3.eu-west-1.amazonaws.com:8443",
            true,
        ),
    ] {
        let origin = resolved(text);
        assert_eq!(
            (origin.to_string().as_str(), origin.has_any_label()),
            (expected, any)
        );
    }
    let absent = OriginPattern::parse("https://{other}.example.com").unwrap();
    assert_eq!(absent.fields().collect::<Vec<_>>(), ["other"]);
    assert_eq!(
        absent.resolve(|_| None).unwrap_err().to_string(),
        "the field `other` has no value"
    );
}
