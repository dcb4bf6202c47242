//! Two benches held against each other: a table of what changed and a sentence for all of it. What counts as a change
//! is decided in [`crate::bench::compare`].

use super::number::grouped;
use super::table::Table;
use crate::bench::{Change, Comparison, Verdict};

/// What changed, where anything did.
pub(super) fn changes(comparison: &Comparison) -> Option<Table> {
    let title = format!(
        "Changes since {}, beyond the scatter of both",
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
    let figure = |figure: f64| {
        if figure >= 1000.0 {
            grouped(figure.round() as usize)
        } else {
            format!("{figure:.2}")
        }
    };
    vec![
        change.what.clone(),
        figure(change.before),
        figure(change.now),
        format!("{:.2} ×", change.speed),
        format!("{:+.1} %", 100.0 * (change.speed - 1.0)),
        word.to_owned(),
    ]
}

/// One sentence for the whole comparison.
pub(super) fn verdict(comparison: &Comparison) -> String {
    let number = |verdict| comparison.with_verdict(verdict).count();
    let (slower, faster, open) = (
        number(Verdict::Slower),
        number(Verdict::Faster),
        number(Verdict::Open),
    );
    let of = format!("of {} figures", comparison.changes.len());
    let slower = match slower {
        0 => "nothing got slower".to_owned(),
        slower => format!("{slower} {of} got slower"),
    };
    let faster = match faster {
        0 => "nothing got faster".to_owned(),
        faster => format!("{faster} {of} got faster"),
    };
    let open = match open {
        0 => String::new(),
        open => format!("; {open} {of} have too few runs to tell"),
    };
    format!(
        "Compared with {}: {slower}, {faster}{open}.",
        comparison.with
    )
}
