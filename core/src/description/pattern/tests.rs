//! What a pattern may be, and that it means what RFC 9485 says.

use std::time::{Duration, Instant};

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

#[test]
fn a_pattern_matches_the_whole_text() {
    for (text, matching, other) in [
        (
            "[0-9]{8}",
            &["20250131"][..],
            &["2025013", "202501310", "20250131\n"][..],
        ),
        ("a|bc", &["a", "bc"], &["ac", "abc", ""]),
        ("a.c", &["abc", "a\u{2028}c", "a😀c"], &["a\nc", "a\rc", "ac"]),
        ("[^/?#]+", &["a-b", "a\nb"], &["a/b", ""]),
        ("[a&&b]", &["a", "&", "b"], &["", "c"]),
        ("[a~~b]", &["~", "b"], &["c"]),
        ("[-a]b[a-]", &["-b-", "aba"], &["bba"]),
        (r"[\]\\\-\^\[]", &["]", "\\", "-", "^", "["], &["a"]),
        (r"\(\-\.\}", &["(-.}"], &["a"]),
        ("[$^]", &["$", "^"], &["a"]),
        (r"\p{Lu}\P{Lu}*", &["Äbc", "Z"], &["äbc", "AB"]),
        (
            r"a{2,3}b{1,}c{2}",
            &["aabcc", "aaabbcc"],
            &["abcc", "aacc", "aabc"],
        ),
        ("(ab)*x?", &["", "abab", "abx"], &["aba"]),
        ("#a b", &["#a b"], &["ab"]),
    ] {
        let read = pattern(text);
        for (texts, expected) in [(matching, true), (other, false)] {
            for found in texts {
                assert_eq!(read.matches_whole(found), expected, "{text} {found:?}");
            }
        }
    }
}

#[test]
fn what_engines_disagree_on_is_refused() {
    for (text, expected) in [
        ("", "expected a regular expression, found none"),
        ("^a", "`^` stands for itself here"),
        ("a$", "`$` stands for itself here"),
        ("a**", "expected `\\` before `*`"),
        ("a+?", "expected `\\` before `?`"),
        ("(?:a)", "expected `\\` before `?`"),
        ("(?=a)", "expected `\\` before `?`"),
        (r"\d", "there is no escape `\\d`"),
        (r"\1", "there is no escape `\\1`"),
        (r"\$", "there is no escape `\\$`"),
        (r"\u0041", "there is no escape `\\u`"),
        ("\\", "expected a character after `\\`"),
        (r"\p{Latin}", "expected a general category"),
        (r"\pL", "expected a general category"),
        ("(a", "expected a `)` for each `(`"),
        ("a)", "expected a `(` for each `)`"),
        ("[a", "expected a `]` for each `[`"),
        ("[]", "expected a character in `[]`"),
        ("[^]", "expected a character in `[]`"),
        (
            "[z-a]",
            "expected a range from the lower character to the higher one, found `z-a`",
        ),
        (r"[a-\p{L}]", "expected a character at the end of a range"),
        ("[a--b]", "expected `\\` before `-` in a class"),
        ("[a-b-c]", "expected `\\` before `-` in a class"),
        ("[[:alpha:]]", "expected `\\` before `[` in a class"),
        ("a{", "expected a number up to 10000 in `{…}`, found ``"),
        ("a{2", "expected a range such as"),
        ("a{,2}", "expected a number up to"),
        ("a{3,2}", "expected `{2,3}`, found `{3,2}`"),
        ("a{99999999999999999999}", "expected a number up to 10000"),
        ("a}", "expected `\\` before `}`"),
        ("a\u{202e}", "the character U+202E is not allowed"),
    ] {
        let error = Pattern::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn the_group_of_a_url_is_the_id() {
    let page = pattern(r"https://docs\.example/d/([A-Za-z0-9_-]+)[/?#]?.*");
    assert!(page.is_id_in_url());
    for (url, id) in [
        ("https://docs.example/d/a-1", Some("a-1")),
        ("https://docs.example/d/a-1/edit#gid=0", Some("a-1")),
        ("https://docs.example/d/", None),
        ("https://docsxexample/d/a", None),
        ("https://evil.example/?https://docs.example/d/a", None),
    ] {
        assert_eq!(page.first_group(url), id, "{url}");
    }
    assert_eq!(pattern("a").first_group("a"), None);
    for text in ["a", "(a)(b)", "((a)b)", "(a)*", "(a)?", "(a){2}"] {
        assert!(!pattern(text).is_id_in_url(), "{text}");
    }
}

/// `(text, javascript)`; each was tried with `new RegExp(…, "u")`.
#[test]
fn javascript_gets_a_spelling_of_its_own() {
    for (text, expected) in [
        ("a|b", "^(?:a|b)$"),
        ("a.b", r"^(?:a[^\n\r]b)$"),
        (r"\-/\.", r"^(?:-\/\.)$"),
        (r"[\].&-]", r"^(?:[\].&\-])$"),
        (r"[^\^$]\p{L}{2,}", r"^(?:[^\^$]\p{L}{2,})$"),
        (r"\n[\t]", r"^(?:\n[\t])$"),
    ] {
        assert_eq!(pattern(text).javascript(), expected, "{text}");
    }
}

#[test]
fn a_pattern_costs_little_to_compile_and_to_match() {
    let clock = Instant::now();
    for text in [
        format!(
            "{}{}",
            "(".repeat(20),
            "a{2}){2}".repeat(20).replacen("a{2}", "a", 19)
        ),
        r"\p{L}{20}".to_owned(),
        "[a-zà-ÿ一-龥]{800}".to_owned(),
        ".{2500}".to_owned(),
        "a{9999}".to_owned(),
        r"[\p{L}\p{C}\p{S}\p{P}]{5}".to_owned(),
    ] {
        match Pattern::parse(&text) {
            Ok(read) => {
                assert!(read.compiled().is_some(), "{text}");
                assert!(!read.matches_whole(&"a".repeat(100_000)), "{text}");
            }
            Err(error) => assert!(error.to_string().contains("parts"), "{text}: {error}"),
        }
    }
    // Takes ages by backtracking.
    assert!(!pattern("(a*)*b").matches_whole(&"a".repeat(50_000)));
    assert!(clock.elapsed() < Duration::from_secs(20), "{:?}", clock.elapsed());
    for (text, expected) in [
        ("a".repeat(1_001), "expected at most 1000 characters, found 1001"),
        (
            "((a{100}){100}){100}".to_owned(),
            "expected a pattern of at most 10000 parts",
        ),
        (
            "(".repeat(30),
            "expected at most 20 groups inside each other, found more",
        ),
    ] {
        let error = Pattern::parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}
