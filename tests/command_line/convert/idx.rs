//! IDX files as a source: cut, transposed, resized, relabelled and split.

use super::{bytes, convert, floats, npy, read_idx};
use crate::bad_archives::compressed;
use crate::desk::Desk;
use crate::idx_set::{Element, idx};

/// Returns a desk with six samples of 2×3 bytes, and their labels.
fn desk_with_set(labels: &[u8]) -> Desk {
    let desk = Desk::empty();
    let images: Vec<u8> = (0..36).collect();
    desk.put("images", &idx(Element::U8, &[6, 2, 3], &images));
    desk.put("labels", &idx(Element::U8, &[6], labels));
    desk
}

#[test]
fn samples_are_transposed_and_labels_start_at_zero() {
    // As EMNIST has its letters.
    let desk = desk_with_set(&[1, 2, 1, 2, 1, 2]);
    let run = convert(&desk, "images --labels labels --transpose");
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    assert_eq!(images.sizes, [6, 3, 2]);
    assert_eq!(images.elements[..6], [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    let labels = read_idx(&desk, "set/train-labels-idx1-ubyte");
    assert_eq!(labels, bytes(&[6], &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0]));
    assert_eq!(desk.read("set/classes.txt"), b"1\n2\n");
    let about = "images: IDX, [6, 2, 3] u8, labels in labels: IDX, [6] u8, transposed";
    assert_eq!(run.value("from"), about);
    convert(
        &desk,
        "images --labels labels --class-names A,B --relabel 2=B,1=A --force",
    );
    assert_eq!(desk.read("set/classes.txt"), b"A\nB\n");
}

#[test]
fn a_folder_and_compressed_files_are_read() {
    let desk = desk_with_set(&[0, 1, 2, 0, 1, 2]);
    std::fs::create_dir(desk.path("d")).expect("creating a folder");
    for (name, file) in [("images-idx3", "images"), ("labels-idx1", "labels")] {
        let bytes = desk.read(file);
        desk.put(
            &format!("d/emnist-x-train-{name}-ubyte.gz"),
            &compressed(&bytes),
        );
        desk.put(&format!("d/emnist-x-test-{name}-ubyte"), &bytes);
    }
    desk.put("d/emnist-x-mapping.txt", b"0 48\n1 49\n");
    let run = convert(&desk, "d --transpose");
    let sizes = "set: 6 training and 6 test samples of 3×2 u8, 3 classes";
    assert!(run.stdout.starts_with(sizes), "{run:#?}");
    assert!(
        run.stderr
            .contains("note: d/emnist-x-mapping.txt: not used\n"),
        "{run:#?}"
    );
    let images = read_idx(&desk, "set/t10k-images-idx3-ubyte");
    assert_eq!(images.elements[30..], [30.0, 33.0, 31.0, 34.0, 32.0, 35.0]);
}

#[test]
fn columns_are_left_out_and_samples_are_resized_and_split() {
    let desk = desk_with_set(&[0, 0, 0, 1, 1, 1]);
    convert(
        &desk,
        "images --labels labels --shape 6 --drop 1,-1 --test-split 2",
    );
    assert_eq!(read_idx(&desk, "set/train-images-idx2-ubyte").sizes, [4, 4]);
    let drawn = read_idx(&desk, "set/t10k-images-idx2-ubyte").elements;
    assert_eq!(drawn[1] - drawn[0], 1.0);
    assert_eq!(drawn[0] % 6.0, 1.0);
    convert(&desk, "images --labels labels --resize 1x1 --force");
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    // The mean of 0 to 5, and of 6 to 11, rounded.
    assert_eq!(images.elements[..2], [3.0, 9.0]);
    for (flags, message) in [
        (
            "--drop 1",
            "--drop: given for samples of 2 dimensions, expected samples of one dimension",
        ),
        (
            "--shape 6 --drop 7",
            "--drop: 7, expected numbers from 1 to 6",
        ),
        (
            "--shape 6 --transpose",
            "--transpose: given for flat samples, expected samples of height × width",
        ),
        (
            "--shape 6 --resize 2x2",
            "--resize: given for flat samples, expected samples of height × width",
        ),
        (
            "--color grey",
            "--color: given for an IDX file, expected pictures to go with it",
        ),
    ] {
        let line = format!("data convert images --labels labels {flags} --out new");
        desk.refuses(&line, 2, message);
    }
}

#[test]
fn a_type_is_kept_unless_another_is_asked_for() {
    let desk = Desk::empty();
    let numbers = [1.5f32, 2.0, -3.0, 1e9].map(f32::to_be_bytes).concat();
    desk.put("x", &idx(Element::F32, &[2, 2], &numbers));
    desk.put("y", &idx(Element::F32, &[2], &numbers[..8]));
    convert(&desk, "x --targets y");
    let expected = floats(&[2, 2], &[1.5, 2.0, -3.0, 1e9]);
    assert_eq!(read_idx(&desk, "set/train-images-idx2-float"), expected);
    let labels = read_idx(&desk, "set/train-labels-idx2-float");
    assert_eq!(labels, floats(&[2, 1], &[1.5, 2.0]));
    desk.refuses(
        "data convert x --targets y --type i16 --out new",
        1,
        "x: sample 0, element 0: 1.5, expected a whole number from -32768 to 32767 (i16)",
    );
    let run = desk.run("data convert x --out new");
    assert!(
        run.stderr
            .contains("--labels: not given, expected the IDX file with the labels")
    );
}

#[test]
fn the_class_is_a_column_of_labels_of_several_numbers() {
    // As in QMNIST: class, series, writer, index, glyph, field, duplicate, unused.
    let rows = [[5, 4, 282, 6, 53, 0, 0, 0], [0, 4, 102, 7, 48, 1, 0, 0]];
    let numbers = rows.concat().into_iter().flat_map(i32::to_be_bytes);
    let numbers: Vec<u8> = numbers.collect();
    let desk = Desk::empty();
    desk.put(
        "qmnist-train-images-idx3-ubyte",
        &idx(Element::U8, &[2, 1, 2], &[1, 2, 3, 4]),
    );
    desk.put(
        "qmnist-train-labels-idx2-int",
        &idx(Element::I32, &[2, 8], &numbers),
    );
    let sources = "qmnist-train-images-idx3-ubyte qmnist-train-labels-idx2-int";
    let run = desk.refuses_in_parts(
        &format!("data convert {sources} --out set"),
        1,
        &["qmnist-train-labels-idx2-int: sample 0, column 0: 5, expected 0 or 1, as in multi-label columns\n"],
    );
    assert!(run.hint().contains("--label-column 0"), "{run:#?}");
    convert(
        &desk,
        &format!("{sources} --label-column 0 --class-names 0,1,2,3,4,5"),
    );
    let labels = read_idx(&desk, "set/train-labels-idx1-ubyte");
    assert_eq!(labels, bytes(&[2], &[5.0, 0.0]));
    desk.refuses(
        &format!("data convert {sources} --label-column 8 --out new"),
        2,
        "--label-column: 8, but qmnist-train-labels-idx2-int has 8 numbers a sample, expected 0 to 7",
    );
    let y = npy(
        "<i4",
        false,
        "(2, 8)",
        &rows
            .concat()
            .into_iter()
            .flat_map(i32::to_le_bytes)
            .collect::<Vec<u8>>(),
    );
    desk.put("y.npy", &y);
    desk.put("x.npy", &npy("|u1", false, "(2, 2)", &[1, 2, 3, 4]));
    convert(&desk, "x.npy --labels y.npy --label-column 3 --force");
    assert_eq!(desk.read("set/classes.txt"), b"6\n7\n");
}

#[test]
fn one_hot_labels_are_classes() {
    let desk = desk_with_set(&[0; 6]);
    let one_hot = [0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0];
    desk.put("labels", &idx(Element::U8, &[6, 3], &one_hot));
    let run = convert(&desk, "images --labels labels");
    let labels = read_idx(&desk, "set/train-labels-idx1-ubyte");
    assert_eq!(labels, bytes(&[6], &[2.0, 0.0, 1.0, 2.0, 0.0, 1.0]));
    let note = "note: images: labels are one-hot, taken as one of 3 classes each\n";
    assert!(run.stderr.contains(note), "{run:#?}");
    convert(&desk, "images --labels labels --multilabel --force");
    assert_eq!(read_idx(&desk, "set/train-labels-idx2-ubyte").sizes, [6, 3]);
}

#[test]
fn labels_are_replaced_before_they_are_numbered() {
    let desk = desk_with_set(&[0, 1, 2, 255, 1, 0]);
    let run = convert(&desk, "images --labels labels --relabel 255=0,2=1,9=1");
    let labels = read_idx(&desk, "set/train-labels-idx1-ubyte");
    assert_eq!(labels, bytes(&[6], &[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]));
    assert!(
        run.stderr.contains("note: images: no label 9 to replace\n"),
        "{run:#?}"
    );
    desk.put("t.csv", b"a,label\n1,cat\n2,dog\n3,mouse\n");
    convert(
        &desk,
        "t.csv --relabel mouse=rodent,cat=pet,dog=pet --force",
    );
    assert_eq!(desk.read("set/classes.txt"), b"pet\nrodent\n");
    for flag in ["--relabel 1", "--relabel =1", "--relabel 1=2,1=3"] {
        let run = desk.run(&format!("data convert t.csv {flag} --out new"));
        assert_eq!(run.code, Some(2), "{run:#?}");
    }
}

#[test]
fn damaged_idx_files_are_refused() {
    let desk = desk_with_set(&[0, 1, 0, 1, 0, 1]);
    let images = desk.read("images");
    let line = "data convert images --labels labels --out set";
    for length in [4, 10, 20, images.len() - 1] {
        desk.put("images", &images[..length]);
        desk.refuses_in_parts(line, 1, &["images: "]);
    }
    desk.put(
        "images",
        &idx(Element::F64, &[u32::MAX, 1000, 1000], &[0; 8]),
    );
    desk.refuses_in_parts(
        line,
        1,
        &["images: ", "expected 34359738360000016 for dimensions"],
    );
    desk.put("images", &images);
    desk.put("labels", &idx(Element::U8, &[5], &[0; 5]));
    desk.refuses(
        line,
        1,
        "labels: labels of dimensions [5], expected 6 labels, one for each sample of images",
    );
}

#[test]
fn labels_without_their_samples_are_refused() {
    let desk = desk_with_set(&[0, 1, 0, 1, 0, 1]);
    desk.refuses(
        "data convert images --labels labels --test-labels labels --out set",
        2,
        "--test-labels: given without test samples, expected --test with the test samples",
    );
}
