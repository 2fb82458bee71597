//! The ways in which a service says when to retry.

use std::time::{SystemTime, UNIX_EPOCH};

use super::expected::{data_at_the_second_try, throttled};
use super::{Answer, DATA, Scenario};

/// Longer than the item's time, so the wait is reported instead of waited for.
const HOUR: u64 = 3600;

/// An hour, minus the time between making and reading the response.
const ABOUT_AN_HOUR: std::ops::RangeInclusive<u64> = HOUR - 600..=HOUR;

/// The time in one hour, in a `strftime` format.
fn date(form: &str) -> String {
    let then = SystemTime::now() + std::time::Duration::from_secs(HOUR);
    jiff::Timestamp::try_from(then)
        .unwrap()
        .strftime(form)
        .to_string()
}

fn epoch_s() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() + HOUR
}

fn busy(status: &str, headers: &str) -> Answer {
    Answer::of(status, headers, r#"{"msg":"busy"}"#)
}

/// The header lines of a response that asks to wait an hour.
fn in_an_hour() -> Vec<(&'static str, String)> {
    let retry_after = |value: String| format!("Retry-After: {value}\r\n");
    vec![
        ("429_hour", retry_after(HOUR.to_string())),
        ("429_hourfrac", retry_after("3599.5".to_owned())),
        ("429_date", retry_after(date("%a, %d %b %Y %H:%M:%S GMT"))),
        ("429_date850", retry_after(date("%A, %d-%b-%y %H:%M:%S GMT"))),
        ("429_asctime", retry_after(date("%a %b %e %H:%M:%S %Y"))),
        ("429_dateutc", retry_after(date("%a, %d %b %Y %H:%M:%S UTC"))),
        ("429_date0000", retry_after(date("%a, %d %b %Y %H:%M:%S +0000"))),
        (
            "429_date0800",
            retry_after({
                let then =
                    jiff::Timestamp::from_second(i64::try_from(epoch_s()).unwrap() + 8 * 3600).unwrap();
                then.strftime("%a, %d %b %Y %H:%M:%S +0800").to_string()
            }),
        ),
        ("429_iso", retry_after(date("%Y-%m-%dT%H:%M:%SZ"))),
        ("429_isooffset", retry_after(date("%Y-%m-%dT%H:%M:%S+00:00"))),
        ("429_ms", format!("Retry-After-Ms: {}\r\n", HOUR * 1000)),
        (
            "429_xreset",
            format!("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {}\r\n", epoch_s()),
        ),
        (
            "429_xresetms",
            format!(
                "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {}\r\n",
                epoch_s() * 1000
            ),
        ),
        ("429_xresetdelta", format!("X-RateLimit-Reset: {HOUR}\r\n")),
        ("429_xresetdash", format!("X-Rate-Limit-Reset: {HOUR}\r\n")),
        ("429_rlreset", format!("RateLimit-Reset: {HOUR}\r\n")),
        (
            "429_rlpolicy",
            format!("RateLimit: limit=10, remaining=0, reset={HOUR}\r\n"),
        ),
        ("429_rlt", format!("RateLimit: \"default\";r=0;t={HOUR}\r\n")),
        // The first of two headers counts.
        ("429_dup", format!("Retry-After: {HOUR}\r\nRetry-After: 2\r\n")),
        // A wait for this very response takes precedence over the reset of the window.
        (
            "429_both",
            format!("RateLimit-Reset: 7000\r\nRetry-After: {HOUR}\r\n"),
        ),
    ]
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = in_an_hour()
        .into_iter()
        .map(|(name, headers)| {
            Scenario::new(
                name,
                busy("429 Too Many", &headers),
                throttled(429, ABOUT_AN_HOUR),
            )
        })
        .collect();
    // A wait far beyond any run is reported as the longest that the field can represent.
    let longest = u64::from(u32::MAX).div_ceil(1000);
    all.push(Scenario::new(
        "429_huge",
        busy("429 Too Many", "Retry-After: 99999999999999999999\r\n"),
        throttled(429, longest..=longest),
    ));
    for (name, status, code, headers) in [
        (
            "403rl",
            "403 Forbidden",
            403,
            format!("Retry-After: {HOUR}\r\nX-RateLimit-Remaining: 0\r\n"),
        ),
        (
            "403retry",
            "403 Forbidden",
            403,
            format!("Retry-After: {HOUR}\r\n"),
        ),
        (
            "403quota",
            "403 Forbidden",
            403,
            format!("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {}\r\n", epoch_s()),
        ),
        (
            "420retry",
            "420 Enhance Your Calm",
            420,
            format!("Retry-After: {HOUR}\r\n"),
        ),
        ("423retry", "423 Locked", 423, format!("Retry-After: {HOUR}\r\n")),
    ] {
        all.push(Scenario::new(
            name,
            busy(status, &headers),
            throttled(code, ABOUT_AN_HOUR),
        ));
    }
    all.push(Scenario::new(
        "200_429",
        Answer::of(
            "200 OK",
            &format!("Retry-After: {HOUR}\r\n"),
            r#"{"code":"429","msg":"busy"}"#,
        ),
        throttled(200, ABOUT_AN_HOUR),
    ));
    // Values without meaning, or with a time in the past.
    for (name, headers) in [
        ("429_0", "Retry-After: 0\r\n"),
        ("429_empty", "Retry-After:\r\n"),
        ("429_neg", "Retry-After: -1\r\n"),
        ("429_txt", "Retry-After: soon\r\n"),
        ("429_past", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"),
        ("429_xresetpast", "X-RateLimit-Reset: 1445412480\r\n"),
    ] {
        let answers = vec![busy("429 Too Many", headers), Answer::ok(DATA)];
        all.push(Scenario::new(name, answers, data_at_the_second_try()));
    }
    all
}
