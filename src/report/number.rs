//! Numbers for people: grouped, counted, with units.

/// A whole number with its digits grouped: `60,000`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun, whose plural ends in s: `1 epoch`, `3,000 epochs`.
pub fn counted(count: usize, noun: &str) -> String {
    counted_as(count, noun, &format!("{noun}s"))
}

/// A count with its noun, whose plural is irregular: `1 class`, `10 classes`.
pub fn counted_as(count: usize, singular: &str, plural: &str) -> String {
    let noun = if count == 1 { singular } else { plural };
    format!("{} {noun}", grouped(count))
}

/// A learning rate to four significant digits.
pub fn rate(rate: f32) -> String {
    let short = format!("{rate:.3e}").parse().unwrap_or(rate);
    match short {
        0.0 => "0".to_owned(),
        tiny if tiny < 1e-4 => format!("{tiny:e}"),
        short => short.to_string(),
    }
}

/// A share of 1 as a percentage: `97.52 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A time: `320 ms`, `4.7 s`, `3 min 5 s`, `2 h 11 min`.
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else if whole < 3600 {
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        format!("{} h {} min", whole / 3600, whole % 3600 / 60)
    }
}

/// A size in memory: `512 bytes`, `318 kB`, `1.2 MB`.
pub fn bytes(bytes: usize) -> String {
    let size = bytes as f64;
    match size {
        ..1e3 => format!("{bytes} bytes"),
        ..1e6 => format!("{:.0} kB", size / 1e3),
        ..1e9 => format!("{:.1} MB", size / 1e6),
        _ => format!("{:.1} GB", size / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(60_000), "60,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(percent(0.97524), "97.52 %");
        assert_eq!(seconds(0.32), "320 ms");
        assert_eq!(seconds(185.2), "3 min 5 s");
        assert_eq!(seconds(7890.0), "2 h 11 min");
        assert_eq!(bytes(318_040), "318 kB");
    }
}
