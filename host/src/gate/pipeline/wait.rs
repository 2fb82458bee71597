//! How long a service asks to wait. The host reads this itself for an authenticating node, of whose failure it passes
//! on only the kind.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header};

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// When the service's rate-limit window ends.
const RESETS: [HeaderName; 3] = [
    HeaderName::from_static("ratelimit-reset"),
    HeaderName::from_static("x-ratelimit-reset"),
    HeaderName::from_static("x-rate-limit-reset"),
];
/// From this number of seconds on, a value is an instant; as a duration it would be thirty years.
const MIN_INSTANT_S: f64 = 1e9;
/// From this number on, a value is an instant in milliseconds.
const MIN_INSTANT_MS: f64 = 1e12;

/// The wait in milliseconds; 0 if the time has passed. An instant is compared with the response's own `Date`, so that a
/// replay gives the same, or with the current time if there is no `Date`.
pub(super) fn ms(headers: &HeaderMap) -> Option<u32> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let now = || text(&header::DATE).and_then(date).unwrap_or_else(SystemTime::now);
    let until = |then: SystemTime| then.duration_since(now()).unwrap_or_default();
    let wait = if let Some(ms) = text(&RETRY_AFTER_MS).and_then(number) {
        Duration::try_from_secs_f64(ms / 1000.0).unwrap_or(Duration::MAX)
    } else if let Some(wish) = text(&header::RETRY_AFTER) {
        match number(wish) {
            Some(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
            None => until(date(wish)?),
        }
    } else {
        let reset = RESETS.iter().find_map(text).and_then(number)?;
        let seconds = if reset >= MIN_INSTANT_MS {
            reset / 1000.0
        } else {
            reset
        };
        let span = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        if seconds < MIN_INSTANT_S {
            span
        } else {
            until(SystemTime::UNIX_EPOCH.checked_add(span)?)
        }
    };
    Some(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX))
}

/// A decimal number without a sign.
fn number(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_asks_for_is_read_as_the_service_wrote_it() {
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        for (name, wish, date, expected) in [
            ("retry-after", "2", None, Some(2_000)),
            ("retry-after", " 0 ", None, Some(0)),
            ("retry-after", "1.5", None, Some(1_500)),
            ("retry-after", "99999999", None, Some(u32::MAX)),
            ("retry-after", "99999999999999999999999", None, Some(u32::MAX)),
            ("retry-after", "-1", None, None),
            ("retry-after", "1e9", None, None),
            ("retry-after", "", None, None),
            ("retry-after", "Wed, 21 Oct 2026 07:28:05 GMT", date, Some(5_000)),
            (
                "retry-after",
                "Wednesday, 21-Oct-26 07:28:05 GMT",
                date,
                Some(5_000),
            ),
            ("retry-after", "Wed Oct 21 07:28:05 2026", date, Some(5_000)),
            ("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT", date, Some(0)),
            (
                "retry-after",
                "Wed, 21 Oct 2065 07:28:00 GMT",
                date,
                Some(u32::MAX),
            ),
            ("retry-after", "Wed, 21 Oct 2015 07:28:05 GMT", None, Some(0)),
            ("retry-after", "soon", date, None),
            ("retry-after-ms", "1500", None, Some(1_500)),
            ("ratelimit-reset", "3", None, Some(3_000)),
            ("x-ratelimit-reset", "1792567683", date, Some(3_000)),
            ("x-rate-limit-reset", "1792567683000", date, Some(3_000)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), wish.parse().unwrap());
            headers.extend(date.map(|date| (header::DATE, date.parse().unwrap())));
            assert_eq!(ms(&headers), expected, "{name}: {wish}");
        }
        assert_eq!(ms(&HeaderMap::new()), None);
    }
}
