//! The first line is a secret, the rest an answer: the secret does not stay in it, and what holds none stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodule_parsers::redact::{REDACTED, Redactor, SHORTEST_ANYWHERE};
use nodule_parsers::secret::Secret;

fuzz_target!(|bytes: &[u8]| {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (Ok(secret), answer) = (std::str::from_utf8(&bytes[..end]), &bytes[end + 1..]) else { return };
    let redactor = Redactor::new([&Secret::new(secret.to_owned())]);
    let redacted = redactor.bytes(answer);
    // A secret of pieces of the placeholder could be made by replacing.
    if secret.chars().count() >= SHORTEST_ANYWHERE && !secret.chars().any(|character| REDACTED.contains(character)) {
        assert!(!redacted.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    if matches!(redacted, std::borrow::Cow::Borrowed(_)) {
        assert_eq!(&*redacted, answer);
    }
    let _ = redactor.value(&String::from_utf8_lossy(answer));
});
