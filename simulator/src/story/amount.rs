//! Points as exact decimals: sums of binary fractions would be inexact, and 64 bits could not store the twenty digits
//! that a caller may send.

use std::fmt;

/// Ten-thousandths of a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Amount(i128);

const DECIMALS: usize = 4;
const UNIT: i128 = 10_i128.pow(4);

/// Digits before the decimal point; 25 of them leave room for the sum of a billion of the largest numbers.
const MAX_DIGITS: usize = 25;

impl Amount {
    pub(super) const fn whole(points: i128) -> Self {
        Self(points * UNIT)
    }

    /// Reads a JSON number without exponent, with at most [`DECIMALS`] decimals.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = [whole, fraction]
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        if !plain || whole.len() > MAX_DIGITS || fraction.len() > DECIMALS {
            return None;
        }
        let fraction = if fraction.is_empty() {
            0
        } else {
            format!("{fraction:0<DECIMALS$}").parse().ok()?
        };
        let value = whole.parse::<i128>().ok()? * UNIT + fraction;
        Some(Self(if negative { -value } else { value }))
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    pub(super) fn abs(self) -> Self {
        Self(self.0.abs())
    }

    pub(super) fn is_negative(self) -> bool {
        self.0 < 0
    }
}

/// The shortest decimal: `10`, `0.5`, `-2.25`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let unit = UNIT.unsigned_abs();
        let fraction = format!("{:0>DECIMALS$}", magnitude % unit);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{}", magnitude / unit),
            fraction => write!(f, "{sign}{}.{fraction}", magnitude / unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_decimals_and_twenty_digits() {
        for text in ["0", "10", "-2.25", "0.5", "12345678901234567890", "-0.0001"] {
            assert_eq!(Amount::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Amount::parse("10.50").unwrap().to_string(), "10.5");
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        for text in ["1e3", "0.00001", "99999999999999999999999999", "", "-", "--1"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn adds_up() {
        let sum = Amount::parse("0.1")
            .unwrap()
            .plus(Amount::parse("0.2").unwrap())
            .unwrap();
        assert_eq!(sum, Amount::parse("0.3").unwrap());
        assert!(sum.minus(Amount::whole(1)).unwrap().is_negative());
    }
}
