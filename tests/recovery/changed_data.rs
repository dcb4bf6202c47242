//! Data that change while a run reads them, or before it resumes.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

use crate::desk::{Desk, Run};
use crate::interrupted::{
    LONG, MODEL, SHORT, UNINTERRUPTED, end, long_desk, short_desk, start, wait_for_checkpoint,
};

const IMAGES: &str = "set/train-images-idx3-ubyte";

/// Trains, and calls `harm` after the first checkpoint.
fn run_with_harm(desk: &Desk, line: &str, harm: impl FnOnce()) -> Run {
    let mut child = start(desk.command(line));
    wait_for_checkpoint(desk, &mut child);
    harm();
    end(line, child)
}

fn overwrite(desk: &Desk, name: &str) {
    let mut file = OpenOptions::new()
        .write(true)
        .open(desk.path(name))
        .expect("the file");
    file.seek(SeekFrom::Start(16)).expect("seeking");
    file.write_all(&[7; 5000]).expect("writing");
}

#[test]
fn a_truncated_file_is_an_error_with_its_own_exit_code() {
    let desk = long_desk();
    let expected = &UNINTERRUPTED.model;
    let original = desk.read(IMAGES);
    let run = run_with_harm(&desk, LONG, || {
        let file = OpenOptions::new()
            .write(true)
            .open(desk.path(IMAGES))
            .expect("the file");
        file.set_len(100).expect("truncating");
    });
    assert_eq!((run.code, run.stdout.as_str()), (Some(5), ""), "{run:#?}");
    assert!(
        run.stderr.contains(
            "error: a mapped data file was truncated while it was read (SIGBUS), expected "
        ),
        "{run:#?}"
    );
    assert!(
        run.hint().starts_with("put the file back as it was, then "),
        "{run:#?}"
    );
    desk.put(IMAGES, &original);
    desk.run("train --resume out --quiet").done();
    assert!(desk.read(MODEL) == *expected);
}

#[test]
fn a_changed_file_is_detected_and_nothing_trained_on_it_is_saved() {
    let desk = long_desk();
    let expected = &UNINTERRUPTED.model;
    let original = desk.read(IMAGES);
    type Harm = fn(&Desk);
    let harms: [(Harm, &str); 3] = [
        (
            |desk| overwrite(desk, IMAGES),
            "a new time of modification, while training read it",
        ),
        (
            |desk| {
                fs::copy(desk.path(IMAGES), desk.path("copy")).expect("copying");
                fs::rename(desk.path("copy"), desk.path(IMAGES)).expect("renaming");
            },
            "another file under this name, while training read it",
        ),
        (
            |desk| desk.remove(IMAGES),
            "No such file or directory (os error 2), while training read it",
        ),
    ];
    for (harm, found) in harms {
        drop(fs::remove_dir_all(desk.path("out")));
        let run = run_with_harm(&desk, &format!("{LONG} --quiet"), || harm(&desk));
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:#?}");
        let message = format!("error: {IMAGES}: {found}, expected an unchanged file\n");
        assert!(run.stderr.starts_with(&message), "{run:#?}");
        assert!(run.hint().contains("--data-mode copy"), "{run:#?}");
        assert!(
            run.stderr
                .contains("\nkept           out/checkpoint/epoch-"),
            "{run:#?}"
        );
        desk.put(IMAGES, &original);
        desk.run("train --resume out --quiet").done();
        assert!(desk.read(MODEL) == *expected, "{found}");
    }
}

#[test]
fn changed_files_do_not_affect_a_copy_in_memory() {
    let desk = long_desk();
    let expected = &UNINTERRUPTED.model;
    let run = run_with_harm(&desk, &format!("{LONG} --data-mode copy"), || {
        overwrite(&desk, IMAGES);
        let file = OpenOptions::new()
            .write(true)
            .open(desk.path(IMAGES))
            .expect("the file");
        file.set_len(100).expect("truncating");
    });
    run.done();
    assert!(desk.read(MODEL) == *expected);
}

#[test]
fn a_run_does_not_resume_on_other_data() {
    let desk = short_desk();
    desk.run(SHORT).done();
    let newest = "out/checkpoint/epoch-0004-step-000000.safetensors";
    let set = desk.path("set").display().to_string();
    let hint = "a run resumes with its own data; set their path with --data";
    let images = desk.read(IMAGES);
    let mut other = images.clone();
    other[500] ^= 1;
    desk.put(IMAGES, &other);
    let parts = [
        &format!("{set}: training half: images with hash ")[..],
        ", expected images with hash ",
        &format!(", as in {newest}\n"),
    ];
    assert_eq!(
        desk.refuses_in_parts("train --resume out", 1, &parts)
            .hint(),
        hint
    );
    desk.put(IMAGES, &images);
    let labels = "set/t10k-labels-idx1-ubyte";
    let mut other = desk.read(labels);
    other[20] ^= 1;
    desk.put(labels, &other);
    let parts = [&format!("{set}: test half: labels with hash ")[..]];
    desk.refuses_in_parts("train --resume out", 1, &parts);
    for name in ["set/t10k-labels-idx1-ubyte", "set/t10k-images-idx3-ubyte"] {
        desk.remove(name);
    }
    let parts =
        [&format!("{set}: test half: no test set, expected a test set, as in {newest}\n")[..]];
    desk.refuses_in_parts("train --resume out", 1, &parts);
    crate::idx_set::EasySet {
        train: 100,
        ..crate::idx_set::EasySet::noisy()
    }
    .write(&desk.path("smaller"));
    let parts = ["smaller: training half: 100 samples, expected 200 samples, as in "];
    desk.refuses_in_parts("train --resume out --data smaller", 1, &parts);
}
