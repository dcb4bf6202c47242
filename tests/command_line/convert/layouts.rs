//! Several files of one data set, in a folder or named one by one, told apart by their names.

use std::fs;

use rawzip::CompressionMethod;

use super::{bytes, convert, npy, read_idx, zip};
use crate::desk::Desk;

/// Returns an NPZ file of one array without a name, as `numpy.savez_compressed(file, array)` writes it.
fn sole(shape: &str, elements: &[u8]) -> Vec<u8> {
    let array = npy("|u1", false, shape, elements);
    zip(CompressionMethod::STORE, &[("arr_0.npy", &array)])
}

/// The files of KMNIST, shrunk.
fn put_kmnist(desk: &Desk, folder: &str) {
    fs::create_dir_all(desk.path(folder)).expect("creating a folder");
    let put = |name: &str, bytes: &[u8]| desk.put(&format!("{folder}/kmnist-{name}.npz"), bytes);
    put("train-imgs", &sole("(3, 1, 2)", &[1, 2, 3, 4, 5, 6]));
    put("train-labels", &sole("(3,)", &[0, 2, 1]));
    put("test-imgs", &sole("(1, 1, 2)", &[7, 8]));
    put("test-labels", &sole("(1,)", &[2]));
}

fn assert_kmnist(desk: &Desk) {
    let images = read_idx(desk, "set/train-images-idx3-ubyte");
    assert_eq!(images, bytes(&[3, 1, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let labels = read_idx(desk, "set/train-labels-idx1-ubyte");
    assert_eq!(labels, bytes(&[3], &[0.0, 2.0, 1.0]));
    let images = read_idx(desk, "set/t10k-images-idx3-ubyte");
    assert_eq!(images, bytes(&[1, 1, 2], &[7.0, 8.0]));
    assert_eq!(read_idx(desk, "set/t10k-labels-idx1-ubyte").elements, [2.0]);
}

#[test]
fn archives_of_one_array_each_are_told_apart_by_their_names() {
    let desk = Desk::empty();
    put_kmnist(&desk, "k");
    desk.put("k/kmnist_classmap.csv", b"index,codepoint\n0,U+304A\n");
    let run = convert(&desk, "k");
    assert_kmnist(&desk);
    assert!(
        run.stderr
            .contains("note: k/kmnist_classmap.csv: not used\n"),
        "{run:#?}"
    );
    let names = ["test-labels", "train-imgs", "test-imgs", "train-labels"];
    let files = names.map(|name| format!("k/kmnist-{name}.npz")).join(" ");
    convert(&desk, &format!("{files} --force"));
    assert_kmnist(&desk);
    convert(
        &desk,
        "k/kmnist-train-imgs.npz --labels k/kmnist-train-labels.npz --test k/kmnist-test-imgs.npz \
         --test-labels k/kmnist-test-labels.npz --force",
    );
    assert_kmnist(&desk);
    let two = "k/kmnist-train-imgs.npz k/kmnist-train-labels.npz";
    let run = convert(&desk, &format!("{two} --force"));
    let sizes = "set: 3 training samples of 1×2 u8, 3 classes";
    assert!(run.stdout.starts_with(sizes), "{run:#?}");
    convert(&desk, "k/kmnist-test-imgs.npz --labels none");
    assert_eq!(
        read_idx(&desk, "set/images-idx3-ubyte").elements,
        [7.0, 8.0]
    );
}

#[test]
fn files_with_unclear_names_are_refused() {
    let desk = Desk::empty();
    put_kmnist(&desk, "k");
    let files = "k/kmnist-train-imgs.npz k/kmnist-train-labels.npz";
    fs::copy(
        desk.path("k/kmnist-test-imgs.npz"),
        desk.path("k/x-train.npz"),
    )
    .expect("a copy");
    let run = desk.refuses_in_parts(
        &format!("data convert {files} k/x-train.npz --out set"),
        1,
        &["k/x-train.npz: by its name the same as k/kmnist-train-imgs.npz, expected names with train"],
    );
    assert!(
        run.hint().contains("--labels, --test and --test-labels"),
        "{run:#?}"
    );
    desk.put("other.csv", b"a,b\n1,2\n");
    desk.refuses_in_parts(
        &format!("data convert {files} other.csv --out set"),
        1,
        &["other.csv: not a file of the same data set as k/kmnist-train-imgs.npz, expected "],
    );
    desk.refuses_in_parts(
        "data convert k other.csv --out set",
        1,
        &["k: a folder, and other.csv next to it, expected one folder, or files\n"],
    );
    desk.refuses_in_parts(
        "data convert k/kmnist-train-labels.npz k/kmnist-test-labels.npz --out set",
        1,
        &["k/kmnist-train-labels.npz: no training samples by the names, expected "],
    );
}

#[test]
fn arrays_and_tables_in_a_folder_become_the_sets() {
    let desk = Desk::empty();
    fs::create_dir(desk.path("d")).expect("creating a folder");
    let array = |shape: &str, elements: &[u8]| npy("|u1", false, shape, elements);
    desk.put("d/X_train.npy", &array("(2, 2)", &[1, 2, 3, 4]));
    desk.put("d/y_train.npy", &array("(2,)", &[0, 1]));
    desk.put("d/X_val.npy", &array("(1, 2)", &[5, 6]));
    desk.put("d/y_val.npy", &array("(1,)", &[1]));
    let run = convert(&desk, "d");
    let sizes = "set: 2 training and 1 validation samples of 2 u8, 2 classes";
    assert!(run.stdout.starts_with(sizes), "{run:#?}");
    let images = read_idx(&desk, "set/validation-images-idx2-ubyte");
    assert_eq!(images, bytes(&[1, 2], &[5.0, 6.0]));
    fs::create_dir(desk.path("t")).expect("creating a folder");
    desk.put("t/train.csv", b"a,label\n1,x\n2,y\n");
    desk.put("t/test.csv", b"a,label\n3,y\n");
    desk.put("t/README.md", b"about\n");
    let run = convert(&desk, "t --force");
    let sizes = "set: 2 training and 1 test samples of 1 u8, 2 classes";
    assert!(run.stdout.starts_with(sizes), "{run:#?}");
    assert_eq!(
        read_idx(&desk, "set/t10k-labels-idx1-ubyte").elements,
        [1.0]
    );
    assert!(
        run.stderr.contains("note: t/README.md: not used\n"),
        "{run:#?}"
    );
    convert(&desk, "t/train.csv --validation t/test.csv --force");
    assert_eq!(
        read_idx(&desk, "set/validation-labels-idx1-ubyte").elements,
        [1.0]
    );
    assert!(!desk.has("set/t10k-labels-idx1-ubyte"));
    desk.put("t/y_train.csv", b"label\nx\ny\n");
    desk.refuses_in_parts(
        "data convert t --out new",
        1,
        &["t/y_train.csv: by its name a table of labels, expected labels in a column of the table"],
    );
}

#[test]
fn a_changed_picture_below_the_folder_of_a_set_is_noticed() {
    let desk = Desk::empty();
    let put = |name: &str, level: u8| {
        super::pictures::put(&desk, name, &super::pictures::grey(&[level, level]));
    };
    for name in ["train/a/1", "train/b/1", "test/a/1"] {
        put(&format!("p/{name}.png"), 1);
    }
    convert(&desk, "p");
    let inspect = "data inspect set --items 0";
    assert!(!desk.run(inspect).done().stderr.contains("changed"));
    // The folder of the class keeps its time.
    let larger = super::pictures::grey(&[9; 40]);
    fs::write(desk.path("p/train/b/1.png"), larger).expect("writing");
    let run = desk.run(inspect);
    assert!(run.stderr.contains("p, which changed since"), "{run:#?}");
}

#[test]
fn files_that_are_left_out_are_named() {
    let desk = Desk::empty();
    put_kmnist(&desk, "k");
    let run = convert(&desk, "k --labels none");
    for name in ["test-imgs", "test-labels", "train-labels"] {
        let note = format!("note: k/kmnist-{name}.npz: not used\n");
        assert!(run.stderr.contains(&note), "{run:#?}");
    }
    assert!(!run.stderr.contains("train-imgs"), "{run:#?}");
    desk.remove("k/kmnist-test-imgs.npz");
    let run = desk.run("data convert k --out other");
    run.done();
    let note = "note: k/kmnist-test-labels.npz: not used\n";
    assert!(run.stderr.contains(note), "{run:#?}");
}
