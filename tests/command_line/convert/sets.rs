//! What all formats have in common: training and test halves, folders, and write errors.

use std::collections::BTreeMap;

use super::{convert, npy, read_idx};
use crate::desk::Desk;
use crate::idx_set::EasySet;

/// Returns 90 rows of class a, 45 of b and 15 of c; their only feature is the row number.
fn uneven() -> String {
    let rows = (0..150).map(|row| {
        let class = match row % 10 {
            0..6 => "a",
            6..9 => "b",
            _ => "c",
        };
        format!("{row},{class}\n")
    });
    ["n,class\n".to_owned()].into_iter().chain(rows).collect()
}

fn counts(labels: &[f64]) -> BTreeMap<u8, usize> {
    let mut counts = BTreeMap::new();
    labels
        .iter()
        .for_each(|&label| *counts.entry(label as u8).or_default() += 1);
    counts
}

#[test]
fn a_test_split_has_its_share_of_every_class_and_depends_on_the_seed() {
    let desk = Desk::empty();
    desk.put("t.csv", uneven().as_bytes());
    let run = convert(&desk, "t.csv --test-split 0.2");
    assert!(
        run.stdout
            .starts_with("set: 120 training and 30 test samples of 1 u8, 3 classes"),
        "{run:#?}"
    );
    let (train, test) = (
        read_idx(&desk, "set/train-images-idx2-ubyte").elements,
        read_idx(&desk, "set/t10k-images-idx2-ubyte").elements,
    );
    let mut all = [&train[..], &test].concat();
    all.sort_by(f64::total_cmp);
    assert_eq!(
        all,
        (0..150).map(f64::from).collect::<Vec<_>>(),
        "expected each row in one half"
    );
    let labels = read_idx(&desk, "set/t10k-labels-idx1-ubyte").elements;
    assert_eq!(counts(&labels), BTreeMap::from([(0, 18), (1, 9), (2, 3)]));
    convert(&desk, "t.csv --test-split 0.2 --seed 1 --force");
    assert_eq!(read_idx(&desk, "set/t10k-images-idx2-ubyte").elements, test);
    convert(&desk, "t.csv --test-split 0.2 --seed 2 --force");
    assert_ne!(read_idx(&desk, "set/t10k-images-idx2-ubyte").elements, test);
}

#[test]
fn one_hot_rows_are_split_by_their_classes() {
    let desk = Desk::empty();
    let rows: String = (0..40)
        .map(|row| {
            format!(
                "{row},{},{}\n",
                u8::from(row % 4 == 0),
                u8::from(row % 4 != 0)
            )
        })
        .collect();
    desk.put("t.csv", format!("x,a,b\n{rows}").as_bytes());
    convert(&desk, "t.csv --labels a,b --test-split 0.5");
    let labels = read_idx(&desk, "set/t10k-labels-idx1-ubyte").elements;
    assert_eq!(counts(&labels), BTreeMap::from([(0, 5), (1, 15)]));
}

#[test]
fn separate_test_samples_have_the_classes_of_the_training_samples() {
    let desk = Desk::empty();
    desk.put("train.csv", b"x,label\n1,b\n2,a\n3,c\n");
    desk.put("test.csv", b"x,label\n300,c\n5,a\n");
    convert(&desk, "train.csv --test test.csv");
    assert_eq!(
        read_idx(&desk, "set/t10k-labels-idx1-ubyte").elements,
        [2.0, 0.0]
    );
    // One number beyond a byte in either half makes both halves floats.
    assert_eq!(
        read_idx(&desk, "set/train-images-idx2-float").elements,
        [1.0, 2.0, 3.0]
    );
    for (test, message) in [
        (
            "x,label\n1,a\n2,d\n",
            "test.csv: row 3, column 2 (label): \"d\", expected one of the classes a, b, c",
        ),
        (
            "z,label\n1,a\n",
            "test.csv: column 1 (z), expected column 1 (x), as in train.csv",
        ),
        (
            "x,more,label\n1,1,a\n",
            "test.csv: column 2 (more), expected column 2 (label), as in train.csv",
        ),
    ] {
        desk.put("test.csv", test.as_bytes());
        desk.refuses(
            "data convert train.csv --test test.csv --out new",
            1,
            message,
        );
    }
    desk.put("test.npy", &npy("|u1", false, "(1,)", &[1]));
    desk.refuses(
        "data convert train.csv --test test.npy --out new",
        1,
        "test.npy: an NPY file, expected a CSV file, as train.csv",
    );
}

#[test]
fn a_converted_set_can_be_trained_on_and_predicted() {
    let desk = Desk::empty();
    // Two clouds of points that a network separates in any order.
    let rows: String = (0..200)
        .map(|row| {
            let (x, y) = (
                f64::from(row * 37 % 101) / 101.0,
                f64::from(row * 53 % 97) / 97.0,
            );
            if row % 2 == 0 {
                format!("{x},{y},near\n")
            } else {
                format!("{},{},far\n", x + 3.0, y + 3.0)
            }
        })
        .collect();
    desk.put("points.csv", format!("x,y,place\n{rows}").as_bytes());
    convert(
        &desk,
        "points.csv --labels place --test-split 0.25 --class-names near,far",
    );
    let report = desk.report_of("--data set --hidden 8 --epochs 20 --out run");
    assert_eq!(report["test_accuracy"], 1.0, "{report:#?}");
    desk.put("new.csv", b"x,y\n0.5,0.5\n3.5,3.5\n");
    let run = desk.run("data convert new.csv --labels none --out new");
    assert!(
        run.done()
            .stdout
            .starts_with("new: 2 samples of 2 f32, no labels, "),
        "{run:#?}"
    );
    let run = desk.run("predict run/model.safetensors new/images-idx2-float --format csv");
    let lines: Vec<&str> = run.done().stdout.lines().collect();
    assert_eq!(lines[0], "item,class,name,probability");
    assert!(
        lines[1].starts_with("0,0,near,") && lines[2].starts_with("1,1,far,"),
        "{run:#?}"
    );
}

#[test]
fn a_round_trip_writes_the_same_files() {
    let set = EasySet::default();
    let desk = Desk::with(&set);
    for half in ["train", "t10k"] {
        let images = desk.read(&format!("set/{half}-images-idx3-ubyte"));
        let labels = set.classes_of(half);
        let items = images[16..].chunks_exact(9).zip(&labels);
        let text: String = items
            .map(|(item, label)| {
                let cells: Vec<String> = item.iter().map(u8::to_string).collect();
                format!("{},{label}\n", cells.join(","))
            })
            .collect();
        desk.put(&format!("{half}.csv"), text.as_bytes());
        desk.put(
            &format!("{half}-x.npy"),
            &npy(
                "|u1",
                false,
                &format!("({}, 3, 3)", labels.len()),
                &images[16..],
            ),
        );
        desk.put(
            &format!("{half}-y.npy"),
            &npy("|u1", false, &format!("({},)", labels.len()), &labels),
        );
    }
    for line in [
        "train.csv --labels -1 --test t10k.csv --shape 3x3",
        "train-x.npy --labels train-y.npy --test t10k-x.npy --test-labels t10k-y.npy",
    ] {
        desk.run(&format!("data convert {line} --out again --force"))
            .done();
        for name in [
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ] {
            assert_eq!(
                desk.read(&format!("again/{name}")),
                desk.read(&format!("set/{name}")),
                "{name}"
            );
        }
    }
}

#[test]
fn a_data_set_is_replaced_only_with_force_and_completely() {
    let desk = Desk::with(&EasySet::default());
    desk.put("set/classes.txt", b"w\nx\ny\nz\n");
    desk.put("t.csv", b"x,label\n0.5,0\n2,1\n");
    let run = desk.refuses_in_parts(
        "data convert t.csv --out set",
        2,
        &["--out: set/train-images-idx3-ubyte exists already, expected a folder without a data set\n"],
    );
    assert!(run.hint().contains("--force"), "{run:#?}");
    desk.put("set/notes.txt", b"mine");
    desk.put(
        "set/.train-images-idx2-floatAbCdEf.part",
        b"left by a process that was killed",
    );
    convert(&desk, "t.csv --force");
    // No file of the previous set is left, which `train` would find first, and no other file is changed.
    assert_eq!(
        desk.entries(),
        [
            "set",
            "set/.source.json",
            "set/notes.txt",
            "set/train-images-idx2-float",
            "set/train-labels-idx1-ubyte",
            "t.csv"
        ]
    );
    // Samples without labels are written next to a data set.
    convert(&desk, "t.csv --labels none --drop label");
    assert!(desk.has("set/images-idx2-float"));
    let run = desk.refuses_in_parts(
        "data convert t.csv --labels none --drop label --out set",
        2,
        &["--out: "],
    );
    assert!(
        run.stderr.contains("set/images-idx2-float exists already"),
        "{run:#?}"
    );
}

#[test]
fn a_source_that_changed_since_the_conversion_is_noticed() {
    let desk = Desk::empty();
    let table = |last: u8| format!("x,label\n1,0\n2,1\n3,0\n{last},1\n");
    desk.put("t.csv", table(4).as_bytes());
    convert(&desk, "t.csv --test-split 2");
    let train = "train --data set --epochs 1 --hidden 2 --quiet --out out --exist-ok";
    let eval = "eval out/model.safetensors --data set";
    let lines = [
        train,
        eval,
        "data inspect set",
        "train --resume out --epochs 2 --quiet",
    ];
    for line in lines {
        let run = desk.run(line);
        assert!(!run.done().stderr.contains("warning"), "{run:#?}");
    }
    desk.put("t.csv", table(9).as_bytes());
    for line in lines {
        let run = desk.run(line);
        let source = desk.path("t.csv").canonicalize().expect("a path");
        let warning = format!(
            "warning: set: made from {}, which changed since; data convert --force makes it again\n",
            source.display()
        );
        assert!(
            run.done()
                .stderr
                .contains(warning.trim_start_matches("warning: set")),
            "{run:#?}"
        );
    }
    convert(&desk, "t.csv --test-split 2 --force");
    assert_eq!(desk.run("data inspect set").stderr, "");
    // A data set needs no source.
    desk.remove("t.csv");
    assert_eq!(desk.run("data inspect set").stderr, "");
}

#[test]
fn a_failed_conversion_keeps_the_previous_set() {
    let desk = Desk::with(&EasySet::default());
    desk.put("t.csv", b"x,label\n1,0\n2,1\nbad,1\n");
    // The previous file keeps its contents.
    let before = desk.read("set/train-images-idx3-ubyte");
    desk.refuses_in_parts(
        "data convert t.csv --force --out set",
        1,
        &["t.csv: row 4, column 1 (x): \"bad\""],
    );
    assert_eq!(desk.read("set/train-images-idx3-ubyte"), before);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_is_read() {
    let desk = Desk::empty();
    desk.put("t.csv", b"x,label\n1,0\nbad,1\n");
    desk.put("file", b"text");
    desk.refuses_in_parts(
        "data convert t.csv --out file/below",
        1,
        &["file: could not create a file in this folder: "],
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let closed = desk.path("closed");
        std::fs::create_dir(&closed).expect("creating a folder");
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).expect("permissions");
        if std::fs::write(closed.join("trial"), b"").is_ok() {
            eprintln!("skipped: this user may write to every folder");
            return;
        }
        desk.refuses_in_parts(
            "data convert t.csv --out closed",
            1,
            &["closed: could not create a file"],
        );
    }
}

#[test]
fn flags_of_another_format_are_refused() {
    let desk = Desk::empty();
    desk.put("t.csv", b"x,label\n1,0\n2,1\n");
    desk.put("x.npy", &npy("|u1", false, "(2,)", &[1, 2]));
    for (line, message) in [
        (
            "t.csv --color grey",
            "--color: given for a CSV file, expected pictures to go with it",
        ),
        (
            "t.csv --images a",
            "--images: given for a CSV file, expected an NPZ file to go with it",
        ),
        (
            "t.csv --test-labels a",
            "--test-labels: given for a CSV file, expected an IDX file or an NPY file or an NPZ file to go with it",
        ),
        (
            "x.npy --labels x.npy --drop a",
            "--drop: a, expected numbers from 1 to 1",
        ),
        (
            "x.npy --labels x.npy --header yes",
            "--header: given for an NPY file, expected a CSV file to go with it",
        ),
        (
            "x.npy --labels x.npy --test-labels x.npy",
            "--test-labels: given without test samples, expected --test with the test samples",
        ),
        (
            "t.csv --test-split 0",
            "--test-split: 0 of 2 samples, expected at least two of some class",
        ),
        (
            "t.csv --test-split 1",
            "--test-split: 1 of 2 samples, expected at least two of some class",
        ),
        (
            "t.csv --test-split 0.5",
            "--test-split: 1 of 2 samples, expected at least two of some class",
        ),
        (
            "t.csv --targets label --test-split 2",
            "--test-split: 2 of 2 samples, expected 1 to 1, which leaves one to train on",
        ),
        (
            "t.csv --labels none --test t.csv",
            "--test: given with --labels none, expected labels to go with it",
        ),
        (
            "t.csv --labels none --class-names a,b",
            "--labels: none, together with options about labels, expected labels",
        ),
        (
            "t.csv --targets label --class-names a,b",
            "--class-names: given with --targets, expected classes to go with it",
        ),
    ] {
        desk.refuses(&format!("data convert {line} --out set"), 2, message);
    }
    for line in [
        "t.csv --shape 0x3",
        "t.csv --shape 1x2x3x4",
        "t.csv --delimiter ab",
        "t.csv --delimiter \"",
        "t.csv --header maybe",
        "t.csv --type u16",
        "t.csv --labels a --targets b",
        "t.csv --test-split 0.1 --test t.csv",
    ] {
        let run = desk.run(&format!("data convert {line} --out set"));
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(!desk.has("set"));
    }
}

#[test]
fn the_next_command_trains_on_target_values_and_multiple_labels() {
    let desk = Desk::empty();
    let rows: String = (0..60)
        .map(|row| {
            let (a, b) = (row % 7, row % 5);
            let (odd, large) = (row % 2, u8::from(a > 3));
            format!(
                "{a},{b},{},{odd},{large}\n",
                f64::from(a) - 0.5 * f64::from(b)
            )
        })
        .collect();
    desk.put("t.csv", format!("a,b,sum,odd,large\n{rows}").as_bytes());
    for (flags, task) in [
        ("--targets sum --drop odd,large", "regression"),
        ("--labels odd,large --drop sum", "multilabel"),
    ] {
        let run = convert(&desk, &format!("t.csv {flags} --test-split 0.2 --force"));
        let next = format!("train --data set --task {task}");
        assert!(run.value("next").ends_with(&next), "{run:#?}");
        desk.run(&format!(
            "{next} --epochs 1 --hidden 4 --out run --exist-ok --quiet"
        ))
        .done();
        desk.run("eval run/model.safetensors --data set").done();
        desk.run(&format!("data inspect set --task {task}")).done();
    }
}
