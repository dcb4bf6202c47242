//! Cells of a table: numbers, missing values, and cells in messages.

use super::options::Decimal;

/// The cells that count as missing: those of pandas, and `?`.
pub const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// A further cell that counts as missing.
const UNKNOWN: &[u8] = b"?";

/// Returns every cell that counts as missing.
pub fn missing_words<'a>() -> impl Iterator<Item = &'a str> {
    let words: [&'a str; 19] = MISSING;
    words.into_iter().chain(["?"])
}

/// The largest number up to which every whole number is an `f64`: 2⁵³.
const EXACT: u64 = 1 << 53;

/// Powers of ten that are exact in `f64`.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The most digits that fit into a `u64`.
const DIGITS: usize = 19;

/// Returns whether a cell without surrounding white space counts as missing.
pub(crate) fn is_missing(cell: &[u8]) -> bool {
    match cell.first() {
        None => true,
        Some(b'#' | b'-' | b'1' | b'<' | b'N' | b'n') => {
            MISSING.iter().any(|word| word.as_bytes() == cell)
        }
        Some(_) => cell == UNKNOWN,
    }
}

/// Parses a cell, without surrounding white space, as a finite number.
pub(crate) fn number(cell: &[u8], decimal: Decimal) -> Option<f64> {
    match number_at(cell, 0, decimal) {
        Some((value, end)) if end == cell.len() => Some(value),
        _ => None,
    }
}

/// Parses the number that starts at `text[start]`. Returns it and where it ends; `None` if there is none, or if it is too
/// large for an `f64`.
///
/// Up to 2⁵³ and ten to the 22nd, one operation on exact numbers rounds correctly (W. D. Clinger, *How to Read Floating
/// Point Numbers Accurately*, 1990). The standard library parses all others.
#[inline]
pub(crate) fn number_at(text: &[u8], start: usize, decimal: Decimal) -> Option<(f64, usize)> {
    match text.get(start) {
        Some(b'-') => unsigned_at(text, start, start + 1, decimal, true),
        Some(b'+') => unsigned_at(text, start, start + 1, decimal, false),
        _ => unsigned_at(text, start, start, decimal, false),
    }
}

/// Parses the number that starts at `text[start]`, with its sign, and has its first digit or decimal mark at `text[at]`.
#[inline]
fn unsigned_at(
    text: &[u8],
    start: usize,
    mut at: usize,
    decimal: Decimal,
    negative: bool,
) -> Option<(f64, usize)> {
    let mut mantissa = 0u64;
    let whole = at;
    at = digits(text, at, &mut mantissa);
    let mut count = at - whole;
    let mut exponent = 0i32;
    if text.get(at) == Some(&decimal.byte()) {
        let fraction = at + 1;
        at = digits(text, fraction, &mut mantissa);
        count += at - fraction;
        exponent = -i32::try_from(at - fraction).ok()?;
    }
    if count == 0 {
        return None;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at = exponent_at(text, at + 1, &mut exponent)?;
    }
    if count > DIGITS || mantissa > EXACT || exponent.unsigned_abs() as usize >= POWERS.len() {
        return Some((parsed(&text[start..at], decimal)?, at));
    }
    let power = POWERS[exponent.unsigned_abs() as usize];
    let value = match exponent < 0 {
        true => mantissa as f64 / power,
        false => mantissa as f64 * power,
    };
    // Minus zero is zero: they are one value of a column.
    Some((if negative { 0.0 - value } else { value }, at))
}

/// Appends the digits from `text[at]` on to `mantissa`, which wraps if there are too many. Returns where they end.
#[inline]
fn digits(text: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')) {
        if digit > 9 {
            break;
        }
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// Adds the exponent behind an `e` to `exponent`. Returns where it ends; `None` if there is none.
fn exponent_at(text: &[u8], start: usize, exponent: &mut i32) -> Option<usize> {
    let (negative, first) = match text.get(start) {
        Some(b'-') => (true, start + 1),
        Some(b'+') => (false, start + 1),
        _ => (false, start),
    };
    let mut size = 0u64;
    let end = digits(text, first, &mut size);
    if end == first {
        return None;
    }
    // An exponent of more digits than an i32 has is out of range anyway.
    let size = match end - first {
        ..=9 => size as i32,
        _ => i32::MAX / 2,
    };
    *exponent = exponent.saturating_add(if negative { -size } else { size });
    Some(end)
}

/// Parses a number with the standard library.
#[cold]
fn parsed(cell: &[u8], decimal: Decimal) -> Option<f64> {
    let text = std::str::from_utf8(cell).ok()?;
    let value: f64 = match decimal {
        Decimal::Point => text.parse().ok()?,
        Decimal::Comma => text.replace(',', ".").parse().ok()?,
    };
    (value.is_finite()).then_some(value + 0.0)
}

/// Formats a cell for a message: quoted, truncated, and with control characters escaped.
pub(crate) fn shown(cell: &[u8]) -> String {
    if cell.is_empty() {
        return "an empty cell".to_owned();
    }
    let text = String::from_utf8_lossy(cell);
    match text.char_indices().nth(MAX_CHARACTERS) {
        None => format!("{text:?}"),
        Some((at, _)) => format!("{:?}…", &text[..at]),
    }
}

/// The most characters of a cell or a name in a message.
const MAX_CHARACTERS: usize = 40;

/// Truncates a name for a message.
pub(crate) fn short(name: &str) -> String {
    match name.char_indices().nth(MAX_CHARACTERS) {
        None => name.to_owned(),
        Some((at, _)) => format!("{}…", &name[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_read_as_the_standard_library_reads_it() {
        for text in [
            "0",
            "7",
            "-3",
            "+5",
            "3.25",
            ".5",
            "5.",
            "-0.1",
            "1e3",
            "1E-3",
            "2.5e+10",
            "123456789012345678",
            "12345678901234567890123",
            "0.1234567890123456789",
            "1e22",
            "1e23",
            "9007199254740993",
            "1e-400",
            "0.000000000000000000000000000001",
            "1.7976931348623157e308",
        ] {
            let expected: f64 = text.parse().expect("a number");
            assert_eq!(
                number(text.as_bytes(), Decimal::Point),
                Some(expected),
                "{text}"
            );
        }
        assert_eq!(number(b"1,5", Decimal::Comma), Some(1.5));
        assert_eq!(
            number(b"1234567890,12345678901", Decimal::Comma),
            Some(1234567890.123_456_8)
        );
        assert_eq!(number(b"-0", Decimal::Point).map(f64::to_bits), Some(0));
    }

    #[test]
    fn words_are_no_numbers() {
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "1.2.3", "1 2", "0x10", "inf", "nan", "1e999", "1,5",
            "12a", "--1",
        ] {
            assert_eq!(number(text.as_bytes(), Decimal::Point), None, "{text:?}");
        }
    }

    #[test]
    fn missing_cells_are_those_of_pandas() {
        for word in MISSING {
            assert!(is_missing(word.as_bytes()), "{word:?}");
        }
        assert!(is_missing(b"?"));
        for word in ["0", "none", "No", "Nan1", "-", "na", "missing"] {
            assert!(!is_missing(word.as_bytes()), "{word:?}");
        }
    }

    proptest! {
        /// Every number that is written out is read again exactly, in each notation.
        #[test]
        fn written_numbers_are_read_exactly(value in any::<f64>().prop_filter("finite", |x| x.is_finite())) {
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:.3}")] {
                let expected = text.parse::<f64>().expect("a number") + 0.0;
                prop_assert_eq!(number(text.as_bytes(), Decimal::Point), Some(expected));
            }
        }

        /// What the standard library takes as a finite decimal number is one, and nothing else.
        #[test]
        fn any_bytes_are_a_number_only_if_they_are_one(text in "[-+0-9.eE]{0,24}") {
            let expected = text.parse::<f64>().ok().filter(|value| value.is_finite());
            prop_assert_eq!(number(text.as_bytes(), Decimal::Point), expected.map(|value| value + 0.0));
        }
    }
}
