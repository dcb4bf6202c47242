//! Dates and times as days since 1970-01-01.

/// How the dates of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateFormat {
    /// `2026-01-31`
    YearMonthDay(u8),
    /// `31.01.2026`
    DayMonthYear(u8),
    /// `01/31/2026`
    MonthDayYear(u8),
}

impl DateFormat {
    /// Every format, the clearest first.
    pub const ALL: [DateFormat; 7] = [
        DateFormat::YearMonthDay(b'-'),
        DateFormat::YearMonthDay(b'/'),
        DateFormat::DayMonthYear(b'.'),
        DateFormat::DayMonthYear(b'-'),
        DateFormat::MonthDayYear(b'/'),
        DateFormat::DayMonthYear(b'/'),
        DateFormat::MonthDayYear(b'-'),
    ];

    /// Returns the format in the notation of `strftime`.
    pub fn name(self) -> String {
        let (order, separator) = match self {
            DateFormat::YearMonthDay(separator) => (["%Y", "%m", "%d"], separator),
            DateFormat::DayMonthYear(separator) => (["%d", "%m", "%Y"], separator),
            DateFormat::MonthDayYear(separator) => (["%m", "%d", "%Y"], separator),
        };
        order.join(char::from(separator).encode_utf8(&mut [0; 4]))
    }

    /// Returns the format of that name.
    pub fn named(name: &str) -> Option<DateFormat> {
        DateFormat::ALL
            .into_iter()
            .find(|format| format.name() == name)
    }

    /// Parses a date, with or without a time of day and a zone behind it: `2026-01-31T12:30:00.5+01:00`. A part of a day
    /// is a fraction.
    pub fn days(self, cell: &[u8]) -> Option<f64> {
        let separator = match self {
            DateFormat::YearMonthDay(by)
            | DateFormat::DayMonthYear(by)
            | DateFormat::MonthDayYear(by) => by,
        };
        let length = cell
            .iter()
            .position(|byte| matches!(byte, b'T' | b't' | b' '));
        let (date, time) = cell.split_at(length.unwrap_or(cell.len()));
        let mut parts = date.split(|&byte| byte == separator).map(whole);
        let (Some(a), Some(b), Some(c), None) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next())
        else {
            return None;
        };
        let (year, month, day) = match self {
            DateFormat::YearMonthDay(_) => (a, b, c),
            DateFormat::DayMonthYear(_) => (c, b, a),
            DateFormat::MonthDayYear(_) => (c, a, b),
        };
        let days = days_of(year, month, day)?;
        match time {
            [] => Some(days),
            [_, time @ ..] => Some(days + part_of_day(time.trim_ascii())?),
        }
    }
}

/// Parses one to four digits.
fn whole(digits: &[u8]) -> Option<u32> {
    if !(1..=4).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |sum, digit| 10 * sum + u32::from(digit - b'0')),
    )
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar, whose years have four digits (H. Hinnant,
/// *chrono-Compatible Low-Level Date Algorithms*).
fn days_of(year: u32, month: u32, day: u32) -> Option<f64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1000..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (century, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(f64::from(century * 146_097 + of_era) - 719_468.0)
}

/// Parses a time of day, as a part of a day: hours, minutes, seconds and a zone, of which only the hours and minutes must be there.
fn part_of_day(time: &[u8]) -> Option<f64> {
    let zone = time
        .iter()
        .position(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
    let (clock, zone) = time.split_at(zone.unwrap_or(time.len()));
    let mut parts = clock.trim_ascii().split(|&byte| byte == b':');
    let (hours, minutes) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let seconds = match parts.next() {
        None => 0.0,
        Some(text) => {
            let (seconds, end) = super::cell::number_at(text, 0, super::options::Decimal::Point)?;
            (end == text.len()).then_some(seconds)?
        }
    };
    if parts.next().is_some() || hours > 24 || minutes > 59 || !(0.0..61.0).contains(&seconds) {
        return None;
    }
    let shift = match zone {
        [] | [b'Z' | b'z'] => 0.0,
        [sign, rest @ ..] => {
            let mut parts = rest.split(|&byte| byte == b':');
            let (hours, minutes) = match (parts.next()?, parts.next()) {
                (hours, Some(minutes)) => (whole(hours)?, whole(minutes)?),
                (digits, None) if digits.len() == 4 => (whole(&digits[..2])?, whole(&digits[2..])?),
                (hours, None) => (whole(hours)?, 0),
            };
            let shift = f64::from(60 * hours + minutes);
            if *sign == b'-' { -shift } else { shift }
        }
    };
    Some((f64::from(hours * 60 + minutes) - shift) / 1440.0 + seconds / 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_since_1970() {
        let iso = DateFormat::YearMonthDay(b'-');
        for (text, days) in [
            ("1970-01-01", 0.0),
            ("1969-12-31", -1.0),
            ("2000-02-29", 11_016.0),
            ("2026-11-30", 20_787.0),
            ("2026-11-30T12:00", 20_787.5),
            ("2026-11-30 18:00:00.0Z", 20_787.75),
            ("2026-11-30T01:00:00+01:00", 20_787.0),
            ("2026-11-30T00:00-0600", 20_787.25),
        ] {
            assert_eq!(iso.days(text.as_bytes()), Some(days), "{text}");
        }
        assert_eq!(DateFormat::DayMonthYear(b'.').days(b"1.3.1970"), Some(59.0));
        assert_eq!(
            DateFormat::MonthDayYear(b'/').days(b"03/01/1970"),
            Some(59.0)
        );
    }

    #[test]
    fn other_text_is_no_date() {
        let iso = DateFormat::YearMonthDay(b'-');
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "2026-1-",
            "20260101",
            "2026-01-01T",
            "2026-01-01T25:00",
            "2026-01-01T12:60",
            "2026-01-01-01",
            "99-01-01",
            "2026-01-01T12:00+",
            "a-b-c",
        ] {
            assert_eq!(iso.days(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn every_format_has_its_name() {
        for format in DateFormat::ALL {
            assert_eq!(DateFormat::named(&format.name()), Some(format));
        }
        assert_eq!(DateFormat::named("%Y"), None);
    }
}
