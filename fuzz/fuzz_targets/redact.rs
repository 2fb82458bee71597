//! A secret that a service gives back is in no reading of what is left, whichever encoding it chose, and a text without
//! one stays as it is.
//!
//! The first line is the secret, the second chooses how it is written and where, the rest is the answer that it is put
//! into. The readings are this file's own, so that a mistake of the redactor's is not made twice.
#![no_main]

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use nodule_core::redact::{REDACTED, Redactor, SHORTEST_ANYWHERE};
use nodule_core::secret::Secret;

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let (Some(secret), Some(choices), Some(answer)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let Ok(secret) = std::str::from_utf8(secret) else {
        return;
    };
    let redactor = Redactor::new([&Secret::new(secret.to_owned())]);
    let kept = redactor.bytes(answer);
    if let Cow::Borrowed(kept) = kept {
        assert_eq!(kept, answer);
    }
    // A text that holds nothing like it is the same text; the shortest look is for the secret's own first characters.
    if answer.is_empty() {
        assert!(matches!(redactor.bytes(answer), Cow::Borrowed(_)));
    }
    // A secret of pieces of the placeholder could be made by replacing.
    let is_found_anywhere = secret.chars().count() >= SHORTEST_ANYWHERE && !secret.contains(['[', ']']);
    if !is_found_anywhere {
        let value = redactor.value(secret);
        assert!(secret.is_empty() || !value.contains(secret) || REDACTED.contains(secret));
        return;
    }
    gone(secret, &kept);

    let (choice, how) = choices.split_first().unwrap_or((&0, &[]));
    let written = written(secret, *choice, how);
    let at = how.first().map_or(0, |at| usize::from(*at) % (answer.len() + 1));
    let (before, after) = answer.split_at(at);
    let echoed = [before, &written, after].concat();
    let redacted = redactor.bytes(&echoed);
    gone(secret, &redacted);
    // What a node reads is looked through for fewer secrets, and never becomes longer.
    let for_answers = Redactor::for_answers([&Secret::new(secret.to_owned())]);
    assert!(for_answers.bytes(&echoed).len() <= echoed.len());
    // Beside what cannot be a part of its encoding, it is what is replaced, and nothing else is.
    let clean = [b"<".as_slice(), &written, b">"].concat();
    assert_eq!(redactor.bytes(&clean), format!("<{REDACTED}>").as_bytes());
});

/// The secret as a service may write it: each character in one of the ways that its encoding leaves open.
fn written(secret: &str, choice: u8, how: &[u8]) -> Vec<u8> {
    let mut how = how.iter().copied().cycle();
    let mut next = || how.next().unwrap_or(0);
    match choice % 7 {
        0 => secret.as_bytes().to_vec(),
        1 => STANDARD.encode(secret).into_bytes(),
        2 => STANDARD_NO_PAD.encode(secret).into_bytes(),
        3 => URL_SAFE.encode(secret).into_bytes(),
        4 => URL_SAFE_NO_PAD.encode(secret).into_bytes(),
        5 => secret
            .bytes()
            .flat_map(|byte| match next() % 3 {
                0 if byte != b'%' => vec![byte],
                1 => format!("%{byte:02x}").into_bytes(),
                _ => format!("%{byte:02X}").into_bytes(),
            })
            .collect(),
        _ => secret
            .chars()
            .flat_map(|character| match (next() % 3, character) {
                (_, '/') if next() % 2 == 0 => b"\\/".to_vec(),
                (0, character) if character != '\\' => character.to_string().into_bytes(),
                (1, '"' | '\\' | '\n' | '\r' | '\t') => {
                    let quoted = serde_json::to_string(&character).expect("a character is JSON");
                    quoted
                        .trim_matches('"')
                        .as_bytes()
                        .get(..2)
                        .unwrap_or(b"\\\"")
                        .to_vec()
                }
                (how, character) => character
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .flat_map(|unit| {
                        if how == 2 {
                            format!("\\u{unit:04X}")
                        } else {
                            format!("\\u{unit:04x}")
                        }
                        .into_bytes()
                    })
                    .collect(),
            })
            .collect(),
    }
}

/// No reading of the text holds the secret or its base64.
fn gone(secret: &str, text: &[u8]) {
    for reading in [text.to_vec(), unescaped(text), unpercented(text)] {
        assert!(!holds(&reading, secret.as_bytes()), "the secret is still there");
        for encoded in [
            STANDARD.encode(secret),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ] {
            assert!(!holds(&reading, encoded.as_bytes()), "its base64 is still there");
        }
    }
}

fn holds(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// Every `%XX` as its byte.
fn unpercented(text: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(text).collect()
}

/// The escapes of JSON strings as what they mean, wherever they stand.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        // The longest first: a pair of surrogates is one character.
        let escape = [12, 6, 2].into_iter().find_map(|length| {
            let escape = std::str::from_utf8(rest.get(..length).filter(|_| *first == b'\\')?).ok()?;
            let mut characters = serde_json::from_str::<String>(&format!("\"{escape}\"")).ok()?;
            let one = characters.pop().filter(|_| characters.is_empty())?;
            Some((one, length))
        });
        if let Some((character, length)) = escape {
            out.extend_from_slice(character.to_string().as_bytes());
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}
