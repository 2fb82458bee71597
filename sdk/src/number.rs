//! Numbers as the digits that were given, so that none is lost beyond 2^53 or 2^64.

use std::borrow::Cow;

use crate::json::{self, Kind};

/// An exponent that asks for more digits than this is no whole number that anybody meant.
const MAX_DIGITS: usize = 400;

/// Whether `text` is a number as JSON writes it.
pub fn is_number(text: &str) -> bool {
    json::kind(text) == Kind::Number && json::document(text) == Ok(text)
}

/// The digits of a whole number. `1.0` and `1e3` are whole, since JSON does not tell `1.0` from `1` and some writers
/// give large numbers an exponent; they are sent as `1` and `1000`. `1.5` is not. `literal` must be a JSON number.
pub fn whole(literal: &str) -> Option<Cow<'_, str>> {
    if literal.bytes().all(|b| b.is_ascii_digit()) {
        // JSON has no leading zeros.
        return Some(Cow::Borrowed(literal));
    }
    let (mantissa, exponent) = match literal.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (literal, 0),
    };
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |digits| ("-", digits));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [before, after].concat();
    if digits.bytes().all(|b| b == b'0') {
        return Some(Cow::Borrowed("0"));
    }
    let point = usize::try_from(i64::try_from(before.len()).ok()? + i64::from(exponent)).ok()?;
    if point > digits.len() {
        if point > MAX_DIGITS {
            return None;
        }
        digits.extend(std::iter::repeat_n('0', point - digits.len()));
    }
    let (digits, rest) = digits.split_at_checked(point)?;
    let is_whole = rest.bytes().all(|b| b == b'0');
    let digits = digits.trim_start_matches('0');
    (is_whole && !digits.is_empty()).then(|| Cow::Owned(format!("{sign}{digits}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_keep_their_digits() {
        for (given, sent) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.000e9", "0"),
            ("10", "10"),
            ("-7", "-7"),
            ("12345678901234567890", "12345678901234567890"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.0", "1"),
            ("1e3", "1000"),
            ("1.25E+2", "125"),
            ("1200e-2", "12"),
            ("0.5e1", "5"),
        ] {
            assert_eq!(whole(given).as_deref(), Some(sent), "{given}");
        }
        for given in [
            "1.5",
            "1e-1",
            "0.1",
            "125e-2",
            "1e999999999",
            "1e99999999999",
            "-0.5",
        ] {
            assert_eq!(whole(given), None, "{given}");
        }
    }

    #[test]
    fn numbers_are_what_json_says() {
        for text in ["0", "-1", "1.50", "1e3", "12345678901234567890"] {
            assert!(is_number(text), "{text}");
        }
        for text in [
            "", " 1", "+1", "01", ".5", "5.", "0x10", "1_000", "NaN", "Infinity", "true", "\"1\"", "1,5",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }
}
