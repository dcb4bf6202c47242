//! Cells of a table as numbers, and as text for messages.

/// Parses a cell as a finite number, as Rust and C write them, with white space around it. `true` and `false` are 1 and 0.
pub(super) fn number(cell: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    if text.eq_ignore_ascii_case("true") {
        return Some(1.0);
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(0.0);
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Returns whether a cell is empty or one of the usual words for a missing value.
pub(super) fn is_missing(cell: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] = [b"", b"na", b"n/a", b"nan", b"null", b"none", b"?", b"-"];
    let cell = cell.trim_ascii();
    WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// Formats a cell for a message: quoted, truncated, and with control characters escaped.
pub(super) fn shown(cell: &[u8]) -> String {
    const MAX_CHARACTERS: usize = 40;
    if cell.is_empty() {
        return "an empty cell".to_owned();
    }
    let text = String::from_utf8_lossy(cell);
    match text.char_indices().nth(MAX_CHARACTERS) {
        None => format!("{text:?}"),
        Some((at, _)) => format!("{:?}…", &text[..at]),
    }
}
