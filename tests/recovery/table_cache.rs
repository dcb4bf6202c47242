//! Rows of a table that are more than `--table-memory`: they go to a file in the folder of the run, which is used again only
//! if it is complete and its table unchanged, and which is gone when the run is done.

use std::fs::{self, FileTimes};
use std::io::{Seek, SeekFrom, Write};
use std::time::SystemTime;

use crate::desk::{Desk, Run};
use crate::faults::Faults;
use crate::idx_set::{SPLITMIX64_STEP, splitmix64};
use crate::interrupted::{MODEL, end, leftovers, start, uninterrupted, wait_for_checkpoint};

const LINE: &str = "train --data t.csv --target answer --test-data test.csv --epochs 20 --hidden 64 \
     --validation-split 0.1 --early-stop none --sample-weight w --out out";

const CACHE: &str = "out/cache/training.rows";

/// Returns a table with numbers, words, missing cells, weights and rows without a target.
fn table(first: u64, rows: u64) -> String {
    let mut text = "x,town,w,answer\n".to_owned();
    for row in first..first + rows {
        let number = splitmix64(row.wrapping_mul(SPLITMIX64_STEP)) % 1000;
        let town = ["Bonn", "Kiel", ""][(number % 3) as usize];
        let answer =
            ["yes", "no", ""][usize::from(number > 500) + usize::from(number.is_multiple_of(97))];
        text += &format!("{number},{town},{},{answer}\n", 1 + number % 3);
    }
    text
}

/// Returns a desk with tables, and the model of an uninterrupted run with all rows in memory.
fn with_tables() -> (Desk, Vec<u8>) {
    let desk = Desk::empty();
    desk.put("t.csv", table(0, 3000).as_bytes());
    desk.put("test.csv", table(5000, 2000).as_bytes());
    let expected = uninterrupted(&desk, LINE);
    (desk, expected)
}

/// Runs `line` with rows in a file; the run is killed when it puts its second checkpoint in place, at the latest when all
/// epochs are done.
fn kill(desk: &Desk, faults: &Faults, line: &str) {
    let line = format!("{line} --checkpoint-every 20steps --table-memory 10kB --quiet");
    let mut command = desk.command(&line);
    faults.inject(&mut command, "out/checkpoint", "rename:2:KILL");
    let run = end(&line, start(command));
    assert_eq!(run.code, None, "{run:#?}");
    assert!(desk.has(CACHE));
}

/// Runs [`LINE`] as [`kill`] does.
fn kill_a_run(desk: &Desk, faults: &Faults) {
    kill(desk, faults, LINE);
    assert!(desk.has("out/cache/test.rows"));
}

/// Resumes the run and returns its notes about the rows of the training table.
fn resume(desk: &Desk, expected: &[u8]) -> Vec<String> {
    let run = desk.run("train --resume out");
    run.done();
    assert!(desk.read(MODEL) == expected);
    assert!(!desk.has("out/cache"), "{:?}", desk.entries());
    let notes = run.stderr.lines();
    let notes = notes.filter(|line| line.contains("cache/training"));
    // The recorded path is absolute.
    let own = desk.path("").display().to_string();
    notes.map(|note| note.replace(&own, "")).collect()
}

const USED: &str = "note: t.csv: used the rows in out/cache/training.rows again";
const AGAIN: &str = " kB of rows to out/cache/training.rows again, as ";

#[test]
fn a_table_above_the_limit_trains_to_the_same_bytes_and_leaves_no_file() {
    let (desk, expected) = with_tables();
    for flags in ["", " --threads 1"] {
        let run = desk.run(&format!("{LINE} --table-memory 10kB --exist-ok{flags}"));
        assert!(
            run.done().stderr.contains("note: t.csv: encoded "),
            "{run:#?}"
        );
        let limit = "rows to out/cache/training.rows: more than the 10 kB of --table-memory\n";
        assert!(run.stderr.contains(limit), "{run:#?}");
        assert!(desk.read(MODEL) == expected);
        assert!(!desk.has("out/cache"), "{:?}", desk.entries());
    }
    // Below the limit there is nothing to say.
    let run = desk.run(&format!("{LINE} --table-memory 1GB --exist-ok"));
    assert!(!run.done().stderr.contains("--table-memory"), "{run:#?}");
    let recorded = desk.read_text("out/config.toml");
    assert!(recorded.contains("table_memory = \"1GB\""), "{recorded}");
}

#[test]
fn a_resumed_run_uses_the_file_again() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, expected) = with_tables();
    kill_a_run(&desk, &faults);
    assert_eq!(resume(&desk, &expected), [USED]);
}

#[test]
fn rows_of_every_task_are_used_again() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let mut text = "x,town,a,b\n".to_owned();
    for row in 0..2000u64 {
        let number = splitmix64(row.wrapping_mul(SPLITMIX64_STEP));
        let (x, town) = (
            number % 1000,
            ["Bonn", "Kiel", "Ulm"][(number % 3) as usize],
        );
        text += &format!("{x},{town},{},{}\n", x / 500, number / 1000 % 2);
    }
    let desk = Desk::empty();
    desk.put("t.csv", text.as_bytes());
    for target in [
        "--target x",
        "--target x,a --task regression",
        "--target a,b",
    ] {
        let line = format!(
            "train --data t.csv {target} --epochs 20 --hidden 64 --early-stop none --validation-split none --out out"
        );
        let expected = uninterrupted(&desk, &line);
        kill(&desk, &faults, &line);
        assert_eq!(resume(&desk, &expected), [USED], "{target}");
        fs::remove_dir_all(desk.path("out")).expect("removing the run");
    }
}

#[test]
fn a_run_killed_before_its_first_checkpoint_uses_the_file_again() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, expected) = with_tables();
    kill_a_run(&desk, &faults);
    for checkpoint in crate::interrupted::checkpoints(&desk) {
        fs::remove_file(checkpoint).expect("removing a checkpoint");
    }
    assert_eq!(resume(&desk, &expected), [USED]);
}

#[test]
fn a_changed_table_is_encoded_again() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, expected) = with_tables();
    let rows = desk.read("t.csv");
    // A comment, which changes no row.
    let with = |comment: &str| [comment.as_bytes(), &rows].concat();
    let now = SystemTime::now();
    let put = |text: Vec<u8>, time: SystemTime| {
        desk.put("t.csv", &text);
        let file = fs::File::options().write(true).open(desk.path("t.csv"));
        let times = FileTimes::new().set_modified(time);
        file.and_then(|file| file.set_times(times)).expect("times");
    };
    for (comment, time, why) in [
        (
            "# a\n",
            SystemTime::UNIX_EPOCH,
            "the table has a new time of modification",
        ),
        ("# b\n", now, "the content is another one"),
        ("# cc\n", now, " bytes where there were "),
    ] {
        put(with("# a\n"), now);
        kill_a_run(&desk, &faults);
        put(with(comment), time);
        let notes = resume(&desk, &expected);
        assert!(
            notes[0].contains(AGAIN) && notes[0].contains(why),
            "{why}: {notes:?}"
        );
        fs::remove_dir_all(desk.path("out")).expect("removing the run");
    }
}

#[test]
fn other_rows_are_never_trained_on() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, _) = with_tables();
    kill_a_run(&desk, &faults);
    // As many bytes, other numbers.
    let mut text = desk.read_text("t.csv");
    let at = text.find("\n9").expect("a number") + 1;
    text.replace_range(at..=at, "1");
    desk.put("t.csv", text.as_bytes());
    let run = desk.run("train --resume out");
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(
        run.stderr
            .contains("t.csv: training half: images with hash "),
        "{run:#?}"
    );
}

#[test]
fn a_damaged_file_is_written_again() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, expected) = with_tables();
    kill_a_run(&desk, &faults);
    let length = desk.read(CACHE).len();
    for place in [0, length / 2, length - 200, length - 20, length - 1] {
        if !desk.has(CACHE) {
            fs::remove_dir_all(desk.path("out")).expect("removing the run");
            kill_a_run(&desk, &faults);
        }
        let mut bytes = desk.read(CACHE);
        bytes[place] ^= 4;
        desk.put(CACHE, &bytes);
        let notes = resume(&desk, &expected);
        assert!(
            notes[0].contains("again, as the earlier rows are damaged: "),
            "{notes:?}"
        );
    }
    for kept in [0, 1, 31, length / 2, length - 1] {
        fs::remove_dir_all(desk.path("out")).expect("removing the run");
        kill_a_run(&desk, &faults);
        let file = fs::File::options().write(true).open(desk.path(CACHE));
        file.and_then(|file| file.set_len(kept as u64))
            .expect("cutting");
        let notes = resume(&desk, &expected);
        assert!(
            notes[0].contains("again, as the earlier rows are damaged: "),
            "{notes:?}"
        );
    }
}

#[test]
fn a_run_killed_while_it_encodes_leaves_nothing_that_is_used() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, expected) = with_tables();
    kill_a_run(&desk, &faults);
    // What a process leaves that is killed in the middle of the file.
    let half = &desk.read(CACHE)[..1000];
    desk.put("out/cache/.training.rowsXyZ.part", half);
    desk.remove(CACHE);
    let notes = resume(&desk, &expected);
    assert!(notes[0].starts_with("note: t.csv: encoded "), "{notes:?}");
    assert_eq!(leftovers(&desk), Vec::<String>::new());
}

#[test]
fn a_new_run_in_the_folder_of_a_killed_one_removes_its_files() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, expected) = with_tables();
    kill_a_run(&desk, &faults);
    desk.put("out/cache/.test.rowsXyZ.part", b"half");
    desk.put("out/cache/validation.rows", b"of another run");
    desk.run(&format!("{LINE} --exist-ok --quiet")).done();
    assert!(desk.read(MODEL) == expected);
    assert!(!desk.has("out/cache"), "{:?}", desk.entries());
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let (desk, _) = with_tables();
    fs::create_dir_all(desk.path("out/cache")).expect("a folder");
    for name in [
        "out/cache/training",
        "out/cache/.a.part",
        "out/cache/notes.txt",
    ] {
        desk.put(name, b"own");
    }
    desk.run(&format!("{LINE} --table-memory 10kB --quiet"))
        .done();
    let mut left = desk.entries();
    left.retain(|name| name.starts_with("out/cache/"));
    assert_eq!(
        left,
        [
            "out/cache/.a.part",
            "out/cache/notes.txt",
            "out/cache/training"
        ]
    );
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_that_leaves_nothing() {
    let (desk, _) = with_tables();
    let program = desk.command("");
    let script = format!(
        "ulimit -f 40 && exec '{}' {LINE} --table-memory 10kB --quiet",
        program.get_program().display()
    );
    let before = desk.entries();
    let mut command = desk.command_of("sh");
    command.args(["-c", &script]);
    let run = Run::of(command);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let words = "error: out/cache/training.rows: file too large, after ";
    assert!(run.stderr.starts_with(words), "{run:#?}");
    assert!(
        run.stderr
            .contains(", expected room for the encoded rows of the table\n")
    );
    assert!(
        run.hint().contains("--table-memory") && run.hint().contains("--out"),
        "{run:#?}"
    );
    assert_eq!(desk.entries(), before);
}

#[test]
fn a_full_disk_is_an_error_that_leaves_nothing() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, expected) = with_tables();
    let before = desk.entries();
    let line = format!("{LINE} --table-memory 10kB --quiet");
    let mut command = desk.command(&line);
    faults.inject(
        &mut command,
        "out/cache",
        &format!("write:1+:{}", libc::ENOSPC),
    );
    let run = end(&line, start(command));
    assert_eq!(run.code, Some(1), "{run:#?}");
    let words = "error: out/cache/training.rows: no storage space, after ";
    assert!(run.stderr.starts_with(words), "{run:#?}");
    assert!(run.hint().contains("--out"), "{run:#?}");
    assert_eq!(desk.entries(), before);
    // The rows of a resumed run have no room, either; all of it can be repeated later.
    kill_a_run(&desk, &faults);
    desk.remove(CACHE);
    let mut command = desk.command("train --resume out");
    faults.inject(
        &mut command,
        "out/cache",
        &format!("write:1+:{}", libc::ENOSPC),
    );
    let run = end("train --resume out", start(command));
    assert!(
        run.stderr
            .contains("training.rows: no storage space, after "),
        "{run:#?}"
    );
    assert_eq!(leftovers(&desk), Vec::<String>::new());
    assert!(resume(&desk, &expected)[0].starts_with("note: t.csv: encoded "));
}

#[test]
fn a_resumed_run_may_have_another_limit() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let (desk, expected) = with_tables();
    for (flags, has_note) in [("--table-memory 1GB", false), ("--table-memory 20kB", true)] {
        kill_a_run(&desk, &faults);
        desk.remove(CACHE);
        let run = desk.run(&format!("train --resume out {flags}"));
        let found = run.done().stderr.contains("cache/training.rows");
        assert_eq!(found, has_note, "{run:#?}");
        assert!(desk.read(MODEL) == expected);
        assert!(!desk.has("out/cache"), "{:?}", desk.entries());
        fs::remove_dir_all(desk.path("out")).expect("removing the run");
    }
}

#[test]
fn a_file_of_rows_that_changes_meanwhile_ends_the_run() {
    let (desk, expected) = with_tables();
    let line =
        format!("{LINE} --table-memory 10kB --epochs 100000 --quiet").replace("--epochs 20 ", "");
    let mut child = start(desk.command(&line));
    wait_for_checkpoint(&desk, &mut child);
    let mut file = fs::File::options()
        .write(true)
        .open(desk.path(CACHE))
        .expect("the file");
    file.seek(SeekFrom::Start(0)).expect("its start");
    file.write_all(&[1; 8]).expect("writing to it");
    drop(file);
    let run = end(&line, child);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(
        run.stderr
            .contains("error: out/cache/training.rows: a new time of modification, while"),
        "{run:#?}"
    );
    assert!(run.hint().contains("resume the run"), "{run:#?}");
    let _ = expected;
}

#[test]
fn the_limit_is_for_tables_only() {
    let desk = Desk::with(&crate::idx_set::EasySet::default());
    desk.refuses(
        "train --data set --table-memory 1GB",
        2,
        "--table-memory: given with the folder set, expected a table to train on, named with --data",
    );
}
