//! Cells of a table: numbers, missing values, and cells in messages.

use super::options::Decimal;

/// The cells that count as missing: those of pandas, and `?`.
pub const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// A further cell that counts as missing.
const UNKNOWN: &[u8] = b"?";

/// The length of the longest cell that counts as missing.
const LONGEST_MISSING: usize = 8;

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

/// Powers of ten that eight digits are multiplied by.
const TENS: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// Powers of five that fit into a `u64`.
const FIVES: [u64; 28] = fives();

const fn fives() -> [u64; 28] {
    let mut powers = [1; 28];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = 5 * powers[at - 1];
        at += 1;
    }
    powers
}

/// Eight digits 0.
const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// The most digits that fit into a `u64`.
const DIGITS: usize = 19;

/// Returns whether a cell without surrounding white space counts as missing.
pub(crate) fn is_missing(cell: &[u8]) -> bool {
    match cell.first() {
        None => true,
        Some(b'#' | b'-' | b'1' | b'<' | b'N' | b'n') => {
            cell.len() <= LONGEST_MISSING && MISSING.iter().any(|word| word.as_bytes() == cell)
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
/// Point Numbers Accurately*, 1990). With up to 19 digits and ten to the 27th, one on whole numbers of 128 bits does. The
/// standard library parses all others.
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
    let size = exponent.unsigned_abs() as usize;
    if count > DIGITS || mantissa > EXACT || size >= POWERS.len() {
        let value = match count <= DIGITS && size < FIVES.len() {
            true => rounded(mantissa, exponent),
            false => parsed(&text[start + usize::from(negative)..at], decimal)?,
        };
        return Some((if negative { 0.0 - value } else { value }, at));
    }
    let power = POWERS[size];
    let value = match exponent < 0 {
        true => mantissa as f64 / power,
        false => mantissa as f64 * power,
    };
    // Minus zero is zero: they are one value of a column.
    Some((if negative { 0.0 - value } else { value }, at))
}

/// Appends the digits from `text[at]` on to `mantissa`, which wraps if there are too many. Returns where they end.
///
/// Eight bytes are read at a time: lengths that differ from cell to cell would make a loop over bytes mispredict.
#[inline]
fn digits(text: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let digits = u64::from_le_bytes(*bytes) ^ ZEROS;
        // A byte above 9 has, or gets, its highest bit. What it carries changes only bytes behind it.
        let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
        if others == 0 {
            *mantissa = mantissa
                .wrapping_mul(TENS[8])
                .wrapping_add(eight_digits(digits));
            at += 8;
            continue;
        }
        let count = others.trailing_zeros() / 8;
        // Zeros come first, in the place of what follows the digits.
        let shifted = (digits << 8) << (56 - 8 * count);
        *mantissa = mantissa
            .wrapping_mul(TENS[count as usize])
            .wrapping_add(eight_digits(shifted));
        return at + count as usize;
    }
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')) {
        if digit > 9 {
            break;
        }
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// Returns the number that eight digits from 0 to 9 form, of which the first one is in the lowest byte.
#[inline]
fn eight_digits(digits: u64) -> u64 {
    const EVERY_FOURTH: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let first = (pairs & EVERY_FOURTH).wrapping_mul(100 + (1_000_000 << 32));
    let second = (pairs >> 16 & EVERY_FOURTH).wrapping_mul(1 + (10_000 << 32));
    first.wrapping_add(second) >> 32
}

/// Returns `mantissa` · 10^`exponent`, correctly rounded, for exponents up to ±27.
///
/// The power of five fits into 64 bits, so the product is exact in 128, and the quotient is exact with a remainder. Its
/// last bit, far below the 53 that stay, is set if there is a remainder, so that rounding it rounds the exact value.
#[inline(never)]
fn rounded(mantissa: u64, exponent: i32) -> f64 {
    let five = FIVES[exponent.unsigned_abs() as usize];
    if exponent >= 0 {
        return (u128::from(mantissa) * u128::from(five)) as f64 * power_of_two(exponent);
    }
    if mantissa == 0 {
        return 0.0;
    }
    let (up, down) = (mantissa.leading_zeros(), five.leading_zeros());
    // Between 2⁶² and 2⁶⁴.
    let (dividend, divisor) = (u128::from(mantissa << up) << 63, u128::from(five << down));
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    let quotient = quotient as u64 | u64::from(remainder != 0);
    quotient as f64 * power_of_two(exponent + down as i32 - up as i32 - 63)
}

/// Returns 2^`exponent`, which is a normal number.
#[inline]
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
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

    /// Digits with a decimal mark at any place, behind zeros or not, with or without an exponent.
    fn decimals() -> impl Strategy<Value = String> {
        let parts = (
            "0{0,3}[0-9]{0,20}",
            "0{0,9}[0-9]{0,24}",
            proptest::option::of(-45i32..45),
            any::<bool>(),
        );
        parts.prop_map(|(whole, fraction, exponent, negative)| {
            let sign = if negative { "-" } else { "" };
            let exponent = exponent.map_or(String::new(), |exponent| format!("e{exponent}"));
            format!("{sign}{whole}.{fraction}{exponent}")
        })
    }

    fn expected(text: &str) -> Option<u64> {
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
        value.map(|value| (value + 0.0).to_bits())
    }

    #[test]
    fn numbers_half_way_between_two_are_rounded_to_the_even_one() {
        for mantissa in [1u64 << 53, (1 << 54) - 2, 3 << 52, 0x1f_ffff_ffff_fffe] {
            for shift in 0..9 {
                for change in -2i64..=2 {
                    let number = ((2 * mantissa + 1) << shift).wrapping_add_signed(change);
                    for exponent in -30..=30 {
                        for text in [
                            format!("{number}e{exponent}"),
                            format!("{number}.e{exponent}"),
                        ] {
                            let found =
                                super::number(text.as_bytes(), Decimal::Point).map(f64::to_bits);
                            assert_eq!(found, expected(&text), "{text}");
                        }
                    }
                }
            }
        }
        // Half of the distance is a fraction here.
        for odd in (1u64..2_000).step_by(2) {
            let half = (9_007_199_254_740_992 + odd) * 5;
            for text in [
                format!("{}.{}", half / 10, half % 10),
                format!("{}.{}1", half / 10, half % 10),
                format!("{}.{}", (half - 1) / 10, (half - 1) % 10),
            ] {
                let found = super::number(text.as_bytes(), Decimal::Point).map(f64::to_bits);
                assert_eq!(found, expected(&text), "{text}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// A number in the middle of a text is read bit by bit as the standard library reads it.
        #[test]
        fn decimals_are_read_bit_by_bit(text in decimals(), before in 0usize..9, after in 0usize..12) {
            let line = format!("{}{text}{}", "7".repeat(before), ",1234567890123".split_at(after).0);
            let found = number_at(line.as_bytes(), before, Decimal::Point);
            let expected = expected(&text).map(|bits| (bits, before + text.len()));
            prop_assert_eq!(found.map(|(value, end)| (value.to_bits(), end)), expected);
            let line = text.replace('.', ",");
            let found = number(line.as_bytes(), Decimal::Comma);
            prop_assert_eq!(found.map(f64::to_bits), expected.map(|(bits, _)| bits));
        }

        /// So is every number that has as many digits as are needed.
        #[test]
        fn shortest_numbers_are_read_bit_by_bit(value in -1e6f64..1e6, scale in -12i32..12) {
            let value = value * 10f64.powi(scale);
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:.14}"), format!("{value:.17}")] {
                let found = number(text.as_bytes(), Decimal::Point);
                prop_assert_eq!(found.map(f64::to_bits), expected(&text), "{}", text);
            }
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
