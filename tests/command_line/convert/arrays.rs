//! NPY and NPZ files, whose headers and archives are written here.

use rawzip::CompressionMethod;

use super::{bytes, convert, floats, npy, read_idx, zip};
use crate::desk::Desk;

/// Returns 0 to 11 as two samples of 2×3.
fn counting(fortran: bool) -> Vec<u8> {
    let elements: Vec<u8> = match fortran {
        false => (0..12).collect(),
        // The first index is the fastest: the samples interleave.
        true => vec![0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11],
    };
    npy("|u1", fortran, "(2, 2, 3)", &elements)
}

fn labels(classes: &[i64]) -> Vec<u8> {
    let elements: Vec<u8> = classes
        .iter()
        .flat_map(|class| class.to_le_bytes())
        .collect();
    npy("<i8", false, &format!("({},)", classes.len()), &elements)
}

#[test]
fn both_orders_and_every_compression_convert_to_the_same_files() {
    let elements: Vec<f64> = (0..12).map(f64::from).collect();
    for fortran in [false, true] {
        let desk = Desk::empty();
        desk.put("x.npy", &counting(fortran));
        desk.put("y.npy", &labels(&[1, 0]));
        let run = convert(&desk, "x.npy --labels y.npy");
        assert_eq!(
            read_idx(&desk, "set/train-images-idx3-ubyte"),
            bytes(&[2, 2, 3], &elements)
        );
        assert_eq!(
            read_idx(&desk, "set/train-labels-idx1-ubyte"),
            bytes(&[2], &[1.0, 0.0])
        );
        let order = if fortran { ", Fortran order" } else { "" };
        let from = format!("x.npy: (2, 2, 3) uint8{order}, labels in y.npy: (2) int64");
        assert_eq!(run.value("from"), from);
        for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
            let (x, y) = (counting(fortran), labels(&[1, 0]));
            desk.put("xy.npz", &zip(method, &[("x.npy", &x), ("y.npy", &y)]));
            convert(&desk, "xy.npz --force");
            assert_eq!(
                read_idx(&desk, "set/train-images-idx3-ubyte"),
                bytes(&[2, 2, 3], &elements)
            );
        }
    }
}

#[test]
fn an_archive_in_the_layout_of_keras_becomes_both_halves() {
    let desk = Desk::empty();
    let (x, y) = (counting(false), labels(&[1, 0]));
    let test = npy(
        "<f4",
        false,
        "(1, 2, 3)",
        &[0.5f32, 1.0, 2.0, 3.0, 4.0, 5.0]
            .map(f32::to_le_bytes)
            .concat(),
    );
    let test_labels = npy("|u1", false, "(1, 1)", &[1]);
    let files = [
        ("x_test.npy", &test[..]),
        ("x_train.npy", &x),
        ("y_test.npy", &test_labels),
        ("y_train.npy", &y),
        ("about.txt", b"no array"),
    ];
    desk.put("mnist.npz", &zip(CompressionMethod::DEFLATE, &files));
    let run = convert(&desk, "mnist.npz");
    assert!(
        run.stdout
            .starts_with("set: 2 training and 1 test samples of 2×3 f32, 2 classes, "),
        "{run:#?}"
    );
    assert_eq!(
        read_idx(&desk, "set/train-images-idx3-float").elements[11],
        11.0
    );
    assert_eq!(
        read_idx(&desk, "set/t10k-images-idx3-float"),
        floats(&[1, 2, 3], &[0.5, 1.0, 2.0, 3.0, 4.0, 5.0])
    );
    assert_eq!(
        read_idx(&desk, "set/t10k-labels-idx1-ubyte"),
        bytes(&[1], &[1.0])
    );
    desk.run("train --data set --epochs 1 --hidden 4 --out run --quiet")
        .done();
}

#[test]
fn unused_test_samples_of_an_archive_are_reported() {
    let desk = Desk::empty();
    let (x, y) = (counting(false), labels(&[1, 0]));
    let mut files = vec![
        ("x_test.npy", &x[..]),
        ("x_train.npy", &x),
        ("y_test.npy", &y),
        ("y_train.npy", &y),
    ];
    desk.put("k.npz", &zip(CompressionMethod::STORE, &files));
    let run = desk.refuses_in_parts(
        "data convert k.npz --test-split 1 --out set",
        2,
        &["--test-split: given, although k.npz: x_test exists, expected one of the two\n"],
    );
    assert!(run.hint().contains("omit --test-split"), "{run:#?}");
    let run = convert(&desk, "k.npz --labels none");
    let from = "k.npz: x_train: (2, 2, 3) uint8, no labels";
    assert_eq!(run.value("from"), from);
    let note = "note: k.npz: the arrays x_test, y_test, y_train are not used\n";
    assert!(run.stderr.ends_with(note), "{run:#?}");
    // The same holds if they have no labels or if other test samples replace them.
    files.remove(2);
    desk.put("x.npz", &zip(CompressionMethod::STORE, &files));
    for line in ["x.npz", "k.npz --test k.npz"] {
        let run = convert(&desk, &format!("{line} --force"));
        let note = match line {
            "x.npz" => "note: x.npz: the array x_test is not used\n",
            _ => "note: k.npz: the arrays x_test, y_test are not used\n",
        };
        assert!(run.stderr.ends_with(note), "{run:#?}");
    }
    let run = convert(&desk, "k.npz --force");
    assert!(!run.stderr.contains("not used"), "{run:#?}");
}

#[test]
fn validation_arrays_become_validation_files() {
    let desk = Desk::empty();
    let (x, y) = (counting(false), labels(&[1, 0]));
    let other = npy("|u1", false, "(1, 2, 3)", &[9, 8, 7, 6, 5, 4]);
    let other_labels = labels(&[1]);
    for [images, labels] in [
        ["x_val", "y_val"],
        ["x_valid", "y_valid"],
        ["x_validation", "y_validation"],
    ] {
        let names = [images, labels].map(|name| format!("{name}.npy"));
        let files = [
            ("x_train.npy", &x[..]),
            ("y_train.npy", &y),
            (&names[0], &other),
            (&names[1], &other_labels),
            ("x_test.npy", &x),
            ("y_test.npy", &y),
        ];
        desk.put("v.npz", &zip(CompressionMethod::STORE, &files));
        let run = convert(&desk, "v.npz --force");
        let sizes = "set: 2 training, 1 validation and 2 test samples of 2×3 u8, 2 classes, ";
        assert!(run.stdout.starts_with(sizes), "{run:#?}");
        assert!(!run.stderr.contains("not used"), "{run:#?}");
        assert_eq!(
            read_idx(&desk, "set/validation-images-idx3-ubyte"),
            bytes(&[1, 2, 3], &[9.0, 8.0, 7.0, 6.0, 5.0, 4.0])
        );
        assert_eq!(
            read_idx(&desk, "set/validation-labels-idx1-ubyte"),
            bytes(&[1], &[1.0])
        );
    }
    // MedMNIST has these names, and labels [n, 1].
    let column = npy("|u1", false, "(2, 1)", &[1, 0]);
    let files = [
        ("train_images.npy", &x[..]),
        ("train_labels.npy", &column),
        ("val_images.npy", &x),
        ("val_labels.npy", &column),
        ("test_images.npy", &x),
        ("test_labels.npy", &column),
        ("test_weights.npy", &column),
    ];
    desk.put("m.npz", &zip(CompressionMethod::STORE, &files));
    let run = convert(&desk, "m.npz --force");
    let sizes = "set: 2 training, 2 validation and 2 test samples of 2×3 u8, 2 classes, ";
    assert!(run.stdout.starts_with(sizes), "{run:#?}");
    let note = "note: m.npz: the array test_weights is not used\n";
    assert!(run.stderr.ends_with(note), "{run:#?}");
    let run = desk.run("train --data set --epochs 1 --hidden 4 --out run");
    let sets = "2 training, 2 validation and 2 test samples";
    assert!(run.done().stderr.contains(sets), "{run:#?}");
    // A set without validation samples replaces all of it.
    let files = [("x_train.npy", &x[..]), ("y_train.npy", &y)];
    desk.put("two.npz", &zip(CompressionMethod::STORE, &files));
    convert(&desk, "two.npz --force");
    assert!(!desk.has("set/validation-images-idx3-ubyte"));
    // Without labels, or of another shape, they are no validation set.
    let flat = npy("|u1", false, "(2, 5)", &[0; 10]);
    for (labels, last) in [("y_other", None), ("y_val", Some(""))] {
        let labels = format!("{labels}.npy");
        let files = [
            ("x_train.npy", &x[..]),
            ("y_train.npy", &y),
            ("x_val.npy", &flat),
            (&labels, &y),
        ];
        desk.put("odd.npz", &zip(CompressionMethod::STORE, &files));
        match last {
            None => {
                let run = convert(&desk, "odd.npz --force");
                let note = "note: odd.npz: the arrays x_val, y_other are not used\n";
                assert!(run.stderr.ends_with(note), "{run:#?}");
            }
            Some(_) => {
                desk.refuses_in_parts(
                    "data convert odd.npz --force --out set",
                    1,
                    &[
                        "odd.npz: x_val: (2, 5) uint8, labels in odd.npz: y_val: (2) int64: samples of 5, expected \
                         samples of 2×3, as in odd.npz: x_train",
                    ],
                );
            }
        }
    }
}

#[test]
fn samples_without_a_label_are_left_out() {
    let desk = Desk::empty();
    let x = npy("|u1", false, "(4, 1)", &[1, 2, 3, 4]);
    desk.put("x.npy", &x);
    let words = |words: &[&str; 4]| {
        let characters = words.iter().flat_map(|word| {
            let padded = word.chars().chain(std::iter::repeat('\0')).take(4);
            padded.flat_map(|c| u32::from(c).to_le_bytes())
        });
        npy("<U4", false, "(4,)", &characters.collect::<Vec<_>>())
    };
    let floats = [1.0f32, f32::NAN, 0.0, 1.0].map(f32::to_le_bytes).concat();
    for labels in [
        words(&["cat", "nan", "dog", "cat"]),
        words(&["cat", "", "dog", "cat"]),
        words(&["cat", "None", "dog", "cat"]),
        npy("<f4", false, "(4,)", &floats),
    ] {
        desk.put("y.npy", &labels);
        let run = convert(&desk, "x.npy --labels y.npy --force");
        assert_eq!(
            run.stderr,
            "note: x.npy: left out 1 sample without a label\n"
        );
        let images = bytes(&[3, 1], &[1.0, 3.0, 4.0]);
        assert_eq!(read_idx(&desk, "set/train-images-idx2-ubyte"), images);
        assert!(run.stdout.contains(", 2 classes, "), "{run:#?}");
    }
}

#[test]
fn npy_files_require_a_flag_for_the_labels() {
    let desk = Desk::empty();
    desk.put("x.npy", &counting(false));
    desk.put("y.npy", &labels(&[1, 0]));
    for (labels, message) in [
        (
            "",
            "--labels: not given, expected the NPY file with the labels, or none",
        ),
        // Test samples without labels would be useless.
        (
            "--labels y.npy",
            "--test-labels: not given, expected the NPY file with the labels of the test samples",
        ),
    ] {
        let line = format!("data convert x.npy {labels} --test x.npy --out set");
        let run = desk.refuses_in_parts(&line, 2, &[&format!("{message}\n")]);
        assert_eq!(run.hint(), "x.npy has only samples");
    }
}

#[test]
fn arrays_of_unusual_names_are_selected_by_flags() {
    let desk = Desk::empty();
    let (x, y) = (counting(false), labels(&[1, 0]));
    let files = [
        ("a.npy", &x[..]),
        ("b.npy", &y),
        ("c.npy", &x),
        ("d.npy", &y),
    ];
    desk.put("m.npz", &zip(CompressionMethod::STORE, &files));
    desk.refuses(
        "data convert m.npz --out set",
        2,
        "--images: not given, expected the array with the samples: a, b, c, d",
    );
    desk.refuses(
        "data convert m.npz --images a --out set",
        2,
        "--labels: not given, expected the array with the labels, or none: a, b, c, d",
    );
    desk.refuses_in_parts(
        "data convert m.npz --images a --labels e --out set",
        1,
        &["m.npz: e: no such array, expected one of a, b, c, d\n"],
    );
    convert(
        &desk,
        "m.npz --images a --labels b --test-images c --test-labels d",
    );
    assert_eq!(
        desk.read("set/train-images-idx3-ubyte"),
        desk.read("set/t10k-images-idx3-ubyte")
    );
    desk.refuses_in_parts(
        "data convert m.npz --images a --labels b --test-images c --out new",
        2,
        &["--test-labels: not given"],
    );
}

#[test]
fn labels_may_be_text_one_hot_rows_or_target_values() {
    let desk = Desk::empty();
    desk.put("x.npy", &counting(false));
    let text: Vec<u8> = "dogcat"
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    desk.put("y.npy", &npy("<U3", false, "(2,)", &text));
    convert(&desk, "x.npy --labels y.npy");
    assert_eq!(desk.read("set/classes.txt"), b"cat\ndog\n");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte").elements,
        [1.0, 0.0]
    );
    desk.put("y.npy", &npy("|S4", false, "(2, 1)", b"dog\0cats"));
    convert(&desk, "x.npy --labels y.npy --force");
    assert_eq!(desk.read("set/classes.txt"), b"cats\ndog\n");
    desk.put("y.npy", &npy("|b1", true, "(2, 3)", &[0, 1, 1, 0, 0, 0]));
    convert(&desk, "x.npy --labels y.npy --force");
    // Fortran order: the rows are 0 1 0 and 1 0 0.
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte").elements,
        [1.0, 0.0]
    );
    assert!(!desk.has("set/classes.txt"));
    convert(&desk, "x.npy --labels y.npy --multilabel --force");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx2-ubyte"),
        bytes(&[2, 3], &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    );
    desk.put(
        "y.npy",
        &npy(
            "<f8",
            false,
            "(2,)",
            &[0.5f64, -3.0].map(f64::to_le_bytes).concat(),
        ),
    );
    convert(&desk, "x.npy --targets y.npy --force");
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx2-float"),
        floats(&[2, 1], &[0.5, -3.0])
    );
    desk.refuses_in_parts(
        "data convert x.npy --labels y.npy --out new",
        1,
        &["y.npy: sample 0: 0.5, expected a class: a whole number, or a name\n"],
    );
}

#[test]
fn values_that_no_element_type_holds_are_refused_with_their_position() {
    let desk = Desk::empty();
    let of = |values: [f32; 4]| {
        npy(
            "<f4",
            false,
            "(2, 2)",
            &values.map(f32::to_le_bytes).concat(),
        )
    };
    desk.put("x.npy", &of([1.0, 2.0, f32::NAN, 4.0]));
    desk.refuses(
        "data convert x.npy --labels none --out set",
        1,
        "x.npy: sample 1, element 0: NaN, expected a finite number up to 3.4e38 (f32)",
    );
    desk.put(
        "x.npy",
        &npy(
            "<u8",
            false,
            "(2,)",
            &[1u64, u64::MAX].map(u64::to_le_bytes).concat(),
        ),
    );
    desk.refuses(
        "data convert x.npy --labels none --out set",
        1,
        "x.npy: sample 1, element 0: a whole number beyond 2^53, expected one that a float represents exactly",
    );
    desk.put("x.npy", &npy("|O", false, "(2,)", b"pickle"));
    let run = desk.refuses_in_parts(
        "data convert x.npy --labels none --out set",
        1,
        &["x.npy: Python objects (object), |O, expected numbers, or text as labels\n"],
    );
    assert!(run.hint().contains("astype"), "{run:#?}");
}

#[test]
fn damaged_arrays_are_refused() {
    let desk = Desk::empty();
    let valid = counting(false);
    for length in [1, 7, 9, 60, valid.len() - 1] {
        desk.put("x.npy", &valid[..length]);
        let place = "x.npy: ";
        desk.refuses_in_parts(
            "data convert x.npy --labels none --out set",
            1,
            &[place, ", expected "],
        );
    }
    desk.put("x.npy", &[&valid[..], b"more"].concat());
    desk.refuses_in_parts(
        "data convert x.npy --labels none --out set",
        1,
        &["x.npy: 144 bytes, expected 140 for (2, 2, 3) uint8\n"],
    );
    for (shape, words) in [
        ("(4294967296, 4294967296, 4)", "expected fewer elements for"),
        ("(1, 99999999)", "expected 100000127 for"),
        ("(0, 3)", ": 0 samples, expected 1 to 4294967295"),
    ] {
        desk.put("x.npy", &npy("|u1", false, shape, &[]));
        desk.refuses_in_parts(
            "data convert x.npy --labels none --out set",
            1,
            &["x.npy: ", words],
        );
    }
    desk.put("x.npy", &counting(false));
    desk.put("y.npy", &labels(&[1, 0, 1]));
    desk.refuses(
        "data convert x.npy --labels y.npy --out set",
        1,
        "y.npy: (3) int64, expected 2 labels, one for each sample of x.npy",
    );
    desk.put(
        "x.npy",
        &npy("|u1", false, "(1, 1, 1, 1, 4)", &[1, 2, 3, 4]),
    );
    let run = desk.refuses_in_parts(
        "data convert x.npy --labels none --out set",
        1,
        &["x.npy: (1, 1, 1, 1, 4)"],
    );
    assert!(run.hint().contains("--shape 4"), "{run:#?}");
    convert(&desk, "x.npy --labels none --shape 4");
}

#[test]
fn damaged_archives_are_refused() {
    let desk = Desk::empty();
    let (x, y) = (counting(false), labels(&[1, 0]));
    for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
        let valid = zip(method, &[("x.npy", &x), ("y.npy", &y)]);
        for length in [4, 30, valid.len() / 2, valid.len() - 1] {
            desk.put("xy.npz", &valid[..length]);
            desk.refuses_in_parts(
                "data convert xy.npz --out set",
                1,
                &["xy.npz: ", ", expected "],
            );
        }
    }
    // An element changed after packing fails the checksum.
    let mut valid = zip(CompressionMethod::STORE, &[("x.npy", &x), ("y.npy", &y)]);
    let at = valid
        .windows(12)
        .position(|bytes| bytes.iter().copied().eq(0..12))
        .expect("stored uncompressed");
    valid[at + 5] ^= 1;
    desk.put("xy.npz", &valid);
    desk.refuses_in_parts(
        "data convert xy.npz --out set",
        1,
        &["xy.npz: x: ", "expected (2, 2, 3) uint8 in full\n"],
    );
    desk.put(
        "xy.npz",
        &zip(
            CompressionMethod::STORE,
            &[("word/document.xml", b"<xml/>")],
        ),
    );
    desk.refuses(
        "data convert xy.npz --out set",
        1,
        "xy.npz: a ZIP archive without arrays, expected arrays as numpy.savez writes them",
    );
}

#[test]
fn an_archive_that_declares_more_than_it_can_hold_is_refused_at_once() {
    let desk = Desk::empty();
    // Its header declares 16 GB in a file of a few hundred bytes.
    let bomb = npy("<f8", false, "(2000000000,)", &[]);
    for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
        desk.put("x.npz", &zip(method, &[("x.npy", &bomb)]));
        desk.refuses_in_parts(
            "data convert x.npz --labels none --out set",
            1,
            &[
                "x.npz: x: 128 bytes in the archive, ",
                "expected 16000000128 for (2000000000) float64",
            ],
        );
    }
}

#[test]
fn validation_samples_of_another_archive_are_read() {
    let desk = Desk::empty();
    let (x, y) = (counting(false), labels(&[1, 0]));
    let others = npy("|u1", false, "(1, 2, 3)", &[9; 6]);
    let of_others = labels(&[1]);
    let pair = [("x.npy", &x[..]), ("y.npy", &y)];
    let validation = [("v.npy", &of_others[..]), ("x.npy", &others), ("z.npy", &y)];
    std::fs::create_dir(desk.path("d")).expect("creating a folder");
    for (name, files) in [("train", &pair[..]), ("val", &validation), ("test", &pair)] {
        let name = format!("d/{name}.npz");
        desk.put(&name, &zip(CompressionMethod::STORE, files));
    }
    let line = "d/train.npz --validation d/val.npz --test d/test.npz --validation-labels v";
    let run = convert(&desk, line);
    let sizes = "set: 2 training, 1 validation and 2 test samples of 2×3 u8";
    assert!(run.stdout.starts_with(sizes), "{run:#?}");
    let note = "note: d/val.npz: the array z is not used\n";
    assert!(run.stderr.contains(note), "{run:#?}");
    let images = read_idx(&desk, "set/validation-images-idx3-ubyte");
    assert_eq!(images, bytes(&[1, 2, 3], &[9.0; 6]));
    // In a folder, the names of the files tell the sets apart.
    let validation = [("x.npy", &others[..]), ("y.npy", &of_others)];
    desk.put("d/val.npz", &zip(CompressionMethod::STORE, &validation));
    let run = convert(&desk, "d --force");
    assert!(run.stdout.starts_with(sizes), "{run:#?}");
}

#[test]
fn one_type_decides_about_rounding_resized_samples() {
    let desk = Desk::empty();
    // The first sample is whole, the second one is not.
    let elements = [1f32, 2.0, 0.25, 0.5].map(f32::to_le_bytes).concat();
    desk.put("x.npy", &npy("<f4", false, "(2, 1, 2)", &elements));
    convert(&desk, "x.npy --labels none --resize 1x1");
    let images = read_idx(&desk, "set/images-idx3-float");
    assert_eq!(images.elements, [1.5, 0.375]);
    // Of a table, all rows decide.
    desk.put("x.csv", b"1,2\n0.25,0.5\n");
    convert(
        &desk,
        "x.csv --labels none --shape 1x2 --resize 1x1 --force",
    );
    let images = read_idx(&desk, "set/images-idx3-float");
    assert_eq!(images.elements, [1.5, 0.375]);
    // The size stays, and so do the bits.
    let elements = [1_700_000_001i32, 0].map(i32::to_le_bytes).concat();
    desk.put("x.npy", &npy("<i4", false, "(1, 1, 2)", &elements));
    convert(&desk, "x.npy --labels none --resize 1x2 --force");
    let images = read_idx(&desk, "set/images-idx3-int");
    assert_eq!(images.elements, [1_700_000_001.0, 0.0]);
}

#[test]
fn a_value_that_cannot_be_resized_is_named_by_its_place_in_the_source() {
    let desk = Desk::empty();
    // Element 4 of 2×3, which is element 3 of 3×2.
    let mut elements = [1f32; 6];
    elements[4] = f32::NAN;
    desk.put(
        "x.npy",
        &npy(
            "<f4",
            false,
            "(1, 2, 3)",
            &elements.map(f32::to_le_bytes).concat(),
        ),
    );
    let line = "data convert x.npy --labels none --transpose --resize 2x2 --out set";
    desk.refuses(
        line,
        1,
        "x.npy: sample 0, element 4: NaN, expected a finite number",
    );
    // A resized element has no place of its own.
    elements[4] = -3.0;
    desk.put(
        "x.npy",
        &npy(
            "<f4",
            false,
            "(1, 2, 3)",
            &elements.map(f32::to_le_bytes).concat(),
        ),
    );
    let run = desk.run(&format!("{line} --type u8"));
    assert!(run.stderr.contains("x.npy: sample 0: "), "{run:#?}");
}
