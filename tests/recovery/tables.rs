//! Runs on a table that are killed: they resume with the schema of their checkpoint, and end with the same bytes.

use crate::desk::Desk;
use crate::idx_set::{SPLITMIX64_STEP, splitmix64};
use crate::interrupted::{MODEL, end, start, uninterrupted, wait_for_checkpoint};

const LINE: &str = "train --data t.csv --target answer --epochs 60 --hidden 64 --validation-split none \
     --early-stop none --out out --checkpoint-every 20steps --quiet";

/// Returns a table with numbers, words and missing cells.
fn table(rows: u64) -> String {
    let mut text = "x,town,answer\n".to_owned();
    for row in 0..rows {
        let number = splitmix64(row.wrapping_mul(SPLITMIX64_STEP)) % 1000;
        let town = ["Bonn", "Kiel", ""][(number % 3) as usize];
        let answer = if number > 500 { "yes" } else { "no" };
        text += &format!("{number},{town},{answer}\n");
    }
    text
}

#[test]
fn a_killed_run_on_a_table_ends_with_the_same_bytes() {
    let desk = Desk::empty();
    desk.put("t.csv", table(2000).as_bytes());
    let expected = uninterrupted(&desk, LINE.split(" --checkpoint").next().unwrap_or(LINE));
    let mut child = start(desk.command(LINE));
    wait_for_checkpoint(&desk, &mut child);
    child.kill().expect("killing the run");
    end(LINE, child);
    desk.run("train --resume out --quiet").done();
    assert!(desk.read(MODEL) == expected);
}

#[test]
fn a_run_refuses_to_resume_on_a_table_that_changed() {
    let desk = Desk::empty();
    desk.put("t.csv", table(2000).as_bytes());
    let mut child = start(desk.command(LINE));
    wait_for_checkpoint(&desk, &mut child);
    child.kill().expect("killing the run");
    end(LINE, child);
    desk.put("t.csv", table(2001).as_bytes());
    let run = desk.run("train --resume out");
    let expected = "t.csv: training half: 2001 samples, expected 2000 samples, as in ";
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains(expected), "{run:#?}");
}
