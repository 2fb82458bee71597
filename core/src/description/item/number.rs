//! Numbers by their digits.

use std::borrow::Cow;

use super::read::{JsonKind, kind, string};
use crate::description::Range;

/// Every whole number up to this one is a float of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The digits of a number; a text may contain it.
pub(super) fn number(raw: &str) -> Option<Cow<'_, str>> {
    match kind(raw) {
        JsonKind::Number => Some(Cow::Borrowed(raw)),
        JsonKind::Text => {
            let text = match string(raw)? {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
                Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
            };
            is_number(&text).then_some(text)
        }
        _ => None,
    }
}

/// Whether a text is a number as JSON writes it.
pub(super) fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (before, after) = match mantissa.split_once('.') {
        Some((before, after)) => (before, Some(after)),
        None => (mantissa, None),
    };
    let exponent = exponent.map(|digits| digits.strip_prefix(['+', '-']).unwrap_or(digits));
    are_digits(before)
        && (before.len() == 1 || !before.starts_with('0'))
        && after.is_none_or(are_digits)
        && exponent.is_none_or(are_digits)
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a number is whole. `1.0` and `1e3` are: JSON does not tell `1.0` from `1`, and some writers give large numbers
/// an exponent.
pub(super) fn is_whole(digits: &str) -> bool {
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let significant = before.bytes().chain(after.bytes()).rev();
    let zeros_at_the_end = significant.take_while(|byte| *byte == b'0').count();
    if zeros_at_the_end == before.len() + after.len() {
        return true;
    }
    // An exponent that does not fit is far larger than any text is long.
    let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    });
    let decimals = i64::try_from(after.len())
        .unwrap_or(i64::MAX)
        .saturating_sub(exponent);
    decimals <= i64::try_from(zeros_at_the_end).unwrap_or(i64::MAX)
}

/// Whether a number is within the range. It is compared by the nearest float, which never moves a number across a bound
/// that is a float itself.
pub(super) fn is_within(range: &Range, digits: &str) -> bool {
    if range.min.is_none() && range.max.is_none() {
        return true;
    }
    let near: f64 = digits.parse().unwrap_or(f64::NAN);
    !range.min.is_some_and(|min| near < min) && !range.max.is_some_and(|max| near > max)
}

/// Whether two texts are certainly the same whole number.
pub(super) fn is_same_whole(a: &str, b: &str) -> bool {
    let exact = |digits: &str| digits.parse().ok().filter(|near: &f64| near.abs() < MAX_EXACT);
    a == b || is_whole(a) && is_whole(b) && exact(a).is_some() && exact(a) == exact(b)
}

/// Whether two texts may be the same number.
pub(super) fn may_be_same(a: &str, b: &str) -> bool {
    is_number(a) && is_number(b) && a.parse::<f64>().ok() == b.parse::<f64>().ok()
}
