use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

/// Contain every kind of character that an encoding treats specially, and have lengths with each remainder modulo
/// three.
const SECRETS: &[&str] = &[
    "0123456789abcdef",
    "0123456789abcdefg",
    "0123456789abcdefgh",
    "a/b+c=d\"e\\f&g<h>i%j k~l",
    "\u{4f1a}\u{5458}\u{1f511}-key-\u{e9}-0123456789",
    "tab\there\nand 0123456789",
    "????>>>>????>>>>~~~~",
];

fn redactor(secrets: &[&str]) -> Redactor {
    let secrets: Vec<Secret> = secrets
        .iter()
        .map(|text| Secret::new((*text).to_owned()))
        .collect();
    Redactor::new(&secrets)
}

fn percent(text: &str, upper: bool, encode: impl Fn(u8) -> bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if !encode(byte) && byte.is_ascii() {
            out.push(char::from(byte));
        } else if upper {
            write!(out, "%{byte:02X}").unwrap();
        } else {
            write!(out, "%{byte:02x}").unwrap();
        }
    }
    out
}

fn json_units(text: &str, upper: bool, encode: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if !encode(character) {
            let escaped = serde_json::to_string(&character).unwrap();
            out.push_str(&escaped[1..escaped.len() - 1]);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            if upper {
                write!(out, "\\u{unit:04X}").unwrap();
            } else {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        }
    }
    out
}

/// Every form in which a service may echo a secret.
fn forms(secret: &str) -> Vec<String> {
    let is_special = |byte: u8| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte);
    let json = serde_json::to_string(secret).unwrap();
    let json = json[1..json.len() - 1].to_owned();
    let mut forms = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        json_units(secret, true, |_| true),
        json_units(secret, false, |_| true),
        json_units(secret, false, |character| {
            "<>&'".contains(character) || !character.is_ascii()
        }),
        json_units(secret, true, |character| character.is_ascii_digit()),
    ];
    for upper in [true, false] {
        forms.push(percent(secret, upper, is_special));
        forms.push(percent(secret, upper, |_| true));
        forms.push(percent(secret, upper, |byte| {
            b" /?#%&+=\"<>\\\n\t".contains(&byte)
        }));
        forms.push(
            percent(&secret.replace('%', "%25").replace('+', "%2b"), upper, |_| false).replace(' ', "+"),
        );
    }
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        let encoded = engine.encode(secret);
        forms.push(percent(&encoded, true, is_special));
        forms.push(encoded.replace('/', "\\/"));
        forms.push(encoded);
    }
    forms
}

#[test]
fn a_secret_is_found_in_every_form_and_nothing_of_it_is_left() {
    for secret in SECRETS {
        let redactor = redactor(&["another-secret-0123", secret]);
        for form in forms(secret) {
            for (before, after) in [
                ("", ""),
                ("<", ">"),
                ("{\"a\":\"", "\",\"b\":1}"),
                ("x=1&t=", "&u"),
                ("\\", "%"),
            ] {
                let text = format!("{before}{form}{after}");
                let expected = format!("{before}[redacted]{after}");
                // The backslash before the form can turn the form's first character into an escape.
                if before == "\\" && form.starts_with(['\\', '"', 't']) {
                    continue;
                }
                assert_eq!(redactor.text(&text), expected, "{form} of {secret}");
                assert_eq!(redactor.bytes(text.as_bytes()), expected.as_bytes());
                assert_eq!(redactor.body(Bytes::from(text.clone())), expected);
                assert!(redactor.knows(&text));
            }
        }
    }
}

/// `Authorization: Basic` puts the secret in the middle of an encoded text.
#[test]
fn a_secret_inside_a_base64_text_is_found_wherever_it_begins() {
    for secret in SECRETS {
        for before in ["", "u", "us", "use", "user", "user:"] {
            for after in ["", ":", ":x", ":x;"] {
                for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
                    let whole = engine.encode(format!("{before}{secret}{after}"));
                    let redacted = redactor(&[secret]).text(&whole).into_owned();
                    assert!(redacted.contains(REDACTED), "{whole}");
                    // Only characters that also depend on the text around the secret stay.
                    let (start, end) = (before.len(), before.len() + secret.len());
                    let total = end + after.len();
                    let shared = (start * 8).div_ceil(6) + (total * 8).div_ceil(6) - end * 8 / 6;
                    let left = redacted.replace(REDACTED, "").replace('=', "").len();
                    assert!(left <= shared, "{redacted} of {whole}");
                }
            }
        }
    }
}

#[test]
fn several_secrets_and_places_in_one_text() {
    let redactor = redactor(&["0123456789abcdef", "cdefghijklmnopqrst"]);
    assert_eq!(
        redactor.text("0123456789abcdef,0123456789abcdefghijklmnopqrst;%63defghijklmnopqrst"),
        "[redacted],[redacted];[redacted]"
    );
}

#[test]
fn what_holds_no_secret_is_the_same_buffer() {
    let redactor = redactor(&["0123456789abcdef", "short"]);
    for text in [
        "",
        "plain",
        "0123456789abcde",
        "%20 \\n \\u00e9 \\ud83d \\u12 % %2 %zz \\",
        "{\"a\":\"short of it\",\"short\":1}",
    ] {
        assert!(matches!(redactor.text(text), Cow::Borrowed(_)), "{text}");
        let body = Bytes::copy_from_slice(text.as_bytes());
        let before = body.as_ptr();
        assert_eq!(redactor.body(body).as_ptr(), before);
    }
    assert!(matches!(redactor.bytes(b"\xff\xfe\\\xff%\xff"), Cow::Borrowed(_)));
    assert!(matches!(
        Redactor::default().text("0123456789abcdef"),
        Cow::Borrowed(_)
    ));
}

#[test]
fn bytes_that_are_no_text_are_searched_too() {
    let redacted = redactor(&["0123456789abcdef"])
        .bytes(b"\xff0123456789abcdef\xfe")
        .into_owned();
    assert_eq!(redacted, b"\xff[redacted]\xfe");
}

/// A word of fifteen characters or fewer would match in innocent text.
#[test]
fn a_short_secret_counts_only_as_a_whole_value() {
    let redactor = redactor(&["p/w", "0123456789abcde", ","]);
    for (text, expected) in [
        ("p/w", "p/w"),
        ("{\"a\":\"p/w\"}", "{\"a\":\"[redacted]\"}"),
        ("{\"a\" : \"p\\/w\" }", "{\"a\" : \"[redacted]\" }"),
        (
            "[\"p/w\",\"p\\u002fw\", \"xp/w\"]",
            "[\"[redacted]\",\"[redacted]\", \"xp/w\"]",
        ),
        ("\"p/w\"", "\"[redacted]\""),
        ("{\"p/w\":1}", "{\"p/w\":1}"),
        ("{\"p/w\" : \"p/w\"}", "{\"p/w\" : \"[redacted]\"}"),
        ("{\"a\":\"say \\\"p/w\\\"\"}", "{\"a\":\"say \\\"p/w\\\"\"}"),
        (
            "{\"a\":\"say \\\"p/w\\\", please\"}",
            "{\"a\":\"say \\\"p/w\\\", please\"}",
        ),
        ("[\"a\",\"b\"]", "[\"a\",\"b\"]"),
        ("[\",\"]", "[\"[redacted]\"]"),
        ("{\"a\":\"0123456789abcde\"}", "{\"a\":\"[redacted]\"}"),
        ("{\"a\":\"x 0123456789abcde\"}", "{\"a\":\"x 0123456789abcde\"}"),
    ] {
        assert_eq!(redactor.text(text), expected);
    }
    assert_eq!(redactor.value("p/w"), "[redacted]");
    assert_eq!(redactor.value("p/w "), "p/w ");
    assert!(redactor.knows("p/w") && !redactor.knows("xp/w"));
}

#[test]
fn a_header_value_is_redacted_whole_or_in_part() {
    let redactor = redactor(&["short", "0123456789abcdef"]);
    let mut headers = HeaderMap::new();
    for value in [
        "short",
        "shorter",
        "Bearer 0123456789abcdef",
        "a=%30123456789abcdef",
    ] {
        headers.append("x-echo", HeaderValue::from_static(value));
    }
    headers.insert(
        "server",
        HeaderValue::from_bytes(b"\xff0123456789abcdef").unwrap(),
    );
    redactor.headers(&mut headers);
    let echoed: Vec<&HeaderValue> = headers.get_all("x-echo").iter().collect();
    assert_eq!(
        echoed,
        ["[redacted]", "shorter", "Bearer [redacted]", "a=[redacted]"]
    );
    assert_eq!(
        headers["server"],
        HeaderValue::from_bytes(b"\xff[redacted]").unwrap()
    );
}

#[test]
fn the_token_of_a_session_header_is_found_without_its_scheme() {
    let redactor = redactor(&["Bearer 0123456789abcdef", "bearer tiny"]);
    assert_eq!(
        redactor.text("{\"authorization\":\"Bearer 0123456789abcdef\",\"token\":\"0123456789abcdef\"}"),
        "{\"authorization\":\"[redacted]\",\"token\":\"[redacted]\"}"
    );
    assert_eq!(
        redactor.text("{\"token\":\"tiny\",\"a\":\"tiny thing\"}"),
        "{\"token\":\"[redacted]\",\"a\":\"tiny thing\"}"
    );
}

/// HTTP strips the blanks of a header's value, and a service strips those of a field.
#[test]
fn of_a_secret_with_blanks_around_it_both_spellings_are_found() {
    const TRIMMED: &str = "tok-0123456789abcdef";
    for secret in [
        " tok-0123456789abcdef ",
        "tok-0123456789abcdef\n",
        "\ttok-0123456789abcdef\r\n",
        "\u{a0}tok-0123456789abcdef",
        " Bearer tok-0123456789abcdef ",
        "Bearer  tok-0123456789abcdef\n",
    ] {
        for redactor in [redactor(&[secret]), for_answers(&[secret])] {
            for spelling in [TRIMMED, secret, secret.trim(), secret.trim_end()] {
                for form in forms(spelling) {
                    let left = redactor.text(&form).into_owned();
                    assert!(left.contains("[redacted]"), "{secret:?} as {form:?}: {left:?}");
                    assert!(!left.contains("0123456789"), "{secret:?} as {form:?}: {left:?}");
                }
            }
        }
    }
    let short = redactor(&[" tiny\n"]);
    assert_eq!(short.value("tiny"), "[redacted]");
    assert_eq!(short.text("{\"token\":\"tiny\"}"), "{\"token\":\"[redacted]\"}");
    // Blanks do not make a secret harder to guess.
    let guessable = format!("abc{}", " ".repeat(40));
    assert_eq!(for_answers(&[&guessable]).text(&guessable), guessable);
}

#[test]
fn an_empty_secret_is_no_secret() {
    let redactor = redactor(&["", "Bearer "]);
    assert_eq!(redactor.text("\"\" and more"), "\"\" and more");
    assert!(!redactor.knows(""));
}

#[test]
fn debug_shows_no_secret() {
    let redactor = redactor(&["0123456789abcdef", "short"]);
    for shown in [format!("{redactor:?}"), format!("{redactor:#?}")] {
        assert!(!shown.contains("0123") && !shown.contains("short"), "{shown}");
        assert!(!shown.contains("48, 49, 50"), "no list of bytes either: {shown}");
    }
}

fn for_answers(secrets: &[&str]) -> Redactor {
    let secrets: Vec<Secret> = secrets
        .iter()
        .map(|text| Secret::new((*text).to_owned()))
        .collect();
    Redactor::for_answers(&secrets)
}

/// A node that receives every candidate would see which one is missing.
#[test]
fn in_answers_nothing_is_looked_for_that_can_be_listed() {
    for secret in [
        "s3cr3t",
        "0123456789abcde",
        "Bearer 123456789",
        "0000000000000000000000000000000000000000",
        "ababababababababcdcdcdcd",
        "1234512345123451234512345",
        "",
    ] {
        let redactor = for_answers(&[secret]);
        let text = format!("{{\"a\":\"{secret}\"}}");
        assert!(matches!(redactor.text(&text), Cow::Borrowed(_)), "{secret}");
        assert!(matches!(redactor.value(secret), Cow::Borrowed(_)), "{secret}");
    }
    for secret in [
        "1234561234561234",
        "4111111111234567",
        "Bearer 0123456789abcdef",
        "\u{4f1a}\u{5458}\u{1f511}-key-\u{e9}-0123456789",
    ] {
        assert_eq!(
            for_answers(&[secret]).text(&format!("<{secret}>")),
            "<[redacted]>"
        );
    }
}

#[test]
fn in_answers_every_form_of_a_secret_is_found() {
    for secret in SECRETS.iter().filter(|secret| is_hard_to_guess(secret)) {
        let redactor = for_answers(&["another-secret-0123", secret]);
        for form in forms(secret) {
            assert_eq!(
                redactor.text(&format!("<{form}>")),
                "<[redacted]>",
                "{form} of {secret}"
            );
        }
    }
    let redactor = for_answers(&["Bearer 0123456789abcdef"]);
    assert_eq!(
        redactor.text("{\"authorization\":\"Bearer 0123456789abcdef\",\"token\":\"0123456789abcdef\"}"),
        "{\"authorization\":\"[redacted]\",\"token\":\"[redacted]\"}"
    );
}

/// The automaton lists the longest of several matches first.
#[test]
fn of_secrets_inside_of_each_other_nothing_is_left() {
    let whole = "0123456789abcdefghijklmnopqrstuvwxyz";
    let parts: Vec<&str> = (0..20).map(|start| &whole[start..]).collect();
    assert_eq!(for_answers(&parts).text(&format!("<{whole}>")), "<[redacted]>");
    let parts: Vec<&str> = (16..36).map(|end| &whole[..end]).collect();
    assert_eq!(for_answers(&parts).text(&format!("<{whole}>")), "<[redacted]z>");
    let parts: Vec<&str> = (0..20).map(|start| &whole[start..start + 16]).collect();
    assert_eq!(for_answers(&parts).text(&format!("<{whole}>")), "<[redacted]z>");
}

/// A piece may end anywhere: inside a secret, an escape, or a prefix.
#[test]
fn a_secret_is_found_wherever_it_stands_in_a_long_text() {
    let secret = "t0ken/+\u{e9}-0123456789";
    let forms = forms(secret);
    let redactor = for_answers(&[secret]);
    for filler in ["x", "\\u0041", "%41", "\\\\", "%%", "t0ken/+"] {
        let fill = |bytes: usize| filler.repeat(bytes / filler.len());
        for (number, form) in forms.iter().enumerate() {
            for offset in [form.len() + 16, form.len() / 2, number % form.len(), 0] {
                let before = format!("{};", fill(PIECE - 2 - offset));
                let text = format!("{before}{form};{}", fill(PIECE));
                let expected = format!("{before}[redacted];{}", fill(PIECE));
                assert!(
                    redactor.text(&text) == expected,
                    "{form} behind {filler}, {offset} before the end"
                );
            }
        }
    }
}

/// Covers every state of the automaton, and every alignment to a skipped stretch.
#[test]
fn escapes_far_apart_hide_no_secret() {
    let secret = "0123456789abcdefghijklmnopqrstuv";
    let redactor = for_answers(&[secret]);
    for place in 0..secret.len() {
        let (start, rest) = secret.split_at(place);
        let (byte, end) = rest.split_at(1);
        let escaped = format!("{start}%{:02x}{end}", byte.as_bytes()[0]);
        for distance in 0..100 {
            let around = format!("%41{}", "x".repeat(distance));
            assert_eq!(
                redactor.text(&format!("{around}{escaped}{around}")),
                format!("{around}[redacted]{around}")
            );
        }
    }
}

/// Attackers choose texts that match, or nearly match, at every byte. The time must be a small multiple of that for a
/// harmless text. The bound is generous for a busy machine, and still far below the product of both lengths.
#[test]
fn overlapping_secrets_take_no_longer_than_the_text() {
    let same: Vec<String> = (16..32).map(|length| "a".repeat(length)).collect();
    let period = "abcdefgh".repeat(1024);
    let nearly: Vec<String> = (0..16)
        .map(|index| format!("{}{index:x}z", &period[index..]))
        .collect();
    let nested: Vec<String> = (0..16).map(|index| period[index..4096].to_owned()).collect();
    for secrets in [same, nearly, nested] {
        let secrets: Vec<Secret> = secrets.into_iter().map(Secret::new).collect();
        for text in ["a", "abcdefgh", "abc%64efgh", "abc\\u0064efgh"] {
            let text = text.repeat((4 << 20) / text.len());
            for redactor in [Redactor::new(&secrets), Redactor::for_answers(&secrets)] {
                let clock = std::time::Instant::now();
                let redacted = redactor.text(&text);
                assert!(redacted.len() <= text.len());
                assert!(clock.elapsed().as_secs() < 20, "{:?}", clock.elapsed());
            }
        }
    }
}
