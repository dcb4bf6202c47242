//! Numbers that a 32-bit float does not hold exactly.

use rawzip::CompressionMethod;

use super::{Idx, convert, npy, read_idx, zip};
use crate::desk::Desk;

const TIMES: [f64; 3] = [1_700_000_001.0, 1_700_000_002.0, 1_700_000_003.0];

fn table(shift: f64) -> String {
    let rows = TIMES.iter().enumerate();
    let rows = rows.map(|(row, time)| format!("{},{row}.5,{}\n", time + shift, row % 2));
    format!("time,x,label\n{}", rows.collect::<String>())
}

#[test]
fn whole_numbers_above_2_to_the_24_keep_their_digits() {
    let desk = Desk::empty();
    // Not all are whole, so only 64-bit floats hold them.
    desk.put("t.csv", table(0.0).as_bytes());
    let run = convert(&desk, "t.csv");
    let read = read_idx(&desk, "set/train-images-idx2-double");
    assert_eq!(read.elements, [TIMES[0], 0.5, TIMES[1], 1.5, TIMES[2], 2.5]);
    let note = "note: t.csv: stored as f64, because f32 would round 3 elements above 2^24 (such as 1700000001, \
                t.csv: row 2, column 1 (time))";
    assert_eq!(run.stderr.trim(), note);

    // Whole numbers of 32 bits, in a table and in an archive.
    convert(&desk, "t.csv --drop x --force");
    let of_table = read_idx(&desk, "set/train-images-idx2-int");
    assert_eq!((of_table.code, &of_table.elements[..]), (0x0c, &TIMES[..]));
    let times: Vec<u8> = TIMES
        .iter()
        .flat_map(|&time| (time as i64).to_le_bytes())
        .collect();
    let images = npy("<i8", false, "(3, 1)", &times);
    let labels = npy("|u1", false, "(3,)", &[0, 1, 0]);
    let archive = zip(
        CompressionMethod::STORE,
        &[("x.npy", &images), ("y.npy", &labels)],
    );
    desk.put("a.npz", &archive);
    let run = convert(&desk, "a.npz --force");
    let of_archive: Idx = read_idx(&desk, "set/train-images-idx2-int");
    assert_eq!(of_archive, of_table);
    assert!(run.stderr.contains("stored as i32"), "{run:#?}");

    // Whole numbers of more bits.
    desk.put("t.csv", table(1e10).as_bytes());
    convert(&desk, "t.csv --drop x --force");
    let read = read_idx(&desk, "set/train-images-idx2-double");
    assert_eq!(read.elements, TIMES.map(|time| time + 1e10));

    // An f32 holds even numbers a little above 2^24, and rounds other floats as it always does.
    desk.put("t.csv", b"a,label\n16777218,0\n0.1,1\n");
    let run = convert(&desk, "t.csv --force");
    assert_eq!(read_idx(&desk, "set/train-images-idx2-float").code, 0x0d);
    assert_eq!(run.stderr, "");
}

#[test]
fn rounding_that_is_asked_for_is_counted() {
    let desk = Desk::empty();
    desk.put("t.csv", table(0.0).as_bytes());
    let run = convert(&desk, "t.csv --type f32");
    let note = "note: t.csv: rounded 3 elements above 2^24 (such as 1700000001, t.csv: row 2, column 1 (time)) to f32; \
                to keep them, use --type f64";
    assert_eq!(run.stderr.trim(), note);

    let run = convert(&desk, "t.csv --targets time --force");
    let note = "note: t.csv: rounded 3 target values above 2^24 (such as 1700000001, t.csv: row 2, column 1 (time)) to \
                f32; subtract a constant to keep their differences";
    assert_eq!(run.stderr.trim(), note);
}

#[test]
fn training_warns_if_large_elements_are_rounded_before_they_are_scaled() {
    let desk = Desk::empty();
    desk.put("t.csv", table(0.0).as_bytes());
    convert(&desk, "t.csv --drop x");
    let warning = "warning: inputs have 24 bits, so elements such as 1700000001 are rounded before they are scaled";
    for (scale, is_rounded) in [
        ("unit", true),
        ("standard-global", true),
        ("standard", false),
    ] {
        let line = format!("train --data set --epochs 1 --scale {scale}");
        let run = desk.run(&line);
        let printed = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(printed.contains(warning), is_rounded, "{run:#?}");
    }
}
