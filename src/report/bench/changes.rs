//! The comparison of two benches: a table of what changed, and a sentence that sums it up. [`crate::bench::compare`]
//! decides what counts as a change.

use crate::bench::{Change, Comparison, Verdict};
use crate::report::number::{counted, grouped};
use crate::report::table::Table;

/// The table of what became slower or faster; `None` if nothing did.
pub(super) fn changes(comparison: &Comparison) -> Option<Table> {
    let title = format!(
        "Changes since {} that exceed the scatter of both",
        comparison.with
    );
    let mut table = Table::new(
        title,
        1,
        ["what", "before", "now", "speed", "change", "verdict"],
    );
    let mut any = false;
    for (verdict, word) in [(Verdict::Slower, "slower"), (Verdict::Faster, "faster")] {
        for change in comparison.with_verdict(verdict) {
            table.row(change_row(change, word));
            any = true;
        }
    }
    any.then_some(table)
}

fn change_row(change: &Change, word: &str) -> Vec<String> {
    let number = |number: f64| {
        if number >= 1000.0 {
            grouped(number.round() as usize)
        } else {
            format!("{number:.2}")
        }
    };
    vec![
        change.what.clone(),
        number(change.before),
        number(change.now),
        format!("{:.2} ×", change.speed),
        format!("{:+.1} %", 100.0 * (change.speed - 1.0)),
        word.to_owned(),
    ]
}

/// One sentence that sums up the comparison.
pub(super) fn verdict(comparison: &Comparison) -> String {
    let number = |verdict| comparison.with_verdict(verdict).count();
    let (slower, faster, open) = (
        number(Verdict::Slower),
        number(Verdict::Faster),
        number(Verdict::Open),
    );
    let of = format!("of {}", counted(comparison.changes.len(), "measurement"));
    let slower = match slower {
        0 => "nothing became slower".to_owned(),
        slower => format!("{slower} {of} became slower"),
    };
    let faster = match faster {
        0 => "nothing became faster".to_owned(),
        faster => format!("{faster} {of} became faster"),
    };
    let open = match open {
        0 => String::new(),
        open => format!("; {open} {of} have too few runs to judge"),
    };
    format!(
        "Compared with {}: {slower}, {faster}{open}.",
        comparison.with
    )
}
