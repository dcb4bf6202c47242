//! `data digits`, which writes a data set, and `data inspect`, which shows one.

use crate::desk::Desk;
use crate::idx_set::{EasySet, Element, idx};

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn digits(desk: &Desk, out: &str, flags: &str) -> [Vec<u8>; 4] {
    desk.run(&format!("data digits --out {out} {flags} --force"))
        .done();
    FILES.map(|name| desk.read(&format!("{out}/{name}")))
}

#[test]
fn digits_are_the_same_bytes_for_the_same_seed_on_any_number_of_threads() {
    let desk = Desk::empty();
    let sizes = "--train 150 --test 30 --seed 3";
    let set = digits(&desk, "a", &format!("{sizes} --threads 1"));
    for threads in [2, 3, 7] {
        let again = digits(&desk, "b", &format!("{sizes} --threads {threads}"));
        assert!(again == set, "{threads} threads");
    }
}

#[test]
fn digits_of_another_seed_differ() {
    let desk = Desk::empty();
    let set = digits(&desk, "a", "--train 150 --test 30 --seed 3");
    let other = digits(&desk, "b", "--train 150 --test 30 --seed 4");
    for (name, (bytes, others)) in FILES.iter().zip(set.iter().zip(&other)) {
        assert!(bytes != others, "{name}");
    }
    // Seed 1 is the default.
    assert!(
        digits(&desk, "c", "--train 9 --test 3")
            == digits(&desk, "d", "--train 9 --test 3 --seed 1")
    );
}

#[test]
fn digits_are_28_by_28_bytes_of_ten_classes_in_the_files_of_mnist() {
    let desk = Desk::empty();
    let [images, labels, test_images, test_labels] = digits(&desk, "set", "--train 300 --test 40");
    assert_eq!(images[..16], idx(Element::U8, &[300, 28, 28], &[]));
    assert_eq!(test_images[..16], idx(Element::U8, &[40, 28, 28], &[]));
    assert_eq!(labels[..8], idx(Element::U8, &[300], &[]));
    assert_eq!(test_labels[..8], idx(Element::U8, &[40], &[]));
    assert_eq!((images.len(), labels.len()), (16 + 300 * 784, 8 + 300));
    assert_eq!(
        (test_images.len(), test_labels.len()),
        (16 + 40 * 784, 8 + 40)
    );
    let classes: std::collections::BTreeSet<u8> = labels[8..].iter().copied().collect();
    assert_eq!(classes, (0..10).collect());
    // The two halves are not copies of each other.
    assert!(!images[16..].starts_with(&test_images[16..]));
}

#[test]
fn a_larger_set_starts_with_the_smaller_one() {
    let desk = Desk::empty();
    let [small, ..] = digits(&desk, "small", "--train 20 --test 1");
    let [large, ..] = digits(&desk, "large", "--train 50 --test 1");
    assert!(large[16..].starts_with(&small[16..]));
}

#[test]
fn digits_can_be_trained_on_and_inspected() {
    let desk = Desk::empty();
    for (train, test) in [(1, 1), (200, 50)] {
        let run = desk.run(&format!(
            "data digits --out set --train {train} --test {test} --force"
        ));
        let what = format!("{train} training and {test} test digits in set after ");
        assert!(run.done().stdout.starts_with(&what), "{run:#?}");
        assert!(run.value("next").contains("train --data set"), "{run:#?}");
        // So few samples do not cover every class.
        let report = desk.report_of("--data set --classes 10 --epochs 1 --hidden 16");
        assert_eq!(
            (&report["train_items"], &report["test_items"]),
            (&train.into(), &test.into())
        );
        let shown = desk.run("data inspect set/train-images-idx3-ubyte");
        assert!(shown.done().stdout.contains("28 × 28 u8"), "{shown:#?}");
    }
    desk.run("data inspect set").done();
}

#[test]
fn a_data_set_is_replaced_only_with_force() {
    let desk = Desk::with(&EasySet::default());
    desk.remove("set/train-labels-idx1-ubyte");
    let before = desk.read("set/t10k-images-idx3-ubyte");
    let run = desk.refuses(
        "data digits --out set --train 9 --test 9",
        2,
        "--out: set/train-images-idx3-ubyte exists already, expected a folder without a data set",
    );
    assert!(run.hint().contains("--force"), "{run:#?}");
    assert_eq!(desk.read("set/t10k-images-idx3-ubyte"), before);
}

#[test]
fn rejects_a_set_of_no_digits() {
    let desk = Desk::empty();
    for flag in ["--train", "--test"] {
        for items in ["0", "4294967296"] {
            desk.refuses(
                &format!("data digits --out set {flag} {items}"),
                2,
                &format!("{flag}: {items}, expected 1 to 4294967295"),
            );
        }
    }
}

#[test]
fn rejects_a_folder_for_digits_that_cannot_be_created() {
    let desk = Desk::empty();
    desk.put("file", b"text");
    let start = "file/below: could not create the folder: ";
    desk.refuses_in_parts(
        "data digits --out file/below --train 1 --test 1",
        1,
        &[start, "\n"],
    );
}

#[test]
fn a_folder_is_shown_with_both_halves_their_classes_and_some_samples() {
    let desk = Desk::with(&EasySet::default());
    let run = desk.run("data inspect set");
    for words in [
        "training: 4 classes\nset/train-images-idx3-ubyte: 200 × 3 × 3 u8, 200 items of 9 features, 2 kB\n",
        "test: 4 classes\nset/t10k-images-idx3-ubyte: 60 × 3 × 3 u8, 60 items of 9 features, 556 bytes\n",
    ] {
        assert!(run.done().stdout.contains(words), "{run:#?}");
    }
    let shares = run
        .stdout
        .lines()
        .filter(|line| line.contains("25.00 %"))
        .count();
    assert_eq!(
        shares, 8,
        "expected each class to be a quarter of each half: {run:#?}"
    );
    assert!(run.stdout.contains(['█', '▀', '▄']), "{run:#?}");
    assert_eq!(run.stderr, "");
}

#[test]
fn an_image_file_is_shown_with_the_requested_samples() {
    let set = EasySet {
        item: &[12, 12],
        ..EasySet::default()
    };
    let desk = Desk::with(&set);
    let images = "set/t10k-images-idx3-ubyte";
    for (flags, expected) in [
        ("", vec![0, 1, 2, 3]),
        ("--items 2", vec![0, 1]),
        ("--items 3 --offset 20", vec![20, 21, 22]),
        ("--offset 58", vec![58, 59]),
        ("--items 0", vec![]),
        ("--offset 60", vec![]),
        (
            "--offset 18446744073709551615 --items 18446744073709551615",
            vec![],
        ),
    ] {
        let run = desk.run(&format!("data inspect {images} {flags}"));
        let header = "60 × 12 × 12 u8, 60 items of 144 features, 9 kB";
        assert!(run.done().stdout.contains(header), "{run:#?}");
        let words: Vec<&str> = run.stdout.split_whitespace().collect();
        let shown = words.windows(2).filter(|pair| pair[0] == "item");
        let shown: Vec<u32> = shown
            .map(|pair| pair[1].parse().expect("a number"))
            .collect();
        assert_eq!(shown, expected, "{flags}: {run:#?}");
    }
}

#[test]
fn titles_wider_than_their_pictures_are_complete() {
    let run = Desk::with(&EasySet::default()).run("data inspect set");
    for title in [
        "item 0: class 0",
        "item 1: class 1",
        "item 2: class 2",
        "item 3: class 3",
    ] {
        assert!(run.done().stdout.contains(title), "{run:#?}");
    }
}

#[test]
fn a_label_file_is_shown_as_class_counts() {
    let desk = Desk::with(&EasySet::default());
    let run = desk.run("data inspect set/train-labels-idx1-ubyte");
    let lines: Vec<&str> = run.done().stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{run:#?}");
    assert!(
        lines[0].ends_with("200 u8, 200 items of 1 feature, 208 bytes"),
        "{run:#?}"
    );
    for (class, line) in lines[1..].iter().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words[..5],
            ["class", &class.to_string(), "50", "25.00", "%"],
            "{run:#?}"
        );
    }
}

#[test]
fn samples_that_are_not_pictures_are_shown_as_numbers() {
    let desk = Desk::empty();
    let elements: Vec<u8> = [0.5, -2.0, 7.25]
        .iter()
        .flat_map(|&x| Element::F64.bytes(x))
        .collect();
    desk.put("floats", &idx(Element::F64, &[1, 3], &elements));
    let run = desk.run("data inspect floats");
    assert!(
        run.done().stdout.ends_with("item 0: 0.5 -2 7.25\n"),
        "{run:#?}"
    );
    desk.put("cubes", &idx(Element::I16, &[2, 3, 3, 3], &[1; 108]));
    let run = desk.run("data inspect cubes");
    assert!(run.done().stdout.contains("item 1: 257 257 "), "{run:#?}");
}

#[test]
fn one_hot_labels_are_trained_on_as_classes() {
    let desk = Desk::with(&EasySet::default());
    let plain = desk.model_of("--data set --hidden 4 --epochs 2");
    for half in ["train", "t10k"] {
        let name = format!("set/{half}-labels-idx1-ubyte");
        let labels = desk.read(&name).split_off(8);
        let one_hot = labels
            .iter()
            .flat_map(|&label| (0..4).map(move |at| u8::from(at == label)));
        let one_hot: Vec<u8> = one_hot.collect();
        desk.remove(&name);
        let sizes = [labels.len() as u32, 4];
        desk.put(
            &format!("set/{half}-labels-idx2-ubyte"),
            &idx(Element::U8, &sizes, &one_hot),
        );
    }
    assert!(desk.model_of("--data set --hidden 4 --epochs 2") == plain);
    let note = "labels-idx2-ubyte: labels are one-hot, taken as one of 4 classes each\n";
    let run = desk.run("train --data set --hidden 4 --epochs 1 --out new");
    assert!(
        run.done()
            .stderr
            .contains(&format!("note: set/train-{note}")),
        "{run:#?}"
    );
    let run = desk.run("eval new/model.safetensors --data set");
    assert!(
        run.done()
            .stderr
            .contains(&format!("note: set/t10k-{note}")),
        "{run:#?}"
    );
    // Another number of ones is not one-hot; the first of several numbers may be the class.
    let mut labels = desk.read("set/train-labels-idx2-ubyte");
    labels[12] = 1;
    labels[13] = 1;
    desk.put("set/train-labels-idx2-ubyte", &labels);
    let message =
        "set/train-labels-idx2-ubyte: labels of dimensions [200, 4], expected one label a row";
    let run = desk.refuses("train --data set", 1, message);
    assert!(
        run.hint()
            .ends_with("perceptor data convert takes it by --label-column 0"),
        "{run:#?}"
    );
}
