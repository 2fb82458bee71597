//! A URL has one canonical form, which every reader takes for the same place; and nothing is allowed that a reader who
//! decodes and resolves more could take for another place than the one that is listed.
//!
//! The first line is a URL, the second a base URL and a rule.
#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use nodule_core::canonical::{CanonicalUrl, Host};
use nodule_core::policy::{HostPattern, Policy, Rule};

fuzz_target!(|text: &str| {
    let (text, base) = text
        .split_once('\n')
        .unwrap_or((text, "https://api.example.com/v1"));
    let known = CanonicalUrl::parse(base);
    if let Ok(known) = &known {
        short_cut(text, known);
    }
    let Ok(url) = CanonicalUrl::parse(text) else {
        return;
    };
    let shown = url.to_string();
    assert_eq!(
        CanonicalUrl::parse(&shown).as_ref(),
        Ok(&url),
        "its own canonical form"
    );
    assert_eq!(
        CanonicalUrl::from_uri(url.uri()).as_ref(),
        Ok(&url),
        "what is sent is what was checked"
    );
    // Another reader, of what is sent and of what was asked for, gets to the same place.
    for text in [shown.as_str(), text] {
        let other = url::Url::parse(text).expect("what is accepted is a URL to others too");
        let is_same = match (other.host(), url.host()) {
            (Some(url::Host::Domain(other)), Host::Name(name)) => {
                other.strip_suffix('.').unwrap_or(other) == name
            }
            (Some(url::Host::Ipv4(other)), Host::Address(address)) => *address == other,
            (Some(url::Host::Ipv6(other)), Host::Address(address)) => *address == other,
            _ => false,
        };
        assert!(is_same, "the same host");
        assert_eq!(other.scheme(), url.scheme().as_str());
        assert_eq!(other.port_or_known_default(), Some(url.port()));
        assert!(other.username().is_empty() && other.password().is_none());
        assert!(other.fragment().is_none());
        assert_eq!(
            decoded(other.path()),
            decoded(url.path()),
            "no other reader resolves it further"
        );
    }
    if let Ok(base) = known
        && url.is_below(&base)
    {
        assert!(url.same_origin(&base));
        below(url.path(), base.path());
    }
    if let Ok(rule) = Rule::parse(base) {
        let mut policy = Policy::default();
        policy.allow(rule.clone());
        if policy.decide(&Method::GET, &url).is_ok() {
            let is_meant = match (rule.host(), url.host()) {
                (HostPattern::Name(listed), Host::Name(name)) => listed == name,
                (HostPattern::Below(listed), Host::Name(name)) => {
                    name.ends_with(listed.as_str())
                        && name.len() > listed.len() + 1
                        && name.as_bytes().get(name.len() - listed.len() - 1) == Some(&b'.')
                }
                (HostPattern::Address(listed), Host::Address(address)) => listed == address,
                _ => false,
            };
            assert!(is_meant, "the listed host");
            if matches!(rule.host(), HostPattern::Name(_) | HostPattern::Address(_)) {
                assert_eq!(url.origin(), rule.origin());
            }
            below(url.path(), rule.path().as_str());
        }
    }
});

/// What is read in short, where the origin is known, is what is read at length.
fn short_cut(text: &str, known: &CanonicalUrl) {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    for (scheme, authority) in [
        (scheme, authority),
        (known.scheme().as_str(), known.authority().as_str()),
    ] {
        assert_eq!(
            CanonicalUrl::from_parts_beside(known, scheme, authority, path).ok(),
            CanonicalUrl::from_parts(scheme, authority, path).ok()
        );
    }
}

/// Whatever a server makes of the paths, decoding them up to three times and resolving them then, the one stays below the
/// other.
fn below(path: &str, base: &str) {
    let (mut path, mut base) = (path.to_owned(), base.to_owned());
    for _ in 0..4 {
        assert!(
            segments(&path).starts_with(&segments(&base)),
            "{path:?} is not below {base:?}"
        );
        (path, base) = (decoded(&path), decoded(&base));
    }
}

fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

/// As a server walks them that takes a backslash for a slash, drops parameters, and resolves dots.
fn segments(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or(segment) {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other.to_owned()),
        }
    }
    segments
}
