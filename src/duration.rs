//! Durations as people write them: `90s`, `10m`, `1h 30m`, `1.5 hours`.

use std::fmt;
use std::time::Duration;

/// A unit of time: every name it is read by, the name it is written by, and its length in nanoseconds.
struct Unit {
    names: &'static [&'static str],
    written: &'static str,
    /// Whether `s` is appended to the written name after a number other than 1.
    has_plural: bool,
    nanoseconds: u128,
}

const SECOND: u128 = 1_000_000_000;

/// All units, the longest first. A year is 365.25 days, a month 30.44 days.
const UNITS: [Unit; 10] = [
    unit(
        &["years", "year", "yrs", "yr", "y"],
        "year",
        true,
        31_557_600 * SECOND,
    ),
    unit(&["months", "month", "M"], "month", true, 2_630_016 * SECOND),
    unit(
        &["weeks", "week", "wks", "wk", "w"],
        "week",
        true,
        604_800 * SECOND,
    ),
    unit(&["days", "day", "d"], "day", true, 86_400 * SECOND),
    unit(
        &["hours", "hour", "hrs", "hr", "h"],
        "h",
        false,
        3_600 * SECOND,
    ),
    unit(
        &["minutes", "minute", "mins", "min", "m"],
        "m",
        false,
        60 * SECOND,
    ),
    unit(
        &["seconds", "second", "secs", "sec", "s"],
        "s",
        false,
        SECOND,
    ),
    unit(&["millis", "msec", "ms"], "ms", false, 1_000_000),
    unit(&["usec", "us", "µs"], "us", false, 1_000),
    unit(&["nanos", "nsec", "ns"], "ns", false, 1),
];

const fn unit(
    names: &'static [&'static str],
    written: &'static str,
    has_plural: bool,
    nanoseconds: u128,
) -> Unit {
    Unit {
        names,
        written,
        has_plural,
        nanoseconds,
    }
}

/// Reads a duration: one or more numbers, each followed by its unit. Returns `None` if `text` is not one.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(char::is_alphabetic)?);
        let end = tail.find(|c: char| !c.is_alphabetic());
        let (name, tail) = tail.split_at(end.unwrap_or(tail.len()));
        let unit = UNITS.iter().find(|unit| unit.names.contains(&name))?;
        total = total.checked_add(nanoseconds(number.trim_end(), unit)?)?;
        rest = tail.trim_start();
    }
    let seconds = u64::try_from(total / SECOND).ok()?;
    Some(Duration::new(seconds, (total % SECOND) as u32))
}

/// Returns the length of `number` times `unit`, rounded down to a nanosecond; `number` may have a decimal point.
fn nanoseconds(number: &str, unit: &Unit) -> Option<u128> {
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, "0"),
    };
    let digits = |text: &str| {
        let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        all_digits.then(|| text.parse::<u64>().ok())?
    };
    let whole = u128::from(digits(whole)?).checked_mul(unit.nanoseconds)?;
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = u128::from(digits(fraction)?) * unit.nanoseconds / scale;
    whole.checked_add(fraction)
}

/// Writes a duration so that [`parse`] reads the same one, as `1h 30m`.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, duration: Duration) -> fmt::Result {
    if duration.is_zero() {
        return f.write_str("0s");
    }
    let mut rest = duration.as_nanos();
    let mut separator = "";
    // Days are the most readable below a month.
    for unit in UNITS.iter().filter(|unit| unit.written != "week") {
        let count = rest / unit.nanoseconds;
        rest %= unit.nanoseconds;
        if count > 0 {
            let plural = if unit.has_plural && count > 1 {
                "s"
            } else {
                ""
            };
            write!(f, "{separator}{count}{}{plural}", unit.written)?;
            separator = " ";
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Written(Duration);

    impl fmt::Display for Written {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(f, self.0)
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        for (text, seconds, written) in [
            ("90s", 90.0, "1m 30s"),
            ("10m", 600.0, "10m"),
            ("1h 30m", 5400.0, "1h 30m"),
            ("1h30min", 5400.0, "1h 30m"),
            (" 10 minutes ", 600.0, "10m"),
            ("1.5h", 5400.0, "1h 30m"),
            ("0.5 days", 43_200.0, "12h"),
            ("2 weeks 1 day", 1_296_000.0, "15days"),
            ("1y 2M", 36_817_632.0, "1year 2months"),
            ("250ms", 0.25, "250ms"),
            ("1.5µs", 1.5e-6, "1us 500ns"),
            ("0s", 0.0, "0s"),
        ] {
            let duration = parse(text).expect(text);
            assert_eq!(duration, Duration::from_secs_f64(seconds), "{text}");
            let shown = Written(duration).to_string();
            assert_eq!((parse(&shown), shown.as_str()), (Some(duration), written));
        }
    }

    #[test]
    fn the_longest_duration_is_read_back() {
        let longest = Duration::MAX;
        assert_eq!(parse(&Written(longest).to_string()), Some(longest));
    }

    #[test]
    fn anything_else_is_no_duration() {
        for text in [
            "",
            " ",
            "10",
            "m",
            "-5m",
            "+5m",
            "10 moons",
            "soon",
            "1.m",
            ".m",
            "1.2.3m",
            "1e3s",
            "1 0m",
            "5m 3",
            "5,5m",
            "99999999999999999999y",
            "18446744073709551615y",
            "0.00000000000000000000000000000000000000001s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
