//! How long a service asks to wait before it is asked again.
//!
//! `Retry-After` says it of this very answer, `Retry-After-Ms` in finer parts. Where there is neither, it is the end of the window in which
//! requests are counted, under one of the names that are in use; unless some are left, so that this is not what is waited for.

use crate::date;
use crate::http::Headers;

/// The headers that are read here.
pub const HEADERS: [&str; 8] = [
    RETRY_AFTER_MS,
    RETRY_AFTER,
    RATE_LIMIT,
    "ratelimit-reset",
    "x-ratelimit-reset",
    "x-rate-limit-reset",
    "ratelimit-remaining",
    "x-ratelimit-remaining",
];
const RETRY_AFTER_MS: &str = "retry-after-ms";
const RETRY_AFTER: &str = "retry-after";
/// `limit=10, remaining=0, reset=3` of the earlier drafts, `"default";r=0;t=3` of the later ones.
const RATE_LIMIT: &str = "ratelimit";
const RESETS: [&str; 3] = ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"];
const REMAINING: [&str; 2] = ["ratelimit-remaining", "x-ratelimit-remaining"];

/// From here on a number of seconds is an instant: as a span it is thirty years.
const MIN_INSTANT_MS: u64 = 1_000_000_000_000;

/// The wait in milliseconds, 0 where the time has come. What cannot be read says nothing.
pub fn ms(headers: &dyn Headers, now_ms: u64) -> Option<u32> {
    asked_ms(headers, now_ms).or_else(|| {
        let is_some_left = left(headers).is_some_and(|left| left != 0);
        let reset = first(headers, &RESETS).or_else(|| member(headers, &["reset=", "t="]));
        from(&reset?, now_ms, MIN_INSTANT_MS)
            .filter(|_| !is_some_left)
            .map(fitting)
    })
}

/// The wait that is asked for by this answer itself.
pub fn asked_ms(headers: &dyn Headers, now_ms: u64) -> Option<u32> {
    let ms = headers.get(RETRY_AFTER_MS).and_then(|value| whole(&value));
    ms.or_else(|| from(&headers.get(RETRY_AFTER)?, now_ms, u64::MAX).map(fitting))
}

/// A number of milliseconds; what is finer is cut.
pub fn whole(text: &str) -> Option<u32> {
    thousandths(text).map(|thousandths| fitting(thousandths / 1_000))
}

/// Whether the service says that no request is left for now.
pub fn is_none_left(headers: &dyn Headers) -> bool {
    left(headers) == Some(0)
}

fn left(headers: &dyn Headers) -> Option<u64> {
    thousandths(&first(headers, &REMAINING).or_else(|| member(headers, &["remaining=", "r="]))?)
}

fn first(headers: &dyn Headers, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| headers.get(name))
}

/// The number of a member of the one header that has several.
fn member(headers: &dyn Headers, names: &[&str]) -> Option<String> {
    let value = headers.get(RATE_LIMIT)?;
    let mut parts = value.as_bytes().split(|b| matches!(b, b',' | b';' | b' '));
    let number = parts.find_map(|part| names.iter().find_map(|name| part.strip_prefix(name.as_bytes())))?;
    String::from_utf8(number.to_vec()).ok()
}

/// Milliseconds from now: of seconds, of an instant in seconds or milliseconds where it is one, or of a date.
fn from(value: &str, now_ms: u64, min_instant_ms: u64) -> Option<u64> {
    let value = value.trim();
    let then = match thousandths(value) {
        Some(ms) if ms < min_instant_ms => return Some(ms),
        // Milliseconds already.
        Some(ms) if ms / 1_000 >= min_instant_ms => ms / 1_000,
        Some(ms) => ms,
        None => u64::try_from(date::http_date(value)?).ok()?,
    };
    Some(then.saturating_sub(now_ms))
}

/// A number, times a thousand; what is finer is cut.
fn thousandths(text: &str) -> Option<u64> {
    let mut value: u64 = 0;
    // Digits that are still looked at, behind the point; absent before it.
    let mut places: Option<u32> = None;
    let mut has_digit = false;
    for byte in text.trim().bytes() {
        match (byte, places) {
            (b'.', None) if has_digit => (places, has_digit) = (Some(3), false),
            (b'0'..=b'9', _) => {
                has_digit = true;
                if places != Some(0) {
                    value = value.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
                }
                places = places.map(|places| places.saturating_sub(1));
            }
            _ => return None,
        }
    }
    let factor = 10_u64.pow(places.unwrap_or(3));
    has_digit.then(|| value.saturating_mul(factor))
}

fn fitting(ms: u64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Given<'a>(&'a [(&'a str, &'a str)]);

    impl Headers for Given<'_> {
        fn get(&self, name: &str) -> Option<String> {
            let (_, value) = self.0.iter().find(|(given, _)| *given == name)?;
            Some((*value).to_owned())
        }
    }

    /// 2026-10-21T07:28:00Z
    const NOW_MS: u64 = 1_792_567_680_000;

    #[test]
    fn the_wait_is_read_in_every_form() {
        for (headers, expected) in [
            (&[("retry-after", "2")][..], Some(2_000)),
            (&[("retry-after", " 0 ")], Some(0)),
            (&[("retry-after", "1.5")], Some(1_500)),
            (&[("retry-after", "1.0009")], Some(1_000)),
            (&[("retry-after", "99999999999999999999999")], Some(u32::MAX)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:28:05 GMT")], Some(5_000)),
            (
                &[("retry-after", "Wednesday, 21-Oct-26 07:28:05 GMT")],
                Some(5_000),
            ),
            (&[("retry-after", "Wed Oct 21 07:28:05 2026")], Some(5_000)),
            (&[("retry-after", "2026-10-21T07:28:05Z")], Some(5_000)),
            (&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], Some(0)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "1e9")], None),
            (&[("retry-after", "1.")], None),
            (&[("retry-after", "")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after-ms", "1500")], Some(1_500)),
            (&[("retry-after", "9"), ("retry-after-ms", "20.7")], Some(20)),
            (&[("x-ratelimit-reset", "1792567683")], Some(3_000)),
            (&[("x-ratelimit-reset", "1792567683.5")], Some(3_500)),
            (&[("x-ratelimit-reset", "1792567683000")], Some(3_000)),
            (&[("x-ratelimit-reset", "1445412480")], Some(0)),
            (&[("x-rate-limit-reset", "3")], Some(3_000)),
            (&[("ratelimit-reset", "3")], Some(3_000)),
            (&[("ratelimit", "limit=10, remaining=0, reset=3")], Some(3_000)),
            (&[("ratelimit", "\"default\";r=0;t=3")], Some(3_000)),
            (&[("ratelimit", "\"default\";r=5;t=3")], None),
            (&[("ratelimit-reset", "7"), ("retry-after", "3")], Some(3_000)),
            (
                &[("x-ratelimit-reset", "3"), ("x-ratelimit-remaining", "0")],
                Some(3_000),
            ),
            (
                &[("x-ratelimit-reset", "3"), ("x-ratelimit-remaining", "17")],
                None,
            ),
            (&[], None),
        ] {
            assert_eq!(ms(&Given(headers), NOW_MS), expected, "{headers:?}");
        }
    }

    #[test]
    fn every_header_that_is_read_is_listed() {
        let read = [RETRY_AFTER_MS, RETRY_AFTER, RATE_LIMIT];
        let read = read.iter().chain(&RESETS).chain(&REMAINING);
        assert_eq!(read.clone().count(), HEADERS.len());
        assert!(read.clone().all(|name| HEADERS.contains(name)));
    }
}
