//! Calendar dates and instants, refused unless they are real: `2025-02-30` is no day, and never becomes one in March.
//!
//! By hand: the same done with jiff 0.2, its parsers of timestamps and civil times, makes the component
//! 186 KB larger.

const DAY_MS: i64 = 86_400_000;
/// From the year 1 to the end of the year 9999, as texts can say it. What lies behind is rather microseconds.
const YEARS_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;
/// Fewer digits are rather seconds, a year, or a date without its hyphens than an instant of the early seventies.
const MIN_MS_DIGITS: usize = 11;

/// Whether `text` is a day, as `yyyy-MM-dd`.
pub fn is_date(text: &str) -> bool {
    let mut rest = Rest(text.as_bytes());
    rest.date().is_some() && rest.0.is_empty()
}

/// Whether `text` is a local time, as `yyyy-MM-dd HH:mm:ss`.
pub fn is_local_date_time(text: &str) -> bool {
    let mut rest = Rest(text.as_bytes());
    let read = |rest: &mut Rest| {
        rest.date()?;
        rest.one(b" ")?;
        rest.hours_and_minutes()?;
        rest.one(b":")?;
        rest.digits(2).filter(|&s| s < 60)
    };
    read(&mut rest).is_some() && rest.0.is_empty()
}

/// Epoch milliseconds of an ISO 8601 text: a date (midnight) or a date and a time with `T` or a blank between; without an
/// offset it is UTC. Finer than a millisecond is cut. A text of at least eleven digits is epoch milliseconds already.
pub fn instant(text: &str) -> Option<i64> {
    // A text of one digit is no instant.
    if text.len() > 1 && text.bytes().all(|b| b.is_ascii_digit()) {
        return epoch_ms(text);
    }
    let mut rest = Rest(text.as_bytes());
    let mut ms = rest.date()? * DAY_MS;
    if rest.0.is_empty() {
        return Some(ms);
    }
    rest.one(b"Tt ")?;
    ms += rest.hours_and_minutes()? * 60_000;
    if rest.one(b":").is_some() {
        ms += rest.digits(2).filter(|&s| s < 60)? * 1_000;
        if rest.one(b".,").is_some() {
            ms += rest.fraction_ms()?;
        }
    }
    ms -= rest.offset_minutes()? * 60_000;
    rest.0.is_empty().then_some(ms)
}

/// Epoch milliseconds of an HTTP date, in each of the three forms that a client has to read (RFC 9110, section 5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`. `UTC` and an offset are read
/// in the place of `GMT`, and so is an ISO 8601 text in the place of it all.
pub fn http_date(text: &str) -> Option<i64> {
    let mut rest = Rest(text.as_bytes());
    if rest.0.first().is_some_and(u8::is_ascii_digit) {
        return instant(text);
    }
    // The day of the week follows from the rest.
    rest.word();
    let has_comma = rest.one(b",").is_some();
    rest.one(b" ")?;
    let (year, month, day);
    let mut ms = 0;
    if has_comma {
        day = rest.digits(2).or_else(|| rest.digits(1))?;
        rest.one(b" -")?;
        month = rest.month()?;
        rest.one(b" -")?;
        year = match rest.digits(4) {
            Some(year) => year,
            // No service of these dates is older than the web, and none asks to wait until 2070.
            None => match rest.digits(2)? {
                year @ ..70 => 2000 + year,
                year => 1900 + year,
            },
        };
        rest.one(b" ")?;
        ms += rest.time_ms()?;
        rest.one(b" ")?;
        match rest.0 {
            b"GMT" | b"UTC" | b"UT" => rest.0 = &[],
            [] => return None,
            _ => ms -= rest.offset_minutes()? * 60_000,
        }
    } else {
        month = rest.month()?;
        rest.one(b" ")?;
        let _ = rest.one(b" ");
        day = rest.digits(2).or_else(|| rest.digits(1))?;
        rest.one(b" ")?;
        ms += rest.time_ms()?;
        rest.one(b" ")?;
        year = rest.digits(4)?;
    }
    ms += day_number(year, month, day)? * DAY_MS;
    rest.0.is_empty().then_some(ms)
}

/// Epoch milliseconds from their digits: nothing where they are too few or too many to be milliseconds.
pub fn epoch_ms(digits: &str) -> Option<i64> {
    let is_long = digits.strip_prefix('-').unwrap_or(digits).len() >= MIN_MS_DIGITS;
    let ms = digits.parse().ok()?;
    (ms == 0 || is_long && YEARS_MS.contains(&ms)).then_some(ms)
}

/// Days since 1970-01-01.
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Counted in years that begin in March, so that the leap day is a year's last (Howard Hinnant, "chrono-compatible
    // low-level date algorithms").
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468)
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn one(&mut self, of: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        of.contains(&first).then(|| self.0 = rest)?;
        Some(first)
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let mut value = 0;
        for digit in digits {
            value = value * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        }
        self.0 = rest;
        Some(value)
    }

    /// Letters, to where there are others.
    fn word(&mut self) -> &[u8] {
        let count = self.0.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let (word, rest) = self.0.split_at_checked(count).unwrap_or_default();
        self.0 = rest;
        word
    }

    /// Its number, from its English name.
    fn month(&mut self) -> Option<i64> {
        const NAMES: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
        let name = self.word();
        let place = NAMES.chunks_exact(3).position(|month| month == name)?;
        i64::try_from(place + 1).ok()
    }

    fn time_ms(&mut self) -> Option<i64> {
        let minutes = self.hours_and_minutes()?;
        self.one(b":")?;
        Some(minutes * 60_000 + self.digits(2).filter(|&s| s < 60)? * 1_000)
    }

    /// Days since 1970-01-01.
    fn date(&mut self) -> Option<i64> {
        let year = self.digits(4)?;
        self.one(b"-")?;
        let month = self.digits(2)?;
        self.one(b"-")?;
        day_number(year, month, self.digits(2)?)
    }

    fn hours_and_minutes(&mut self) -> Option<i64> {
        let hours = self.digits(2).filter(|&h| h < 24)?;
        self.one(b":")?;
        Some(hours * 60 + self.digits(2).filter(|&m| m < 60)?)
    }

    fn fraction_ms(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        let value = self.digits(count)?;
        let nanoseconds = (count..9).fold(value, |value, _| value * 10);
        Some(nanoseconds / 1_000_000)
    }

    fn offset_minutes(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.one(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.one(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.digits(2).filter(|&h| h < 24)?;
        if self.0.is_empty() {
            return Some(sign * hours * 60);
        }
        // Both `+08:00` and `+0800` are ISO 8601.
        let _ = self.one(b":");
        Some(sign * (hours * 60 + self.digits(2).filter(|&m| m < 60)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_every_spelling() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29", 951_782_400_000),
            ("2025-12-31T23:59:59Z", 1_767_225_599_000),
            ("2025-12-31 23:59:59", 1_767_225_599_000),
            ("2025-12-31t23:59", 1_767_225_540_000),
            ("2025-12-31T23:59:59.123456789Z", 1_767_225_599_123),
            ("2025-12-31T23:59:59,5z", 1_767_225_599_500),
            ("2026-01-01T07:59:59+08:00", 1_767_225_599_000),
            ("2026-01-01T07:59:59+0800", 1_767_225_599_000),
            ("2026-01-01T07:59:59+08", 1_767_225_599_000),
            ("2025-12-31T20:29:59.000-03:30", 1_767_225_599_000),
            ("0001-01-01", -62_135_596_800_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("1767225599000", 1_767_225_599_000),
        ] {
            assert_eq!(instant(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "next week",
            "2025",
            "20250131",
            "2025-02-30",
            "2025-02-29",
            "1900-02-29",
            "2025-13-01",
            "2025-00-01",
            "2025-01-00",
            "2025-04-31",
            "2025-1-1",
            "2025-01-01T",
            "2025-01-01T24:00:00",
            "2025-01-01T12:60:00",
            "2025-01-01T12:00:60",
            "2025-01-01T12",
            "2025-01-01T12:00:00.",
            "2025-01-01T12:00:00.1234567890",
            "2025-01-01T12:00:00+24:00",
            "2025-01-01T12:00:00+8",
            "2025-01-01T12:00:00 Z",
            "2025-01-01T12:00:00Zx",
            "2025-01-01Z",
            "01/02/2025",
            "2025年01月01日",
            "99999999999999999999",
            "0",
            "1767225599",
            "1767225599000000",
            "-1767225599000",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_milliseconds_where_it_has_the_digits_of_milliseconds() {
        for (digits, ms) in [
            ("0", Some(0)),
            ("1767225599000", Some(1_767_225_599_000)),
            ("-1767225599000", Some(-1_767_225_599_000)),
            ("253402300799999", Some(253_402_300_799_999)),
            // Seconds, microseconds and nanoseconds.
            ("1767225599", None),
            ("-1767225599", None),
            ("1767225599000000", None),
            ("1767225599000000000", None),
            ("20250131", None),
        ] {
            assert_eq!(epoch_ms(digits), ms, "{digits}");
        }
    }

    #[test]
    fn http_dates_are_read_in_every_form() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 10:49:37 +0200",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(http_date(text), Some(784_111_777_000), "{text}");
        }
        assert_eq!(
            http_date("Sunday, 06-Nov-44 08:49:37 GMT"),
            Some(2_362_034_977_000)
        );
        for text in [
            "",
            "soon",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 PST",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
            "Sunday, 06-Nov 08:49:37 GMT",
            "Nov 6",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn days_and_local_times_have_one_form() {
        assert!(is_date("2024-02-29"));
        for text in [
            "2025-02-29",
            "2025-02-28T00:00:00Z",
            "2025-2-28",
            "28.02.2025",
            " 2025-02-28",
        ] {
            assert!(!is_date(text), "{text}");
        }
        assert!(is_local_date_time("2025-06-30 23:59:59"));
        for text in [
            "2025-06-31 00:00:00",
            "2025-06-30T23:59:59",
            "2025-06-30 23:59",
            "2025-06-30 24:00:00",
            "2025-06-30",
        ] {
            assert!(!is_local_date_time(text), "{text}");
        }
    }
}
