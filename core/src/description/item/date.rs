//! Days and instants: every form that a node may read. Only real ones: `2025-02-30` is no day.

use std::ops::RangeInclusive;

use jiff::civil::Date;

use super::number::is_whole;

/// From the year 1 to the end of the year 9999. Larger numbers are microseconds.
const YEARS_MS: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;
/// Fewer digits are seconds, a year, or a date without its hyphens.
const MIN_MS_DIGITS: usize = 11;
/// The same as a number.
const MIN_MS: f64 = 1e10;

/// Whether a text is a day as `yyyy-MM-dd`.
pub(super) fn is_date(text: &str) -> bool {
    let mut rest = Rest(text.trim().as_bytes());
    rest.date().is_some() && rest.0.is_empty()
}

/// Whether a text is an ISO 8601 date or date-time, with `T` or a blank between them and any offset, or epoch
/// milliseconds.
pub(super) fn is_instant(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 1 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let is_long = digits.len() >= MIN_MS_DIGITS;
        return text
            .parse()
            .is_ok_and(|ms: i64| ms == 0 || is_long && YEARS_MS.contains(&ms));
    }
    let mut rest = Rest(text.as_bytes());
    rest.date().is_some() && (rest.0.is_empty() || rest.time().is_some()) && rest.0.is_empty()
}

/// Whether a number is epoch milliseconds.
pub(super) fn is_epoch_ms(digits: &str) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
    let is_within = |ms: f64| *YEARS_MS.start() as f64 <= ms && ms <= *YEARS_MS.end() as f64;
    is_whole(digits)
        && digits
            .parse()
            .is_ok_and(|ms: f64| ms == 0.0 || ms.abs() >= MIN_MS && is_within(ms))
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn one(&mut self, of: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        of.contains(first).then(|| self.0 = rest)
    }

    fn digits(&mut self, count: usize) -> Option<i16> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Two digits, below a bound.
    fn two(&mut self, bound: i16) -> Option<()> {
        self.digits(2).filter(|value| *value < bound).map(|_| ())
    }

    fn date(&mut self) -> Option<Date> {
        let year = self.digits(4)?;
        self.one(b"-")?;
        let month = self.digits(2)?;
        self.one(b"-")?;
        let day = self.digits(2)?;
        Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
    }

    /// A time and its offset, up to the end.
    fn time(&mut self) -> Option<()> {
        self.one(b"Tt ")?;
        self.two(24)?;
        self.one(b":")?;
        self.two(60)?;
        if self.one(b":").is_some() {
            self.two(60)?;
            if self.one(b".,").is_some() {
                let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
                self.0 = self.0.get(count..).filter(|_| count > 0)?;
            }
        }
        self.offset()
    }

    /// `Z`, `+08`, `+0800`, `+08:00`, or nothing.
    fn offset(&mut self) -> Option<()> {
        if self.0.is_empty() || self.one(b"Zz").is_some() {
            return Some(());
        }
        self.one(b"+-")?;
        self.two(24)?;
        if self.0.is_empty() {
            return Some(());
        }
        let _ = self.one(b":");
        self.two(60)
    }
}
